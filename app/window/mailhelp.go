package window

import (
	"fmt"
	"net"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

// mailHelp shows what to type into a camera's mail settings, each with a button that copies it.
type mailHelp struct {
	content *fyne.Container
	shown   string // what is shown, so that nothing is drawn twice
}

func newMailHelp() *mailHelp { return &mailHelp{content: container.NewVBox()} }

// typedIn is a value to type into a camera, and what of it is worth a button that copies it.
type typedIn struct{ name, value, copy string }

// mailOf is what a camera must be told.
func mailOf(s config.Settings, c config.Camera, now *status.Status, hosts []string) []typedIn {
	listen, port, err := net.SplitHostPort(s.SMTP.Listen)
	if ip := net.ParseIP(listen); ip != nil && !ip.IsUnspecified() { // no other address would do
		hosts = []string{listen}
	}
	if port == "0" && now != nil { // any free one: the recorder knows which
		_, port, err = net.SplitHostPort(now.SMTP.Listen)
	}
	if err != nil {
		port = "?"
	}
	recipient := c.ID
	if len(c.Mail) > 0 && !strings.ContainsAny(c.Mail[0], " <>") {
		recipient = c.Mail[0]
	}
	if !strings.Contains(recipient, "@") {
		recipient += "@preroll"
	}
	user := typedIn{words.L("User"), words.L("(empty, or anything)"), ""}
	if name := s.SMTP.Username; name != "" {
		user.value, user.copy = name, name
	}
	host := ""
	if len(hosts) > 0 {
		host = hosts[0]
	}
	return []typedIn{
		{words.L("Mail server"), strings.Join(hosts, " / "), host}, {words.L("Port"), port, port}, {words.L("Recipient"), recipient, recipient},
		user, {words.L("Encryption"), words.L("none, or STARTTLS"), ""},
	}
}

func (m *mailHelp) set(s config.Settings, c config.Camera, now *status.Status, hosts []string) {
	list := mailOf(s, c, now, hosts)
	key := fmt.Sprint(list)
	if key == m.shown {
		return
	}
	m.shown = key
	intro := widget.NewLabel(words.L("Type this into the camera's own mail settings, switch on mail for the alarms that you want clips of, and press the camera's test button."))
	intro.Wrapping = fyne.TextWrapWord
	m.content.Objects = []fyne.CanvasObject{field("", "", intro)}
	for _, r := range list {
		value := widget.NewLabelWithStyle(r.value, fyne.TextAlignLeading, fyne.TextStyle{Monospace: r.copy != ""})
		value.Selectable = true
		row := container.NewHBox(value)
		if r.copy != "" {
			row.Add(widget.NewButtonWithIcon("", theme.ContentCopyIcon(), func() { fyne.CurrentApp().Clipboard().SetContent(r.copy) }))
		}
		m.content.Add(field(r.name, "", row))
	}
	m.content.Refresh()
}

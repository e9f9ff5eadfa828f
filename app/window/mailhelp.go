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

// mailOf is what a camera must be told: names and values.
func mailOf(s config.Settings, c config.Camera, now *status.Status, hosts []string) [][2]string {
	_, port, err := net.SplitHostPort(s.SMTP.Listen)
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
	user := words.L("(empty, or anything)")
	if s.SMTP.Username != "" {
		user = s.SMTP.Username
	}
	return [][2]string{
		{words.L("Mail server"), strings.Join(hosts, " / ")}, {words.L("Port"), port}, {words.L("Recipient"), recipient},
		{words.L("User"), user}, {words.L("Encryption"), words.L("none, or STARTTLS")},
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
	for i, r := range list {
		value := widget.NewLabelWithStyle(r[1], fyne.TextAlignLeading, fyne.TextStyle{Monospace: i < 3})
		value.Selectable = true
		row := container.NewHBox(value)
		if i < 3 {
			first, _, _ := strings.Cut(r[1], " / ")
			row.Add(widget.NewButtonWithIcon("", theme.ContentCopyIcon(), func() { fyne.CurrentApp().Clipboard().SetContent(first) }))
		}
		m.content.Add(field(r[0], "", row))
	}
	m.content.Refresh()
}

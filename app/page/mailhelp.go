package page

import (
	"fmt"
	"net"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// MailHelp shows what to type into a camera's mail settings, with a button to copy each value. It also shows where the
// menus of the camera's brand have these settings.
type MailHelp struct {
	Content *fyne.Container
	values  *fyne.Container
	brand   *widget.Select
	steps   *fyne.Container
	Known   string // name of the brand, if the user chose it before
	camera  string // camera whose brand was guessed
	shown   string // what is shown, so that nothing is drawn twice
}

// NewMailHelp makes an empty help. Set fills it.
func NewMailHelp() *MailHelp {
	m := &MailHelp{values: container.NewVBox(), steps: container.NewVBox()}
	var names []string
	for _, b := range config.Brands {
		names = append(names, BrandName(b))
	}
	m.brand = widget.NewSelect(names, func(string) { m.drawSteps() })
	intro := widgets.Wrapped(
		words.L(
			"Type this into the camera's own mail settings, switch on mail for the alarms that you want clips of, and press the camera's test button."))
	m.Content = container.NewVBox(widgets.Field("", "", intro), m.values, widgets.Field(words.L("Brand"), "", m.brand),
		m.steps)
	return m
}

// typedIn is a value to type into a camera. copy is the part for the button that copies it, or "" for no button.
type typedIn struct{ name, value, copy string }

// mailOf returns the values to type into a camera.
func mailOf(s config.Settings, c config.Camera, now *status.Status, hosts []string) []typedIn {
	list := s.SMTP.Listen
	plain, tls := s.SMTP.Ports()
	encryption := words.L("none, STARTTLS or SSL/TLS: all work on the same port")
	if len(plain) > 0 {
		list = plain[0]
	} else if len(tls) > 0 {
		list, encryption = tls[0], words.L("SSL/TLS")
	}
	listen, port, err := net.SplitHostPort(list)
	if ip := net.ParseIP(listen); ip != nil && !ip.IsUnspecified() { // no other address would work
		hosts = []string{listen}
	}
	if port == "0" && now != nil { // any free port: the recorder knows which one
		_, port, err = net.SplitHostPort(now.SMTP.Listen)
	}
	if err != nil {
		port = "?"
	}
	ports := port
	var more []string
	for _, l := range plain[min(1, len(plain)):] {
		if _, p, err := net.SplitHostPort(l); err == nil {
			more = append(more, p)
		}
	}
	if more != nil {
		ports = words.L("%s, or %s", port, strings.Join(more, ", "))
	}
	recipient := maildoctor.RecipientOf(c.ID, c.Mail)
	if recipient != "" && !strings.Contains(recipient, "@") {
		recipient += "@preroll"
	}
	to := typedIn{words.L("Recipient"), recipient, recipient}
	if recipient == "" {
		to.value = words.L("(anything: the camera's mail names go by something else)")
	}
	user := typedIn{words.L("User"), words.L("(empty, or anything)"), ""}
	if name := s.SMTP.Username; name != "" {
		user.value, user.copy = name, name
	}
	host := ""
	if len(hosts) > 0 {
		host = hosts[0]
	}
	return []typedIn{{words.L("Mail server"), strings.Join(hosts, " / "), host}, {words.L("Port"), ports, port}, to,
		user, {words.L("Encryption"), encryption, ""}}
}

// Set shows what to type into a camera. hosts are the addresses that a camera can reach this machine at.
func (m *MailHelp) Set(s config.Settings, c config.Camera, now *status.Status, hosts []string) {
	if who := c.ID + " " + c.URL + " " + m.Known; m.camera != who {
		m.camera = who
		m.brand.SetSelectedIndex(mailBrandOf(c, m.Known))
	}
	list := mailOf(s, c, now, hosts)
	key := fmt.Sprint(list)
	if key == m.shown {
		return
	}
	m.shown = key
	m.values.RemoveAll()
	for _, r := range list {
		if r.copy == "" {
			m.values.Add(widgets.Field(r.name, "", widgets.Wrapped(r.value)))
			continue
		}
		value := widget.NewLabelWithStyle(r.value, fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})
		value.Selectable = true
		m.values.Add(widgets.Field(r.name, "", container.NewHBox(value,
			widgets.NewIcon(theme.ContentCopyIcon(), words.L("Copy"), func() {
				fyne.CurrentApp().Clipboard().SetContent(r.copy)
			}))))
	}

	m.Content.Refresh()
}

// drawSteps shows the menus of the chosen brand.
func (m *MailHelp) drawSteps() {
	i := m.brand.SelectedIndex()
	if i < 0 {
		return
	}
	b := config.Brands[i].Mail
	m.steps.RemoveAll()
	for _, step := range []struct {
		name string
		text text.Text
	}{{words.L("Where"), b.Server}, {words.L("Fields"), b.Boxes}, {words.L("Alarms"), b.Alarms},
		{words.L("Test"), b.Test}} {
		m.steps.Add(widgets.Field(step.name, "", widgets.Wrapped(words.Say(step.text))))
	}

	note := widgets.Wrapped(
		words.L("Menus vary with model and firmware. If no mail arrives, the page Health shows what the camera said."))
	note.Importance, note.SizeName = widget.LowImportance, theme.SizeNameCaptionText
	m.steps.Add(widgets.Field("", "", note))
	m.Content.Refresh()
}

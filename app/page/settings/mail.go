package settings

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

// The tab Alarm mail.

func (p *Page) mailForm() fyne.CanvasObject {
	p.smtp = widget.NewLabel("")
	p.smtp.Wrapping = fyne.TextWrapWord
	p.portUse = widget.NewButton("", nil)
	p.portUse.Hide()
	ports := func(key, label, hint, example string, of func(*config.Settings) *string) fyne.CanvasObject {
		_, row := p.line(key, label, hint, example, func(s *config.Settings) string {
			return portsText(*of(s))
		}, func(s *config.Settings, v string) error {
			*of(s) = portsValue(v)
			return nil
		})
		return row
	}

	listen := ports("smtp.listen", words.L("Port"),
		words.L(
			"cameras send their alarm mail here, such as 2525; several with commas. Each takes plain mail, STARTTLS and TLS alike"), "2525", func(s *config.Settings) *string { return &s.SMTP.Listen })
	listenTLS := ports("smtp.listen_tls", words.L("Ports for TLS only"),
		words.L("only for cameras that need one; usually empty"), words.L("none"), func(s *config.Settings) *string {
			return &s.SMTP.ListenTLS
		})
	p.oldTLS = widget.NewCheck(words.L("Accept old encryption (TLS 1.0 and 1.1)"), func(on bool) {
		if !p.filling {
			p.edit.SMTP.OldTLS = on
			p.check()
		}
	})
	p.keepMail = widget.NewCheck(words.L("Keep the mail beside its clip"), func(on bool) {
		if !p.filling {
			p.edit.SMTP.KeepMail = on
			p.check()
		}
	})
	_, allow := p.line("smtp.allow", words.L("Who may send"),
		words.L("networks with commas, such as 192.168.1.0/24; private: every local network"), "private",
		func(s *config.Settings) string {
			return strings.Join(s.SMTP.Allow, ", ")
		}, func(s *config.Settings, v string) error {
			s.SMTP.Allow = listOf(v)
			return nil
		})
	_, user := p.line("smtp.username", words.L("User"),
		words.L("empty: any login is accepted, as most cameras need it"), words.L("any"),
		func(s *config.Settings) string { return s.SMTP.Username }, func(s *config.Settings, v string) error {
			s.SMTP.Username = v
			return nil
		})
	password, passwordRow := p.line("smtp.password", words.L("Password"), "", "", func(s *config.Settings) string {
		if s.SMTP.Password == config.Unchanged {
			return ""
		}
		return s.SMTP.Password.Reveal()
	}, func(s *config.Settings, v string) error { s.SMTP.Password = config.Secret(v); return nil })
	password.entry.Password = true
	return container.NewVBox(widgets.Heading(words.L("Mail server for the cameras")), listen,
		widgets.Field("", "", container.NewBorder(nil, nil, nil, container.NewVBox(p.portUse), p.smtp)),
		p.advanced(allow, user, passwordRow, listenTLS, widgets.Field("",
			words.L(
				"Leave this off if you can. Such encryption can be broken, so a camera's login and pictures can be read by others on your network. Switch it on if a camera gives up when encryption begins (the page Health says so) and cannot do without it."), p.oldTLS)),
		widgets.Heading(words.L("Mails")),
		widgets.Field("",
			words.L(
				"the first mail of each event, as a file that mail programs open; without it only its picture and what it says are kept"), p.keepMail),
		p.callsForm())
}

// portsText formats ports without the colon that stands for every address of this machine.
func portsText(list string) string {
	var out []string
	for l := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimPrefix(strings.TrimSpace(l), ":"))
	}
	return strings.Join(out, ", ")
}

// portsValue parses what portsText formats.
func portsValue(text string) string {
	var out []string
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		if strings.Trim(l, "0123456789") == "" {
			l = ":" + l
		}
		out = append(out, l)
	}
	return strings.Join(out, ", ")
}

// listeningOf says on which ports the mail server listens, and what is wrong with the others.
func listeningOf(s status.SMTP) string {
	var lines []string
	if ports := page.PortsOf(s); ports != "" {
		lines = append(lines, words.L("Listening on %s.", ports))
	}
	for _, p := range s.Ports {
		if taken, free, ok := page.TakenPort([]status.Port{p}); ok {
			lines = append(lines, page.PortIsTaken(taken, free))
		} else if !p.Error.IsZero() {
			lines = append(lines, page.Sentence(page.Capital(words.Say(p.Error))))
		}
	}
	if len(s.Ports) == 0 && !s.Error.IsZero() {
		lines = append(lines, page.Sentence(page.Capital(words.Say(s.Error))))
	}
	return strings.Join(lines, "\n")
}

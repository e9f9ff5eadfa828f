package settings

import (
	"fmt"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// The tab Cameras.

func (p *Page) cameraForm() fyne.CanvasObject {
	p.pick = widget.NewSelect(nil, func(string) {
		if !p.filling {
			p.chosen = p.pick.SelectedIndex()
			p.fill()
		}
	})
	p.pick.PlaceHolder = words.L("No camera yet")
	p.add = widget.NewButtonWithIcon(words.L("Add a camera"), theme.ContentAddIcon(), func() { p.env.EditCamera("") })
	p.remove = widget.NewButtonWithIcon(words.L("Remove"), theme.DeleteIcon(), p.removeCamera)
	p.none = widget.NewLabel("")
	p.none.Wrapping = fyne.TextWrapWord

	p.form = container.NewVBox(p.connectionForm(), widgets.Heading(words.L("Alarm mail")), p.cameraMailForm(),
		widgets.Heading(words.L("Clip length for this camera")), p.lengthsForm())
	return container.NewVBox(container.NewBorder(nil, nil, nil, container.NewHBox(p.add, p.remove), p.pick), p.none,
		p.form)
}

// connectionForm holds what it takes to reach the chosen camera, and what to do with it.
func (p *Page) connectionForm() fyne.CanvasObject {
	_, name := p.camera("name", words.L("Name"), "", words.L("Front door"), func(c config.Camera) string {
		return c.Name
	}, func(c *config.Camera, v string) error { c.Name = v; return nil })
	url, address := p.camera("url", words.L("Address"),
		words.L("the RTSP address; the guide can find it for you"), "rtsp://192.168.1.20/stream1",
		func(c config.Camera) string { return c.URL }, nil)
	user, userRow := p.camera("username", words.L("User"), "", words.L("as in the camera"),
		func(c config.Camera) string { return c.Username }, func(c *config.Camera, v string) error {
			c.Username = v
			return nil
		})
	password, passwordRow := p.camera("password", words.L("Password"), "", "", func(c config.Camera) string {
		if c.Password == config.Unchanged {
			return ""
		}
		return c.Password.Reveal()
	}, func(c *config.Camera, v string) error { c.Password = config.Secret(v); return nil })
	password.entry.Password = true
	p.password = password
	url.set = func(s *config.Settings, v string) error {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return nil
		}
		c := &s.Cameras[p.chosen]
		clean, u, pw := config.SplitURL(v)
		c.URL = clean
		if u != "" || pw != "" { // the user pasted an address with a login in it
			c.Username, c.Password = u, pw
			url.entry.SetText(clean)
			user.entry.SetText(u)
			password.entry.SetText(pw.Reveal())
		}
		return nil
	}

	p.enabled = widget.NewCheck(words.L("Record this camera"), func(on bool) {
		p.change(func(c *config.Camera) { c.Enabled = on })
	})
	p.audio = widget.NewCheck(words.L("With sound"), func(on bool) {
		p.change(func(c *config.Camera) { c.Audio = on })
	})
	p.ingest = widget.NewSelect([]string{words.L("Preroll, or FFmpeg where that must be"), words.L("Preroll alone"),
		"FFmpeg"}, func(string) {
		p.change(func(c *config.Camera) {
			if i := p.ingest.SelectedIndex(); i >= 0 {
				c.Ingest = ingests[i]
			}
		})
	})
	p.tell = widget.NewCheck(words.L("Notify me"), func(on bool) { p.change(func(c *config.Camera) { c.Notify = on }) })
	_, small := p.camera("url_small", words.L("Smaller stream"),
		words.L("its address; phones that cannot play the first one play this live"), words.L("none"),
		func(c config.Camera) string { return c.URLSmall }, func(c *config.Camera, v string) error {
			c.URLSmall, _, _ = config.SplitURL(v)
			return nil
		})
	p.tester = page.NewCameraTest(p.env, func() config.Camera { return p.edit.Cameras[p.chosen] })
	return container.NewVBox(name, address, userRow, passwordRow,
		widgets.Field("", "", container.New(&widgets.Flow{}, p.enabled, p.audio, p.tell)),
		widgets.Field("", "", p.tester.Content),
		p.advanced(widgets.Field(words.L("Read by"), "", p.ingest), small))
}

// cameraMailForm holds by which mails the chosen camera is recognized, and what to type into the camera.
func (p *Page) cameraMailForm() fyne.CanvasObject {
	p.mailHelp = page.NewMailHelp()
	mailField, mail := p.camera("mail", words.L("Mail names"),
		words.L(
			"One a line: a recipient, login, sender or text of the subject. Or a rule: channel: Front Yard, to: nvr & channel: 3, subject: *front*, \"alarm input\": 3"), "front-door", func(c config.Camera) string { return strings.Join(c.Mail, "\n") }, func(c *config.Camera, v string) error {
			c.Mail = nil
			for m := range strings.Lines(v) {
				if m = strings.TrimSpace(m); m != "" {
					c.Mail = append(c.Mail, m)
				}
			}
			return nil
		})
	mailField.entry.MultiLine, mailField.entry.Wrapping = true, fyne.TextWrapOff
	mailField.entry.SetMinRowsVisible(2)
	return container.NewVBox(mail, p.mailHelp.Content)
}

// lengthsForm holds the chosen camera's own lengths.
func (p *Page) lengthsForm() fyne.CanvasObject {
	_, pre := p.ownLength("pre_roll", words.L("Before the alarm"), func(c *config.Camera) **config.Duration {
		return &c.PreRoll
	})
	_, post := p.ownLength("post_roll", words.L("After the alarm"), func(c *config.Camera) **config.Duration {
		return &c.PostRoll
	})
	_, longest := p.ownLength("max_length", words.L("Longest clip"), func(c *config.Camera) **config.Duration {
		return &c.MaxLength
	})
	_, lag := p.camera("mail_lag", words.L("Mail delay"),
		words.L("such as 8s: clips of this camera begin that much earlier"), words.L("none"),
		func(c config.Camera) string {
			b, _ := c.MailLag.MarshalText()
			return string(b)
		}, func(c *config.Camera, v string) error {
			if v == "" {
				c.MailLag = 0
				return nil
			}
			return c.MailLag.UnmarshalText([]byte(v))
		})
	p.lagText = widgets.Wrapped("")
	p.lagUse = widget.NewButton("", func() {
		for _, f := range p.fields {
			if f.key == "camera.mail_lag" {
				f.entry.SetText(p.lag.String())
			}
		}
	})
	p.lagRow = widgets.Field("", "", container.NewBorder(nil, nil, nil, container.NewVBox(p.lagUse), p.lagText))
	return container.NewVBox(pre, post, longest, lag, p.lagRow)
}

// titles returns the cameras' names with their ids, which distinguish equal names.
func (p *Page) titles() (list []string) {
	for _, c := range p.edit.Cameras {
		list = append(list, fmt.Sprintf("%s (%s)", widgets.Shorten(c.Title(), 50), widgets.Shorten(c.ID, 30)))
	}

	return list
}

// fillCameras fills what two tabs show: the names of the cameras, and which cameras notify.
func (p *Page) fillCameras() {
	titles := p.titles()
	p.pick.Options = titles
	if p.chosen >= 0 && p.chosen < len(titles) {
		p.pick.SetSelectedIndex(p.chosen)
		p.tell.SetChecked(p.edit.Cameras[p.chosen].Notify)
	} else {
		p.pick.ClearSelected()
	}
	p.pick.Refresh()
	var on []string
	for i, c := range p.edit.Cameras {
		if c.Notify {
			on = append(on, titles[i])
		}
	}
	p.cameras.Options = titles
	p.cameras.SetSelected(on)
	p.cameras.Refresh()
}

// drawLag offers to compensate for the mail lag of a camera.
func (p *Page) drawLag(c config.Camera) {
	p.lag = 0
	if p.env.Status != nil {
		for _, s := range p.env.Status.Cameras {
			if s.ID == c.ID {
				p.lag = config.Duration(s.MailLag)
			}
		}
	}

	offered := p.lag > 0 && p.lag != c.MailLag
	if offered {
		p.lagText.SetText(words.L("By the camera's own clock, its mails come about %.0f s after the alarm.",
			p.lag.D().Seconds()))
		p.lagUse.SetText(words.L("Use %s", p.lag))
	}
	if offered != p.lagRow.Visible() {
		widgets.SetVisible(p.lagRow, offered)
		p.form.Refresh()
	}
}

// Choose shows the camera with the given id.
func (p *Page) Choose(id string) {
	p.tabs.SelectIndex(0)
	if i := slices.IndexFunc(p.edit.Cameras, func(c config.Camera) bool { return c.ID == id }); i >= 0 {
		p.chosen = i
		p.fill()
	}
}

func (p *Page) removeCamera() {
	c := p.edit.Cameras[p.chosen]
	p.env.Confirm(words.L("Remove %s?", c.Title()),
		words.L("It is no longer recorded once you save. Its clips stay in the archive."), words.L("Remove"), func() {
			p.edit.Cameras = slices.DeleteFunc(p.edit.Cameras, func(o config.Camera) bool { return o.ID == c.ID })
			p.chosen = min(p.chosen, len(p.edit.Cameras)-1)
			p.fill()
		})
}

// ingests are the values of the choice what reads a camera, in the order of the choice.
var ingests = []config.Ingest{config.IngestAuto, config.IngestRTSP, config.IngestFFmpeg}

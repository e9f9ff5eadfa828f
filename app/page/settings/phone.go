package settings

import (
	"bytes"
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"rsc.io/qr"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// The tab Phone: the web pages, and the devices that may open them. Devices are no settings: they are added and removed
// at once.

func (p *Page) phoneForm() fyne.CanvasObject {
	p.webState = widgets.Wrapped("")
	p.devices = container.NewVBox()
	_, listen := p.line("web.listen", words.L("Port for the web pages"),
		words.L("phones and browsers show cameras and events here, such as 8443; empty: there are no web pages"),
		words.L("none"), func(s *config.Settings) string { return portsText(s.Web.Listen) },
		func(s *config.Settings, v string) error {
			s.Web.Listen = portsValue(v)
			return nil
		})
	_, address := p.line("web.url", words.L("Address from outside"),
		words.L("only behind Tailscale or a proxy, such as https://home.example.ts.net; see docs/web.md"), "",
		func(s *config.Settings) string { return s.Web.URL },
		func(s *config.Settings, v string) error {
			s.Web.URL = strings.TrimSpace(v)
			return nil
		})
	_, allow := p.line("web.allow", words.L("Who may connect"),
		words.L("networks with commas, such as 192.168.1.0/24; private: every local network"), "private",
		func(s *config.Settings) string { return strings.Join(s.Web.Allow, ", ") },
		func(s *config.Settings, v string) error {
			s.Web.Allow = listOf(v)
			return nil
		})
	p.pairing = widget.NewButtonWithIcon(words.L("Pair a phone"), theme.ContentAddIcon(), p.pair)
	return container.NewVBox(widgets.Heading(words.L("Web pages")), listen, widgets.Field("", "", p.webState),
		address, allow, widgets.Heading(words.L("Devices")),
		widgets.Field("", words.L("Each phone or browser is let in once, by a code."), p.devices),
		widgets.Field("", "", container.NewHBox(p.pairing)))
}

// webStateOf says where the web pages are, or why there are none.
func (p *Page) webStateOf(w status.Web) string {
	switch {
	case !w.Error.IsZero():
		return page.Sentence(page.Capital(words.Say(w.Error)))
	case w.Listen == "":
		return words.L("There are no web pages.")
	}
	return words.L("Open %s on the phone.", p.webAddress())
}

// webAddress returns the address of the web pages.
func (p *Page) webAddress() string {
	host := "HOST"
	if hosts := p.env.Hosts(); len(hosts) > 0 {
		host = hosts[0]
	}
	listen := p.base.Web.Listen
	if s := p.env.Status; s != nil && s.Web.Listen != "" {
		listen = s.Web.Listen
	}
	return p.base.Web.Address(listen, host)
}

// loadDevices asks which devices are paired.
func (p *Page) loadDevices() {
	p.env.Work.Go(func() {
		list, err := p.env.Client.Devices(p.env.Ctx)
		p.env.Do(func() {
			if err == nil { // otherwise the page says that no recorder answers
				p.showDevices(list)
			}
		})
	})
}

func (p *Page) showDevices(list []status.Caller) {
	if p.paired != nil && len(list) > p.pairedBefore {
		p.paired()
	}
	p.pairedBefore = len(list)
	p.devices.RemoveAll()
	if len(list) == 0 {
		p.devices.Add(widgets.Wrapped(words.L("No device is paired.")))
	}
	for _, c := range list {
		when := words.L("paired %s", words.Day(c.Made, p.env.Now()))
		if !c.Used.IsZero() {
			when = words.L("last seen %s", words.Day(c.Used, p.env.Now())+" "+c.Used.Local().Format("15:04:05"))
		}
		p.devices.Add(p.row(c.Name, when, words.L("It is shut out at once."), func() {
			p.env.Try(func(ctx context.Context) error { return p.env.Client.RemoveDevice(ctx, c.ID) }, p.loadDevices)
		}))
	}
	p.devices.Refresh()
}

// pair shows the code that lets one device in.
func (p *Page) pair() {
	var code control.Pairing
	p.env.Try(func(ctx context.Context) (err error) {
		code, err = p.env.Client.PairingCode(ctx)
		return err
	}, func() {
		if code.Code != "" {
			p.showCode(code)
		}
	})
}

// showCode shows a pairing code, as a picture for the phone's camera and as text. It goes away when a device is paired.
func (p *Page) showCode(c control.Pairing) {
	address := p.webAddress() + "/pair"
	here := config.OnlyHere(address)
	say := words.L("Open %[1]s and type %[2]s. The code lets one device in, until %[3]s. A phone cannot open this address: behind Tailscale or a proxy, type the address from outside.",
		address, c.Code, c.Until.Local().Format("15:04"))
	if !here {
		say = words.L("Point the phone's camera at this picture, or open %[1]s and type %[2]s. The code lets one device in, until %[3]s.",
			address, c.Code, c.Until.Local().Format("15:04"))
	}
	lines := []fyne.CanvasObject{widgets.Wrapped(say)}
	if q, err := qr.Encode(address+"#"+c.Code, qr.M); err == nil && !here {
		img := canvas.NewImageFromReader(bytes.NewReader(q.PNG()), "pair.png")
		img.FillMode, img.ScaleMode = canvas.ImageFillContain, canvas.ImageScalePixels
		img.SetMinSize(fyne.NewSize(210, 210))
		lines = append(lines, container.NewCenter(img))
	}
	code := widget.NewLabel(c.Code)
	code.Selectable, code.Alignment, code.SizeName = true, fyne.TextAlignCenter, theme.SizeNameHeadingText
	code.TextStyle = fyne.TextStyle{Monospace: true}
	lines = append(lines, code)
	if strings.HasPrefix(address, "https:") && p.base.Web.URL == "" {
		lines = append(lines, widgets.Wrapped(
			words.L("The browser warns once that it does not know the certificate, because this machine made it itself.")))
	}
	var d *dialog.CustomDialog
	away := func() {
		p.paired = nil
		d.Hide()
	}
	d = dialog.NewCustomWithoutButtons(words.L("Pair a phone"), container.NewVBox(lines...), p.env.Window)
	d.SetButtons([]fyne.CanvasObject{widgets.NewAnswer(words.L("Close"), away, away)})
	d.Resize(fyne.NewSize(min(p.env.Window.Canvas().Size().Width-60, 520), 0))
	p.paired = away
	d.Show()
}

// drawPhone follows the recorder.
func (p *Page) drawPhone(w status.Web) {
	p.webState.SetText(p.webStateOf(w))
	widgets.SetEnabled(p.pairing, w.Listen != "")
}

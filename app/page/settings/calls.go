package settings

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// The part Calls of the tab Alarm mail: the port for calls, and who may call. Callers are no settings: they are added
// and removed at once.

func (p *Page) callsForm() fyne.CanvasObject {
	p.callState = widgets.Wrapped("")
	p.callers = container.NewVBox()
	_, listen := p.line("calls.listen", words.L("Port for calls"),
		words.L(
			"home automation, door bells and cameras open a web address here to save a clip, such as 8025; empty: nobody can"),
		words.L("none"), func(s *config.Settings) string { return portsText(s.Calls.Listen) },
		func(s *config.Settings, v string) error {
			s.Calls.Listen = portsValue(v)
			return nil
		})
	_, allow := p.line("calls.allow", words.L("Who may call"),
		words.L("networks with commas, such as 192.168.1.0/24; private: every local network"), "private",
		func(s *config.Settings) string { return strings.Join(s.Calls.Allow, ", ") },
		func(s *config.Settings, v string) error {
			s.Calls.Allow = listOf(v)
			return nil
		})
	add := widget.NewButtonWithIcon(words.L("Let somebody call"), theme.ContentAddIcon(), p.askCaller)
	return container.NewVBox(widgets.Heading(words.L("Calls")), listen, widgets.Field("", "", p.callState), allow,
		widgets.Field(words.L("Callers"), "", p.callers), widgets.Field("", "", container.NewHBox(add)))
}

// callStateOf says on which port calls come in, or why they do not.
func callStateOf(c status.Calls) string {
	switch {
	case !c.Error.IsZero():
		return page.Sentence(page.Capital(words.Say(c.Error)))
	case c.Listen == "":
		return words.L("No call comes in.")
	}
	return words.L("Listening on %s.", page.PortOf(c.Listen))
}

// loadCallers asks who may call.
func (p *Page) loadCallers() {
	p.env.Work.Go(func() {
		list, err := p.env.Client.Callers(p.env.Ctx)
		p.env.Do(func() {
			if err == nil { // otherwise the page says that no recorder answers
				p.showCallers(list)
			}
		})
	})
}

func (p *Page) showCallers(list []status.Caller) {
	p.callers.RemoveAll()
	if len(list) == 0 {
		p.callers.Add(widgets.Wrapped(words.L("Nobody may call.")))
	}
	for _, c := range list {
		what := words.L("every camera")
		switch {
		case c.Metrics:
			what = words.L("the measures only")
		case c.Camera != "":
			what = p.env.CameraName(c.Camera)
		}
		when := words.L("no call since the start")
		if !c.Used.IsZero() {
			when = words.L("last call %s", words.Day(c.Used, p.env.Now())+" "+c.Used.Local().Format("15:04:05"))
		}
		p.callers.Add(p.row(c.Name, what+"  ·  "+when, words.L("Its calls are refused from then on."), func() {
			p.env.Try(func(ctx context.Context) error { return p.env.Client.RemoveCaller(ctx, c.ID) }, p.loadCallers)
		}))
	}
	p.callers.Refresh()
}

// row shows somebody who was let in, with a button that removes him. then says what removing means.
func (p *Page) row(name, detail, then string, remove func()) fyne.CanvasObject {
	who := widget.NewLabel(name)
	who.Truncation = fyne.TextTruncateEllipsis
	more := widget.NewLabel(detail)
	more.Truncation, more.SizeName, more.Importance = fyne.TextTruncateEllipsis, theme.SizeNameCaptionText,
		widget.LowImportance
	button := widgets.NewIcon(theme.DeleteIcon(), words.L("Remove"), func() {
		p.env.Confirm(words.L("Remove %s?", name), then, words.L("Remove"), remove)
	})
	return container.NewBorder(nil, nil, nil, container.NewCenter(button),
		container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), who, more))
}

// askCaller asks for the name and the camera of a new caller.
func (p *Page) askCaller() {
	name := widgets.NewEntry(p.env.Window, nil)
	name.SetPlaceHolder("Home Assistant")
	names, ids := []string{words.L("All cameras")}, []string{""}
	for _, c := range page.CamerasOf(p.env.Status) {
		names, ids = append(names, c.Name), append(ids, c.ID)
	}
	camera := widget.NewSelect(page.Distinct(names, ids), nil)
	camera.SetSelectedIndex(0)

	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	add := widgets.NewAnswer(words.L("Add"), func() {
		d.Hide()
		var n control.NewCaller
		p.env.Try(func(ctx context.Context) (err error) {
			n, err = p.env.Client.AddCaller(ctx,
				status.Caller{Name: strings.TrimSpace(name.Text), Camera: ids[camera.SelectedIndex()]})
			return err
		}, func() {
			if n.Token != "" {
				p.showToken(n)
			}
			p.loadCallers()
		})
	}, away)
	add.Importance = widget.HighImportance
	add.Disable()
	name.OnChanged = func(s string) { widgets.SetEnabled(add, strings.TrimSpace(s) != "") }
	name.OnSubmitted = func(string) {
		if !add.Disabled() {
			add.OnTapped()
		}
	}
	d = dialog.NewCustomWithoutButtons(words.L("Let somebody call"), container.NewVBox(
		widgets.Field(words.L("Name"), words.L("who calls, such as the name of a program or a device"), name),
		widgets.Field(words.L("Camera"), words.L("whose clips it may save"), camera)), p.env.Window)
	d.SetButtons([]fyne.CanvasObject{widgets.NewAnswer(words.L("Cancel"), away, away), add})
	d.Resize(fyne.NewSize(min(p.env.Window.Canvas().Size().Width-60, 640), 0))
	d.Show()
	p.env.Window.Canvas().Focus(name)
}

// showToken shows the address that a new caller opens. The recorder keeps no token, so this is the only time.
func (p *Page) showToken(n control.NewCaller) {
	address := p.callAddress(n)
	text := widget.NewLabel(address)
	text.Selectable, text.Wrapping, text.TextStyle = true, fyne.TextWrapBreak, fyne.TextStyle{Monospace: true}
	lines := []fyne.CanvasObject{
		widgets.Wrapped(
			words.L(
				"Let %s open this address, by GET or POST. It is shown this once, because the token in it is not kept.",
				n.Name)), text}
	if n.Camera == "" {
		lines = append(lines, widgets.Wrapped(words.L("In the place of CAMERA stands the id of a camera, such as %s.",
			p.anyCamera())))
	}
	if p.env.Status == nil || p.env.Status.Calls.Listen == "" {
		lines = append(lines, widgets.Wrapped(words.L("No call comes in yet: type a port for calls, and save.")))
	}

	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	copied := widget.NewButtonWithIcon(words.L("Copy"), theme.ContentCopyIcon(), func() {
		p.env.App.Clipboard().SetContent(address)
	})
	d = dialog.NewCustomWithoutButtons(words.L("The address of %s", n.Name), container.NewVBox(lines...), p.env.Window)
	d.SetButtons([]fyne.CanvasObject{copied, widgets.NewAnswer(words.L("Close"), away, away)})
	d.Resize(fyne.NewSize(min(p.env.Window.Canvas().Size().Width-60, 640), 0))
	d.Show()
}

// callAddress returns the address that a caller opens.
func (p *Page) callAddress(n control.NewCaller) string {
	listen := p.edit.Calls.Listen
	if s := p.env.Status; s != nil && s.Calls.Listen != "" {
		listen = s.Calls.Listen
	}
	host, port, _ := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "HOST"
		if hosts := p.env.Hosts(); len(hosts) > 0 {
			host = hosts[0]
		}
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, cmp.Or(port, "PORT")),
		Path:     "/api/trigger/" + cmp.Or(n.Camera, "CAMERA"),
		RawQuery: url.Values{"token": {n.Token}}.Encode()}
	return u.String()
}

// anyCamera returns the id of a camera, as an example.
func (p *Page) anyCamera() string {
	for _, c := range page.CamerasOf(p.env.Status) {
		return c.ID
	}
	return "front"
}

// listOf splits a list at its commas.
func listOf(text string) (list []string) {
	for a := range strings.SplitSeq(text, ",") {
		if a = strings.TrimSpace(a); a != "" {
			list = append(list, a)
		}
	}
	return list
}

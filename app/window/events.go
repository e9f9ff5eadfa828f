package window

import (
	"context"
	"image"
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// pageSize is how many older events are fetched at a time.
const pageSize = 100

// eventsPage is the list of events, newest first.
type eventsPage struct {
	w       *window
	content fyne.CanvasObject

	list     *widget.List
	headline *widget.Label
	save     *widget.Button
	alarm    *widget.Button
	trouble  *widget.Label
	banner   fyne.CanvasObject
	welcome  *fyne.Container
	nothing  *fyne.Container
	thumbs   *thumbs

	items   []event.Event
	whole   bool // no older events are left to fetch
	loading bool
	wanted  string // event to select when it is there
}

func newEventsPage(w *window) *eventsPage {
	p := &eventsPage{w: w}
	p.thumbs = &thumbs{w: w, cache: map[string]image.Image{}, loaded: p.pictured}
	p.headline = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	p.headline.Truncation = fyne.TextTruncateEllipsis
	p.save = widget.NewButtonWithIcon("Save a clip now", theme.MediaRecordIcon(), func() {
		p.choose(p.save, func(id string) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := w.client.Trigger(ctx, id, "manual")
				return err
			}
		})
	})
	p.save.Importance = widget.HighImportance
	p.alarm = widget.NewButtonWithIcon("Send a test alarm", theme.MailSendIcon(), func() {
		p.choose(p.alarm, func(id string) func(context.Context) error {
			return func(ctx context.Context) error { return w.client.Mail(ctx, id) }
		})
	})
	p.trouble = widget.NewLabel("")
	p.trouble.Wrapping = fyne.TextWrapWord
	p.banner = container.NewVBox(container.NewBorder(nil, nil, widget.NewIcon(theme.NewWarningThemedResource(theme.WarningIcon())), nil, p.trouble), widget.NewSeparator())
	p.list = widget.NewList(func() int { return len(p.items) }, func() fyne.CanvasObject { return newEventRow() }, p.updateRow)

	demo := widget.NewButtonWithIcon("Try the demo camera", theme.MediaPlayIcon(), func() { p.tryDemo() })
	demo.Importance = widget.HighImportance
	p.welcome = centred("Welcome to Preroll",
		"Preroll keeps the last seconds of your cameras in memory. When a camera reports an alarm by mail, it saves a clip that begins before the alarm.",
		widget.NewButtonWithIcon("Set up a camera", theme.ContentAddIcon(), func() {
			w.tabs.SelectIndex(1)
			w.settings.addCamera()
		}), demo)
	p.nothing = centred("No events yet",
		"As soon as a camera sends an alarm mail, its clip appears here. You need not wait for one: save a clip now, or send a test alarm, which goes the whole way that a camera's mail goes.")

	top := container.NewVBox(container.NewBorder(nil, nil, nil, container.NewHBox(p.alarm, p.save), p.headline), p.banner)
	p.content = container.NewBorder(container.NewPadded(top), nil, nil, nil, container.NewStack(p.list, p.nothing, p.welcome))
	p.draw()
	return p
}

// centred is a text in the middle of an empty page, with buttons below it.
func centred(title, text string, buttons ...fyne.CanvasObject) *fyne.Container {
	t := widget.NewLabel(text)
	t.Wrapping, t.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	style := widget.RichTextStyleHeading
	style.Alignment = fyne.TextAlignCenter
	heading := widget.NewRichText(&widget.TextSegment{Text: title, Style: style})
	row := container.NewHBox(append(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...), layout.NewSpacer())...)
	box := container.New(narrow{520}, container.NewVBox(heading, t, row))
	return container.NewVBox(layout.NewSpacer(), box, layout.NewSpacer())
}

// narrow keeps its content in the middle and no wider than a number of units.
type narrow struct{ width float32 }

func (n narrow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(size.Width, n.width)
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

func (n narrow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, n.width), s.Height)
}

// update takes what the recorder says.
func (p *eventsPage) update(u control.Update, first bool) {
	if first {
		p.items, p.whole = nil, len(u.Events) < pageSize/2
		slices.SortFunc(u.Events, newestFirst)
		p.items = u.Events
	} else {
		p.items = merge(p.items, u.Events, u.Removed, p.whole)
	}
	p.draw()
}

func (p *eventsPage) draw() {
	s := p.w.status
	p.headline.SetText(headline(s))
	text := troubles(s)
	changed := text != p.trouble.Text
	if changed {
		p.trouble.SetText(text)
	}
	shown(p.banner, text != "")
	active := len(cameras(s)) > 0
	shown(p.save, active)
	shown(p.alarm, active && s.SMTP.Listen != "")
	shown(p.welcome, s != nil && len(s.Cameras) == 0 && len(p.items) == 0)
	shown(p.nothing, s != nil && len(s.Cameras) > 0 && len(p.items) == 0)
	p.content.Refresh() // what was shown or hidden moves the rest
	if changed {
		p.content.Refresh() // a wrapped text knows its height once it has a width
	}
	if p.wanted != "" {
		p.find(p.wanted)
	}
}

func shown(o fyne.CanvasObject, yes bool) {
	if yes == o.Visible() {
		return
	}
	if yes {
		o.Show()
	} else {
		o.Hide()
	}
}

// cameras are those that a clip can be saved of.
func cameras(s *status.Status) []status.Camera {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Cameras), func(c status.Camera) bool { return c.State == status.Off })
}

// choose does something with a camera: with the only one at once, with one of several after the user chose.
func (p *eventsPage) choose(from *widget.Button, do func(id string) func(context.Context) error) {
	list := cameras(p.w.status)
	run := func(id string) {
		from.Disable()
		p.w.try(do(id), from.Enable)
	}
	if len(list) == 1 {
		run(list[0].ID)
		return
	}
	var items []*fyne.MenuItem
	for _, c := range list {
		items = append(items, fyne.NewMenuItem(c.Name, func() { run(c.ID) }))
	}
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(from).AddXY(0, from.Size().Height)
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), p.w.win.Canvas(), at)
}

// tryDemo sets up the demo camera.
func (p *eventsPage) tryDemo() {
	p.w.try(func(ctx context.Context) error {
		s, err := p.w.client.Settings(ctx)
		if err != nil {
			return err
		}
		s.Cameras = append(s.Cameras, config.DemoCamera())
		return p.w.client.Apply(ctx, s)
	}, nil)
}

// find selects an event, now or when it comes.
func (p *eventsPage) find(id string) {
	p.wanted = id
	if i := slices.IndexFunc(p.items, func(e event.Event) bool { return e.ID == id }); i >= 0 {
		p.wanted = ""
		p.list.ScrollTo(i)
		p.list.Select(i)
	}
}

// pictured refreshes the rows of a thumbnail that has been loaded.
func (p *eventsPage) pictured(path string) {
	for i, e := range p.items {
		if e.Thumbnail != "" && p.path(e, e.Thumbnail) == path {
			p.list.RefreshItem(i)
		}
	}
}

func (p *eventsPage) path(e event.Event, file string) string {
	if p.w.status == nil {
		return ""
	}
	return e.Path(p.w.status.Archive.Path, file)
}

// more fetches the next older events.
func (p *eventsPage) more() {
	if p.whole || p.loading || len(p.items) == 0 {
		return
	}
	p.loading = true
	last := p.items[len(p.items)-1]
	var list []event.Event
	p.w.try(func(ctx context.Context) (err error) {
		list, err = p.w.client.Events(ctx, event.Query{Before: last.Time, BeforeID: last.ID, Limit: pageSize})
		return err
	}, func() {
		p.loading = false
		p.whole = len(list) < pageSize
		p.items = merge(p.items, list, nil, true)
		p.list.Refresh()
	})
}

func (p *eventsPage) updateRow(i widget.ListItemID, o fyne.CanvasObject) {
	if i >= len(p.items) {
		return
	}
	if i == len(p.items)-1 {
		p.more()
	}
	e := p.items[i]
	r := o.(*eventRow)
	m := rowOf(e, time.Now())
	r.title.SetText(m.title)
	r.detail.SetText(m.detail)
	r.state.Importance = m.importance
	r.state.SetText(m.state)
	r.thumb.Image = nil
	if e.Thumbnail != "" && p.w.status != nil {
		r.thumb.Image = p.thumbs.get(p.path(e, e.Thumbnail))
	}
	r.thumb.Refresh()
	clip := ""
	if m.playable {
		clip = p.path(e, e.Clips[0].File)
		r.play.Enable()
		r.folder.Enable()
	} else {
		r.play.Disable()
		r.folder.Disable()
	}
	r.play.OnTapped = func() { p.w.try(func(context.Context) error { return opener.Open(clip) }, nil) }
	r.folder.OnTapped = func() { p.w.try(func(context.Context) error { return opener.Reveal(clip) }, nil) }
}

// eventRow is one recycled row of the list.
type eventRow struct {
	widget.BaseWidget
	thumb                *canvas.Image
	title, detail, state *widget.Label
	play, folder         *widget.Button
	box                  *fyne.Container
}

func newEventRow() *eventRow {
	r := &eventRow{thumb: canvas.NewImageFromImage(nil)}
	r.thumb.FillMode = canvas.ImageFillContain
	r.thumb.SetMinSize(fyne.NewSize(128, 72))
	ground := canvas.NewRectangle(color.NRGBA{0x80, 0x80, 0x80, 0x30})
	ground.CornerRadius = 4
	r.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	r.detail, r.state = widget.NewLabel(""), widget.NewLabel("")
	for _, l := range []*widget.Label{r.title, r.detail, r.state} {
		l.Truncation = fyne.TextTruncateEllipsis
	}
	r.play = widget.NewButtonWithIcon("Open clip", theme.MediaPlayIcon(), nil)
	r.folder = widget.NewButtonWithIcon("", theme.FolderOpenIcon(), nil)
	text := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()*2), r.title, r.detail, r.state)
	buttons := container.NewVBox(layout.NewSpacer(), container.NewHBox(r.play, r.folder), layout.NewSpacer())
	r.box = container.NewBorder(nil, nil, container.NewPadded(container.NewStack(ground, r.thumb)), buttons, text)
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer shows the row's box.
func (r *eventRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.box) }

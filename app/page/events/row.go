package events

import (
	"image"
	"image/color"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
)

// row is everything that the list shows of an event.
type row struct {
	title, detail, state string
	importance           widget.Importance
	protected            bool
}

// rowOf returns the content of a row. The day is in the heading above it.
func rowOf(env *page.Env, e event.Event) row {
	r := row{title: e.Time.Local().Format("15:04:05") + "   " + e.Title(), protected: e.Protected}
	parts := []string{page.LabelOf(e)}
	if e.TriggerCount > 1 {
		parts = append(parts, words.L("%d alarms", e.TriggerCount))
	}
	if len(e.Clips) > 0 {
		parts = append(parts, words.Length(e.Length()), words.Size(e.Bytes()))
	}
	if len(e.Clips) > 1 {
		parts = append(parts, words.L("%d files", len(e.Clips)))
	}
	r.detail = strings.Join(parts, "  ·  ")
	r.state, r.importance = env.StateOf(e)
	return r
}

// --- Widgets ---

func (p *Page) updateRow(i int, header bool, o fyne.CanvasObject) {
	if i >= p.book.rows {
		return
	}
	if header {
		d, _ := p.book.at(i)
		o.(*dayRow).set(d, p.env.Now())
		return
	}
	r := o.(*eventRow)
	e, key, ok := p.book.event(i)
	if !ok {
		r.blank()
		p.get(key)
		return
	}
	m := rowOf(p.env, e)
	r.title.Set(m.title, theme.ColorNameForeground)
	r.detail.Set(m.detail, theme.ColorNameForeground)
	r.state.Set(m.state, widgets.ColourOf(m.importance))
	r.dot.FillColor = color.Transparent
	if p.seen != nil && !p.seen.Has(e) {
		r.dot.FillColor = theme.Color(theme.ColorNamePrimary)
	}
	r.dot.Refresh()
	if r.lock.Visible() != m.protected {
		widgets.SetVisible(r.lock, m.protected)
		r.box.Refresh()
	}
	var picture image.Image
	if e.Thumbnail != "" {
		picture = p.thumbs.get(p.env.Path(e, e.Thumbnail))
	}
	r.thumb.set(picture)
	_, on := p.picked[e.ID]
	if shown := !r.tile || len(p.picked) > 0 || p.hovered == i; shown != r.check.Visible() {
		widgets.SetVisible(r.check, shown)
		r.box.Refresh()
	}
	r.filling = true
	if r.check.Checked != on {
		r.check.SetChecked(on)
	}
	r.filling = false
	widgets.SetEnabled(r.check, true)
	r.check.OnChanged = func(on bool) {
		if !r.filling {
			p.pick(e, on)
			p.last = i
			p.env.Window.Canvas().Focus(p.rows) // or the box would keep the keys
		}
	}
}

// dayRow is the heading of a day.
type dayRow struct {
	widget.BaseWidget
	day, count *widget.Label
	line       *fyne.Container
}

func newDayRow() *dayRow {
	r := &dayRow{day: widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
		count: widget.NewLabel("")}
	r.count.Importance = widget.LowImportance
	r.line = container.NewHBox(r.day, r.count)
	r.ExtendBaseWidget(r)
	return r
}

func (r *dayRow) set(d event.Day, now time.Time) {
	t, err := time.ParseInLocation("2006-01-02", d.Day, time.Local)
	if err != nil {
		t = now
	}
	r.day.SetText(words.Day(t, now))
	r.count.SetText(words.N(d.Events, "1 event", "%d events"))
	r.line.Refresh()
}

// CreateRenderer shows the day and the number of its events.
func (r *dayRow) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewVBox(layout.NewSpacer(), r.line))
}

// eventRow is a reusable row of the list, or a tile with a large picture.
type eventRow struct {
	widget.BaseWidget
	tile                 bool
	check                *widget.Check
	thumb                *thumb
	title, detail, state *widgets.Line
	lock                 *widget.Icon
	dot                  *canvas.Circle // the event was not seen yet
	box                  *fyne.Container
	filling              bool
}

func newEventRow(tile bool) *eventRow {
	r := &eventRow{tile: tile, thumb: newThumb(), check: widget.NewCheck("", nil),
		lock: widget.NewIcon(widgets.LockIcon), dot: canvas.NewCircle(color.Transparent)}
	r.title, r.detail, r.state = widgets.NewLine(fyne.TextStyle{Bold: true}), widgets.NewLine(fyne.TextStyle{}),
		widgets.NewLine(fyne.TextStyle{})
	r.title.Name = true
	marks := container.NewHBox(container.NewCenter(r.lock), container.NewCenter(widgets.Fixed(9, 9, r.dot)))
	if tile {
		text := container.New(layout.NewCustomPaddedVBoxLayout(0), layout.NewSpacer(), r.title, r.detail, r.state,
			layout.NewSpacer())
		r.state.Small = true
		r.box = container.New(widgets.Below{Height: tileBelow - 10}, r.thumb,
			container.NewBorder(nil, nil, nil, container.NewHBox(marks, r.check), text))
	} else {
		text := container.New(layout.NewCustomPaddedVBoxLayout(2), layout.NewSpacer(), r.title, r.detail, r.state,
			layout.NewSpacer())
		r.box = container.NewBorder(nil, nil,
			container.NewHBox(r.check, container.NewCenter(widgets.Fixed(112, 63, r.thumb))), marks,
			container.New(layout.NewCustomPaddedLayout(0, 0, theme.Padding()*2, theme.Padding()), text))
	}
	r.ExtendBaseWidget(r)
	return r
}

// blank shows that the event is not loaded yet.
func (r *eventRow) blank() {
	r.title.Set("…", theme.ColorNameForeground)
	r.detail.Set("", theme.ColorNameForeground)
	r.state.Set("", theme.ColorNameForeground)
	widgets.SetVisible(r.lock, false)
	r.dot.FillColor = color.Transparent
	r.dot.Refresh()
	r.thumb.set(nil)
	r.check.OnChanged = nil
	if r.check.Checked {
		r.check.SetChecked(false)
	}
	widgets.SetEnabled(r.check, false)
}

// CreateRenderer shows the box of the row.
func (r *eventRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.box) }

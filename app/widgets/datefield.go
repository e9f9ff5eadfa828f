package widgets

import (
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// DateField is a button that shows a day, or a range of days, and opens a calendar to choose others.
type DateField struct {
	widget.Button
	Date      *time.Time                 // the chosen day at midnight, local time; nil for none
	Until     *time.Time                 // the last day of a range, also at midnight; nil for a single day
	Ranges    bool                       // a range can be chosen: by dragging, with Shift, or the last 7 or 30 days
	OnChanged func(*time.Time)           // may be nil
	Counts    func(func(map[string]int)) // asks for the counts to show under the days, by "2006-01-02"; may be nil
	Now       func() time.Time           // the time now
	Words     DateWords
	open      *calendar
}

// DateWords are the texts of a DateField in the user's language.
type DateWords struct {
	Day      func(time.Time) string // a day, such as "20 Nov 2026"
	Month    func(time.Time) string // a month and its year
	Weekdays []string               // from Monday
	None     string                 // no day is chosen; "": one is always chosen
	Today    string
	Range    func(from, to time.Time) string
	Last     func(days int) string // the last days, this one included
}

// NewDateField returns a field without a day.
func NewDateField(w DateWords) *DateField {
	d := &DateField{Words: w, Now: time.Now}
	d.Icon, d.Alignment = theme.CalendarIcon(), widget.ButtonAlignLeading
	d.Text = w.None
	d.OnTapped = d.show
	d.ExtendBaseWidget(d)
	return d
}

// SetDate chooses a day, or none.
func (d *DateField) SetDate(t *time.Time) { d.set(t, nil) }

// SetRange chooses all days between two.
func (d *DateField) SetRange(a, b time.Time) {
	if b.Before(a) {
		a, b = b, a
	}
	if midnight(a).Equal(midnight(b)) {
		d.set(&a, nil)
		return
	}
	d.set(&a, &b)
}

func (d *DateField) set(from, to *time.Time) {
	d.Date, d.Until = nil, nil
	text := d.Words.None
	if from != nil {
		at := midnight(*from)
		d.Date, text = &at, d.Words.Day(at)
	}
	if to != nil {
		end := midnight(*to)
		d.Until, text = &end, d.Words.Range(*d.Date, end)
	}
	d.SetText(text)
	if d.OnChanged != nil {
		d.OnChanged(d.Date)
	}
}

func midnight(t time.Time) time.Time {
	y, m, day := t.Local().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, time.Local)
}

// show opens the calendar below the button, or above if there is no room.
func (d *DateField) show() {
	c := fyne.CurrentApp().Driver().CanvasForObject(d)
	if c == nil {
		return
	}
	at := d.Now()
	if d.Date != nil {
		at = *d.Date
	}
	k := &calendar{d: d, month: at}
	d.open = k
	k.title = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	step := func(icon fyne.Resource, months int) fyne.CanvasObject {
		b := widget.NewButtonWithIcon("", icon, func() { k.turn(months) })
		b.Importance = widget.LowImportance
		return b
	}
	k.days = container.New(layout.NewGridLayoutWithColumns(7))
	foot := container.NewHBox(layout.NewSpacer())
	if d.Ranges {
		for _, n := range []int{7, 30} {
			foot.Add(widget.NewButton(d.Words.Last(n), func() {
				k.popup.Hide()
				d.SetRange(d.Now().AddDate(0, 0, 1-n), d.Now())
			}))
		}
	}
	foot.Add(widget.NewButton(d.Words.Today, func() {
		k.anchor = time.Time{}
		k.choose(d.Now())
	}))
	if d.Words.None != "" {
		foot.Add(widget.NewButton(d.Words.None, func() {
			k.popup.Hide()
			d.SetDate(nil)
		}))
	}
	k.popup = widget.NewPopUp(container.NewPadded(container.NewBorder(
		container.NewBorder(nil, nil, step(theme.NavigateBackIcon(), -1), step(theme.NavigateNextIcon(), 1), k.title),
		foot, nil, nil, k.days)), c)
	k.fill()
	ShowNear(k.popup, d, c)
	c.Focus(k.cell)
	if d.Counts != nil {
		d.Counts(func(counts map[string]int) {
			k.counts = counts
			k.fill()
		})
	}
}

// ShowNear shows a pop-up at an object: below, or above if there is more room, and always within the canvas.
func ShowNear(p interface {
	MinSize() fyne.Size
	ShowAtPosition(fyne.Position)
}, o fyne.CanvasObject, c fyne.Canvas) {
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(o)
	size, whole := p.MinSize(), c.Size()
	y := at.Y + o.Size().Height
	if y+size.Height > whole.Height {
		y = max(0, min(at.Y-size.Height, whole.Height-size.Height))
	}
	p.ShowAtPosition(fyne.NewPos(max(0, min(at.X, whole.Width-size.Width)), y))
}

// calendar is the open calendar of a DateField.
type calendar struct {
	d      *DateField
	month  time.Time // any moment of the month that is shown; the cursor
	anchor time.Time // where a range begins that is being chosen; zero for none
	end    time.Time // where it ends
	counts map[string]int
	title  *widget.Label
	days   *fyne.Container
	cell   *dayCell // of the cursor
	popup  *widget.PopUp
}

// turn shows another month.
func (k *calendar) turn(months int) {
	y, m, day := k.month.Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 12, 0, 0, 0, time.Local)
	k.month = time.Date(last.Year(), last.Month(), min(day, last.Day()), 12, 0, 0, 0, time.Local)
	k.refocus()
}

// move moves the cursor. With Shift it makes a range longer or shorter.
func (k *calendar) move(days int) {
	from := k.month
	k.month = k.month.AddDate(0, 0, days)
	switch {
	case !k.d.Ranges || modifiers()&fyne.KeyModifierShift == 0:
		k.anchor = time.Time{}
	case k.anchor.IsZero():
		k.anchor = from
	}
	k.end = k.month
	k.refocus()
}

func (k *calendar) refocus() {
	k.fill()
	k.popup.Canvas.Focus(k.cell)
}

// choose takes a day, or the range that ends there. Nothing has happened yet on a later day than today.
func (k *calendar) choose(t time.Time) {
	if k.later(t) {
		return
	}
	k.popup.Hide()
	if k.anchor.IsZero() {
		k.d.SetDate(&t)
		return
	}
	k.d.SetRange(k.anchor, t)
}

func (k *calendar) later(t time.Time) bool { return midnight(t).After(midnight(k.d.Now())) }

// chosen reports whether a day is in what is chosen, or is being chosen.
func (k *calendar) chosen(t time.Time) bool {
	at := midnight(t)
	from, to := k.anchor, k.end
	switch {
	case !from.IsZero():
	case k.d.Date == nil:
		return false
	default:
		from, to = *k.d.Date, *k.d.Date
		if k.d.Until != nil {
			to = *k.d.Until
		}
	}
	if to.Before(from) {
		from, to = to, from
	}
	return !at.Before(midnight(from)) && !at.After(midnight(to))
}

// fill shows the month: always six weeks, so that the size stays.
func (k *calendar) fill() {
	k.title.SetText(k.d.Words.Month(k.month))
	y, m, cursor := k.month.Date()
	first := time.Date(y, m, 1, 12, 0, 0, 0, time.Local)
	k.days.Objects = nil
	for _, name := range k.d.Words.Weekdays {
		l := widget.NewLabelWithStyle(name, fyne.TextAlignCenter, fyne.TextStyle{})
		l.Importance = widget.LowImportance
		k.days.Add(l)
	}
	at := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	for range 42 {
		if at.Month() != m {
			k.days.Add(layout.NewSpacer())
		} else {
			c := newDayCell(k, at)
			if at.Day() == cursor {
				k.cell = c
			}
			k.days.Add(c)
		}
		at = at.AddDate(0, 0, 1)
	}
	k.days.Refresh()
}

// dayCell is a day of a calendar.
type dayCell struct {
	widget.BaseWidget
	k             *calendar
	day           time.Time
	ground        *canvas.Rectangle
	focused, over bool
}

func newDayCell(k *calendar, day time.Time) *dayCell {
	c := &dayCell{k: k, day: day, ground: canvas.NewRectangle(theme.Color(theme.ColorNameOverlayBackground))}
	c.ground.CornerRadius = theme.SelectionRadiusSize()
	c.ExtendBaseWidget(c)
	return c
}

func (c *dayCell) mark() {
	name := theme.ColorNameOverlayBackground
	switch {
	case c.focused:
		name = theme.ColorNameFocus
	case c.over:
		name = theme.ColorNameHover
	case c.k.chosen(c.day):
		name = theme.ColorNameSelection
	}
	c.ground.FillColor = theme.Color(name)
	c.ground.Refresh()
}

// Tapped chooses the day, or with Shift the range from the chosen day to this one.
func (c *dayCell) Tapped(*fyne.PointEvent) {
	if c.k.d.Ranges && c.k.d.Date != nil && modifiers()&fyne.KeyModifierShift != 0 {
		c.k.anchor = *c.k.d.Date
	}
	c.k.choose(c.day)
}

// Dragged chooses a range from this day on.
func (c *dayCell) Dragged(e *fyne.DragEvent) {
	for _, o := range c.k.days.Objects {
		cell, ok := o.(*dayCell)
		at := c.Position().Add(e.Position)
		if !ok || at.X < cell.Position().X || at.X > cell.Position().X+cell.Size().Width ||
			at.Y < cell.Position().Y || at.Y > cell.Position().Y+cell.Size().Height {
			continue
		}
		c.k.anchor, c.k.end = c.day, cell.day
		if !c.k.d.Ranges { // a click with an unsteady hand
			c.k.anchor = cell.day
		}
	}
	for _, o := range c.k.days.Objects {
		if cell, ok := o.(*dayCell); ok {
			cell.mark()
		}
	}
}

// DragEnd takes the range.
func (c *dayCell) DragEnd() {
	if !c.k.anchor.IsZero() {
		end := c.k.end
		if c.k.later(end) {
			end = c.k.d.Now()
		}
		c.k.choose(end)
	}
}

// MouseIn marks the day.
func (c *dayCell) MouseIn(*desktop.MouseEvent) { c.over = true; c.mark() }

// MouseMoved does nothing.
func (c *dayCell) MouseMoved(*desktop.MouseEvent) {}

// MouseOut marks the day no more.
func (c *dayCell) MouseOut() { c.over = false; c.mark() }

// FocusGained marks the day that keys act on.
func (c *dayCell) FocusGained() { c.focused = true; c.mark() }

// FocusLost marks the day no more.
func (c *dayCell) FocusLost() { c.focused = false; c.mark() }

// TypedRune does nothing.
func (c *dayCell) TypedRune(rune) {}

// TypedKey moves to another day, chooses the day, or closes the calendar.
func (c *dayCell) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyLeft:
		c.k.move(-1)
	case fyne.KeyRight:
		c.k.move(1)
	case fyne.KeyUp:
		c.k.move(-7)
	case fyne.KeyDown:
		c.k.move(7)
	case fyne.KeyPageUp:
		c.k.turn(-1)
	case fyne.KeyPageDown:
		c.k.turn(1)
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		c.k.choose(c.day)
	case fyne.KeyEscape:
		c.k.popup.Hide()
	}
}

// CreateRenderer shows the number of the day, and below it the count.
func (c *dayCell) CreateRenderer() fyne.WidgetRenderer {
	today := midnight(c.day).Equal(midnight(c.k.d.Now()))
	if today {
		c.ground.StrokeColor, c.ground.StrokeWidth = theme.Color(theme.ColorNamePrimary), 1
	}
	day := canvas.NewText(strconv.Itoa(c.day.Day()), theme.Color(theme.ColorNameForeground))
	day.Alignment, day.TextStyle, day.TextSize = fyne.TextAlignCenter, fyne.TextStyle{Bold: today}, theme.TextSize()
	count := canvas.NewText("", theme.Color(theme.ColorNamePrimary))
	count.Alignment, count.TextSize = fyne.TextAlignCenter, theme.Size(theme.SizeNameCaptionText)
	if n := c.k.counts[c.day.Format("2006-01-02")]; n > 999 {
		count.Text = "999+"
	} else if n > 0 {
		count.Text = strconv.Itoa(n)
	} else if c.k.counts != nil || c.k.later(c.day) {
		day.Color = theme.Color(theme.ColorNameDisabled)
	}
	c.mark()
	box := container.New(layout.NewCustomPaddedVBoxLayout(0), day, count)
	return widget.NewSimpleRenderer(container.NewStack(c.ground,
		container.New(layout.NewCustomPaddedLayout(2, 2, 7, 7), box)))
}

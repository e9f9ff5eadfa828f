package widgets

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Timeline shows the position of a player in a clip, with a mark for every alarm. The user can move the position.
type Timeline struct {
	widget.BaseWidget
	begin  time.Duration // position at the left end
	length time.Duration // position at the right end
	At     time.Duration
	marks  []time.Duration
	seek   func(time.Duration)
	Typed  func(*fyne.KeyEvent)
	keyed  bool

	track, played, knob *canvas.Rectangle
	loop                *canvas.Rectangle
	from, to            time.Duration // of the loop; negative for none
	ticks               []*canvas.Rectangle
}

// NewTimeline makes an empty time line. seek is called with the position that the user chooses, typed with each key.
func NewTimeline(seek func(time.Duration), typed func(*fyne.KeyEvent)) *Timeline {
	t := &Timeline{seek: seek, Typed: typed, track: canvas.NewRectangle(color.Transparent),
		played: canvas.NewRectangle(color.Transparent),
		loop:   canvas.NewRectangle(color.Transparent), from: -1, to: -1, knob: canvas.NewRectangle(color.Transparent)}
	t.ExtendBaseWidget(t)
	return t
}

// Load shows another clip.
func (t *Timeline) Load(length time.Duration, marks []time.Duration) {
	t.begin, t.length, t.At = 0, length, 0
	t.Mark(marks)
}

// Mark shows other marks.
func (t *Timeline) Mark(marks []time.Duration) {
	t.marks, t.ticks = marks, nil
	for range marks {
		r := canvas.NewRectangle(color.Transparent)
		r.CornerRadius = 1
		t.ticks = append(t.ticks, r)
	}
	t.Refresh()
}

// Set moves the knob.
func (t *Timeline) Set(at time.Duration) {
	t.At = at
	t.place()
}

// Grow sets the ends of a video that goes on, and whose beginning may be gone. Position and marks stay.
func (t *Timeline) Grow(begin, length time.Duration) {
	t.begin, t.length = begin, length
	t.place()
}

// Loop shows the part that is repeated. A negative end means that only its beginning is set; a negative beginning, that
// nothing is repeated.
func (t *Timeline) Loop(from, to time.Duration) {
	t.from, t.to = from, to
	t.place()
}

const (
	lineHeight = 28
	knobWidth  = 8
)

func (t *Timeline) x(at time.Duration) float32 {
	if t.length <= t.begin {
		return 0
	}
	return float32(float64(min(max(t.begin, at), t.length)-t.begin) / float64(t.length-t.begin) *
		float64(t.Size().Width-knobWidth))
}

func (t *Timeline) place() {
	w, mid := t.Size().Width, float32(lineHeight/2)
	t.track.FillColor = theme.Color(theme.ColorNameInputBorder)
	t.played.FillColor = theme.Color(theme.ColorNamePrimary)
	t.knob.FillColor = theme.Color(theme.ColorNameForeground)
	if t.keyed {
		t.knob.FillColor = theme.Color(theme.ColorNamePrimary)
	}
	t.track.Resize(fyne.NewSize(w, 4))
	t.track.Move(fyne.NewPos(0, mid-2))
	t.played.Resize(fyne.NewSize(t.x(t.At)+knobWidth/2, 4))
	t.played.Move(fyne.NewPos(0, mid-2))
	t.knob.Resize(fyne.NewSize(knobWidth, 18))
	t.knob.CornerRadius = 3
	t.knob.Move(fyne.NewPos(t.x(t.At), mid-9))
	t.loop.FillColor = color.Transparent
	if t.from >= 0 {
		t.loop.FillColor = theme.Color(theme.ColorNameSuccess)
		t.loop.Move(fyne.NewPos(t.x(t.from)+knobWidth/2, mid+6))
		t.loop.Resize(fyne.NewSize(max(3, t.x(t.to)-t.x(t.from)), 4))
	}
	for i, r := range t.ticks {
		r.FillColor = theme.Color(theme.ColorNameWarning)
		r.Resize(fyne.NewSize(3, 22))
		r.Move(fyne.NewPos(t.x(t.marks[i])+knobWidth/2-1, mid-11))
	}
	canvas.Refresh(t)
}

func (t *Timeline) want(x float32) {
	if t.length <= t.begin {
		return
	}
	f := float64(x-knobWidth/2) / float64(max(1, t.Size().Width-knobWidth))
	at := t.begin + time.Duration(min(max(0, f), 1)*float64(t.length-t.begin))
	for _, m := range t.marks { // a click on an alarm goes to the alarm itself
		if d := x - knobWidth/2 - t.x(m); d > -snap && d < snap {
			at = m
		}
	}
	t.Set(at)
	t.seek(t.At)
}

// snap is how far beside a mark a click still means the mark.
const snap = 5

// Tapped moves to the position of the click.
func (t *Timeline) Tapped(e *fyne.PointEvent) {
	t.want(e.Position.X)
	if c := fyne.CurrentApp().Driver().CanvasForObject(t); c != nil {
		c.Focus(t)
	}
}

// Dragged moves the position while the user drags.
func (t *Timeline) Dragged(e *fyne.DragEvent) { t.want(e.Position.X) }

// DragEnd does nothing.
func (t *Timeline) DragEnd() {}

// FocusGained shows that the line has the keyboard focus.
func (t *Timeline) FocusGained() { t.keyed = true; t.place() }

// FocusLost removes the mark of FocusGained.
func (t *Timeline) FocusLost() { t.keyed = false; t.place() }

// TypedRune passes a sign on to the window. Letters also come as keys.
func (t *Timeline) TypedRune(sign rune) { PassRune(t, sign) }

// TypedKey passes the key to typed, which plays, steps and jumps.
func (t *Timeline) TypedKey(e *fyne.KeyEvent) {
	HideTip(fyne.CurrentApp().Driver().CanvasForObject(t))
	if e.Name == fyne.KeyF1 {
		PassKey(t, e)
		return
	}
	t.Typed(e)
}

// CreateRenderer shows the line.
func (t *Timeline) CreateRenderer() fyne.WidgetRenderer { return &lineRenderer{t} }

type lineRenderer struct{ t *Timeline }

func (r *lineRenderer) Layout(fyne.Size)   { r.t.place() }
func (r *lineRenderer) MinSize() fyne.Size { return fyne.NewSize(120, lineHeight) }
func (r *lineRenderer) Refresh()           { r.t.place() }
func (r *lineRenderer) Destroy()           {}
func (r *lineRenderer) Objects() []fyne.CanvasObject {
	list := []fyne.CanvasObject{r.t.track, r.t.played, r.t.loop}
	for _, k := range r.t.ticks {
		list = append(list, k)
	}
	return append(list, r.t.knob)
}

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
	length time.Duration
	At     time.Duration
	marks  []time.Duration
	seek   func(time.Duration)
	Typed  func(*fyne.KeyEvent)
	keyed  bool

	track, played, knob *canvas.Rectangle
	ticks               []*canvas.Rectangle
}

// NewTimeline makes an empty time line. seek is called with the position that the user chooses, typed with each key.
func NewTimeline(seek func(time.Duration), typed func(*fyne.KeyEvent)) *Timeline {
	t := &Timeline{seek: seek, Typed: typed, track: canvas.NewRectangle(color.Transparent),
		played: canvas.NewRectangle(color.Transparent), knob: canvas.NewRectangle(color.Transparent)}
	t.ExtendBaseWidget(t)
	return t
}

// Load shows another clip.
func (t *Timeline) Load(length time.Duration, marks []time.Duration) {
	t.length, t.At, t.marks = length, 0, marks
	t.ticks = nil
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

const (
	lineHeight = 28
	knobWidth  = 8
)

func (t *Timeline) x(at time.Duration) float32 {
	if t.length <= 0 {
		return 0
	}
	return float32(float64(min(max(0, at), t.length)) / float64(t.length) * float64(t.Size().Width-knobWidth))
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
	for i, r := range t.ticks {
		r.FillColor = theme.Color(theme.ColorNameWarning)
		r.Resize(fyne.NewSize(3, 22))
		r.Move(fyne.NewPos(t.x(t.marks[i])+knobWidth/2-1, mid-11))
	}
	canvas.Refresh(t)
}

func (t *Timeline) want(x float32) {
	if t.length <= 0 {
		return
	}
	f := float64(x-knobWidth/2) / float64(max(1, t.Size().Width-knobWidth))
	t.Set(time.Duration(min(max(0, f), 1) * float64(t.length)))
	t.seek(t.At)
}

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

// TypedRune does nothing, because letters also come as keys.
func (t *Timeline) TypedRune(rune) {}

// TypedKey passes the key to typed, which plays, steps and jumps.
func (t *Timeline) TypedKey(e *fyne.KeyEvent) { t.Typed(e) }

// CreateRenderer shows the line.
func (t *Timeline) CreateRenderer() fyne.WidgetRenderer { return &lineRenderer{t} }

type lineRenderer struct{ t *Timeline }

func (r *lineRenderer) Layout(fyne.Size)   { r.t.place() }
func (r *lineRenderer) MinSize() fyne.Size { return fyne.NewSize(120, lineHeight) }
func (r *lineRenderer) Refresh()           { r.t.place() }
func (r *lineRenderer) Destroy()           {}
func (r *lineRenderer) Objects() []fyne.CanvasObject {
	list := []fyne.CanvasObject{r.t.track, r.t.played}
	for _, k := range r.t.ticks {
		list = append(list, k)
	}
	return append(list, r.t.knob)
}

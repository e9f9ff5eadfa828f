package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Scroll is a form that scrolls. The wheel scrolls the form wherever the mouse is; in Fyne alone, a text field below
// the mouse takes the wheel and does nothing with it.
type Scroll struct {
	widget.BaseWidget
	inner *container.Scroll
}

// NewScroll returns a form that scrolls up and down.
func NewScroll(content fyne.CanvasObject) *Scroll {
	s := &Scroll{inner: container.NewVScroll(content)}
	s.ExtendBaseWidget(s)
	return s
}

// ScrollToTop shows the beginning of the form.
func (s *Scroll) ScrollToTop() { s.inner.ScrollToTop() }

// Reveal scrolls until an object in the form can be seen, such as the one that has the keyboard focus.
func (s *Scroll) Reveal(o fyne.CanvasObject) {
	d, room := fyne.CurrentApp().Driver(), s.inner.Size().Height
	top := d.AbsolutePositionForObject(o).Y - d.AbsolutePositionForObject(s.inner).Y
	end := top + o.Size().Height
	at := s.inner.Offset
	switch {
	case top < 0:
		at.Y += top - theme.InnerPadding()
	case end > room:
		at.Y += end - room + theme.InnerPadding()
	default:
		return
	}
	s.inner.ScrollToOffset(at)
}

// CreateRenderer lays the object that takes the wheel over the form. It takes nothing else.
func (s *Scroll) CreateRenderer() fyne.WidgetRenderer {
	w := &wheel{to: s.inner}
	w.ExtendBaseWidget(w)
	return widget.NewSimpleRenderer(container.NewStack(s.inner, w))
}

// wheel passes on what the mouse wheel does.
type wheel struct {
	widget.BaseWidget
	to *container.Scroll
}

// Scrolled scrolls the form.
func (w *wheel) Scrolled(e *fyne.ScrollEvent) { w.to.Scrolled(e) }

// CreateRenderer shows nothing.
func (w *wheel) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewWithoutLayout())
}

// ScrollToBottom shows the end of the form.
func (s *Scroll) ScrollToBottom() { s.inner.ScrollToBottom() }

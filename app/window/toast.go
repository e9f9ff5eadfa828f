package window

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// toast is a line at the foot of the window that goes away by itself.
type toast struct {
	box  *fyne.Container
	text *widget.Label
	end  time.Time
}

func newToast() *toast {
	t := &toast{text: widget.NewLabel("")}
	t.box = container.NewVBox(layout.NewSpacer(), container.NewCenter(plate(t.text)),
		container.NewGridWrap(fyne.NewSize(1, 24)))
	t.box.Hide()
	return t
}

// show shows a text for some seconds in a window of a width.
func (t *toast) show(text string, width float32) {
	room := width - 8*theme.Padding() // a wider text would make the window wider
	t.text.SetText(cut(text, room, func(s string) float32 {
		return fyne.MeasureText(s, theme.TextSize(), t.text.TextStyle).Width
	}))
	t.end = time.Now().Add(4 * time.Second)
	t.box.Show()
	t.box.Refresh()
}

// tick hides the text after its time.
func (t *toast) tick() {
	if t.box.Visible() && time.Now().After(t.end) {
		t.box.Hide()
	}
}

package widgets

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Toast is a line at the top of the window that goes away by itself. At the foot it would lie over the time line of the
// player and the last row of a list.
type Toast struct {
	Box    *fyne.Container
	text   *widget.Label
	button *widget.Button
	end    time.Time
}

// NewToast makes a line that shows nothing.
func NewToast() *Toast {
	t := &Toast{text: widget.NewLabel(""), button: widget.NewButton("", nil)}
	t.Box = container.NewVBox(container.NewGridWrap(fyne.NewSize(1, 8)),
		container.NewCenter(plate(container.NewHBox(t.text, t.button))))
	t.Box.Hide()
	return t
}

// Show shows a text for some seconds in a window of a width.
func (t *Toast) Show(text, button string, do func(), width float32) {
	room := width - 8*theme.Padding() // a wider text would make the window wider
	last := 4 * time.Second
	SetVisible(t.button, button != "")
	if button != "" {
		last = 8 * time.Second
		t.button.SetText(button)
		t.button.OnTapped = func() {
			t.Box.Hide()
			do()
		}
		room -= t.button.MinSize().Width
	}
	t.text.SetText(cut(text, room, false, func(s string) float32 {
		return fyne.MeasureText(s, theme.TextSize(), t.text.TextStyle).Width
	}))
	t.end = time.Now().Add(last)
	t.Box.Show()
	t.Box.Refresh()
}

// Hide hides the text at once.
func (t *Toast) Hide() { t.Box.Hide() }

// Tick hides the text after its time.
func (t *Toast) Tick() {
	if t.Box.Visible() && time.Now().After(t.end) {
		t.Box.Hide()
	}
}

package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Entry is a text entry that passes the window's shortcuts on to the window. Escape leaves the entry if leave is set;
// otherwise the window gets it.
type Entry struct {
	widget.Entry
	win   fyne.Window
	leave func() // may be nil

	OnLeft func() // is called when the focus has gone; may be nil
}

// NewEntry makes an entry of a window. leave, which may be nil, is called on Escape and Down.
func NewEntry(win fyne.Window, leave func()) *Entry {
	e := &Entry{win: win, leave: leave}
	e.ExtendBaseWidget(e)
	return e
}

// FocusLost reports that the focus has gone.
func (e *Entry) FocusLost() {
	e.Entry.FocusLost()
	if e.OnLeft != nil {
		e.OnLeft()
	}
}

// KeyUp tells the window, too.
func (e *Entry) KeyUp(k *fyne.KeyEvent) {
	e.Entry.KeyUp(k)
	if c, ok := e.win.Canvas().(desktop.Canvas); ok && c.OnKeyUp() != nil {
		c.OnKeyUp()(k)
	}
}

// TypedShortcut passes shortcuts that are not for text on to the window.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	if _, ours := s.(*desktop.CustomShortcut); ours {
		if c, ok := e.win.Canvas().(fyne.Shortcutable); ok {
			c.TypedShortcut(s)
			return
		}
	}
	e.Entry.TypedShortcut(s)
}

// TypedKey leaves the entry on Escape and Down.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	switch {
	case e.leave != nil && (k.Name == fyne.KeyEscape || k.Name == fyne.KeyDown):
		e.leave()
	case k.Name == fyne.KeyEscape:
		PassKey(e, k)
	default:
		e.Entry.TypedKey(k)
	}
}

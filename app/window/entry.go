package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// entry is a text entry that passes the window's shortcuts on to the window. Escape leaves the entry if leave is set.
type entry struct {
	widget.Entry
	env   *env
	leave func() // may be nil
}

func newEntry(env *env, leave func()) *entry {
	e := &entry{env: env, leave: leave}
	e.ExtendBaseWidget(e)
	return e
}

// TypedShortcut passes shortcuts that are not for text on to the window.
func (e *entry) TypedShortcut(s fyne.Shortcut) {
	if _, ours := s.(*desktop.CustomShortcut); ours {
		if c, ok := e.env.win.Canvas().(fyne.Shortcutable); ok {
			c.TypedShortcut(s)
			return
		}
	}
	e.Entry.TypedShortcut(s)
}

// TypedKey leaves the entry on Escape and Down.
func (e *entry) TypedKey(k *fyne.KeyEvent) {
	if e.leave != nil && (k.Name == fyne.KeyEscape || k.Name == fyne.KeyDown) {
		e.leave()
		return
	}
	e.Entry.TypedKey(k)
}

package window

import (
	"context"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/recorder/control"
)

// watch passes what the recorder reports to the main goroutine.
func (w *window) watch(ctx context.Context) {
	w.Client.Follow(ctx, func(u control.Update, first bool) {
		w.Do(func() { w.changed(u, first) })
	}, func() {
		w.Do(func() {
			w.Status, w.Gone = nil, true
			w.changed(control.Update{}, false)
		})
	})
}

// asked runs the request of a second start and shows the window.
func (w *window) asked(r instance.Request) bool {
	if w.isEnded() {
		return false
	}
	w.Do(func() {
		w.show(r)
		w.Window.Show()
		w.Window.RequestFocus()
	})
	return true
}

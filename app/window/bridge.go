package window

import (
	"context"
	"time"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/recorder/control"
)

// watch passes what the recorder reports to the main goroutine. When the recorder is gone, watch tries again every
// second.
func (w *window) watch(ctx context.Context) {
	for ctx.Err() == nil {
		first := true
		_ = w.Client.Watch(ctx, func(u control.Update) {
			began := first
			first = false
			w.Do(func() { w.changed(u, began) })
		})
		if ctx.Err() != nil {
			return
		}
		w.Do(func() {
			w.Status = nil
			w.changed(control.Update{}, false)
		})
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
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

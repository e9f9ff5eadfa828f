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
		_ = w.client.Watch(ctx, func(u control.Update) {
			began := first
			first = false
			w.do(func() { w.changed(u, began) })
		})
		if ctx.Err() != nil {
			return
		}
		w.do(func() {
			w.status = nil
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
	w.do(func() {
		w.show(r)
		w.win.Show()
		w.win.RequestFocus()
	})
	return true
}

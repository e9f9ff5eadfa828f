package window

import (
	"context"
	"time"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/recorder/control"
)

// watch brings what the recorder says to the main goroutine, and waits for a recorder that is gone.
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

// asked does what a second start asks for: it shows the window.
func (w *window) asked(r instance.Request) {
	w.do(func() {
		w.show(r)
		w.win.Show()
		w.win.RequestFocus()
	})
}

package window

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"time"

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

// serveCommands does what a second start asks for: show yourself.
func (w *window) serveCommands(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		var o command
		err = json.NewDecoder(io.LimitReader(c, 4096)).Decode(&o)
		_ = c.Close()
		if err == nil {
			w.do(func() {
				w.show(o)
				w.win.Show()
				w.win.RequestFocus()
			})
		}
	}
}

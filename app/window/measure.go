package window

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/preroll/preroll/app/page"
)

// measure sends the main goroutine a function every few milliseconds and records how long the function waits. It writes
// the result to the file every second.
func (w *window) measure(ctx context.Context, file string) {
	every := 4 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	written := time.Now()
	for {
		asked := time.Now()
		answered := make(chan time.Duration, 1)
		w.Do(func() { answered <- time.Since(asked) })
		var took time.Duration
		select {
		case took = <-answered:
		case <-ctx.Done():
			return
		}
		m := w.Meter
		w.Do(func() {
			m.Now.Worst = max(m.Now.Worst, page.Milliseconds(took))
			if took > 50*time.Millisecond {
				m.Now.Over50++
			}
		})
		if time.Since(written) > time.Second {
			written = time.Now()
			w.Do(func() {
				b, err := json.Marshal(m.Now)
				if err == nil {
					err = os.WriteFile(file+".tmp", b, 0o600)
				}
				if err == nil {
					_ = os.Rename(file+".tmp", file)
				}
				m.Now.Worst, m.Now.Over50 = 0, 0
			})
		}

		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

package window

import (
	"context"
	"encoding/json"
	"os"
	"time"
)

// Measured is what a window with --measure writes every second, for `make bench`. Times are in milliseconds.
type Measured struct {
	List   float64 `json:"list"`   // from the start until the first events were drawn
	Days   float64 `json:"days"`   // the part of List from the request for the list to its first page
	Worst  float64 `json:"worst"`  // longest time in the last second that the main goroutine was busy without a break
	Over50 int     `json:"over50"` // how often in the last second it was busy for more than 50 ms
	First  float64 `json:"first"`  // from the opening of a clip to its first drawn picture
	Frames int     `json:"frames"` // drawn pictures of video since the start
}

// meter measures. A nil meter does nothing.
type meter struct {
	began time.Time
	asked time.Time
	clip  time.Time // when a clip was opened
	now   Measured
}

// question records when the list was first asked for.
func (m *meter) question() {
	if m != nil && m.asked.IsZero() {
		m.asked = time.Now()
	}
}

// list records when the first events were drawn.
func (m *meter) list() {
	if m != nil && m.now.List == 0 {
		m.now.List, m.now.Days = ms(time.Since(m.began)), ms(time.Since(m.asked))
	}
}

// opened records when a clip was given to the player.
func (m *meter) opened() {
	if m != nil {
		m.clip = time.Now()
	}
}

// frame counts a drawn picture of video.
func (m *meter) frame() {
	if m == nil {
		return
	}
	if m.now.Frames == 0 {
		m.now.First = ms(time.Since(m.clip))
	}
	m.now.Frames++
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
		w.do(func() { answered <- time.Since(asked) })
		var took time.Duration
		select {
		case took = <-answered:
		case <-ctx.Done():
			return
		}
		m := w.meter
		w.do(func() {
			m.now.Worst = max(m.now.Worst, ms(took))
			if took > 50*time.Millisecond {
				m.now.Over50++
			}
		})
		if time.Since(written) > time.Second {
			written = time.Now()
			w.do(func() {
				b, err := json.Marshal(m.now)
				if err == nil {
					err = os.WriteFile(file+".tmp", b, 0o600)
				}
				if err == nil {
					_ = os.Rename(file+".tmp", file)
				}
				m.now.Worst, m.now.Over50 = 0, 0
			})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

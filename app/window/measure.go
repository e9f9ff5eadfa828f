package window

import (
	"context"
	"encoding/json"
	"os"
	"time"
)

// Measured is what a window with --measure writes down every second, for `make bench`. Times are milliseconds.
type Measured struct {
	List   float64 `json:"list"`   // from the start until the first events were drawn
	Days   float64 `json:"days"`   // of that, from the question for the list to its first page
	Worst  float64 `json:"worst"`  // longest time that the main goroutine was busy at a stretch, in the last second
	Over50 int     `json:"over50"` // how often it was busy for more than 50 ms, in the last second
	First  float64 `json:"first"`  // from the opening of a clip to its first picture that was drawn
	Frames int     `json:"frames"` // pictures of video that were drawn, since the start
}

// meter measures. A nil one does nothing.
type meter struct {
	began time.Time
	asked time.Time
	clip  time.Time // a clip was opened
	now   Measured
}

// question notes that the list was asked for.
func (m *meter) question() {
	if m != nil && m.asked.IsZero() {
		m.asked = time.Now()
	}
}

// list notes that events were drawn.
func (m *meter) list() {
	if m != nil && m.now.List == 0 {
		m.now.List, m.now.Days = ms(time.Since(m.began)), ms(time.Since(m.asked))
	}
}

// opened notes that a clip was given to the player.
func (m *meter) opened() {
	if m != nil {
		m.clip = time.Now()
	}
}

// frame notes that a picture of video was drawn.
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

// measure asks the main goroutine every few milliseconds for an answer, and notes how long it takes.
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

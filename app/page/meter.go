package page

import "time"

// Meter measures. A nil meter does nothing.
type Meter struct {
	Began time.Time
	asked time.Time
	clip  time.Time // when a clip was opened
	Now   Measured
}

// Measured is what a window with --measure writes every second, for `make bench`. Times are in milliseconds.
type Measured struct {
	List   float64 `json:"list"`   // from the start until the first events were drawn
	Days   float64 `json:"days"`   // the part of List from the request for the list to its first page
	Worst  float64 `json:"worst"`  // longest time in the last second that the main goroutine was busy without a break
	Over50 int     `json:"over50"` // how often in the last second it was busy for more than 50 ms
	First  float64 `json:"first"`  // from the opening of a clip to its first drawn picture
	Frames int     `json:"frames"` // drawn pictures of video since the start
}

// Question records when the list was first asked for.
func (m *Meter) Question() {
	if m != nil && m.asked.IsZero() {
		m.asked = time.Now()
	}
}

// List records when the first events were drawn.
func (m *Meter) List() {
	if m != nil && m.Now.List == 0 {
		m.Now.List, m.Now.Days = Milliseconds(time.Since(m.Began)), Milliseconds(time.Since(m.asked))
	}
}

// opened records when a clip was given to the player.
func (m *Meter) opened() {
	if m != nil {
		m.clip = time.Now()
	}
}

// frame counts a drawn picture of video.
func (m *Meter) frame() {
	if m == nil {
		return
	}
	if m.Now.Frames == 0 {
		m.Now.First = Milliseconds(time.Since(m.clip))
	}
	m.Now.Frames++
}

// Milliseconds returns a duration in milliseconds.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package camtest

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// Info describes a loop: frame n (n counts from 0) left at Start + n/FPS and shows First + n modulo Loop.
type Info struct {
	Start time.Time `json:"start"`
	FPS   float64   `json:"fps"`
	Loop  int       `json:"loop"`
	First int       `json:"first"`
}

// Time returns when the frame with a counter left the camera. Of all rounds of the loop, Time picks the time nearest to
// near.
func (i Info) Time(counter int, near time.Time) time.Time {
	k := float64(counter - i.First)
	n := math.Round((near.Sub(i.Start).Seconds()*i.FPS - k) / float64(i.Loop))
	return i.Start.Add(time.Duration((n*float64(i.Loop) + k) / i.FPS * float64(time.Second)))
}

// Gaps lists the places where a counter is not its predecessor plus one (modulo the loop) or is unreadable.
func (i Info) Gaps(counters []int) []string {
	var gaps []string
	for k, c := range counters {
		switch {
		case c == Bad:
			gaps = append(gaps, fmt.Sprintf("frame %d: unreadable", k))
		case k > 0 && counters[k-1] != Bad && !i.follows(c, counters[k-1]):
			gaps = append(gaps, fmt.Sprintf("frame %d: %d after %d", k, c, counters[k-1]))
		}
	}
	return gaps
}

// follows reports whether counter comes directly after last in the loop.
func (i Info) follows(counter, last int) bool {
	return i.has(counter) && i.has(last) && counter-i.First == (last-i.First+1)%i.Loop
}

func (i Info) has(counter int) bool { return counter >= i.First && counter < i.First+i.Loop }

// length returns how long one round of the loop takes.
func (i Info) length() time.Duration {
	return time.Duration(float64(i.Loop) / i.FPS * float64(time.Second))
}

// Span is the time in which a loop was played. To is zero for the current loop.
type Span struct {
	Info
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Gap is a time in which a camera sent nothing, or not everything. Kind is "mute", "down", "freeze", "stall" (frames of
// that time may have arrived later), "late" (the camera's own process was stopped), "lose" or "corrupt" (pictures may
// be damaged until the next keyframe after the gap). To is zero while the gap lasts.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Kind string    `json:"kind"`
}

// truth is what a camera sent and did not send.
type truth struct {
	spans    []Span
	silences []Gap
	sent     []time.Duration // video frames, counted from the camera's start
}

// Info returns the current loop.
func (c *Camera) Info() Info {
	h := c.History()
	return h[len(h)-1].Info
}

// History returns the loops that were played, in order. The last loop is the current one.
func (c *Camera) History() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Silences returns the times in which not everything was sent, in order of their start. A frame that was due just
// before such a time may also have been held back; [Camera.Sent] is exact.
func (c *Camera) Silences() []Gap {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, now := slices.Clone(c.silences), time.Now()
	for i := range list {
		if list[i].To.After(now) { // a stall knows its end in advance
			list[i].To = time.Time{}
		}
	}
	slices.SortStableFunc(list, func(a, b Gap) int { return a.From.Compare(b.From) })
	return list
}

// Sent returns the times of the video frames that were sent in [from, to), whether or not a client was connected. Each
// time equals the time that [Info.Time] computes from the counter. A frame counts as sent if it was handed to the
// network, even if "lose" or "corrupt" hit its packets, or if a "stall" held it until its connection had ended.
func (c *Camera) Sent(from, to time.Time) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := func(t time.Time) int {
		d := t.Sub(c.start)
		return sort.Search(len(c.sent), func(i int) bool { return c.sent[i] >= d })
	}
	var times []time.Time
	for i, end := begin(from), begin(to); i < end; i++ {
		times = append(times, c.start.Add(c.sent[i]))
	}
	return times
}

// now counts from the camera's start, so that times in the truth are equal with and without their monotonic part.
func (c *Camera) now() time.Time { return c.start.Add(time.Since(c.start)) }

// play begins a loop.
func (c *Camera) play(v *video) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if n := len(c.spans); n > 0 {
		c.spans[n-1].To = now
	}
	c.spans = append(c.spans, Span{Info: Info{now, v.fps, len(v.units), v.first}, From: now})
	c.video.Store(&playing{v, now})
}

// show sends a frame of a loop, unless another loop has begun.
func (c *Camera) show(v *playing, wall time.Time, ps []packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.video.Load() == v && c.queue(ps) {
		c.sent = append(c.sent, wall.Sub(c.start))
	}
}

// late records that frames were skipped.
func (c *Camera) late(from, to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silences = append(c.silences, Gap{from, to, "late"})
}

// record records that a silence of some kind begins or ends. The caller holds mu.
func (c *Camera) record(kind string, on bool) {
	i := slices.IndexFunc(c.silences, func(s Gap) bool { return s.Kind == kind && s.To.IsZero() })
	switch {
	case on && i < 0:
		c.silences = append(c.silences, Gap{From: c.now(), Kind: kind})
	case !on && i >= 0:
		c.silences[i].To = c.now()
	}
}

// Shown is a frame of a clip.
type Shown struct {
	Counter int
	Span    int       // index in the history; -1 if unreadable
	Time    time.Time // when the frame left the camera; zero if unreadable
	Sure    bool      // its neighbor in the loop is beside it; a repaired frame may show any counter
}

// Times returns when the frames of a clip left a camera. near is a time within the clip, at most half a round of the
// loop from the first frame. A frame up to a quarter of a round older than the previous frame counts as doubled; any
// other frame counts as later. So Times does not see a gap longer than three quarters of a round. If loops in the
// history share counters (see [Media]), Times picks the loop with the nearest time, and avoids a time long before near.
func Times(counters []int, history []Span, near time.Time) []Shown {
	shown := make([]Shown, len(counters))
	first := true
	for i, n := range counters {
		x := Shown{Counter: n, Span: -1}
		for k, s := range history {
			ref := near
			if !first {
				ref = near.Add(s.length() / 4)
			}
			if t, ok := s.time(n, ref); ok && (x.Span < 0 || far(t, near) < far(x.Time, near)) {
				x.Span, x.Time = k, t
			}
		}
		shown[i] = x
		if x.Span < 0 {
			continue
		}
		// A misread counter must not move its successors to another round, so only a frame with its neighbor moves
		// near.
		s := history[x.Span]
		if i > 0 && s.follows(n, counters[i-1]) || i+1 < len(counters) && s.follows(counters[i+1], n) {
			near, first = x.Time, false
			shown[i].Sure = true
		}
	}
	return shown
}

// far returns the distance of t from near. A time long before near is farther than any other.
func far(t, near time.Time) time.Duration {
	const long = 5 * time.Second
	d := t.Sub(near)
	if d < -long {
		return 24*time.Hour - d
	}
	return d.Abs()
}

// time is like Info.Time, for a time within the span. It reports whether the span showed the counter.
func (s Span) time(counter int, near time.Time) (time.Time, bool) {
	if !s.has(counter) {
		return time.Time{}, false
	}
	over := func(t time.Time) bool { return !s.To.IsZero() && !t.Before(s.To) }
	if near.Before(s.From) {
		near = s.From
	} else if over(near) {
		near = s.To
	}
	t := s.Time(counter, near)
	if t.Before(s.From) {
		t = s.Time(counter, t.Add(s.length()))
	} else if over(t) {
		t = s.Time(counter, t.Add(-s.length()))
	}
	return t, !t.Before(s.From) && !over(t)
}

package ring

import (
	"testing"
	"time"
)

// TestSettled gives out the first segments of a run late, as FFmpeg does. A hold says so, and gets the one that tells.
func TestSettled(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	begin := time.Now().Add(-20 * time.Second)
	f := newFeeder(t, segments(t, 10), r, run1, begin.Add(2*time.Second)) // two seconds late
	h, err := r.Hold("h", begin)
	if err != nil {
		t.Fatal(err)
	}
	h.Limit(begin.Add(2 * time.Second))
	f.feed(1)
	f.at = f.at.Add(-time.Second)
	f.feed(1)
	f.at = f.at.Add(-time.Second)
	f.feed(4) // on time
	var got []bool
	h.More(func(s Segment) bool {
		got = append(got, s.Settled)
		return true
	})
	if len(got) != 4 || got[0] || got[1] || got[2] || !got[3] {
		t.Errorf("settled: %v", got)
	}
	if s := r.timed(5)[0]; !s.Settled || s.End.Sub(begin.Add(6*time.Second)).Abs() > time.Millisecond {
		t.Errorf("%+v", s)
	}
}

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

// TestProgressTimesLateSegments has the first segments of a run written late, as they are when the cable is out: they are
// timed by what FFmpeg said of its progress, until one is on time.
func TestProgressTimesLateSegments(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	begin := time.Now().Add(-2 * time.Second)
	r.Reached("r1700000000000-", 2*time.Second, 20)
	off := func(name string, most time.Duration) {
		t.Helper()
		for i, s := range r.timed(0) {
			if off := s.Start.Sub(begin.Add(time.Duration(i) * time.Second)); off.Abs() > most {
				t.Errorf("%s: segment %d is %s off", name, i, off)
			}
		}
	}
	f := newFeeder(t, segments(t, 6), r, run1, begin.Add(5*time.Second))
	f.feed(1)
	off("one", 100*time.Millisecond)
	f.at = f.at.Add(5 * time.Second) // when FFmpeg gave the camera up
	f.feed(1)
	off("the last one too", 100*time.Millisecond)
	f.at = begin.Add(2*time.Second + 300*time.Millisecond)
	f.feed(1)
	for i, s := range r.timed(0) {
		if want := begin.Add(time.Duration(i)*time.Second + 300*time.Millisecond); s.Start.Sub(want).Abs() > time.Millisecond {
			t.Errorf("a segment on time tells better: segment %d is %s off", i, s.Start.Sub(want))
		}
	}
}

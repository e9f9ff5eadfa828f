package ring

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestClockIsSet sets this machine's clock forward and back under a ring and a hold: both keep their order and place in
// time, nothing is dropped, and a machine that slept is not taken for one whose clock was set.
func TestClockIsSet(t *testing.T) {
	from := segments(t, 12)
	for _, tc := range []struct {
		name         string
		wall, steady time.Duration // by which the clocks move
		step         time.Duration
	}{
		{"an hour forward", time.Hour, 0, time.Hour},
		{"an hour back", -time.Hour, 0, -time.Hour},
		{"years forward, as after a start without a clock", 30 * 365 * 24 * time.Hour, 0, 30 * 365 * 24 * time.Hour},
		{"a minute", time.Minute, 0, time.Minute},
		{"a correction of no account", 300 * time.Millisecond, 0, 0},
		{"asleep for a minute", time.Minute, time.Minute, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, t.TempDir(), time.Minute, nil)
			real := r.clock.now
			var wall, steady time.Duration
			r.clock.now = func() (time.Duration, time.Duration) {
				w, s := real()
				return w + wall, s + steady
			}
			now := time.Now()
			f := newFeeder(t, from, r, run1, now.Add(-8*time.Second))
			f.feed(8)
			before, _ := r.Newest()
			h, err := r.Hold("event", now.Add(-3*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			h.Limit(now.Add(20 * time.Second))
			queued := len(h.queue)

			wall, steady = tc.wall, tc.steady
			f.at = f.at.Add(tc.step)
			r.mu.Lock()
			r.lookAtClock()
			r.mu.Unlock()
			if got := h.Stepped(); (got - tc.step).Abs() > 50*time.Millisecond {
				t.Errorf("stepped %s, want %s", got, tc.step)
			}
			if s := r.entries[7]; (s.End.Sub(before.End) - tc.step).Abs() > 50*time.Millisecond {
				t.Errorf("the newest segment moved by %s, want %s", s.End.Sub(before.End), tc.step)
			}
			f.feed(3)
			if s := r.Status(); s.Length < 11*time.Second-50*time.Millisecond {
				t.Errorf("the ring lost video: %s left", s.Length)
			}
			got := h.More(func(Segment) bool { return true })
			if len(got) != queued+3 {
				t.Fatalf("%d segments held, want %d", len(got), queued+3)
			}
			for i := 1; i < len(got); i++ {
				if d := got[i].Start.Sub(got[i-1].End); d.Abs() > 100*time.Millisecond {
					t.Errorf("segment %d begins %s after the one before it", i, d)
				}
			}
			// The next alarm finds its pre-roll, and so does the next life.
			for range 2 {
				at := now.Add(tc.step + 3*time.Second)
				h, err := r.Hold("later", at.Add(-5*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				if first := h.queue[0]; first.Start.After(at.Add(-5*time.Second)) || first.Start.Before(at.Add(-8*time.Second)) {
					t.Errorf("the pre-roll begins %s before the alarm, want 5 s", at.Sub(first.Start))
				}
				h.Close()
				r = open(t, r.opt.Dir, time.Hour*24*365*100, nil)
			}
		})
	}
}

// TestHoleIsNamed tells a hole in the picture from a clock that was set.
func TestHoleIsNamed(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := newFeeder(t, segments(t, 12), r, run1, time.Now().Add(-12*time.Second))
	f.feed(4)
	e := *r.entries[3]
	e.Number, e.Media = 4, [2]time.Duration{e.Media[1], e.Media[1] + 4*time.Second}
	e.holes = []span{{e.Media[0] + 500*time.Millisecond, e.Media[0] + 3500*time.Millisecond}}
	for _, tc := range []struct {
		name string
		late time.Duration // by which it was written after the one before
		hole time.Duration
	}{{"no picture came for three seconds", 4 * time.Second, 3 * time.Second}, {"the camera's clock was set by three seconds", time.Second, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			s := e
			s.written = s.written.Add(tc.late)
			s.epoch = r.epochOf(4, &s)
			got := s.at(s.delay())
			var d time.Duration
			for _, h := range got.Holes {
				d += h[1].Sub(h[0])
			}
			if (d - tc.hole).Abs() > time.Millisecond {
				t.Errorf("holes of %s, want %s", d, tc.hole)
			}
			if d := got.Length(); (d - tc.late).Abs() > time.Millisecond {
				t.Errorf("it is %s long, want %s", d, tc.late)
			}
		})
	}
}

// TestCutSegmentsAreRefused: a full RAM disk leaves files that are shorter than they say.
func TestCutSegmentsAreRefused(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := newFeeder(t, segments(t, 3), r, run1, time.Now())
	f.feed(1)
	whole, err := os.ReadFile(filepath.Join(f.from, "000001.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	name := "r1700000000000-000001.m4s"
	for n := 0; n < len(whole); n += 1 + len(whole)/97 {
		if err := os.WriteFile(filepath.Join(r.segments(), name), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		r.add(name)
		if len(r.entries) != 1 {
			t.Fatalf("%d bytes of %d were taken for a whole segment", n, len(whole))
		}
	}
	if err := os.WriteFile(filepath.Join(r.segments(), name), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if r.add(name); len(r.entries) != 2 {
		t.Error("the whole segment was refused")
	}
}

// A leap of the camera's time stamps may be its clock, or time without a picture. FFmpeg takes both out; the ring tells
// them apart by when segments come, and what comes after a silence has its right time.
func TestSilenceIsNoClock(t *testing.T) {
	for _, tc := range []struct {
		name string
		late time.Duration
	}{{"silence", 6 * time.Second}, {"clock", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, t.TempDir(), time.Minute, nil)
			begin := time.Now().Add(-8 * time.Second)
			f := newFeeder(t, segments(t, 10), r, run1, begin)
			f.feed(4)
			f.at = f.at.Add(tc.late)
			r.jumped = moment{run1, f.at.Add(500 * time.Millisecond)}
			f.feed(5)
			list := r.timed(0)
			if off := list[3].End.Sub(begin.Add(4 * time.Second)).Abs(); off > time.Millisecond {
				t.Errorf("before it: %s off", off)
			}
			for i, s := range list[5:] {
				if off := s.Start.Sub(begin.Add(tc.late + time.Duration(i+5)*time.Second)).Abs(); off > time.Millisecond {
					t.Errorf("segment %d behind it: %s off", i+5, off)
				}
			}
			s := list[4]
			if off := s.Start.Sub(list[3].End).Abs(); off > time.Millisecond {
				t.Errorf("it begins %s off", off)
			}
			var holes time.Duration
			for _, h := range s.Holes {
				holes += h[1].Sub(h[0])
			}
			if (holes - tc.late).Abs() > time.Millisecond {
				t.Errorf("holes of %s, want %s", holes, tc.late)
			}
			h, err := r.Hold("h", begin)
			if err != nil {
				t.Fatal(err)
			}
			h.Detach()
			next := open(t, r.opt.Dir, time.Minute, nil) // the next life
			for i, s := range next.timed(0) {
				if off := max(s.Start.Sub(list[i].Start).Abs(), s.End.Sub(list[i].End).Abs()); off > time.Millisecond || len(s.Holes) != len(list[i].Holes) {
					t.Errorf("segment %d is %s off in the next life, holes %v", i, off, s.Holes)
				}
			}
			if h, err = next.Resume("h", begin); err != nil {
				t.Fatal(err)
			}
			if s := h.queue[4]; s.Jump != list[4].Jump || len(s.Holes) != len(list[4].Holes) {
				t.Errorf("held: %+v", s)
			}
			h.Close()
		})
	}
}

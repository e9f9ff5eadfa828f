package player

import (
	"slices"
	"testing"
	"time"
)

// follow returns a screen that follows another one.
func follow(t *testing.T, leader *screen, ahead time.Duration) *screen {
	t.Helper()
	s := newScreenOf(t, leader.o.FFmpeg, 320, 320)
	s.Close()
	o := s.o
	o.Leader, o.Ahead = leader.Player, ahead
	s.Player = New(o)
	t.Cleanup(s.Close)
	return s
}

func TestFollows(t *testing.T) {
	a := newScreen(t, 320, 320)
	b := follow(t, a, -2*time.Second) // its camera began 2 s later
	a.Open(source(t), 5*time.Second, false)
	b.Open(source(t), 0, false)
	a.sees(75)
	b.sees(45)
	a.Step(1)
	a.sees(76)
	b.sees(46)
	a.Step(-2)
	b.sees(44)
	a.Seek(time.Second) // before the other began
	b.sees(0)

	a.Seek(4 * time.Second)
	b.sees(30)
	a.forget()
	b.forget()
	a.Play()
	enough := func(p []picture, _ State) bool { return len(p) > 0 && p[len(p)-1].number >= 75 }
	a.wait("the leader plays", enough)
	a.Seek(8 * time.Second)
	a.wait("the leader plays on", func(p []picture, _ State) bool { return len(p) > 0 && p[len(p)-1].number >= 140 })
	a.Pause()
	a.wait("the leader stands still", func(_ []picture, s State) bool { return !s.Playing })
	last := a.seen()[len(a.seen())-1].number
	b.sees(last - 30)
	b.still(300 * time.Millisecond)

	// How far apart in time the pictures are that belong together. It is reported, not asserted.
	shown := map[int]time.Time{}
	for _, p := range a.seen() {
		shown[p.number] = p.shown
	}
	var apart []time.Duration
	for _, p := range b.seen() {
		if at, ok := shown[p.number+30]; ok {
			apart = append(apart, p.shown.Sub(at).Abs())
		}
	}
	if len(apart) < 20 {
		t.Fatalf("only %d pictures were shown by both", len(apart))
	}
	slices.Sort(apart)
	t.Logf("%d pictures, apart: median %s, 90th %s", len(apart), apart[len(apart)/2], apart[len(apart)*9/10])
}

func TestFollowsBeyondTheEnd(t *testing.T) {
	a := newScreen(t, 320, 320)
	b := follow(t, a, 4*time.Second)
	a.Open(source(t), 3*time.Second, true)
	b.Open(source(t), 0, false)
	a.wait("the end", func(p []picture, s State) bool { return s.Ended })
	b.sees(fps*seconds - 1)
	a.Play() // from the beginning
	b.wait("the beginning", func(p []picture, _ State) bool {
		return len(p) > 0 && p[len(p)-1].number > 60 && p[len(p)-1].number < 120
	})
}

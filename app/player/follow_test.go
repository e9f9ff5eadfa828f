package player

import (
	"os"
	"os/exec"
	"path/filepath"
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
	a.Seek(5 * time.Second)
	b.sees(45)
	a.Seek(0) // the same place for the other
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

// TestFollowsThroughAGap follows with a video of which five seconds in the middle are missing, and counts the FFmpegs.
func TestFollowsThroughAGap(t *testing.T) {
	whole := source(t)
	holey := Source{Path: filepath.Join(t.TempDir(), "gap.mp4"), Length: seconds * time.Second}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", whole.Path, "-vf",
		"select='lt(t,3)+gt(t,8)'", "-fps_mode", "passthrough", "-g", "15", holey.Path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	starts := filepath.Join(t.TempDir(), "starts")
	script := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho x >> "+starts+"\nexec ffmpeg \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newScreen(t, 320, 320)
	b := newScreenOf(t, script, 320, 320)
	b.Close()
	o := b.o
	o.Leader = a.Player
	b.Player = New(o)
	t.Cleanup(b.Close)
	a.Open(whole, time.Second, true)
	b.Open(holey, time.Second, false)
	a.wait("the leader in the gap", func(p []picture, _ State) bool { return len(p) > 0 && p[len(p)-1].number > 100 })
	if p := b.seen(); len(p) == 0 || p[len(p)-1].number >= 120 {
		t.Errorf("in the gap the follower shows what comes after it: %v", p[max(0, len(p)-1):])
	}
	a.wait("the leader behind the gap", func(p []picture, _ State) bool {
		return len(p) > 0 &&
			p[len(p)-1].number > 140
	})
	a.Pause()
	a.wait("the leader stands still", func(_ []picture, s State) bool { return !s.Playing })
	b.sees(a.seen()[len(a.seen())-1].number)
	if n, _ := os.ReadFile(starts); len(n)/2 > 4 { // pictures and sound
		t.Errorf("%d FFmpegs were started", len(n)/2)
	}
}

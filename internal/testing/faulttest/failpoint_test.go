//go:build linux

package faulttest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/failpoint"
)

// TestFailpoints kills Preroll at each failpoint and starts it again. Nothing that Preroll promised may be lost, and
// every file must be whole.
func TestFailpoints(t *testing.T) {
	t.Parallel()
	for n, point := range failpoint.Points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Options{
				Seed: uint64(n + 1), Cameras: []CameraOptions{{GOP: 10}},
				PreRoll: 3 * time.Second, PostRoll: 2 * time.Second, Longest: 10 * time.Second, RAM: 64 << 20,
			})
			ctx := t.Context()
			try(t, w.Start(ctx, point))
			try(t, w.Filled(ctx, 4*time.Second))
			w.mailUntilEnd(ctx, "cam1", point)
			if err := w.Ended(ctx, 40*time.Second); err != nil {
				t.Fatalf("the point was not reached: %v", err)
			}
			if s := w.present().err.Error(); !strings.Contains(s, "killed") {
				t.Fatalf("Preroll ended with %s, not by the crash", s)
			}
			try(t, w.Start(ctx, ""))
			if !w.Mails.Send("cam1", true).Accepted() {
				t.Error("the next mail was not accepted")
			}
			events, err := w.Settle(ctx, 2*time.Minute)
			try(t, err)
			try(t, w.Stop(ctx))
			show(t, w, w.Check(ctx, events))
		})
	}
}

// mailUntilEnd sends one mail. For failpoints that need more mails, it sends mails until Preroll ends.
func (w *World) mailUntilEnd(ctx context.Context, camera, point string) {
	w.Mails.Send(camera, false)
	if point != "extended" && point != "split" {
		return
	}
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end) && w.pid() != 0; {
		_ = wait(ctx, 1500*time.Millisecond, "the next mail", func() (bool, error) { return w.pid() == 0, nil })
		w.Mails.Send(camera, false)
	}
}

// newWorld makes a world and closes it when the test ends.
func newWorld(t *testing.T, opt Options) *World {
	t.Helper()
	opt.Program = program
	var err error
	if opt.Dir = os.Getenv("PREROLL_TORTURE_KEEP"); opt.Dir != "" {
		opt.Dir, err = os.MkdirTemp(opt.Dir, strings.ReplaceAll(t.Name(), "/", "-")+"-")
		try(t, err)
	} else {
		opt.Dir = t.TempDir()
	}
	w, err := NewWorld(t.Context(), opt)
	try(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last of Preroll's log:\n%s", w.Log(80))
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// show fails the test once for each thing that is wrong. Only the first 25 are printed; wrong.txt in the world's folder
// holds all.
func show(t *testing.T, w *World, r Report) {
	t.Helper()
	t.Logf("\n%s", r)
	for n, s := range r.Wrong {
		if n == 25 {
			t.Errorf("and %d more", len(r.Wrong)-n)
			break
		}
		t.Error(s[:min(len(s), 4000)])
	}
	if err := os.WriteFile(filepath.Join(w.opt.Dir, "wrong.txt"), []byte(strings.Join(r.Wrong, "\n\n")),
		0o600); err != nil {
		t.Error(err)
	}
}

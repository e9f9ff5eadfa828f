//go:build linux

package faulttest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
	"github.com/preroll/preroll/recorder/event"
)

// TestPowerCut cuts the power of the whole machine at random moments around an alarm. The two disks keep what was
// fsynced and a random part of the rest, and the RAM disk is empty. Every answered mail must still become an event,
// every file with a final name must be whole, and events must name what is missing.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	worlds := int(setting(t, "CUTS", 2))
	seed := setting(t, "SEED", 1)
	places := make(chan struct{}, 4)
	for n := range worlds {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			powerCut(t, seed+uint64(n), 3)
		})
	}
}

func powerCut(t *testing.T, seed uint64, cuts int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, Options{
		Seed: seed, Cameras: []CameraOptions{{GOP: 10}, {GOP: 5}}, Power: true,
		PreRoll: 3 * time.Second, PostRoll: 2 * time.Second, Longest: 10 * time.Second, RAM: 64 << 20,
	})
	ctx := t.Context()
	for range cuts {
		try(t, w.Start(ctx, ""))
		try(t, w.Filled(ctx, 2*time.Second))
		for _, c := range w.Cameras {
			for range 1 + rng.IntN(3) {
				w.Mails.Send(c.ID, true)
				if rng.IntN(3) > 0 { // else the power cut follows the answer at once
					sleep(ctx, between(rng, 0, 2*time.Second))
				}
			}
		}
		if rng.IntN(2) == 0 { // any moment until the clips are finished
			sleep(ctx, between(rng, 0, 4*time.Second))
		}
		try(t, w.CutPower(ctx, faultfs.Chance, rng))
	}
	try(t, w.Start(ctx, ""))
	events, err := w.Settle(ctx, 2*time.Minute)
	try(t, err)
	try(t, w.Stop(ctx))
	show(t, w, w.Check(ctx, events))
	if t.Failed() {
		t.Logf("repeat it with PREROLL_TORTURE_SEED=%d", seed)
	}
}

// TestPowerCutAtPoints cuts the power at failpoints, with the worst loss that a disk may have at that moment. What
// Preroll promised by then must survive.
func TestPowerCutAtPoints(t *testing.T) {
	t.Parallel()
	const (
		noted    = iota // the event exists
		begun           // the event has its pre-roll
		complete        // the event has everything
	)
	for n, cut := range []struct {
		point string
		loss  faultfs.Loss
		want  int
	}{
		{"", faultfs.All, noted}, // right after two mails were answered
		{"answered", faultfs.All, noted},
		{"extended", faultfs.All, noted},
		{"part-named", faultfs.Bytes, noted},
		{"released", faultfs.All, begun},
		{"released:2", faultfs.Bytes, begun},
		{"split", faultfs.All, begun},
		{"hold-closed", faultfs.All, complete},
		{"index-written", faultfs.Bytes, complete},
		{"clip-synced", faultfs.All, complete},
		{"published", faultfs.Bytes, complete},
		{"sidecar", faultfs.All, complete},
		{"parts-removed", faultfs.Bytes, complete},
		{"ended", faultfs.All, complete},
	} {
		t.Run(cmp.Or(cut.point, "behind the answer"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Options{
				Seed: uint64(100 + n), Cameras: []CameraOptions{{GOP: 10}}, Power: true,
				PreRoll: 3 * time.Second, PostRoll: 2 * time.Second, Longest: 10 * time.Second, RAM: 64 << 20,
			})
			ctx := t.Context()
			try(t, w.Start(ctx, cut.point))
			try(t, w.Filled(ctx, 4*time.Second))
			if cut.point == "" {
				for range 2 {
					if m := w.Mails.Send("cam1", true); !m.Accepted() {
						t.Errorf("answer %d, %v", m.Code, m.Err)
					}
				}
			} else {
				w.mailUntilEnd(ctx, "cam1", cut.point)
				if err := w.Ended(ctx, 40*time.Second); err != nil {
					t.Fatalf("the point was not reached: %v", err)
				}
			}
			try(t, w.CutPower(ctx, cut.loss, rand.New(rand.NewPCG(1, uint64(n)))))
			try(t, w.Start(ctx, ""))
			events, err := w.Settle(ctx, 2*time.Minute)
			try(t, err)
			try(t, w.Stop(ctx))
			show(t, w, w.Check(ctx, events))
			switch {
			case len(events) == 0:
				t.Error("the event is gone")
			case cut.want >= begun && (len(events[0].Clips) == 0 ||
				events[0].Clips[0].Start.After(events[0].From.Add(blur))):
				t.Errorf("the pre-roll is gone: %s", brief(events[:1]))
			case cut.want == complete && events[0].State != event.Saved:
				t.Errorf("the event is not complete: %s", brief(events[:1]))
			}
		})
	}
}

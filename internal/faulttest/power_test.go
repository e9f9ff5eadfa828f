//go:build linux

package faulttest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestPowerCut cuts the power of the whole machine at random moments around an alarm: its two disks hold what was fsynced
// and a random part of what was not, its RAM disk is empty. What was answered is an event all the same, every file with a
// final name is whole, and what is missing is said.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	worlds := int(setting(t, "CUTS", 4))
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
				if rng.IntN(3) > 0 { // else the cut comes right behind the answer
					sleep(ctx, between(rng, 0, 2*time.Second))
				}
			}
		}
		if rng.IntN(2) == 0 { // anywhere until the clips are finished
			sleep(ctx, between(rng, 0, 4*time.Second))
		}
		try(t, w.CutPower(ctx, rng))
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

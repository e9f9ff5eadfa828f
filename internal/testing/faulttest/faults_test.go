//go:build linux

package faulttest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// TestFaults injects each kind of fault alone during an open event. The event may lack only what the kind allows, must
// name what it lacks, and afterwards everything works as before.
func TestFaults(t *testing.T) {
	t.Parallel()
	t.Run("camera", func(t *testing.T) { // each camera has its own fault, all at once; no camera may affect another
		t.Parallel()
		kinds := of("camera")
		w := newWorld(t, small(len(kinds)))
		try(t, w.Start(t.Context(), ""))
		t.Run("at once", func(t *testing.T) {
			for n, k := range kinds {
				t.Run(k.Name, func(t *testing.T) {
					t.Parallel()
					w.strike(t, k, w.Cameras[n], uint64(n))
				})
			}
		})
		finish(t, w)
	})
	for _, area := range areas {
		if area == "camera" {
			continue
		}
		for kinds := range slices.Chunk(of(area), 4) {
			t.Run(area, func(t *testing.T) {
				t.Parallel()
				opt := failingDrive(1)
				opt.Cameras[0].FFmpeg = area == "ffmpeg"
				w := newWorld(t, opt)
				try(t, w.Start(t.Context(), ""))
				try(t, w.Filled(t.Context(), 3*time.Second))
				w.Mails.Send("cam1", false) // so that an archive exists
				_, err := w.Settle(t.Context(), time.Minute)
				try(t, err)
				for n, k := range kinds {
					t.Run(k.Name, func(t *testing.T) {
						w.strike(t, k, w.Cameras[0], uint64(n))
					})
				}
				finish(t, w)
			})
		}
	}
}

func of(area string) []Kind {
	return slices.DeleteFunc(slices.Clone(Kinds), func(k Kind) bool { return k.Area != area })
}

// strike injects a fault while a camera sends a mail every second, and checks the events of these mails.
func (w *World) strike(t *testing.T, k Kind, c *Camera, seed uint64) {
	ctx := t.Context()
	var steady time.Time // start of the video without a gap
	try(t, waitEvery(ctx, time.Second/2, busyTimeout, "video without a gap", func() (bool, error) {
		s, err := w.Status(ctx)
		i := slices.IndexFunc(s.Cameras, func(s status.Camera) bool { return s.ID == c.ID })
		if err != nil || i < 0 || s.Cameras[i].State != status.Recording ||
			time.Since(s.Cameras[i].Newest) > 2500*time.Millisecond ||
			s.Cameras[i].PreRoll.D() < w.opt.PreRoll+2*time.Second { // the previous fault may have left a short ring
			steady = time.Now()
			return false, nil
		}
		return time.Since(steady) > w.opt.PreRoll+2*time.Second &&
			time.Since(s.Cameras[i].Since) > w.opt.PreRoll+2*time.Second, nil
	}))
	began := time.Now()
	mails, over := context.WithCancel(ctx)
	defer over()
	var sending sync.WaitGroup
	if !w.Mails.Send(c.ID, false).Accepted() {
		t.Error("the mail before was not accepted")
	}
	sending.Go(func() {
		for sleep(mails, time.Second) {
			w.Mails.Send(c.ID, true)
		}
	})
	subject := k.Area
	if k.Area == "camera" {
		subject = c.ID
	}
	length := max(k.Min, 4*time.Second)
	try(t, w.inject(ctx, Step{Subject: subject, Kind: k.Name, For: length, Seed: seed}))
	if k.Min > 0 {
		sleep(ctx, length-time.Since(began)) // for faults that end by themselves
	}
	over()
	sending.Wait()
	if !slices.ContainsFunc(w.Faults.All(), func(d Done) bool { return d.Kind == k.Name }) {
		t.Error("the fault found nothing to break")
	}
	if !w.Mails.Send(c.ID, false).Accepted() {
		t.Error("the mail after was not accepted")
	}
	list, err := w.Settle(ctx, 3*time.Minute)
	try(t, err)
	list = slices.DeleteFunc(list, func(e event.Event) bool { return e.Camera != c.ID || e.Until.Before(began) })
	lacks := slices.ContainsFunc(list, func(e event.Event) bool { return e.State != event.Saved })
	if lacks && k.Lacks == nothing || !lacks && k.Lacks == something {
		t.Errorf("the outcome should be: %s\n%s", k.Expect, brief(list))
	}
}

//go:build linux

package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// small returns options for a world with some identical cameras.
func small(cameras int) Options {
	opt := Options{Seed: 99, PreRoll: 3 * time.Second, PostRoll: 2 * time.Second, Longest: 10 * time.Second,
		RAM: 128 << 20}
	for range cameras {
		opt.Cameras = append(opt.Cameras, CameraOptions{GOP: 10})
	}
	return opt
}

// failingDrive is small with an archive that can fail.
func failingDrive(cameras int) Options {
	opt := small(cameras)
	opt.Drive = true
	return opt
}

// finish waits until all events have ended, stops Preroll and checks the world.
func finish(t *testing.T, w *World) Report {
	t.Helper()
	events, err := w.Settle(t.Context(), 3*time.Minute)
	try(t, err)
	try(t, w.Stop(t.Context()))
	r := w.Check(t.Context(), events)
	show(t, w, r)
	return r
}

// TestFinishedClipIsNotDisowned crashes Preroll when the clip has its name and the partial file is gone. Then every
// FFmpeg that reads the clip back is killed, as if the machine were out of memory. The event must keep its clip.
func TestFinishedClipIsNotDisowned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, small(1))
	ctx := t.Context()
	try(t, w.Start(ctx, "parts-removed"))
	try(t, w.Filled(ctx, 4*time.Second))
	w.Mails.Send("cam1", false)
	try(t, w.Ended(ctx, 40*time.Second))
	try(t, w.mode("deadly"))
	try(t, w.Start(ctx, ""))
	if _, err := w.Settle(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	try(t, w.mode(""))
	if r := finish(t, w); r.Clips != 1 || r.Failed > 0 {
		t.Errorf("%d clips, %d failed", r.Clips, r.Failed)
	}
}

// TestEndWhileTheArchiveHangs asks Preroll to end while the archive drive hangs. Preroll must end within seconds, and
// the next process must save the event.
func TestEndWhileTheArchiveHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failingDrive(1))
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	w.Drive.Set(faultfs.Faults{Hang: true})
	if !w.Mails.Send("cam1", false).Accepted() {
		t.Error("a mail is not accepted while the archive hangs")
	}
	began := time.Now()
	l := w.present()
	l.mean()
	try(t, l.cmd.Process.Signal(syscall.SIGTERM))
	try(t, w.Ended(ctx, 30*time.Second)) // 10 s on an idle machine
	t.Logf("it ended after %s", time.Since(began).Round(time.Millisecond))
	w.Drive.Set(faultfs.Faults{})
	try(t, w.Start(ctx, ""))
	finish(t, w)
}

// TestSlowArchive checks that nothing is lost on a drive that takes one megabyte per second.
func TestSlowArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failingDrive(2))
	ctx := t.Context()
	w.Drive.Set(faultfs.Faults{Rate: 1 << 20})
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	for range 3 {
		for _, c := range w.Cameras {
			w.Mails.Send(c.ID, false)
		}
		sleep(ctx, 1500*time.Millisecond)
	}
	if r := finish(t, w); r.Lost > 0 || r.Clips < 2 {
		t.Errorf("%d mails lost, %d clips", r.Lost, r.Clips)
	}
}

// TestFATArchive checks that an archive on a FAT drive holds the same as on any drive. FAT rejects names that Windows
// forbids, links and modes.
func TestFATArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failingDrive(1))
	ctx := t.Context()
	w.Drive.Set(faultfs.Faults{FAT: true})
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	w.Mails.Send("cam1", false)
	_, err := w.Settle(ctx, time.Minute)
	try(t, err)
	w.Mails.Send("cam1", false)
	try(t, w.Kill(ctx)) // the next process must go on with the files
	try(t, w.Start(ctx, ""))
	if r := finish(t, w); r.Events != 2 || r.Clips != 2 || r.Failed > 0 {
		t.Errorf("%d events, %d clips, %d failed", r.Events, r.Clips, r.Failed)
	}
}

// TestOddCameras records all kinds of odd cameras at once and saves an event of each. Each event must be whole, and
// exact by the counters of its frames.
func TestOddCameras(t *testing.T) {
	opt := small(0) // not parallel: the cameras and their clips keep two cores busy
	opt.RAM = 256 << 20
	for _, o := range Odds {
		opt.Cameras = append(opt.Cameras, o.CameraOptions)
	}
	w := newWorld(t, opt)
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 15*time.Second))
	sleep(ctx, 15*time.Second) // until Preroll knows how wrong the stamps are
	for n, c := range w.Cameras {
		if !w.Mails.Send(c.ID, false).Accepted() {
			t.Errorf("%s: its mail was not accepted", Odds[n].Name)
		}
	}
	list, err := w.Settle(ctx, 3*time.Minute)
	try(t, err)
	for n, c := range w.Cameras {
		i := slices.IndexFunc(list, func(e event.Event) bool { return e.Camera == c.ID })
		if i < 0 || list[i].State != event.Saved || len(list[i].Clips) != 1 {
			t.Errorf("%s: it should be: %s", Odds[n].Name, Odds[n].Expect)
			continue
		}
		info, clip := c.Info(), list[i].Clips[0]
		counters, err := camtest.Frames(ctx, list[i].Path(w.settings.Archive.Path, clip.File))
		if err != nil || len(counters) == 0 {
			t.Errorf("%s: %d frames, %v", Odds[n].Name, len(counters), err)
			continue
		}
		first, last := info.Time(counters[0], clip.Start), info.Time(counters[len(counters)-1], clip.End)
		const off = 200*time.Millisecond + time.Second/fps
		if a, b := clip.Start.Sub(first), clip.End.Sub(last); a.Abs() > off || b < -off || b > off+time.Second/fps {
			t.Errorf("%s: the clip begins %s and ends %s late by its receipt", Odds[n].Name, a, b-time.Second/fps)
		}
	}
	finish(t, w)
}

// TestSixteenAtOnce triggers sixteen cameras in the same second, while another camera comes and goes. Each of the
// sixteen must have its own event.
func TestSixteenAtOnce(t *testing.T) {
	t.Parallel()
	opt := small(17)
	opt.RAM = 256 << 20
	w := newWorld(t, opt)
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	flapping := w.Cameras[16]
	flaps, stop := context.WithCancel(ctx)
	var unsteady sync.WaitGroup
	unsteady.Go(func() {
		for flaps.Err() == nil {
			flapping.Down()
			sleep(flaps, 700*time.Millisecond)
			if err := flapping.Up(); err != nil {
				t.Error(err)
			}
			sleep(flaps, 2*time.Second)
		}
	})
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range w.Cameras[:16] {
		wg.Go(func() {
			if m := w.Mails.Send(c.ID, false); !m.Accepted() {
				t.Errorf("%s: %d %v", c.ID, m.Code, m.Err)
			}
		})
	}
	wg.Wait()
	t.Logf("16 mails were answered within %s", time.Since(began).Round(time.Millisecond))
	_, err := w.Settle(ctx, 3*time.Minute)
	stop()
	unsteady.Wait()
	try(t, err)
	if r := finish(t, w); r.Events != 16 || r.Clips != 16 || r.Explained > 0 {
		t.Errorf("%d events, %d clips, %d frames missing", r.Events, r.Clips, r.Explained)
	}
}

// TestTenThousandMails sends ten thousand mails for one camera. Every mail must be counted in one event, and memory
// must not grow with the mails.
func TestTenThousandMails(t *testing.T) {
	t.Parallel()
	opt := small(1)
	opt.Longest = 10 * time.Minute
	w := newWorld(t, opt)
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	before, err := w.use(ctx)
	try(t, err)
	began := time.Now()
	jobs := make(chan struct{}, 10000)
	for range cap(jobs) {
		jobs <- struct{}{}
	}
	close(jobs)
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for range jobs {
				if m := w.Mails.Send("cam1", true); !m.Accepted() {
					t.Errorf("%d %v", m.Code, m.Err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	after, err := w.use(ctx)
	try(t, err)
	t.Logf("10,000 mails within %s; before: %s; after: %s", took.Round(time.Millisecond), before, after)
	if after.Memory > before.Memory+(64<<20) {
		t.Errorf("memory grew from %s to %s", before, after)
	}
	if r := finish(t, w); r.Triggers != 10000 || r.Lost != 0 || r.Events != 1 {
		t.Errorf("%d mails answered, %d lost, %d events", r.Triggers, r.Lost, r.Events)
	}
}

// TestAlarmsWithoutAPause checks that alarms without a pause become a chain of events without a gap.
func TestAlarmsWithoutAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, small(1))
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	for n := 0; ctx.Err() == nil; n++ {
		if m := w.Mails.Send("cam1", n%3 == 0); !m.Accepted() {
			t.Fatalf("%d %v", m.Code, m.Err)
		}
		sleep(ctx, 500*time.Millisecond)
	}
	if r := finish(t, w); r.Events < 4 || r.Unexplained > 0 || r.Explained > 0 {
		t.Errorf("%s", fmt.Sprint(r))
	}
}

// TestStartWhileTheArchiveHangs starts Preroll while its archive hangs, like a NAS that is down when the machine boots.
// Preroll must listen and record at once, and save the event when the archive answers.
func TestStartWhileTheArchiveHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failingDrive(1))
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	w.Mails.Send("cam1", false)
	_, err := w.Settle(ctx, time.Minute)
	try(t, err)
	try(t, w.Stop(ctx))
	w.Drive.Set(faultfs.Faults{Hang: true})
	began := time.Now()
	try(t, w.Start(ctx, ""))
	t.Logf("started after %s", time.Since(began).Round(100*time.Millisecond))
	try(t, w.Filled(ctx, 4*time.Second))
	if !w.Mails.Send("cam1", true).Accepted() {
		t.Error("a mail is not accepted while the archive hangs")
	}
	sleep(ctx, 3*time.Second)
	w.Drive.Set(faultfs.Faults{})
	if r := finish(t, w); r.Clips != 2 || r.Failed > 0 {
		t.Errorf("%d clips, %d failed", r.Clips, r.Failed)
	}
}

// TestTwoRecorders checks that a second recorder on the same RAM disk or archive names the first one and exits with
// status 5.
func TestTwoRecorders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, small(1))
	ctx := t.Context()
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, 4*time.Second))
	w.Mails.Send("cam1", false)
	_, err := w.Settle(ctx, time.Minute)
	try(t, err)
	for name, change := range map[string]func(*config.Settings){
		"RAM disk": func(s *config.Settings) { s.Archive.Path = t.TempDir() },
		"archive":  func(s *config.Settings) { s.RAMDisk.Path = filepath.Join(t.TempDir(), "ram") },
	} {
		s := w.settings.Clone()
		change(&s)
		s.SMTP.Listen = "127.0.0.1:0"
		file := filepath.Join(t.TempDir(), "preroll.toml")
		try(t, config.Save(file, s))
		out, err := exec.CommandContext(ctx, w.opt.Program, "record", "--config", file).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 5 ||
			!strings.Contains(string(out), "is used by another Preroll (process ") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	w.Mails.Send("cam1", true)
	finish(t, w)
}

//go:build linux

package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
)

// failing returns a fault that makes the drive fail for a while.
func failing(f func(*Fault) faultfs.Faults) func(context.Context, *Fault) (func() error, error) {
	return func(_ context.Context, t *Fault) (func() error, error) {
		if t.World.Drive == nil {
			return nil, errNothing
		}
		faults := f(t)
		answers := func() {}
		if faults.Hang {
			answers = t.World.hang()
		}
		t.World.Drive.Set(faults)
		return func() error {
			t.World.Drive.Set(faultfs.Faults{})
			answers()
			return nil
		}, nil
	}
}

func unplug(_ context.Context, t *Fault) (func() error, error) {
	if t.World.Drive == nil {
		return nil, errNothing
	}
	return t.World.Drive.Plug, t.World.Drive.Unplug()
}

// away moves a folder away, and returns a function that moves the folder back.
func away(dir string) (func() error, error) {
	return func() error {
		_ = os.Remove(dir) // an empty folder that a start of Preroll made
		return os.Rename(dir+"-away", dir)
	}, os.Rename(dir, dir+"-away")
}

var driveKinds = []Kind{
	{Name: "the archive is full", Lacks: nothing, Area: "archive", Weight: 3, Min: 3 * second, Max: 15 * second,
		Expect: "video waits in RAM; it is saved when there is room",
		Do: failing(func(t *Fault) faultfs.Faults {
			if t.Rand.IntN(2) == 0 {
				return faultfs.Faults{Full: true}
			}
			return faultfs.Faults{Room: 1 + t.Rand.Int64N(500_000)}
		})},
	{Name: "the archive is read-only", Lacks: nothing, Area: "archive", Weight: 2, Min: 3 * second, Max: 15 * second,
		Expect: "video waits in RAM",
		Do:     failing(func(*Fault) faultfs.Faults { return faultfs.Faults{ReadOnly: true} })},
	{Name: "the archive is unplugged", Lacks: nothing, Area: "archive", Weight: 3, Min: 2 * second, Max: 15 * second,
		Expect: "video waits in RAM", Do: unplug},
	{Name: "the archive is unplugged for longer than the ring", Area: "archive", Weight: 1, Min: 40 * second,
		Max: 70 * second, Long: true,
		Expect: "video of events waits in RAM, as long as it lasts; what is missing then is named", Do: unplug},
	{Name: "the archive is slow", Lacks: nothing, Area: "archive", Weight: 2, Min: 5 * second, Max: 15 * second,
		Expect: "video waits in RAM",
		Do: failing(func(t *Fault) faultfs.Faults {
			return faultfs.Faults{Rate: 20_000 + t.Rand.Int64N(400_000)}
		})},
	{Name: "the archive hangs", Lacks: nothing, Area: "archive", Weight: 2, Min: 5 * second, Max: 20 * second,
		Expect: "video waits in RAM; mails are accepted meanwhile",
		Do:     failing(func(*Fault) faultfs.Faults { return faultfs.Faults{Hang: true} })},
	{Name: "the archive has bad sectors", Lacks: nothing, Area: "archive", Weight: 2, Min: 5 * second,
		Max: 15 * second, Expect: "what was not written is written again",
		Do: failing(func(t *Fault) faultfs.Faults {
			return faultfs.Faults{WriteErr: syscall.EIO, ReadErr: syscall.EIO, RenameErr: syscall.EIO,
				Chance: 0.05 + t.Rand.Float64()*0.4}
		})},
	{Name: "fsync fails", Lacks: nothing, Area: "archive", Weight: 2, Min: 3 * second, Max: 15 * second,
		Expect: "what was not durable is written again",
		Do: failing(func(t *Fault) faultfs.Faults {
			return faultfs.Faults{SyncErr: syscall.EIO, Chance: 0.1 + t.Rand.Float64()*0.5}
		})},
	{Name: "the archive does what it is asked and says that it failed", Lacks: nothing, Area: "archive", Weight: 2,
		Min: 3 * second, Max: 15 * second, Expect: "what is done counts as done; nothing is there twice",
		Do: failing(func(t *Fault) faultfs.Faults {
			return faultfs.Faults{DoneErr: syscall.EIO, Chance: 0.1 + t.Rand.Float64()*0.5}
		})},
	{Name: "another drive is at the archive's place", Lacks: nothing, Area: "archive", Weight: 2, Min: 2 * second,
		Max: 12 * second, Expect: "nothing is written to it, and no event is forgotten; video waits in RAM",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			dir := t.World.Archive()
			back, err := away(dir)
			if err != nil {
				return nil, err
			}
			theirs := filepath.Join(dir, "theirs.txt")
			err = errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(theirs, []byte("a stranger's"), 0o600))
			return func() error {
				list, lerr := os.ReadDir(dir)
				if len(list) != 1 {
					lerr = errors.Join(lerr, fmt.Errorf("%d files are on the other drive", len(list)))
				}
				return errors.Join(lerr, os.RemoveAll(dir), back())
			}, err
		}},
	{Name: "the archive's folder is renamed", Lacks: nothing, Area: "archive", Weight: 2, Min: 2 * second,
		Max: 12 * second, Expect: "video waits in RAM until it is back",
		Do: func(_ context.Context, t *Fault) (func() error, error) { return away(t.World.Archive()) }},
	{Name: "foreign files lie in the archive", Lacks: nothing, Area: "archive", Weight: 1, Max: second,
		Expect: "they do no harm, and none is done to them",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			w := t.World
			now := time.Now().Add(between(t.Rand, -20*second, 20*second)).Local()
			dir := filepath.Join(w.Archive(), w.Cameras[t.Rand.IntN(len(w.Cameras))].ID, now.Format("2006"),
				now.Format("01"), now.Format("02"))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			stem := filepath.Join(dir, now.Format("2006-01-02_15-04-05-0700")+"_motion")
			for _, path := range []string{stem + ".mp4", stem + ".txt", filepath.Join(dir, "notes.json"),
				filepath.Join(w.Archive(), "holiday.mp4")} {
				f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
				if os.IsExist(err) {
					continue
				}
				if err != nil {
					return nil, err
				}
				w.foreign(path)
				_, _ = f.WriteString("a stranger's")
				_ = f.Close()
			}
			return nil, nil
		}},
}

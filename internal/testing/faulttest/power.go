//go:build linux

package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
)

// mountDisk mounts a failing disk over a folder of the world.
func (w *World) mountDisk(at string, kind faultfs.Kind) (*faultfs.Disk, error) {
	backing := at + "-backing"
	if err := os.MkdirAll(backing, 0o700); err != nil {
		return nil, err
	}
	return faultfs.Mount(backing, at, kind)
}

// CutPower ends Preroll, if it runs, and its FFmpegs like a power cut: bytes without fsync are missing from both disks
// in whole or in part, and the RAM disk is empty. The world must have been made with Options.Power. Start starts the
// machine again.
func (w *World) CutPower(ctx context.Context, loss faultfs.Loss, rng *rand.Rand) error {
	w.present().mean()
	// Both disks lose power at the same moment, so nothing may be written between the images of the two disks.
	stopped := pids(w.ffmpegs(false))
	if pid := w.pid(); pid != 0 {
		stopped = append(stopped, pid)
	}
	for _, pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	w.cuts++
	images := map[string]string{}
	var errs []error
	for _, d := range []struct {
		disk *faultfs.Disk
		at   string
	}{{w.State, w.state}, {w.Drive, w.drive}} {
		image := fmt.Sprintf("%s-image%d", d.at, w.cuts)
		images[d.at] = image
		errs = append(errs, os.Mkdir(image, 0o700), d.disk.PowerCut(loss, rng, image))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := w.Ended(ctx, busyTimeout); err != nil {
		return err
	}
	w.forgetClient()
	for _, at := range []string{w.state, w.drive} {
		disk := &w.State
		if at == w.drive {
			disk = &w.Drive
		}
		if err := (*disk).Close(); err != nil {
			return err
		}
		next, err := faultfs.Mount(images[at], at, faultfs.Strict)
		if err != nil {
			return err
		}
		*disk = next
	}
	rings, err := filepath.Glob(filepath.Join(w.ramMount(), "*"))
	for _, r := range rings {
		err = errors.Join(err, clear(r))
	}
	return err
}

func pids(list []process) (pids []int) {
	for _, p := range list {
		pids = append(pids, p.pid)
	}
	return pids
}

// forgetClient drops the connection to a recorder that is gone.
func (w *World) forgetClient() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}

package recorder

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ring"
)

// Limits of what may hang because the archive drive does.
const (
	driveTime  = 300 * time.Millisecond // that a look is waited for; then what was seen last counts
	driveHangs = 10 * time.Second       // after which the drive counts as one that does not answer
)

// drive is what was seen of the archive drive. A look at one that hangs never comes back, and nothing can end it, so a
// look has a goroutine of its own that nobody waits for; there is at most one.
type drive struct {
	mu    sync.Mutex // guards all below
	begun time.Time  // of the look that is out; zero if none is
	path  string
	disk  ring.Disk
	err   error // why it cannot be written
}

// look looks at the drive and returns its sizes and why it cannot be written.
func (d *drive) look(path string) (ring.Disk, error) {
	d.mu.Lock()
	if d.begun.IsZero() {
		d.begun = time.Now()
		done := make(chan struct{})
		d.mu.Unlock()
		go func() {
			disk, err := lookAtDrive(path)
			d.mu.Lock()
			d.begun, d.path, d.disk, d.err = time.Time{}, path, disk, err
			d.mu.Unlock()
			close(done)
		}()
		timer := time.NewTimer(driveTime)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if !d.begun.IsZero() && time.Since(d.begun) > driveHangs {
		return ring.Disk{}, archive.ErrSilent
	}
	if d.path != path {
		return ring.Disk{}, nil
	}
	return d.disk, d.err
}

func lookAtDrive(path string) (ring.Disk, error) {
	disk, _ := ring.DiskOf(path)                           // a folder that was not made yet has no sizes
	if _, err := os.Stat(filepath.Dir(path)); err != nil { // an idle recorder does not touch the drive, but its user wants to know
		return disk, err
	}
	return disk, archive.Writable(path)
}

// watchArchive tells of events that are removed or copied back by hand, until ctx ends. A drive that hangs then is not waited
// for, against the rule that whoever starts a goroutine waits for it: no call can end a system call.
func (r *Recorder) watchArchive(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.archive.WatchFiles(ctx, func(removed, added []event.Event) {
			for _, e := range removed {
				r.hub.eventRemoved(e.ID)
				r.noteRemoved(e, byHand)
			}
			for _, e := range added {
				r.hub.eventChanged(e)
			}
			r.hub.statusChanged()
		})
	}()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// seen drops the events of a list whose clips were removed by hand, if the drive tells in time.
func (r *Recorder) seen(look func() (kept, removed []event.Event), list []event.Event) (kept, removed []event.Event) {
	select {
	case r.looking <- struct{}{}:
	default:
		return list, nil
	}
	type result struct{ kept, removed []event.Event }
	done := make(chan result, 1)
	go func() {
		defer func() { <-r.looking }()
		kept, removed := look()
		done <- result{kept, removed}
	}()
	timer := time.NewTimer(driveTime * 5)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.kept, got.removed
	case <-timer.C:
		return list, nil
	}
}

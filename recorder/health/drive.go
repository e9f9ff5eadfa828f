package health

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
)

// Limits of what may hang because the archive drive does.
const (
	DriveTime  = 300 * time.Millisecond // how long a check of the drive is waited for; then the last result counts
	DriveHangs = 10 * time.Second       // after which a drive counts as silent
)

// Drive keeps the last known state of the archive drive. A check of a drive that hangs never returns, and nothing can
// end it, so each check has a goroutine of its own that nobody waits for. There is at most one.
type Drive struct {
	mu    sync.Mutex // guards all below
	begun time.Time  // when the pending check began; zero if none is pending
	path  string
	disk  disk.Disk
	err   error // why it cannot be written
}

// Check returns the sizes of the drive, and an error if it cannot be written.
func (d *Drive) Check(path string) (disk.Disk, error) {
	d.mu.Lock()
	if d.begun.IsZero() {
		d.begun = time.Now()
		done := make(chan struct{})
		d.mu.Unlock()
		go func() {
			is, err := checkDrive(path)
			d.mu.Lock()
			d.begun, d.path, d.disk, d.err = time.Time{}, path, is, err
			d.mu.Unlock()
			close(done)
		}()
		timer := time.NewTimer(DriveTime)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if !d.begun.IsZero() && time.Since(d.begun) > DriveHangs {
		return disk.Disk{}, archive.ErrSilent
	}
	if d.path != path {
		return disk.Disk{}, nil
	}
	return d.disk, d.err
}

func checkDrive(path string) (disk.Disk, error) {
	is, _ := disk.Of(path) // a folder that was not made yet has no sizes
	// an idle recorder does not touch the drive, but its user wants to know
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return is, err
	}
	return is, disk.Writable(path)
}

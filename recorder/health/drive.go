package health

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
)

// Limits for an archive drive that may hang.
const (
	DriveTime  = 300 * time.Millisecond // how long to wait for a check of the drive; after that the last result counts
	DriveHangs = 10 * time.Second       // after this time a drive counts as silent
)

// Drive keeps the last known state of the archive drive. The check of a drive that hangs never returns, and nothing can
// end it. So each check has its own goroutine that nobody waits for. At most one check runs.
type Drive struct {
	mu    sync.Mutex // guards all fields below
	begun time.Time  // when the running check began; zero if none runs
	path  string
	disk  disk.Disk
	err   error // why the drive cannot be written, or nil
}

// Check returns the sizes of the drive, and an error if the drive cannot be written.
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
	is, _ := disk.Of(path) // a folder that does not exist yet has no sizes

	// An idle recorder does not touch the drive, but the user wants to know whether the drive is there.
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return is, err
	}
	return is, disk.Writable(path)
}

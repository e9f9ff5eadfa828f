package recorder

import (
	"errors"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
)

// claimTime is how long the start waits for the archive drive to find out whether another recorder uses it.
const claimTime = time.Second

// claim returns a [*lockfile.InUseError] if another recorder uses the folder on the RAM disk or the archive. A missing
// folder or drive is no error, because it may come later.
func (r *Recorder) claim() error {
	r.prepareRAM()
	var taken *lockfile.InUseError
	if errors.As(r.ram.usable(), &taken) {
		return taken
	}
	claimed := make(chan error, 1)
	go func() { claimed <- r.archive.Claim() }() // never returns if the drive hangs
	timer := time.NewTimer(claimTime)
	defer timer.Stop()
	select {
	case err := <-claimed:
		return err
	case <-timer.C:
		return nil
	}
}

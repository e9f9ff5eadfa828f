package recorder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/preroll/preroll/internal/durable"
)

// awayFile is a file in the state folder that is there while the user is away.
const awayFile = "away"

// loadAway reads whether the user was away when the last process ended.
func (r *Recorder) loadAway() {
	_, err := os.Stat(filepath.Join(r.paths.State, awayFile))
	r.away.Store(err == nil)
}

// SetAway says whether the user is away. Some targets get word only then. It lasts over a restart.
func (r *Recorder) SetAway(on bool) error {
	path := filepath.Join(r.paths.State, awayFile)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if on {
		err = durable.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		return err
	}
	r.away.Store(on)
	r.hub.statusChanged()
	return nil
}

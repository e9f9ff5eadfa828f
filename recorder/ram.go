package recorder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// ramFolder is the folder on the RAM disk. Only this recorder uses it.
type ramFolder struct {
	mu   sync.Mutex // guards all fields
	path string     // as prepared last
	err  error      // why the folder cannot be used, or nil
	lock *lockfile.Lock
}

// usable returns why the folder cannot be used, or nil.
func (f *ramFolder) usable() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// prepare creates the folder, checks that it can be used, and locks it. It reports whether the result differs from the
// last one.
func (f *ramFolder) prepare(path string) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err = makeRAM(path)
	if err == nil {
		err = f.acquire(path)
	}
	changed = fmt.Sprint(err) != fmt.Sprint(f.err)
	f.err, f.path = err, path
	return changed, err
}

// in returns the path of a file in the folder, or "" while the folder cannot be used: it may be another user's then.
func (f *ramFolder) in(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || f.path == "" {
		return ""
	}
	return filepath.Join(f.path, name)
}

func makeRAM(path string) error {
	if err := os.Mkdir(path, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
		return text.NotAFolder.Error(path)
	}
	if err := checkOwner(path); err != nil {
		return err
	}
	return durable.Try(path)
}

// acquire locks the folder, because another recorder would take this recorder's events for its own. f.mu is held.
func (f *ramFolder) acquire(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if f.lock.Holds(root) {
		return nil
	}
	lock, err := lockfile.Acquire(root)
	if err != nil {
		return err
	}
	f.lock.Release()
	f.lock = lock
	return nil
}

func (f *ramFolder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lock.Release()
}

// prepareRAM prepares the folder on the RAM disk and reports whether it can be used.
func (r *Recorder) prepareRAM() (usable bool) {
	changed, err := r.ram.prepare(r.Settings().RAMDisk.Path)
	switch {
	case changed && err != nil:
		r.recordHistory(history.RAMLost, "", text.Of(err))
		r.log.Error("the RAM disk cannot be used", "err", err)
	case changed:
		r.recordHistory(history.RAMBack, "", text.Text{})
	}

	return err == nil
}

// ramReserve is the number of bytes that stay free on the RAM disk. A full disk must never stop FFmpeg, because FFmpeg
// reports no error then.
const ramReserve = 24 << 20

// fitRAM lowers the budget to the space that the RAM disk really has.
func (r *Recorder) fitRAM() {
	s := r.Settings()
	limit := int64(s.RAMDisk.Budget)
	if d, err := disk.Of(s.RAMDisk.Path); err == nil {
		if used, _ := r.budget.Used(); d.Free < limit {
			limit = min(limit, used+d.Free-ramReserve)
		}
	}
	r.budget.SetLimit(limit)
}

// ramPathName is the file in the state folder that holds the last process's path of the RAM disk.
const ramPathName = "ram-disk"

func (r *Recorder) writeRAMPath(path string) {
	if err := durable.WriteFile(filepath.Join(r.paths.State, ramPathName), []byte(path), 0o600); err != nil {
		r.log.Warn("the RAM disk's path was not noted", "err", err)
	}
}

// eraseMoved removes what earlier processes left in RAM, if their path of the RAM disk differs from the current path.
func (r *Recorder) eraseMoved() {
	path := r.Settings().RAMDisk.Path
	b, _ := os.ReadFile(filepath.Join(r.paths.State, ramPathName))
	old := strings.TrimSpace(string(b))
	if old == path {
		return
	}
	if filepath.IsAbs(old) {
		list, _ := os.ReadDir(old)
		for _, f := range list {
			if f.IsDir() && config.CameraID(f.Name()) {
				ring.EraseAll(filepath.Join(old, f.Name()))
			}
		}
		_ = os.Remove(old) // fails if other files are left
	}

	r.writeRAMPath(path)
}

package recorder

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/recorder/config"
)

// settingsRest is how long the settings file must stay unchanged before it is read, because editors write in several
// steps.
const settingsRest = 300 * time.Millisecond

// watchSettings puts changes in force that somebody makes in the settings file by hand. It returns when ctx ends.
func (r *Recorder) watchSettings(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer func() { _ = w.Close() }()
		if err = os.MkdirAll(filepath.Dir(r.paths.File), 0o700); err == nil {
			err = w.Add(filepath.Dir(r.paths.File))
		}
	}
	if err != nil {
		r.log.Warn("a change of the settings file will not be noticed", "err", err)
		return
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-w.Events:
			if filepath.Base(ev.Name) == filepath.Base(r.paths.File) {
				timer.Reset(settingsRest)
			}
		case err := <-w.Errors:
			r.log.Warn("settings watch lost events", "err", err)
			timer.Reset(settingsRest)
		case <-timer.C:
			r.Reload()
		}
	}
}

// Reload reads the settings file. It puts the settings in force if they differ from those in force and have no
// faults.
func (r *Recorder) Reload() {
	r.applying.Lock()
	defer r.applying.Unlock()
	s, found, err := config.Load(r.paths.File)
	if !found && err == nil { // the file was removed: the settings in force stay
		return
	}
	if err == nil {
		if reflect.DeepEqual(s, r.Settings()) {
			r.mu.Lock()
			r.fileErr = nil
			r.mu.Unlock()
			r.hub.statusChanged()
			return
		}

		err = config.CheckFolders(s, r.Settings()).Err()
	}

	if err == nil {
		r.putInForce(s)
		return
	}
	r.log.Error("the settings file was changed and is not in force", "err", err)
	r.mu.Lock()
	r.fileErr = err
	r.mu.Unlock()
	r.hub.statusChanged()
}

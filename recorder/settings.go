package recorder

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ring"
)

// Settings returns the settings in force.
func (r *Recorder) Settings() config.Settings {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings.Clone()
}

// Apply checks and saves new settings and puts them in force. Cameras that did not change go on recording. The error is
// [config.Faults] where the settings are wrong; then nothing has changed.
func (r *Recorder) Apply(s config.Settings) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	s.KeepSecrets(r.Settings())
	if err := append(config.Validate(s), config.CheckFolders(s, r.Settings())...).Err(); err != nil {
		return err
	}
	if err := config.Save(r.places.File, s); err != nil {
		return err
	}
	r.putInForce(s)
	return nil
}

// putInForce replaces the settings. r.applying is held.
func (r *Recorder) putInForce(s config.Settings) {
	r.mu.Lock()
	old := r.settings
	r.settings, r.fileErr = s.Clone(), nil
	ctx := r.ctx
	r.mu.Unlock()
	r.log.Info("settings changed", "cameras", len(s.Cameras))
	openTo(s.Archive.Group)
	r.archive.SetRoot(s.Archive.Path)
	if ctx == nil {
		return
	}
	if s.FFmpeg != old.FFmpeg {
		r.findFFmpeg(ctx)
	}
	if s.Archive != old.Archive {
		r.archiveTrouble(nil)
		r.lookAtLimits()
	}
	r.prepareRAM()
	r.reconcile()
	if s.RAMDisk.Path != old.RAMDisk.Path {
		r.writeRAMPath(s.RAMDisk.Path)
	}
	if !reflect.DeepEqual(s.SMTP, old.SMTP) {
		select {
		case r.mailed <- struct{}{}:
		default:
		}
	}
	r.hub.statusChanged()
}

// settingsRest is for how long the settings file must not change before it is read: editors write in several steps.
const settingsRest = 300 * time.Millisecond

// watchSettings puts in force what somebody changes in the settings file by hand, until ctx ends.
func (r *Recorder) watchSettings(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer func() { _ = w.Close() }()
		if err = os.MkdirAll(filepath.Dir(r.places.File), 0o700); err == nil {
			err = w.Add(filepath.Dir(r.places.File))
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
			if filepath.Base(ev.Name) == filepath.Base(r.places.File) {
				timer.Reset(settingsRest)
			}
		case err := <-w.Errors:
			r.log.Warn("settings watch lost events", "err", err)
			timer.Reset(settingsRest)
		case <-timer.C:
			r.readSettings()
		}
	}
}

// readSettings reads the settings file, and puts it in force if it is another one and without faults.
func (r *Recorder) readSettings() {
	r.applying.Lock()
	defer r.applying.Unlock()
	s, found, err := config.Load(r.places.File)
	if !found && err == nil { // it was removed: what is in force stays
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

// ramPathName is the file in the state folder that holds the RAM disk's path of the last process.
const ramPathName = "ram-disk"

func (r *Recorder) writeRAMPath(path string) {
	if err := durable.WriteFile(filepath.Join(r.places.State, ramPathName), []byte(path), 0o600); err != nil {
		r.log.Warn("the RAM disk's path was not noted", "err", err)
	}
}

// eraseMoved removes what earlier processes left in RAM at another path than the present one.
func (r *Recorder) eraseMoved() {
	path := r.Settings().RAMDisk.Path
	b, _ := os.ReadFile(filepath.Join(r.places.State, ramPathName))
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
		_ = os.Remove(old) // if nothing is left in it
	}
	r.writeRAMPath(path)
}

// eraseUnused removes from RAM what earlier processes left of cameras that are removed or switched off, unless an open event
// needs it.
func (r *Recorder) eraseUnused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := os.ReadDir(r.settings.RAMDisk.Path)
	if err != nil || r.ctx == nil || r.ramErr != nil {
		return
	}
	for _, f := range list {
		if id := f.Name(); f.IsDir() && config.CameraID(id) && r.cameras[id] == nil && r.retiring[id] == nil {
			if cfg, ok := r.settings.Camera(id); !ok || !cfg.Enabled {
				ring.EraseAll(r.cameraDir(id))
			}
		}
	}
}

// Package camera runs the cameras: each fills its ring from its source, and opens an incident when it is triggered.
//
// In go the settings and triggers; out come segments in RAM, events (by package clip) and the state of each camera. A
// Set owns all cameras. Each camera has one goroutine that supervises its source while it records, and one for each
// open incident. Stop ends and awaits them all.
package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Options is what the cameras need of their recorder.
type Options struct {
	Archive       *archive.Archive
	Copier        *clip.Copier
	Budget        *ring.Budget
	FFmpeg        func() (*ffmpeg.Tool, error)
	RecordHistory func(kind history.Kind, camera string, why text.Text) // adds to the history; must not block
	Changed       func()                                                // the state of a camera changed; must not block
	Started       time.Time                                             // of this process
	Log           *slog.Logger
}

// Set is the cameras of the settings. Make one with NewSet.
type Set struct {
	opt      Options
	drawing  chan struct{}  // a slot for the one FFmpeg that makes stills
	resumed  chan struct{}  // closed when the events of an earlier process were taken up
	once     sync.Once      // closes it
	ending   sync.WaitGroup // cameras that end
	resuming sync.Mutex     // one Resume at a time; taken before mu

	mu       sync.Mutex // guards all below
	settings config.Settings
	usable   bool // the RAM folder
	active   bool
	ctx      context.Context // of Start
	slots    map[string]*slot
	lacking  bool // a camera could not be started
	waiting  bool // open events could not be taken up
}

// state is what a camera of a set does.
type state int

const (
	opened    state = iota // its ring is open, for events that an earlier process left; no source fills it
	recording              // its source fills its ring
	ending                 // it was removed or switched off, and its open event is being saved
)

// slot is a camera and its state. Two cameras never share a folder: who comes after one that is ending waits.
type slot struct {
	*camera
	state state
	ended chan struct{} // closed when a camera that is ending has ended
}

// Errors that a caller decides by.
var (
	ErrNoCamera = text.NoSuchCamera.Error()
	ErrOff      = text.CameraIsOff.Error()

	errStopping = text.Stopping.Error()
)

// NewSet returns the cameras of some settings. None records before Start and Apply.
func NewSet(o Options, s config.Settings) *Set {
	return &Set{opt: o, settings: s, drawing: make(chan struct{}, 1), resumed: make(chan struct{}),
		slots: map[string]*slot{}}
}

// Start lets cameras record until ctx ends.
func (s *Set) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.active = ctx, true
}

// Stop ends all cameras, whose context has ended, and waits for them. No trigger is accepted any more. Open events stay
// open for the next process.
func (s *Set) Stop() {
	s.mu.Lock()
	s.active = false
	var list []*camera
	for _, c := range s.slots {
		if c.state != ending {
			list = append(list, c.camera)
		}
	}
	s.mu.Unlock()
	for _, c := range list {
		c.stop()
	}
	s.ending.Wait()
}

// context is the context of what cameras do; running is false before Start and after Stop.
func (s *Set) context() (ctx context.Context, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx, s.active
}

// running reports whether the cameras go on.
func (s *Set) running() bool {
	ctx, running := s.context()
	return running && ctx.Err() == nil
}

// keep is the length of the rings.
func (s *Set) keep() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.RAMDisk.Keep.D()
}

// dir is a camera's folder on the RAM disk. s.mu is held.
func (s *Set) dir(id string) string { return filepath.Join(s.settings.RAMDisk.Path, id) }

// recording returns a camera that records, or nil. s.mu is held.
func (s *Set) recording(id string) *camera {
	if c := s.slots[id]; c != nil && c.state == recording {
		return c.camera
	}
	return nil
}

// all returns the cameras that record. s.mu is not held.
func (s *Set) all() (list []*camera) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.slots {
		if c.state == recording {
			list = append(list, c.camera)
		}
	}
	return list
}

// Configure keeps new settings. Triggers follow them at once, and cameras with the next Apply.
func (s *Set) Configure(settings config.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = settings
}

// Apply makes the cameras those of the settings: new ones start, removed ones end, changed ones connect again. usable
// reports whether the RAM folder can be used; as long as it cannot, nothing changes.
func (s *Set) Apply(usable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usable = usable
	s.reconcile()
}

// reconcile is Apply. s.mu is held.
func (s *Set) reconcile() {
	if !s.active || !s.usable {
		return
	}
	for id, c := range s.slots {
		if c.state == recording && !s.wanted(id, c.camera) {
			s.opt.RecordHistory(history.Off, id, text.Text{})
			s.retire(id, c)
		}
	}
	s.lacking = false
	for _, cfg := range s.settings.Cameras {
		if !cfg.Enabled {
			continue
		}
		if c := s.slots[cfg.ID]; c != nil { // one that is ending comes back when it has ended
			if c.state == recording {
				c.configure(cfg, s.settings.Lengths(cfg), s.settings.RAMDisk.Keep.D())
			}
			continue
		}
		c, err := s.newCamera(cfg)
		if err != nil {
			s.opt.Log.Error("camera does not start", "camera", cfg.ID, "err", err)
			s.lacking = true
			continue
		}
		s.slots[cfg.ID] = &slot{camera: c, state: recording}
		c.start(s.ctx)
	}
}

// wanted reports whether the settings want a camera to record where it does. s.mu is held.
func (s *Set) wanted(id string, c *camera) bool {
	cfg, ok := s.settings.Camera(id)
	return ok && cfg.Enabled && c.dir == s.dir(id)
}

// retire stops a camera, which may take until its open event is saved. s.mu is held.
func (s *Set) retire(id string, c *slot) {
	c.state, c.ended = ending, make(chan struct{})
	s.ending.Go(func() {
		c.stop()
		s.mu.Lock()
		if !s.wanted(id, c.camera) && s.active {
			c.ring.Erase()
		}
		delete(s.slots, id)
		s.reconcile()
		s.mu.Unlock()
		close(c.ended)
		s.opt.Changed()
	})
}

// DropLost ends the cameras whose folder on the RAM disk was removed; they start again in a new folder. It reports
// whether a camera, or an open event, waits for Resume and Apply to be called again.
func (s *Set) DropLost() (due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due = s.lacking || s.waiting
	for id, c := range s.slots {
		if c.state == recording && c.ring.FolderGone() {
			s.opt.Log.Error("the folder on the RAM disk is gone; the camera starts again", "camera", id, "path", c.dir)
			s.retire(id, c)
			due = true
		}
	}
	return due
}

// Short returns how many cameras have a ring that the RAM budget shortens.
func (s *Set) Short() (n int) {
	for _, c := range s.all() {
		if c.ring.Status().Short {
			n++
		}
	}
	return n
}

// restartTime is how long a trigger waits for a camera that starts again. Few cameras wait longer for the answer to
// their mail.
const restartTime = 20 * time.Second

// Trigger triggers a camera and returns the event's id, when the event is durable. A camera that starts again, since
// its RAM was lost, is waited for. Errors that a caller decides by are [ErrNoCamera] and [ErrOff].
func (s *Set) Trigger(ctx context.Context, id string, t event.Trigger) (string, error) {
	limited, cancel := context.WithTimeout(ctx, restartTime)
	defer cancel()
	s.awaitResumed(ctx)
	var ended *camera
	for {
		s.mu.Lock()
		c := s.slots[id]
		var state state
		if c != nil {
			state = c.state
		}
		running := s.active
		cfg, known := s.settings.Camera(id)
		s.mu.Unlock()
		switch {
		case !running:
			return "", errStopping
		case !known:
			return "", fmt.Errorf("%q: %w", id, ErrNoCamera)
		case !cfg.Enabled:
			return "", fmt.Errorf("%q: %w", id, ErrOff)
		case c == nil || state == opened:
			return "", text.CameraNotRecording.Error(id)
		case state == recording && c.camera != ended:
			event, err := c.trigger(ctx, t)
			if !errors.Is(err, errEnding) {
				return event, err
			}
			ended = c.camera
			continue
		case state == recording: // its end is not in the set yet
			return "", text.CameraNotRecording.Error(id)
		}
		select {
		case <-c.ended:
		case <-limited.Done():
			return "", fmt.Errorf("camera %q: %w", id, errEnding)
		}
	}
}

// Attach hands what came with a mail to its event, if that is still open.
func (s *Set) Attach(ctx context.Context, id, event string, e clip.Attachment) {
	s.mu.Lock()
	c := s.recording(id)
	s.mu.Unlock()
	if c != nil {
		c.attach(ctx, event, e)
	}
}

// Status returns the state of each camera of the settings.
func (s *Set) Status() (list []status.Camera) {
	s.mu.Lock()
	settings := s.settings
	s.mu.Unlock()
	for _, cfg := range settings.Cameras {
		s.mu.Lock()
		c := s.recording(cfg.ID)
		s.mu.Unlock()
		is := status.Camera{ID: cfg.ID, Name: cfg.Title(), State: status.Off, Text: text.StateOff.With()}
		if cfg.Enabled {
			is.State, is.Text = status.Waiting, text.StateWaitsForRAM.With()
		}
		if c != nil {
			is = c.status()
		}
		is.Notify = cfg.Notify
		list = append(list, is)
	}
	return list
}

// EraseUnused removes from RAM what earlier processes left of cameras that are removed or switched off, unless an open
// event needs it.
func (s *Set) EraseUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := os.ReadDir(s.settings.RAMDisk.Path)
	if err != nil || !s.active || !s.usable {
		return
	}
	for _, f := range list {
		if id := f.Name(); f.IsDir() && config.CameraID(id) && s.slots[id] == nil {
			if cfg, ok := s.settings.Camera(id); !ok || !cfg.Enabled {
				ring.EraseAll(s.dir(id))
			}
		}
	}
}

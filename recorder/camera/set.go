// Package camera runs the cameras. Each camera fills its ring from its source and opens an incident when it is
// triggered.
//
// Settings and triggers go in. Segments in RAM, events (made by package clip) and the state of each camera come out. A
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

// Options holds what the cameras need from their recorder.
type Options struct {
	Archive       *archive.Archive
	Copier        *clip.Copier
	Budget        *ring.Budget
	FFmpeg        func() (*ffmpeg.Tool, error)
	RecordHistory func(kind history.Kind, camera string, why text.Text) // adds to the history; must not block
	Changed       func()                                                // on a change of a camera; must not block
	Started       time.Time                                             // when this process started
	Early         *Early                                                // cameras that are read already; may be nil
	Log           *slog.Logger
}

// Set holds the cameras of the settings. Make one with NewSet.
type Set struct {
	opt      Options
	drawing  chan struct{}  // slot for the only FFmpeg that makes stills
	resumed  chan struct{}  // closed after the first Resume
	once     sync.Once      // closes resumed
	ending   sync.WaitGroup // cameras that are ending
	resuming sync.Mutex     // one Resume at a time; locked before mu

	mu       sync.Mutex // guards all fields below
	settings config.Settings
	usable   bool // the RAM folder can be used
	active   bool
	ctx      context.Context // of Start
	slots    map[string]*slot
	last     map[string]time.Time // when cameras were last triggered, as the index knows it
	lacking  bool                 // a camera could not be started
	waiting  bool                 // open events could not be resumed
}

// state says what a camera of a set does.
type state int

const (
	opened    state = iota // its ring is open for events that an earlier process left; no source fills it
	recording              // its source fills its ring
	ending                 // it was removed or switched off, and its open event is being saved
)

// slot is a camera and its state. Two cameras never share a folder: a camera waits while another camera with its id is
// ending.
type slot struct {
	*camera
	state state
	ended chan struct{} // closed when an ending camera has ended
}

// These are the errors that callers check for.
var (
	ErrNoCamera = text.NoSuchCamera.Error()
	ErrOff      = text.CameraIsOff.Error()

	errStopping = text.Stopping.Error()
)

// NewSet returns the cameras of the settings. None records before Start and Apply.
func NewSet(o Options, s config.Settings) *Set {
	return &Set{opt: o, settings: s, drawing: make(chan struct{}, 1), resumed: make(chan struct{}),
		slots: map[string]*slot{}, last: map[string]time.Time{}}
}

// --- Life cycle ---

// Start lets cameras record until ctx ends.
func (s *Set) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.active = ctx, true
}

// Stop ends all cameras and waits for them. The context of Start has ended before. No trigger is accepted any more.
// Open events stay open for the next process.
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

// context returns the context of Start. running is false before Start and after Stop.
func (s *Set) context() (ctx context.Context, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx, s.active
}

// running reports whether cameras may record.
func (s *Set) running() bool {
	ctx, running := s.context()
	return running && ctx.Err() == nil
}

// keep returns the length of the rings.
func (s *Set) keep() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.RAMDisk.Keep.D()
}

// dir returns the folder of a camera on the RAM disk. s.mu is held.
func (s *Set) dir(id string) string { return filepath.Join(s.settings.RAMDisk.Path, id) }

// recording returns the camera with the given id if it records, or nil. s.mu is held.
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

// --- Settings ---

// Configure stores new settings. Triggers follow them at once, cameras with the next Apply.
func (s *Set) Configure(settings config.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = settings
}

// Apply makes the running cameras match the settings: new cameras start, removed cameras end, changed cameras connect
// again. usable reports whether the RAM folder can be used. While it cannot, nothing changes.
func (s *Set) Apply(usable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usable = usable
	s.reconcile()
}

// reconcile does the work of Apply. s.mu is held.
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
		if c := s.slots[cfg.ID]; c != nil { // an ending camera comes back when it has ended
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

// wanted reports whether the settings want the camera to record in its current folder. s.mu is held.
func (s *Set) wanted(id string, c *camera) bool {
	cfg, ok := s.settings.Camera(id)
	return ok && cfg.Enabled && c.dir == s.dir(id)
}

// retire stops a camera in a goroutine, which waits until the open event is saved. s.mu is held.
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

// DropLost ends the cameras whose folder on the RAM disk was removed. They start again in a new folder. due reports
// whether a camera or an open event waits for the next Resume and Apply.
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

// Short returns the number of cameras whose ring is shortened by the RAM budget.
func (s *Set) Short() (n int) {
	for _, c := range s.all() {
		if c.ring.Status().Short {
			n++
		}
	}
	return n
}

// --- Triggers and status ---

// restartTime is how long a trigger waits for a camera that restarts. Few cameras wait longer for the answer to their
// mail.
const restartTime = 20 * time.Second

// Trigger triggers a camera. It returns the id of the event once the event is durable. If the camera restarts because
// its RAM was lost, Trigger waits for the camera. Callers check for the errors [ErrNoCamera] and [ErrOff].
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
				if err == nil {
					s.Remember(id, t.Time)
				}
				return event, err
			}
			ended = c.camera
			continue
		case state == recording: // it is stopped, but the set does not show this yet
			return "", text.CameraNotRecording.Error(id)
		}

		select {
		case <-c.ended:
		case <-limited.Done():
			return "", fmt.Errorf("camera %q: %w", id, errEnding)
		}
	}
}

// Attach gives an attachment of a mail to its event, if the event is still open.
func (s *Set) Attach(ctx context.Context, id, event string, e clip.Attachment) {
	s.mu.Lock()
	c := s.recording(id)
	s.mu.Unlock()
	if c != nil {
		c.attach(ctx, event, e)
	}
}

// Remember records when a camera was last triggered, before this process or before its settings changed.
func (s *Set) Remember(id string, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last[id].Before(last) {
		s.last[id] = last
	}
}

// Status returns the state of each camera in the settings.
func (s *Set) Status() (list []status.Camera) {
	s.mu.Lock()
	settings := s.settings
	s.mu.Unlock()
	for _, cfg := range settings.Cameras {
		s.mu.Lock()
		c, last := s.recording(cfg.ID), s.last[cfg.ID]
		s.mu.Unlock()
		is := status.Camera{ID: cfg.ID, Name: cfg.Title(), State: status.Off, Text: text.StateOff.With()}
		if cfg.Enabled {
			is.State, is.Text = status.Waiting, text.StateWaitsForRAM.With()
		}
		if c != nil {
			is = c.status()
		}
		if is.LastTrigger.Before(last) {
			is.LastTrigger = last
		}
		is.Notify = cfg.Notify
		list = append(list, is)
	}

	return list
}

// EraseUnused removes the data in RAM that earlier processes left of cameras that are removed or switched off. It keeps
// what an open event needs.
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
				eraseSmall(s.dir(id))
				ring.EraseAll(s.dir(id))
			}
		}
	}
}

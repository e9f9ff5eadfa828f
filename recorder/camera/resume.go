package camera

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// Resumed returns a channel that is closed after the first Resume.
func (s *Set) Resumed() <-chan struct{} { return s.resumed }

// resumeTime is how long a trigger waits for the first Resume, so that the trigger can extend an event that is still
// open.
const resumeTime = time.Second

// awaitResumed waits for the first Resume, but no longer than resumeTime.
func (s *Set) awaitResumed(ctx context.Context) {
	timer := time.NewTimer(resumeTime)
	defer timer.Stop()
	select {
	case <-s.resumed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Resume resumes the open events that no incident works on. These are the events that an earlier process left open, and
// later those that a rebuild of the index found. Resume drops pins that belong to no event. It opens cameras that do
// not record for as long as their events need them. Mails are accepted meanwhile.
func (s *Set) Resume(ctx context.Context) error {
	s.resuming.Lock()
	defer s.resuming.Unlock()
	defer s.once.Do(func() { close(s.resumed) })
	s.mu.Lock()
	path, usable := s.settings.RAMDisk.Path, s.usable
	s.mu.Unlock()
	if !usable { // without a RAM disk the events wait, and no camera records either
		return nil
	}
	err := s.recall(ctx, path)
	var open []event.Event
	if err == nil {
		open, err = s.opt.Archive.Unfinished(ctx)
	}
	waiting := err != nil
	for _, ev := range open {
		if ctx.Err() != nil {
			break
		}
		if s.opt.Copier.Working(ev.ID) {
			continue
		}

		// The event may have ended after it was listed.
		if now, err := s.opt.Archive.Get(ctx, ev.ID); err == nil && now.State.Ended() {
			continue
		}
		c, oerr := s.open(ev.Camera, ev.CameraName)
		if oerr == nil {
			oerr = c.resume(ctx, ev)
		}
		if c == nil || errors.Is(oerr, errEnding) {
			waiting = true
		}
		if oerr != nil {
			s.opt.Log.Error("open event is not resumed", "event", ev.ID, "camera", ev.Camera, "err", oerr)
		}
	}

	s.mu.Lock()
	s.waiting = waiting
	var list []*camera
	for _, c := range s.slots {
		if c.state != ending {
			list = append(list, c.camera)
		}
	}
	s.mu.Unlock()
	for _, c := range list {
		c.dropOrphans(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.slots {
		switch {
		case c.state != opened:
		case s.wanted(id, c.camera):
			c.state = recording
			c.start(s.ctx)
		default:
			s.retire(id, c)
		}
	}

	return err
}

// open returns the camera with the given id, and opens its ring if necessary. The error is errEnding if the camera is
// ending.
func (s *Set) open(id, name string) (*camera, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.slots[id]; c != nil && c.state == ending {
		return nil, errEnding // its open event is still being saved
	} else if c != nil {
		return c.camera, nil
	}
	if !event.CameraID(id) {
		return nil, fmt.Errorf("%q: %w", id, ErrNoCamera)
	}
	cfg, known := s.settings.Camera(id)
	if !known {
		cfg = config.NewCamera()
		cfg.ID, cfg.Name, cfg.Enabled = id, name, false
	}
	c, err := s.newCamera(cfg)
	if err == nil {
		s.slots[id] = &slot{camera: c, state: opened}
	}
	return c, err
}

// recall adds the lost events of all cameras to the index: events that have a note in RAM and are not in the index.
func (s *Set) recall(ctx context.Context, path string) error {
	holds, err := filepath.Glob(filepath.Join(path, "*", "pins"))
	if err != nil {
		return err
	}
	for _, pins := range holds {
		id := filepath.Base(filepath.Dir(pins))
		if list, err := os.ReadDir(pins); err != nil || len(list) == 0 || !config.CameraID(id) {
			continue
		}
		c, err := s.open(id, "")
		if errors.Is(err, errEnding) {
			continue
		} else if err != nil {
			s.opt.Log.Error("what RAM holds of a camera is not usable", "camera", id, "err", err)
			continue
		}
		lost := c.lostEvents(ctx)
		if len(lost) == 0 {
			continue
		}
		s.opt.Log.Warn("events were found in RAM that the index does not hold", "camera", id, "events", len(lost))
		if err := s.opt.Archive.Put(ctx, lost...); err != nil {
			return err
		}
	}

	return nil
}

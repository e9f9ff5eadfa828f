package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Times of a hand-over.
const (
	cutTime    = 12 * time.Second // max wait for the keyframe of each camera
	earlyTime  = 10 * time.Second // max wait for the first keyframe of each camera in the process that takes over
	askTime    = 10 * time.Second // max wait for a short answer
	beginTime  = 10 * time.Second // max wait for a process that stands by to begin to take over
	finishTime = 2 * time.Minute  // max wait for open events, where the next process cannot go on with them
)

// ErrHandedOver is the error of Run if another process took over.
var ErrHandedOver = errors.New("another process has taken over")

// succession is how a recorder gives its cameras to another process: one that uses the same state folder goes on with
// the open events, and no frame is lost; before any other one begins, the open events are finished.
type succession struct {
	over    chan struct{} // closed when another process takes over
	leaving chan struct{} // closed when this process is about to end

	mu       sync.Mutex // guards all fields below
	handing  bool
	left     bool
	standing int           // processes that would take over
	changed  chan struct{} // closed when handing or standing changes
}

func newSuccession() succession {
	return succession{over: make(chan struct{}), leaving: make(chan struct{}), changed: make(chan struct{})}
}

// awaitSuccessor returns [ErrHandedOver] when another process takes over, and nil when ctx ends.
func (r *Recorder) awaitSuccessor(ctx context.Context) error {
	select {
	case <-r.succession.over:
		return ErrHandedOver
	case <-ctx.Done():
		return nil
	}
}

// HandOver ends this recorder in favour of a process with the given state folder. It returns where the rings end, for
// those cameras that the other process goes on with. Run then returns [ErrHandedOver].
func (r *Recorder) HandOver(ctx context.Context, state string) (cuts []status.Cut, err error) {
	s := &r.succession
	s.mu.Lock()
	taken := s.handing
	s.handing = true
	s.mu.Unlock()
	if taken {
		return nil, text.Stopping.Error()
	}
	r.log.Info("another process takes over", "path", state)
	same := state == r.paths.State
	if same {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutTime)
		defer cancel()
		cuts = r.cameras.HandOver(limited)
	} else {
		r.finishEvents(ctx)
	}
	if err := ctx.Err(); err != nil { // whoever asked is gone
		r.log.Warn("the other process is gone; this one goes on")
		if same {
			r.cameras.TakeBack()
		}
		s.change(func() { s.handing = false })
		return nil, err
	}
	close(s.over)
	return cuts, nil
}

// finishEvents waits until no event is open, but no longer than finishTime.
func (r *Recorder) finishEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, finishTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for r.atWork(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// atWork reports whether an event is being saved.
func (r *Recorder) atWork(ctx context.Context) bool {
	open, err := r.archive.Unfinished(ctx)
	if err != nil {
		return false
	}
	for _, e := range open {
		if r.copier.Working(e.ID) {
			return true
		}
	}
	return false
}

// StandBy calls come when this recorder is about to end, so that the caller takes over, and returns when ctx ends or
// another process has taken over.
func (r *Recorder) StandBy(ctx context.Context, come func() error) error {
	s := &r.succession
	s.change(func() { s.standing++ })
	defer s.change(func() { s.standing-- })
	select {
	case <-r.succession.leaving:
	case <-r.succession.over:
		return nil
	case <-ctx.Done():
		return nil
	}
	if err := come(); err != nil {
		return err
	}
	select {
	case <-r.succession.over:
	case <-ctx.Done():
	}
	return nil
}

// change changes fields, and wakes whoever waits for that.
func (s *succession) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Yield is called before the context of Run ends. It lets a process that stands by take over, and returns at once if
// there is none.
func (r *Recorder) Yield(ctx context.Context) {
	s := &r.succession
	s.mu.Lock()
	if !s.left {
		s.left = true
		close(s.leaving)
	}
	s.mu.Unlock()
	begin := time.NewTimer(beginTime)
	defer begin.Stop()
	for late := false; ; {
		s.mu.Lock()
		waits, changed := s.handing || s.standing > 0 && !late, s.changed
		s.mu.Unlock()
		if !waits {
			return
		}
		select {
		case <-begin.C: // it hangs
			late = true
		case <-changed:
		case <-s.over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// TakeOver has the recorder behind c end, and returns when it has promised to. If that recorder uses the same state
// folder, its cameras are read before it ends, so that no frame is lost: they are for [Options] of the recorder that
// follows. The caller ends them if it makes none. With an error that is not a [*control.Error] that recorder is gone or
// hangs; the cameras are read nevertheless.
func TakeOver(ctx context.Context, o Options, c *control.Client) (*camera.Early, error) {
	limited, cancel := context.WithTimeout(ctx, askTime)
	is, err := c.Status(limited)
	cancel()
	if err != nil {
		return nil, err
	}
	var early *camera.Early
	if is.State == o.Paths.State {
		tool := ffmpeg.NewFinder(func() string { return o.Settings.FFmpeg.Path }, func() {}, o.Log)
		tool.Search(ctx)
		early = camera.ReadEarly(context.WithoutCancel(ctx), o.Settings, tool.Tool, o.Log)
		limited, cancel := context.WithTimeout(ctx, earlyTime)
		var record []string
		for _, cam := range is.Cameras {
			if cam.State != status.Off && cam.State != status.Waiting {
				record = append(record, cam.ID)
			}
		}
		early.Await(limited, record)
		cancel()
	}
	asked := time.Now()
	limited, cancel = context.WithTimeout(ctx, finishTime+askTime)
	defer cancel()
	cuts, err := c.HandOver(limited, o.Paths.State)
	early.Cut(cuts, asked)
	return early, err
}

package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// sourcePause is the pause before a source that has ended is run again.
const sourcePause = 10 * time.Second

// runSource runs a source of [Options] until ctx ends. A source that ends, with an error or without, is run again: it
// must not end the recording, and must not be missing without a word.
func (r *Recorder) runSource(ctx context.Context, s trigger.Source) {
	for {
		err := s.Run(ctx, r.emitOf(s))
		if ctx.Err() != nil {
			return
		}
		r.log.Error("a source of alarms ended and is run again", "source", s.Name(),
			"err", cmp.Or(err, errors.New("it returned")), "retry_in", sourcePause)
		select {
		case <-time.After(sourcePause):
		case <-ctx.Done():
			return
		}
	}
}

// oldestAlarm is how long ago an alarm may have begun. A source that says otherwise is wrong.
const oldestAlarm = time.Hour

// emitOf returns the function that a source of [Options] calls for its alarms. As with a mail, nothing is saved while
// the camera is switched off or Preroll is paused.
func (r *Recorder) emitOf(s trigger.Source) trigger.Emit {
	return func(ctx context.Context, id string, t event.Trigger) (string, error) {
		if _, ok := r.Settings().Camera(id); !ok {
			return "", fmt.Errorf("%q: %w", id, ErrNoCamera)
		}
		t.Source = s.Name()
		if now := time.Now(); t.Time.IsZero() || t.Time.After(now) || now.Sub(t.Time) > oldestAlarm {
			t.Time = now
		}
		t.Clean() // its words may be a stranger's
		switch r.quiet(id) {
		case trigger.Paused:
			r.inbox.Signal(history.SignalPaused, id, t, "", text.Text{})
			r.mu.Lock()
			r.pause.Missed++
			r.mu.Unlock()
			r.hub.statusChanged()
			return "", nil
		case trigger.Off:
			r.inbox.Signal(history.SignalOff, id, t, "", text.Text{})
			return "", nil
		}

		e, err := r.Trigger(ctx, id, t)
		switch {
		case errors.Is(err, ErrOff): // the camera was switched off in the meantime
			r.inbox.Signal(history.SignalOff, id, t, "", text.Text{})
			return "", nil
		case err != nil:
			r.inbox.Signal(history.SignalFailed, id, t, "", text.Of(err))
			return "", err
		}
		r.inbox.Signal(history.Signal, id, t, e, text.Text{})
		return e, nil
	}
}

// wake makes a loop run its next round now. It does not wait for the loop.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

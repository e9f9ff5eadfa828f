package recorder

import (
	"context"
	"errors"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/trigger"
)

// emitOf returns the function that a source of [Options] calls for its alarms. As with a mail, nothing is saved while
// the camera is switched off or Preroll is paused.
func (r *Recorder) emitOf(s trigger.Source) trigger.Emit {
	return func(ctx context.Context, id string, t event.Trigger) (string, error) {
		t.Source = s.Name()
		switch r.quiet(id) {
		case trigger.Paused:
			r.log.Info("alarm in a pause", "camera", id, "label", t.Label, "from", t.From)
			r.mu.Lock()
			r.pause.Missed++
			r.mu.Unlock()
			r.hub.statusChanged()
			return "", nil
		case trigger.Off:
			r.log.Info("alarm of a camera that is switched off", "camera", id, "label", t.Label, "from", t.From)
			return "", nil
		}
		e, err := r.Trigger(ctx, id, t)
		if errors.Is(err, ErrOff) { // the camera was switched off in the meantime
			return "", nil
		}
		return e, err
	}
}

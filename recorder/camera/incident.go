package camera

import (
	"context"
	"errors"
	"time"

	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// current is the incident that was begun last, which may be over; nil if there was none.
func (c *camera) current() *clip.Incident {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.incident
}

// trigger extends the open incident, or opens one. It returns the event's id when that is durable.
func (c *camera) trigger(ctx context.Context, t event.Trigger) (string, error) {
	c.mu.Lock()
	if t.Time.After(c.last) {
		c.last = t.Time
	}
	c.mu.Unlock()
	for {
		in, begun, err := c.beginFor(ctx, t)
		if err != nil {
			return "", err
		}
		if begun {
			return in.ID(), nil
		}
		if id, ok, err := in.Add(ctx, t); ok || err != nil {
			return id, err
		}
	}
}

// errEnding is the error for a trigger that meets a camera on its end. It may start again, so the trigger is to be
// tried again.
var errEnding = text.CameraIsEnding.Error()

// beginFor returns the incident that takes a trigger, or begins one with it.
func (c *camera) beginFor(ctx context.Context, t event.Trigger) (in *clip.Incident, begun bool, err error) {
	c.triggering.Lock()
	defer c.triggering.Unlock()
	if c.stopped {
		return nil, false, errEnding
	}
	if in := c.current(); in != nil {
		if in.Takes(t) {
			return in, false, nil
		}
		if in.Holds(t.Time) { // a mail that came late, of what is saved already: it asks for what follows
			t.Time = time.Now()
		}
	}
	in, err = c.set.opt.Copier.Open(ctx, c.infoFor(t), c.ring, t)
	if in != nil {
		err = errors.Join(err, c.run(in))
	}
	if err != nil {
		return nil, false, err
	}
	c.log.Info("event began", "event", in.ID(), "label", t.Label)
	return in, true, nil
}

// attach hands what came with a mail to its event, if that is the open one.
func (c *camera) attach(ctx context.Context, event string, e clip.Attachment) {
	if in := c.current(); in != nil {
		in.Attach(ctx, event, e)
	}
}

// run runs an incident for as long as the recorder runs. c.triggering is held.
func (c *camera) run(in *clip.Incident) error {
	ctx, running := c.set.context()
	if !running {
		return errStopping
	}
	c.setCurrent(in)
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

func (c *camera) setCurrent(in *clip.Incident) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incident = in
}

// resume takes up an open event that nobody works on.
func (c *camera) resume(ctx context.Context, ev event.Event) error {
	c.triggering.Lock()
	defer c.triggering.Unlock()
	if c.stopped {
		return errEnding
	}
	in, err := c.set.opt.Copier.Resume(c.info(), c.ring, ev)
	if err != nil {
		return err
	}
	c.log.Info("event is taken up again", "event", ev.ID, "state", ev.State)
	// else a later event takes the triggers
	if now := c.current(); now == nil || !in.EventTime().Before(now.EventTime()) {
		c.setCurrent(in)
	}
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

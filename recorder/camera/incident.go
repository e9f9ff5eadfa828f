package camera

import (
	"context"
	"errors"
	"time"

	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// current returns the incident that began last, or nil. The incident may be over.
func (c *camera) current() *clip.Incident {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.incident
}

// trigger extends the open incident or begins one. It returns the id of the event once the event is durable.
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

// errEnding is the error for a trigger of a camera that is ending. The camera may start again, so the caller tries
// again.
var errEnding = text.CameraIsEnding.Error()

// beginFor returns the open incident if it takes the trigger. Otherwise it begins an incident; begun reports this.
func (c *camera) beginFor(ctx context.Context, t event.Trigger) (in *clip.Incident, begun bool, err error) {
	c.triggering.Lock()
	defer c.triggering.Unlock()
	if c.stopped {
		return nil, false, errEnding
	}
	back, apart := !t.Until.IsZero(), false
	if now := c.current(); now != nil {
		switch {
		case back && t.Time.Before(now.Begins()): // what the open incident can, it saves up to now
			var from time.Time
			if from, apart, err = now.Extend(ctx, t.Until); apart {
				t.Until = from
			}
		case now.Takes(t):
			return now, false, nil
		case !back && now.Holds(t.Time): // a late mail, whose time is saved already, asks for the video that follows
			t.Time = time.Now()
		}
	}

	info := c.infoFor(t)
	if post := t.Time.Add(info.Lengths.PostRoll.D()); back && !apart && t.Until.Before(post) {
		t.Until = post
	}
	in, oerr := c.set.opt.Copier.Open(ctx, info, c.ring, t)
	err = errors.Join(err, oerr)
	if in != nil {
		err = errors.Join(err, c.run(in, apart))
	}
	if err != nil {
		return nil, false, err
	}
	c.log.Info("event began", "event", in.ID(), "label", t.Label)
	return in, true, nil
}

// attach gives an attachment to its event, if that is the current one.
func (c *camera) attach(ctx context.Context, event string, e clip.Attachment) {
	if in := c.current(); in != nil {
		in.Attach(ctx, event, e)
	}
}

// run runs an incident as long as the recorder runs. One that is apart takes no triggers. c.triggering is held.
func (c *camera) run(in *clip.Incident, apart bool) error {
	ctx, running := c.set.context()
	if !running {
		return errStopping
	}
	if !apart {
		c.setCurrent(in)
	}
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

func (c *camera) setCurrent(in *clip.Incident) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incident = in
}

// resume continues an open event that no incident works on.
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

	// An older event must not take the triggers of a newer one, nor one that takes none those of one that does.
	now := c.current()
	if now == nil || in.Open() && !now.Open() || in.Open() == now.Open() && !in.EventTime().Before(now.EventTime()) {
		c.setCurrent(in)
	}
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

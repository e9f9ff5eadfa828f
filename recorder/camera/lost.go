package camera

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

// dropOrphans removes pins without an open event. A crash between the end of an event and the end of its hold leaves
// them.
func (c *camera) dropOrphans(ctx context.Context) {
	if len(c.left) == 0 {
		return
	}
	open, err := c.set.opt.Archive.Unfinished(ctx)
	if err != nil {
		return // rather keep them than lose an event
	}
	held := map[string]bool{}
	for _, e := range open {
		held[e.Hold] = true
	}
	ids := c.left
	c.left = nil
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		if held[id] {
			continue
		}
		if _, lost := c.lostEvent(ctx, id); lost { // keep the pins until the event can be written to the index
			c.left = append(c.left, id)
			continue
		}
		if h, err := c.ring.Resume(id, time.Now().Add(time.Hour)); err == nil {
			h.Close()
		}
	}
}

// lostEvents returns the events that have a note in RAM and are not in the index. Either the index was lost, or a crash
// came before the event was written to the index. In the second case the mail had no answer, but the video is there.
func (c *camera) lostEvents(ctx context.Context) (list []event.Event) {
	for _, id := range c.left {
		if e, lost := c.lostEvent(ctx, id); lost {
			list = append(list, e)
		}
	}
	return list
}

// lostEvent returns the event of a hold from its note. lost reports whether the index lacks the event.
func (c *camera) lostEvent(ctx context.Context, hold string) (e event.Event, lost bool) {
	b, err := c.ring.ReadNote(hold)
	if err != nil {
		return e, false
	}
	if err = json.Unmarshal(b, &e); err == nil {
		err = archive.Usable(&e)
	}
	if err != nil || e.Hold != hold || e.Camera != c.id() || e.State != event.Recording {
		c.log.Warn("note of an open event is not usable", "event", hold, "err", err)
		return e, false
	}
	if c.set.opt.Copier.Working(e.ID) {
		return e, false
	}
	_, err = c.set.opt.Archive.Get(ctx, e.ID)
	return e, errors.Is(err, index.ErrNotFound)
}

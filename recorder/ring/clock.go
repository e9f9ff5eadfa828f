package ring

import (
	"time"

	"github.com/preroll/preroll/internal/steady"
)

// minStep is a difference between the clocks that is a step, and not the small corrections of a time service.
const minStep = time.Second

// clock turns steady time into wall time, and notices that this machine's clock was set. A machine without a battery
// for its clock sets it by years soon after its start.
type clock struct {
	offset time.Duration // wall time since 1970 - steady time, when it was looked at last
	now    func() (wall, steady time.Duration)
}

func newClock() clock {
	c := clock{now: func() (time.Duration, time.Duration) { return time.Duration(time.Now().UnixNano()), steady.Now() }}
	c.stepped()
	return c
}

// stepped returns by how much the clock was set since the last look; 0 if it was not.
func (c *clock) stepped() time.Duration {
	wall, steady := c.now()
	d := wall - steady - c.offset
	c.offset = wall - steady
	if d.Abs() < minStep {
		return 0
	}
	return d
}

// steady is the steady time now.
func (c *clock) steady() time.Duration {
	_, now := c.now()
	return now
}

// wall is the wall time of a steady time, and of its opposite.
func (c *clock) wall(steady time.Duration) time.Time { return time.Unix(0, int64(steady+c.offset)) }

func (c *clock) of(wall time.Time) time.Duration { return time.Duration(wall.UnixNano()) - c.offset }

// Stepped looks at the clock and returns by how much the hold's times were moved since it was asked last, because this
// machine's clock was set. Who keeps times beside them moves these as well.
func (h *Hold) Stepped() time.Duration {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.ring.checkClock()
	d := h.stepped
	h.stepped = 0
	return d
}

// checkClock follows this machine's clock. Steady times, which is all that the ring and its holds keep, do not change
// by that; the wall times that they are handed out with do. r.mu is held.
func (r *Ring) checkClock() {
	d := r.clock.stepped()
	if d == 0 {
		return
	}
	r.opt.Log.Warn("this machine's clock was set; the ring's times move with it", "step", d)
	for _, h := range r.holds {
		h.stepped += d
	}
}

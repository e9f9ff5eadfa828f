package ring

import (
	"time"

	"github.com/preroll/preroll/internal/steady"
)

// minStep is the smallest difference that counts as a step of the clock. A time service makes smaller corrections.
const minStep = time.Second

// clock converts between steady time and wall time, and notices when this machine's clock is set. A machine without a
// battery for its clock moves the clock by years soon after its start.
type clock struct {
	offset time.Duration // wall time since 1970 - steady time, at the last look
	now    func() (wall, steady time.Duration)
}

func newClock() clock {
	c := clock{now: func() (time.Duration, time.Duration) { return time.Duration(time.Now().UnixNano()), steady.Now() }}
	c.stepped()
	return c
}

// stepped returns how far the clock was set since the last look; 0 if the clock was not set.
func (c *clock) stepped() time.Duration {
	wall, steady := c.now()
	d := wall - steady - c.offset
	c.offset = wall - steady
	if d.Abs() < minStep {
		return 0
	}
	return d
}

// steady returns the steady time now.
func (c *clock) steady() time.Duration {
	_, now := c.now()
	return now
}

// wall returns the wall time of a steady time.
func (c *clock) wall(steady time.Duration) time.Time { return time.Unix(0, int64(steady+c.offset)) }

// of returns the steady time of a wall time.
func (c *clock) of(wall time.Time) time.Duration { return time.Duration(wall.UnixNano()) - c.offset }

// Stepped looks at the clock and returns how far the hold's wall times were moved since the last call, because this
// machine's clock was set. A caller that keeps wall times of its own must move them by the same step.
func (h *Hold) Stepped() time.Duration {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.ring.checkClock()
	d := h.stepped
	h.stepped = 0
	return d
}

// checkClock notices when this machine's clock was set. The ring and its holds keep only steady times, which do not
// change. The wall times that they return do change. r.mu is held.
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

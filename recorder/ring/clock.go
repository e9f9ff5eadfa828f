package ring

import "time"

// leastStep is a difference between the clocks that is a step, and not the small corrections of a time service.
const leastStep = time.Second

// clock notices that this machine's clock was set, by a clock beside it that nobody sets and that goes on while the
// machine sleeps. A machine without a battery for its clock sets it by years soon after its start.
type clock struct {
	wall, steady time.Duration // when it was looked at last
	now          func() (wall, steady time.Duration)
}

func newClock() clock {
	c := clock{now: func() (wall, steady time.Duration) { return time.Duration(time.Now().UnixNano()), steadyTime() }}
	c.wall, c.steady = c.now()
	return c
}

// stepped returns by how much the clock was set since the last step; 0 if it was not.
func (c *clock) stepped() time.Duration {
	wall, steady := c.now()
	d := (wall - c.wall) - (steady - c.steady)
	if d.Abs() < leastStep {
		return 0
	}
	c.wall, c.steady = wall, steady
	return d
}

// since is how long ago a time was, by the clock.
func (c *clock) since(t time.Time) time.Duration {
	wall, _ := c.now()
	return wall - time.Duration(t.UnixNano())
}

// Stepped looks at the clock and returns by how much the hold's times were moved since it was asked last, because this
// machine's clock was set. Who keeps times beside them moves these as well.
func (h *Hold) Stepped() time.Duration {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.ring.lookAtClock()
	d := h.stepped
	h.stepped = 0
	return d
}

// lookAtClock moves all that the ring knows by the step that the clock made since it was looked at last, and returns
// that step. r.mu is held.
func (r *Ring) lookAtClock() time.Duration {
	d := r.clock.stepped()
	if d == 0 {
		return 0
	}
	r.opt.Log.Warn("this machine's clock was set; the ring's times move with it", "took", d)
	for _, e := range r.entries {
		e.move(d)
	}
	for epoch, s := range r.least {
		s.delay += d
		r.least[epoch] = s
	}
	if r.latest != nil && !r.latest.inRing {
		r.latest.written = r.latest.written.Add(d)
	}
	r.begun.at, r.jumped.at = r.begun.at.Add(d), r.jumped.at.Add(d)
	for _, h := range r.holds {
		for i := range h.queue {
			h.queue[i].Start, h.queue[i].End = h.queue[i].Start.Add(d), h.queue[i].End.Add(d)
		}
		for path, e := range h.pinned {
			if !e.inRing {
				e.move(d)
				touch(path, e.written)
			}
		}
		h.from = h.from.Add(d)
		if !h.until.IsZero() {
			h.until = h.until.Add(d)
		}
		h.stepped += d
	}
	return d
}

// move moves an entry's times, and those of its file, from which the next life reads them.
func (e *entry) move(d time.Duration) {
	e.written = e.written.Add(d)
	e.Start, e.End = e.Start.Add(d), e.End.Add(d)
	if !e.silent[0].IsZero() {
		e.silent = [2]time.Time{e.silent[0].Add(d), e.silent[1].Add(d)}
	}
	touch(e.Path, e.written)
}

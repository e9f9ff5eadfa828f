package camtest

import (
	"context"
	"math/rand/v2"
	"net"
	"time"
)

// faults are the current faults of a camera.
type faults struct {
	mute          bool
	thaw          chan struct{} // closed when a frozen camera goes on; nil if not frozen
	cable         time.Time     // the cable is out until this time
	lose, corrupt float64
	pairs, still  bool
}

// Mute stops or resumes sending. Connections stay open and requests are answered.
func (c *Camera) Mute(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = on
	c.record("mute", on)
}

// Drop cuts every connection.
func (c *Camera) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cl := range c.clients {
		cl.cut()
	}
}

// Down removes the power: the port is closed and every connection is reset. Down also ends a [Camera.Freeze].
func (c *Camera) Down() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ln == nil {
		return
	}
	c.record("down", true)
	_ = c.ln.Close()
	c.ln = nil
	for cl := range c.clients {
		if tcp, ok := cl.conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		cl.cut()
	}
	c.freeze(false)
}

// Up restores the power: the camera listens on the same address again.
func (c *Camera) Up() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ln != nil || c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	ln, err := listen(c.addr)
	if err != nil {
		return err
	}
	c.ln = ln
	c.wg.Go(func() { c.accept(ln) })
	c.record("down", false)
	return nil
}

// Restart cuts the power and restores it with another loop, which may have another codec.
func (c *Camera) Restart(file string, fps float64) error {
	v, err := loadVideo(file, fps)
	if err != nil {
		return err
	}
	c.Down()
	c.play(v)
	return c.Up()
}

// Switch changes to another loop within the session, like a camera whose resolution is changed. The codec must stay the
// same, because clients know it from the description of the session.
func (c *Camera) Switch(file string, fps float64) error {
	v, err := loadVideo(file, fps)
	if err != nil {
		return err
	}
	c.play(v)
	return nil
}

// Freeze hangs the camera's firmware until Freeze(false). Connections stay open and the kernel accepts new connections,
// but the camera reads, answers and sends nothing.
func (c *Camera) Freeze(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freeze(on)
}

// freeze is Freeze for a caller that holds mu.
func (c *Camera) freeze(on bool) {
	if on == (c.thaw != nil) {
		return
	}
	if on {
		c.thaw = make(chan struct{})
	} else {
		close(c.thaw)
		c.thaw = nil
	}
	c.record("freeze", on)
}

// Stall pulls the cable for a time: nothing gets through in either direction. Frames wait in the queue of each client
// (see [Options]) and arrive afterwards. Frames that do not fit into the queue are lost. During another stall, the
// later end counts.
func (c *Camera) Stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	end := now.Add(d)
	if !end.After(c.cable) {
		return
	}
	if c.cable.After(now) {
		for i := range c.silences {
			if c.silences[i].Kind == "stall" && c.silences[i].To.Equal(c.cable) {
				c.silences[i].To = end
			}
		}
	} else {
		c.silences = append(c.silences, Gap{now, end, "stall"})
	}
	c.cable = end
}

// Lose drops each RTP packet with probability p. A dropped packet still uses up its sequence number.
func (c *Camera) Lose(p float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose = p
	c.record("lose", p > 0)
}

// Corrupt flips a few bits in the payload of each RTP packet with probability p.
func (c *Camera) Corrupt(p float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corrupt = p
	c.record("corrupt", p > 0)
}

// Repeat makes every second video frame carry the timestamp of the previous frame.
func (c *Camera) Repeat(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pairs = on
}

// Still stops the clock of the video's timestamps. Still(false) returns to the true time.
func (c *Camera) Still(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still = on
}

// Jump steps the camera's clock by whole milliseconds: the RTP timestamps of all tracks and the time in sender reports.
// A negative time steps back.
func (c *Camera) Jump(d time.Duration) { c.jump.Add(int64(d.Truncate(time.Millisecond))) }

// videoStamp returns the stamp of video frame i, which is due at wall. last is the stamp of the previous frame.
func (c *Camera) videoStamp(i int, wall time.Time, last stamp) stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !last.clock.IsZero() && (c.still || c.pairs && i%2 == 1) {
		return last
	}
	if c.opt.StampFPS > 0 { // counts frames, whatever the time
		return stamp{uint32(int64(float64(i)/c.opt.StampFPS*90000) + 123456 + c.opt.FirstStamp), wall}
	}
	// Frames are sent in decoding order and carry the time at which they are shown.
	if v := c.video.Load(); v.shown != nil {
		k := i % len(v.units)
		return c.stamp(0, wall.Add(time.Duration(float64(v.shown[k]-k)/v.fps*1e9)))
	}
	return c.stamp(0, wall)
}

func (c *Camera) rates() (lose, corrupt float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lose, c.corrupt
}

// passes waits while the camera is frozen or its cable is out, and reports whether the connection is still alive.
func (c *Camera) passes(ctx context.Context) bool {
	for ctx.Err() == nil {
		c.mu.Lock()
		thaw, cable := c.thaw, c.cable
		c.mu.Unlock()
		switch {
		case thaw != nil:
			select {
			case <-thaw:
			case <-ctx.Done():
			}
		case time.Now().Before(cable):
			until(ctx, cable)
		default:
			return true
		}
	}
	return false
}

// damage flips one to eight bits.
func damage(payload []byte) {
	for range 1 + rand.IntN(8) {
		payload[rand.IntN(len(payload))] ^= 1 << rand.IntN(8)
	}
}

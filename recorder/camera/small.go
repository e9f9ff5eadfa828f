package camera

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// Times of small streams.
const (
	smallKeep  = 20 * time.Second // length of the ring
	smallLease = 30 * time.Second // how long it goes on after somebody asked for it
	smallAgain = 2 * time.Second  // until a session that failed is tried again
)

// ErrNoSmall means that a camera has no small stream.
var ErrNoSmall = text.NoSmallStream.Error()

// small is the small stream of a camera, which is read while somebody watches it. It has a ring of its own, below the
// camera's, and no event takes anything of it.
type small struct {
	mu    sync.Mutex // guards everything below
	ring  *ring.Ring // nil: nobody watches
	url   string     // of the settings when it began
	asked time.Time
}

// smallDir returns the folder of a camera's small stream.
func smallDir(dir string) string { return filepath.Join(dir, "small") }

// eraseSmall removes what an earlier process left of a camera's small stream.
func eraseSmall(dir string) { ring.EraseAll(smallDir(dir)) }

// Small returns the ring of a camera's small stream, and begins to read it. The ring ends some time after the last
// call, so whoever watches calls again. Callers check for the errors of [Set.Still], and [ErrNoSmall].
func (s *Set) Small(id string) (*ring.Ring, error) {
	c, err := s.showing(id)
	if err != nil {
		return nil, err
	}
	ctx, running := s.context()
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	if cfg.URLSmall == "" {
		return nil, ErrNoSmall
	}
	c.triggering.Lock() // no stop comes in between
	defer c.triggering.Unlock()
	if c.stopped || !running {
		return nil, errEnding
	}
	m := &c.small
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = time.Now()
	if m.ring != nil {
		return m.ring, nil
	}
	m.ring, err = ring.Open(ring.Options{Dir: smallDir(c.dir), Keep: smallKeep, Budget: s.opt.Budget, Log: c.log})
	if err != nil {
		m.ring = nil
		return nil, err
	}
	m.url = cfg.URLSmall
	r := m.ring
	c.incidents.Go(func() { c.watchSmall(ctx, r) })
	return r, nil
}

// watchSmall reads the small stream into its ring until nobody asks for it, the camera stops, or ctx ends.
func (c *camera) watchSmall(ctx context.Context, r *ring.Ring) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			c.mu.Lock()
			cfg := c.cfg
			c.mu.Unlock()
			cfg.URL = cfg.URLSmall
			src, err := NewSource(cfg, c.set.opt.FFmpeg, false, time.Time{}, c.log)
			if err == nil {
				w := r.Writer()
				err = errors.Join(src.Run(ctx, w), w.Close())
			}
			if ctx.Err() != nil {
				return
			}
			c.log.Debug("the small stream ended", "err", err)
			select {
			case <-time.After(smallAgain):
			case <-ctx.Done():
			}
		}
	})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil && !c.smallOver() {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	cancel()
	reading.Wait()
	c.small.mu.Lock()
	c.small.ring = nil
	c.small.mu.Unlock()
	r.Erase()
	r.Close()
}

// smallOver reports whether the small stream is to end: nobody watches, the camera stops, or it has another address.
func (c *camera) smallOver() bool {
	c.triggering.Lock()
	stopped := c.stopped
	c.triggering.Unlock()
	c.mu.Lock()
	url := c.cfg.URLSmall
	c.mu.Unlock()
	c.small.mu.Lock()
	defer c.small.mu.Unlock()
	return stopped || c.small.url != url || time.Since(c.small.asked) > smallLease
}

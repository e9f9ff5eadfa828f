package camera

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// --- The process that ends ---

// errCut ends a session at the keyframe that the next process begins with.
var errCut = errors.New("another process takes over from this keyframe")

// HandOver ends the session of each camera that records at its next keyframe. It returns these keyframes, which are the
// first that the ring lacks, once all before them is in the ring. A camera that sends no keyframe until ctx ends is not
// in the list.
func (s *Set) HandOver(ctx context.Context) []status.Cut {
	var list []status.Cut
	cameras := s.all()
	for _, c := range cameras {
		select { // what is left of a hand-over that was taken back
		case <-c.back:
		default:
		}
		select {
		case <-c.cut:
		default:
		}
		c.cutting.Store(true)
	}
	for _, c := range cameras {
		if !c.keyed.Load() {
			continue
		}
		select {
		case cut := <-c.cut:
			list = append(list, cut)
			continue
		default:
		}
		select {
		case cut := <-c.cut:
			list = append(list, cut)
		case <-ctx.Done():
		}
	}
	return list
}

// TakeBack takes HandOver back: cameras whose session has ended, or is ending, begin another one.
func (s *Set) TakeBack() {
	for _, c := range s.all() {
		c.cutting.Store(false)
		select {
		case c.back <- struct{}{}:
		default:
		}
	}
}

// cutAt returns errCut if x is the keyframe at which the session ends.
func (s *sink) cutAt(x source.Sample) error {
	if x.Track != 0 || !x.Key {
		return nil
	}
	s.c.keyed.Store(true)
	if !s.c.cutting.Load() {
		return nil
	}
	s.at = status.Cut{Camera: s.c.id(), Key: keyOf(x), Time: wallOf(x.Arrival)}
	return errCut
}

// keyOf identifies a keyframe. Every session with a camera gets the same bytes.
func keyOf(x source.Sample) string {
	h := sha256.New()
	for _, d := range x.Data {
		h.Write(d)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// wallOf returns the wall time of a moment of the steady clock.
func wallOf(at time.Duration) time.Time { return time.Now().Add(at - steady.Now()) }

// --- The process that takes over ---

// maxEarly is how many bytes of a camera are kept while another process still records it. Beyond it the camera is
// connected again.
const maxEarly = 64 << 20

// Early reads cameras before their recorder may record them, because another process still does. What they send stays
// in memory until that process has ended.
type Early struct {
	cameras map[string]*early
	ended   sync.WaitGroup
	cancel  context.CancelFunc
}

// early is the source of a camera that is read already. Its first Run begins at the cut, its later ones are those of
// the source that it wraps.
type early struct {
	source.Source
	cfg    config.Camera
	cancel context.CancelFunc
	ended  chan struct{}
	key    chan struct{} // closed when the first keyframe came

	mu    sync.Mutex // guards all fields below
	to    source.Sink
	list  []item // not passed on yet
	bytes int
	keyed bool
	err   error // of the first session
	taken bool  // a recorder has it
	used  bool  // its first Run was called
	found bool  // its first frame is the one that the other process left out
}

// item is one call of a sink that was kept.
type item struct {
	tracks  []source.Track // nil: it is a sample or a flush
	streams source.Streams
	sample  source.Sample
	flush   bool
}

// ReadEarly begins to read the cameras that are switched on. Stop ends those that no recorder has taken.
func ReadEarly(ctx context.Context, s config.Settings, tool func() (*ffmpeg.Tool, error), log *slog.Logger) *Early {
	ctx, cancel := context.WithCancel(ctx)
	e := &Early{cameras: map[string]*early{}, cancel: cancel}
	for _, cfg := range s.Cameras {
		if _, isFolder := cfg.Folder(); !cfg.Enabled || isFolder { // whose files lie there anyway
			continue
		}
		src, err := NewSource(cfg, tool, false, time.Time{}, log)
		if err != nil {
			continue // the recorder says so
		}
		ctx, cancel := context.WithCancel(ctx)
		c := &early{Source: src, cfg: cfg, cancel: cancel, ended: make(chan struct{}), key: make(chan struct{})}
		e.cameras[cfg.ID] = c
		e.ended.Go(func() {
			defer close(c.ended)
			err := src.Run(ctx, c)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.err = err
		})
	}
	return e
}

// Await waits until a keyframe came of each of the cameras, or until ctx ends.
func (e *Early) Await(ctx context.Context, cameras []string) {
	for _, id := range cameras {
		c := e.cameras[id]
		if c == nil {
			continue
		}
		select {
		case <-c.key:
		case <-c.ended:
		case <-ctx.Done():
		}
	}
}

// Cut drops what the other process has recorded. A camera of which the other process reports no keyframe begins with
// what came since.
func (e *Early) Cut(list []status.Cut, since time.Time) {
	if e == nil {
		return
	}
	for id, c := range e.cameras {
		cut := status.Cut{Time: since}
		if i := slices.IndexFunc(list, func(x status.Cut) bool { return x.Camera == id }); i >= 0 {
			cut = list[i]
		}
		c.begin(cut)
	}
}

// Stop ends the reading of cameras that no recorder has taken. It does not wait.
func (e *Early) Stop() {
	if e == nil {
		return
	}
	for _, c := range e.cameras {
		c.mu.Lock()
		if !c.taken {
			c.cancel()
		}
		c.mu.Unlock()
	}
}

// End ends all reading, and waits for it.
func (e *Early) End() {
	if e == nil {
		return
	}
	e.cancel()
	e.ended.Wait()
}

// take returns the source that reads a camera already, or nil if there is none for these settings.
func (e *Early) take(cfg config.Camera) source.Source {
	if e == nil {
		return nil
	}
	c := e.cameras[cfg.ID]
	if c == nil || !sameSource(c.cfg, cfg) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken || c.err != nil || !c.keyed {
		return nil
	}
	c.taken = true
	return c
}

// begin drops what came before a keyframe. It looks for the keyframe by its bytes, and, if the camera sends each
// session its own, by its time.
func (c *early) begin(cut status.Cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const near = 50 * time.Millisecond
	first, best := -1, time.Duration(0)
	for i, x := range c.list {
		if !x.isKey() || keyOf(x.sample) != cut.Key {
			continue
		}
		if d := wallOf(x.sample.Arrival).Sub(cut.Time).Abs(); first < 0 || d < best { // a still picture may repeat
			first, best = i, d
		}
	}
	c.found = first >= 0
	for i := 0; first < 0 && i < len(c.list); i++ {
		if c.list[i].isKey() && !wallOf(c.list[i].sample.Arrival).Before(cut.Time.Add(-near)) {
			first = i
		}
	}
	if first < 0 {
		first = len(c.list) // the keyframe is still to come
	}
	var keep []item
	for i, x := range c.list[:first] {
		if x.tracks != nil {
			keep = []item{c.list[i]} // the tracks in force
		} else {
			c.bytes -= x.size()
		}
	}
	c.list = append(keep, c.list[first:]...)
}

func (x item) isKey() bool { return x.sample.Key && x.sample.Track == 0 && x.sample.Data != nil }

func (x item) size() (n int) {
	for _, d := range x.sample.Data {
		n += len(d)
	}
	return n
}

// errTooMuch ends the reading of a camera of which too much waits.
var errTooMuch = errors.New("too much of the camera waits for the process before this one to end")

// add passes an item on, or keeps it.
func (c *early) add(x item) error {
	c.mu.Lock()
	to := c.to
	if to != nil {
		c.mu.Unlock()
		return x.pass(to)
	}
	defer c.mu.Unlock()
	if data := x.sample.Data; data != nil {
		x.sample.Data = [][]byte{slices.Concat(data...)}
	}
	if c.bytes += x.size(); c.bytes > maxEarly {
		c.list = nil
		return errTooMuch
	}
	c.list = append(c.list, x)
	if x.isKey() && !c.keyed {
		c.keyed = true
		close(c.key)
	}
	return nil
}

func (x item) pass(to source.Sink) error {
	switch {
	case x.tracks != nil:
		return to.Tracks(x.tracks, x.streams)
	case x.flush:
		return to.Flush()
	}
	return to.Sample(x.sample)
}

// Tracks implements [source.Sink].
func (c *early) Tracks(t []source.Track, s source.Streams) error {
	return c.add(item{tracks: slices.Clone(t), streams: s})
}

// Sample implements [source.Sink].
func (c *early) Sample(s source.Sample) error { return c.add(item{sample: s}) }

// Flush implements [source.Sink].
func (c *early) Flush() error { return c.add(item{flush: true}) }

// Run passes on what came early, and then what comes. It implements [source.Source].
func (c *early) Run(ctx context.Context, to source.Sink) error {
	c.mu.Lock()
	if c.used {
		c.mu.Unlock()
		return c.Source.Run(ctx, to)
	}
	c.used = true
	if s, ok := to.(*sink); ok && c.found {
		s.Continue()
	}
	var err error
	for _, x := range c.list {
		if err = x.pass(to); err != nil {
			break
		}
	}
	c.list, c.bytes, c.to = nil, 0, to
	c.mu.Unlock()
	if err == nil {
		select {
		case <-c.ended:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	c.cancel()
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.err
	}
	return err
}

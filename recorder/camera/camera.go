package camera

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// camera is one camera: its ring, the source that fills it, and its open incident.
type camera struct {
	set  *Set
	dir  string
	ring *ring.Ring
	log  *slog.Logger
	seen chan struct{} // a segment came
	left []string      // holds that an earlier process left, when this camera was opened; used by Resume only

	running   sync.WaitGroup
	incidents sync.WaitGroup
	endSource context.CancelFunc
	changed   chan struct{} // the configuration changed; the source starts again

	source   source.Source // used by supervise only; nil: to be made
	fellBack time.Time     // when FFmpeg began to read an RTSP camera, likewise,
	because  source.Kind   // and why

	triggering sync.Mutex // held while an incident is begun; guards stopped
	stopped    bool

	mu       sync.Mutex // guards all below
	incident *clip.Incident
	cfg      config.Camera
	lengths  config.Clip
	streams  source.Streams
	state    status.CameraState
	since    time.Time
	failure  *source.Failure // the last one
	failed   time.Time
	retry    time.Time
	last     time.Time // last trigger
	still    still
}

// newCamera opens a camera's ring. s.mu is held.
func (s *Set) newCamera(cfg config.Camera) (*camera, error) {
	c := &camera{
		set: s, dir: s.dir(cfg.ID), cfg: cfg, lengths: s.settings.Lengths(cfg), log: s.opt.Log.With("camera", cfg.ID),
		seen: make(chan struct{}, 1), changed: make(chan struct{}, 1), state: status.Connecting, since: time.Now()}
	var err error
	c.ring, err = ring.Open(ring.Options{Dir: c.dir, Keep: s.settings.RAMDisk.Keep.D(), Budget: s.opt.Budget,
		Log: c.log, Seen: func() {
			select {
			case c.seen <- struct{}{}:
			default:
			}
		}})
	if err != nil {
		return nil, err
	}
	c.left, _ = c.ring.Holds()
	return c, nil
}

func (c *camera) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.ID
}

// start records until stop.
func (c *camera) start(ctx context.Context) {
	ctx, c.endSource = context.WithCancel(ctx)
	c.running.Go(func() { c.supervise(ctx) })
}

// stop ends the source, and lets an open incident save what is in RAM (if the recorder goes on; else it is left for the
// next process).
func (c *camera) stop() {
	if c.endSource != nil {
		c.endSource()
	}
	c.running.Wait()
	c.triggering.Lock()
	c.stopped = true
	if in := c.current(); in != nil && c.set.running() {
		in.End()
	}
	c.triggering.Unlock()
	c.incidents.Wait()
	c.ring.Close()
}

// configure takes new settings; the source starts again only if the stream's address, its login or how it is read
// changed.
func (c *camera) configure(cfg config.Camera, lengths config.Clip, keep time.Duration) {
	c.mu.Lock()
	old := c.cfg
	c.cfg, c.lengths = cfg, lengths
	if old.URL != cfg.URL {
		c.streams = source.Streams{}
	}
	c.mu.Unlock()
	c.ring.SetKeep(keep)
	if !sameSource(old, cfg) {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// sameSource reports whether two settings of a camera mean the same stream, read in the same way.
func sameSource(a, b config.Camera) bool {
	return a.URL == b.URL && a.Username == b.Username && a.Password == b.Password && a.Audio == b.Audio &&
		a.Ingest == b.Ingest
}

// setState notes a change and tells of it once.
func (c *camera) setState(s status.CameraState, f *source.Failure, retry time.Time) {
	c.mu.Lock()
	before, beforeFailure := c.state, c.failure
	c.retry = retry
	if s == status.Connecting && before == status.Waiting {
		c.mu.Unlock() // still the same trouble, as far as anybody can tell
		return
	}
	if s != before {
		c.state, c.since = s, time.Now()
	}
	if f != nil {
		c.failure, c.failed = f, time.Now()
	}
	streams, id := c.streams, c.cfg.ID
	c.mu.Unlock()
	switch {
	case s == status.Recording && s != before:
		c.set.opt.RecordHistory(history.Recording, id, text.Text{})
		c.log.Info("camera is recording", "video", streams.Video, "width", streams.Width, "height", streams.Height,
			"audio", streams.Audio)
	case s == status.Waiting && (s != before || beforeFailure == nil || beforeFailure.Kind != f.Kind):
		c.set.opt.RecordHistory(history.NotRecording, id, f.Text())
		c.log.Warn("camera does not record", "err", f)
	case s == before:
		return
	}
	c.set.opt.Changed()
}

// why says for a gap why there was no video: the last failure, if it was lately.
func (c *camera) why() text.Text {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.cfg.Enabled:
		return text.CameraWasOff.With()
	case c.failure != nil && (c.state != status.Recording || time.Since(c.failed) < 5*time.Minute):
		return c.failure.Text()
	case c.state == status.Connecting:
		return text.NotBegunYet.With()
	}
	return text.Text{}
}

func (c *camera) info() clip.Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clip.Camera{ID: c.cfg.ID, Name: c.cfg.Name, Lengths: c.lengths, Why: c.why, Since: c.set.opt.Started}
}

// infoFor is info for what a trigger begins: a camera whose mails come late is asked for so much more pre-roll.
func (c *camera) infoFor(t event.Trigger) clip.Camera {
	i := c.info()
	if t.Source == event.Mail {
		c.mu.Lock()
		i.Lengths.PreRoll += c.cfg.MailLag
		c.mu.Unlock()
	}
	return i
}

// status returns the camera's state now.
func (c *camera) status() status.Camera {
	rs := c.ring.Status()
	s := status.Camera{PreRoll: event.Seconds(rs.Length), GOP: event.Seconds(rs.GOP), BitRate: rs.BitRate,
		Bytes: rs.Bytes, Newest: rs.Newest, Short: rs.Short}
	s.OpenEvent = c.openEvent()
	live := c.ring.Live()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ID, s.Name, s.State, s.Since, s.Streams, s.LastTrigger = c.cfg.ID, c.cfg.Title(), c.state, c.since, c.streams,
		c.last
	switch c.state {
	case status.Recording:
		s.Text, s.Live = text.StateRecording.With(), live
		s.Advice = health.Advice(c.streams, s.GOP, rs.Stamps)
	case status.Connecting:
		s.Text = text.StateConnecting.With()
	case status.Waiting:
		s.Failure, s.Text, s.Hint, s.Retry = string(c.failure.Kind), c.failure.Text(), c.failure.Hint(), c.retry
	}
	return s
}

package camera

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
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

// camera is one camera: its ring, the source that fills the ring, and its open incident.
type camera struct {
	set  *Set
	dir  string
	ring *ring.Ring
	log  *slog.Logger
	seen chan struct{} // receives when a segment came
	left []string      // holds that an earlier process left in the ring; used by Resume only

	small small

	keyed   atomic.Bool     // the session has brought a keyframe
	cutting atomic.Bool     // the session ends at the next keyframe, because another process takes over
	cut     chan status.Cut // receives that keyframe when all before it is in the ring
	back    chan struct{}   // receives when the other process does not take over after all

	running   sync.WaitGroup
	incidents sync.WaitGroup
	endSource context.CancelFunc
	changed   chan struct{} // the settings changed, so the source restarts

	source   source.Source // used by supervise only; nil means that record makes one
	fellBack time.Time     // when FFmpeg began to read an RTSP camera; used by supervise only
	because  source.Kind   // why FFmpeg reads the camera; used by supervise only

	triggering sync.Mutex // held while an incident begins; guards stopped
	stopped    bool

	mu       sync.Mutex // guards all fields below
	incident *clip.Incident
	cfg      config.Camera
	lengths  config.Clip
	streams  source.Streams
	state    status.CameraState
	since    time.Time
	failure  *source.Failure // the last failure, or nil
	failed   time.Time
	retry    time.Time
	last     time.Time // time of the last trigger
	still    still

	rests time.Time // gets no still before then; owned by whoever holds set.drawing
}

// newCamera opens the ring of a camera. s.mu is held.
func (s *Set) newCamera(cfg config.Camera) (*camera, error) {
	c := &camera{
		set: s, dir: s.dir(cfg.ID), cfg: cfg, lengths: s.settings.Lengths(cfg), log: s.opt.Log.With("camera", cfg.ID),
		seen: make(chan struct{}, 1), changed: make(chan struct{}, 1), cut: make(chan status.Cut, 1),
		back:  make(chan struct{}, 1),
		state: status.Connecting, since: time.Now()}
	c.source = s.opt.Early.take(cfg)
	eraseSmall(c.dir)
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

// start starts to record. stop ends it.
func (c *camera) start(ctx context.Context) {
	ctx, c.endSource = context.WithCancel(ctx)
	c.running.Go(func() { c.supervise(ctx) })
}

// stop ends the source and waits for the open incident. While the recorder runs, stop ends the incident, which saves
// what is in RAM. Otherwise the event stays open for the next process.
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

// configure takes new settings. The source restarts only if sameSource reports a change.
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

// sameSource reports whether both settings of a camera mean the same stream, read in the same way.
func sameSource(a, b config.Camera) bool {
	return a.URL == b.URL && a.Username == b.Username && a.Password == b.Password && a.Audio == b.Audio &&
		a.Ingest == b.Ingest
}

// setState sets the state and reports a change once, to the history, the log and Options.Changed.
func (c *camera) setState(s status.CameraState, f *source.Failure, retry time.Time) {
	c.mu.Lock()
	before, beforeFailure := c.state, c.failure
	c.retry = retry
	if s == status.Connecting && before == status.Waiting {
		c.mu.Unlock() // a camera that is tried again still shows its failure
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

// why returns the reason for a gap: the last failure, if it still holds or was within the last five minutes.
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

// infoFor is info for the event that t begins. It adds the camera's mail lag to the pre-roll if t is a mail.
func (c *camera) infoFor(t event.Trigger) clip.Camera {
	i := c.info()
	if t.Source == event.Mail {
		c.mu.Lock()
		i.Lengths.PreRoll += c.cfg.MailLag
		c.mu.Unlock()
	}
	return i
}

// status returns the current state of the camera.
func (c *camera) status() status.Camera {
	rs := c.ring.Status()
	s := status.Camera{PreRoll: event.Seconds(rs.Length), GOP: event.Seconds(rs.GOP), BitRate: rs.BitRate,
		Bytes: rs.Bytes, Newest: rs.Newest, Short: rs.Short}
	s.OpenEvent = c.openEvent()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ID, s.Name, s.State, s.Since, s.Streams, s.LastTrigger = c.cfg.ID, c.cfg.Title(), c.state, c.since, c.streams,
		c.last
	s.Small = c.cfg.URLSmall != ""
	switch c.state {
	case status.Recording:
		s.Text = text.StateRecording.With()
		s.Advice = health.Advice(c.streams, s.GOP, rs.Stamps)
	case status.Connecting:
		s.Text = text.StateConnecting.With()
	case status.Waiting:
		s.Failure, s.Text, s.Hint, s.Retry = string(c.failure.Kind), c.failure.Text(), c.failure.Hint(), c.retry
	}

	return s
}

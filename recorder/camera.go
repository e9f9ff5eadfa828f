package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
)

// camera is one camera: its ring, the FFmpeg that fills it, and its open incident.
type camera struct {
	r    *Recorder
	dir  string
	ring *ring.Ring
	log  *slog.Logger
	seen chan struct{} // a segment came

	running   sync.WaitGroup
	incidents sync.WaitGroup
	endRing   context.CancelFunc
	endFFmpeg context.CancelFunc
	changed   chan struct{} // the configuration changed; FFmpeg starts again
	jumped    chan struct{} // the camera's clock was set

	triggering sync.Mutex // held while an incident is begun; guards stopped
	stopped    bool

	mu       sync.Mutex // guards all below
	incident *clip.Incident
	cfg      config.Camera
	lengths  config.Clip
	streams  ffmpeg.Streams
	state    status.CameraState
	since    time.Time
	failure  *ffmpeg.Failure // the last one
	failed   time.Time
	retry    time.Time
	last     time.Time // last trigger
	live     string    // playlist of the run
	still    still
}

func newCamera(r *Recorder, cfg config.Camera, dir string, s config.Settings) (*camera, error) {
	c := &camera{r: r, dir: dir, cfg: cfg, lengths: s.Lengths(cfg), log: r.log.With("camera", cfg.ID), seen: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), jumped: make(chan struct{}, 1), state: status.Connecting, since: time.Now()}
	var err error
	c.ring, err = ring.Open(ring.Options{Dir: dir, Keep: s.RAMDisk.Keep.D(), Budget: r.budget, Log: c.log, Seen: func() {
		select {
		case c.seen <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dropOrphans removes pins that belong to no open event: a crash came between an event's end and the end of its hold.
func (c *camera) dropOrphans() {
	ids, err := c.ring.Holds()
	if err != nil {
		return
	}
	open, err := c.r.archive.Unfinished(context.Background())
	if err != nil {
		return // rather keep them
	}
	for _, id := range ids {
		if slices.ContainsFunc(open, func(e event.Event) bool { return e.Hold == id }) {
			continue
		}
		if _, lost := c.lostEvent(context.Background(), id); lost { // to be recalled when the index can be written
			continue
		}
		if h, err := c.ring.Resume(id, time.Now().Add(time.Hour)); err == nil {
			h.Close()
		}
	}
}

// lostEvents returns the events that were noted in RAM and that the index does not know: it was lost, or a crash came
// before the event was in it. Nothing was promised then, but the video is there.
func (c *camera) lostEvents(ctx context.Context) (list []event.Event) {
	ids, err := c.ring.Holds()
	if err != nil {
		return nil
	}
	for _, id := range ids {
		if e, lost := c.lostEvent(ctx, id); lost {
			list = append(list, e)
		}
	}
	return list
}

// lostEvent returns the event that a hold is for, and whether the index does not know it.
func (c *camera) lostEvent(ctx context.Context, hold string) (e event.Event, lost bool) {
	b, err := c.ring.ReadNote(hold)
	if err != nil {
		return e, false
	}
	if err := json.Unmarshal(b, &e); err != nil || e.Hold != hold || e.Camera != c.id() || e.State != event.Recording || !e.Local() {
		c.log.Warn("note of an open event is not usable", "event", hold, "err", err)
		return e, false
	}
	if c.r.copier.Working(e.ID) {
		return e, false
	}
	_, err = c.r.archive.Get(ctx, e.ID)
	return e, errors.Is(err, archive.ErrNotFound)
}

func (c *camera) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.ID
}

// start runs the ring and FFmpeg until stop.
func (c *camera) start(ctx context.Context) {
	c.startRing(ctx)
	ctx, c.endFFmpeg = context.WithCancel(ctx)
	c.running.Go(func() { c.supervise(ctx) })
}

// startRing runs the ring alone.
func (c *camera) startRing(ctx context.Context) {
	ctx, c.endRing = context.WithCancel(context.WithoutCancel(ctx))
	c.running.Go(func() {
		if err := c.ring.Run(ctx); err != nil {
			c.log.Error("ring stopped", "err", err)
		}
	})
}

// stop ends FFmpeg, lets an open incident save what is in RAM (if the recorder goes on; else it is left for the next
// life), and ends the ring.
func (c *camera) stop() {
	if c.endFFmpeg != nil {
		c.endFFmpeg()
	}
	c.triggering.Lock()
	c.stopped = true
	if in := c.current(); in != nil && c.r.running() {
		in.End()
	}
	c.triggering.Unlock()
	c.incidents.Wait()
	if c.endRing != nil {
		c.endRing()
	}
	c.running.Wait()
	c.ring.Close()
}

func (r *Recorder) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx != nil && r.ctx.Err() == nil
}

// configure takes new settings; FFmpeg starts again only if the stream's address or login changed.
func (c *camera) configure(cfg config.Camera, lengths config.Clip, keep time.Duration) {
	c.mu.Lock()
	old := c.cfg
	c.cfg, c.lengths = cfg, lengths
	if old.URL != cfg.URL {
		c.streams = ffmpeg.Streams{}
	}
	c.mu.Unlock()
	c.ring.SetKeep(keep)
	old.Name, old.Mail, old.PreRoll, old.PostRoll, old.MaxLength, old.MailLag = cfg.Name, cfg.Mail, cfg.PreRoll, cfg.PostRoll, cfg.MaxLength, cfg.MailLag
	if !reflect.DeepEqual(old, cfg) {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// Times of the supervisor.
const (
	firstWait    = time.Second
	longestWait  = 30 * time.Second
	loginWait    = 30 * time.Second // cameras lock an account after a few wrong logins
	longestLogin = 5 * time.Minute
	healthy      = time.Minute      // a run of this length resets the back-off
	firstSegment = 60 * time.Second // a camera with a GOP of 20 s needs up to 40
	leastStall   = 10 * time.Second
	stillWait    = time.Second // at a camera whose segment is long
	longSilence  = 20 * time.Second
)

// supervise keeps an FFmpeg running until ctx ends.
func (c *camera) supervise(ctx context.Context) {
	var backoff time.Duration
	changes := 0
	for ctx.Err() == nil {
		began := time.Now()
		c.setState(status.Connecting, nil, time.Time{})
		err := c.record(ctx)
		if ctx.Err() != nil {
			return
		}
		f := ffmpeg.AsFailure(err)
		if time.Since(began) > healthy {
			backoff, changes = 0, 0
		}
		if errors.Is(err, errReconfigured) || f.Kind == ffmpeg.Jumped {
			backoff = 0
			continue
		}
		if f.Kind == ffmpeg.Changed && changes < 3 {
			changes++
			c.log.Debug("stream is treated anew", "err", f)
			continue
		}
		least, longest := firstWait, longestWait
		switch f.Kind {
		case ffmpeg.WrongPassword:
			least, longest = loginWait, longestLogin
		case ffmpeg.Missing, ffmpeg.TooOld: // the recorder looks for it; the camera is not asked
			longest = firstWait
		}
		backoff = min(max(2*backoff, least), longest)
		wait := time.Duration(float64(backoff) * (0.8 + 0.4*rand.Float64()))
		c.setState(status.Waiting, f, time.Now().Add(wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.changed:
			backoff = 0
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

var errReconfigured = errors.New("the camera's settings changed")

// record runs FFmpeg once, and ends it when no segment comes any more.
func (c *camera) record(ctx context.Context) error {
	tool, err := c.r.ffmpeg()
	if err != nil {
		return err
	}
	c.mu.Lock()
	cfg, known := c.cfg, c.streams
	c.mu.Unlock()
	source, err := ffmpeg.SourceOf(cfg)
	if err != nil {
		return err
	}
	for _, of := range []chan struct{}{c.seen, c.jumped} { // the run before
		select {
		case <-of:
		default:
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { c.watch(ctx, cancel) })
	defer cancel(nil)
	dir, prefix := c.ring.NextRun()
	c.setLive(filepath.Join(dir, ffmpeg.PlaylistName(prefix)))
	defer c.setLive("")
	err = tool.Record(ctx, ffmpeg.Recording{
		Source: source, Dir: dir, Prefix: prefix, Segment: ring.Target, Keep: c.ring.FFmpegKeep(ring.Target), Known: known,
		Streams: func(s ffmpeg.Streams) {
			c.mu.Lock()
			c.streams = s
			c.mu.Unlock()
		},
		Reached: func(media time.Duration, frames int) { c.ring.Reached(prefix, media, frames) },
		Jumped: func() {
			c.ring.Jumped(prefix)
			select {
			case c.jumped <- struct{}{}:
			default:
			}
		},
		Line: func(line string) { c.log.Debug("ffmpeg", "line", line) },
	})
	if ctx.Err() == nil && c.ring.Gone() {
		return &ffmpeg.Failure{Kind: ffmpeg.RAMGone}
	}
	var f *ffmpeg.Failure
	if errors.As(err, &f) && f.Kind == ffmpeg.Changed {
		c.ring.Discard(prefix)
	}
	return err
}

// watch is the watchdog: FFmpeg itself does not notice a camera that is connected and silent, or a full RAM disk.
func (c *camera) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	timer := time.NewTimer(firstSegment)
	defer timer.Stop()
	last := time.Now() // when a segment came
	var d drift
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.jumped:
			if d.leapt() {
				c.log.Info("the camera's clock was set; its frames are counted instead")
			}
		case <-c.changed:
			cancel(errReconfigured)
			return
		case <-c.seen:
			c.setState(status.Recording, nil, time.Time{})
			now := c.ring.Status()
			last = time.Now()
			timer.Reset(max(leastStall, 3*now.Segment))
			if d.grew(now.Delay) && (c.openEvent() == "" || d.much()) {
				cancel(&ffmpeg.Failure{Kind: ffmpeg.Jumped})
				return
			}
		case <-timer.C:
			kind := ffmpeg.Stalled
			if d, err := ring.DiskOf(c.dir); err == nil && d.Free < 1<<20 {
				kind = ffmpeg.RAMFull
			}
			if c.ring.Gone() {
				kind = ffmpeg.RAMGone
			}
			if kind == ffmpeg.Stalled && c.ring.Growing() && time.Since(last) < firstSegment { // its keyframes come seldom now
				timer.Reset(stillWait)
				continue
			}
			// The last pictures before the silence are wanted, unless it is so long that they would be taken for ones of now.
			cancel(&ffmpeg.Failure{Kind: kind, Finish: kind == ffmpeg.Stalled && c.ring.Silent() < longSilence})
			return
		}
	}
}

// drift is how counted frames go away from the time, after a camera's clock was set: they have the length that the camera
// names, which may not be the real one.
type drift struct {
	since      time.Time // when the clock was set first; zero: it was not
	leaps      int       // how often time stamps leapt
	known      bool
	first, now time.Duration // delay of segments
	times      int           // how often in a row it was too large
}

// Limits of a drift.
const (
	leastDrift = 700 * time.Millisecond
	muchDrift  = 4 * time.Second
	manyLeaps  = 10          // are no clock that is set, but frames that are not as long as the camera says
	driftTime  = time.Minute // what is connected again and again helps nobody
)

// leapt notes that time stamps leapt, and tells whether they did for the first time.
func (d *drift) leapt() (first bool) {
	if first = d.since.IsZero(); first {
		d.since = time.Now()
	}
	d.leaps++
	d.known, d.times = false, 0
	return first
}

// grew notes the delay of a segment and tells whether times are wrong by now.
func (d *drift) grew(delay time.Duration) bool {
	if d.since.IsZero() {
		return false
	}
	if d.leaps > manyLeaps && time.Since(d.since) > driftTime {
		return true
	}
	if !d.known {
		d.known, d.first = true, delay
	}
	d.now = delay
	if (d.now - d.first).Abs() < leastDrift { // a busy machine delays one segment, not three
		d.times = 0
		return false
	}
	d.times++
	return d.times >= 3 && time.Since(d.since) > driftTime
}

// much tells whether the times are wrong enough to lose a second of an open event for it.
func (d *drift) much() bool { return (d.now-d.first).Abs() > muchDrift || d.leaps > manyLeaps }

// openEvent is the id of the event that takes triggers, or "".
func (c *camera) openEvent() string {
	if in := c.current(); in != nil && in.Open() {
		return in.ID()
	}
	return ""
}

func (c *camera) setLive(playlist string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = playlist
}

// setState notes a change and tells of it once.
func (c *camera) setState(s status.CameraState, f *ffmpeg.Failure, retry time.Time) {
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
		c.r.note(history.Recording, id, "")
		c.log.Info("camera is recording", "video", streams.Video, "width", streams.Width, "height", streams.Height, "audio", streams.Audio)
	case s == status.Waiting && (s != before || beforeFailure == nil || beforeFailure.Kind != f.Kind):
		c.r.note(history.NotRecording, id, f.Text())
		c.log.Warn("camera does not record", "err", f)
	case s == before:
		return
	}
	c.r.hub.statusChanged()
}

// why says for a gap why there was no video: the last failure, if it was lately.
func (c *camera) why() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.cfg.Enabled:
		return "the camera was switched off"
	case c.failure != nil && (c.state != status.Recording || time.Since(c.failed) < 5*time.Minute):
		return c.failure.Text()
	case c.state == status.Connecting:
		return "recording had not begun yet"
	}
	return ""
}

func (c *camera) info() clip.Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clip.Camera{ID: c.cfg.ID, Name: c.cfg.Name, Lengths: c.lengths, Why: c.why, Since: c.r.started}
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

// current is the incident that was begun last, which may be over; nil if there was none.
func (c *camera) current() *clip.Incident {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.incident
}

// trigger extends the open incident, or opens one. It returns the event's id when that is durable.
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

// errEnding is the error for a trigger that meets a camera on its end. It may begin anew, so the trigger is to be tried
// again.
var errEnding = errors.New("this camera is just ending")

// beginFor returns the incident that takes a trigger, or begins one with it.
func (c *camera) beginFor(ctx context.Context, t event.Trigger) (in *clip.Incident, begun bool, err error) {
	c.triggering.Lock()
	defer c.triggering.Unlock()
	if c.stopped {
		return nil, false, errEnding
	}
	if in := c.current(); in != nil {
		if in.Takes(t) {
			return in, false, nil
		}
		if in.Holds(t.Time) { // a mail that came late, of what is saved already: it asks for what follows
			t.Time = time.Now()
		}
	}
	in, err = c.r.copier.Begin(ctx, c.infoFor(t), c.ring, t)
	if in != nil {
		err = errors.Join(err, c.run(in))
	}
	if err != nil {
		return nil, false, err
	}
	c.log.Info("event began", "event", in.ID(), "label", t.Label)
	return in, true, nil
}

// enclose hands what came with a mail to its event, if that is the open one.
func (c *camera) enclose(ctx context.Context, event string, e clip.Enclosure) {
	if in := c.current(); in != nil {
		in.Enclose(ctx, event, e)
	}
}

// tell adds to a trigger what its mail told later.
func (c *camera) tell(ctx context.Context, event string, t event.Trigger) {
	if in := c.current(); in != nil {
		in.Tell(ctx, event, t)
	}
}

// run runs an incident for as long as the recorder runs. c.triggering is held.
func (c *camera) run(in *clip.Incident) error {
	c.r.mu.Lock()
	ctx := c.r.ctx
	c.r.mu.Unlock()
	if ctx == nil {
		return errors.New("the recorder is stopping")
	}
	c.setCurrent(in)
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

func (c *camera) setCurrent(in *clip.Incident) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incident = in
}

// succeed makes an incident that was found again the current one, unless that is a later one. false means that the current
// one changed meanwhile. An incident's lock is not taken under the camera's, since an incident asks its camera things.
func (c *camera) succeed(in *clip.Incident) bool {
	now := c.current()
	if now != nil && in.Begun().Before(now.Begun()) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.incident != now {
		return false
	}
	c.incident = in
	return true
}

// resume takes up an open event that nobody works on.
func (c *camera) resume(ctx context.Context, ev event.Event) error {
	in, err := c.r.copier.Resume(c.info(), c.ring, ev)
	if err != nil {
		return err
	}
	c.log.Info("event is taken up again", "event", ev.ID, "state", ev.State)
	for !c.succeed(in) {
	}
	c.incidents.Go(func() { in.Run(ctx) })
	return nil
}

// status returns the camera's state now.
func (c *camera) status() status.Camera {
	rs := c.ring.Status()
	s := status.Camera{PreRoll: event.Seconds(rs.Length), GOP: event.Seconds(rs.Segment), BitRate: rs.BitRate, Bytes: rs.Bytes, Newest: rs.Newest, Short: rs.Short}
	s.OpenEvent = c.openEvent()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ID, s.Name, s.State, s.Since, s.Streams, s.LastTrigger = c.cfg.ID, c.cfg.Title(), c.state, c.since, c.streams, c.last
	switch c.state {
	case status.Recording:
		s.Text, s.Live = "Recording", c.live
	case status.Connecting:
		s.Text = "Connecting"
	case status.Waiting:
		s.Failure, s.Text, s.Hint, s.Retry = c.failure.Kind, c.failure.Text(), c.failure.Hint(), c.retry
	}
	return s
}

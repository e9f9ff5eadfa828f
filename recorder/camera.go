package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	ffmpegsource "github.com/preroll/preroll/recorder/source/ffmpeg"
	"github.com/preroll/preroll/recorder/source/folder"
	"github.com/preroll/preroll/recorder/source/rtsp"
	"github.com/preroll/preroll/recorder/status"
)

// camera is one camera: its ring, the source that fills it, and its open incident.
type camera struct {
	r    *Recorder
	dir  string
	ring *ring.Ring
	log  *slog.Logger
	seen chan struct{} // a segment came
	left []string      // holds that an earlier life left, when this camera was opened; used by resume only

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

func newCamera(r *Recorder, cfg config.Camera, dir string, s config.Settings) (*camera, error) {
	c := &camera{r: r, dir: dir, cfg: cfg, lengths: s.Lengths(cfg), log: r.log.With("camera", cfg.ID), seen: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), state: status.Connecting, since: time.Now()}
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
	c.left, _ = c.ring.Holds()
	return c, nil
}

// dropOrphans removes pins that belong to no open event: a crash came between an event's end and the end of its hold.
func (c *camera) dropOrphans(ctx context.Context) {
	if len(c.left) == 0 {
		return
	}
	open, err := c.r.archive.Unfinished(ctx)
	if err != nil {
		return // rather keep them
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
		if _, lost := c.lostEvent(ctx, id); lost { // to be recalled when the index can be written
			c.left = append(c.left, id)
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
	for _, id := range c.left {
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
	if err = json.Unmarshal(b, &e); err == nil {
		err = archive.Usable(&e)
	}
	if err != nil || e.Hold != hold || e.Camera != c.id() || e.State != event.Recording {
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

// start records until stop.
func (c *camera) start(ctx context.Context) {
	ctx, c.endSource = context.WithCancel(ctx)
	c.running.Go(func() { c.supervise(ctx) })
}

// stop ends the source, and lets an open incident save what is in RAM (if the recorder goes on; else it is left for the next
// process).
func (c *camera) stop() {
	if c.endSource != nil {
		c.endSource()
	}
	c.running.Wait()
	c.triggering.Lock()
	c.stopped = true
	if in := c.current(); in != nil && c.r.running() {
		in.End()
	}
	c.triggering.Unlock()
	c.incidents.Wait()
	c.ring.Close()
}

func (r *Recorder) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx != nil && r.ctx.Err() == nil
}

// configure takes new settings; the source starts again only if the stream's address, its login or how it is read changed.
func (c *camera) configure(cfg config.Camera, lengths config.Clip, keep time.Duration) {
	c.mu.Lock()
	old := c.cfg
	c.cfg, c.lengths = cfg, lengths
	if old.URL != cfg.URL {
		c.streams = source.Streams{}
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
	healthy      = time.Minute      // a session of this length resets the back-off
	firstFrame   = 30 * time.Second // for which a session may bring nothing at all
	firstKey     = 2 * time.Minute  // for which a keyframe is waited for while pictures come
	minStall     = 10 * time.Second
	maxGOP       = 2 * time.Minute // beyond the ring's length; else clips would begin hours early
	tryAgain     = 24 * time.Hour  // after which a camera that FFmpeg reads is tried without it
)

// supervise keeps a session with the camera until ctx ends.
func (c *camera) supervise(ctx context.Context) {
	var backoff time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		c.setState(status.Connecting, nil, time.Time{})
		err := c.record(ctx)
		if ctx.Err() != nil {
			return
		}
		f := source.AsFailure(err)
		if time.Since(began) > healthy {
			backoff = 0
		}
		if errors.Is(err, errReconfigured) {
			c.source, c.fellBack, backoff = nil, time.Time{}, 0
			continue
		}
		if errors.Is(err, errGOPTooLong) {
			backoff = 0
			continue
		}
		if c.fallBack(f) {
			continue
		}
		least, longest := firstWait, longestWait
		switch f.Kind {
		case source.WrongPassword, source.LongPassword:
			least, longest = loginWait, longestLogin
		case source.Missing, source.TooOld: // the recorder looks for it; the camera is not asked
			longest = firstWait
		}
		backoff = min(max(2*backoff, least), longest)
		wait := time.Duration(float64(backoff) * (0.8 + 0.4*rand.Float64()))
		c.setState(status.Waiting, f, time.Now().Add(wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.changed:
			c.source, c.fellBack, backoff = nil, time.Time{}, 0
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

var (
	errReconfigured = errors.New("the camera's settings changed")
	errGOPTooLong   = errors.New("keyframes are too rare")
)

// fallBack lets FFmpeg read the camera from now on, if it is an RTSP camera that cannot be read otherwise.
func (c *camera) fallBack(f *source.Failure) bool {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	if cfg.Ingest != config.IngestAuto || !cfg.RTSP() || !c.fellBack.IsZero() || !f.Kind.Persists() {
		return false
	}
	if _, err := c.r.ffmpeg(); err != nil {
		return false
	}
	c.log.Warn("the camera is read by FFmpeg from now on", "err", f)
	c.source, c.fellBack, c.because = nil, time.Now(), f.Kind
	return true
}

// sourceOf makes what reads a camera. fallBack says that an RTSP camera is left to FFmpeg.
func sourceOf(cfg config.Camera, tool func() (*ffmpeg.Tool, error), fallBack bool, since time.Time, log *slog.Logger) (source.Source, error) {
	from, err := ffmpeg.SourceOf(cfg)
	if err != nil {
		return nil, err
	}
	if dir, ok := cfg.Folder(); ok {
		return folder.New(folder.Options{Dir: dir, Audio: cfg.Audio, Tool: tool, Since: since, Log: log}), nil
	}
	if cfg.RTSP() && cfg.Ingest != config.IngestFFmpeg && !fallBack {
		if rule := config.URLFault(cfg.URL); rule != "" {
			return nil, &source.Failure{Kind: source.BadURL, Detail: "the camera's URL " + rule}
		}
		return rtsp.New(rtsp.Options{URL: cfg.URL, Username: from.Username, Password: from.Password.Reveal(), Audio: cfg.Audio}), nil
	}
	return ffmpegsource.New(tool, from), nil
}

// record runs one session, and ends it when no picture comes any more.
func (c *camera) record(ctx context.Context) error {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	if !c.fellBack.IsZero() && time.Since(c.fellBack) > tryAgain {
		c.source, c.fellBack = nil, time.Time{}
	}
	if c.source == nil {
		src, err := sourceOf(cfg, c.r.ffmpeg, !c.fellBack.IsZero(), c.ring.Status().Newest, c.log)
		if err != nil {
			return err
		}
		c.source = src
	}
	select {
	case <-c.seen: // of the session before
	default:
	}
	s := &sink{Writer: c.ring.Writer(), c: c}
	s.came.Store(int64(steady.Now()))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	_, isFolder := cfg.Folder()
	watching.Go(func() { c.watch(ctx, cancel, s, isFolder) })
	err := c.source.Run(ctx, s)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if ctx.Err() == nil && c.ring.Gone() {
		return &source.Failure{Kind: source.RAMGone}
	}
	if err == nil {
		err = &source.Failure{Kind: source.Ended}
	}
	return err
}

// sink is the ring's writer, which tells the camera what comes.
type sink struct {
	*ring.Writer
	c     *camera
	came  atomic.Int64 // steady time at which the last frame of video came, or the session began
	any   atomic.Bool  // one came
	pause atomic.Int64 // the longest time between two frames lately
}

// Tracks notes what the camera sends.
func (s *sink) Tracks(tracks []source.Track, streams source.Streams) error {
	s.c.mu.Lock()
	if !s.c.fellBack.IsZero() {
		streams.Because = s.c.because
	}
	s.c.streams = streams
	s.c.mu.Unlock()
	return s.Writer.Tracks(tracks, streams)
}

// Sample notes when a picture came.
func (s *sink) Sample(x source.Sample) error {
	if x.Track == 0 {
		before := s.came.Swap(int64(x.Arrival))
		if s.any.Swap(true) {
			s.pause.Store(max(int64(x.Arrival)-before, s.pause.Load()*31/32))
		}
	}
	return s.Writer.Sample(x)
}

// watch is the watchdog over a session: a camera may be connected and silent, or send pictures and no keyframe.
func (c *camera) watch(ctx context.Context, cancel context.CancelCauseFunc, s *sink, isFolder bool) {
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
			cancel(errReconfigured)
			return
		case <-c.seen:
			c.setState(status.Recording, nil, time.Time{})
			continue
		case <-tick.C:
		}
		if isFolder { // which says itself when nothing comes
			continue
		}
		silent := steady.Now() - time.Duration(s.came.Load())
		limit := firstFrame
		if s.any.Load() {
			limit = max(minStall, 3*time.Duration(s.pause.Load()))
		}
		rs := c.ring.Status()
		switch {
		case silent > limit:
			cancel(&source.Failure{Kind: source.Stalled})
			return
		case rs.Newest.IsZero() && rs.GOP == 0 && time.Since(began) > firstKey:
			cancel(&source.Failure{Kind: source.NoKeyframe})
			return
		case rs.GOP > c.r.keep()+maxGOP && c.ring.Receiving() && c.openEvent() == "" && time.Since(began) > c.r.keep()+maxGOP:
			c.log.Info("no keyframe came for minutes; a new session shall bring one")
			cancel(errGOPTooLong)
			return
		}
	}
}

// openEvent is the id of the event that takes triggers, or "".
func (c *camera) openEvent() string {
	if in := c.current(); in != nil && in.Open() {
		return in.ID()
	}
	return ""
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

// rareKeyframes is from when on keyframes are so rare that clips are much longer than asked for.
const rareKeyframes = 12 * time.Second

// status returns the camera's state now.
func (c *camera) status() status.Camera {
	rs := c.ring.Status()
	s := status.Camera{PreRoll: event.Seconds(rs.Length), GOP: event.Seconds(rs.GOP), BitRate: rs.BitRate, Bytes: rs.Bytes, Newest: rs.Newest, Short: rs.Short}
	s.OpenEvent = c.openEvent()
	live := c.ring.Live()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ID, s.Name, s.State, s.Since, s.Streams, s.LastTrigger = c.cfg.ID, c.cfg.Title(), c.state, c.since, c.streams, c.last
	switch c.state {
	case status.Recording:
		s.Text, s.Live = "Recording", live
		s.Advice = advice(c.streams, rs)
	case status.Connecting:
		s.Text = "Connecting"
	case status.Waiting:
		s.Failure, s.Text, s.Hint, s.Retry = c.failure.Kind, c.failure.Text(), c.failure.Hint(), c.retry
	}
	return s
}

// advice is what the owner of a camera that records should know.
func advice(streams source.Streams, rs ring.Status) (list []status.Advice) {
	say := func(k source.Kind, values ...any) {
		text := k.Text()
		if len(values) > 0 {
			text = fmt.Sprintf(text, values...)
		}
		list = append(list, status.Advice{Kind: k, Text: text, Hint: k.Hint()})
	}
	if rs.GOP > rareKeyframes {
		say(source.RareKeyframes, rs.GOP.Seconds())
	}
	if streams.Video == "mjpeg" {
		say(source.MotionJPEG)
	}
	if streams.LeftOut != "" {
		say(source.SoundLeftOut, streams.LeftOut)
	}
	if !rs.Stamps {
		say(source.StampsWrong)
	}
	if streams.Because != "" {
		say(source.ReadByFFmpeg, streams.Because.Text())
	}
	return list
}

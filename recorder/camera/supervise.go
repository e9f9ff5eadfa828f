package camera

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// Times of the supervisor.
const (
	firstWait    = time.Second
	longestWait  = 30 * time.Second
	loginWait    = 30 * time.Second // cameras lock an account after a few wrong logins
	longestLogin = 5 * time.Minute
	healthy      = time.Minute      // a session of this length resets the back-off
	firstFrame   = 30 * time.Second // max time until the first frame of a session
	firstKey     = 2 * time.Minute  // max time until the first keyframe, while frames come
	minStall     = 10 * time.Second
	maxGOP       = 2 * time.Minute // beyond the ring's length; rarer keyframes would make clips begin hours early
	tryAgain     = 24 * time.Hour  // after this time a camera that FFmpeg reads is tried without FFmpeg
)

// supervise keeps a session with the camera open until ctx ends.
func (c *camera) supervise(ctx context.Context) {
	var backoff time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		c.setState(status.Connecting, nil, time.Time{})
		err := c.record(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errCut) {
			select {
			case <-c.back:
				continue
			case <-ctx.Done():
				return
			}
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
		case source.Missing, source.TooOld: // FFmpeg is missing or too old: the camera is not asked, so retry often
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

// fallBack switches the camera to FFmpeg if it is an RTSP camera that cannot be read otherwise. It reports whether it
// did.
func (c *camera) fallBack(f *source.Failure) bool {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	if cfg.Ingest != config.IngestAuto || !cfg.RTSP() || !c.fellBack.IsZero() || !f.Kind.Persists() {
		return false
	}
	if _, err := c.set.opt.FFmpeg(); err != nil {
		return false
	}
	c.log.Warn("the camera is read by FFmpeg from now on", "err", f)
	c.source, c.fellBack, c.because = nil, time.Now(), f.Kind
	return true
}

// record runs one session and returns why it ended. The watchdog ends the session when no frames come any more.
func (c *camera) record(ctx context.Context) error {
	c.mu.Lock()
	cfg := c.cfg
	c.mu.Unlock()
	if !c.fellBack.IsZero() && time.Since(c.fellBack) > tryAgain {
		c.source, c.fellBack = nil, time.Time{}
	}
	if c.source == nil {
		src, err := NewSource(cfg, c.set.opt.FFmpeg, !c.fellBack.IsZero(), c.ring.Status().Newest, c.log)
		if err != nil {
			return err
		}
		c.source = src
	}

	select {
	case <-c.seen: // from the last session
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
	cerr := s.Close()
	if s.at.Camera != "" {
		c.cut <- s.at
		return errCut
	}
	c.keyed.Store(false)
	if err == nil {
		err = cerr
	}
	if ctx.Err() == nil && c.ring.FolderGone() {
		return source.RAMGone.Failure(nil)
	}
	if err == nil {
		err = source.Ended.Failure(nil)
	}
	return err
}

// sink writes samples to the ring and records when they come, for the watchdog.
type sink struct {
	*ring.Writer
	c     *camera
	came  atomic.Int64 // steady time of the last video frame, or of the session's start
	any   atomic.Bool  // a video frame came
	pause atomic.Int64 // longest time between two frames; decays with each frame
	at    status.Cut   // the keyframe at which the session ended for another process; used by one goroutine
}

// Tracks stores the streams that the camera sends.
func (s *sink) Tracks(tracks []source.Track, streams source.Streams) error {
	s.c.mu.Lock()
	if !s.c.fellBack.IsZero() {
		streams.Because = string(s.c.because)
	}
	s.c.streams = streams
	s.c.mu.Unlock()
	return s.Writer.Tracks(tracks, streams)
}

// Sample records when a video frame came.
func (s *sink) Sample(x source.Sample) error {
	if err := s.cutAt(x); err != nil {
		return err
	}
	if x.Track == 0 {
		before := s.came.Swap(int64(x.Arrival))
		if s.any.Swap(true) {
			s.pause.Store(max(int64(x.Arrival)-before, s.pause.Load()*31/32))
		}
	}
	return s.Writer.Sample(x)
}

// watch is the watchdog of a session. It ends a session in which no frame or no keyframe comes.
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

		if isFolder { // a folder source reports itself when nothing comes
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
			cancel(source.Stalled.Failure(nil))
			return
		case rs.Newest.IsZero() && rs.GOP == 0 && time.Since(began) > firstKey:
			cancel(source.NoKeyframe.Failure(nil))
			return
		case rs.GOP > c.set.keep()+maxGOP && c.ring.Receiving() && c.openEvent() == "" &&
			time.Since(began) > c.set.keep()+maxGOP:
			c.log.Info("no keyframe came for minutes; a new session shall bring one")
			cancel(errGOPTooLong)
			return
		}
	}
}

// openEvent returns the id of the event that takes triggers, or "".
func (c *camera) openEvent() string {
	if in := c.current(); in != nil && in.Open() {
		return in.ID()
	}
	return ""
}

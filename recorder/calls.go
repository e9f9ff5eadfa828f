package recorder

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/call"
)

// calls is the server for calls, and who may call.
type calls struct {
	list    *access.List
	changed chan struct{} // the server's settings changed, so it restarts

	mu     sync.Mutex // guards everything below
	state  status.Calls
	logged time.Time // when a line told of a refused call
}

// receiveCalls runs the server for calls while the settings ask for it, and restarts it when they change.
func (r *Recorder) receiveCalls(ctx context.Context) {
	for ctx.Err() == nil {
		serving, cancel := context.WithCancel(ctx)
		s := call.Server{Settings: r.Settings().Calls, Log: r.log, Find: r.calls.list.Find,
			Camera: func(id string) bool { _, ok := r.Settings().Camera(id); return ok },
			Listening: func(listen string, err error) {
				was, now := r.calls.status(), text.Of(err)
				switch {
				case err == nil:
					r.log.Info("waiting for calls", "path", listen)
				case was.Listen != "" || was.Error.String() != now.String(): // it is tried again and again
					r.log.Error("no call can come in", "err", err)
				}
				r.noteCalls(func(s *status.Calls) { s.Listen, s.Error = listen, now })
			},
			Ready: func() bool {
				return r.inbox.Status().Listen != "" && slices.ContainsFunc(r.cameras.Status(),
					func(c status.Camera) bool { return c.State == status.Recording })
			},
			Metrics: func(w io.Writer) error { return r.counters.Write(w, r.Status(serving)) },
			Refused: r.refuseCall,
			Over: func(id string, t event.Trigger) {
				t.Clean()
				r.inbox.Signal(history.SignalEnd, id, t, "", text.Text{})
			}}

		var server errgroup.Group
		if s.Settings.Listen != "" {
			server.Go(func() error { return s.Run(serving, r.emitOf(&s)) })
		}
		select {
		case <-ctx.Done():
		case <-r.calls.changed:
		}
		cancel()
		_ = server.Wait() // Run returns no error
		r.noteCalls(func(s *status.Calls) { s.Listen, s.Error = "", text.Text{} })
	}
}

// refusalTime is the shortest time between two lines in the log that tell of refused calls.
const refusalTime = 10 * time.Second

// refuseCall counts a refused call, and keeps the last one for people who look why nothing comes.
func (r *Recorder) refuseCall(from netip.Addr, camera string, why text.Text) {
	camera = event.Clean(camera, 64)
	var quiet bool
	r.noteCalls(func(s *status.Calls) {
		if quiet = time.Since(r.calls.logged) < refusalTime; !quiet {
			r.calls.logged = time.Now()
		}
		s.Refused++
		s.Last = &status.Refusal{Time: time.Now(), From: from.String(), Camera: camera, Why: why}
	})
	if !quiet {
		r.log.Warn("call refused", "from", from, "camera", camera, "err", why)
	}
}

func (r *Recorder) noteCalls(change func(*status.Calls)) {
	r.calls.mu.Lock()
	change(&r.calls.state)
	r.calls.mu.Unlock()
	r.hub.statusChanged()
}

// status returns the state of the server for calls.
func (c *calls) status() status.Calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	if err := c.list.Err(); err != nil && s.Error.IsZero() && s.Listen != "" {
		s.Error = text.Of(err)
	}
	return s
}

// Callers returns who may call, the oldest first.
func (r *Recorder) Callers() []status.Caller { return r.calls.list.All() }

// AddCaller lets somebody call who has the token that it returns, with the name and the rights of c. The token is not
// kept, and cannot be shown again.
func (r *Recorder) AddCaller(c status.Caller) (added status.Caller, token string, err error) {
	if _, ok := r.Settings().Camera(c.Camera); c.Camera != "" && !ok {
		return added, "", text.NoSuchCamera.Error()
	}
	return r.calls.list.Add(c)
}

// RemoveCaller takes a caller's right away.
func (r *Recorder) RemoveCaller(id string) error { return r.calls.list.Remove(id) }

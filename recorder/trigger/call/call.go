// Package call is the source of triggers for whatever can open a web address: home automation, door bells, recorders
// and the "HTTP notification" of cameras.
//
//	http://HOST:PORT/api/trigger/CAMERA?token=TOKEN&label=LABEL
//
// A call is answered 202 when its event is durable. Everything in a call is untrusted: sizes, counts and times are
// bounded. Package trigger is the same for mails.
package call

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// Limits of the server.
const (
	maxConns      = 200
	maxPerAddress = 20
	maxHead       = 16 << 10         // bytes of a request without its body
	headTime      = 10 * time.Second // for the head of a request
	callTime      = 30 * time.Second // for a whole request
	answerTime    = time.Minute      // from the head to the end of the answer; an event may wait for its camera
	idleTime      = time.Minute
	endTime       = 2 * time.Second // for calls that are being answered when Run ends
	againTime     = 5 * time.Second // until a port that is taken is tried again
	manyWrong     = 20              // wrong tokens of one address within wrongTime
	wrongTime     = 10 * time.Minute
	keptAddresses = 1000 // addresses whose wrong tokens are counted
)

// Server takes calls. It is a [trigger.Source].
type Server struct {
	Settings  config.Calls
	Log       *slog.Logger
	Find      func(token string) (status.Caller, bool) // the caller with a token
	Camera    func(id string) bool                     // reports whether there is such a camera
	Ready     func() bool                              // reports whether an alarm would save a clip now
	Metrics   func(io.Writer) error                    // writes the measures
	Listening func(listen string, err error)           // called when listening begins or fails
	Refused   func(from netip.Addr)                    // called for a call that is refused

	ctx     context.Context // of Run
	emit    trigger.Emit
	allow   func(netip.Addr) bool
	working sync.WaitGroup // calls that are being answered

	mu    sync.Mutex // guards wrong
	wrong map[netip.Addr]*count
}

// count counts the wrong tokens of an address.
type count struct {
	n     int
	until time.Time // when it begins again
}

// Name returns [event.Call].
func (s *Server) Name() event.Source { return event.Call }

// Run takes calls until ctx ends. It tries a port that is taken again every five seconds.
func (s *Server) Run(ctx context.Context, emit trigger.Emit) error {
	s.ctx, s.emit, s.allow, s.wrong = ctx, emit, trigger.Allowed(s.Settings.Allow), map[netip.Addr]*count{}
	for ctx.Err() == nil {
		ln, err := net.Listen("tcp", s.Settings.Listen)
		if err == nil {
			s.Listening(ln.Addr().String(), nil)
			err = s.serve(ctx, ln)
		}
		if ctx.Err() != nil {
			return nil
		}

		s.Listening("", trigger.PortError("calls.listen", s.Settings.Listen, err))
		timer := time.NewTimer(againTime)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

// serve serves one listener until ctx ends, and waits for the calls that it took.
func (s *Server) serve(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/trigger/{camera}", s.call)
	mux.HandleFunc("POST /api/trigger/{camera}", s.call)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.Ready() {
			say(w, http.StatusOK, "ready")
		} else {
			say(w, http.StatusServiceUnavailable, "not ready")
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: headTime, ReadTimeout: callTime, WriteTimeout: answerTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHead, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle { // the next byte is the first of a request
				c.(*conn).began.Store(0)
			}
		}}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(&listener{Listener: ln, allow: s.allow, refused: s.Refused, counts: map[netip.Addr]int{}})
	}()
	select {
	case err := <-served:
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}

	over, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if srv.Shutdown(over) != nil {
		_ = srv.Close()
	}
	<-served
	s.working.Wait()
	return nil
}

// say answers with a word.
func say(w http.ResponseWriter, code int, word string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, word+"\n")
}

// callerOf returns who calls. Without a valid token it refuses the call and returns false.
func (s *Server) callerOf(w http.ResponseWriter, r *http.Request) (c status.Caller, ok bool) {
	if c, ok = s.Find(tokenOf(r)); ok {
		return c, true
	}
	from := addrOf(r.RemoteAddr)
	s.Refused(from)
	if wait := s.countWrong(from, time.Now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		answer(w, http.StatusTooManyRequests, refusal(text.TooManyWrongTokens))
		return c, false
	}

	// Cameras send a password only if they are asked for one.
	w.Header().Set("WWW-Authenticate", `Basic realm="preroll", charset="UTF-8"`)
	answer(w, http.StatusUnauthorized, refusal(text.WrongToken))
	return c, false
}

// metrics answers with the measures.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	s.working.Add(1)
	defer s.working.Done()
	caller, ok := s.callerOf(w, r)
	if !ok {
		return
	}
	if !caller.Metrics {
		answer(w, http.StatusForbidden, refusal(text.TokenNotForMetrics))
		return
	}
	w.Header().Set("Content-Type", metricsType)
	w.Header().Set("Cache-Control", "no-store")
	_ = s.Metrics(w) // fails if the caller is gone
}

// metricsType is the type of the measures: the text form of Prometheus.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// call answers one call.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	s.working.Add(1)
	defer s.working.Done()
	caller, ok := s.callerOf(w, r)
	if !ok {
		return
	}
	from, id := addrOf(r.RemoteAddr), r.PathValue("camera")
	switch {
	case caller.Metrics:
		answer(w, http.StatusForbidden, refusal(text.TokenForMetrics))
		return
	case !s.Camera(id):
		answer(w, http.StatusNotFound, refusal(text.NoSuchCamera))
		return
	case caller.Camera != "" && caller.Camera != id:
		answer(w, http.StatusForbidden, refusal(text.TokenOfOtherCamera))
		return
	}

	said := read(w, r)
	if said.over {
		answer(w, http.StatusOK, result{Camera: id})
		return
	}
	t := event.Trigger{Time: beganOf(r), Source: event.Call, Label: said.label, Sender: caller.Name,
		Subject: said.subject, From: from.String()}
	ev, err := s.emit(s.ctx, id, t) // not with the connection: a caller that hangs up still has its clip
	switch {
	case err != nil:
		s.Log.Error("call not saved", "camera", id, "sender", caller.Name, "from", t.From, "err", err)
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, result{Code: text.Of(err).Code, Message: text.Of(err).English})
	case ev == "":
		answer(w, http.StatusOK, result{Camera: id})
	default:
		answer(w, http.StatusAccepted, result{Camera: id, Event: ev, Saved: true})
	}
}

// result is the answer to a call.
type result struct {
	Camera  string `json:"camera,omitempty"`
	Event   string `json:"event,omitempty"`
	Saved   bool   `json:"saved"` // the call became an event, or a part of one
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

func refusal(m text.Message, args ...any) result {
	t := m.With(args...)
	return result{Code: t.Code, Message: t.English}
}

func answer(w http.ResponseWriter, code int, v result) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails if the caller is gone
}

// tokenOf returns the token of a call: of the Authorization header, as the password of a login, or in the address.
func tokenOf(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return r.URL.Query().Get("token")
}

// countWrong counts a wrong token of an address. It returns how long the address has to wait, if it sent too many.
func (s *Server) countWrong(a netip.Addr, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.wrong[a]
	if c == nil || now.After(c.until) {
		if len(s.wrong) >= keptAddresses {
			clear(s.wrong)
		}
		c = &count{until: now.Add(wrongTime)}
		s.wrong[a] = c
	}
	if c.n++; c.n > manyWrong {
		return c.until.Sub(now)
	}
	return 0
}

// --- Connections ---

// connKey is the key of a request's connection.
type connKey struct{}

// beganOf returns when the first byte of a request came.
func beganOf(r *http.Request) time.Time {
	return time.Unix(0, r.Context().Value(connKey{}).(*conn).began.Load())
}

func addrOf(remote string) netip.Addr {
	a, _ := netip.ParseAddrPort(remote)
	return a.Addr().Unmap().WithZone("")
}

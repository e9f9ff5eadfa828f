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
	"slices"
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
	textTime      = 3 * time.Second  // for the text of a call, before its trigger goes out without it
	answerTime    = time.Minute      // from the head to the end of the answer; an event may wait for its camera
	maxReading    = 16               // bodies that are read at once
	endTime       = 2 * time.Second  // for calls that are being answered when Run ends
	againTime     = 5 * time.Second  // until a port that is taken is tried again
	manyWrong     = 20               // wrong tokens of one address within wrongTime
	wrongTime     = 10 * time.Minute
	keptAddresses = 1000 // addresses whose wrong tokens are counted
)

// Server takes calls. It is a [trigger.Source].
type Server struct {
	Settings  config.Calls
	Log       *slog.Logger
	Find      func(token string) (status.Caller, bool) // the caller with a token
	Camera    func(id string) bool                     // reports whether there is such a camera
	Ready     func() bool                              // reports whether a camera records and mails come in
	Metrics   func(io.Writer) error                    // writes the measures
	Listening func(listen string, err error)           // called when listening begins or fails

	// Refused is called for a call that is refused, and for a connection of an address that is not allowed. camera may
	// be anything.
	Refused func(from netip.Addr, camera string, why text.Text)

	// Over is called for a call that tells of an end, and so saves nothing.
	Over func(camera string, t event.Trigger)

	ctx     context.Context // of Run
	emit    trigger.Emit
	allow   func(netip.Addr) bool
	reading chan struct{} // one place for each body that is read
	working sync.RWMutex  // read-locked by each call that is being answered; locked for ever when Run has ended

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
	s.reading = make(chan struct{}, maxReading)
	s.ctx, s.emit, s.allow, s.wrong = ctx, emit, trigger.Allowed(s.Settings.Allow), map[netip.Addr]*count{}
	defer s.working.Lock() // no call is answered after the end
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
	conns := &listener{Listener: ln, allow: s.allow, refused: s.Refused}
	srv := &http.Server{ReadHeaderTimeout: headTime, ReadTimeout: callTime, WriteTimeout: answerTime,
		MaxHeaderBytes: maxHead, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !s.working.TryRLock() {
				say(w, http.StatusServiceUnavailable, "ending")
				return
			}
			defer s.working.RUnlock()
			mux.ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		}}

	// One call a connection: the trigger time is that of its first byte, and nobody holds a place with nothing to say.
	srv.SetKeepAlivesEnabled(false)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(conns) }()
	select {
	case err := <-served:
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}

	conns.dropStrangers()
	over, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if srv.Shutdown(over) != nil {
		_ = srv.Close()
	}
	<-served
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
	tokens := tokensOf(r)
	for _, token := range tokens {
		if c, ok = s.Find(token); ok {
			r.Context().Value(connKey{}).(*conn).taken.Store(true)
			return c, true
		}
	}

	// Cameras send a password only if they are asked for one, so a call without any is no wrong one.
	w.Header().Set("WWW-Authenticate", `Basic realm="preroll", charset="UTF-8"`)
	if len(tokens) == 0 {
		s.refuse(w, r, http.StatusUnauthorized, text.NoToken)
		return c, false
	}
	if wait := s.countWrong(addrOf(r.RemoteAddr), time.Now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		s.refuse(w, r, http.StatusTooManyRequests, text.TooManyWrongTokens)
		return c, false
	}
	s.refuse(w, r, http.StatusUnauthorized, text.WrongToken)
	return c, false
}

// refuse answers that a call is refused, and why.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, code int, why text.Message) {
	t := why.With()
	s.Refused(addrOf(r.RemoteAddr), r.PathValue("camera"), t)
	drain(w, r, maxRefused, textTime)
	answer(w, code, result{Code: t.Code, Message: t.English})
}

// metrics answers with the measures.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	caller, ok := s.callerOf(w, r)
	if !ok {
		return
	}
	if !caller.Metrics {
		s.refuse(w, r, http.StatusForbidden, text.TokenNotForMetrics)
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
	caller, ok := s.callerOf(w, r)
	if !ok {
		return
	}
	from, id := addrOf(r.RemoteAddr), r.PathValue("camera")
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case caller.Metrics:
		s.refuse(w, r, http.StatusForbidden, text.TokenForMetrics)
		return
	case caller.Camera != "" && caller.Camera != id:
		s.refuse(w, r, http.StatusForbidden, text.TokenOfOtherCamera)
		return
	case !s.Camera(id):
		s.refuse(w, r, http.StatusNotFound, text.NoSuchCamera)
		return
	}

	said := s.read(w, r)
	t := event.Trigger{Time: beganOf(r), Source: event.Call, Label: said.label, Sender: caller.Name,
		Subject: said.subject, From: from.String()}
	if said.over {
		s.Over(id, t)
		drain(w, r, maxDrain, callTime)
		answer(w, http.StatusOK, result{Camera: id})
		return
	}
	ev, err := s.emit(s.ctx, id, t) // not with the connection: a caller that hangs up still has its clip
	drain(w, r, maxDrain, callTime)
	switch {
	case err != nil:
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

func answer(w http.ResponseWriter, code int, v result) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails if the caller is gone
}

// tokensOf returns the tokens of a call: of the Authorization header, as the password of a login, and in the address.
// Cameras fill in a login too, whether it is asked for or not.
func tokensOf(r *http.Request) (list []string) {
	if kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "bearer") {
		list = append(list, strings.TrimSpace(token))
	}
	if _, password, ok := r.BasicAuth(); ok {
		list = append(list, password)
	}
	list = append(list, r.URL.Query().Get("token"))
	return slices.DeleteFunc(list, func(token string) bool { return token == "" })
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

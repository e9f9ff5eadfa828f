package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of a call.
const (
	maxCall  = 1 << 20          // max bytes of its body
	bodyTime = 10 * time.Second // max time to send the body
	idleTime = 2 * time.Minute  // of a connection between two calls
)

// Serve answers calls on a listener from Listen until ctx ends.
func Serve(ctx context.Context, ln net.Listener, r Recorder, watch func() Watcher) error {
	srv := &http.Server{Handler: routes(&server{r: r, watch: watch, stopping: ctx}), ReadHeaderTimeout: bodyTime,
		IdleTimeout: idleTime, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}

	// Open calls see ctx end and watches return, so this is quick. A call that hangs with a drive is cut off.
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := srv.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served
	return err
}

// endTime is how long open calls may take after ctx has ended.
const endTime = 5 * time.Second

func routes(s *server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/watch", s.watchAll)
	mux.HandleFunc("GET /v1/settings", s.settings)
	mux.HandleFunc("PUT /v1/settings", s.apply)
	mux.HandleFunc("POST /v1/trigger", s.trigger)
	mux.HandleFunc("POST /v1/mail", s.mail)
	mux.HandleFunc("GET /v1/connections", s.connections)
	mux.HandleFunc("GET /v1/log", s.logLines)
	mux.HandleFunc("DELETE /v1/unmatched", s.dropUnmatched)
	mux.HandleFunc("GET /v1/callers", s.callers)
	mux.HandleFunc("POST /v1/callers", s.addCaller)
	mux.HandleFunc("DELETE /v1/callers/{id}", s.removeCaller)
	mux.HandleFunc("POST /v1/targets/{id}/try", s.tryTarget)
	mux.HandleFunc("POST /v1/look", s.probe)
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("GET /v1/events/{id}", s.event)
	mux.HandleFunc("POST /v1/events/{id}/protect", s.protect)
	mux.HandleFunc("DELETE /v1/events/{id}", s.delete)
	mux.HandleFunc("POST /v1/events/{id}/restore", s.restore)
	mux.HandleFunc("GET /v1/trash", s.deleted)
	mux.HandleFunc("DELETE /v1/trash", s.emptyTrash)
	mux.HandleFunc("GET /v1/drives", s.drives)
	mux.HandleFunc("DELETE /v1/drives/{id}", s.forgetDrive)
	mux.HandleFunc("POST /v1/reindex", s.reindex)
	mux.HandleFunc("GET /v1/days", s.days)
	mux.HandleFunc("GET /v1/choices", s.choices)
	mux.HandleFunc("GET /v1/next", s.next)
	mux.HandleFunc("POST /v1/events/{id}/verify", s.verify)
	mux.HandleFunc("POST /v1/pause", s.pause)
	mux.HandleFunc("DELETE /v1/pause", s.endPause)
	mux.HandleFunc("PUT /v1/away", s.setAway)
	mux.HandleFunc("GET /v1/cameras/{id}/still", s.still)
	mux.HandleFunc("GET /v1/stills", s.stills)
	mux.HandleFunc("POST /v1/folder", s.folder)
	mux.HandleFunc("POST /v1/discover", s.discover)
	mux.HandleFunc("GET /v1/why", s.why)
	mux.HandleFunc("GET /v1/outages", s.outages)
	mux.HandleFunc("GET /v1/devices", s.devices)
	mux.HandleFunc("DELETE /v1/devices/{id}", s.removeDevice)
	mux.HandleFunc("POST /v1/pairing", s.pairing)
	mux.HandleFunc("GET /v1/cameras/{id}/live", s.live)
	mux.HandleFunc("GET /v1/cameras/{id}/spans", s.spans)
	mux.HandleFunc("GET /v1/cameras/{id}/hls/{file}", s.hls)
	mux.HandleFunc("GET /v1/events/{id}/files/{file}", s.file)
	mux.HandleFunc("POST /v1/handover", s.handOver)
	mux.HandleFunc("GET /v1/standby", s.standBy)
	return mux
}

type server struct {
	r        Recorder
	watch    func() Watcher
	stopping context.Context
}

func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		e, code := errorOf(err)
		w.WriteHeader(code)
		v = e
	}
	_ = json.NewEncoder(w).Encode(v) // fails if the client is gone
}

// answerList answers with a list, which is never null.
func answerList[T any](w http.ResponseWriter, list []T, err error) {
	if list == nil {
		list = []T{}
	}
	answer(w, list, err)
}

// call decodes the body of a call. If the body is invalid, call sends the error itself and returns false.
func call[T any](w http.ResponseWriter, r *http.Request) (v T, ok bool) {
	body := http.NewResponseController(w)
	_ = body.SetReadDeadline(time.Now().Add(bodyTime)) // a slow sender must not block the server
	defer func() { _ = body.SetReadDeadline(time.Time{}) }()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		answer(w, nil, text.CallUnreadable.Error(err))
		return v, false
	}
	return v, true
}

// --- Calls ---

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	answer(w, s.r.Status(r.Context()), nil)
}

func (s *server) settings(w http.ResponseWriter, _ *http.Request) { answer(w, s.r.Settings(), nil) }

func (s *server) apply(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[config.Settings](w, r); ok {
		answer(w, struct{}{}, s.r.Apply(v))
	}
}

func (s *server) trigger(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[triggerCall](w, r); ok {
		if v.Label == "" {
			v.Label = string(event.Manual)
		}
		now := time.Now()
		t := event.Trigger{Time: now, Source: event.Manual, Label: v.Label}
		if !v.Time.IsZero() {
			if v.Time.After(now.Add(time.Second)) || v.Time.Before(now.Add(-s.r.Settings().RAMDisk.Keep.D())) {
				answer(w, nil, text.NotInTheRing.Error())
				return
			}
			t.Time, t.Until = v.Time, now
		}
		id, err := s.r.Trigger(s.stopping, v.Camera, t)
		answer(w, triggerAnswer{id}, err)
	}
}

func (s *server) mail(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[triggerCall](w, r); ok {
		answer(w, struct{}{}, s.r.MailCamera(r.Context(), v.Camera))
	}
}

func (s *server) connections(w http.ResponseWriter, _ *http.Request) {
	answerList(w, s.r.Connections(), nil)
}

func (s *server) logLines(w http.ResponseWriter, _ *http.Request) { answerList(w, s.r.LogLines(), nil) }

func (s *server) dropUnmatched(w http.ResponseWriter, _ *http.Request) {
	s.r.DropUnmatched()
	answer(w, struct{}{}, nil)
}

func (s *server) callers(w http.ResponseWriter, _ *http.Request) { answerList(w, s.r.Callers(), nil) }

func (s *server) addCaller(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[status.Caller](w, r); ok {
		c, token, err := s.r.AddCaller(v)
		answer(w, NewCaller{c, token}, err)
	}
}

func (s *server) removeCaller(w http.ResponseWriter, r *http.Request) {
	answer(w, struct{}{}, s.r.RemoveCaller(r.PathValue("id")))
}

func (s *server) tryTarget(w http.ResponseWriter, r *http.Request) {
	answer(w, struct{}{}, s.r.TryTarget(r.Context(), r.PathValue("id")))
}

func (s *server) probe(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[config.Camera](w, r); ok {
		l, err := s.r.Probe(r.Context(), v)
		answer(w, l, err)
	}
}

func (s *server) events(w http.ResponseWriter, r *http.Request) {
	q, err := queryOf(r)
	if err != nil {
		answer(w, nil, err)
		return
	}
	q.Limit, _ = strconv.Atoi(r.FormValue("limit"))
	q.Offset, _ = strconv.Atoi(r.FormValue("offset"))
	q.Limit = min(q.Limit, 1000)
	list, err := s.r.Events(r.Context(), q)
	answerList(w, list, err)
}

// queryOf reads a query. It refuses a value that it does not know, because without it the answer would hold too much.
func queryOf(r *http.Request) (q event.Query, err error) {
	q = event.Query{Camera: r.FormValue("camera"), Label: r.FormValue("label"), Text: r.FormValue("text"),
		Only: event.Only(r.FormValue("only")), Day: r.FormValue("day"), Until: r.FormValue("until"),
		Without: r.FormValue("without"), BeforeID: r.FormValue("before_id")}
	if q.Only != "" && q.Only != event.OnlyProtected && q.Only != event.OnlyNotWhole {
		return q, text.CallUnreadable.Error(fmt.Errorf("only=%q", q.Only))
	}
	for key, t := range map[string]*time.Time{"before": &q.Before, "after": &q.After} {
		if v := r.FormValue(key); v != "" {
			if *t, err = time.Parse(time.RFC3339Nano, v); err != nil {
				return q, text.CallUnreadable.Error(err)
			}
		}
	}
	return q, nil
}

func (s *server) days(w http.ResponseWriter, r *http.Request) {
	q, err := queryOf(r)
	if err != nil {
		answer(w, nil, err)
		return
	}
	list, err := s.r.Days(r.Context(), q)
	answerList(w, list, err)
}

func (s *server) choices(w http.ResponseWriter, r *http.Request) {
	c, err := s.r.Choices(r.Context())
	answer(w, c, err)
}

func (s *server) next(w http.ResponseWriter, r *http.Request) {
	n, err := s.r.Next(r.Context())
	answer(w, n, err)
}

func (s *server) verify(w http.ResponseWriter, r *http.Request) {
	v, err := s.r.Verify(r.Context(), r.PathValue("id"))
	answer(w, v, err)
}

func (s *server) pause(w http.ResponseWriter, r *http.Request) {
	v, ok := call[pauseCall](w, r)
	if !ok {
		return
	}
	var until time.Time
	if v.For > 0 {
		until = time.Now().Add(v.For.D())
	}
	s.r.Pause(until)
	answer(w, struct{}{}, nil)
}

func (s *server) endPause(w http.ResponseWriter, _ *http.Request) {
	s.r.EndPause()
	answer(w, struct{}{}, nil)
}

func (s *server) setAway(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[protectCall](w, r); ok {
		answer(w, struct{}{}, s.r.SetAway(v.On))
	}
}

func (s *server) handOver(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[handOverCall](w, r); ok {
		list, err := s.r.HandOver(r.Context(), v.State)
		answerList(w, list, err)
	}
}

func (s *server) standBy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	to := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	_ = to.Flush()
	_ = s.r.StandBy(r.Context(), func() error { // an error says that the caller is gone
		if _, err := io.WriteString(w, "{}\n"); err != nil {
			return err
		}
		return to.Flush()
	})
}

func (s *server) still(w http.ResponseWriter, r *http.Request) {
	width, _ := strconv.Atoi(r.FormValue("width"))
	b, err := s.r.Still(r.Context(), r.PathValue("id"), min(max(width, 64), 1920))
	answer(w, b, err)
}

func (s *server) stills(w http.ResponseWriter, r *http.Request) {
	width, _ := strconv.Atoi(r.FormValue("width"))
	list, err := s.r.Stills(r.Context(), min(max(width, 64), 1920))
	answer(w, list, err)
}

func (s *server) folder(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[folderCall](w, r); ok {
		f, err := s.r.Folder(r.Context(), v.Path, v.Use)
		answer(w, f, err)
	}
}

func (s *server) discover(w http.ResponseWriter, r *http.Request) {
	list, err := s.r.Discover(r.Context())
	answerList(w, list, err)
}

func (s *server) why(w http.ResponseWriter, r *http.Request) {
	at, err := time.Parse(time.RFC3339, r.FormValue("time"))
	if err != nil {
		answer(w, nil, text.CallUnreadable.Error(err))
		return
	}
	list, err := s.r.Why(r.Context(), r.FormValue("camera"), at)
	answerList(w, list, err)
}

func (s *server) outages(w http.ResponseWriter, r *http.Request) {
	from, err := time.Parse(time.RFC3339, r.FormValue("from"))
	to, terr := time.Parse(time.RFC3339, r.FormValue("to"))
	if err = errors.Join(err, terr); err != nil {
		answer(w, nil, text.CallUnreadable.Error(err))
		return
	}
	list, err := s.r.Outages(r.Context(), from, to)
	answerList(w, list, err)
}

func (s *server) event(w http.ResponseWriter, r *http.Request) {
	e, err := s.r.Event(r.Context(), r.PathValue("id"))
	answer(w, e, err)
}

func (s *server) protect(w http.ResponseWriter, r *http.Request) {
	if v, ok := call[protectCall](w, r); ok {
		e, err := s.r.Protect(s.stopping, r.PathValue("id"), v.On)
		answer(w, e, err)
	}
}

func (s *server) delete(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("files") == "stay" {
		answer(w, struct{}{}, s.r.Forget(s.stopping, r.PathValue("id")))
		return
	}
	answer(w, struct{}{}, s.r.Delete(s.stopping, r.PathValue("id")))
}

func (s *server) restore(w http.ResponseWriter, r *http.Request) {
	e, err := s.r.Restore(s.stopping, r.PathValue("id"))
	answer(w, e, err)
}

func (s *server) deleted(w http.ResponseWriter, r *http.Request) {
	answerList(w, s.r.Trash(r.Context()), nil)
}

func (s *server) emptyTrash(w http.ResponseWriter, _ *http.Request) {
	n, err := s.r.EmptyTrash(s.stopping)
	answer(w, freed{n}, err)
}

// freed is the answer of a call that removes files.
type freed struct {
	Bytes int64 `json:"bytes"`
}

func (s *server) drives(w http.ResponseWriter, r *http.Request) {
	list, err := s.r.Drives(r.Context())
	answerList(w, list, err)
}

func (s *server) forgetDrive(w http.ResponseWriter, r *http.Request) {
	n, err := s.r.ForgetDrive(s.stopping, r.PathValue("id"))
	answer(w, forgetAnswer{n}, err)
}

func (s *server) reindex(w http.ResponseWriter, r *http.Request) {
	found, faults, err := s.r.Reindex(r.Context())
	answer(w, reindexAnswer{found, faults}, err)
}

// --- Watch ---

// watchAll sends the whole state and then every change, one JSON object per line. The subscription begins before the
// state is read, so no change is lost. A change that is in both does no harm.
func (s *server) watchAll(w http.ResponseWriter, r *http.Request) {
	sub := s.watch()
	defer sub.Close()
	flusher, ok := w.(http.Flusher)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	deadline := http.NewResponseController(w) // a watcher that does not read must not delay the end of Serve
	_ = deadline.SetWriteDeadline(time.Now().Add(requestTimeout))
	st := s.r.Status(r.Context())
	events, err := s.r.Events(r.Context(), event.Query{Limit: firstEvents})
	if err != nil {
		events = nil // the status reports the problem of the index
	}
	if enc.Encode(Update{Status: &st, Events: events}) != nil {
		return
	}
	flusher.Flush()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping.Done():
			return
		case <-sub.Changes():
		}

		changed, events, removed := sub.Drain()
		u := Update{Events: events, Removed: removed}
		if changed {
			st := s.r.Status(r.Context())
			u.Status = &st
		}
		_ = deadline.SetWriteDeadline(time.Now().Add(requestTimeout))
		if enc.Encode(u) != nil {
			return
		}
		flusher.Flush()
		pause.Reset(minInterval)
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
	}
}

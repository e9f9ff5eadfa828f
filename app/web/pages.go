package web

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

//go:embed files
var files embed.FS

// Route is one route of the pages.
type Route struct {
	Pattern string // as [http.ServeMux] has it
	Open    bool   // for devices that are not paired too
	handle  http.HandlerFunc
}

func (s *Server) routes() []Route {
	return []Route{
		{"GET /{$}", false, s.now},
		{"GET /camera/{id}", false, s.camera},
		{"GET /camera/{id}/still", false, s.still},
		{"GET /camera/{id}/spans", false, s.spans},
		{"GET /camera/{id}/live", false, s.live},
		{"GET /camera/{id}/hls/{file}", false, s.hls},
		{"POST /camera/{id}/save", false, s.save},
		{"GET /events", false, s.events},
		{"GET /events/{id}", false, s.event},
		{"GET /events/{id}/file/{file}", false, s.file},
		{"POST /events/{id}/protect", false, s.protect},
		{"POST /events/{id}/delete", false, s.remove},
		{"GET /health", false, s.health},
		{"GET /watch", false, s.watch},
		{"POST /leave", false, s.leave},
		{"GET /pair", true, s.pairPage},
		{"POST /pair", true, s.pair},
		{"GET /static/{file}", true, s.static},
		{"GET /manifest.webmanifest", true, s.manifest},
		{"GET /sw.js", true, s.worker},
		{"GET /", true, func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, http.StatusNotFound, s.language(r).L("There is no such page."))
		}},
	}
}

// Routes returns the patterns of all routes, for the description of the interface.
func Routes() (list []Route) { return (&Server{}).routes() }

// --- Templates ---

// view is what every page gets.
type view struct {
	*words.Language
	Page   string // name of the template
	Base   string
	Device string
	Now    time.Time
	Data   any
}

// Kind returns the label of an alarm for a person.
func (v view) Kind(label string) string { return labelOf(v.Language, label) }

func labelOf(l *words.Language, label string) string {
	return strings.TrimSuffix(sentence(l.Say(text.Label(cmp.Or(label, event.DefaultLabel)))), ".")
}

var templates = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	funcs := template.FuncMap{
		"clock":    func(t time.Time) string { return t.Local().Format("15:04:05") },
		"stamp":    func(t time.Time) int64 { return t.UnixMilli() },
		"iso":      func(t time.Time) string { return t.Format(time.RFC3339) },
		"length":   func(d time.Duration) string { return words.Length(d) },
		"secs":     func(d event.Seconds) float64 { return d.D().Seconds() },
		"sentence": func(s string) string { return sentence(s) },
	}
	for _, name := range []string{"now", "camera", "events", "event", "health", "pair", "fault"} {
		all[name] = template.Must(template.New("base.html").Funcs(funcs).ParseFS(files, "files/base.html",
			"files/"+name+".html"))
	}
	return all
}()

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, code int, data any) {
	var b bytes.Buffer
	v := view{s.language(r), name, baseOf(r), sessionOf(r).Name, time.Now(), data}
	if err := templates[name].Execute(&b, v); err != nil {
		s.host.Log.Error("a web page cannot be drawn", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	w.WriteHeader(code)
	_, _ = b.WriteTo(w)
}

// fail answers that a request failed: with a page for a person, else with a line.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, code int, why string) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.show(w, r, "fault", code, why)
		return
	}
	http.Error(w, why, code)
}

// refuse answers with an error of the recorder.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusServiceUnavailable
	var e *control.Error
	if errors.As(err, &e) && e.Status >= 400 {
		code = e.Status
	}
	s.fail(w, r, code, said(s.language(r), text.Of(err)))
}

// address matches addresses of networks, and of cameras, which the pages never show.
var address = regexp.MustCompile(`\b[a-z]+://[^\s"'<>]+|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[?\b[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\b\]?(:\d+)?`)

// said returns a text of the engine as a sentence, without addresses.
func said(l *words.Language, t text.Text) string {
	return sentence(address.ReplaceAllString(l.Say(t), "…"))
}

// sentence returns a text with a capital letter and a full stop.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	s = string(unicode.ToUpper(first)) + s[n:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?…") {
		s += "."
	}
	return s
}

// --- Now ---

type cameraView struct {
	ID, Name, State, Text, Hint string
	Open                        string // id of the event that is being saved
	RAM                         time.Duration
	Video                       string
	Sound, Small                bool
}

func viewOf(l *words.Language, c status.Camera) cameraView {
	v := cameraView{ID: c.ID, Name: c.Name, State: string(c.State), Open: c.OpenEvent, RAM: c.PreRoll.D(),
		Video: c.Streams.Video, Sound: c.Streams.Audio != "", Small: c.Small}
	switch {
	case c.OpenEvent != "":
		v.State, v.Text = "saving", l.L("Saving a clip")
	case c.State == status.Recording:
		v.Text = l.L("%.0f s in RAM", c.PreRoll.D().Seconds())
	default:
		v.Text, v.Hint = said(l, c.Text), said(l, c.Hint)
	}
	return v
}

type nowView struct {
	Cameras  []cameraView
	Problems int
	Paused   bool
}

func (s *Server) now(w http.ResponseWriter, r *http.Request) {
	st, err := s.api.Status(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v := nowView{Problems: len(st.Problems), Paused: st.Pause.On}
	for _, c := range st.Cameras {
		if c.State != status.Off {
			v.Cameras = append(v.Cameras, viewOf(s.language(r), c))
		}
	}
	s.show(w, r, "now", http.StatusOK, v)
}

func (s *Server) camera(w http.ResponseWriter, r *http.Request) {
	st, err := s.api.Status(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	i := slices.IndexFunc(st.Cameras, func(c status.Camera) bool { return c.ID == r.PathValue("id") })
	if i < 0 {
		s.fail(w, r, http.StatusNotFound, s.language(r).L("There is no such page."))
		return
	}
	s.show(w, r, "camera", http.StatusOK, viewOf(s.language(r), st.Cameras[i]))
}

// stillWidths are the widths in which pictures are drawn, in pixels.
var stillWidths = []int{320, 640, 1280}

func (s *Server) still(w http.ResponseWriter, r *http.Request) {
	want, _ := strconv.Atoi(r.FormValue("width"))
	width := stillWidths[len(stillWidths)-1]
	for _, n := range slices.Backward(stillWidths) {
		if n >= want {
			width = n
		}
	}
	b, err := s.api.Still(r.Context(), r.PathValue("id"), width)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(b)
}

func (s *Server) spans(w http.ResponseWriter, r *http.Request) {
	list, err := s.api.Spans(r.Context(), r.PathValue("id"), isSmall(r))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	answer(w, list)
}

func (s *Server) save(w http.ResponseWriter, r *http.Request) {
	at := millis(r.PostFormValue("at"))
	id, err := s.api.TriggerAt(r.Context(), r.PathValue("id"), string(event.Manual), at)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, baseOf(r)+"/events/"+url.PathEscape(id), http.StatusSeeOther)
}

// millis reads a time in milliseconds since 1970; anything else is the zero time.
func millis(v string) (t time.Time) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
		t = time.UnixMilli(n)
	}
	return t
}

// --- Video ---

// isSmall reports whether a request is for the small stream of a camera.
func isSmall(r *http.Request) bool { return r.FormValue("small") == "1" }

func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	s.pass(w, r, func(ctx context.Context) (*http.Response, error) {
		return s.api.Live(ctx, r.PathValue("id"), isSmall(r), millis(r.FormValue("from")),
			millis(r.FormValue("origin")))
	})
}

func (s *Server) hls(w http.ResponseWriter, r *http.Request) {
	s.pass(w, r, func(ctx context.Context) (*http.Response, error) {
		return s.api.HLS(ctx, r.PathValue("id"), isSmall(r), r.PathValue("file"), r.URL.Query())
	})
}

func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if r.FormValue("download") != "" {
		w.Header().Set("Content-Disposition", "attachment")
	}
	s.pass(w, r, func(ctx context.Context) (*http.Response, error) {
		return s.api.File(ctx, r.PathValue("id"), file, r.Header)
	})
}

// passed are the headers of video that browsers get.
var passed = []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"}

// types are the types of what the recorder sends. An archive may hold files of strangers.
var types = regexp.MustCompile(`^(video/mp4|image/jpeg|application/vnd\.apple\.mpegurl)\b`)

// pass answers with an answer of the recorder, which may go on for hours.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, ask func(context.Context) (*http.Response, error)) {
	ctx, end, ok := s.streams.begin(r.Context(), sessionOf(r))
	if !ok {
		w.Header().Set("Retry-After", "5")
		s.fail(w, r, http.StatusServiceUnavailable, s.language(r).L("Too many videos play at once."))
		return
	}
	defer end()
	resp, err := ask(ctx)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for _, key := range passed {
		if v := resp.Header.Get(key); v != "" {
			w.Header().Set(key, v)
		}
	}
	if !types.MatchString(resp.Header.Get("Content-Type")) {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Cache-Control", cmp.Or(resp.Header.Get("Cache-Control"), "private, no-cache"))
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(resp.StatusCode)
	c := http.NewResponseController(w)
	b := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(b)
		if n > 0 {
			_ = c.SetWriteDeadline(time.Now().Add(answerTime))
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
			_ = c.Flush()
		}
		if err != nil {
			return
		}
	}
}

// --- Events ---

// perPage is the number of events on a page.
const perPage = 30

type eventsView struct {
	Query   event.Query
	Days    []dayView
	Choices event.Choices
	Names   map[string]string // of cameras, by id
	Older   string            // address of the next page
	Filter  bool
	Months  []monthView
}

type dayView struct {
	Title  string
	Events []eventView
}

type monthView struct {
	Title string
	Days  []calendarDay
}

type calendarDay struct {
	Day, Date string // "" before the first of the month
	Events    int
}

type eventView struct {
	event.Event
	Label     string
	State     string
	Why       string
	Length    time.Duration
	Thumbnail string
	Video     string
	Marks     []mark
	Gaps      []mark
	Alarms    []string
	Start     time.Time
	Span      time.Duration
	Open      bool
	Bytes     string
}

// mark is a place in a clip, from its start.
type mark struct{ At, Length time.Duration }

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	l := s.language(r)
	q := event.Query{Camera: r.FormValue("camera"), Label: r.FormValue("label"), Text: r.FormValue("text"),
		Day: r.FormValue("day"), Before: nanos(r.FormValue("before")), BeforeID: r.FormValue("before_id"),
		Limit: perPage}
	list, err := s.api.Events(r.Context(), q)
	v := eventsView{Query: q, Names: map[string]string{},
		Filter: q.Camera != "" || q.Label != "" || q.Text != "" || q.Day != ""}
	if err == nil {
		v.Choices, err = s.api.Choices(r.Context())
	}
	var days []event.Day
	if err == nil {
		days, err = s.api.Days(r.Context(), event.Query{Camera: q.Camera, Label: q.Label, Text: q.Text})
	}
	var st status.Status
	if err == nil {
		st, err = s.api.Status(r.Context())
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	for _, c := range st.Cameras {
		v.Names[c.ID] = c.Name
	}
	now := time.Now()
	for _, e := range list {
		title := l.Day(e.Time, now)
		if n := len(v.Days); n == 0 || v.Days[n-1].Title != title {
			v.Days = append(v.Days, dayView{Title: title})
		}
		d := &v.Days[len(v.Days)-1]
		d.Events = append(d.Events, eventViewOf(l, e))
	}
	if len(list) == perPage {
		last := list[len(list)-1]
		o := url.Values{"before": {strconv.FormatInt(last.Time.UnixNano(), 10)}, "before_id": {last.ID}}
		for key, value := range map[string]string{"camera": q.Camera, "label": q.Label, "text": q.Text, "day": q.Day} {
			if value != "" {
				o.Set(key, value)
			}
		}
		v.Older = "?" + o.Encode()
	}
	v.Months = calendar(l, days)
	s.show(w, r, "events", http.StatusOK, v)
}

// nanos reads a time in nanoseconds since 1970; anything else is the zero time.
func nanos(v string) (t time.Time) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
		t = time.Unix(0, n)
	}
	return t
}

// maxMonths is the number of months in the calendar.
const maxMonths = 4

// calendar returns the last months that have events, newest first.
func calendar(l *words.Language, days []event.Day) (list []monthView) {
	counts := map[string]int{}
	var months []time.Time
	for _, d := range days {
		t, err := time.ParseInLocation(time.DateOnly, d.Day, time.Local)
		if err != nil {
			continue
		}
		counts[d.Day] = d.Events
		first := t.AddDate(0, 0, 1-t.Day())
		if n := len(months); n == 0 || !months[n-1].Equal(first) {
			months = append(months, first)
		}
	}
	for _, first := range months[:min(len(months), maxMonths)] {
		m := monthView{Title: l.Month(first), Days: make([]calendarDay, (int(first.Weekday())+6)%7)}
		for t := first; t.Month() == first.Month(); t = t.AddDate(0, 0, 1) {
			date := t.Format(time.DateOnly)
			m.Days = append(m.Days, calendarDay{strconv.Itoa(t.Day()), date, counts[date]})
		}
		list = append(list, m)
	}
	return list
}

func eventViewOf(l *words.Language, e event.Event) eventView {
	v := eventView{Event: e, Label: labelOf(l, e.Label), Length: e.Length(), Thumbnail: cmp.Or(e.Thumbnail, e.Snapshot),
		Open: !e.State.Ended(), Start: e.From, Span: e.Until.Sub(e.From), Bytes: bytesOf(e.Bytes())}
	switch e.State {
	case event.Saved:
		v.State = l.L("Saved")
	case event.Incomplete:
		v.State, v.Why = l.L("Incomplete"), said(l, e.Why())
	case event.Failed:
		v.State, v.Why = l.L("No clip"), said(l, e.Why())
	default:
		v.State = l.L("Is being saved")
	}
	if len(e.Clips) > 0 {
		c := e.Clips[0]
		v.Video, v.Start, v.Span = c.File, c.Start, c.End.Sub(c.Start)
	}
	for _, t := range e.Triggers {
		v.Marks = append(v.Marks, mark{At: t.Time.Sub(v.Start)})
		v.Alarms = append(v.Alarms, t.Time.Local().Format("15:04:05")+"  "+labelOf(l, t.Label))
	}
	for _, g := range e.Gaps {
		v.Gaps = append(v.Gaps, mark{g.From.Sub(v.Start), g.To.Sub(g.From)})
	}
	return v
}

// bytesOf formats a size.
func bytesOf(n int64) string {
	if n < 1e6 {
		return strconv.FormatInt((n+999)/1000, 10) + " kB"
	}
	return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
}

func (s *Server) event(w http.ResponseWriter, r *http.Request) {
	e, err := s.api.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.show(w, r, "event", http.StatusOK, eventViewOf(s.language(r), e))
}

func (s *Server) protect(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := s.api.Protect(r.Context(), id, r.PostFormValue("on") == "1"); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, baseOf(r)+"/events/"+url.PathEscape(id), http.StatusSeeOther)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if err := s.api.Delete(r.Context(), r.PathValue("id")); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, baseOf(r)+"/events", http.StatusSeeOther)
}

// --- Health ---

type healthView struct {
	Problems []findingView
	Cameras  []cameraView
	Version  string
	Started  time.Time

	Camera, Time, Fault string // of the question
	Findings            []findingView
}

type findingView struct {
	About, Text, Hint string
	OK, Warn          bool
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	l := s.language(r)
	st, err := s.api.Status(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v := healthView{Version: st.Version, Started: st.Started, Camera: r.FormValue("camera"), Time: r.FormValue("time")}
	for _, p := range st.Problems {
		v.Problems = append(v.Problems, findingView{Text: said(l, p.Text), Hint: said(l, p.Hint)})
	}
	for _, c := range st.Cameras {
		v.Cameras = append(v.Cameras, viewOf(l, c))
	}
	if v.Time != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", v.Time[:min(len(v.Time), 16)], time.Local)
		var list []status.Finding
		if err == nil {
			list, err = s.api.Why(r.Context(), v.Camera, at)
		}
		if err != nil {
			v.Fault = said(l, text.Of(err))
		}
		for _, f := range list {
			v.Findings = append(v.Findings, findingView{strings.TrimSuffix(said(l, f.About), "."), said(l, f.Text),
				said(l, f.Hint), f.OK, f.Warn})
		}
	}
	s.show(w, r, "health", http.StatusOK, v)
}

// --- Watch ---

// watch says when something changes, by server-sent events. A page then asks for itself again.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	ctx, end, ok := s.streams.begin(r.Context(), sessionOf(r))
	if !ok {
		s.fail(w, r, http.StatusServiceUnavailable, s.language(r).L("Too many videos play at once."))
		return
	}
	defer end()
	changed, over := make(chan struct{}, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(over)
		_ = s.api.Watch(ctx, func(control.Update) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	defer func() { cancel(); <-over }()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	c := http.NewResponseController(w)
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	for {
		line := ": still here\n\n"
		select {
		case <-changed:
			line = "data: changed\n\n"
		case <-alive.C:
		case <-over:
			return // the browser comes again
		case <-ctx.Done():
			return
		}
		_ = c.SetWriteDeadline(time.Now().Add(answerTime))
		if _, err := io.WriteString(w, line); err != nil || c.Flush() != nil {
			return
		}
	}
}

// --- Files ---

// answer answers with JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = jsonTo(w, v)
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	mime := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".png": "image/png"}[path.Ext(name)]
	b, err := files.ReadFile("files/" + name)
	if name == "icon.png" {
		b, err = assets.Icon, nil
	}
	if err != nil || mime == "" {
		s.fail(w, r, http.StatusNotFound, s.language(r).L("There is no such page."))
		return
	}
	w.Header().Set("Content-Type", mime)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(b)
}

func (s *Server) worker(w http.ResponseWriter, r *http.Request) {
	b, err := files.ReadFile("files/sw.js")
	if err != nil {
		s.fail(w, r, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(b)
}

// manifest describes the pages to a phone that installs them (W3C Web Application Manifest).
func (s *Server) manifest(w http.ResponseWriter, r *http.Request) {
	base := baseOf(r)
	w.Header().Set("Content-Type", "application/manifest+json")
	icon := func(purpose string) map[string]string {
		return map[string]string{"src": base + "/static/icon.png", "sizes": "512x512", "type": "image/png",
			"purpose": purpose}
	}
	_ = jsonTo(w, map[string]any{"name": "Preroll", "short_name": "Preroll", "start_url": base + "/",
		"scope": base + "/", "display": "standalone", "background_color": "#14171a", "theme_color": "#14171a",
		"icons": []any{icon("any"), icon("maskable")}})
}

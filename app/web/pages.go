package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
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
	Kind    kind
	handle  http.HandlerFunc
}

// kind says what a route answers with.
type kind int

const (
	aPage   kind = iota // a page, which other sites may link to
	aCall               // what a page asks for, or does
	aStream             // what may go on for long; it is bounded by [streams]
)

func (s *Server) routes() []Route {
	return []Route{
		{"GET /{$}", false, aPage, s.now},
		{"GET /camera/{id}", false, aPage, s.camera},
		{"GET /camera/{id}/still", false, aCall, s.still},
		{"GET /camera/{id}/spans", false, aCall, s.spans},
		{"GET /camera/{id}/live", false, aStream, s.live},
		{"GET /camera/{id}/hls/{file}", false, aStream, s.hls},
		{"POST /camera/{id}/save", false, aCall, s.save},
		{"GET /events", false, aPage, s.events},
		{"GET /events/{id}", false, aPage, s.event},
		{"GET /events/{id}/file/{file}", false, aStream, s.file},
		{"POST /events/{id}/protect", false, aCall, s.protect},
		{"POST /events/{id}/delete", false, aCall, s.remove},
		{"GET /health", false, aPage, s.health},
		{"GET /watch", false, aStream, s.watch},
		{"POST /leave", false, aCall, s.leave},
		{"POST /away", false, aCall, s.setAway},
		{"GET /word", false, aCall, s.wordKey},
		{"POST /word", false, aCall, s.setWord},
		{"GET /pair", true, aPage, s.pairPage},
		{"POST /pair", true, aCall, s.pair},
		{"GET /static/{file}", true, aCall, s.static},
		{"GET /manifest.webmanifest", true, aCall, s.manifest},
		{"GET /sw.js", true, aCall, s.worker},
		{"GET /", true, aPage, func(w http.ResponseWriter, r *http.Request) {
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
	Title  string
	Data   any
}

// Offset returns the minutes that the clock of this machine is ahead of UTC.
func (v view) Offset() int {
	_, s := v.Now.Zone()
	return s / 60
}

// player is what the player of a ring gets.
type player struct {
	*words.Language
	Camera string // address of the camera's page
	Small  bool   // there is a small stream
	From   int64  // milliseconds since 1970; 0: live
}

// Player returns what the player of a camera gets. It begins at a time, or live for a zero one.
func (v view) Player(camera string, small bool, from time.Time) player {
	p := player{v.Language, v.Base + "/camera/" + url.PathEscape(camera), small, 0}
	if !from.IsZero() {
		p.From = from.UnixMilli()
	}
	return p
}

// Live is the time at which a player is live.
func (v view) Live() time.Time { return time.Time{} }

// Kind returns the label of an alarm for a person.
func (v view) Kind(label string) string { return labelOf(v.Language, label) }

func labelOf(l *words.Language, label string) string {
	return strings.TrimSuffix(sentence(l.Say(text.Label(cmp.Or(label, event.DefaultLabel)))), ".")
}

var templates = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	funcs := template.FuncMap{
		"clock":  func(t time.Time) string { return t.Local().Format("15:04:05") },
		"inc":    func(n int) int { return n + 1 },
		"minute": func(t time.Time) string { return t.Local().Format(minute) },
		"length": words.Length,
		"secs":   func(d event.Seconds) float64 { return d.D().Seconds() },
	}
	for _, name := range []string{"now", "camera", "events", "event", "health", "pair", "fault"} {
		all[name] = template.Must(template.New("base.html").Funcs(funcs).ParseFS(files, "files/base.html",
			"files/player.html", "files/"+name+".html"))
	}
	return all
}()

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, code int, data any) {
	var b bytes.Buffer
	v := view{s.language(r), name, baseOf(r), sessionOf(r).Name, time.Now(), s.title(r, name, data), data}
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

// title returns the title of a page.
func (s *Server) title(r *http.Request, name string, data any) string {
	l := s.language(r)
	switch v := data.(type) {
	case cameraView:
		return v.Name
	case eventView:
		return v.Title() + ", " + l.Moment(v.Time, time.Now())
	}
	return map[string]string{"now": l.L("Now"), "events": l.L("Events"), "health": l.L("Health"),
		"pair": l.L("Pair this device"), "fault": l.L("Problem")}[name]
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
	l, code := s.language(r), http.StatusServiceUnavailable
	var e *control.Error
	if errors.As(err, &e) && e.Status >= 400 {
		code = e.Status
	}
	why := l.L("Preroll could not do this. Its log says why.")
	if t := text.Of(err); t.Code != "" { // the words of the system are for the log
		why = said(l, t)
	}
	s.fail(w, r, code, why)
}

// address matches addresses of networks, and of cameras, which the pages never show.
var address = regexp.MustCompile(
	`\b[a-z]+://[^\s"'<>]+|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[?\b[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\b\]?(:\d+)?`)

// place matches full paths of folders and files, quoted or bare.
var place = regexp.MustCompile(
	`"(?:/|[A-Za-z]:\\|\\\\)[^"]*"|(?:[A-Za-z]:\\|\\\\)[^\s"'<>]+|(?:^|[\s=(])/[^\s:"'<>]+|` +
		`\blookup \S+`)

// said returns a text of the engine as a sentence, without addresses and folders.
func said(l *words.Language, t text.Text) string {
	s := l.Say(t)
	for _, folder := range folders(t) {
		s = strings.ReplaceAll(s, folder, "…")
	}
	return sentence(place.ReplaceAllString(address.ReplaceAllString(s, "…"), " …"))
}

// folders returns the values of a text that are full paths.
func folders(t text.Text) (list []string) {
	for _, a := range t.Args {
		switch a := a.(type) {
		case text.Text:
			list = append(list, folders(a)...)
		case string:
			if strings.HasPrefix(a, "/") && len(a) > 1 || strings.HasPrefix(a, `\\`) || len(a) > 2 && a[1:3] == `:\` {
				list = append(list, a)
			}
		}
	}
	return list
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
	Small                       bool
}

func viewOf(l *words.Language, c status.Camera) cameraView {
	v := cameraView{ID: c.ID, Name: c.Name, State: string(c.State), Open: c.OpenEvent, Small: c.Small}
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
	Away     bool // the person is away
	Asks     bool // somebody gets word only then
}

func (s *Server) now(w http.ResponseWriter, r *http.Request) {
	st, err := s.api.Status(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v := nowView{Problems: len(st.Problems), Paused: st.Pause.On, Away: st.Away,
		Asks: slices.ContainsFunc(st.Targets, func(t status.Target) bool { return t.Away && t.Enabled })}
	for _, c := range st.Cameras {
		v.Cameras = append(v.Cameras, viewOf(s.language(r), c))
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

// millis reads a time in milliseconds since 1970; anything else, or a time of another century, is the zero time.
func millis(v string) (t time.Time) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 946684800000 && n < 4102444800000 {
		t = time.UnixMilli(n)
	}
	return t
}

// --- Video ---

// isSmall reports whether a request is for the small stream of a camera.
func isSmall(r *http.Request) bool { return r.FormValue("small") == "1" }

func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	s.pass(w, r, &s.streams, func(ctx context.Context) (*http.Response, error) {
		return s.api.Live(ctx, r.PathValue("id"), isSmall(r), millis(r.FormValue("from")),
			millis(r.FormValue("origin")))
	})
}

func (s *Server) hls(w http.ResponseWriter, r *http.Request) {
	s.pass(w, r, &s.files, func(ctx context.Context) (*http.Response, error) {
		return s.api.HLS(ctx, r.PathValue("id"), isSmall(r), r.PathValue("file"), r.URL.Query())
	})
}

func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if r.FormValue("download") != "" {
		w.Header().Set("Content-Disposition", "attachment")
	}
	s.pass(w, r, &s.files, func(ctx context.Context) (*http.Response, error) {
		if strings.Contains(r.Header.Get("Range"), ",") { // players ask for one range
			r.Header.Del("Range")
		}
		return s.api.File(ctx, r.PathValue("id"), file, r.Header)
	})
}

// passed are the headers of video that browsers get.
var passed = []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"}

// types are the types of what the recorder sends. An archive may hold files of strangers.
var types = regexp.MustCompile(`^(video/mp4|image/jpeg|application/vnd\.apple\.mpegurl)\b`)

// pass answers with an answer of the recorder, which may go on for hours. It counts as one of some streams.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, of *streams,
	ask func(context.Context) (*http.Response, error)) {
	ctx, end, ok := of.begin(r.Context(), sessionOf(r))
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

	Weekdays []string // short, from Monday
	Also     string   // the other filters, for addresses of days
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
	Videos    []clipView
	Alarms    []string
	Open      bool
	Bytes     string
}

type clipView struct {
	File        string
	Span        time.Duration
	Marks, Gaps []mark
}

// mark is a place in a clip, from its start.
type mark struct {
	At, Length time.Duration
	Text       string
}

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
	o := url.Values{}
	for key, value := range map[string]string{"camera": q.Camera, "label": q.Label, "text": q.Text} {
		if value != "" {
			o.Set(key, value)
		}
	}
	if v.Also = o.Encode(); v.Also != "" {
		v.Also = "&" + v.Also
	}
	if len(list) == perPage {
		last := list[len(list)-1]
		o.Set("before", strconv.FormatInt(last.Time.UnixNano(), 10))
		o.Set("before_id", last.ID)
		if q.Day != "" {
			o.Set("day", q.Day)
		}
		v.Older = "?" + o.Encode()
	}
	v.Months, v.Weekdays = calendar(l, days), l.Weekdays()
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
const maxMonths = 12

// calendar returns the last months that have events, newest first.
func calendar(l *words.Language, days []event.Day) (list []monthView) {
	counts := map[string]int{}
	var months []time.Time
	for _, d := range days {
		t, err := time.Parse(time.DateOnly, d.Day) // in UTC, where every day has 24 hours
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
		Open: !e.State.Ended(), Bytes: l.Size(e.Bytes())}
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
	for _, t := range e.Triggers {
		v.Alarms = append(v.Alarms, alarm(l, t))
	}
	for _, c := range e.Clips {
		x := clipView{File: c.File, Span: c.End.Sub(c.Start)}
		for _, t := range e.Triggers {
			if !t.Time.Before(c.Start) && t.Time.Before(c.End) {
				x.Marks = append(x.Marks, mark{At: t.Time.Sub(c.Start), Text: alarm(l, t)})
			}
		}
		for _, g := range e.Gaps {
			if g.From.Before(c.End) && g.To.After(c.Start) {
				x.Gaps = append(x.Gaps, mark{At: g.From.Sub(c.Start), Length: g.To.Sub(g.From)})
			}
		}
		v.Videos = append(v.Videos, x)
	}
	return v
}

// alarm says when and what.
func alarm(l *words.Language, t event.Trigger) string {
	return t.Time.Local().Format("15:04:05") + "  " + labelOf(l, t.Label)
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

	Camera, Time, Fault string // of the question
	Findings            []findingView
}

type findingView struct {
	About, Text, Hint string
	OK, Warn          bool
}

// minute is the form in which browsers send a time.
const minute = "2006-01-02T15:04"

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	l := s.language(r)
	st, err := s.api.Status(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v := healthView{Version: st.Version, Camera: r.FormValue("camera"),
		Time: cmp.Or(r.FormValue("time"), time.Now().Format(minute))}
	for _, p := range st.Problems {
		v.Problems = append(v.Problems, findingView{Text: said(l, p.Text), Hint: said(l, p.Hint)})
	}
	for _, c := range st.Cameras {
		v.Cameras = append(v.Cameras, viewOf(l, c))
	}
	if r.FormValue("time") != "" {
		at, err := time.ParseInLocation(minute, v.Time[:min(len(v.Time), len(minute))], time.Local)
		var list []status.Finding
		if err != nil {
			v.Fault = l.L("This is no time.")
		} else if list, err = s.api.Why(r.Context(), v.Camera, at); err != nil {
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

// --- Word ---

// setAway says whether the person is away.
func (s *Server) setAway(w http.ResponseWriter, r *http.Request) {
	if err := s.api.SetAway(r.Context(), r.PostFormValue("on") == "1"); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, baseOf(r)+"/", http.StatusSeeOther)
}

// wordKey answers with what a browser needs to subscribe to word.
func (s *Server) wordKey(w http.ResponseWriter, r *http.Request) {
	key, err := s.host.PushKey()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	answer(w, map[string]string{"key": key})
}

// setWord keeps where word for the device goes; without an endpoint it goes nowhere.
func (s *Server) setWord(w http.ResponseWriter, r *http.Request) {
	p := &status.Push{Endpoint: r.PostFormValue("endpoint"), Key: r.PostFormValue("p256dh"),
		Auth: r.PostFormValue("auth")}
	if p.Endpoint == "" {
		p = nil
	}
	if err := s.host.SetWord(sessionOf(r).ID, p); err != nil {
		s.fail(w, r, http.StatusUnprocessableEntity, said(s.language(r), text.Of(err)))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// --- Files ---

// answer answers with JSON.
func answer(w http.ResponseWriter, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	_ = json.NewEncoder(w).Encode(v) // fails if the browser is gone
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) { s.asset(w, r, r.PathValue("file")) }

// worker sends the service worker, which may look after the pages beside it.
func (s *Server) worker(w http.ResponseWriter, r *http.Request) { s.asset(w, r, "sw.js") }

// asset sends a script, a style or a picture of the pages.
func (s *Server) asset(w http.ResponseWriter, r *http.Request, name string) {
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
	w.Header().Set("Cache-Control", "no-cache") // a page and its scripts are of one version
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}

// manifest describes the pages to a phone that installs them (W3C Web Application Manifest).
func (s *Server) manifest(w http.ResponseWriter, r *http.Request) {
	base := baseOf(r)
	w.Header().Set("Content-Type", "application/manifest+json")
	icon := func(purpose string) map[string]string {
		return map[string]string{"src": base + "/static/icon.png", "sizes": "512x512", "type": "image/png",
			"purpose": purpose}
	}
	answer(w, map[string]any{"name": "Preroll", "short_name": "Preroll", "start_url": base + "/",
		"scope": base + "/", "display": "standalone", "background_color": "#14171a", "theme_color": "#14171a",
		"icons": []any{icon("any"), icon("maskable")}})
}

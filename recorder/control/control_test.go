package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// fake is a recorder whose answers a test sets.
type fake struct {
	asked          event.Query
	leaves, waited chan struct{} // of StandBy
	tried          string
	folder         string
	away           bool
	callers        []status.Caller
	mu             sync.Mutex
	events         []event.Event
	settings       config.Settings
	refuse         error
	labels         []string
	next           *event.Next
	paused         bool
	until          time.Time
}

func (f *fake) Status(context.Context) status.Status { return status.Status{Version: "test"} }
func (f *fake) Settings() config.Settings            { return f.settings }
func (f *fake) Apply(s config.Settings) error {
	s.KeepSecrets(f.settings)
	f.settings = s
	return f.refuse
}
func (f *fake) Trigger(_ context.Context, camera string, t event.Trigger) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.labels = append(f.labels, camera+" "+t.Label)
	return "id-1", f.refuse
}
func (f *fake) MailCamera(context.Context, string) error { return f.refuse }
func (f *fake) Connections() []status.Connection         { return nil }
func (f *fake) LogLines() []string                       { return []string{"one", "two"} }
func (f *fake) DropUnmatched()                           {}
func (f *fake) Callers() []status.Caller                 { return f.callers }
func (f *fake) AddCaller(c status.Caller) (status.Caller, string, error) {
	c.ID = "a/b"
	f.callers = append(f.callers, c)
	return c, "TOKEN", f.refuse
}
func (f *fake) TryTarget(_ context.Context, id string) error {
	f.tried = id
	return f.refuse
}
func (f *fake) RemoveCaller(id string) error {
	f.callers = slices.DeleteFunc(f.callers, func(c status.Caller) bool { return c.ID == id })
	return f.refuse
}

func (f *fake) SetAway(on bool) error {
	f.away = on
	return f.refuse
}
func (f *fake) HandOver(_ context.Context, state string) ([]status.Cut, error) {
	return []status.Cut{{Camera: "gate", Key: state, Time: time.Unix(1e9, 0).UTC()}}, f.refuse
}
func (f *fake) StandBy(ctx context.Context, come func() error) error {
	select {
	case <-f.leaves:
	case <-ctx.Done():
		return nil
	}
	err := come()
	<-ctx.Done()
	close(f.waited)
	return err
}
func (f *fake) Devices() []status.Caller { return f.callers }
func (f *fake) PairingCode() (string, time.Time, error) {
	return "ABCD-EFGH", time.Unix(1e9, 0).UTC(), f.refuse
}
func (f *fake) RemoveDevice(id string) error { return f.RemoveCaller(id) }
func (f *fake) Live(_ context.Context, camera string, small bool, from, origin time.Time, sink live.Sink) error {
	if f.refuse != nil {
		return f.refuse
	}
	sink.Type(`video/mp4; codecs="avc1.42001e"`)
	_, err := fmt.Fprintf(sink, "%s %t from %d, origin %d", camera, small, from.UnixMilli(), origin.UnixMilli())
	return err
}
func (f *fake) Spans(string, bool) ([]status.Span, error) {
	return []status.Span{{From: time.Unix(1, 0).UTC(), To: time.Unix(3, 0).UTC()}}, f.refuse
}
func (f *fake) HLS(_ context.Context, camera string, small bool, name string, w live.Wish) (live.File, error) {
	body := fmt.Appendf(nil, "%s %t %s %+v", camera, small, name, w)
	return live.File{Type: "text/x", Body: body, Keep: true}, f.refuse
}
func (f *fake) Open(_ context.Context, id, file string) (*os.File, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	return os.Open(filepath.Join(f.folder, id+"-"+file))
}

func (f *fake) Probe(context.Context, config.Camera) (status.ProbeResult, error) {
	return status.ProbeResult{Picture: []byte("jpeg")}, f.refuse
}
func (f *fake) Events(_ context.Context, q event.Query) ([]event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[:min(len(f.events), max(1, q.Limit))], nil
}
func (f *fake) Event(_ context.Context, id string) (event.Event, error) {
	return event.Event{ID: id}, f.refuse
}
func (f *fake) Protect(_ context.Context, id string, on bool) (event.Event, error) {
	return event.Event{ID: id, Protected: on}, nil
}
func (f *fake) Forget(ctx context.Context, id string) error      { return f.Delete(ctx, id) }
func (f *fake) Drives(context.Context) ([]status.Drive, error)   { return nil, f.refuse }
func (f *fake) ForgetDrive(context.Context, string) (int, error) { return 0, f.refuse }

func (f *fake) Delete(context.Context, string) error { return f.refuse }
func (f *fake) Restore(_ context.Context, id string) (event.Event, error) {
	return event.Event{ID: id}, f.refuse
}
func (f *fake) Trash(context.Context) []event.Event { return []event.Event{{ID: "gone"}} }

func (f *fake) EmptyTrash(context.Context) (int64, error) { return 7, f.refuse }
func (f *fake) Reindex(context.Context) (int, []string, error) {
	return 3, []string{"x.json: broken"}, nil
}

func (f *fake) Days(_ context.Context, q event.Query) ([]event.Day, error) {
	f.asked = q
	return []event.Day{{Day: q.Day, Events: len(q.Text)}}, f.refuse
}
func (f *fake) Choices(context.Context) (event.Choices, error) {
	return event.Choices{Cameras: []string{"gate"}, Labels: []string{"motion"}}, f.refuse
}
func (f *fake) Next(context.Context) (*event.Next, error) { return f.next, f.refuse }
func (f *fake) Verify(_ context.Context, id string) (status.VerifyResult, error) {
	return status.VerifyResult{OK: true, Text: text.Plain(id)}, f.refuse
}
func (f *fake) Pause(until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused, f.until = true, until
}
func (f *fake) EndPause() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = false
}
func (f *fake) Still(_ context.Context, camera string, width int) ([]byte, error) {
	return fmt.Appendf(nil, "%s %d", camera, width), f.refuse
}
func (f *fake) Folder(_ context.Context, path, use string) (status.Folder, error) {
	return status.Folder{Path: path, Kind: use}, f.refuse
}
func (f *fake) Discover(context.Context) ([]status.DiscoveredCamera, error) { return nil, f.refuse }
func (f *fake) Stills(_ context.Context, width int) (map[string][]byte, error) {
	return map[string][]byte{"gate": []byte(strconv.Itoa(width))}, f.refuse
}

func (f *fake) Outages(_ context.Context, from, to time.Time) ([]status.Outage, error) {
	return []status.Outage{{Camera: "gate", From: from, To: to}}, f.refuse
}

func (f *fake) Why(_ context.Context, camera string, at time.Time) ([]status.Finding, error) {
	return []status.Finding{{About: text.Plain(camera), Text: text.Plain(at.UTC().Format(time.RFC3339))}}, f.refuse
}

// changes is a watcher that a test feeds.
type changes struct {
	c      chan struct{}
	mu     sync.Mutex
	events []event.Event
}

func (c *changes) Changes() <-chan struct{} { return c.c }
func (c *changes) Drain() (bool, []event.Event, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.events
	c.events = nil
	return true, e, []string{"gone"}
}
func (c *changes) Close() {}

func (c *changes) tell(e event.Event) {
	c.mu.Lock()
	c.events = append(c.events, e)
	c.mu.Unlock()
	select {
	case c.c <- struct{}{}:
	default:
	}
}

func serve(t *testing.T, f Recorder, w *changes) (*Client, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pc") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" {
		socket = `\\.\pipe\` + filepath.Base(dir)
	}
	ln, err := Listen(socket, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, f, func() Watcher { return w }) }()
	c := NewClient(socket)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	return c, socket
}

// indexError is an error of the archive, which is no text.Error.
type indexError struct{ error }

func (e indexError) Said() text.Text { return text.IndexOpen.With(e.error) }

func TestErrorOf(t *testing.T) {
	for _, tt := range []struct {
		err    error
		code   string
		status int
	}{
		{fmt.Errorf("%q: %w", "x", text.NoSuchCamera.Error()), "no-such-camera", 404},
		{text.EventProtected.Error("e1"), "event-protected", 409},
		{text.CallUnreadable.Error(io.EOF), "call-unreadable", 400},
		{fmt.Errorf("events: %w", indexError{io.ErrUnexpectedEOF}), "index-open", 503},
		{text.MailNotListening.Error(), "mail-not-listening", 503},
		{io.ErrUnexpectedEOF, "", 422},
	} {
		if e, status := errorOf(tt.err); e.Code != tt.code || status != tt.status || e.Text.English != tt.err.Error() {
			t.Errorf("%v: got %+v, %d, want %s, %d", tt.err, e, status, tt.code, tt.status)
		}
	}
}

// empty is a recorder that has nothing.
type empty struct{ *fake }

func (empty) Days(context.Context, event.Query) ([]event.Day, error)                 { return nil, nil }
func (empty) Stills(context.Context, int) (map[string][]byte, error)                 { return nil, nil }
func (empty) Outages(context.Context, time.Time, time.Time) ([]status.Outage, error) { return nil, nil }
func (empty) Why(context.Context, string, time.Time) ([]status.Finding, error)       { return nil, nil }

// TestListsAreNeverNull: a client in a language where null is no empty list walks every list.
func TestListsAreNeverNull(t *testing.T) {
	c, _ := serve(t, empty{&fake{settings: config.Default()}}, nil)
	for method, paths := range map[string][]string{
		"GET":  {"events", "days", "drives", "connections", "why?time=2026-11-29T12:00:00Z"},
		"POST": {"discover"},
	} {
		for _, path := range paths {
			var got json.RawMessage
			if err := c.do(t.Context(), method, "/v1/"+path, nil, &got); err != nil || string(got) != "[]" {
				t.Errorf("%s is %s, %v, want []", path, got, err)
			}
		}
	}
}

func TestCalls(t *testing.T) {
	f := &fake{settings: config.Default()}
	f.settings.SMTP.Username, f.settings.SMTP.Password = "u", "C4nary"
	for i := range 3 {
		f.events = append(f.events, event.Event{ID: fmt.Sprint(i), Time: time.Now()})
	}
	c, _ := serve(t, f, nil)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || s.Version != "test" {
		t.Errorf("%+v, %v", s, err)
	}
	if id, err := c.Trigger(ctx, "gate", ""); err != nil || id != "id-1" || f.labels[0] != "gate manual" {
		t.Errorf("%q %q, %v", id, f.labels, err)
	}
	if l, err := c.Events(ctx, event.Query{Limit: 2, Before: time.Now(), BeforeID: "9"}); err != nil || len(l) != 2 {
		t.Errorf("%v, %v", l, err)
	}
	if e, err := c.Event(ctx, "a/b c"); err != nil || e.ID != "a/b c" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := c.Protect(ctx, "x", true); err != nil || !e.Protected {
		t.Errorf("%+v, %v", e, err)
	}
	if l, err := c.Probe(ctx, config.DemoCamera()); err != nil || string(l.Picture) != "jpeg" {
		t.Errorf("%+v, %v", l, err)
	}
	if n, faults, err := c.Reindex(ctx); err != nil || n != 3 || len(faults) != 1 {
		t.Errorf("%d %v, %v", n, faults, err)
	}
	s, err := c.Settings(ctx)
	if err != nil || s.SMTP.Password != config.Unchanged {
		t.Fatalf("the password left the recorder: %q, %v", s.SMTP.Password.Reveal(), err)
	}
	if err := c.Apply(ctx, s); err != nil || f.settings.SMTP.Password != "C4nary" {
		t.Errorf("an unchanged password was lost: %v", err)
	}
	s.SMTP.Password = "new"
	if err := c.Apply(ctx, s); err != nil || f.settings.SMTP.Password != "new" {
		t.Errorf("a new password did not arrive: %v", err)
	}
}

// TestNewerCalls checks that the arguments of each call arrive, and that its answer comes back.
func TestNewerCalls(t *testing.T) {
	f := &fake{events: []event.Event{{}}}
	c, _ := serve(t, f, nil)
	ctx := t.Context()
	if l, err := c.Days(ctx, event.Query{Day: "2026-11-22", Text: "a b&c"}); err != nil || len(l) != 1 ||
		l[0] != (event.Day{Day: "2026-11-22", Events: 5}) {
		t.Errorf("%v, %v", l, err)
	}
	whole := event.Query{Camera: "a", Label: "b", Text: "c", Only: event.OnlyProtected, Day: "2026-11-20",
		Until: "2026-11-22", After: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC), Without: "e1,e2"}
	if _, err := c.Days(ctx, whole); err != nil || f.asked != whole {
		t.Errorf("%+v arrived, %v", f.asked, err)
	}
	if _, err := c.Days(ctx, event.Query{Only: "nonsense"}); err == nil {
		t.Error("a kind of events that does not exist is no error")
	}
	if n, err := c.AddCaller(ctx, status.Caller{Name: "Bell", Camera: "gate"}); err != nil || n.Token != "TOKEN" ||
		n.Name != "Bell" ||
		n.Camera != "gate" {
		t.Errorf("%+v, %v", n, err)
	}
	if l, err := c.Callers(ctx); err != nil || len(l) != 1 || l[0].Name != "Bell" {
		t.Errorf("%+v, %v", l, err)
	}
	if err := c.RemoveCaller(ctx, "a/b"); err != nil || len(f.callers) != 0 {
		t.Errorf("%+v, %v", f.callers, err)
	}
	if err := c.TryTarget(ctx, "a/b"); err != nil || f.tried != "a/b" {
		t.Errorf("%q, %v", f.tried, err)
	}
	if v, err := c.Choices(ctx); err != nil || v.Cameras[0] != "gate" || v.Labels[0] != "motion" {
		t.Errorf("%v, %v", v, err)
	}
	if n, err := c.Next(ctx); err != nil || n != nil {
		t.Errorf("%v, %v", n, err)
	}
	f.next = &event.Next{Event: event.Event{ID: "x"}, Why: "max_age"}
	if n, err := c.Next(ctx); err != nil || n == nil || n.Event.ID != "x" || n.Why != "max_age" || !n.When.IsZero() {
		t.Errorf("%v, %v", n, err)
	}
	if v, err := c.Verify(ctx, "a/b"); err != nil || !v.OK || v.Text.String() != "a/b" {
		t.Errorf("%v, %v", v, err)
	}
	if err := c.Pause(ctx, time.Hour); err != nil || !f.paused || time.Until(f.until) < 59*time.Minute {
		t.Errorf("%v until %v, %v", f.paused, f.until, err)
	}
	if err := c.Pause(ctx, 0); err != nil || !f.until.IsZero() {
		t.Errorf("until %v, %v", f.until, err)
	}
	if err := c.EndPause(ctx); err != nil || f.paused {
		t.Errorf("%v", err)
	}
	if b, err := c.Still(ctx, "gate", 9999); err != nil || string(b) != "gate 1920" {
		t.Errorf("%s, %v", b, err)
	}
	if v, err := c.Folder(ctx, "/x", "ram"); err != nil || v.Path != "/x" || v.Kind != "ram" {
		t.Errorf("%v, %v", v, err)
	}
	if l, err := c.Discover(ctx); err != nil || l == nil || len(l) != 0 {
		t.Errorf("%v, %v", l, err)
	}
	at := time.Date(2026, 11, 22, 14, 0, 5, 0, time.FixedZone("", 5400))
	if l, err := c.Why(ctx, "a&b", at); err != nil || len(l) != 1 || l[0].About.String() != "a&b" ||
		l[0].Text.String() != "2026-11-22T12:30:05Z" {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := c.Stills(ctx, 9); err != nil || len(l) != 1 || string(l["gate"]) != "64" {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := c.LogLines(ctx); err != nil || len(l) != 2 || l[1] != "two" {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := c.Outages(ctx, at, at.Add(time.Hour)); err != nil || len(l) != 1 || !l[0].From.Equal(at) ||
		l[0].To.Sub(at) != time.Hour {
		t.Errorf("%+v, %v", l, err)
	}
	f.refuse = errors.New("no")
	_, days := c.Days(ctx, event.Query{})
	_, verify := c.Verify(ctx, "x")
	_, why := c.Why(ctx, "x", at)
	for _, err := range []error{days, verify, why} {
		var e *Error
		if !errors.As(err, &e) || e.Text.String() != "no" {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusalsKeepTheirWords(t *testing.T) {
	f := &fake{events: []event.Event{{}}}
	c, _ := serve(t, f, nil)
	f.refuse = config.ValidationErrors{{Key: "smtp.listen", Value: "x", Rule: text.Plain("must be y")}}
	var e *Error
	if err := c.Apply(t.Context(), config.Default()); !errors.As(err, &e) || len(e.Faults) != 1 ||
		e.Faults[0].Key != "smtp.listen" {
		t.Errorf("%v", err)
	}
	f.refuse = source.WrongPassword.Failure("401")
	if _, err := c.Probe(t.Context(), config.DemoCamera()); !errors.As(err, &e) ||
		!strings.Contains(e.Hint.String(), "web page") || !strings.Contains(err.Error(), "refuses") {
		t.Errorf("%v", err)
	}
}

// TestWatch checks that a watch sends the whole state first and then each change.
func TestWatch(t *testing.T) {
	f := &fake{events: []event.Event{{ID: "old", Time: time.Now()}}}
	w := &changes{c: make(chan struct{}, 1)}
	c, _ := serve(t, f, w)
	ctx, cancel := context.WithCancel(t.Context())
	var got []Update
	err := c.Watch(ctx, func(u Update) {
		got = append(got, u)
		if len(got) == 3 {
			cancel()
			return
		}
		w.tell(event.Event{ID: fmt.Sprint("new", len(got))})
	})
	if !errors.Is(err, context.Canceled) || len(got) != 3 {
		t.Fatalf("%d updates, %v", len(got), err)
	}
	if got[0].Status == nil || len(got[0].Events) != 1 || got[0].Events[0].ID != "old" || got[0].Removed != nil {
		t.Errorf("first %+v", got[0])
	}
	if got[1].Events[0].ID != "new1" || got[2].Events[0].ID != "new2" || got[1].Removed[0] != "gone" {
		t.Errorf("then %+v", got[1:])
	}
}

func TestOneListenerAndItsOwnerOnly(t *testing.T) {
	f := &fake{events: []event.Event{{}}}
	c, socket := serve(t, f, nil)
	if _, err := Listen(socket, ""); !errors.Is(err, ErrTaken) {
		t.Errorf("a second listener: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first one suffered: %v", err)
	}
	if fi, err := os.Stat(socket); runtime.GOOS != "windows" && (err != nil || fi.Mode().Perm() != 0o600) {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	nobody := NewClient(socket + "-nobody")
	defer nobody.Close()
	if _, err := nobody.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody: %v", err)
	}
}

// TestSockets checks that a client finds whichever recorder listens, the first one before the second one, and that it
// is told if it may not use the only one.
func TestSockets(t *testing.T) {
	_, first := serve(t, &fake{settings: config.Settings{Language: "first"}}, nil)
	_, second := serve(t, &fake{settings: config.Settings{Language: "second"}}, nil)
	for want, sockets := range map[string][]string{"first": {first, second}, "second": {first + "-none", second}} {
		c := NewClient(sockets...)
		if s, err := c.Settings(t.Context()); err != nil || s.Language != want {
			t.Errorf("%v: %q, %v, want that of the %s", sockets, s.Language, err, want)
		}
		c.Close()
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return // nobody can be kept out
	}
	if err := os.Chmod(second, 0); err != nil {
		t.Fatal(err)
	}
	c := NewClient(first+"-none", second)
	defer c.Close()
	if _, err := c.Settings(t.Context()); !errors.Is(err, ErrNoAccess) {
		t.Errorf("%v", err)
	}
}

// TestFollow follows one recorder and then the next one. A short time without any is no news.
func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir, err := os.MkdirTemp("", "pc")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	socket := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" {
		socket = `\\.\pipe\` + filepath.Base(dir)
	}
	run := func(version string) (end func()) {
		ln, err := Listen(socket, "")
		if err != nil {
			t.Fatal(err)
		}
		serving, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		f := &fake{settings: config.Default(), events: []event.Event{{ID: version}}}
		go func() {
			ended <- Serve(serving, ln, f, func() Watcher { return &changes{c: make(chan struct{}, 1)} })
		}()
		return func() { stop(); <-ended }
	}
	seen := make(chan string, 10)
	c := NewClient(socket)
	defer c.Close()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		c.Follow(ctx, func(u Update, first bool) {
			if first {
				seen <- u.Events[0].ID
			}
		}, func() { seen <- "gone" })
	}()
	end := run("one")
	for _, want := range []string{"one", "two", "gone", "three"} {
		switch want {
		case "two", "three":
			end()
			end = run(want)
		case "gone":
			end()
			end = func() {}
		}
		if got := <-seen; got != want {
			t.Fatalf("saw %q, want %q", got, want)
		}
	}
	end()
	cancel()
	<-followed
}

// TestStandBy checks that a program that stands by is called when the recorder leaves, and that the recorder sees when
// it waits no longer.
func TestStandBy(t *testing.T) {
	f := &fake{leaves: make(chan struct{}), waited: make(chan struct{})}
	c, _ := serve(t, f, nil)
	called := make(chan func(), 1)
	go func() {
		stop, err := c.StandBy(t.Context())
		if err != nil {
			t.Error(err)
		}
		called <- stop
	}()
	close(f.leaves)
	stop := <-called
	cuts, err := c.HandOver(t.Context(), "/state")
	if err != nil || len(cuts) != 1 || cuts[0].Key != "/state" {
		t.Errorf("%v, %v", cuts, err)
	}
	stop()
	<-f.waited
}

// FuzzCalls sends what a broken client might send. The answer must always be JSON, and nothing may panic.
func FuzzCalls(f *testing.F) {
	f.Add("POST", "trigger", `{"camera":"a"}`)
	f.Add("PUT", "settings", `{"version":1,"camera":[{"password":"x"}]}`)
	f.Add("GET", "events?before=x&limit=-5", "")
	f.Add("POST", "events/%2e%2e/protect", `{"on":1}`)
	f.Add("GET", "why?camera=x&time=yesterday", "")
	f.Add("GET", "next", "")
	f.Add("GET", "cameras/a/still?width=-1", "")
	f.Add("POST", "pause", `{"for":1e300}`)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequest(method, "http://preroll/v1/"+path, strings.NewReader(body))
		if err != nil || req.URL.Path == "/v1/watch" || req.URL.Path == "/v1/standby" {
			return
		}
		w := httptest.NewRecorder()
		routes(&server{r: &fake{events: []event.Event{{}}}, stopping: t.Context()}).ServeHTTP(w, req)
		if b, _ := io.ReadAll(w.Body); w.Code == http.StatusOK && !json.Valid(b) {
			t.Errorf("%s %s: %q", method, path, b)
		}
	})
}

// stuck is a recorder whose archive drive hangs.
type stuck struct {
	*fake
	asked, answer chan struct{}
}

func (s *stuck) Reindex(context.Context) (int, []string, error) {
	close(s.asked)
	<-s.answer
	return 0, nil, nil
}

// TestEndWhileACallHangs checks that Serve ends without an error while a call hangs with a drive.
func TestEndWhileACallHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits as long as a call may take at the end")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := Listen(path, "")
	if err != nil {
		t.Fatal(err)
	}
	r := &stuck{fake: &fake{}, asked: make(chan struct{}), answer: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, r, func() Watcher { return &changes{c: make(chan struct{})} }) }()
	go func() { _, _, _ = NewClient(path).Reindex(t.Context()) }()
	<-r.asked
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
	close(r.answer)
}

// TestSecretsArrive checks that each password and token of new settings reaches the recorder, and none comes back.
func TestSecretsArrive(t *testing.T) {
	f := &fake{settings: config.Default()}
	c, _ := serve(t, f, nil)
	s := config.Default()
	s.SMTP.Username, s.SMTP.Password = "cam", "one"
	s.Cameras = []config.Camera{config.DemoCamera()}
	s.Cameras[0].Password = "two"
	s.Targets = []config.Target{config.NewTarget()}
	s.Targets[0].ID, s.Targets[0].Token = "phone", "three"
	if err := c.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.settings, s) {
		t.Errorf("got %+v, want %+v", f.settings, s)
	}
	back, err := c.Settings(t.Context())
	if err != nil || back.SMTP.Password != config.Unchanged || back.Cameras[0].Password != config.Unchanged ||
		back.Targets[0].Token != config.Unchanged {
		t.Errorf("got %+v, %v, want no secret", back, err)
	}
	if err := c.Apply(t.Context(), back); err != nil || f.settings.Targets[0].Token != "three" ||
		f.settings.Cameras[0].Password != "two" || f.settings.SMTP.Password != "one" {
		t.Errorf("unchanged secrets were lost: %v", err)
	}
}

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/status"
)

// fake is a recorder that answers what a test sets.
type fake struct {
	mu       sync.Mutex
	events   []event.Event
	settings config.Settings
	refuse   error
	labels   []string
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
func (f *fake) Look(context.Context, config.Camera) (status.Look, error) {
	return status.Look{Picture: []byte("jpeg")}, f.refuse
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
func (f *fake) Delete(context.Context, string) error { return f.refuse }
func (f *fake) Reindex(context.Context) (int, []string, error) {
	return 3, []string{"x.json: broken"}, nil
}

// changes is a watcher that a test feeds.
type changes struct {
	c      chan struct{}
	mu     sync.Mutex
	events []event.Event
}

func (c *changes) Changes() <-chan struct{} { return c.c }
func (c *changes) Take() (bool, []event.Event, []string) {
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

func serve(t *testing.T, f *fake, w *changes) (*Client, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pc") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	ln, err := Listen(socket)
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
	if l, err := c.Look(ctx, config.DemoCamera()); err != nil || string(l.Picture) != "jpeg" {
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

func TestRefusalsKeepTheirWords(t *testing.T) {
	f := &fake{events: []event.Event{{}}}
	c, _ := serve(t, f, nil)
	f.refuse = config.Faults{{Key: "smtp.listen", Value: "x", Rule: "must be y"}}
	var e *Error
	if err := c.Apply(t.Context(), config.Default()); !errors.As(err, &e) || len(e.Faults) != 1 || e.Faults[0].Key != "smtp.listen" {
		t.Errorf("%v", err)
	}
	f.refuse = &ffmpeg.Failure{Kind: ffmpeg.WrongPassword, Detail: "401"}
	if _, err := c.Look(t.Context(), config.DemoCamera()); !errors.As(err, &e) || !strings.Contains(e.Hint, "web page") || !strings.Contains(err.Error(), "refuses") {
		t.Errorf("%v", err)
	}
}

// TestWatch wants the whole state first, then each change.
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
	if _, err := Listen(socket); !errors.Is(err, ErrTaken) {
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

// FuzzCalls sends what a broken client might: the answer is always JSON, and nothing panics.
func FuzzCalls(f *testing.F) {
	f.Add("POST", "trigger", `{"camera":"a"}`)
	f.Add("PUT", "settings", `{"version":1,"camera":[{"password":"x"}]}`)
	f.Add("GET", "events?before=x&limit=-5", "")
	f.Add("POST", "events/%2e%2e/protect", `{"on":1}`)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequest(method, "http://preroll/v1/"+path, strings.NewReader(body))
		if err != nil || req.URL.Path == "/v1/watch" {
			return
		}
		w := httptest.NewRecorder()
		routes(&server{r: &fake{events: []event.Event{{}}}, stopping: t.Context()}).ServeHTTP(w, req)
		if b, _ := io.ReadAll(w.Body); w.Code == http.StatusOK && !strings.HasPrefix(string(b), "{") && !strings.HasPrefix(string(b), "[") {
			t.Errorf("%s %s: %q", method, path, b)
		}
	})
}

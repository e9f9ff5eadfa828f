package outbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

const jpeg = "\xff\xd8 a picture"

// service is a service that takes word. check looks at each request as the real one would, and returns its answer.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	code  int // answered instead, if it is not 0
	after string
	got   []string // title and body of each word that was taken
	seen  int
}

func serve(t *testing.T, check func(r *http.Request, body []byte) (said string, err error)) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.seen++; s.code != 0 {
			w.Header().Set("Retry-After", s.after)
			w.WriteHeader(s.code)
			return
		}
		said, err := check(r, body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.got = append(s.got, said)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *service) answer(code int, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.after = code, after
}

func (s *service) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// anything takes every word and keeps the title of ntfy.
func anything(r *http.Request, body []byte) (string, error) {
	title, err := new(mime.WordDecoder).DecodeHeader(r.Header.Get("Title"))
	said := string(body)
	if m := r.Header.Get("Message"); m != "" {
		said, err = new(mime.WordDecoder).DecodeHeader(m)
	}
	return title + " / " + said, err
}

// kinds are strict stand-ins for the services: each checks every field that its service asks for.
var kinds = map[string]func(r *http.Request, body []byte) (string, error){
	config.Ntfy: func(r *http.Request, body []byte) (string, error) {
		if r.Method != "POST" || r.URL.Path != "/topic" || r.Header.Get("Authorization") != "Bearer s3cret" ||
			r.Header.Get("Filename") != "picture.jpg" || string(body) != jpeg || r.Header.Get("Priority") != "4" ||
			r.Header.Get("Tags") == "" {
			return "", fmt.Errorf("%v, %q", r.Header, body)
		}
		return anything(r, body)
	},
	config.Gotify: func(r *http.Request, body []byte) (string, error) {
		var m struct {
			Title, Message string
			Priority       int
		}
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			return "", err
		}
		if r.URL.Path != "/topic/message" || r.Header.Get("X-Gotify-Key") != "s3cret" || r.URL.RawQuery != "" ||
			r.Header.Get("Content-Type") != "application/json" || m.Priority != 8 {
			return "", fmt.Errorf("%s, %v, %+v", r.URL, r.Header, m)
		}
		return m.Title + " / " + m.Message, nil
	},
	config.Pushover: func(r *http.Request, _ []byte) (string, error) {
		if r.URL.Path != "/topic/1/messages.json" || r.FormValue("token") != "s3cret" || r.FormValue("user") != "me" ||
			r.FormValue("timestamp") == "" {
			return "", fmt.Errorf("%s, %v", r.URL, r.Form)
		}
		return r.FormValue("title") + " / " + r.FormValue("message"), picture(r, "attachment")
	},
	config.Telegram: func(r *http.Request, _ []byte) (string, error) {
		if r.URL.Path != "/topic/bots3cret/sendPhoto" || r.FormValue("chat_id") != "me" {
			return "", fmt.Errorf("%s, %v", r.URL, r.Form)
		}
		return strings.Replace(r.FormValue("caption"), "\n", " / ", 1), picture(r, "photo")
	},
	config.Webhook: func(r *http.Request, body []byte) (string, error) {
		mac := hmac.New(sha256.New, []byte("s3cret"))
		_, _ = fmt.Fprintf(mac, "%s.%s", r.Header.Get("X-Preroll-Timestamp"), body)
		if got := r.Header.Get("X-Preroll-Signature"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			return "", fmt.Errorf("signature %q", got)
		}
		var w Word
		if err := json.Unmarshal(body, &w); err != nil {
			return "", err
		}
		if w.ID == "" || w.ID != r.Header.Get("X-Preroll-Delivery") || w.Event != "e1" || w.Camera != "gate" ||
			w.Label != "person" || w.State != "recording" || string(w.Picture) != jpeg || w.Time.IsZero() {
			return "", fmt.Errorf("%+v", w)
		}
		return w.Title + " / " + w.Body, nil
	},
}

func picture(r *http.Request, name string) error {
	f, head, err := r.FormFile(name)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err != nil || string(b) != jpeg || head.Header.Get("Content-Type") != "image/jpeg" {
		return fmt.Errorf("%q, %v, %v", b, head.Header, err)
	}
	return nil
}

// rig is an outbox with settings that a test may change.
type rig struct {
	*Outbox
	state string
	mu    sync.Mutex
	list  []config.Target
	web   config.Web
}

func targetOf(kind, url string) config.Target {
	t := config.NewTarget()
	t.ID, t.Name, t.Kind, t.URL, t.User, t.Token, t.Saved = kind, "Phone", kind, url+"/topic", "me", "s3cret", true
	return t
}

func newRig(t *testing.T, state string, list ...config.Target) *rig {
	r := &rig{state: state, list: list}
	r.Outbox = New(Options{State: state, Say: text.Text.String, Changed: func() {}, Log: slog.New(slog.DiscardHandler),
		Settings: func() config.Settings {
			r.mu.Lock()
			defer r.mu.Unlock()
			return config.Settings{Targets: slices.Clone(r.list), Web: r.web}
		},
		Picture: func(context.Context, event.Event) ([]byte, error) { return []byte(jpeg), nil },
		Started: time.Now().Add(-time.Minute)})
	return r
}

// TestAway sends word to a target for the time of absence only then.
func TestAway(t *testing.T) {
	s := serve(t, anything)
	to := targetOf(config.Ntfy, s.URL)
	to.Picture, to.Away = false, true
	r := newRig(t, t.TempDir(), to)
	var out atomic.Bool
	r.opt.Away = out.Load
	r.run(t)
	r.Event(alarm("e1"))
	out.Store(true)
	r.Event(alarm("e2"))
	poll.Until(t, "word", 10*time.Second, func() bool { return len(s.words()) > 0 }, nil)
	time.Sleep(50 * time.Millisecond)
	if got := s.words(); len(got) != 1 {
		t.Errorf("got %q, want word of the second alarm alone", got)
	}
	if l := r.Status(); len(l) != 1 || !l[0].Away {
		t.Errorf("got %+v", l)
	}
}

// TestLinks checks that a tap on word opens the page of its event, in the form of each service.
func TestLinks(t *testing.T) {
	web := config.Web{Listen: "127.0.0.1:8443", URL: "https://home.example.ts.net/pre/"}
	alarm := Word{Kind: Alarm, Event: "e/1", Title: "Gate", Body: strings.Repeat("x", 2000), Time: time.Now()}
	for _, tc := range []struct {
		web  config.Web
		word Word
		want string
	}{
		{web, alarm, "https://home.example.ts.net/pre/events/e%2F1"},
		{web, Word{Kind: Trouble}, "https://home.example.ts.net/pre/health"},
		{web, Word{Kind: Test}, "https://home.example.ts.net/pre/"},
		{config.Web{URL: web.URL}, alarm, ""}, // the pages are off
		{config.Web{Listen: ":8443"}, alarm, ""},
	} {
		if got := linkOf(config.Settings{Web: tc.web}, tc.word); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.web, got, tc.want)
		}
	}
	alarm.Link = linkOf(config.Settings{Web: web}, alarm)
	for kind, where := range map[string]func(r *http.Request, body string) string{
		config.Ntfy: func(r *http.Request, _ string) string { return r.Header.Get("Click") },
		config.Gotify: func(_ *http.Request, body string) string {
			var m struct {
				Extras map[string]struct{ Click struct{ URL string } }
			}
			_ = json.Unmarshal([]byte(body), &m)
			return m.Extras["client::notification"].Click.URL
		},
		config.Pushover: func(r *http.Request, _ string) string { return r.FormValue("url") },
		config.Telegram: func(r *http.Request, _ string) string {
			lines := strings.Split(r.FormValue("text"), "\n")
			if len([]rune(r.FormValue("text"))) > 1024 {
				return "too long"
			}
			return lines[len(lines)-1]
		},
		config.Webhook: func(_ *http.Request, body string) string {
			var w Word
			_ = json.Unmarshal([]byte(body), &w)
			return w.Link
		},
	} {
		r, err := new(Outbox).request(targetOf(kind, "https://192.0.2.1"), alarm)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if got := where(r, string(body)); got != alarm.Link {
			t.Errorf("%s: got the link %q", kind, got)
		}
	}
}

// run runs the outbox until the test or the returned function ends it.
func (r *rig) run(t *testing.T) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return end
}

func alarm(id string) event.Event {
	return event.Event{ID: id, Camera: "gate", CameraName: "Tür", Label: "person", Time: time.Now(),
		State: event.Recording}
}

func TestKinds(t *testing.T) {
	for _, kind := range config.TargetKinds {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, kinds[kind])
			r := newRig(t, t.TempDir(), targetOf(kind, s.URL))
			r.run(t)
			e := alarm("e1")
			r.Event(e)
			r.Event(e) // changed since, and told already
			poll.Until(t, "word", 10*time.Second, func() bool { return len(s.words()) == 1 }, nil)
			want := "Alarm: Tür / person at " + e.Time.Local().Format("15:04:05") + ". The clip is being saved."
			if got := s.words()[0]; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			poll.Until(t, "the end of what was taken", 10*time.Second, func() bool {
				files, _ := os.ReadDir(filepath.Join(r.state, Folder))
				return len(files) == 0
			}, nil)
		})
	}
}

// TestWhoIsTold checks which targets want which word.
func TestWhoIsTold(t *testing.T) {
	now := time.Now()
	quiet := now.Add(-time.Hour).Format("15:04") + "-" + now.Add(time.Hour).Format("15:04")
	for name, tc := range map[string]struct {
		change func(*config.Target)
		want   string
	}{
		"all":    {func(*config.Target) {}, "Alarm: Tür, Clip saved: Tür, No clip: Tür, Preroll needs you"},
		"alarms": {func(t *config.Target) { t.Saved, t.Trouble = false, false }, "Alarm: Tür, No clip: Tür"},
		"off":    {func(t *config.Target) { t.Enabled = false }, ""},
		"quiet":  {func(t *config.Target) { t.Quiet = quiet }, ""},
		"this camera": {func(t *config.Target) { t.Cameras, t.Trouble = []string{"gate"}, false },
			"Alarm: Tür, Clip saved: Tür, No clip: Tür"},
		"at home":        {func(t *config.Target) { t.Away = true }, ""},
		"another camera": {func(t *config.Target) { t.Cameras = []string{"yard"} }, "Preroll needs you"},
		"another label":  {func(t *config.Target) { t.Labels = []string{"motion"} }, "Preroll needs you"},
		"this label": {func(t *config.Target) { t.Labels, t.Saved, t.Trouble = []string{"Person"}, false, false },
			"Alarm: Tür, No clip: Tür"},
		"a label of a later alarm": {func(t *config.Target) { t.Labels, t.Trouble = []string{"vehicle"}, false },
			"Alarm: Tür"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, anything)
			to := targetOf(config.Ntfy, s.URL)
			to.Picture = false
			tc.change(&to)
			r := newRig(t, t.TempDir(), to)
			r.run(t)
			before := alarm("old")
			before.Time = time.Now().Add(-time.Hour)
			r.Event(before)
			continued := alarm("next")
			continued.Continues = "e1"
			r.Event(continued)
			r.Event(alarm("e1"))
			late := alarm("e3")
			late.Label, late.Triggers = "person", []event.Trigger{{Label: "person"}}
			if strings.Contains(name, "later") {
				r.Event(late)
				late.Triggers = append(late.Triggers, event.Trigger{Label: "vehicle"})
				r.Event(late)
				r.Event(late)
			}
			saved := alarm("e1")
			saved.State, saved.SavedAt = event.Saved, time.Now()
			failed := alarm("e2")
			failed.State, failed.Until, failed.Cause = event.Failed, time.Now(), text.Plain("No video came.")
			count := strings.Count(tc.want, ", ") + 1
			if tc.want == "" {
				count = 0
			}
			r.Event(saved)
			r.Event(failed)
			r.Problem(status.Problem{Code: "smtp", Text: text.Plain("No mail"), Hint: text.Plain("Look.")})
			r.Problem(status.Problem{Code: "smtp", Text: text.Plain("No mail"), Hint: text.Plain("Look.")})
			poll.Until(t, "word", 10*time.Second, func() bool { return len(s.words()) >= count }, nil)
			time.Sleep(50 * time.Millisecond)
			var titles []string
			for _, w := range s.words() {
				title, _, _ := strings.Cut(w, " / ")
				titles = append(titles, title)
			}
			slices.Sort(titles)
			want := strings.Split(tc.want, ", ")
			if slices.Sort(want); strings.Join(titles, ", ") != strings.Join(want, ", ") {
				t.Errorf("got %v, want %v", titles, want)
			}
		})
	}
}

// TestTargetIsAway: word waits for a target that does not answer, over a kill too, in order and once.
func TestTargetIsAway(t *testing.T) {
	s := serve(t, anything)
	s.answer(http.StatusInternalServerError, "")
	other := serve(t, anything)
	state := t.TempDir()
	well := targetOf(config.Ntfy, other.URL)
	well.ID = "well"
	r := newRig(t, state, targetOf(config.Ntfy, s.URL), well)
	end := r.run(t)
	for i := range 3 {
		r.Event(alarm(fmt.Sprint("e", i)))
		poll.Until(t, "word for the other target", 10*time.Second, func() bool { return len(other.words()) == i+1 },
			nil)
	}
	poll.Until(t, "an attempt", 10*time.Second, func() bool { return s.requests() > 0 }, nil)
	poll.Until(t, "the state of the target", 10*time.Second, func() bool { return !r.Status()[0].Error.IsZero() }, nil)
	poll.Until(t, "the answers of the other target", 10*time.Second, func() bool { return r.Status()[1].Sent == 3 },
		nil)
	if got := r.Status()[0]; got.Waiting != 3 || got.Sent != 0 || !strings.Contains(got.Error.String(), "500") ||
		got.Failing {
		t.Errorf("got %+v", got)
	}
	if got := r.Status()[1]; got.Waiting != 0 || got.Sent != 3 || !got.Error.IsZero() {
		t.Errorf("the other target: got %+v", got)
	}
	end() // as a kill would: the files stay
	if files, _ := os.ReadDir(filepath.Join(state, Folder)); len(files) != 3 {
		t.Fatalf("%d words wait in files, want 3", len(files))
	}
	s.answer(0, "")
	again := newRig(t, state, targetOf(config.Ntfy, s.URL), well)
	again.run(t)
	poll.Until(t, "the words after a restart", 10*time.Second, func() bool { return len(s.words()) == 3 }, nil)
	if got := s.words(); !slices.IsSorted(got) || len(other.words()) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestRetryAfter: a service that wants to be left alone is left alone.
func TestRetryAfter(t *testing.T) {
	s := serve(t, anything)
	s.answer(http.StatusTooManyRequests, "3600")
	r := newRig(t, t.TempDir(), targetOf(config.Ntfy, s.URL))
	r.run(t)
	r.Event(alarm("e1"))
	poll.Until(t, "an attempt", 10*time.Second, func() bool { return s.requests() == 1 }, nil)
	poll.Until(t, "its result", 10*time.Second, func() bool { return !r.Status()[0].Error.IsZero() }, nil)
	r.Outbox.mu.Lock()
	defer r.Outbox.mu.Unlock()
	if wait := time.Until(r.targets[config.Ntfy].due); wait < 59*time.Minute {
		t.Errorf("it is asked again after %s, want an hour", wait)
	}
}

// TestWordThatIsRefused: a word that a service will never take keeps no other one waiting. Its text goes out without
// the picture, if that is what is wrong.
func TestWordThatIsRefused(t *testing.T) {
	s := serve(t, anything)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		title, _ := new(mime.WordDecoder).DecodeHeader(r.Header.Get("Title"))
		if r.Header.Get("Filename") != "" || strings.Contains(title, "bad") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		inner.ServeHTTP(w, r)
	})
	r := newRig(t, t.TempDir(), targetOf(config.Ntfy, s.URL))
	r.run(t)
	bad := alarm("e1")
	bad.CameraName = "bad"
	r.Event(bad)
	poll.Until(t, "a refusal", 10*time.Second, func() bool { return !r.Status()[0].Error.IsZero() }, nil)
	r.Event(alarm("e2"))
	poll.Until(t, "the next word", 20*time.Second, func() bool { return len(s.words()) == 1 }, nil)
	if got := s.words()[0]; !strings.HasPrefix(got, "Alarm: Tür / person at") {
		t.Errorf("got %q", got)
	}
	poll.Until(t, "the end of the bad word", 10*time.Second, func() bool { return r.Status()[0].Waiting == 0 }, nil)
	if r.Status()[0].Failing {
		t.Error("a target that takes word is called failing")
	}
}

// TestTargetThatRefusesAll: where the target is wrong and not the word, as with a mistyped chat, all word waits until
// that is put right, and goes out at once then.
func TestTargetThatRefusesAll(t *testing.T) {
	wrong, s := serve(t, anything), serve(t, anything)
	wrong.answer(http.StatusBadRequest, "")
	r := newRig(t, t.TempDir(), targetOf(config.Ntfy, wrong.URL))
	r.run(t)
	for i := range 3 {
		r.Event(alarm(fmt.Sprint("e", i)))
	}
	poll.Until(t, "two refusals", 20*time.Second, func() bool { return wrong.requests() > 3 }, nil)
	if got := r.Status()[0].Waiting; got != 3 {
		t.Errorf("%d words wait, want 3", got)
	}
	r.mu.Lock()
	r.list = []config.Target{targetOf(config.Ntfy, s.URL)}
	r.mu.Unlock()
	r.wakeUp()
	poll.Until(t, "all words", 20*time.Second, func() bool { return len(s.words()) == 3 }, nil)
}

// TestWordBeforeItsPicture: neither a crash nor an end before the picture is there loses word, and the order holds.
func TestWordBeforeItsPicture(t *testing.T) {
	s := serve(t, anything)
	state := t.TempDir()
	r := newRig(t, state, targetOf(config.Ntfy, s.URL))
	r.opt.Picture = func(context.Context, event.Event) ([]byte, error) {
		<-t.Context().Done() // as a drive that hangs
		return nil, errors.New("late")
	}
	end := r.run(t)
	for i := range 5 {
		e := alarm(fmt.Sprint("e", i))
		e.CameraName = fmt.Sprint(i)
		r.Event(e)
	}
	poll.Until(t, "word in files", 10*time.Second, func() bool {
		files, err := os.ReadDir(filepath.Join(state, Folder))
		return err == nil && len(files) == 5
	}, nil)
	end()
	last := alarm("e5")
	last.CameraName = "5"
	r.Event(last) // the mail is answered while the process ends
	newRig(t, state, targetOf(config.Ntfy, s.URL)).run(t)
	poll.Until(t, "all words", 20*time.Second, func() bool { return len(s.words()) == 6 }, nil)
	for i, w := range s.words() {
		if !strings.HasPrefix(w, fmt.Sprint("Alarm: ", i)) {
			t.Errorf("word %d is %q", i, w)
		}
	}
}

// TestProblemInQuietHours: trouble that began in quiet hours is told after them.
func TestProblemInQuietHours(t *testing.T) {
	s := serve(t, anything)
	to := targetOf(config.Ntfy, s.URL)
	to.Quiet = time.Now().Add(-time.Hour).Format("15:04") + "-" + time.Now().Add(time.Hour).Format("15:04")
	r := newRig(t, t.TempDir(), to)
	r.run(t)
	p := status.Problem{Code: "smtp", Text: text.Plain("No mail"), Hint: text.Plain("Look.")}
	if r.Problem(p) {
		t.Error("somebody is told in quiet hours")
	}
	r.mu.Lock()
	r.list[0].Quiet = ""
	r.mu.Unlock()
	if !r.Problem(p) || r.Problem(p) {
		t.Error("want one word after the quiet hours")
	}
	poll.Until(t, "word", 10*time.Second, func() bool { return len(s.words()) == 1 }, nil)
}

// TestOldNews: what was before the start is no news. A clock that jumps makes none of what comes now.
func TestOldNews(t *testing.T) {
	r := newRig(t, t.TempDir(), targetOf(config.Ntfy, "http://127.0.0.1:1"))
	t.Cleanup(r.work.Wait)
	now := time.Now()
	r.opt.Started = now.Add(-time.Hour)
	r.Event(alarm("e1"))
	old := alarm("old")
	old.Time = now.Add(-2 * time.Hour)
	r.Event(old)
	ahead := alarm("ahead")
	ahead.Time = now.Add(3 * time.Hour)
	r.Event(ahead)
	if got := r.Status()[0].Waiting; got != 2 {
		t.Errorf("%d words wait, want 2", got)
	}
}

// TestNoTokenGetsOut: no error names a token, and none follows a redirect.
func TestNoTokenGetsOut(t *testing.T) {
	thief := serve(t, anything)
	s := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	for _, kind := range config.TargetKinds {
		for _, url := range []string{s.URL, "http://127.0.0.1:1", "http://[::1"} {
			to := targetOf(kind, url)
			r := newRig(t, t.TempDir(), to)
			err := r.Try(t.Context(), kind, []byte(jpeg))
			if err == nil || strings.Contains(err.Error(), "s3cret") ||
				strings.Contains(fmt.Sprintf("%+v", err), "s3cret") {
				t.Errorf("%s to %s: got %v", kind, url, err)
			}
		}
	}
	if thief.requests() > 0 {
		t.Error("word was sent on to another address")
	}
	r := newRig(t, t.TempDir())
	if err := r.Try(t.Context(), "nobody", nil); !errors.Is(err, text.NoSuchTarget.Error()) {
		t.Errorf("got %v, want %v", err, text.NoSuchTarget)
	}
}

// TestOldFiles: files that are no words are removed, and words of targets that there are no longer too.
func TestOldFiles(t *testing.T) {
	state := t.TempDir()
	dir := filepath.Join(state, Folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a.json": "{", "b.json": `{"id": "../../x", "target": "ntfy"}`,
		"c.json": `{"id": "c", "target": "gone"}`, "d.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, anything)
	r := newRig(t, state, targetOf(config.Ntfy, s.URL))
	r.run(t)
	poll.Until(t, "an empty folder", 10*time.Second, func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) == 0
	}, nil)
	for i := range maxWaiting + 20 {
		r.put(Word{Kind: Test, Time: time.Now(), Title: fmt.Sprint(i)}, []config.Target{targetOf(config.Ntfy, s.URL)})
	}
	if n := r.Status()[0].Waiting; n > maxWaiting {
		t.Errorf("%d words wait, want at most %d", n, maxWaiting)
	}
}

package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// fake is a recorder with hostile names. It counts what it was asked to do.
type fake struct {
	mu    sync.Mutex
	asked []string
	video chan struct{} // closed: videos end
	hold  chan struct{} // if any: the state is answered once it is closed
	event event.Event
	state status.Status
}

func (f *fake) note(format string, values ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, values...))
}

func (f *fake) did() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fake) Status(context.Context) (status.Status, error) {
	if f.hold != nil {
		<-f.hold
	}
	return f.state, nil
}
func (f *fake) Watch(ctx context.Context, c func(control.Update)) error {
	c(control.Update{})
	<-ctx.Done()
	return ctx.Err()
}
func (f *fake) Events(context.Context, event.Query) ([]event.Event, error) {
	return []event.Event{f.event}, nil
}
func (f *fake) Event(_ context.Context, id string) (event.Event, error) {
	if id != f.event.ID {
		return event.Event{}, &control.Error{Text: text.NoSuchEvent.With(), Status: http.StatusNotFound}
	}
	return f.event, nil
}
func (f *fake) Days(context.Context, event.Query) ([]event.Day, error) {
	return []event.Day{{Day: "2026-11-22", Events: 3}, {Day: "nonsense"}}, nil
}
func (f *fake) Choices(context.Context) (event.Choices, error) {
	return event.Choices{Cameras: []string{"gate"}, Labels: []string{hostile}}, nil
}
func (f *fake) Why(context.Context, string, time.Time) ([]status.Finding, error) {
	return []status.Finding{{About: text.Plain(hostile), Text: text.Plain("a mail from 192.0.2.9")}}, nil
}
func (f *fake) Still(context.Context, string, int) ([]byte, error) { return []byte("jpeg"), nil }
func (f *fake) Spans(context.Context, string, bool) ([]status.Span, error) {
	return []status.Span{}, nil
}
func (f *fake) Live(ctx context.Context, _ string, _ bool, _, _ time.Time) (*http.Response, error) {
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "video")
		select {
		case <-ctx.Done():
		case <-f.video:
		}
		_ = w.CloseWithError(io.EOF)
	}()
	return response("video/mp4", r), nil
}
func (f *fake) HLS(_ context.Context, camera string, _ bool, file string, _ url.Values) (*http.Response, error) {
	f.note("hls %s %s", camera, file)
	return response("application/vnd.apple.mpegurl", io.NopCloser(strings.NewReader("#EXTM3U"))), nil
}
func (f *fake) File(_ context.Context, id, file string, _ http.Header) (*http.Response, error) {
	f.note("file %s %s", id, file)
	return response("text/html", io.NopCloser(strings.NewReader("<script>alert(1)</script>"))), nil
}
func (f *fake) TriggerAt(_ context.Context, camera, label string, at time.Time) (string, error) {
	f.note("trigger %s %s %t", camera, label, at.IsZero())
	return f.event.ID, nil
}
func (f *fake) Protect(_ context.Context, id string, on bool) (event.Event, error) {
	f.note("protect %s %t", id, on)
	return f.event, nil
}
func (f *fake) Delete(_ context.Context, id string) error {
	f.note("delete %s", id)
	return nil
}

func (f *fake) SetAway(_ context.Context, on bool) error {
	f.note("away %t", on)
	return nil
}

func response(mime string, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {mime}}, Body: body}
}

const hostile = `</title><script>alert("x")</script>"'onload='x`

// site is a running server of the pages.
type site struct {
	t     *testing.T
	api   *fake
	url   string
	token string // of a paired device

	mu      sync.Mutex
	devices map[string]status.Caller
	code    string
	made    time.Time
}

func newFake() *fake {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := status.Camera{ID: "gate", Name: hostile, State: status.Waiting,
		Text: text.Plain("no answer from rtsp://u:pw@192.0.2.7:554/x"),
		Hint: text.Plain("is [fe80::1:2:3]:554 or 192.0.2.7 right?")}
	return &fake{video: make(chan struct{}),
		event: event.Event{ID: "e1", Camera: "gate", CameraName: hostile, Time: at, Label: hostile,
			State: event.Incomplete, Reason: hostile, From: at.Add(-10 * time.Second), Until: at.Add(time.Minute),
			Triggers: []event.Trigger{{Time: at, From: "192.0.2.7", Sender: "camera@192.0.2.7", Label: hostile,
				Subject: "from 192.0.2.7"}}, TriggerCount: 1, Thumbnail: `x".jpg`,
			Clips: []event.Clip{{File: `"><script>x.mp4`, Start: at.Add(-10 * time.Second), End: at.Add(time.Minute)}}},
		state: status.Status{Version: "1", Targets: []status.Target{{Enabled: true, Away: true}},
			Cameras: []status.Camera{c},
			Problems: []status.Problem{{Text: text.Plain(hostile), Hint: text.Plain("rtsp://u:pw@192.0.2.7/x")},
				{Text: text.Plain("x"), Hint: text.Of(unknownHost)},
				{Text: text.Plain(`archive.path = "/mnt/secret nas/x" must lie elsewhere than /srv/secret/y`),
					Hint: text.Plain(`C:\secret\z or \\secret\share, at 14:05`)}}}}
}

func serve(t *testing.T, change func(*control.WebHost)) *site {
	t.Helper()
	s := &site{t: t, api: newFake(), token: "TOKEN", code: "ABCD-EFGH",
		devices: map[string]status.Caller{"TOKEN": {ID: "1", Name: "Phone"}, "OTHER": {ID: "2", Name: "Other"}}}
	listening := make(chan string, 1)
	host := control.WebHost{Settings: config.Web{Listen: "127.0.0.1:0"}, Language: func() string { return "en" },
		Log: slog.New(slog.DiscardHandler),
		Device: func(token string) (status.Caller, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			d, ok := s.devices[token]
			return d, ok
		},
		Pair: func(code, name string) (status.Caller, string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if code != s.code {
				return status.Caller{}, "", text.WrongCode.Error()
			}
			s.devices["NEW"] = status.Caller{ID: "3", Name: name}
			return s.devices["NEW"], "NEW", nil
		},
		Remove: func(id string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			for token, d := range s.devices {
				if d.ID == id {
					delete(s.devices, token)
				}
			}
			return nil
		},
		PushKey: func() (string, error) { return "KEY", nil },
		SetWord: func(device string, p *status.Push) error {
			s.api.note("word %s %+v", device, p)
			if p != nil && !strings.HasPrefix(p.Endpoint, "https://push") {
				return text.NoPushService.Error()
			}
			return nil
		},
		CodeMade: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.made
		},
		Allowed:   func(netip.Addr) bool { return true },
		Trusted:   func(netip.Addr) bool { return false },
		Listening: func(listen string) { listening <- listen },
	}
	if change != nil {
		change(&host)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, s.api, host) }()
	select {
	case listen := <-listening:
		s.url = "http://" + listen
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		began := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(began) > 4*time.Second {
			t.Errorf("the end took %s: %v", time.Since(began), err)
		}
	})
	return s
}

// plain follows no redirect and keeps no connection.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ask sends a request of a device; token "" sends no cookie.
func (s *site) ask(method, path, token string, change func(*http.Request)) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.AddCookie(&http.Cookie{Name: cookie, Value: token})
	}
	if change != nil {
		change(req)
	}
	resp, err := plain.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if strings.HasSuffix(path, "/live") || path == "/watch" {
		return resp, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

// each calls f for every route, with values in the place of the names.
func each(f func(method, path string, open bool)) {
	for _, r := range Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = strings.NewReplacer("{$}", "", "{id}", "gate", "{file}", "x").Replace(path)
		if strings.HasPrefix(path, "/events/gate") {
			path = strings.Replace(path, "gate", "e1", 1)
		}
		f(method, path, r.Open)
	}
}

// TestOnlyPairedDevicesGetIn asks for every route without a token, with a wrong one, and with that of a device that was
// removed.
func TestOnlyPairedDevicesGetIn(t *testing.T) {
	s := serve(t, nil)
	n := 0
	for _, token := range []string{"", "wrong", "token", "TOKEN ", strings.Repeat("x", 5000)} {
		each(func(method, path string, open bool) {
			if open {
				return
			}
			n++
			if resp, body := s.ask(method, path, token, nil); resp.StatusCode != http.StatusUnauthorized ||
				strings.Contains(body, "gate") {
				t.Errorf("%s %s with %.10q: got %d", method, path, token, resp.StatusCode)
			}
			if method == "GET" {
				resp, _ := s.ask(method, path, token, func(r *http.Request) { r.Header.Set("Accept", "text/html") })
				if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/pair" {
					t.Errorf("%s: got %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
				}
			}
		})
	}
	if n < 60 || len(s.api.did()) > 0 {
		t.Errorf("%d requests did %q", n, s.api.did())
	}
	if resp, _ := s.ask("GET", "/", "TOKEN", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("a paired device: got %d", resp.StatusCode)
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer TOKEN") }
	if resp, _ := s.ask("GET", "/", "", bearer); resp.StatusCode != http.StatusOK {
		t.Errorf("a program with the token: got %d", resp.StatusCode)
	}
	resp, _ := s.ask("POST", "/leave", "TOKEN", nil)
	if resp.StatusCode != http.StatusSeeOther || !strings.Contains(resp.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("leave: got %d, %q", resp.StatusCode, resp.Header.Get("Set-Cookie"))
	}
	each(func(method, path string, open bool) {
		if resp, _ := s.ask(method, path, "TOKEN", nil); !open && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("a removed device, %s %s: got %d", method, path, resp.StatusCode)
		}
	})
	if resp, _ := s.ask("GET", "/", "OTHER", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("another device: got %d", resp.StatusCode)
	}
}

// TestNoSettings asks a paired device's way for what only the control socket answers.
func TestNoSettings(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{"/v1/settings", "/v1/status", "/v1/look", "/v1/folder", "/v1/pairing", "/v1/devices",
		"/settings", "/api/trigger/gate", "/metrics", "/debug/pprof/"} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			if resp, _ := s.ask(method, path, "TOKEN", nil); resp.StatusCode != http.StatusNotFound &&
				resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: got %d", method, path, resp.StatusCode)
			}
		}
	}
}

// TestPages shows every page in every language: hostile names are text, and no address of a camera shows.
func TestPages(t *testing.T) {
	s := serve(t, nil)
	each(func(method, path string, open bool) {
		if method != "GET" || strings.HasSuffix(path, "/live") || path == "/watch" {
			return
		}
		if path == "/health" {
			path += "?camera=gate&time=2026-11-22T12:00"
		}
		for _, lang := range append(config.Languages, "xx", "") {
			resp, body := s.ask(method, path, "TOKEN", func(r *http.Request) {
				r.Header.Set("Accept-Language", lang)
				r.Header.Set("Accept", "text/html")
			})
			h := resp.Header
			if !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
				if strings.Contains(path, "/file/") && h.Get("Content-Type") != "application/octet-stream" {
					t.Errorf("%s: a file of the archive is sent as %s", path, h.Get("Content-Type"))
				}
				continue
			}
			if lang != "" && lang != "xx" && !strings.Contains(body, `<html lang="`+lang+`">`) {
				t.Errorf("%s is not in %s", path, lang)
			}
			for _, bad := range []string{"<script>alert", `"'onload`, "192.0.2.", "rtsp://", "fe80", "u:pw", "secret",
				"style=",
				"onclick", "//fonts", "https://"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s holds %q", path, bad)
				}
			}
			if h.Get("Cache-Control") != "no-store" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
				h.Get("Referrer-Policy") != "same-origin" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: got the headers %v", path, h)
			}
		}
	})
	if resp, _ := s.ask("GET", "/events/none", "TOKEN", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an event that there is not: got %d", resp.StatusCode)
	}
}

// TestActions does what the buttons do.
func TestActions(t *testing.T) {
	s := serve(t, nil)
	for _, a := range []struct{ path, form, want, to string }{
		{"/camera/gate/save", "at=", "trigger gate manual true", "/events/e1"},
		{"/camera/gate/save", "at=1700000000000", "trigger gate manual false", "/events/e1"},
		{"/camera/gate/save", "at=nonsense", "trigger gate manual true", "/events/e1"},
		{"/events/e1/protect", "on=1", "protect e1 true", "/events/e1"},
		{"/events/e1/protect", "on=0", "protect e1 false", "/events/e1"},
		{"/events/e1/delete", "", "delete e1", "/events"},
		{"/away", "on=1", "away true", "/"},
		{"/away", "on=0", "away false", "/"},
	} {
		resp, _ := s.ask("POST", a.path, "TOKEN", form(a.form))
		if did := s.api.did(); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != a.to ||
			did[len(did)-1] != a.want {
			t.Errorf("%s %s: got %d to %q, %q", a.path, a.form, resp.StatusCode, resp.Header.Get("Location"), did)
		}
	}
}

func form(values string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(values)), int64(len(values))
	}
}

// TestWord subscribes to word, and ends that.
func TestWord(t *testing.T) {
	s := serve(t, nil)
	if _, body := s.ask("GET", "/word", "TOKEN", nil); body != "{\"key\":\"KEY\"}\n" {
		t.Errorf("got %q", body)
	}
	for values, want := range map[string]int{"endpoint=https%3A%2F%2Fpush.example%2Fx&p256dh=k&auth=a": 204, "": 204,
		"endpoint=http%3A%2F%2F192.0.2.1%2F&p256dh=k&auth=a": 422} {
		if resp, _ := s.ask("POST", "/word", "TOKEN", form(values)); resp.StatusCode != want {
			t.Errorf("%q: got %d, want %d", values, resp.StatusCode, want)
		}
	}
	if did := s.api.did(); !slices.Contains(did, "word 1 &{Endpoint:https://push.example/x Key:k Auth:a}") ||
		!slices.Contains(did, "word 1 <nil>") {
		t.Errorf("got %q", did)
	}
}

// TestOtherSites has other sites send requests: nothing is done.
func TestOtherSites(t *testing.T) {
	s := serve(t, nil)
	for name, change := range map[string]func(*http.Request){
		"cross-site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same-site":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"other origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"no origin":    func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		each(func(method, path string, _ bool) {
			if method != "POST" {
				return
			}
			if resp, _ := s.ask(method, path, "TOKEN", change); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: got %d", name, path, resp.StatusCode)
			}
		})
	}
	if did := s.api.did(); len(did) > 0 {
		t.Errorf("other sites did %q", did)
	}

	each(func(method, path string, _ bool) { // a link to anything but a page
		page := method == "GET" && !strings.HasPrefix(path, "/static") && !strings.Contains(path, "/file/") &&
			(path == "/" || path == "/events" || path == "/events/e1" || path == "/camera/gate" || path == "/health" ||
				path == "/pair")
		if method != "GET" || path == "/watch" {
			return
		}
		resp, _ := s.ask(method, path, "TOKEN", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
		if (resp.StatusCode == http.StatusForbidden) == page {
			t.Errorf("a link of another site to %s: got %d", path, resp.StatusCode)
		}
	})

	// DNS rebinding: the browser asks here under the name of the other site.
	for host, want := range map[string]int{"evil.example": 421, "evil.example:8443": 421, "localhost.evil.example": 421,
		"127.0.0.1.evil.example": 421, "192.168.1.2.nip.io": 421, "": 400, "localhost": 200, "127.0.0.1:8443": 200,
		"[::1]:8443": 200, "recorder": 200, "recorder.local:8443": 200, "RECORDER.LAN.": 200, "x.home.arpa": 200} {
		resp := s.raw("GET / HTTP/1.1\r\nHost: " + host + "\r\nCookie: preroll=TOKEN\r\nConnection: close\r\n\r\n")
		if resp.StatusCode != want && (want != 400 || resp.StatusCode != 421) {
			t.Errorf("host %q: got %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// raw sends bytes, and returns the first answer.
func (s *site) raw(request string) *http.Response {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Fatalf("%.60q: %v", request, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// TestStrangeRequests sends what no browser sends. Nothing of it reaches the recorder.
func TestStrangeRequests(t *testing.T) {
	s := serve(t, nil)
	host := "Host: localhost\r\nCookie: preroll=TOKEN\r\n"
	for name, request := range map[string]string{
		"two lengths": "POST /events/e1/delete HTTP/1.1\r\n" + host +
			"Content-Length: 0\r\nContent-Length: 9\r\n\r\nx",
		"a head without end": "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 40<<10) +
			"\r\n\r\n",
		"a blank in the name": "POST /events/e1/delete HTTP/1.1\r\n" + host +
			"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"odd encoding": "POST /events/e1/delete HTTP/1.1\r\n" + host +
			"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"no HTTP": "HELO localhost\r\n\r\n",
		"a NUL":   "GET /\x00 HTTP/1.1\r\n" + host + "\r\n",
		"thousands of ranges": "GET /events/e1/file/x HTTP/1.1\r\n" + host + "Range: bytes=" +
			strings.Repeat("0-0,", 8000) + "0-0\r\n\r\n",
		"a long body": "POST /events/e1/protect HTTP/1.1\r\n" + host +
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000\r\n\r\nx=" +
			strings.Repeat("x", 199998),
	} {
		resp := s.raw(request)
		if resp.StatusCode < 400 && name != "a long body" {
			t.Errorf("%s: got %d", name, resp.StatusCode)
		}
	}
	for _, did := range s.api.did() {
		if did != "protect e1 false" {
			t.Errorf("strange requests did %q", did)
		}
	}
	for _, path := range []string{"/events/%2e/file/%2e%2e", "/events/e1/file/%2e%2e", "/camera/%2e%2e/spans",
		"/camera/%2e%2e%2fgate/live", "/events/..", "/events/%2e"} {
		if resp, _ := s.ask("GET", path, "TOKEN", nil); resp.StatusCode == http.StatusOK {
			t.Errorf("%s: got %d", path, resp.StatusCode)
		}
	}
	for _, path := range []string{"/static/../web.go", "/static/..%2fweb.go", "/static/%2e%2e/%2e%2e/etc/passwd",
		"/static/base.html", "/static/", "/static/x.js", "/files/app.js", "//evil.example/x"} {
		if resp, body := s.ask("GET", path, "TOKEN", nil); resp.StatusCode == http.StatusOK ||
			strings.Contains(body, "package") || strings.Contains(resp.Header.Get("Location"), "//evil") {
			t.Errorf("%s: got %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// TestSlowBody holds a request open by sending its body slowly. It ends after bodyTime.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "POST /pair HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\n\r\ncode=")
	began := time.Now()
	_ = c.SetDeadline(began.Add(3 * bodyTime))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		_ = resp.Body.Close()
	}
	if took := time.Since(began); took > 2*bodyTime || took < bodyTime/2 {
		t.Errorf("it ended after %s: %v", took, err)
	}
}

// TestGuesses tries codes by the thousand.
func TestGuesses(t *testing.T) {
	s := serve(t, func(h *control.WebHost) {
		h.Trusted = func(a netip.Addr) bool { return a.IsLoopback() } // the test then comes from several addresses
	})
	from := func(addr, code string) int {
		resp, _ := s.ask("POST", "/pair", "", func(r *http.Request) {
			form("code=" + code + "&name=x")(r)
			r.Header.Set("X-Forwarded-For", addr)
		})
		return resp.StatusCode
	}
	for i := range 1000 {
		want := http.StatusForbidden
		if i >= maxGuesses {
			want = http.StatusTooManyRequests
		}
		if got := from("198.51.100.7", fmt.Sprintf("CODE%04d", i)); got != want {
			t.Fatalf("guess %d: got %d, want %d", i, got, want)
		}
	}
	if got := from("198.51.100.7", "ABCD-EFGH"); got != http.StatusTooManyRequests {
		t.Errorf("the right code after too many guesses: got %d", got)
	}
	for i := range 30 { // a network of IPv6 counts as one
		got := from(fmt.Sprintf("2001:db8::%x", i+1), "wrong")
		if i >= maxGuesses && got != http.StatusTooManyRequests {
			t.Errorf("guess %d of a network: got %d", i, got)
		}
	}
	s.mu.Lock()
	s.made = time.Now()
	s.mu.Unlock()
	if got := from("198.51.100.7", "wrong"); got != http.StatusForbidden {
		t.Errorf("a guess at a new code: got %d", got)
	}
	if got := from("198.51.100.8", "ABCD-EFGH"); got != http.StatusSeeOther {
		t.Errorf("another address: got %d", got)
	}
}

// TestPairing lets a browser in, and checks the cookie.
func TestPairing(t *testing.T) {
	s := serve(t, nil)
	resp, _ := s.ask("POST", "/pair", "", form("code=ABCD-EFGH&name=My+phone"))
	c := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther || len(c) != 1 || c[0].Value != "NEW" || !c[0].HttpOnly ||
		c[0].SameSite != http.SameSiteLaxMode || c[0].Secure || c[0].Path != "/" {
		t.Fatalf("got %d, %+v", resp.StatusCode, c)
	}
	if _, body := s.ask("GET", "/health", "NEW", nil); !strings.Contains(body, "My phone") {
		t.Error("the page does not name the device")
	}
}

// TestProxy comes by a proxy: with its headers believed, and not.
func TestProxy(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trusted bool
		url     string
		header  http.Header
		host    string
		base    string
		secure  bool
		frame   string
	}{
		{name: "headers of a stranger", header: http.Header{"X-Forwarded-Proto": {"https"},
			"X-Forwarded-Prefix": {"/x"}, "X-Ingress-Path": {"/y"}}, frame: "'none'"},
		{name: "a proxy", trusted: true, header: http.Header{"X-Forwarded-Proto": {"https"},
			"X-Forwarded-Prefix": {"/cams/preroll/"}}, base: "/cams/preroll", secure: true, frame: "'none'"},
		{name: "Home Assistant", trusted: true, header: http.Header{"X-Ingress-Path": {"/api/hassio_ingress/a_B-1"}},
			base: "/api/hassio_ingress/a_B-1", frame: "'self'"},
		{name: "a bad prefix", trusted: true, header: http.Header{"X-Forwarded-Prefix": {`/"><script>`}},
			frame: "'none'"},
		{name: "another site as prefix", trusted: true, header: http.Header{"X-Forwarded-Prefix": {"//evil.example"}},
			frame: "'none'"},
		{name: "Tailscale", url: "https://home.example.ts.net/pre", host: "home.example.ts.net", base: "/pre",
			secure: true, frame: "'none'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, func(h *control.WebHost) {
				h.Trusted = func(netip.Addr) bool { return tc.trusted }
				h.Settings.URL = tc.url
			})
			change := func(r *http.Request) {
				for key, v := range tc.header {
					r.Header[key] = v
				}
				if tc.host != "" {
					r.Host = tc.host
				}
			}
			for _, path := range []string{"/", tc.base + "/"} { // a proxy may leave the prefix in the path
				resp, body := s.ask("GET", path, "TOKEN", change)
				if resp.StatusCode != http.StatusOK || !strings.Contains(body, `href="`+tc.base+`/events"`) ||
					!strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors "+tc.frame) {
					t.Errorf("%s: got %d, %s", path, resp.StatusCode, resp.Header.Get("Content-Security-Policy"))
				}
			}
			resp, _ := s.ask("POST", "/pair", "", func(r *http.Request) { form("code=ABCD-EFGH")(r); change(r) })
			if c := resp.Cookies(); len(c) != 1 || c[0].Secure != tc.secure || c[0].Path != tc.base+"/" ||
				resp.Header.Get("Location") != tc.base+"/" {
				t.Errorf("got %d, %+v to %q", resp.StatusCode, c, resp.Header.Get("Location"))
			}
		})
	}
}

// TestManyStreams opens a thousand videos. Few are let in, everything else is answered meanwhile, and the videos of a
// removed device end.
func TestManyStreams(t *testing.T) {
	s := serve(t, nil)
	var mu sync.Mutex
	var open []io.ReadCloser
	refused := 0
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 100 {
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/camera/gate/live", nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.AddCookie(&http.Cookie{Name: cookie, Value: "TOKEN"})
				resp, err := plain.Do(req)
				if err != nil {
					continue // more connections than one address may have
				}
				mu.Lock()
				if resp.StatusCode == http.StatusOK {
					open = append(open, resp.Body)
				} else {
					_ = resp.Body.Close()
					refused++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(open) != maxPerDevice || refused != 1000-maxPerDevice {
		t.Errorf("%d videos play, %d were refused; want %d", len(open), refused, maxPerDevice)
	}
	if resp, _ := s.ask("GET", "/", "OTHER", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("another device meanwhile: got %d", resp.StatusCode)
	}
	s.mu.Lock()
	delete(s.devices, "TOKEN")
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, b := range open {
			_, _ = io.Copy(io.Discard, b)
			_ = b.Close()
		}
	}()
	select {
	case <-over:
	case <-time.After(5 * time.Second):
		t.Error("the videos of a removed device go on")
	}
}

// TestManyConnections opens a thousand connections that say nothing. Other addresses still get in.
func TestManyConnections(t *testing.T) {
	allowed := true
	var mu sync.Mutex
	s := serve(t, func(h *control.WebHost) {
		h.Allowed = func(netip.Addr) bool { mu.Lock(); defer mu.Unlock(); return allowed }
	})
	var list []net.Conn
	for range 1000 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		list = append(list, c)
	}
	req := func(from string) error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
		c := http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true},
			Timeout: 5 * time.Second}
		resp, err := c.Get(s.url + "/pair")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := req("127.0.0.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := req("127.0.0.1"); err == nil {
		t.Error("one address may open any number of connections")
	}
	for _, c := range list {
		_ = c.Close()
	}
	poll.Until(t, "room again", 10*time.Second, func() bool { return req("127.0.0.1") == nil }, nil)
	mu.Lock()
	allowed = false
	mu.Unlock()
	if err := req("127.0.0.1"); err == nil {
		t.Error("an address that is not allowed got in")
	}
}

// TestManyRequests asks for pages by the hundred while the recorder does not answer: few wait, the others are sent
// away.
func TestManyRequests(t *testing.T) {
	s := serve(t, func(h *control.WebHost) { h.Trusted = func(netip.Addr) bool { return true } })
	s.api.hold = make(chan struct{})
	var mu sync.Mutex
	codes := map[int]int{}
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.AddCookie(&http.Cookie{Name: cookie, Value: "TOKEN"})
			resp, err := plain.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			mu.Lock()
			codes[resp.StatusCode]++
			mu.Unlock()
		})
	}
	poll.Until(t, "refusals", 10*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return codes[http.StatusServiceUnavailable] == 300-maxAnswering
	}, nil)
	if resp, _ := s.ask("GET", "/pair", "", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("a stranger meanwhile: got %d", resp.StatusCode)
	}
	close(s.api.hold)
	all.Wait()
	if codes[http.StatusOK] != maxAnswering {
		t.Errorf("got %v", codes)
	}
}

// TestWatch says that something changed.
func TestWatch(t *testing.T) {
	s := serve(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: cookie, Value: "TOKEN"})
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "data: changed\n" || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %q, %v, %v", line, err, resp.Header)
	}
}

// TestHTTPS serves HTTPS on every address but loopback.
func TestHTTPS(t *testing.T) {
	host := control.WebHost{Settings: config.Web{Listen: "0.0.0.0:0"}, Log: slog.New(slog.DiscardHandler),
		Allowed: func(netip.Addr) bool { return true }, Trusted: func(netip.Addr) bool { return false },
		Listening:   func(string) { t.Error("it listens without a certificate") },
		Certificate: func() (*tls.Certificate, error) { return nil, errors.New("no certificate") }}
	if err := Run(t.Context(), newFake(), host); err == nil || err.Error() != "no certificate" {
		t.Errorf("got %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	host.Settings.Listen = ln.Addr().String()
	if err := Run(t.Context(), newFake(), host); err == nil {
		t.Error("a port that is taken is no error")
	}
}

// maxWeight is the most that all files of the pages may weigh together, in bytes. The icon is not one of them.
const maxWeight = 60 << 10

func TestWeight(t *testing.T) {
	sum := 0
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		sum += len(b)
		return err
	})
	if err != nil || sum > maxWeight || sum < 10<<10 {
		t.Errorf("the files weigh %d bytes, want at most %d; %v", sum, maxWeight, err)
	}
}

// TestManifest checks what a phone needs to install the pages.
func TestManifest(t *testing.T) {
	s := serve(t, nil)
	_, body := s.ask("GET", "/manifest.webmanifest", "", nil)
	var m struct {
		Name, Start_url, Display string
		Icons                    []struct{ Src, Sizes string }
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Name != "Preroll" || m.Start_url != "/" ||
		m.Display != "standalone" || len(m.Icons) == 0 {
		t.Fatalf("got %+v, %v", m, err)
	}
	for _, i := range m.Icons {
		if resp, b := s.ask("GET", i.Src, "", nil); resp.StatusCode != http.StatusOK || i.Sizes != "512x512" ||
			!bytes.HasPrefix([]byte(b), []byte("\x89PNG")) {
			t.Errorf("%s: got %d", i.Src, resp.StatusCode)
		}
	}
}

// TestDescription holds docs/openapi.json against the routes.
func TestDescription(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, r := range Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		if path == "/" {
			continue // whatever is no page
		}
		want[strings.ToLower(method)+" "+strings.TrimSuffix(path, "{$}")] = true
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			key := method + " " + path
			if !want[key] && !strings.HasPrefix(path, "/api/") && !slices.Contains([]string{"/metrics", "/healthz",
				"/readyz"}, path) {
				t.Errorf("docs/openapi.json has %s, which is no route", key)
			}
			delete(want, key)
		}
	}
	for key := range want {
		t.Errorf("docs/openapi.json lacks %s", key)
	}
}

// unknownHost is the error of a name that no server knows.
var unknownHost = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "gate.secret.example",
	Server: "192.0.2.1:53", Err: "no such host", IsNotFound: true}}

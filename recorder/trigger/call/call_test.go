package call

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/internal/testing/triggertest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// rig is a server that listens on loopback, and what it emits.
type rig struct {
	*Server
	addr chan string

	mu      sync.Mutex
	emitted []event.Trigger
	cameras []string
	refused []string
	over    int
	err     error
	quiet   bool
}

func newRig() *rig {
	r := &rig{addr: make(chan string, 10)}
	r.Server = &Server{Settings: config.Calls{Listen: "127.0.0.1:0", Allow: []string{"private"}},
		Log: slog.New(slog.DiscardHandler),
		Find: func(token string) (status.Caller, bool) {
			switch token {
			case "every":
				return status.Caller{ID: "1", Name: "Home Assistant"}, true
			case "prometheus":
				return status.Caller{ID: "3", Name: "Prometheus", Metrics: true}, true
			case "gate-only":
				return status.Caller{ID: "2", Name: "Bell", Camera: "gate"}, true
			}
			return status.Caller{}, false
		},
		Camera:    func(id string) bool { return id == "gate" || id == "yard" },
		Ready:     func() bool { r.mu.Lock(); defer r.mu.Unlock(); return !r.quiet },
		Metrics:   func(w io.Writer) error { _, err := io.WriteString(w, "preroll_x 1\n"); return err },
		Listening: func(listen string, _ error) { r.addr <- listen },
		Refused: func(_ netip.Addr, _ string, why text.Text) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.refused = append(r.refused, why.Code)
		},
		Over: func(string, event.Trigger) { r.mu.Lock(); defer r.mu.Unlock(); r.over++ },
	}
	return r
}

// start runs the server until the test ends, and returns the address of its calls.
func (r *rig) start(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- r.Run(ctx, func(_ context.Context, camera string, tr event.Trigger) (string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.err != nil || r.quiet {
				return "", r.err
			}
			r.emitted, r.cameras = append(r.emitted, tr), append(r.cameras, camera)
			return fmt.Sprintf("event-%d", len(r.emitted)), nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + <-r.addr + "/api/trigger/"
}

func (r *rig) last() event.Trigger {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.emitted) == 0 {
		return event.Trigger{}
	}
	return r.emitted[len(r.emitted)-1]
}

func (r *rig) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.emitted)
}

// do sends a request and returns the status and the answer.
func do(t *testing.T, method, url, contentType string, body []byte, header ...string) (int, result) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got result
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.Header.Get("Content-Type") == "application/json" {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, got
}

// TestCallIsASource checks the server by the contract of all sources.
func TestCallIsASource(t *testing.T) {
	r := newRig()
	url := ""
	triggertest.Test(t, r.Server, "gate", func() { url = "http://" + <-r.addr + "/api/trigger/gate?token=every" },
		func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, "POST", url, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != http.StatusAccepted {
				return errors.New(resp.Status)
			}
			return nil
		})
}

func TestTokens(t *testing.T) {
	r := newRig()
	base := r.start(t)
	for _, tc := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"in the address", "GET", "gate?token=every", nil, http.StatusAccepted},
		{"by POST", "POST", "gate?token=every", nil, http.StatusAccepted},
		{"as a bearer", "POST", "gate", []string{"Authorization", "Bearer every"}, http.StatusAccepted},
		{"as a password", "GET", "gate", []string{"Authorization", "Basic YWRtaW46ZXZlcnk="}, http.StatusAccepted},
		{"of one camera", "GET", "gate?token=gate-only", nil, http.StatusAccepted},
		{"of another camera", "GET", "yard?token=gate-only", nil, http.StatusForbidden},
		{"none", "GET", "gate", nil, http.StatusUnauthorized},
		{"empty", "GET", "gate?token=", nil, http.StatusUnauthorized},
		{"wrong", "GET", "gate?token=Every", nil, http.StatusUnauthorized},
		{"in the address, and a camera's own login", "GET", "gate?token=every",
			[]string{"Authorization", "Basic YWRtaW46YWRtaW4="}, http.StatusAccepted},
		{"as a bearer in lower case", "GET", "gate", []string{"Authorization", "bearer every"}, http.StatusAccepted},
		{"HEAD", "HEAD", "gate?token=every", nil, http.StatusMethodNotAllowed},
		{"no such camera", "GET", "attic?token=every", nil, http.StatusNotFound},
		{"no such camera without a token", "GET", "attic", nil, http.StatusUnauthorized},
		{"another method", "DELETE", "gate?token=every", nil, http.StatusMethodNotAllowed},
		{"another address", "GET", "gate/x?token=every", nil, http.StatusNotFound},
		{"out of the folder", "GET", "..%2f..%2fetc%2fpasswd?token=every", nil, http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := r.count()
			got, a := do(t, tc.method, base+tc.path, "", nil, tc.header...)
			if got != tc.want || (r.count() > before) != (tc.want == http.StatusAccepted) ||
				a.Saved != (tc.want == http.StatusAccepted) {
				t.Errorf("got %d, %+v and %d calls, want %d", got, a, r.count()-before, tc.want)
			}
			if tc.want == http.StatusUnauthorized && a.Code != "wrong-token" && a.Code != "no-token" {
				t.Errorf("got code %q, want what is wrong with the token", a.Code)
			}
		})
	}
}

// TestMeasures checks who may read the measures, and what anybody may ask.
func TestMeasures(t *testing.T) {
	r := newRig()
	root := strings.TrimSuffix(r.start(t), "/api/trigger/")
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(root + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for path, want := range map[string]int{"/metrics": http.StatusUnauthorized,
		"/metrics?token=x":     http.StatusUnauthorized,
		"/metrics?token=every": http.StatusForbidden, "/metrics?token=prometheus": http.StatusOK,
		"/api/trigger/gate?token=prometheus": http.StatusForbidden, "/healthz": http.StatusOK, "/readyz": http.StatusOK,
		"/": http.StatusNotFound, "/v1/status": http.StatusNotFound} {
		code, body := get(path)
		if code != want || strings.Contains(body, "preroll_x") != (path == "/metrics?token=prometheus") {
			t.Errorf("%s: got %d, %q, want %d", path, code, body, want)
		}
	}
	if r.count() != 0 {
		t.Error("a token for the measures triggered a camera")
	}
	r.mu.Lock()
	r.quiet = true
	r.mu.Unlock()
	if code, body := get("/readyz"); code != http.StatusServiceUnavailable || body != "not ready\n" {
		t.Errorf("not ready: got %d, %q", code, body)
	}
}

func TestAnswers(t *testing.T) {
	r := newRig()
	base := r.start(t)
	if got, a := do(t, "GET", base+"gate?token=every", "", nil); got != http.StatusAccepted || a.Event != "event-1" ||
		a.Camera != "gate" || !a.Saved {
		t.Errorf("got %d, %+v, want the event", got, a)
	}
	if tr := r.last(); tr.Sender != "Home Assistant" || tr.From != "127.0.0.1" || tr.Source != event.Call ||
		time.Since(tr.Time) > 10*time.Second {
		t.Errorf("got %+v, want who called, from where and when", tr)
	}
	r.mu.Lock()
	r.quiet = true
	r.mu.Unlock()
	if got, a := do(t, "GET", base+"gate?token=every", "", nil); got != http.StatusOK || a.Saved || a.Event != "" {
		t.Errorf("in a pause: got %d, %+v, want that nothing is saved", got, a)
	}
	r.mu.Lock()
	r.err = errors.New("the index is away")
	r.mu.Unlock()
	if got, a := do(t, "GET", base+"gate?token=every", "", nil); got != http.StatusServiceUnavailable || a.Saved ||
		a.Message != "the index is away" {
		t.Errorf("without an index: got %d, %+v, want 503", got, a)
	}
}

// TestForms reads the forms in which cameras and home automation tell what happened.
func TestForms(t *testing.T) {
	const hikvision = `<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema">
<ipAddress>192.0.2.64</ipAddress><channelID>1</channelID><dateTime>2026-11-22T12:00:00+01:00</dateTime>
<activePostCount>1</activePostCount><eventType>linedetection</eventType><eventState>active</eventState>
<eventDescription>Line crossing detection alarm</eventDescription></EventNotificationAlert>`
	var mixed bytes.Buffer
	m := multipart.NewWriter(&mixed)
	for _, part := range [][2]string{{"application/xml", hikvision},
		{"image/jpeg", strings.Repeat("\xff\xd8 picture ", 200_000)}} {
		w, err := m.CreatePart(textproto.MIMEHeader{"Content-Type": {part[0]}})
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = m.Close()

	r := newRig()
	base := r.start(t)
	for _, tc := range []struct {
		name, query, contentType, body string
		label, subject                 string
		over                           bool
	}{
		{"nothing", "", "", "", "", "", false},
		{"a label", "&label=Person", "", "", "person", "", false},
		{"a label of its own", "&label=Washing+machine", "", "", "washing machine", "", false},
		{"a label against the device's words", "&label=doorbell&event=VideoMotion", "", "", "doorbell", "Video Motion",
			false},
		{"a label of several words", "&label=Garage+motion+person", "", "", "garage motion person", "", false},
		{"a label in address and body", "&label=one", "application/json", `{"label": "two"}`, "one", "", false},
		{"a form with a bad escape", "", "application/x-www-form-urlencoded", "label=person&x=100%", "person", "",
			false},
		{"a change of Home Assistant", "", "application/json",
			`{"from_state": {"state": "off"}, "to_state": {"state": "on"}, "label": "person"}`, "person", "", false},
		{"a change of Frigate", "", "application/json",
			`{"before": {"active": false}, "after": {"active": true, "label": "person"}}`, "person", "", false},
		{"on and off", "&state=on", "application/json", `{"state": "off", "label": "x"}`, "x", "", false},
		{"a status", "", "application/json", `{"label": "person", "action": "save", "status": 0}`, "person", "", false},
		{"JSON", "", "application/json", `{"label": "motion", "by": {"who": "me"}}`, "motion", "", false},
		{"Hikvision", "", "application/xml", hikvision, "line crossing", "linedetection, Line crossing detection alarm",
			false},
		{"Hikvision with a picture", "", m.FormDataContentType(), mixed.String(), "line crossing",
			"linedetection, Line crossing detection alarm", false},
		{"Hikvision's end", "", "application/xml", strings.Replace(hikvision, ">active<", ">inactive<", 1), "", "",
			true},
		{"Dahua", "", "application/json", `{"Events":[{"Action":"Start","Code":"VideoMotion","Index":0}]}`, "motion",
			"Video Motion", false},
		{"Dahua's end", "", "application/json", `{"Events":[{"Action":"Stop","Code":"VideoMotion"}]}`, "", "", true},
		{"Dahua's lines", "", "text/plain", "Code=CrossLineDetection;action=Start;index=0", "line crossing",
			"Cross Line Detection", false},
		{"Axis", "&event=VMD4", "application/x-www-form-urlencoded", "topic=Motion+detection", "motion", "", false},
		{"ONVIF", "", "text/xml", `<a:Event><a:Topic>RuleEngine/CellMotionDetector/Motion</a:Topic></a:Event>`,
			"motion",
			"Rule Engine/Cell Motion Detector/Motion", false},
		{"an end in the address", "&until=off", "", "", "", "", true},
		{"broken JSON", "", "application/json", `{"label": `, "", "", false},
		{"broken XML", "", "text/xml", `<a><b>`, "", "", false},
		{"bytes", "&label=x", "image/jpeg", "\x00\xff\xd8\xff", "x", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := r.count()
			code, a := do(t, "POST", base+"gate?token=every"+tc.query, tc.contentType, []byte(tc.body))
			if tc.over {
				r.mu.Lock()
				defer r.mu.Unlock()
				if code != http.StatusOK || a.Saved || len(r.emitted) != before || r.over == 0 {
					t.Errorf("got %d, %+v, want that an end saves nothing", code, a)
				}
				return
			}
			got := r.last()
			if code != http.StatusAccepted || got.Label != tc.label || tc.subject != "" && got.Subject != tc.subject {
				t.Errorf("got %d, label %q, subject %q, want %q, %q", code, got.Label, got.Subject, tc.label,
					tc.subject)
			}
		})
	}
}

// TestStrangers calls as strangers do who want in, or want the server to have no time for others.
func TestStrangers(t *testing.T) {
	poll.RealTime(t)
	r := newRig()
	base := r.start(t)
	addr := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/trigger/")
	codes := map[int]int{}
	for i := range 3 * manyWrong {
		code, _ := do(t, "GET", fmt.Sprintf("%sgate?token=guess%d", base, i), "", nil)
		codes[code]++
	}
	if codes[http.StatusUnauthorized] != manyWrong || codes[http.StatusTooManyRequests] != 2*manyWrong {
		t.Errorf("guesses: got %v, want %d refused and then too many", codes, manyWrong)
	}
	if code, _ := do(t, "GET", base+"gate?token=every", "", nil); code != http.StatusAccepted {
		t.Errorf("a right token after wrong ones of the same address: got %d, want 202", code)
	}

	// Connections that say nothing give way to others.
	for range 3 * maxPerAddress {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	again := func(what string) {
		t.Helper()
		before := r.count()
		poll.Until(t, what, 5*time.Second, func() bool {
			resp, err := http.Get(base + "gate?token=every")
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusAccepted && r.count() > before
		}, nil)
	}
	again("a call beside silent connections")

	// A long head, and a body without end.
	before := r.count()
	long, err := http.NewRequestWithContext(t.Context(), "GET", base+"gate?token=every", nil)
	if err != nil {
		t.Fatal(err)
	}
	long.Header.Set("X-Long", strings.Repeat("x", 2*maxHead))
	if resp, err := http.DefaultClient.Do(long); err == nil { // or the connection is reset
		_ = resp.Body.Close()
	}
	if r.count() != before {
		t.Error("a call with a long head was taken")
	}
	body := io.MultiReader(strings.NewReader(`{"label": "motion", "x": "`), &endless{})
	resp, err := http.Post(base+"gate?token=every", "application/json", body)
	if err == nil {
		_ = resp.Body.Close()
	}
	again("a call after a body without end")
}

// endless is a reader without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestOneAddressTakesNoPlacesOfOthers(t *testing.T) {
	refused := 0
	l := &listener{refused: func(netip.Addr, string, text.Text) { refused++ }}
	enter := func(from string) *conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
		c := &conn{Conn: ours, l: l, from: netip.MustParseAddr(from)}
		if !l.enter(c) {
			t.Fatalf("%s finds no place", from)
		}
		return c
	}
	of := func(from string) (n int) {
		for _, c := range l.conns {
			if c.from.String() == from {
				n++
			}
		}
		return n
	}
	for i := range maxConns - maxPerAddress {
		enter(fmt.Sprint("10.0.1.", i+1))
	}
	for range 3 * maxPerAddress {
		enter("10.0.0.66")
	}
	if n := of("10.0.0.66"); n != maxPerAddress || len(l.conns) != maxConns || refused != 2*maxPerAddress {
		t.Errorf("it holds %d of %d places, and %d were refused", n, len(l.conns), refused)
	}
	enter("10.0.2.1") // all is full: the one with the most gives way
	if n := of("10.0.0.66"); n != maxPerAddress-1 || of("10.0.1.1") != 1 || len(l.conns) != maxConns {
		t.Errorf("it holds %d of %d places", n, len(l.conns))
	}
}

func TestAddressesAreRefused(t *testing.T) {
	r := newRig()
	r.Settings.Allow = []string{"192.0.2.0/24"}
	base := r.start(t)
	if _, err := http.Get(base + "gate?token=every"); err == nil {
		t.Error("an address that is not allowed got an answer")
	}
	if r.count() != 0 || len(r.refused) == 0 {
		t.Errorf("%d calls, %v refused", r.count(), r.refused)
	}
}

// TestTimeOfACall checks that a trigger has the time at which its call began, not the time of its last byte, and that a
// second call in one go is not taken at a wrong time.
func TestTimeOfACall(t *testing.T) {
	poll.RealTime(t)
	r := newRig()
	base := r.start(t)
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/trigger/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	const call = "POST /api/trigger/gate?token=every HTTP/1.1\r\nHost: x\r\n"
	for _, part := range []string{call, "Content-Length: 1\r\n", "\r\n", "x" + call + "\r\n"} {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if d := r.last().Time.Sub(began); d < 0 || d > 250*time.Millisecond || r.count() != 1 || !resp.Close {
		t.Errorf("got %d calls, the last one %s after the first byte, want one at the first byte", r.count(), d)
	}
}

// TestRefusedWithABody: a camera that sends a picture along before it is asked for a password gets to know that.
func TestRefusedWithABody(t *testing.T) {
	r := newRig()
	base := r.start(t)
	for range 5 {
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/trigger/"))
		if err != nil {
			t.Fatal(err)
		}
		const body = 200_000
		if _, err := fmt.Fprintf(c, "POST /api/trigger/gate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+
			"Content-Length: %d\r\n\r\n", body); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(5 * time.Millisecond)
			if _, err := c.Write(make([]byte, body/10)); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %s, want 401", resp.Status)
		}
		_ = c.Close()
	}
}

// TestTextThatDoesNotCome: the trigger goes out although the rest of the call is slow, and the caller is answered.
func TestTextThatDoesNotCome(t *testing.T) {
	poll.RealTime(t)
	r := newRig()
	base := r.start(t)
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/trigger/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c,
		"POST /api/trigger/gate?token=every HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nlabel"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the trigger", textTime+5*time.Second, func() bool { return r.count() == 1 }, nil)
}

// TestPasswordIsAskedFor: callers that wait to be asked for a password are no guessers.
func TestPasswordIsAskedFor(t *testing.T) {
	r := newRig()
	base := r.start(t)
	for range 3 * manyWrong {
		req, err := http.NewRequestWithContext(t.Context(), "GET", base+"gate", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized ||
			!strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Fatalf("got %d, %v, want to be asked for a password", resp.StatusCode, resp.Header)
		}
	}
	if code, _ := do(t, "GET", base+"gate", "", nil, "Authorization",
		"Basic YWRtaW46ZXZlcnk="); code != http.StatusAccepted {
		t.Errorf("got %d, want 202", code)
	}
}

// TestPartsAreBounded: the head of a part takes no memory without end.
func TestPartsAreBounded(t *testing.T) {
	r := newRig()
	base := r.start(t)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body := append([]byte("--x\r\nA: "), bytes.Repeat([]byte("a"), 9<<20)...)
	for range 5 {
		if code, _ := do(t, "POST", base+"gate?token=every", "multipart/form-data; boundary=x",
			body); code != http.StatusAccepted {
			t.Errorf("got %d, want 202", code)
		}
	}
	runtime.ReadMemStats(&after)
	if mb := float64(after.TotalAlloc-before.TotalAlloc) / 1e6; mb > 40 {
		t.Errorf("five such calls took %.0f MB, want a bound", mb)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("label=motion", "application/json", []byte(`{"label": "motion"}`))
	f.Add("until=off", "multipart/form-data; boundary=x",
		[]byte("--x\r\nContent-Type: text/xml\r\n\r\n<a><b>c</b></a>\r\n--x--"))
	f.Add("", "application/x-www-form-urlencoded", []byte("code=VideoMotion&action=Start"))
	f.Fuzz(func(t *testing.T, query, contentType string, body []byte) {
		r, err := http.NewRequest("POST", "http://x/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		var fl fields
		fl.values(r.URL.Query())
		fl.body(contentType, r.Body, true)
		s := fl.said()
		for _, text := range []string{s.label, s.subject} {
			if len([]rune(text)) > 400 || strings.ContainsAny(text, "\r\n\x00") {
				t.Errorf("got %q", text)
			}
		}
	})
}

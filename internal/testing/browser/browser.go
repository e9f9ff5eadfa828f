// Package browser drives real browsers in tests: Chromium by its ChromeDriver (W3C WebDriver), and Firefox by
// Marionette, the protocol that Firefox speaks without a driver. Both are headless, and load nothing from anywhere but
// the test.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Browser is one window of a browser.
type Browser struct {
	t    testing.TB
	call func(command string, params map[string]any) (json.RawMessage, error)
}

// startTime is how long a browser may take to start.
const startTime = time.Minute

// process starts a process that ends with the test.
func process(t testing.TB, out io.Writer, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "MOZ_DISABLE_CONTENT_SANDBOX=1", "LANG=en_US.UTF-8",
		"MOZ_REMOTE_SETTINGS_DEVTOOLS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return cmd
}

// Chromium starts Chromium with a window of a size in pixels, and a language such as "de".
func Chromium(t testing.TB, width, height int, language string, more ...string) *Browser {
	t.Helper()
	var lines lineFinder
	lines.want = regexp.MustCompile(`started successfully on port (\d+)`)
	lines.found = make(chan string, 1)
	process(t, &lines, "chromedriver", "--port=0")
	var port string
	select {
	case port = <-lines.found:
	case <-time.After(startTime):
		t.Fatal("chromedriver does not start")
	}
	base := "http://127.0.0.1:" + port
	args := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
		"--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage",
		"--user-data-dir=" + t.TempDir(), "--lang=" + language,
		fmt.Sprintf("--window-size=%d,%d", width, height)}, more...)
	var session struct {
		SessionID string `json:"sessionId"`
	}
	answer, err := ask("POST", base+"/session", map[string]any{"capabilities": map[string]any{
		"alwaysMatch": map[string]any{"browserName": "chrome", "acceptInsecureCerts": true,
			"goog:loggingPrefs": map[string]string{"browser": "ALL"},
			"goog:chromeOptions": map[string]any{"args": args,
				"prefs": map[string]any{"intl.accept_languages": language}}}}})
	if err == nil {
		err = json.Unmarshal(answer, &session)
	}
	if err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	base += "/session/" + session.SessionID
	t.Cleanup(func() { _, _ = ask("DELETE", base, nil) })
	b := &Browser{t: t, call: func(command string, params map[string]any) (json.RawMessage, error) {
		path, method := map[string]string{"navigate": "/url", "script": "/execute/async", "shot": "/screenshot",
			"size": "/window/rect", "log": "/se/log"}[command], "POST"
		if command == "shot" {
			method = "GET"
		}
		return ask(method, base+path, params)
	}}
	return b
}

// ask sends a command of WebDriver and returns the value of the answer.
func ask(method, url string, params map[string]any) (json.RawMessage, error) {
	var body io.Reader
	if method == "POST" {
		if params == nil {
			params = map[string]any{}
		}
		b, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var v struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %.500s", resp.Status, v.Value)
	}
	return v.Value, nil
}

// lineFinder passes on what the first line that matches says.
type lineFinder struct {
	want  *regexp.Regexp
	found chan string
	rest  []byte
}

func (l *lineFinder) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	if m := l.want.FindSubmatch(l.rest); m != nil {
		select {
		case l.found <- string(m[1]):
		default:
		}
	}
	if len(l.rest) > 1<<20 {
		l.rest = nil
	}
	return len(b), nil
}

// Firefox starts Firefox.
func Firefox(t testing.TB, width, height int) *Browser {
	t.Helper()
	name, err := exec.LookPath("firefox-esr")
	if err != nil {
		name = "firefox"
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	_ = ln.Close()
	profile := t.TempDir()
	prefs := `user_pref("marionette.port", ` + port + `);
user_pref("media.autoplay.default", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("browser.safebrowsing.downloads.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("intl.accept_languages", "en-US, en");
`
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	process(t, &out, name, "--headless", "--marionette", "--no-remote", "--profile", profile,
		fmt.Sprintf("--width=%d", width), fmt.Sprintf("--height=%d", height), "about:blank")
	var c net.Conn
	for end := time.Now().Add(startTime); ; time.Sleep(100 * time.Millisecond) {
		if c, err = net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Firefox does not start: %v", err)
		}
	}
	t.Cleanup(func() { _ = c.Close() })
	m := &marionette{c: c, r: bufio.NewReader(c)}
	if _, err := m.read(); err != nil { // its greeting
		t.Fatal(err)
	}
	if _, err := m.send("WebDriver:NewSession", map[string]any{"acceptInsecureCerts": true}); err != nil {
		t.Fatalf("start Firefox: %v", err)
	}
	return &Browser{t: t, call: func(command string, params map[string]any) (json.RawMessage, error) {
		name := map[string]string{"navigate": "WebDriver:Navigate", "script": "WebDriver:ExecuteAsyncScript",
			"shot": "WebDriver:TakeScreenshot", "size": "WebDriver:SetWindowRect"}[command]
		if name == "" {
			return nil, errors.ErrUnsupported
		}
		if command == "shot" {
			params = map[string]any{"full": false}
		}
		b, err := m.send(name, params)
		var v struct {
			Value json.RawMessage `json:"value"`
		}
		if err == nil && len(b) > 0 && b[0] == '{' && json.Unmarshal(b, &v) == nil && v.Value != nil {
			b = v.Value
		}
		return b, err
	}}
}

// marionette is a connection to Firefox: messages with their length in front.
type marionette struct {
	c net.Conn
	r *bufio.Reader
	n int
}

func (m *marionette) read() (json.RawMessage, error) {
	_ = m.c.SetReadDeadline(time.Now().Add(startTime))
	head, err := m.r.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(m.r, b)
	return b, err
}

func (m *marionette) send(name string, params map[string]any) (json.RawMessage, error) {
	if params == nil {
		params = map[string]any{}
	}
	m.n++
	b, err := json.Marshal([]any{0, m.n, name, params})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(m.c, "%d:%s", len(b), b); err != nil {
		return nil, err
	}
	answer, err := m.read()
	if err != nil {
		return nil, err
	}
	var v []json.RawMessage
	if err := json.Unmarshal(answer, &v); err != nil || len(v) != 4 {
		return nil, fmt.Errorf("not an answer: %.200s", answer)
	}
	if string(v[2]) != "null" {
		return nil, fmt.Errorf("%.500s", v[2])
	}
	return v[3], nil
}

// --- What a test does with a window ---

// Open opens a page.
func (b *Browser) Open(url string) {
	b.t.Helper()
	if _, err := b.call("navigate", map[string]any{"url": url}); err != nil {
		b.t.Fatalf("open %s: %v", url, err)
	}
}

// Eval runs the body of an async function in the page, and decodes what it returns into out, which may be nil.
func (b *Browser) Eval(out any, script string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	v, err := b.call("script", map[string]any{"args": args,
		"script": "const [...args] = arguments, done = args.pop();" +
			"(async () => {" + script + "})().then(v => done({v}), e => done({e: String(e)}))"})
	if err != nil {
		return err
	}
	var r struct {
		V json.RawMessage
		E string
	}
	if err := json.Unmarshal(v, &r); err != nil {
		return fmt.Errorf("%w: %.200s", err, v)
	}
	if r.E != "" {
		return errors.New(r.E)
	}
	if out == nil || r.V == nil {
		return nil
	}
	return json.Unmarshal(r.V, out)
}

// Must is Eval for a script that must not fail.
func (b *Browser) Must(out any, script string, args ...any) {
	b.t.Helper()
	if err := b.Eval(out, script, args...); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
}

// Click clicks the first element that a selector finds. The click may open another page.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.Must(nil, `const e = document.querySelector(args[0]); if (!e) throw new Error("there is no " + args[0]); setTimeout(() => e.click(), 0)`,
		selector)
}

// Type puts a text into a field.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.Must(nil, `const e = document.querySelector(args[0]); e.value = args[1]; e.dispatchEvent(new Event("input", {bubbles: true}))`,
		selector, text)
}

// Until waits until a script returns true.
func (b *Browser) Until(what string, limit time.Duration, script string, args ...any) {
	b.t.Helper()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if err = b.Eval(&ok, script, args...); err == nil && ok {
			return
		}
	}
	var text string
	_ = b.Eval(&text, `return location.href + "\n" + document.body.innerText`)
	b.t.Fatalf("waited %s in vain for %s: %v\n%s", limit, what, err, text)
}

// Size sets the size of the window.
func (b *Browser) Size(width, height int) {
	b.t.Helper()
	if _, err := b.call("size", map[string]any{"width": width, "height": height}); err != nil {
		b.t.Fatal(err)
	}
}

// Shot writes a picture of the page into a file.
func (b *Browser) Shot(path string) {
	b.t.Helper()
	v, err := b.call("shot", nil)
	var s string
	if err == nil {
		err = json.Unmarshal(v, &s)
	}
	var png []byte
	if err == nil {
		png, err = base64.StdEncoding.DecodeString(s)
	}
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Errorf("picture %s: %v", path, err)
	}
}

// Console returns the errors and warnings that the page and the browser wrote into the console since the last call.
// Only Chromium tells them.
func (b *Browser) Console() (list []string) {
	v, err := b.call("log", map[string]any{"type": "browser"})
	var lines []struct{ Level, Message string }
	if err != nil || json.Unmarshal(v, &lines) != nil {
		return nil
	}
	for _, l := range lines {
		if l.Level == "SEVERE" || l.Level == "WARNING" {
			list = append(list, l.Message)
		}
	}
	return list
}

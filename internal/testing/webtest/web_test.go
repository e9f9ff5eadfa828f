//go:build smoke && linux

// Package webtest tests the web pages of the real program with real browsers.
package webtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/browser"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// world is a running recorder with one camera and the web pages.
type world struct {
	t       testing.TB
	program string
	file    string // the settings file
	url     string
	camera  *camtest.Camera
	client  *control.Client
	shots   string
	archive string
	env     []string
	cmd     *exec.Cmd
	log     *os.File
}

// start starts the program that PREROLL_HEADLESS names.
func start(t testing.TB, listen string, more ...config.Camera) *world {
	t.Helper()
	w := &world{t: t, program: os.Getenv("PREROLL_HEADLESS"), shots: os.Getenv("PREROLL_SHOTS")}
	if w.program == "" {
		t.Fatal("PREROLL_HEADLESS names no program")
	}
	if w.shots == "" {
		w.shots = t.TempDir()
	}
	if err := os.MkdirAll(w.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	video, err := camtest.Media{Width: 640, Height: 360, FPS: 15, Seconds: 200, GOP: 15, Kbit: 500}.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tone, err := camtest.AAC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.camera, err = camtest.Start(camtest.Options{Video: video, FPS: 15, Audio: tone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.camera.Close)
	home := t.TempDir()
	w.archive = filepath.Join(home, "archive")
	ram, err := os.MkdirTemp("/dev/shm", "preroll-web-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(ram) })
	s := config.Default()
	s.RAMDisk.Path, s.Archive.Path = ram, w.archive
	s.Archive.MinFree = 0
	s.SMTP.Listen = "127.0.0.1:" + freePort(t)
	s.Clip.PostRoll = config.Duration(5 * time.Second)
	s.Web.Listen = strings.Replace(listen, ":0", ":"+freePort(t), 1)
	c := config.NewCamera()
	c.ID, c.Name, c.URL, c.Mail = "front", "Front door", w.camera.URL(), []string{"front"}
	s.Cameras = append([]config.Camera{c}, more...)
	if err := os.MkdirAll(s.Archive.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	w.file = filepath.Join(home, "preroll.toml")
	if err := config.Save(w.file, s); err != nil {
		t.Fatal(err)
	}
	w.env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home,
		"XDG_STATE_HOME="+filepath.Join(home, "state"))
	if w.log, err = os.Create(filepath.Join(home, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		_ = w.cmd.Wait()
		if b, _ := os.ReadFile(w.log.Name()); t.Failed() {
			t.Logf("the program wrote:\n%s", b[max(0, len(b)-5000):])
		}
	})
	st := w.launch()
	scheme := "https"
	if strings.HasPrefix(listen, "127.") {
		scheme = "http"
	}
	_, port, _ := net.SplitHostPort(st.Web.Listen)
	w.url = scheme + "://127.0.0.1:" + port
	return w
}

// launch starts the program, and waits until it records.
func (w *world) launch() (st status.Status) {
	w.t.Helper()
	w.cmd = exec.Command(w.program, "record", "--config", w.file)
	w.cmd.Env, w.cmd.Stdout, w.cmd.Stderr = w.env, w.log, w.log
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	if w.client == nil {
		w.client = control.NewClient(socketOf(w.t, filepath.Dir(w.file)))
		w.t.Cleanup(w.client.Close)
	}
	var err error
	poll.Until(w.t, "the recorder", 20*time.Second, func() bool {
		st, err = w.client.Status(w.t.Context())
		return err == nil && st.Web.Listen != "" && st.Cameras[0].State == status.Recording
	}, func() string { return fmt.Sprint(st.Web, err) })
	return st
}

// socketOf returns the control socket of the program, which depends on its environment.
func socketOf(t testing.TB, home string) string {
	t.Helper()
	var found string
	poll.Until(t, "the socket", 20*time.Second, func() bool {
		_ = filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type()&os.ModeSocket != 0 {
				found = path
			}
			return nil
		})
		return found != ""
	}, nil)
	return found
}

func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// code returns a pairing code.
func (w *world) code() string {
	w.t.Helper()
	p, err := w.client.PairingCode(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Code
}

// pair pairs a browser.
func (w *world) pair(b *browser.Browser, name string) {
	w.t.Helper()
	b.Open(w.url + "/")
	b.Until("the page to pair", 10*time.Second, `return location.pathname.endsWith("/pair")`)
	b.Open(w.url + "/pair#" + w.code())
	b.Until("the code", 5*time.Second, `return document.querySelector("[name=code]").value !== ""`)
	b.Type("[name=name]", name)
	b.Click("form button")
	b.Until("the page Now", 10*time.Second, `return document.body.dataset.page === "now"`)
}

// counter reads the counter of the picture that a video or an image shows, -1 if there is none.
const counter = `
const e = document.querySelector(args[0]), c = document.createElement("canvas"), w = e.videoWidth ?? e.naturalWidth;
if (!w) return -1;
c.width = w; c.height = 40;
const g = c.getContext("2d", {willReadFrequently: true});
g.drawImage(e, 0, 0);
const row = g.getImageData(0, Math.floor(w / 80), w, 1).data, b = [0, 0, 0, 0, 0];
for (let i = 0; i < 40; i++) if (row[4 * Math.floor((i + .5) * w / 40)] > 128) b[i >> 3] |= 128 >> (i & 7);
if (b[4] !== (((b[0] + b[1] + b[2] + b[3]) & 255) ^ 0xa5)) return -1;
return b[0] * 2 ** 24 + b[1] * 65536 + b[2] * 256 + b[3];`

func (w *world) shown(b *browser.Browser, selector string) int {
	w.t.Helper()
	n := -1
	b.Must(&n, counter, selector)
	return n
}

// TestPagesInChromium does what a person does with a phone: pair, look, go back in time, save, watch, protect, delete.
func TestPagesInChromium(t *testing.T) {
	t.Parallel()
	w := start(t, "127.0.0.1:0", hevc(t, "garden"), hevc(t, "gate"))
	set, err := w.client.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set.Cameras[1].URLSmall = w.camera.URL()
	if err := w.client.Apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	b := browser.Chromium(t, 412, 915, "en")
	w.pair(b, "Test phone")
	began := time.Now()
	b.Until("a picture", 20*time.Second, `return document.querySelector("img.still").naturalWidth > 0`)
	first := w.shown(b, "img.still")
	b.Until("the next picture", 20*time.Second,
		`const n = await (async () => {`+counter+`})(); return n >= 0 && n !== args[1]`, "img.still", first)
	w.shot(b, "now-phone")

	b.Click(".card")
	b.Until("live video", 20*time.Second, `const v = document.querySelector("video"); return v && v.currentTime > 0 && !v.paused`)
	b.Until("a counter in it", 10*time.Second, `return (await (async () => {`+counter+`})()) >= 0`, "video")
	if late := w.late(b, time.Now()); late > 4*time.Second || late < 0 {
		t.Errorf("live is %s late", late)
	}
	b.Must(nil, `document.querySelector("[data-do=full]").focus()`)

	// Back in time: the picture is that of the asked time, though the video of that time was never played.
	time.Sleep(time.Until(began.Add(66 * time.Second))) // the ring must hold a minute
	b.Must(nil, `const bar = document.querySelector("input[type=range]"); bar.value = -60; bar.dispatchEvent(new Event("input"))`)
	b.Until("the picture of a minute ago", 10*time.Second, `const p = document.querySelector("#player").player;
		return !p.live && p.video.readyState > 2 && !p.video.seeking && Math.abs(p.newest() - p.now() - 60000) < 5000`)
	if late := w.late(b, time.Now()); (late - 60*time.Second).Abs() > 5*time.Second {
		t.Errorf("a minute back shows what was %s ago", late)
	}
	b.Until("the clock", 5*time.Second, `return /−(59|60|61|62|63) s/.test(document.querySelector("output").textContent)`)
	w.shot(b, "camera-phone")

	// Saved from there: the clip begins before what was shown.
	n := w.shown(b, "video")
	b.Click("form.save button")
	b.Until("the event", 10*time.Second, `return document.body.dataset.page === "event"`)
	b.Until("the clip", 30*time.Second, `const v = document.querySelector("video.clip"); return v && v.duration > 10`)
	var id string
	b.Must(&id, `return location.pathname.split("/").pop()`)
	e, err := w.client.Event(t.Context(), id)
	if err != nil || len(e.Clips) != 1 {
		t.Fatalf("got %+v, %v", e, err)
	}
	report, err := camtest.Check(t.Context(), e.Path(w.archive, e.Clips[0].File), w.camera.Info(), e.Time)
	if err != nil || len(report.Gaps) > 0 || report.First.After(w.camera.Info().Time(n, e.Time).Add(-8*time.Second)) {
		t.Errorf("the clip: %+v, %v; it should begin 10 s before the picture %d", report, err, n)
	}
	b.Must(nil, `document.querySelector("video.clip").currentTime = 8`)
	b.Until("the clip's picture", 10*time.Second, `return (await (async () => {`+counter+`})()) >= 0`, "video.clip")
	shown := w.camera.Info().Time(w.shown(b, "video.clip"), e.Time)
	if off := shown.Sub(e.Clips[0].Start) - 8*time.Second; off.Abs() > 500*time.Millisecond {
		t.Errorf("8 s into the clip shows what was %s after its start", off+8*time.Second)
	}
	b.Must(nil, `document.querySelector(".marks .alarm").click()`)
	b.Until("the clip plays at the alarm", 10*time.Second, `const v = document.querySelector("video.clip"); return !v.paused && v.currentTime > 9`)
	w.shot(b, "event-phone")

	b.Click("form[action$=protect] button")
	b.Until("protection", 10*time.Second, `return document.querySelector("form[action$=protect] [name=on]").value === "0"`)
	if e, err = w.client.Event(t.Context(), id); err != nil || !e.Protected {
		t.Errorf("not protected: %+v, %v", e, err)
	}
	b.Must(nil, `document.querySelector("form[action$=protect] button").click()`)
	b.Until("no protection", 10*time.Second, `return document.querySelector("form[action$=protect] [name=on]")?.value === "1"`)

	// Another alarm while the list is open: it appears by itself.
	b.Open(w.url + "/events")
	b.Until("the list", 10*time.Second, `return document.querySelectorAll(".row").length === 1`)
	if _, err := w.client.Trigger(t.Context(), "front", "person"); err != nil {
		t.Fatal(err)
	}
	b.Until("the new event", 10*time.Second, `return document.querySelectorAll(".row").length === 2`)
	w.shot(b, "events-phone")
	b.Click(".row")
	b.Until("it plays while it is saved", 15*time.Second, `const v = document.querySelector("#player video"); return v && v.currentTime > 0 && v.readyState > 2`)
	w.shot(b, "saving-phone")
	b.Until("the finished clip", 30*time.Second, `const v = document.querySelector("video.clip"); return v && v.duration > 10`)

	b.Open(w.url + "/events/" + id)
	b.Click("form[action$=delete] button")
	b.Until("the question", 5*time.Second, `return document.querySelector("dialog[open]") !== null`)
	b.Click("dialog .danger")
	b.Until("the list", 10*time.Second, `return document.body.dataset.page === "events" && document.querySelectorAll(".row").length === 1`)
	if _, err := w.client.Event(t.Context(), id); err == nil {
		t.Error("the event is still there")
	}

	b.Open(w.url + "/health?camera=front&time=" + time.Now().Format("2006-01-02T15:04"))
	b.Until("why", 10*time.Second, `return document.querySelectorAll(".findings li").length > 0`)
	b.Until("the offer of notifications", 10*time.Second, `return !document.querySelector("#word").hidden &&
		(await navigator.serviceWorker.ready).active !== null`)
	w.shot(b, "health-phone")
	w.wide(b)
	for _, line := range b.Console() {
		if !strings.Contains(line, id) { // the page of the deleted event asks for itself once more
			t.Errorf("console: %s", line)
		}
	}

	// A codec that this browser does not have: the small stream plays, and without one pictures show.
	b.Open(w.url + "/camera/garden")
	b.Until("the small stream", 30*time.Second, `return (await (async () => {`+counter+`})()) >= 0`, "video")
	if late := w.late(b, time.Now()); late > 5*time.Second || late < 0 {
		t.Errorf("the small stream is %s late", late)
	}
	b.Open(w.url + "/camera/gate")
	b.Until("pictures and plain words", 30*time.Second, `const i = document.querySelector(".stills");
		return !i.hidden && i.naturalWidth > 0 && document.querySelector(".veil").textContent.includes("cannot play")`)
	w.shot(b, "camera-stills")

	// Removed, the device is out at once, though its page watches.
	b.Open(w.url + "/camera/front")
	b.Until("live video", 20*time.Second, `const v = document.querySelector("video"); return v && v.currentTime > 0 && !v.paused`)
	list, err := w.client.Devices(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "Test phone" {
		t.Fatalf("devices: %+v, %v", list, err)
	}
	if err := w.client.RemoveDevice(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	b.Until("the way out", 15*time.Second, `return location.pathname === "/pair"`)
}

// wide takes pictures as on a desktop, in the light and the dark theme.
func (w *world) wide(b *browser.Browser) {
	for _, size := range []struct {
		name string
		w, h int
	}{{"desktop", 1400, 900}, {"landscape", 915, 412}} {
		b.Size(size.w, size.h)
		for _, page := range []string{"", "camera/front", "events", "health"} {
			b.Open(w.url + "/" + page)
			b.Until("the page", 10*time.Second, `const i = document.querySelector("img.still"), v = document.querySelector("#player video");
				return (!i || i.naturalWidth > 0) && (!v || v.currentTime > 0)`)
			w.shot(b, strings.NewReplacer("/front", "").Replace(page+"-"+size.name))
		}
	}
}

// TestPagesInFirefox plays live video in Firefox, which cannot play HLS by itself, over HTTPS.
func TestPagesInFirefox(t *testing.T) {
	t.Parallel()
	w := start(t, "0.0.0.0:0")
	b := browser.Firefox(t, 1200, 900)
	w.pair(b, "Firefox")
	b.Open(w.url + "/camera/front")
	b.Until("live video", 30*time.Second, `const v = document.querySelector("video"); return v && v.currentTime > 0 && !v.paused`)
	b.Until("a counter in it", 10*time.Second, `return (await (async () => {`+counter+`})()) >= 0`, "video")
	n := w.shown(b, "video")
	b.Until("the next counter", 10*time.Second,
		`const n = await (async () => {`+counter+`})(); return n >= 0 && n !== args[1]`, "video", n)
	if late := w.late(b, time.Now()); late > 4*time.Second || late < 0 {
		t.Errorf("live is %s late", late)
	}
	w.shot(b, "camera-firefox")

	b.Until("enough in RAM to go back", 30*time.Second, `return +document.querySelector("input[type=range]").min < -12`)

	// The slider by keyboard; then a camera that is gone is not shown as live, and plays on when it is back.
	b.Must(nil, `for (let i = 0; i < 2; i++) {
		const e = new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true, cancelable: true});
		document.querySelector("input[type=range]").dispatchEvent(e);
	}`)
	b.Until("10 s back", 10*time.Second, `const p = document.querySelector("#player").player, back = p.newest() - p.now();
		return !p.live && p.video.readyState > 2 && back > 4000 && back < 15000`)
	b.Must(nil, `document.querySelector("[data-do=live]").click()`)
	b.Until("live again", 10*time.Second, `return /live/.test(document.querySelector("output").textContent)`)
	w.camera.Down()
	b.Until("the loss", 30*time.Second, `return !document.querySelector(".veil").hidden &&
		!/live/.test(document.querySelector("output").textContent)`)
	if err := w.camera.Up(); err != nil {
		t.Fatal(err)
	}
	b.Until("live after the loss", 40*time.Second, `const p = document.querySelector("#player").player, at = p.video.currentTime;
		await new Promise(done => setTimeout(done, 500));
		return p.video.currentTime > at && document.querySelector(".veil").hidden &&
			/live/.test(document.querySelector("output").textContent)`)
	if late := w.late(b, time.Now()); late > 5*time.Second || late < 0 {
		t.Errorf("after the loss, live is %s late", late)
	}
	w.commands()
	var secure bool
	b.Must(&secure, `return document.cookie === ""`)
	if !secure {
		t.Error("a script can read the cookie")
	}
}

// hevc returns a camera that sends H.265.
func hevc(t *testing.T, id string) config.Camera {
	t.Helper()
	m := camtest.Small(10)
	m.H265 = true
	video, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cam, err := camtest.Start(camtest.Options{Video: video, FPS: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Close)
	c := config.NewCamera()
	c.ID, c.URL = id, cam.URL()
	return c
}

// commands lists the devices, makes a code and shuts the device out, by the command line.
func (w *world) commands() {
	w.t.Helper()
	run := func(args ...string) string {
		w.t.Helper()
		cmd := exec.Command(w.program, append(args, "--config", w.file)...)
		cmd.Env = w.env
		b, err := cmd.CombinedOutput()
		if err != nil {
			w.t.Errorf("preroll %s: %v", args, err)
		}
		return string(b)
	}
	other := freePort(w.t)
	for _, c := range []struct{ args, want string }{
		{"web", "Firefox  paired"}, {"web", "The web pages are at https://"}, {"web pair", "/pair\n"},
		{"web pair", "▀"}, {"web remove firefox", "Firefox is shut out."}, {"web", "No device is paired."},
		{"web on 127.0.0.1:" + other, "The web pages are at http://127.0.0.1:" + other + "\n"},
		{"web off", "are off"}, {"web", "preroll web on"},
	} {
		if got := run(strings.Fields(c.args)...); !strings.Contains(got, c.want) {
			w.t.Errorf("preroll %s: got %q, want %q in it", c.args, got, c.want)
		}
	}
}

// late returns how long ago the picture was sent that the player shows.
func (w *world) late(b *browser.Browser, now time.Time) time.Duration {
	w.t.Helper()
	n := w.shown(b, "video")
	d := now.Sub(w.camera.Info().Time(n, now.Add(-30*time.Second)))
	w.t.Logf("it shows what was %s ago", d.Round(10*time.Millisecond))
	return d
}

func (w *world) shot(b *browser.Browser, name string) {
	b.Shot(filepath.Join(w.shots, "web-"+strings.TrimPrefix(name, "-")+".png"))
}

// BenchmarkWeb measures what a person waits for: the picture after the tap, how far live is behind, and the picture
// after a step back in time.
func BenchmarkWeb(b *testing.B) {
	w := start(b, "127.0.0.1:0")
	br := browser.Chromium(b, 412, 915, "en")
	w.pair(br, "Bench")
	poll.Until(b, "a ring to go back in", 2*time.Minute, func() bool {
		st, err := w.client.Status(b.Context())
		return err == nil && st.Cameras[0].PreRoll.D() > 95*time.Second
	}, nil)
	var first, behind, back float64
	for b.Loop() {
		br.Open(w.url + "/camera/front")
		var ms float64
		br.Must(&ms, `const v = document.querySelector("video"); // performance.now counts from the tap
			while (!(v.currentTime > 0 && v.readyState > 2)) await new Promise(done => requestAnimationFrame(done));
			return performance.now()`)
		first += ms
		time.Sleep(3 * time.Second)
		behind += w.late(br, time.Now()).Seconds() * 1000
		br.Must(&ms, `const v = document.querySelector("video"), bar = document.querySelector("input[type=range]");
			const t = performance.now();
			bar.value = -90; bar.dispatchEvent(new Event("input"));
			const p = document.querySelector("#player").player;
			while (p.live || v.seeking || v.readyState < 3 || Math.abs(p.newest() - p.now() - 90000) > 5000) {
				if (performance.now() - t > 5000) throw new Error(JSON.stringify({live: p.live, want: p.want - p.origin,
					at: v.currentTime, ready: v.readyState, back: p.newest() - p.now(), min: bar.min, value: bar.value}));
				await new Promise(done => requestAnimationFrame(done));
			}
			return performance.now() - t;`)
		back += ms
	}
	n := float64(b.N)
	b.ReportMetric(first/n, "first-picture-ms")
	b.ReportMetric(behind/n, "behind-live-ms")
	b.ReportMetric(back/n, "90s-back-ms")
	b.ReportMetric(0, "ns/op")
}

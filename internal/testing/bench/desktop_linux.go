package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// camsim starts a test camera, 1080p15 by default, and returns its URL.
func (b *bench) camsim(args ...string) (url string, truth camtest.Info, stop func(), err error) {
	cam := exec.Command(filepath.Join(b.bin, "camsim"), append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	out, err := cam.StdoutPipe()
	if err != nil {
		return "", truth, nil, err
	}
	cam.Stderr = os.Stderr
	if err := cam.Start(); err != nil {
		return "", truth, nil, err
	}
	stop = func() { _ = cam.Process.Kill(); _ = cam.Wait() }
	var info struct {
		URL string `json:"url"`
		camtest.Info
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &info)
	}
	if err != nil {
		stop()
		return "", truth, nil, err
	}
	return info.URL, info.Info, stop, nil
}

// same returns n cameras with the same stream.
func same(n int, url string) (list []config.Camera) {
	for i := range n {
		c := config.NewCamera()
		c.ID, c.URL = fmt.Sprintf("cam%d", i), url
		list = append(list, c)
	}
	return list
}

// desktop starts the resident program with its tray on a private desktop.
func (b *bench) desktop(name string, cameras []config.Camera) (d *desk, r *recorder, err error) {
	if _, err := os.Stat(filepath.Join(b.bin, "preroll-desktop")); err != nil {
		return nil, nil, fmt.Errorf("build the desktop program first: %w", err)
	}
	if d, err = startDesk(); err != nil {
		return nil, nil, err
	}
	for _, dir := range []string{".cache", ".config"} {
		if err := os.MkdirAll(filepath.Join(b.dir, dir), 0o755); err != nil {
			return nil, nil, err
		}
	}
	s, file := b.settings(name, cameras)
	s.Clip.PostRoll = config.Duration(10 * time.Second)
	if r, err = b.start("preroll-desktop", s, file, d.env, "--background"); err == nil {
		if err = d.icon(b.ctx); err == nil {
			return d, r, nil
		}
		r.stop()
	}
	d.stop()
	return nil, nil, err
}

// windowSize sets the size of the windows that are opened from now on.
func (b *bench) windowSize(width, height int) error {
	prefs := filepath.Join(b.dir, ".config", "fyne", "io.github.preroll.Preroll")
	return errors.Join(os.MkdirAll(prefs, 0o755), os.WriteFile(filepath.Join(prefs, "preferences.json"),
		fmt.Appendf(nil, `{"width":%d,"height":%d}`, width, height), 0o600))
}

// tray measures the resident process with its tray icon while n cameras record and nothing happens.
func (b *bench) tray(n int) error {
	fmt.Printf(
		"\n== resident process with the tray, %d cameras at 1080p15, idle for a minute\n", n)
	url, _, stop, err := b.camsim()
	if err != nil {
		return err
	}
	defer stop()
	d, r, err := b.desktop(fmt.Sprintf("tray%d", n), same(n, url))
	if err != nil {
		return err
	}
	defer d.stop()
	defer r.stop()
	if err := r.wait(b.ctx, time.Minute, filled(10*time.Second)); err != nil {
		return err
	}
	pid := r.cmd.Process.Pid
	before := cpu(pid)
	time.Sleep(time.Minute)
	fmt.Printf("CPU %.3f %% of a core; memory %.1f MB (PSS), peak %.1f MB (RSS)\n", (cpu(pid)-before)/60*100, pss(pid),
		peak(pid))
	log, err := os.ReadFile(r.log.Name())
	if err == nil && strings.Contains(string(log), "ERROR") {
		fmt.Printf("its log holds errors:\n%s", log)
	}
	return nil
}

// windows measures how soon the window appears after a click in the tray, and what the window costs while idle.
func (b *bench) windows() error {
	fmt.Printf("\n== window, software GL, a screen of 1920x1080\n")
	d, r, err := b.desktop("window", []config.Camera{config.DemoCamera()})
	if err != nil {
		return err
	}
	defer d.stop()
	defer r.stop()
	if err := r.wait(b.ctx, time.Minute, filled(2*time.Second)); err != nil {
		return err
	}
	var drawn []float64
	for range 6 {
		t, err := b.clickToPicture(d, r)
		if err != nil {
			return err
		}
		drawn = append(drawn, t.Seconds())
		time.Sleep(time.Second)
		if len(drawn) == 6 {
			break
		}
		b.closeWindow(r)
	}
	fmt.Printf("click to first picture, s: %.2f the first time, then %s\n", drawn[0], spread(drawn[1:]))
	pid, err := windowOf(r.cmd.Process.Pid)
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	before := cpu(pid)
	time.Sleep(20 * time.Second)
	fmt.Printf("open and idle on the events page: CPU %.1f %% of a core; memory %.1f MB (PSS), peak %.1f MB (RSS)\n",
		(cpu(pid)-before)/20*100, pss(pid), peak(pid))
	return nil
}

// clickToPicture opens the window through the tray's menu, and waits until the screen is no longer empty.
func (b *bench) clickToPicture(d *desk, r *recorder) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	const w, h = 240, 135
	grab := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "x11grab", "-framerate", "50", "-video_size",
		"1920x1080", "-i", d.display(),
		"-vf", fmt.Sprintf("scale=%d:%d:flags=neighbor", w, h), "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1")
	out, err := grab.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := grab.Start(); err != nil {
		return 0, err
	}
	defer func() { cancel(); _ = grab.Wait() }()
	frame := make([]byte, w*h)
	if _, err := io.ReadFull(out, frame); err != nil { // grabbing has begun
		return 0, err
	}
	began := time.Now()
	if err := d.click(ctx, "Events"); err != nil {
		return 0, err
	}
	for {
		if _, err := io.ReadFull(out, frame); err != nil {
			return 0, fmt.Errorf("no window: %w", err)
		}
		tones := map[byte]int{}
		for _, p := range frame {
			tones[p]++
		}
		if len(tones) > 12 { // text and buttons, not only a background
			return time.Since(began), nil
		}
	}
}

// grid measures what the page with the pictures of n cameras costs, beside the same recorder without a window.
func (b *bench) grid(n int) error {
	fmt.Printf("\n== %d cameras at 1080p15 on the cameras page, a window of 1900x1000\n", n)
	url, _, stop, err := b.camsim()
	if err != nil {
		return err
	}
	defer stop()
	if err := b.windowSize(1900, 1000); err != nil {
		return err
	}
	d, r, err := b.desktop("grid", same(n, url))
	if err != nil {
		return err
	}
	defer d.stop()
	defer r.stop()
	if err := r.wait(b.ctx, time.Minute, filled(10*time.Second)); err != nil {
		return err
	}
	const length = 30 * time.Second
	pid := r.cmd.Process.Pid
	before := cpuWith(pid)
	time.Sleep(length)
	alone := (cpuWith(pid) - before) / length.Seconds() * 100
	m, end, err := b.window(d, r.file, "--page", "cameras")
	if err != nil {
		return err
	}
	defer end()
	time.Sleep(10 * time.Second) // all pictures are there
	before = cpuWith(pid)
	window := cpuWith(m.pid)
	time.Sleep(length)
	recorder := (cpuWith(pid) - before) / length.Seconds() * 100
	window = (cpuWith(m.pid) - window) / length.Seconds() * 100
	fmt.Printf(
		"the pictures cost %.1f %% of a core: the window %.1f %%, the recorder with its FFmpegs %.1f %% beside %.1f %% without a window; memory of the window %.1f MB (PSS)\n", window+recorder-alone, window, recorder, alone, pss(m.pid))
	return nil
}

// windowOf finds the process of the window among the children of the resident process.
func windowOf(resident int) (int, error) {
	for _, pid := range children(resident) {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil &&
			strings.Contains(string(b), "\x00window\x00") {
			return pid, nil
		}
	}
	return 0, errors.New("there is no window")
}

func (b *bench) closeWindow(r *recorder) {
	for {
		pid, err := windowOf(r.cmd.Process.Pid)
		if err != nil {
			return
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Signal(os.Interrupt)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// --- Events page ---

// million measures the events page with n events.
func (b *bench) million(n int) error {
	fmt.Printf("\n== events page with %d events over 3 years of 10 cameras\n", n)
	s, file := b.settings("million", nil)
	places, err := config.PathsOf(file)
	if err != nil {
		return err
	}
	state := filepath.Join(b.dir, "state", filepath.Base(places.State))
	began := time.Now()
	if err := fill(b.ctx, state, s.Archive.Path, n); err != nil {
		return err
	}
	fmt.Printf("filled the index in %.0f s\n", time.Since(began).Seconds())
	d, r, err := b.desktop("million", []config.Camera{config.DemoCamera()})
	if err != nil {
		return err
	}
	defer d.stop()
	defer r.stop()
	m, stop, err := b.window(d, file, "--page", "events")
	if err != nil {
		return err
	}
	defer stop()
	first, err := m.wait(func(x page.Measured) bool { return x.List > 0 })
	if err != nil {
		return err
	}
	fmt.Printf("list asked for to first page drawn: %.0f ms; start of the window's process to it: %.0f ms\n",
		first.Days, first.List)
	time.Sleep(2 * time.Second)
	id, err := d.tool("xdotool", "search", "--sync", "--onlyvisible", "--name", "^Preroll$")
	if err != nil {
		return err
	}
	idle := m.worst(3 * time.Second)
	if _, err := d.tool("xdotool", "mousemove", "--window", id, "500", "400"); err != nil {
		return err
	}
	wheel := make(chan error, 1)
	go func() {
		_, err := d.tool("xdotool", "click", "--repeat", "400", "--delay", "15", "5")
		wheel <- err
	}()
	turned := m.worst(6 * time.Second)
	if err := <-wheel; err != nil {
		return err
	}
	size, err := d.tool("xdotool", "getwindowgeometry", "--shell", id)
	if err != nil {
		return err
	}
	var width, height int
	for l := range strings.Lines(size) {
		_, _ = fmt.Sscanf(l, "WIDTH=%d", &width)
		_, _ = fmt.Sscanf(l, "HEIGHT=%d", &height)
	}
	drag := []string{"mousemove", "--window", id, fmt.Sprint(width - 8), "170", "mousedown", "1"}
	for y := 170; y < height-30; y += 4 {
		drag = append(drag, "mousemove", "--window", id, fmt.Sprint(width-8), fmt.Sprint(y), "sleep", "0.03")
	}
	dragged := make(chan error, 1)
	go func() {
		_, err := d.tool("xdotool", append(drag, "mouseup", "1")...)
		dragged <- err
	}()
	pulled := m.worst(6 * time.Second)
	if err := <-dragged; err != nil {
		return err
	}
	fmt.Printf(
		"longest block of the window's main goroutine, drawing included: idle %s; 400 notches of the wheel %s; the bar dragged over the whole list %s\n", idle, turned, pulled)
	return nil
}

// fill writes n synthetic events directly into an index.
func fill(ctx context.Context, state, root string, n int) error {
	a, err := archive.Open(ctx, state, root, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	labels := []string{"person", "motion", "vehicle", "animal"}
	step := 3 * 365 * 24 * time.Hour / time.Duration(n)
	now := time.Now()
	var list []event.Event
	for i := range n {
		t := now.Add(-time.Duration(i) * step)
		c := fmt.Sprintf("cam%d", i%10)
		e := event.Event{ID: fmt.Sprintf("%s-%06x", t.UTC().Format("20060102T150405.000Z"), i), Camera: c,
			CameraName: "Camera " + c, Time: t, Label: labels[i%4], State: event.Saved,
			From: t.Add(-10 * time.Second), Until: t.Add(time.Minute),
			Triggers: []event.Trigger{{Time: t, Source: event.Mail, Label: labels[i%4], Sender: c + "@cam",
				Subject: "Alarm of " + c, From: "192.0.2.1"}}, TriggerCount: 1, LastTrigger: t,
			Folder: c + "/" + t.Format("2006/01/02"), Stem: t.Format("2006-01-02_15-04-05-0700") + "_" + labels[i%4],
			SavedAt: t.Add(time.Minute)}
		e.Clips = []event.Clip{{File: e.Stem + ".mp4", Start: e.From, End: e.Until,
			Length: event.Seconds(70 * time.Second), Frames: 1050, Bytes: 35 << 20, SHA256: strings.Repeat("0f", 32)}}
		if list = append(list, e); len(list) == 20000 || i == n-1 {
			if err := a.Put(ctx, list...); err != nil {
				return errors.Join(err, a.Close())
			}
			list = list[:0]
		}
	}
	return a.Close()
}

// measured reads what a window measures.
type measured struct {
	ctx  context.Context
	file string
	pid  int
}

// window starts a separate window, which measures itself.
func (b *bench) window(d *desk, file string, args ...string) (m *measured, stop func(), err error) {
	m = &measured{ctx: b.ctx, file: filepath.Join(b.dir, "measured.json")}
	_ = os.Remove(m.file)
	c := exec.Command(filepath.Join(b.bin, "preroll-desktop"),
		append([]string{"window", "--config", file, "--measure", m.file}, args...)...)
	c.Env = append(append(os.Environ(), d.env...), "XDG_RUNTIME_DIR="+filepath.Join(b.dir, "run"),
		"XDG_STATE_HOME="+filepath.Join(b.dir, "state"), "HOME="+b.dir,
		"XDG_CONFIG_HOME="+filepath.Join(b.dir, ".config"))
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	m.pid = c.Process.Pid
	return m, func() { _ = c.Process.Signal(os.Interrupt); _ = c.Wait() }, nil
}

func (m *measured) read() (x page.Measured, ok bool) {
	b, err := os.ReadFile(m.file)
	return x, err == nil && json.Unmarshal(b, &x) == nil
}

func (m *measured) wait(ok func(page.Measured) bool) (page.Measured, error) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) &&
		m.ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if x, there := m.read(); there && ok(x) {
			return x, nil
		}
	}
	return page.Measured{}, errors.New("the window measured nothing")
}

// worst sums up the measurements during the next d.
func (m *measured) worst(d time.Duration) string {
	var worst float64
	over := 0
	last := page.Measured{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if x, ok := m.read(); ok && x != last {
			worst, over, last = max(worst, x.Worst), over+x.Over50, x
		}
	}
	return fmt.Sprintf("%.0f ms (over 50 ms: %d times)", worst, over)
}

// --- Player ---

// play measures the player of the window with a 1080p15 clip.
func (b *bench) play() error {
	fmt.Printf("\n== playing a 1080p15 clip in the window\n")
	url, _, stop, err := b.camsim()
	if err != nil {
		return err
	}
	defer stop()
	c := config.NewCamera()
	c.ID, c.URL = "cam", url
	if err := b.windowSize(1400, 700); err != nil {
		return err
	}
	d, r, err := b.desktop("play", []config.Camera{c})
	if err != nil {
		return err
	}
	defer d.stop()
	defer r.stop()
	if err := r.wait(b.ctx, time.Minute, filled(14*time.Second)); err != nil {
		return err
	}
	id, err := r.client.Trigger(b.ctx, "cam", "bench")
	if err != nil {
		return err
	}
	for {
		e, err := r.client.Event(b.ctx, id)
		if err != nil {
			return err
		}
		if e.State.Ended() {
			fmt.Printf("clip: %s, %.1f s\n", e.State, e.Length().Seconds())
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	m, end, err := b.window(d, r.file, "--event", id)
	if err != nil {
		return err
	}
	defer end()
	if _, err := m.wait(func(x page.Measured) bool { return x.Frames > 15 }); err != nil {
		return err
	}
	before, began := cpu(append(children(m.pid), m.pid)...), time.Now()
	x, _ := m.read()
	time.Sleep(10 * time.Second)
	y, _ := m.read()
	took := time.Since(began).Seconds()
	own, ff := cpu(m.pid), cpu(children(m.pid)...)
	fmt.Printf(
		"clip opened to its first picture drawn: %.0f ms; %.1f pictures a second drawn; window and FFmpeg %.0f %% of a core (of which FFmpeg about %.0f %%); memory of the window %.1f MB (PSS)\n", y.First, float64(y.Frames-x.Frames)/10, (own+ff-before)/took*100, ff/took*100, pss(m.pid))
	return nil
}

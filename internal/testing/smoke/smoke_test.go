//go:build smoke && linux

// Package smoke tests the real desktop program: tray, window and notifications, under Xvfb with a window manager, a
// panel, a private D-Bus and a notification daemon. PREROLL_PROGRAM names the program. PREROLL_SHOTS names a folder for
// screenshots.
package smoke

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/internal/testing/traytest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// desk is a private desktop.
type desk struct {
	t     *testing.T
	env   []string
	bus   string
	home  string
	file  string // the settings file
	ram   string
	shots string
	log   string
}

// newDesk starts a desktop, with or without a panel that shows tray icons.
func newDesk(t *testing.T, panel bool) *desk {
	for _, tool := range []string{"Xvfb", "dbus-daemon", "openbox", "xfce4-panel", "dunst", "dunstctl", "xdotool",
		"ffmpeg"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test needs %s: %v", tool, err)
		}
	}
	d := &desk{t: t, home: t.TempDir(), shots: os.Getenv("PREROLL_SHOTS")}
	if d.shots == "" {
		d.shots = t.TempDir()
	}
	if err := os.MkdirAll(d.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(d.home, "run")
	bin := filepath.Join(d.home, "bin")
	for _, dir := range []string{run, bin, filepath.Join(d.home, ".cache"), filepath.Join(d.home, "Videos")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A test machine has no player, so this script logs what the desktop is asked to open.
	script := "#!/bin/sh\necho \"$1\" >> " + filepath.Join(d.home, "opened") + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"HOME=" + d.home, "PATH=" + bin + ":" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + run,
		"XDG_CONFIG_HOME=" + filepath.Join(d.home, ".config"),
		"XDG_STATE_HOME=" + filepath.Join(d.home, ".state"), "XDG_CACHE_HOME=" + filepath.Join(d.home, ".cache"),
		"LANG=C.UTF-8", "TZ=UTC", "LIBGL_ALWAYS_SOFTWARE=1"}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// Without -noreset the display restarts when its only client leaves, which ends one that is just connecting.
	d.start(func(c *exec.Cmd) { c.ExtraFiles = []*os.File{w} }, "Xvfb", "-noreset", "-displayfd", "3", "-screen", "0",
		"1280x800x24", "-nolisten", "tcp")
	_ = w.Close()
	d.env = append(d.env, "DISPLAY=:"+firstLine(t, r))
	r, w, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.start(func(c *exec.Cmd) { c.ExtraFiles = []*os.File{w} }, "dbus-daemon", "--session", "--nofork",
		"--print-address=3")
	_ = w.Close()
	d.bus = firstLine(t, r)
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+d.bus)
	d.start(nil, "openbox")
	d.until("the window manager", 20*time.Second, func() bool { // a window that comes earlier gets no frame and no keys
		_, err := d.run("xdotool", "get_num_desktops")
		return err == nil
	})
	d.start(nil, "dunst")
	if panel {
		d.start(func(c *exec.Cmd) { c.Env = append(d.env, "XFCE_PANEL_MIGRATE_DEFAULT=1") }, "xfce4-panel",
			"--disable-wm-check")
	}

	var ram string
	if ram, err = os.MkdirTemp("/dev/shm", "preroll-smoke-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(ram) })
	d.ram = filepath.Join(ram, "ring")
	s := config.Default()
	s.RAMDisk.Path, s.Archive.Path, s.Archive.MinFree = d.ram, filepath.Join(d.home, "Videos", "Preroll"), 0
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(3*time.Second), config.Duration(2*time.Second)
	s.SMTP.Listen = "127.0.0.1:0"
	d.file = filepath.Join(d.home, "preroll.toml")
	if err := config.Save(d.file, s); err != nil {
		t.Fatal(err)
	}
	return d
}

func firstLine(t *testing.T, r *os.File) string {
	t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
	l, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("a helper did not start: %v", err)
	}
	return strings.TrimSpace(l)
}

// start starts a helper that runs until the test ends.
func (d *desk) start(change func(*exec.Cmd), name string, args ...string) *exec.Cmd {
	d.t.Helper()
	c := exec.Command(name, args...)
	c.Env = d.env
	if change != nil {
		change(c)
	}
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// run runs a tool and returns its output.
func (d *desk) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = d.env
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *desk) until(what string, limit time.Duration, ok func() bool) {
	d.t.Helper()
	poll.Until(d.t, what, limit, ok, func() string {
		log, _ := os.ReadFile(d.log)
		d.shot("failed")
		return string(log)
	})
}

// window returns the id of the program's window, and reports whether the window exists.
func (d *desk) window() (string, bool) {
	out, err := d.run("xdotool", "search", "--onlyvisible", "--name", "^Preroll$")
	id, _, _ := strings.Cut(out, "\n")
	return id, err == nil && id != ""
}

// there waits for the program's window and returns its id. The search can fail for a moment, if another window such as
// a notification closes meanwhile.
func (d *desk) there() (id string) {
	d.t.Helper()
	d.until("the window to be there", 5*time.Second, func() (ok bool) {
		id, ok = d.window()
		return ok
	})
	return id
}

// --- Keys, mouse and screen ---

// keys sends keys to the window.
func (d *desk) keys(keys ...string) {
	d.t.Helper()
	id := d.there()
	if out, err := d.run("xdotool",
		append([]string{"windowfocus", "--sync", id, "key", "--delay", "60"}, keys...)...); err != nil {
		d.t.Fatalf("keys: %v: %s", err, out)
	}
}

// typed types a text into the window.
func (d *desk) typed(text string) {
	d.t.Helper()
	if out, err := d.run("xdotool", "type", "--delay", "40", text); err != nil {
		d.t.Fatalf("type: %v: %s", err, out)
	}
}

// moved reports whether a part of the screen changes within 300 ms.
func (d *desk) moved(part image.Rectangle) bool {
	before := sum(d.shot("frame-1"), part)
	time.Sleep(300 * time.Millisecond)
	return sum(d.shot("frame-2"), part) != before
}

// sum returns a hash of a part of a picture.
func sum(m image.Image, part image.Rectangle) (h uint64) {
	for y := part.Min.Y; y < part.Max.Y; y += 3 {
		for x := part.Min.X; x < part.Max.X; x += 3 {
			r, g, b, _ := m.At(x, y).RGBA()
			h = h*1099511628211 + uint64(r>>8)<<16 + uint64(g>>8)<<8 + uint64(b>>8)
		}
	}
	return h
}

// find returns a point in a part of the screen that has nearly the wanted color.
func find(m image.Image, part image.Rectangle, want color.NRGBA) (x, y int, ok bool) {
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			if near(r, want.R) && near(g, want.G) && near(b, want.B) {
				return x, y, true
			}
		}
	}
	return 0, 0, false
}

func near(v uint32, want uint8) bool { return int(v>>8)-int(want) < 24 && int(want)-int(v>>8) < 24 }

// click clicks a point in the window.
func (d *desk) click(x, y int) {
	d.t.Helper()
	id := d.there()
	if out, err := d.run("xdotool", "mousemove", "--sync", "--window", id, fmt.Sprint(x), fmt.Sprint(y), "sleep", "0.2",
		"mousedown", "1", "sleep", "0.1", "mouseup", "1"); err != nil {
		d.t.Fatalf("click: %v: %s", err, out)
	}
}

// shot takes a screenshot and returns it.
func (d *desk) shot(name string) image.Image {
	d.t.Helper()
	file := filepath.Join(d.shots, name+".png")
	display := ""
	for _, e := range d.env {
		if v, ok := strings.CutPrefix(e, "DISPLAY="); ok {
			display = v
		}
	}
	if out, err := d.run("ffmpeg", "-v", "error", "-y", "-f", "x11grab", "-video_size", "1280x800", "-i", display,
		"-frames:v", "1", file); err != nil {
		d.t.Fatalf("screenshot: %v: %s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	m, err := png.Decode(f)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// colours counts the different colors in a picture.
func colours(m image.Image) int { return varied(m, m.Bounds()) }

// varied counts the different colors in a part of a picture.
func varied(m image.Image, b image.Rectangle) int {
	seen := map[[3]uint32]bool{}
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			r, g, bl, _ := m.At(x, y).RGBA()
			seen[[3]uint32{r, g, bl}] = true
		}
	}
	return len(seen)
}

// --- The program ---

// program is a running Preroll.
type program struct {
	cmd    *exec.Cmd
	ended  chan error
	client *control.Client
}

// launch starts the resident program.
func (d *desk) launch(args ...string) *program {
	d.t.Helper()
	exe := os.Getenv("PREROLL_PROGRAM")
	if exe == "" {
		d.t.Fatal("PREROLL_PROGRAM must name the program")
	}
	d.log = filepath.Join(d.home, "log")
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		d.t.Fatal(err)
	}
	p := &program{cmd: exec.Command(exe, append([]string{"--config", d.file}, args...)...), ended: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = d.env, log, log
	if err := p.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait(); _ = log.Close() }()
	d.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	d.until("the control socket", 20*time.Second, func() bool {
		m, _ := filepath.Glob(filepath.Join(d.home, "run", "preroll-*.sock"))
		return len(m) == 1
	})
	p.client = control.NewClient(d.socket())
	d.t.Cleanup(p.client.Close)
	return p
}

// quits waits until the program has ended, and checks that nothing is left of it.
func (d *desk) quits(p *program) {
	d.t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			d.t.Errorf("quit: %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(time.Second)
		b, _ := os.ReadFile(d.log)
		d.t.Fatalf("the program does not quit:\n%s", b)
	}
	if left := d.processes(d.ram); left != nil {
		d.t.Errorf("quit left %q", left)
	}
	b, err := os.ReadFile(d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	if strings.Contains(string(b), "Error in Fyne call thread") || strings.Contains(string(b), "panic") {
		d.t.Errorf("log:\n%s", b)
	}
}

// windowProcess returns the id of the window's process, or 0.
func (d *desk) windowProcess() (pid int) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), "\x00window\x00") && strings.Contains(string(b), d.file) {
			_, _ = fmt.Sscanf(f, "/proc/%d/", &pid)
		}
	}
	return pid
}

// stage returns where the player shows its picture, for a window of the usual size that shows an event.
func (d *desk) stage() image.Rectangle {
	x, y, w, h := d.geometry()
	return image.Rect(x+100, y+100, x+w-400, y+h-150)
}

// geometry returns the position and size of the window on the screen.
func (d *desk) geometry() (x, y, w, h int) {
	d.t.Helper()
	out, err := d.run("xdotool", "getwindowgeometry", "--shell", d.there())
	if err != nil {
		d.t.Fatal(err)
	}
	for l := range strings.Lines(out) {
		_, _ = fmt.Sscanf(l, "X=%d", &x)
		_, _ = fmt.Sscanf(l, "Y=%d", &y)
		_, _ = fmt.Sscanf(l, "WIDTH=%d", &w)
		_, _ = fmt.Sscanf(l, "HEIGHT=%d", &h)
	}
	return x, y, w, h
}

// --- Tests ---

// TestDesktop is the first hour of a new user: from the first start to a saved clip that is played, protected and
// deleted.
func TestDesktop(t *testing.T) {
	d := newDesk(t, true)
	p := d.launch()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	host, icon, err := traytest.Find(ctx, d.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Close() }()
	if m, err := icon.Icon(); err != nil || colours(m) < 3 {
		t.Errorf("the tray's icon: %v, %v", m, err)
	}
	d.until("the window", 60*time.Second, func() bool { _, ok := d.window(); return ok })

	// The guide opens by itself. The demo camera completes it.
	d.until("the guide", 20*time.Second, func() bool { return colours(d.shot("guide")) > 60 })
	d.until("Next, once memory and archive are checked", 10*time.Second, func() bool {
		x, y, w, h := d.geometry()
		_, _, ok := find(d.shot("guide"), image.Rect(x+w/2, y+h-60, x+w, y+h), color.NRGBA{0x29, 0x6f, 0xf6, 0xff})
		return ok
	})
	d.keys("shift+Tab", "shift+Tab", "space") // over Next to the demo camera
	d.until("the demo camera to record", 30*time.Second, func() bool {
		s, err := p.client.Status(ctx)
		return err == nil && len(s.Cameras) == 1 && s.Cameras[0].State == status.Recording &&
			s.Cameras[0].PreRoll.D() > 4*time.Second
	})
	d.until("the camera in the tray's menu", 10*time.Second, func() bool {
		m, err := icon.Menu(ctx)
		_, ok := m.Find("Demo camera")
		return err == nil && ok
	})

	// The icon on the panel is red while recording. A click opens its menu on the screen.
	var x, y int
	d.until("the red dot on the panel", 10*time.Second, func() bool {
		var ok bool
		x, y, ok = find(d.shot("panel"), image.Rect(640, 0, 1280, 40), color.NRGBA{0xe5, 0x39, 0x35, 0xff})
		return ok
	})
	before := sum(d.shot("panel"), image.Rect(640, 40, 1280, 400))
	if out, err := d.run("xdotool", "mousemove", fmt.Sprint(x), fmt.Sprint(y), "click", "3"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the tray's menu on the screen", 10*time.Second, func() bool {
		return sum(d.shot("menu"), image.Rect(640, 40, 1280, 400)) != before
	})
	if out, err := d.run("xdotool", "key", "Escape"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	if err := icon.Click(ctx, "Demo camera"); err != nil {
		t.Fatal(err)
	}
	d.until("the saved clip", 60*time.Second, func() bool {
		list, err := p.client.Events(ctx, event.Query{})
		return err == nil && len(list) == 1 && list[0].State == event.Saved
	})
	list, err := p.client.Events(ctx, event.Query{})
	if err != nil {
		t.Fatal(err)
	}
	clip := filepath.Join(d.home, "Videos", "Preroll", filepath.FromSlash(list[0].Folder), list[0].Clips[0].File)
	d.until("the notification", 20*time.Second, func() bool {
		shown, err := d.run("dunstctl", "count", "displayed")
		return err == nil && shown == "1"
	})
	d.until("the clip's picture in it", 10*time.Second, func() bool {
		return varied(d.shot("notification"), image.Rect(930, 40, 1270, 150)) > 60
	})
	if n := colours(d.shot("events")); n < 300 { // the thumbnail is on the page
		t.Errorf("the events page has %d colours", n)
	}
	d.until("the clip in the tray's menu", 10*time.Second, func() bool {
		m, err := icon.Menu(ctx)
		return err == nil && strings.Contains(strings.Join(m.Labels(), "\n"), "Demo camera: manual")
	})

	// A click on the notification plays the clip in the window.
	if out, err := d.run("dunstctl", "action", "0"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the window on the event", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	stage := d.stage()
	d.until("the clip to play", 20*time.Second, func() bool { return d.moved(stage) })
	if n := len(d.processes(clip)); n != 1 {
		t.Errorf("%d FFmpegs play, want one", n)
	}
	d.shot("event")
	d.keys("space")
	d.until("the player to pause", 10*time.Second, func() bool { return !d.moved(stage) })
	paused := sum(d.shot("paused"), stage)
	d.keys("Home")
	d.until("the picture at the beginning", 10*time.Second, func() bool {
		return sum(d.shot("scrubbed"), stage) != paused
	})
	at := sum(d.shot("scrubbed"), stage)
	d.keys("period", "period", "period")
	d.until("the picture three frames on", 10*time.Second, func() bool { return sum(d.shot("stepped"), stage) != at })
	stepped := sum(d.shot("stepped"), stage)
	_, _, w, h := d.geometry()
	d.click(w*2/5, h-62) // on the timeline
	d.until("the picture where the line was clicked", 10*time.Second, func() bool {
		return sum(d.shot("sought"), stage) != stepped
	})

	// Keys protect the clip, delete it, bring it back, and delete it again.
	d.keys("p")
	d.until("the protection", 10*time.Second, func() bool {
		e, err := p.client.Event(ctx, list[0].ID)
		return err == nil && e.Protected
	})
	d.shot("protected")
	d.keys("p")
	d.until("the protection's end", 10*time.Second, func() bool {
		e, err := p.client.Event(ctx, list[0].ID)
		return err == nil && !e.Protected
	})
	time.Sleep(300 * time.Millisecond) // the window gets the change too
	gone := func() bool {
		_, err := os.Stat(clip)
		return os.IsNotExist(err)
	}
	d.keys("Delete")
	d.until("the clip to be deleted", 10*time.Second, gone)
	d.shot("deleted")
	d.keys("ctrl+z")
	d.until("the clip to be back", 10*time.Second, func() bool { return !gone() })
	d.until("the event to be back", 10*time.Second, func() bool {
		_, err := p.client.Event(ctx, list[0].ID)
		return err == nil
	})
	d.shot("restored")
	d.keys("Home", "Delete")
	d.until("the clip to be deleted again", 10*time.Second, gone)
	d.until("the player's FFmpeg to end", 10*time.Second, func() bool { return d.processes(clip) == nil })

	// Settings: a second start raises the open window, the test types a value, and a click on Save applies it.
	if out, err := d.run(os.Getenv("PREROLL_PROGRAM"), "window", "--config", d.file, "--page", "settings"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the settings page", 10*time.Second, func() bool { return colours(d.shot("settings")) > 50 })
	if out, _ := d.run("xdotool", "search", "--onlyvisible", "--name", "^Preroll$"); len(strings.Fields(out)) != 1 {
		t.Errorf("windows: %q, want one", out)
	}
	d.rename("Hall")
	d.until("the new name in force", 20*time.Second, func() bool {
		s, err := p.client.Settings(ctx)
		return err == nil && strings.HasSuffix(s.Cameras[0].Name, "Hall")
	})
	d.shot("renamed")
	for _, page := range []string{"cameras", "health"} {
		if out, err := d.run(os.Getenv("PREROLL_PROGRAM"), "window", "--config", d.file, "--page", page); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		d.until("the page "+page, 10*time.Second, func() bool { return colours(d.shot(page)) > 50 })
	}

	// The window is killed in the middle of a clip, and the clip is still saved.
	id, err := p.client.Trigger(ctx, "demo", "after all")
	if err != nil {
		t.Fatal(err)
	}
	if pid := d.windowProcess(); pid == 0 || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Fatalf("window process %d", pid)
	}
	d.until("the window to go", 10*time.Second, func() bool { _, ok := d.window(); return !ok })
	d.until("the clip of a killed window", 60*time.Second, func() bool {
		e, err := p.client.Event(ctx, id)
		return err == nil && e.State == event.Saved
	})
	if err := icon.Click(ctx, "Events"); err != nil {
		t.Fatal(err)
	}
	d.until("the window again", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("its page", 20*time.Second, func() bool { return colours(d.shot("again")) > 300 })

	// Closing the window ends only the process of the window.
	d.closeWindow()
	if _, err := p.client.Status(ctx); err != nil {
		t.Fatalf("the recorder went with the window: %v", err)
	}

	// A pause begins and ends.
	if err := icon.Click(ctx, "For 15 minutes"); err != nil {
		t.Fatal(err)
	}
	d.until("the pause", 10*time.Second, func() bool {
		s, err := p.client.Status(ctx)
		return err == nil && s.Pause.On
	})
	d.until("Resume in the menu", 10*time.Second, func() bool {
		m, err := icon.Menu(ctx)
		_, ok := m.Find("Resume")
		return err == nil && ok
	})
	if err := icon.Click(ctx, "Resume"); err != nil {
		t.Fatal(err)
	}
	d.until("the end of the pause", 10*time.Second, func() bool {
		s, err := p.client.Status(ctx)
		return err == nil && !s.Pause.On
	})
	if err := icon.Click(ctx, "Quit"); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

// closeWindow closes the window as a user does.
func (d *desk) closeWindow() {
	d.t.Helper()
	d.pressUntil("the window to close", "alt+F4", func() bool {
		_, ok := d.window()
		return !ok && d.windowProcess() == 0
	})
}

// pressUntil presses a key of the window manager until ok holds. The window manager handles the key only for the active
// window.
func (d *desk) pressUntil(what, key string, ok func() bool) {
	d.t.Helper()
	tried := time.Time{}
	d.until(what, 20*time.Second, func() bool {
		if id, there := d.window(); there && time.Since(tried) > 3*time.Second {
			tried = time.Now()
			_, _ = d.run("xdotool", "windowactivate", id, "key", "--delay", "60", key)
		}
		return ok()
	})
}

// rename types a name for the first camera on the settings page, and saves.
func (d *desk) rename(name string) {
	d.t.Helper()
	_, _, w, h := d.geometry()
	d.click(w/2+100, 104) // the field "Name"
	d.keys("End")
	d.typed(" " + name)
	d.shot("typed")
	d.click(w-45, h-28) // the button "Save"
}

// TestDesktopWithoutTray runs on a desktop without tray icons. The window appears by itself, a second start brings it
// back, and a signal stops the program.
func TestDesktopWithoutTray(t *testing.T) {
	d := newDesk(t, false)
	s, _, err := config.Load(d.file)
	if err != nil {
		t.Fatal(err)
	}
	s.Cameras = []config.Camera{config.DemoCamera()}
	if err := config.Save(d.file, s); err != nil {
		t.Fatal(err)
	}
	p := d.launch()
	d.until("the window", 60*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("its page", 20*time.Second, func() bool { return colours(d.shot("no-tray")) > 60 })
	d.closeWindow()
	// A second start brings the window back.
	if out, err := d.run(os.Getenv("PREROLL_PROGRAM"), "--config", d.file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the window again", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	if _, err := p.client.Trigger(t.Context(), "demo", "by hand"); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	d.quits(p)
}

// TestJoinsTheService starts the desktop beside a service of the machine. Tray and window show the service, and the
// desktop does not record. When the service stops, the desktop records with its own settings.
func TestJoinsTheService(t *testing.T) {
	d := newDesk(t, true)
	system, state := filepath.Join(d.home, "run", "system"), filepath.Join(d.home, "service")
	for _, dir := range []string{system, state} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, _, err := config.Load(d.file)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(d.home, ".config", "preroll", "preroll.toml")
	if err := config.Save(own, s); err != nil {
		t.Fatal(err)
	}
	s.Cameras = []config.Camera{config.DemoCamera()}
	s.Cameras[0].Name = "Camera of the service"
	s.RAMDisk.Path, s.Archive.Path = d.ram+"-service", filepath.Join(state, "clips")
	if err := config.Save(filepath.Join(state, "preroll.toml"), s); err != nil {
		t.Fatal(err)
	}
	d.env = append(d.env, "RUNTIME_DIRECTORY="+system)
	exe := os.Getenv("PREROLL_PROGRAM")
	service := d.start(func(c *exec.Cmd) { c.Env = append(d.env, "STATE_DIRECTORY="+state) }, exe, "record", "--system")
	socket := filepath.Join(system, "preroll.sock")
	c := control.NewClient(socket)
	defer c.Close()
	d.until("the service to record", 30*time.Second, func() bool {
		st, err := c.Status(t.Context())
		return err == nil && len(st.Cameras) == 1 && st.Cameras[0].State == status.Recording
	})
	desktop := d.start(nil, exe)
	d.until("the window", 60*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("its page", 20*time.Second, func() bool { return colours(d.shot("joined")) > 60 })
	if _, err := os.Stat(filepath.Join(d.home, "run", "preroll.sock")); err == nil {
		t.Error("the desktop records, too")
	}
	_ = service.Process.Signal(syscall.SIGTERM)
	mine := control.NewClient(filepath.Join(d.home, "run", "preroll.sock"))
	defer mine.Close()
	d.until("the desktop to record itself", 40*time.Second, func() bool {
		st, err := mine.Status(t.Context())
		return err == nil && st.Settings == own
	})
	d.shot("alone-again")
	_ = desktop.Process.Signal(os.Interrupt)
	d.until("the desktop to end", 20*time.Second, func() bool { return d.processes(own) == nil })
}

// TestAFailedStartIsShown starts with settings that cannot be read. A window must show the error, because nobody sees
// the output of a program that was started at login.
func TestAFailedStartIsShown(t *testing.T) {
	d := newDesk(t, false)
	if err := os.WriteFile(d.file, []byte("version = 1\n[clip]\npre_rol = \"10s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Getenv("PREROLL_PROGRAM"), "--config", d.file, "--background")
	c.Env = d.env
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	d.until("the window that says why", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("its text", 10*time.Second, func() bool {
		return varied(d.shot("fault"), image.Rect(340, 260, 940, 560)) > 20
	})
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	d.pressUntil("it to end", "alt+F4", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	if code := c.ProcessState.ExitCode(); code != 1 {
		t.Errorf("it ended with %d", code)
	}
}

// --- Sockets and processes ---

// socket returns the path of the program's control socket.
func (d *desk) socket() string {
	matches, err := filepath.Glob(filepath.Join(d.home, "run", "preroll-*.sock"))
	if err != nil || len(matches) != 1 {
		d.t.Fatalf("control sockets: %v, %v", matches, err)
	}
	return matches[0]
}

// processes lists the command lines that contain a text.
func (d *desk) processes(text string) (found []string) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), text) {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

// demo sets the demo camera up, with a post-roll.
func (d *desk) demo(postRoll time.Duration) {
	d.t.Helper()
	s, _, err := config.Load(d.file)
	if err != nil {
		d.t.Fatal(err)
	}
	c := config.DemoCamera()
	c.PostRoll = nil
	s.Cameras, s.Clip.PostRoll = []config.Camera{c}, config.Duration(postRoll)
	if err := config.Save(d.file, s); err != nil {
		d.t.Fatal(err)
	}
}

// TestWatching watches an event while it is saved, in full screen too, and a camera live and half a minute ago.
func TestWatching(t *testing.T) {
	d := newDesk(t, true)
	d.demo(12 * time.Second)
	p := d.launch("--background")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	filled := func(length time.Duration) func() bool {
		return func() bool {
			s, err := p.client.Status(ctx)
			return err == nil && len(s.Cameras) == 1 && s.Cameras[0].PreRoll.D() > length
		}
	}
	d.until("the demo camera", 40*time.Second, filled(6*time.Second))
	open := func(args ...string) {
		t.Helper()
		cmd := append([]string{"window", "--config", d.file}, args...)
		d.start(nil, os.Getenv("PREROLL_PROGRAM"), cmd...)
		d.until("the window", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	}
	id, err := p.client.Trigger(ctx, "demo", "now")
	if err != nil {
		t.Fatal(err)
	}
	open("--event", id)
	stage := d.stage()
	d.until("the event to play while it is saved", 10*time.Second, func() bool { return d.moved(stage) })
	d.shot("watching")
	if e, err := p.client.Event(ctx, id); err != nil || e.State != event.Recording {
		t.Errorf("the event is %s, %v; it should have been seen before its end", e.State, err)
	}
	d.keys("f")
	d.until("the full screen", 10*time.Second, func() bool {
		_, _, w, h := d.geometry()
		return w == 1280 && h == 800
	})
	d.until("the picture in it", 10*time.Second, func() bool { return d.moved(image.Rect(300, 100, 900, 500)) })
	d.shot("full-screen")
	d.keys("Escape")
	d.until("the window again", 10*time.Second, func() bool {
		_, _, w, _ := d.geometry()
		return w < 1280
	})
	d.until("the clip", 40*time.Second, func() bool {
		e, err := p.client.Event(ctx, id)
		return err == nil && e.State == event.Saved
	})
	d.shot("saved-meanwhile")

	// A camera live, and then half a minute ago.
	d.until("half a minute in RAM", 60*time.Second, filled(40*time.Second))
	open("--page", "cameras")
	d.until("the cameras", 20*time.Second, func() bool { return varied(d.shot("cards"), stage) > 100 })
	_, _, w, h := d.geometry()
	d.click(200, 200) // the picture on the first card
	d.until("the live picture", 20*time.Second, func() bool { return d.moved(stage) })
	d.shot("live")
	d.click(w*7/10, h-62) // on the time line, which spans what RAM holds
	time.Sleep(time.Second)
	d.until("the earlier picture", 10*time.Second, func() bool { return d.moved(stage) })
	d.shot("earlier")
	asked := time.Now()
	d.click(w-250, 27) // "Save from here"
	var saved event.Event
	d.until("the clip from there", 20*time.Second, func() bool {
		list, err := p.client.Events(ctx, event.Query{Limit: 1})
		if err == nil && len(list) == 1 && list[0].ID != id {
			saved = list[0]
		}
		return saved.ID != ""
	})
	if ago := asked.Sub(saved.Time); ago < 5*time.Second || ago > 60*time.Second {
		t.Errorf("the clip is of %s ago", ago)
	}
	d.shot("saved-from-here")
	d.keys("question")
	d.until("the list of keys", 10*time.Second, func() bool { return !d.moved(stage) })
	d.shot("keys")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

// TestSideBySide watches two cameras of one incident, and looks at the events as large pictures.
func TestSideBySide(t *testing.T) {
	d := newDesk(t, true)
	s, _, err := config.Load(d.file)
	if err != nil {
		t.Fatal(err)
	}
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(8*time.Second), config.Duration(8*time.Second)
	for _, id := range []string{"door", "yard"} {
		c := config.NewCamera()
		c.ID, c.Name, c.URL = id, "The "+id, own(t)
		s.Cameras = append(s.Cameras, c)
	}
	if err := config.Save(d.file, s); err != nil {
		t.Fatal(err)
	}
	p := d.launch("--background")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d.until("both cameras", 60*time.Second, func() bool {
		st, err := p.client.Status(ctx)
		return err == nil && len(st.Cameras) == 2 && st.Cameras[0].PreRoll.D() > 9*time.Second &&
			st.Cameras[1].PreRoll.D() > 9*time.Second
	})
	if _, err := p.client.Trigger(ctx, "yard", "person"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // the second camera sees it later
	id, err := p.client.Trigger(ctx, "door", "person")
	if err != nil {
		t.Fatal(err)
	}
	d.until("both clips", 60*time.Second, func() bool {
		list, err := p.client.Events(ctx, event.Query{})
		return err == nil && len(list) == 2 && list[0].State == event.Saved && list[1].State == event.Saved
	})

	d.start(nil, os.Getenv("PREROLL_PROGRAM"), "window", "--config", d.file, "--event", id)
	d.until("the window", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	stage := d.stage()
	d.until("the clip to play", 20*time.Second, func() bool { return d.moved(stage) })
	d.shot("one")
	mid := (stage.Min.Y + stage.Max.Y) / 2
	upper, lower := stage, stage
	upper.Max.Y, lower.Min.Y = mid-30, mid+30
	d.until("the other camera beside it", 20*time.Second, func() bool {
		d.keys("b")
		time.Sleep(700 * time.Millisecond)
		if d.moved(upper) && d.moved(lower) {
			return true
		}
		d.keys("b")
		return false
	})
	d.shot("side-by-side")
	d.keys("space")
	d.until("both to stand still", 10*time.Second, func() bool { return !d.moved(stage) })
	d.keys("Right")
	d.shot("side-by-side-later")
	d.keys("Escape")
	time.Sleep(500 * time.Millisecond)

	x, y, w, h := d.geometry()
	green := func(m image.Image) (n int) { // of the test picture
		for i := range w * h {
			r, g, b, _ := m.At(x+i%w, y+i/w).RGBA()
			if g>>8 > 200 && r>>8 < 60 && b>>8 < 60 {
				n++
			}
		}
		return n
	}
	before := green(d.shot("list"))
	d.keys("g")
	d.until("large pictures", 10*time.Second, func() bool { return green(d.shot("tiles")) > 2*before })
	for _, at := range []int{40, 120, 200} {
		if _, err := d.run("xdotool", "mousemove", fmt.Sprint(x+110+at), fmt.Sprint(y+300)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(700 * time.Millisecond)
		d.shot(fmt.Sprint("scrub-", at))
	}

	// A click on an event in the day opens it.
	blue := color.NRGBA{0x29, 0x6f, 0xf6, 0xff}
	px, py, ok := find(d.shot("strip"), image.Rect(x+137, y+90, x+w, y+132), blue)
	if !ok {
		t.Fatal("the day shows no event")
	}
	if _, err := d.run("xdotool", "mousemove", fmt.Sprint(px+1), fmt.Sprint(py+3), "click", "1"); err != nil {
		t.Fatal(err)
	}
	d.until("the event of the day to play", 20*time.Second, func() bool { return d.moved(stage) })
	d.shot("from-the-day")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

// TestGermanFromTheRegion starts on a German desktop.
func TestGermanFromTheRegion(t *testing.T) {
	d := newDesk(t, true)
	d.env = append(slices.DeleteFunc(d.env, func(e string) bool { return strings.HasPrefix(e, "LANG=") }),
		"LANG=de_AT.UTF-8")
	d.demo(2 * time.Second)
	p := d.launch("--background")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	host, icon, err := traytest.Find(ctx, d.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Close() }()
	d.until("the German menu", 20*time.Second, func() bool {
		m, err := icon.Menu(ctx)
		labels := strings.Join(m.Labels(), "\n")
		return err == nil && strings.Contains(labels, "Einstellungen") && strings.Contains(labels, "Ereignisse")
	})
	if err := icon.Click(ctx, "Einstellungen"); err != nil {
		t.Fatal(err)
	}
	d.until("the window", 30*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("its page", 20*time.Second, func() bool {
		return varied(d.shot("german"), image.Rect(300, 100, 1000, 700)) > 50
	})

	// Another language opens the window again.
	before := d.windowProcess()
	d.click(662, 22)  // "Allgemein"
	d.click(633, 271) // the languages
	d.keys("Down", "Down", "Down", "Down", "Return")
	d.shot("french")
	d.click(946, 654) // "Sichern"
	d.until("the window to open again", 20*time.Second, func() bool {
		_, ok := d.window()
		return ok && d.windowProcess() != 0 && d.windowProcess() != before
	})
	if s, _, err := config.Load(d.file); err != nil || s.Language != "fr" {
		t.Errorf("language %q, %v", s.Language, err)
	}
	d.until("its page in French", 20*time.Second, func() bool {
		return varied(d.shot("french-again"), image.Rect(300, 100, 1000, 700)) > 50
	})
	if err := icon.Click(ctx, "Quitter"); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

// own starts a test camera, and returns its address.
func own(t *testing.T) string {
	t.Helper()
	file, err := camtest.Small(10).File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := camtest.Start(camtest.Options{Video: file, FPS: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.URL()
}

// nextReady reports whether the guide's button Next, or Finish, can be pressed.
func (d *desk) nextReady() bool {
	x, y, w, h := d.geometry()
	_, _, ok := find(d.shot("guide"), image.Rect(x+w*3/4, y+h-60, x+w, y+h), color.NRGBA{0x29, 0x6f, 0xf6, 0xff})
	return ok
}

// eventsShown reports whether the window shows more than an empty page.
func (d *desk) eventsShown() bool {
	return varied(d.shot("guide-done"), image.Rect(240, 200, 1100, 700)) > 100
}

// firstClip waits for the camera that the guide has set up, has an alarm mail sent for it, and waits for the clip.
func (d *desk) firstClip(ctx context.Context, p *program) {
	d.t.Helper()
	id := ""
	d.until("the camera in the settings", 20*time.Second, func() bool {
		s, err := p.client.Status(ctx)
		if err == nil && len(s.Cameras) == 1 {
			id = s.Cameras[0].ID
		}
		return id != ""
	})
	d.until("video of the camera", 30*time.Second, func() bool {
		s, err := p.client.Status(ctx)
		return err == nil && s.Cameras[0].PreRoll.D() > 3*time.Second
	})
	if err := p.client.Mail(ctx, id); err != nil {
		d.t.Fatal(err)
	}
	d.until("the first clip", 40*time.Second, func() bool {
		list, err := p.client.Events(ctx, event.Query{})
		return err == nil && len(list) == 1 && list[0].State == event.Saved
	})
}

// guided starts Preroll for the first time, with a camera at a URL that the guide can be told.
func guided(t *testing.T) (d *desk, p *program, url string) {
	t.Helper()
	url, d = own(t), newDesk(t, true)
	p = d.launch()
	d.until("the window", 60*time.Second, func() bool { _, ok := d.window(); return ok })
	d.until("the guide", 20*time.Second, d.nextReady)
	return d, p, url
}

// TestGuideByKeyboard goes from the first start to the first own clip without a mouse.
func TestGuideByKeyboard(t *testing.T) {
	d, p, url := guided(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d.pressUntil("the fields of the camera", "Return", func() bool { return !d.nextReady() }) // it waits for an address
	// the address gets the focus
	time.Sleep(500 * time.Millisecond)
	d.typed(url)
	d.shot("guide-typed")
	d.keys("Return") // tests
	d.until("the picture of the camera", 40*time.Second, d.nextReady)
	d.shot("guide-tested")
	d.keys("Return") // goes on
	d.firstClip(ctx, p)
	d.until("the mail in the guide", 10*time.Second, func() bool {
		x, y, w, h := d.geometry()
		_, _, ok := find(d.shot("guide-mail"), image.Rect(x, y+60, x+w, y+h-80), color.NRGBA{0x43, 0xf4, 0x36, 0xff})
		return ok
	})
	d.keys("Return") // finishes
	d.until("the events", 10*time.Second, d.eventsShown)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

// TestGuideByMouse goes the same way with the mouse; only the address is typed.
func TestGuideByMouse(t *testing.T) {
	d, p, url := guided(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	_, _, w, h := d.geometry()
	next := func() { d.click(w/2+330, h-38) }
	next()
	time.Sleep(500 * time.Millisecond)
	d.click(w/2-60, 208) // the address
	d.typed(url)
	d.click(w/2+105, 175) // "Test camera"
	d.until("the picture of the camera", 40*time.Second, d.nextReady)
	d.shot("guide-tested-by-mouse")
	next()
	d.firstClip(ctx, p)
	next()
	d.until("the events", 10*time.Second, d.eventsShown)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.quits(p)
}

//go:build smoke && linux

// Package smoke drives the real desktop program: tray, window and notifications, under Xvfb with a window manager, a
// private D-Bus and a notification daemon. PREROLL_PROGRAM names the program; PREROLL_SHOTS a folder for screenshots.
package smoke

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/traytest"
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
	file  string // settings
	ram   string
	shots string
	log   string
}

func newDesk(t *testing.T) *desk {
	for _, tool := range []string{"Xvfb", "dbus-daemon", "openbox", "dunst", "dunstctl", "xdotool", "ffmpeg"} {
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
	// The player: a test machine has none, so what the desktop is asked to open is written down.
	script := "#!/bin/sh\necho \"$1\" >> " + filepath.Join(d.home, "opened") + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"HOME=" + d.home, "PATH=" + bin + ":" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + run, "XDG_CONFIG_HOME=" + filepath.Join(d.home, ".config"),
		"XDG_STATE_HOME=" + filepath.Join(d.home, ".state"), "XDG_CACHE_HOME=" + filepath.Join(d.home, ".cache"), "LANG=C.UTF-8", "TZ=UTC", "LIBGL_ALWAYS_SOFTWARE=1"}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.start(func(c *exec.Cmd) { c.ExtraFiles = []*os.File{w} }, "Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp")
	_ = w.Close()
	d.env = append(d.env, "DISPLAY=:"+firstLine(t, r))
	r, w, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.start(func(c *exec.Cmd) { c.ExtraFiles = []*os.File{w} }, "dbus-daemon", "--session", "--nofork", "--print-address=3")
	_ = w.Close()
	d.bus = firstLine(t, r)
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+d.bus)
	d.start(nil, "openbox")
	d.start(nil, "dunst")

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

// start starts a helper for the test's time.
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
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(d.log)
			d.shot("failed")
			d.t.Fatalf("waited %s in vain for %s; log:\n%s", limit, what, log)
		}
	}
}

// window returns the number of the program's window.
func (d *desk) window() (string, bool) {
	out, err := d.run("xdotool", "search", "--onlyvisible", "--name", "^Preroll$")
	id, _, _ := strings.Cut(out, "\n")
	return id, err == nil && id != ""
}

// click clicks a place in the window.
func (d *desk) click(x, y int) {
	d.t.Helper()
	id, ok := d.window()
	if !ok {
		d.t.Fatal("no window to click")
	}
	if out, err := d.run("xdotool", "mousemove", "--sync", "--window", id, fmt.Sprint(x), fmt.Sprint(y), "sleep", "0.2", "mousedown", "1", "sleep", "0.1", "mouseup", "1"); err != nil {
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
	if out, err := d.run("ffmpeg", "-v", "error", "-y", "-f", "x11grab", "-video_size", "1280x800", "-i", display, "-frames:v", "1", file); err != nil {
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

// colours counts how many different colours a picture has.
func colours(m image.Image) int {
	seen := map[[3]uint32]bool{}
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			r, g, bl, _ := m.At(x, y).RGBA()
			seen[[3]uint32{r, g, bl}] = true
		}
	}
	return len(seen)
}

func TestDesktop(t *testing.T) {
	program := os.Getenv("PREROLL_PROGRAM")
	if program == "" {
		t.Fatal("PREROLL_PROGRAM must name the program")
	}
	d := newDesk(t)
	host, err := traytest.Start(d.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Close() }()

	d.log = filepath.Join(d.home, "log")
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	app := exec.Command(program, "--config", d.file)
	app.Env, app.Stdout, app.Stderr = d.env, log, log
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Wait() }()
	t.Cleanup(func() { _ = app.Process.Kill() })

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	icon, err := host.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := icon.Icon(); err != nil || colours(m) < 3 {
		t.Errorf("the tray's icon: %v, %v", m, err)
	}
	d.until("the window", 60*time.Second, func() bool { _, ok := d.window(); return ok })

	// A newcomer's first click.
	client := control.NewClient(d.socket())
	defer client.Close()
	d.until("the welcome page", 20*time.Second, func() bool { return colours(d.shot("welcome")) > 50 })
	d.click(563, 371)
	d.until("the demo camera to record", 30*time.Second, func() bool {
		s, err := client.Status(ctx)
		return err == nil && len(s.Cameras) == 1 && s.Cameras[0].State == status.Recording && s.Cameras[0].PreRoll.D() > 4*time.Second
	})
	d.until("the camera in the tray's menu", 10*time.Second, func() bool {
		m, err := icon.Menu(ctx)
		_, ok := m.Find("Demo camera")
		return err == nil && ok
	})
	if err := icon.Click(ctx, "Demo camera"); err != nil {
		t.Fatal(err)
	}
	d.until("the saved clip", 60*time.Second, func() bool {
		list, err := client.Events(ctx, event.Query{})
		return err == nil && len(list) == 1 && list[0].State == event.Saved
	})
	d.until("the notification", 20*time.Second, func() bool {
		n, err := d.run("dunstctl", "count", "displayed")
		return err == nil && n == "1"
	})
	if n := colours(d.shot("events")); n < 300 { // the thumbnail is in it
		t.Errorf("the events page has %d colours", n)
	}

	// A click on the notification opens the clip.
	if out, err := d.run("dunstctl", "action", "0"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the clip to be opened", 10*time.Second, func() bool {
		b, err := os.ReadFile(filepath.Join(d.home, "opened"))
		return err == nil && strings.HasSuffix(strings.TrimSpace(string(b)), "_manual.mp4")
	})

	// Settings, and a second start raises the window that is there.
	if out, err := d.run(program, "window", "--config", d.file, "--page", "settings"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the settings page", 10*time.Second, func() bool { return colours(d.shot("settings")) > 50 })
	if out, _ := d.run("xdotool", "search", "--onlyvisible", "--name", "^Preroll$"); len(strings.Fields(out)) != 1 {
		t.Errorf("windows: %q, want one", out)
	}

	// Closing the window ends its process and nothing else; the tray opens it again.
	id, _ := d.window()
	if out, err := d.run("xdotool", "windowfocus", "--sync", id, "key", "alt+F4"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.until("the window to close", 10*time.Second, func() bool { _, ok := d.window(); return !ok })
	if _, err := client.Status(ctx); err != nil {
		t.Fatalf("the recorder went with the window: %v", err)
	}
	if err := icon.Click(ctx, "Open Preroll"); err != nil {
		t.Fatal(err)
	}
	d.until("the window again", 30*time.Second, func() bool { _, ok := d.window(); return ok })

	if err := icon.Click(ctx, "Quit"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("quit: %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = app.Process.Signal(syscall.SIGQUIT)
		time.Sleep(time.Second)
		b, _ := os.ReadFile(d.log)
		t.Fatalf("the program does not quit:\n%s", b)
	}
	if left := d.processes(d.ram); left != nil {
		t.Errorf("quit left %q", left)
	}
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "Error in Fyne call thread") || strings.Contains(string(b), "panic") {
		t.Errorf("log:\n%s", b)
	}
}

// socket is where the program listens, computed as it does in its own environment.
func (d *desk) socket() string {
	matches, err := filepath.Glob(filepath.Join(d.home, "run", "preroll-*.sock"))
	if err != nil || len(matches) != 1 {
		d.t.Fatalf("control sockets: %v, %v", matches, err)
	}
	return matches[0]
}

// processes lists the command lines that hold a text.
func (d *desk) processes(text string) (found []string) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), text) {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

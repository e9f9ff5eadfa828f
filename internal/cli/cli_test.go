package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// program builds the real program once, without a window, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "preroll-cli-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "preroll")
	cmd := exec.Command("go", "build", "-tags", "headless", "-o", path, "../..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// cleaned removes the program after the tests.
type cleaned struct{ *testing.M }

func (m cleaned) Run() int {
	code := m.M.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(cleaned{m}, map[string]func(){"preroll": preroll})
}

// box is a private home for the program.
type box struct {
	t    *testing.T
	path string
	env  []string
	file string
	home string
	s    config.Settings
}

func newBox(t *testing.T, cameras ...config.Camera) *box {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, path: path, home: t.TempDir()}
	ram := t.TempDir()
	if runtime.GOOS == "linux" {
		if ram, err = os.MkdirTemp("/dev/shm", "preroll-cli-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(ram) })
	}
	run := filepath.Join(b.home, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	b.env = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + run,
		"XDG_STATE_HOME=" + b.home + "/state", "XDG_CONFIG_HOME=" + b.home + "/config", "TMPDIR=" + os.TempDir()}
	b.s = config.Default()
	b.s.RAMDisk.Path, b.s.Archive.Path, b.s.Archive.MinFree = filepath.Join(ram, "ring"),
		filepath.Join(b.home, "archive"), 0
	b.s.Clip.PreRoll, b.s.Clip.PostRoll = config.Duration(3*time.Second), config.Duration(2*time.Second)
	b.s.SMTP.Listen = "127.0.0.1:0"
	b.s.Cameras = cameras
	b.file = filepath.Join(b.home, "preroll.toml")
	b.save()
	return b
}

func (b *box) save() {
	b.t.Helper()
	if err := config.Save(b.file, b.s); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a command to its end and returns its exit code and output.
func (b *box) run(args ...string) (int, string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.path, append(args, "--config", b.file)...)
	cmd.Env = b.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// recorder is a running `preroll record`.
type recorder struct {
	cmd  *exec.Cmd
	out  *bytes.Buffer
	done chan struct{}
}

func (b *box) record(args ...string) *recorder {
	b.t.Helper()
	return b.start(b.env, append([]string{"record", "--config", b.file}, args...)...)
}

// start starts the program with an environment.
func (b *box) start(env []string, args ...string) *recorder {
	b.t.Helper()
	r := &recorder{cmd: exec.Command(b.path, args...), out: new(bytes.Buffer), done: make(chan struct{})}
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = env, r.out, r.out
	if err := r.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.done)
	}()
	b.t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
		if b.t.Failed() {
			b.t.Logf("preroll %s printed:\n%s", strings.Join(args, " "), r.out)
		}
	})
	return r
}

func (r *recorder) end(sig os.Signal) {
	_ = r.cmd.Process.Signal(sig)
	<-r.done
}

func (b *box) until(what string, limit time.Duration, ok func() bool) {
	b.t.Helper()
	poll.Until(b.t, what, limit, ok, nil)
}

func (b *box) status() (s status.Status, ok bool) {
	code, out := b.run("status", "--json")
	return s, code == 0 && json.Unmarshal([]byte(out), &s) == nil
}

func (b *box) events() (list []event.Event) {
	_, out := b.run("events", "--json", "--limit", "100")
	_ = json.Unmarshal([]byte(out), &list)
	return list
}

func (b *box) filled(length time.Duration) {
	b.t.Helper()
	b.until("video in RAM", 60*time.Second, func() bool {
		s, ok := b.status()
		return ok && len(s.Cameras) > 0 && s.Cameras[0].PreRoll.D() >= length
	})
}

func TestWholeWayFromTheCommandLine(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	b := newBox(t, config.DemoCamera())
	if code, out := b.run("status"); code != 3 || !strings.Contains(out, "no recorder is running") {
		t.Errorf("status without a recorder: %d %s", code, out)
	}
	r := b.record()
	b.filled(5 * time.Second)
	if code, out := b.run("record"); code != 5 || !strings.Contains(out, "running already") {
		t.Errorf("a second recorder: %d %s", code, out)
	}
	if code, out := b.run("events"); code != 0 || !strings.Contains(out, "No events yet") {
		t.Errorf("no events: %d %s", code, out)
	}
	if code, out := b.run("trigger", "nobody"); code != 1 || !strings.Contains(out, "no camera with this id") {
		t.Errorf("an unknown camera: %d %s", code, out)
	}
	if code, out := b.run("check"); code != 0 || !strings.Contains(out, "Demo camera: recording") {
		t.Errorf("check: %d %s", code, out)
	}
	if code, out := b.run("trigger", "demo", "--label", "Front Gate"); code != 0 {
		t.Fatalf("trigger: %d %s", code, out)
	}
	if code, out := b.run("trigger", "--mail", "demo"); code != 0 {
		t.Fatalf("trigger --mail: %d %s", code, out)
	}
	b.until("the clip", 30*time.Second, func() bool { l := b.events(); return len(l) == 1 && l[0].State.Ended() })
	e := b.events()[0]
	if e.State != event.Saved || e.Label != "Front Gate" || e.TriggerCount != 2 ||
		!strings.HasSuffix(e.Stem, "_front-gate") {
		t.Errorf("%+v", e)
	}
	if code, out := b.run("events"); code != 0 || !strings.Contains(out, "Front Gate") ||
		!strings.Contains(out, "saved") {
		t.Errorf("events: %d %s", code, out)
	}
	if code, out := b.run("why", "demo"); code != 0 || !strings.Contains(out, "ok  ") || strings.Contains(out, "FAIL") {
		t.Errorf("why: %d %s", code, out)
	}
	if code, out := b.run("why", "--at", "tea time"); code != 2 || !strings.Contains(out, "14:05") {
		t.Errorf("why at no time: %d %s", code, out)
	}
	if code, out := b.run("pause", "15m"); code != 0 || !strings.Contains(out, "paused until") {
		t.Errorf("pause: %d %s", code, out)
	}
	if code, out := b.run("trigger", "--mail", "demo"); code != 0 {
		t.Errorf("a mail in a pause: %d %s", code, out)
	}
	if code, out := b.run("status"); code != 0 || !strings.Contains(out, "Paused until") ||
		!strings.Contains(out, "1 alarms came meanwhile") {
		t.Errorf("status in a pause: %d %s", code, out)
	}
	if code, out := b.run("pause", "-1h"); code != 2 {
		t.Errorf("a pause into the past: %d %s", code, out)
	}
	if code, out := b.run("resume"); code != 0 {
		t.Errorf("resume: %d %s", code, out)
	}
	if n := len(b.events()); n != 1 {
		t.Errorf("%d events after an alarm in a pause", n)
	}
	if code, out := b.run("reindex"); code != 0 || !strings.Contains(out, "1 events found") {
		t.Errorf("reindex: %d %s", code, out)
	}
	r.end(os.Interrupt)
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("record ended with %d", code)
	}
	if out := r.out.String(); !strings.Contains(out, "event ended") || !strings.Contains(out, "camera is recording") {
		t.Errorf("record printed %s", out)
	}
}

// TestKillNine kills Preroll at random moments of events. Every trigger that was answered must end in a clip, no FFmpeg
// may remain, and every archive file with a final name must play.
func TestKillNine(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	cam := startCamera(t)
	cfg := config.NewCamera()
	cfg.ID, cfg.URL, cfg.Username, cfg.Password = "cam", cam.URL(), "admin", "C4nary-pass"
	b := newBox(t, cfg)
	answered := 0
	for _, after := range []time.Duration{0, 300 * time.Millisecond, 2500 * time.Millisecond, 3500 * time.Millisecond} {
		r := b.record("--log-level", "debug")
		b.filled(4 * time.Second)
		if code, out := b.run("trigger", "cam"); code != 0 {
			t.Fatalf("trigger: %s", out)
		}
		answered++
		timer := time.NewTimer(after)
		<-timer.C
		r.end(os.Kill)
		b.until("FFmpeg to die", 5*time.Second, func() bool { return !running(b.s.RAMDisk.Path) })
		if strings.Contains(r.out.String(), "C4nary") {
			t.Error("the password was printed")
		}
	}
	b.record()
	b.until("all events to end", 90*time.Second, func() bool {
		list := b.events()
		for _, e := range list {
			if !e.State.Ended() {
				return false
			}
		}
		return len(list) > 0
	})
	count := 0
	for _, e := range b.events() {
		count += e.TriggerCount
		if e.State == event.Failed || len(e.Clips) == 0 {
			t.Errorf("%+v", e)
			continue
		}
		for _, c := range e.Clips {
			rep, err := camtest.Check(t.Context(),
				filepath.Join(b.s.Archive.Path, filepath.FromSlash(e.Folder), c.File), cam.Info(), e.Time)
			if err != nil {
				t.Error(err)
			} else if len(rep.Gaps) > len(e.Gaps) {
				t.Errorf("event %s has gaps %v and names %v", e.ID, rep.Gaps, e.Gaps)
			}
		}
	}
	if count != answered {
		t.Errorf("%d triggers in the events, %d were answered", count, answered)
	}
	if left, _ := filepath.Glob(filepath.Join(b.s.Archive.Path, "cam", "*", "*", "*", "*partial*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func startCamera(t *testing.T) *camtest.Camera {
	t.Helper()
	m := camtest.Small(10)
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cam, err := camtest.Start(camtest.Options{Video: file, FPS: float64(m.FPS), Auth: "digest", User: "admin",
		Pass: "C4nary-pass"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Close)
	return cam
}

// running reports whether a process has the folder in its arguments.
func running(dir string) bool {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range list {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), dir) {
			return true
		}
	}
	return false
}

// TestPortIsTaken checks that `preroll check` reports a port that is taken, and suggests a free one.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	b := newBox(t)
	b.s.SMTP.Listen = taken.Addr().String()
	b.save()
	code, out := b.run("check")
	if want := fmt.Sprintf("port %d is taken", taken.Addr().(*net.TCPAddr).Port); code != 1 ||
		!strings.Contains(out, want) || !strings.Contains(out, "is free") {
		t.Errorf("exit %d, want %q and a port that is free: %s", code, want, out)
	}
}

// TestFirstStartWritesNoSettings starts without any settings file.
func TestFirstStartWritesNoSettings(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if err := os.Remove(b.file); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(b.path, "version", "--config", b.file)
	cmd.Env = b.env
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if code, _ := b.run("check"); code != 0 && code != 1 {
		t.Errorf("check: %d", code)
	}
	if _, err := os.Stat(b.file); err == nil {
		t.Error("a settings file was written")
	}
}

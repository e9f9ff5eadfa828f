//go:build wine && linux

// Package wine tests the Windows program under wine. PREROLL_WINE names wine, and PREROLL_EXE the program. The camera
// and the check of the clip are those of this machine. `make test-windows` prepares everything.
package wine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// box is a Windows home for the program.
type box struct {
	t     *testing.T
	drive string // drive C as a folder of this machine
	home  string // name of a folder on drive C
	s     config.Settings
}

func newBox(t *testing.T, cam *camtest.Camera) *box {
	t.Helper()
	b := &box{t: t, drive: filepath.Join(os.Getenv("WINEPREFIX"), "drive_c")}
	b.home = fmt.Sprintf("preroll-%d", time.Now().UnixNano())
	if err := os.MkdirAll(b.here("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(b.here("")) })
	cfg := config.NewCamera()
	cfg.ID, cfg.URL = "gate", cam.URL()
	b.s = config.Default()
	b.s.RAMDisk.Path, b.s.Archive.Path, b.s.Archive.MinFree = b.there("ram"), b.there("archive"), 0
	b.s.Clip.PreRoll, b.s.Clip.PostRoll = config.Duration(3*time.Second), config.Duration(3*time.Second)
	b.s.SMTP.Listen = "127.0.0.1:0"
	b.s.Cameras = []config.Camera{cfg}
	b.save()
	return b
}

// save writes the settings by hand, because this machine's rules for paths are others.
func (b *box) save() {
	b.t.Helper()
	text := fmt.Sprintf("version = 1\n[ram_disk]\npath = '%s'\n[archive]\npath = '%s'\nmin_free = ''\n[clip]\n"+
		"pre_roll = '3s'\npost_roll = '3s'\n[smtp]\nlisten = '127.0.0.1:0'\n[[camera]]\nid = 'gate'\nurl = '%s'\n",
		b.s.RAMDisk.Path, b.s.Archive.Path, b.s.Cameras[0].URL)
	if err := os.WriteFile(b.here("preroll.toml"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// here and there are the path of a file as this machine and as Windows name it.
func (b *box) here(name string) string { return filepath.Join(b.drive, b.home, name) }
func (b *box) there(name string) string {
	return `C:\` + b.home + `\` + strings.ReplaceAll(name, "/", `\`)
}

// command is a command of the Windows program.
func (b *box) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{os.Getenv("PREROLL_EXE")}, args...)
	c := exec.CommandContext(ctx, os.Getenv("PREROLL_WINE"), append(args, "--config", b.there("preroll.toml"))...)
	c.Env = append(os.Environ(), "STATE_DIRECTORY="+b.there("state"))
	return c
}

func (b *box) run(args ...string) (int, string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 60*time.Second)
	defer cancel()
	c := b.command(ctx, args...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		b.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// record starts the recorder. end asks it to end as the console does, and returns its exit code.
func (b *box) record(args ...string) (end func() int) {
	b.t.Helper()
	c := b.command(context.Background(), append([]string{"record"}, args...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = c.Wait(); close(done) }()
	end = sync.OnceValue(func() int {
		_ = c.Process.Signal(os.Interrupt) // wine makes Ctrl-C of it
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			b.t.Error("the recorder does not end")
			_ = c.Process.Kill()
			<-done
		}
		return c.ProcessState.ExitCode()
	})
	b.t.Cleanup(func() {
		end()
		if b.t.Failed() {
			b.t.Logf("it printed:\n%s", out.String())
		}
	})
	return end
}

func (b *box) status() (s status.Status, ok bool) {
	code, out := b.run("status", "--json")
	return s, code == 0 && json.Unmarshal([]byte(out), &s) == nil
}

func (b *box) until(what string, ok func() bool) {
	b.t.Helper()
	poll.Until(b.t, what, 90*time.Second, ok, nil)
}

func camera(t *testing.T) *camtest.Camera {
	t.Helper()
	file, err := camtest.Small(10).File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cam, err := camtest.Start(camtest.Options{Video: file, FPS: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Close)
	return cam
}

// TestRecord records the test camera, is asked through its named pipe, saves a clip whose frames are checked one by
// one, keeps a second recorder out, and ends by Ctrl-C. wine lets two processes serve one pipe, so the second recorder
// is told by the lock of the RAM disk's folder.
func TestRecord(t *testing.T) {
	cam := camera(t)
	b := newBox(t, cam)
	if code, out := b.run("status"); code != 3 || !strings.Contains(out, "no recorder is running") {
		t.Errorf("without a recorder: %d %s", code, out)
	}
	end := b.record("--log-level", "debug")
	b.until("video in RAM", func() bool {
		s, ok := b.status()
		return ok && len(s.Cameras) == 1 && s.Cameras[0].PreRoll.D() >= 4*time.Second
	})
	if code, out := b.run("record"); code != 5 || !strings.Contains(out, "used by another Preroll") {
		t.Errorf("a second recorder: %d %s", code, out)
	}
	if code, out := b.run("trigger", "gate", "--label", "front"); code != 0 {
		t.Fatalf("trigger: %d %s", code, out)
	}
	var list []event.Event
	ended := func(n int) func() bool {
		return func() bool {
			list = nil
			_, out := b.run("events", "--json")
			_ = json.Unmarshal([]byte(out), &list)
			return len(list) == n && list[0].State.Ended()
		}
	}
	b.until("the clip", ended(1))
	b.exact(cam, list[0])

	if code := end(); code != 0 {
		t.Errorf("Ctrl-C ended it with %d", code)
	}
}

// exact checks that a clip holds each frame once.
func (b *box) exact(cam *camtest.Camera, e event.Event) {
	b.t.Helper()
	if e.State != event.Saved || len(e.Gaps) > 0 || len(e.Clips) != 1 {
		b.t.Fatalf("%+v", e)
	}
	rep, err := camtest.Check(b.t.Context(), filepath.Join(b.here("archive"), filepath.FromSlash(e.Folder),
		e.Clips[0].File),
		cam.Info(), e.Time)
	if err != nil {
		b.t.Fatal(err)
	}
	if rep.Gaps != nil || rep.Frames < 60 {
		b.t.Errorf("%d frames, gaps %v", rep.Frames, rep.Gaps)
	}
}

// TestFirstStart starts without settings and without a RAM disk, as everybody does on Windows. Preroll must run, so
// that its guide can ask for one.
func TestFirstStart(t *testing.T) {
	b := newBox(t, camera(t))
	if err := os.Remove(b.here("preroll.toml")); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.until("a recorder that misses its RAM disk", func() bool {
		s, ok := b.status()
		return ok && len(s.Problems) > 0 && strings.Contains(s.Problems[0].Code+s.Problems[len(s.Problems)-1].Code,
			"ram")
	})
}

// TestPaths tries folders that Windows treats in its own way.
func TestPaths(t *testing.T) {
	cam := camera(t)
	b := newBox(t, cam)
	long := strings.Repeat(`a long name for a folder\`, 12) + "clips"
	for _, tc := range []struct {
		name, path string
		code       int
		says       string
	}{
		{"a reserved name", b.there("NUL"), 4, "archive.path"},
		{"no drive letter", `\clips`, 4, "must be a full path"},
		{"a drive that is not there", `Q:\clips`, 4, "archive.path"},
		{"slashes", "C:/" + b.home + "/with slashes", 0, ""},
		{"longer than 260 letters", b.there(long), 0, ""},
		{"a share that nobody has", `\\nobody\clips\x`, 4, "archive.path"},
	} {
		b.s.Archive.Path = tc.path
		if tc.code == 0 {
			parent := filepath.Dir(strings.ReplaceAll(strings.TrimPrefix(strings.ReplaceAll(tc.path, "/", `\`), `C:\`),
				`\`, "/"))
			if err := os.MkdirAll(filepath.Join(b.drive, parent), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		b.save()
		code, out := b.run("settings", "check", b.there("preroll.toml"))
		if code != tc.code || !strings.Contains(out, tc.says) {
			t.Errorf("%s: %d, %s", tc.name, code, out)
		}
	}
}

// TestService tries the commands of the service, whose manager wine has in part.
func TestService(t *testing.T) {
	b := newBox(t, camera(t))
	if code, out := b.run("service", "status"); code != 1 || !strings.Contains(out, "not installed") {
		t.Errorf("before it is installed: %d %s", code, out)
	}
	if code, out := b.run("service", "start"); code == 0 {
		t.Errorf("started: %s", out)
	}
	if code, out := b.run("service", "explode"); code != 2 {
		t.Errorf("an action that does not exist: %d %s", code, out)
	}
}

// TestRAMDisk checks that an ordinary drive is not taken for memory.
func TestRAMDisk(t *testing.T) {
	b := newBox(t, camera(t))
	if err := os.MkdirAll(b.here("ram"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, out := b.run("check")
	if !strings.Contains(out, "warn  RAM disk") || !strings.Contains(out, b.there("ram")) {
		t.Errorf("%s", out)
	}
}

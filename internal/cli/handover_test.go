package cli_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"github.com/preroll/preroll/internal/cli"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// desk is the desktop program in this process, with a tray that does nothing, beside a service in a process of its own.
type desk struct {
	*box
	camera  *camtest.Camera
	client  *control.Client // of whichever recorder runs
	service []string        // environment of the service
	out     *output
}

// output is what the desktop program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// newDesk starts the desktop program. It records.
func newDesk(t *testing.T) *desk {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be asked to end by a signal")
	}
	poll.RealTime(t)
	file, err := camtest.Small(10).File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cam, err := camtest.Start(camtest.Options{Video: file, FPS: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Close)
	cfg := config.NewCamera()
	cfg.ID, cfg.URL = "gate", cam.URL()
	d := &desk{box: newBox(t, cfg), camera: cam, out: &output{}}
	d.s.Clip.PostRoll = config.Duration(10 * time.Second)
	d.s.SMTP.Listen, d.s.Archive.MinFree = "127.0.0.1:0", 0
	d.file = filepath.Join(d.home, "config", "preroll", "preroll.toml") // the default: its desktop joins the service
	d.save()
	system := filepath.Join(d.home, "run", "system")
	if err := os.Mkdir(system, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range append(d.env, "DISPLAY=:none", "RUNTIME_DIRECTORY="+system) {
		k, v, _ := strings.Cut(e, "=")
		t.Setenv(k, v)
	}
	xdg.Reload()
	d.service = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(d.home, "service"))
	p, err := config.PathsOf("")
	if err != nil {
		t.Fatal(err)
	}
	d.client = control.NewClient(p.Sockets()...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"--background"}, d.out, d.out, cli.Desktop{
			Tray: func(ctx context.Context, _ cli.TrayOptions) error { <-ctx.Done(); return nil }})
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("the desktop program ended with %d", code)
		}
		d.client.Close()
		if t.Failed() {
			t.Logf("it printed:\n%s", d.out)
		}
	})
	d.recorder(p.File)
	return d
}

// serve starts the service of the user, or with "--system" that of the machine.
func (d *desk) serve(args ...string) *recorder {
	d.t.Helper()
	env := d.env
	if len(args) > 0 {
		env = d.service
	}
	return d.start(env, append([]string{"record", "--take-over"}, args...)...)
}

// recorder waits until the recorder that answers uses a settings file, and returns its status.
func (d *desk) recorder(file string) (s status.Status) {
	d.t.Helper()
	poll.Until(d.t, "a recorder with "+file, 40*time.Second, func() bool {
		var err error
		s, err = d.client.Status(d.t.Context())
		return err == nil && s.Settings == file
	}, d.out.String)
	return s
}

// filledRing waits until the ring of the recorder that answers is as long as the pre-roll.
func (d *desk) filledRing() {
	d.t.Helper()
	poll.Until(d.t, "video in RAM", 40*time.Second, func() bool {
		s, err := d.client.Status(d.t.Context())
		return err == nil && len(s.Cameras) == 1 && s.Cameras[0].PreRoll.D() >= 4*time.Second
	}, d.out.String)
}

// trigger begins an event at the recorder that answers, and returns its id.
func (d *desk) trigger() string {
	d.t.Helper()
	id, err := d.client.Trigger(d.t.Context(), "gate", "test")
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

// whole waits for the end of an event, in the archive at root, and checks that its clip has every frame once.
func (d *desk) whole(id, root string) {
	d.t.Helper()
	var e event.Event
	poll.Until(d.t, "the end of the event", 60*time.Second, func() bool {
		var err error
		e, err = d.client.Event(d.t.Context(), id)
		return err == nil && e.State.Ended()
	}, d.out.String)
	d.complete(e, root)
}

func (d *desk) complete(e event.Event, root string) {
	d.t.Helper()
	if e.State != event.Saved || len(e.Gaps) > 0 || len(e.Clips) != 1 {
		d.t.Fatalf("%+v", e)
	}
	rep, err := camtest.Check(d.t.Context(), filepath.Join(root, filepath.FromSlash(e.Folder), e.Clips[0].File),
		d.camera.Info(), e.Time)
	if err != nil {
		d.t.Fatal(err)
	}
	if rep.Gaps != nil || rep.Last.Before(e.LastTrigger.Add(9*time.Second)) {
		d.t.Errorf("gaps %v; it ends %s after its trigger", rep.Gaps, rep.Last.Sub(e.LastTrigger))
	}
}

// TestServiceOfUser starts the service of the same user beside a desktop that records, and stops it again, both during
// one event. The two go on with each other's work, so no frame is lost.
func TestServiceOfUser(t *testing.T) {
	d := newDesk(t)
	d.filledRing()
	before := d.recorder(d.file)
	id := d.trigger()
	s := d.serve()
	var during status.Status
	poll.Until(t, "the service to take over", 30*time.Second, func() bool {
		during = d.recorder(d.file)
		return !during.Started.Equal(before.Started)
	}, d.out.String)
	<-time.After(2 * time.Second)
	s.end(syscall.SIGTERM)
	after := d.recorder(d.file)
	if after.Started.Equal(during.Started) {
		t.Error("the desktop did not take over")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the service ended with %d", code)
	}
	d.whole(id, d.s.Archive.Path)
}

// TestServiceOfMachine starts the service of the machine, which has its own settings, beside a desktop that records,
// and stops it again, each during an event. Each finishes its own event before it ends.
func TestServiceOfMachine(t *testing.T) {
	d := newDesk(t)
	state := filepath.Join(d.home, "service")
	file := filepath.Join(state, "preroll.toml")
	own := d.s
	own.Archive.Path, own.RAMDisk.Path = filepath.Join(state, "clips"), own.RAMDisk.Path+"-service"
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := config.Save(file, own); err != nil {
		t.Fatal(err)
	}
	d.filledRing()
	id := d.trigger()
	s := d.serve("--system")
	e := func() event.Event { // as long as the desktop's recorder answers
		var e event.Event
		poll.Until(t, "the desktop to end", 60*time.Second, func() bool {
			got, err := d.client.Event(t.Context(), id)
			if err == nil {
				e = got
			}
			return err != nil || got.State.Ended()
		}, d.out.String)
		return e
	}()
	if e.ID != id {
		t.Fatalf("%+v", e)
	}
	d.recorder(file)
	d.filledRing()
	if code, out := d.plain("status"); code != 0 || !strings.Contains(out, own.RAMDisk.Path) {
		t.Errorf("a command asks another recorder: %d %s", code, out)
	}

	second := d.trigger()
	s.end(syscall.SIGTERM) // returns when the service has finished
	d.recorder(d.file)
	d.whole(id, d.s.Archive.Path)

	// The service has finished its event, too.
	d.serve("--system")
	d.recorder(file)
	d.whole(second, own.Archive.Path)
}

// plain runs a command without --config.
func (d *desk) plain(args ...string) (int, string) {
	cmd := exec.CommandContext(d.t.Context(), d.path, args...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestSecondTray starts the desktop program a second time, which only has the first one open its window and ends.
func TestSecondTray(t *testing.T) {
	d := newDesk(t)
	done := cli.Desktop{Tray: func(context.Context, cli.TrayOptions) error { return nil }}
	if code := cli.Run(t.Context(), nil, d.out, d.out, done); code != 0 {
		t.Errorf("it ended with %d: %s", code, d.out)
	}
	d.recorder(d.file)
}

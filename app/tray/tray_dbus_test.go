//go:build linux && !race

package tray

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/internal/testing/traytest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// fake is a recorder that logs calls and shows what the test sets.
type fake struct {
	control.Recorder
	changed chan struct{}

	mu     sync.Mutex // guards the fields below
	status status.Status
	events []event.Event
	calls  []string
}

func (f *fake) Status(context.Context) status.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fake) Events(context.Context, event.Query) ([]event.Event, error) { return nil, nil }

func (f *fake) Trigger(_ context.Context, camera string, _ event.Trigger) (string, error) {
	f.call("save " + camera)
	return "1", nil
}

func (f *fake) Pause(until time.Time) {
	f.call("pause for " + time.Until(until).Round(time.Minute).String())
	f.change(func() { f.status.Pause = status.Pause{On: true, Until: until} })
}

func (f *fake) EndPause() {
	f.call("resume")
	f.change(func() { f.status.Pause = status.Pause{} })
}

func (f *fake) call(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
}

func (f *fake) called(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.calls, what)
}

func (f *fake) change(do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fake) Changes() <-chan struct{} { return f.changed }

func (f *fake) Drain() (bool, []event.Event, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.events
	f.events = nil
	return true, events, nil
}

func (f *fake) Close() {}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.Until(t, what, 20*time.Second, ok, nil)
}

// TestTray drives the whole tray on a private bus. The test runs in its own process, because fyne.io/systray can run
// only once per process. The race detector leaves the test out, because systray counts the revisions of its menu under
// two different locks.
func TestTray(t *testing.T) {
	if os.Getenv("PREROLL_TEST_TRAY") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTray$", "-test.count", "1")
		cmd.Env = append(os.Environ(), "PREROLL_TEST_TRAY=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	panel, err := traytest.Start(traytest.Bus(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = panel.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()

	archive := t.TempDir()
	var jpg bytes.Buffer
	if err := errors.Join(jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 480, 270)), nil),
		os.WriteFile(filepath.Join(archive, "x.jpg"), jpg.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	places := config.Paths{Socket: filepath.Join(t.TempDir(), "s")}
	f := &fake{changed: make(chan struct{}, 1), status: status.Status{
		Cameras: []status.Camera{camera("a", "Front_door & more", status.Recording),
			camera("b", "Yard", status.Recording)}, Archive: status.Archive{Path: archive}}}
	ln, err := control.Listen(places.Socket, "")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- control.Serve(serving, ln, f, func() control.Watcher { return f }) }()
	ran := make(chan error, 1)
	go func() { ran <- Run(ctx, Options{Paths: places, Log: slog.New(slog.DiscardHandler)}) }()

	icon, err := panel.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	has := func(label string) func() bool {
		return func() bool {
			m, err := icon.Menu(ctx)
			_, ok := m.Find(label)
			return err == nil && ok
		}
	}
	tooltip := func(want string) func() bool {
		return func() bool {
			got, err := icon.Tooltip()
			return err == nil && got == want
		}
	}
	until(t, "a name with signs in it", has("Front_door & more"))
	until(t, "the tooltip", tooltip("Preroll: recording 2 cameras"))
	middle := func() color.NRGBA {
		m, err := icon.Icon()
		if err != nil {
			t.Fatal(err)
		}
		return color.NRGBAModel.Convert(m.At(32, 35)).(color.NRGBA)
	}
	if c := middle(); c.R < 200 || c.B > 100 {
		t.Errorf("the middle of the icon while recording is %v", c)
	}
	click := func(label string) {
		t.Helper()
		until(t, label, func() bool { return icon.Click(ctx, label) == nil })
	}
	click("Yard")
	until(t, "the clip of one camera", func() bool { return f.called("save b") && !f.called("save a") })
	click("All cameras")
	until(t, "the clips of all cameras", func() bool { return f.called("save a") })

	before, err := icon.Menu(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // only numbers change, and in the last round the tooltip
		f.change(func() {
			f.status.RAM.Used, f.status.Cameras = int64(i), slices.Clone(f.status.Cameras)
			f.status.Cameras[0].PreRoll = event.Seconds(time.Duration(i) * time.Second)
			if i == 4 {
				f.status.Problems = []status.Problem{{Code: "archive-gone", About: "archive",
					Text: text.Plain("The drive is gone")}}
			}
		})
		time.Sleep(50 * time.Millisecond)
	}
	until(t, "the trouble", tooltip("Preroll: The drive is gone"))
	after, err := icon.Menu(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if before.Kids[0].ID != after.Kids[0].ID {
		t.Error("the menu was rebuilt for numbers")
	}
	f.change(func() {
		f.status.Problems = nil
		f.events = []event.Event{{ID: "1", CameraName: "Yard", Label: "car", Time: time.Now(), State: event.Recording}}
	})
	until(t, "the saving icon", func() bool { c := middle(); return c.B > 200 })
	f.change(func() {
		f.events = []event.Event{{ID: "1", CameraName: "Yard", Label: "car",
			Time: time.Date(2026, 1, 2, 3, 4, 0, 0, time.Local), State: event.Saved, SavedAt: time.Now(),
			Clips: []event.Clip{{File: "x.mp4"}}, Thumbnail: "x.jpg"}}
	})
	until(t, "the event in the menu", has("2026-01-02 03:04  Yard: car"))
	until(t, "its picture", func() bool {
		m, err := icon.Menu(ctx)
		n, _ := m.Find("2026-01-02 03:04  Yard: car")
		c, _, perr := image.DecodeConfig(bytes.NewReader(n.Icon))
		return err == nil && perr == nil && c.Width == iconSize && c.Height == iconSize
	})

	click("For 1 hour")
	until(t, "the pause", func() bool { return f.called("pause for 1h0m0s") })
	until(t, "the menu to offer its end", has("Resume"))
	click("Resume")
	until(t, "the end of the pause", func() bool { return f.called("resume") })
	until(t, "the menu to offer a pause", has("For 15 minutes"))

	if err := Run(ctx, Options{Paths: places, Page: "events"}); err != nil {
		t.Errorf("a second start: %v", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("the recorder: %v", err)
	}
	until(t, "the recorder to be missed", tooltip("Preroll is not recording"))
	if err := instance.Send(ctx, places, instance.Tray, instance.Request{Quit: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Errorf("the tray: %v", err)
	}
	if err := instance.Send(ctx, places, instance.Tray, instance.Request{Quit: true}); err == nil {
		t.Error("the tray still listens")
	}
}

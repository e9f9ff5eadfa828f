package recorder

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// TestWeb switches the web pages on and off by the settings, and pairs a device.
func TestWeb(t *testing.T) {
	state := t.TempDir()
	s := testSettings(t)
	hosts := make(chan control.WebHost, 10)
	serve := func(ctx context.Context, h control.WebHost) error {
		ln, err := net.Listen("tcp", h.Settings.Listen)
		if err != nil {
			return err
		}
		h.Listening(ln.Addr().String())
		hosts <- h
		<-ctx.Done()
		return ln.Close()
	}
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: s, Log: slog.New(slog.DiscardHandler), Web: serve})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, _, err := r.PairingCode(); !errors.Is(err, text.WebIsOff.Error()) {
		t.Errorf("a code without pages: %v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Web.Listen = taken.Addr().String()
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the problem of a taken port", 10*time.Second, func() bool {
		for _, p := range r.Status(ctx).Problems {
			if p.Code == "web" && strings.Contains(p.Hint.String(), "preroll web on") {
				return true
			}
		}
		return false
	}, nil)
	_ = taken.Close()
	s.Web.Listen = "127.0.0.1:0"
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	h := <-hosts
	if w := r.Status(ctx).Web; w.Listen == "" || !w.Error.IsZero() {
		t.Errorf("got %+v", w)
	}

	code, until, err := r.PairingCode()
	if err != nil || time.Until(until) < 9*time.Minute {
		t.Fatalf("got %q until %s, %v", code, until, err)
	}
	if _, _, err := h.Pair("WRONG", "x"); !errors.Is(err, access.ErrCode) {
		t.Errorf("a wrong code: %v", err)
	}
	d, token, err := h.Pair(code, " My\x00 phone ")
	if err != nil || d.Name != "My phone" {
		t.Fatalf("got %+v, %v", d, err)
	}
	code, _, _ = r.PairingCode()
	second, _, err := h.Pair(code, "my phone")
	if err != nil || second.Name != "my phone 2" {
		t.Errorf("the same name: got %+v, %v", second, err)
	}
	if got, ok := h.Device(token); !ok || got.ID != d.ID {
		t.Errorf("got %+v, %t", got, ok)
	}
	if c, err := h.Certificate(); err != nil || len(c.Certificate) == 0 {
		t.Errorf("the certificate: %v", err)
	}
	err = h.SetWord(d.ID, &status.Push{Endpoint: "https://192.0.2.1/"})
	if !errors.Is(err, text.NoPushService.Error()) {
		t.Errorf("word to any address: %v", err)
	}
	if err := h.SetWord(d.ID, &status.Push{Endpoint: "https://fcm.googleapis.com/x", Key: "k", Auth: "a"}); err != nil {
		t.Error(err)
	}
	key, err := h.PushKey()
	if again, err2 := h.PushKey(); err != nil || err2 != nil || len(key) < 80 || again != key {
		t.Errorf("the key for push services: %q, %q, %v", key, again, errors.Join(err, err2))
	}
	if l := r.Status(ctx).Targets; len(l) != 1 || l[0].Name != "My phone" || l[0].Kind != config.Push ||
		!r.Devices()[0].Word {
		t.Errorf("the targets are %+v", l)
	}
	if len(r.Callers()) != 0 {
		t.Error("a device may call too")
	}
	if err := r.RemoveDevice(d.ID); err != nil {
		t.Fatal(err)
	}
	if len(r.Status(ctx).Targets) != 0 {
		t.Error("a removed device gets word")
	}
	if _, ok := h.Device(token); ok || len(r.Devices()) != 1 {
		t.Error("a removed device is let in")
	}
	s.Web.Listen = ""
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "no pages", 10*time.Second, func() bool { return r.Status(ctx).Web.Listen == "" }, nil)
}

// TestAway keeps over a restart whether the user is away.
func TestAway(t *testing.T) {
	state, s := t.TempDir(), testSettings(t)
	for _, step := range []struct{ was, becomes bool }{{false, true}, {true, true}, {true, false}, {false, false}} {
		paths := config.Paths{File: filepath.Join(state, "preroll.toml"), State: state}
		r, err := New(t.Context(), Options{Paths: paths, Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Status(t.Context()).Away; got != step.was {
			t.Errorf("after a restart: away is %t", got)
		}
		if err := r.SetAway(step.becomes); err != nil || r.Status(t.Context()).Away != step.becomes {
			t.Errorf("set to %t: %v", step.becomes, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFilesOfEvents opens only what an event names, and only plain files.
func TestFilesOfEvents(t *testing.T) {
	state := t.TempDir()
	s := testSettings(t)
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	e := event.Event{ID: "e1", Camera: "gate", State: event.Saved, Time: time.Now()}
	if err := r.archive.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.archive.Reserve(&e); err != nil {
		t.Fatal(err)
	}
	e.Clips = []event.Clip{{File: "clip.mp4"}, {File: "link.mp4"}, {File: "../../secret"}, {File: "folder"},
		{File: "gone.mp4"}}
	e.Parts = []event.Part{{File: "growing.partial.mp4"}}
	if err := r.archive.Put(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(e.Path(s.Archive.Path, "x"))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{filepath.Join(folder, "clip.mp4"): "video",
		filepath.Join(folder, "growing.partial.mp4"): "part", filepath.Join(folder, "other.mp4"): "of nobody",
		filepath.Join(folder, "..", "..", "secret"): "secret"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("clip.mp4", filepath.Join(folder, "link.mp4")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"clip.mp4": "video", "growing.partial.mp4": "part", "link.mp4": "",
		"other.mp4": "", "../../secret": "", "folder": "", "gone.mp4": "", "": "", "x.json": ""} {
		f, err := r.Open(t.Context(), "e1", name)
		var b []byte
		if err == nil {
			b, _ = io.ReadAll(f)
			_ = f.Close()
		}
		if string(b) != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", name, b, err)
		}
	}
	if _, err := r.Open(t.Context(), "e2", "clip.mp4"); err == nil {
		t.Error("an event that there is not was opened")
	}
}

// TestSmallStream reads a camera's small stream only while somebody asks for it, and leaves nothing of it.
func TestSmallStream(t *testing.T) {
	large := startCamera(t, camtest.Small(10), camtest.Options{})
	small := startCamera(t, camtest.Small(10), camtest.Options{})
	front, back := testCamera("front", large), testCamera("back", large)
	front.URLSmall = small.URL()
	state := t.TempDir()
	s := testSettings(t, front, back)
	left := filepath.Join(s.RAMDisk.Path, "front", "small", "ring")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.RAMDisk.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "r0000000000001-init.mp4"), []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, state)
	poll.Until(t, "the camera", 20*time.Second, func() bool {
		return r.Status(t.Context()).Cameras[0].PreRoll > 0
	}, nil)
	if _, err := os.Stat(filepath.Dir(left)); err == nil {
		t.Error("what an earlier process left of the small stream is still there")
	}
	if n := small.Viewers(); n != 0 {
		t.Errorf("%d read the small stream before anybody watches", n)
	}
	if _, err := r.Spans("back", true); !errors.Is(err, camera.ErrNoSmall) {
		t.Errorf("a camera without one: got %v", err)
	}
	poll.Until(t, "the small stream", 20*time.Second, func() bool {
		list, err := r.Spans("front", true)
		return err == nil && len(list) > 0
	}, nil)
	if n := small.Viewers(); n != 1 || !r.Status(t.Context()).Cameras[0].Small {
		t.Errorf("%d read the small stream, want 1", n)
	}
	watching, over := context.WithCancel(t.Context()) // somebody watches while settings are applied
	var watchers sync.WaitGroup
	for range 4 {
		watchers.Go(func() {
			for watching.Err() == nil {
				_, _ = r.Spans("front", true)
				r.Status(watching)
			}
		})
	}
	for range 20000 { // locks that are taken in two orders would meet
		r.cameras.Apply(true)
	}
	over()
	watchers.Wait()
	id, err := r.Trigger(t.Context(), "front", event.Trigger{Time: time.Now(), Source: event.Manual})
	if err != nil {
		t.Fatal(err)
	}

	// Another address ends it, and so does the camera's end.
	s = r.Settings()
	s.Cameras[0].URLSmall = ""
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the end of the small stream", 20*time.Second, func() bool { return small.Viewers() == 0 }, nil)
	poll.Until(t, "nothing left", 10*time.Second, func() bool {
		_, err := os.Stat(filepath.Dir(left))
		return errors.Is(err, os.ErrNotExist)
	}, nil)
	s.Cameras[0].URLSmall = small.URL()
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Spans("front", true); err != nil {
		t.Error(err)
	}
	poll.Until(t, "the event", 20*time.Second, func() bool {
		e, err := r.Event(t.Context(), id)
		return err == nil && e.State.Ended()
	}, nil)
	r.stop()
	if n := small.Viewers(); n != 0 {
		t.Errorf("%d read the small stream after the end", n)
	}
}

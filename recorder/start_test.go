package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// leave creates in RAM what an earlier process may have left: open events without video, and empty folders of somebody
// else. It returns the folder of the pins.
func leave(t testing.TB, s config.Settings, notes, strangers int) (pins string) {
	t.Helper()
	pins = filepath.Join(s.RAMDisk.Path, "cam", "pins")
	now := time.Now().Add(-time.Hour)
	for i := range notes {
		id := fmt.Sprintf("20261128T100000.%03dZ-aaaaaa", i)
		b, err := json.Marshal(event.Event{ID: id, Camera: "cam", Time: now, State: event.Recording, From: now,
			Until: now.Add(time.Second), Hold: id})
		if err == nil {
			err = os.MkdirAll(filepath.Join(pins, id), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(pins, id, "event.json"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range strangers {
		if err := os.Mkdir(filepath.Join(pins, fmt.Sprintf("stranger-%d", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return pins
}

// BenchmarkStart starts with 600 open events and 25,000 foreign folders in RAM, and measures the time until the mail
// server listens.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		s := config.Default()
		s.RAMDisk.Path, s.Archive.Path, s.Archive.MinFree, s.SMTP.Listen = filepath.Join(dir, "ram"),
			filepath.Join(dir, "archive"), 0, "127.0.0.1:0"
		cfg := config.NewCamera()
		cfg.ID, cfg.URL = "cam", "rtsp://127.0.0.1:9/none"
		s.Cameras = []config.Camera{cfg}
		leave(b, s, 600, 25_000)
		state := filepath.Join(dir, "state")
		b.StartTimer()
		r, err := New(b.Context(), Options{Paths: config.Paths{File: filepath.Join(dir, "preroll.toml"),
			State: state}, Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for r.Status(ctx).SMTP.Listen == "" {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// TestStartListensBeforeItRecalls checks that mails are answered and cameras record during the recall of what an
// earlier process left in RAM, or somebody else put there.
func TestStartListensBeforeItRecalls(t *testing.T) {
	t.Parallel()
	const notes, strangers = 150, 5000
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	pins := leave(t, s, notes, strangers)
	began := time.Now()
	r := start(t, s, t.TempDir())
	r.wait("the mail server", 20*time.Second, func() bool { return r.Status(t.Context()).SMTP.Listen != "" })
	listening := time.Since(began)
	r.mail("cam", "Motion", "")
	t.Logf("it listened after %s, and a mail was answered after %s", listening.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond))
	r.wait("the end of all", 100*time.Second, func() bool {
		n, err := r.archive.Unfinished(t.Context())
		list, lerr := os.ReadDir(pins)
		return err == nil && lerr == nil && len(n) == 0 && len(list) == 0
	})
	if n, _, err := r.archive.Totals(t.Context()); n != notes+1 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestOneRecorderAFolder checks that a second recorder on the same RAM folder or the same archive does not start, and
// that its error names the process that uses the folder.
func TestOneRecorderAFolder(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	r := start(t, s, t.TempDir())
	r.filled("demo", 3*time.Second)
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	r.ended("demo", 1, 60*time.Second)
	other := testSettings(t, config.DemoCamera())
	for name, change := range map[string]func(*config.Settings){
		"RAM":     func(s *config.Settings) { s.Archive.Path = other.Archive.Path },
		"archive": func(s *config.Settings) { s.RAMDisk.Path = other.RAMDisk.Path },
	} {
		second := s.Clone()
		change(&second)
		state := t.TempDir()
		_, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"),
			State: state}, Settings: second, Log: slog.New(slog.DiscardHandler)})
		var taken *lockfile.InUseError
		if !errors.As(err, &taken) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.stop()
	r = start(t, s, t.TempDir())
	r.filled("demo", 2*time.Second)
}

// TestOneSettingBesideAnother checks that a setting can be changed while the folder of another setting is away.
func TestOneSettingBesideAnother(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	away := filepath.Join(t.TempDir(), "not", "plugged", "in")
	s.Archive.Path = away
	r := start(t, s, t.TempDir())
	next := s.Clone()
	next.Cameras[0].Name = "Renamed"
	if err := r.Apply(next); err != nil {
		t.Errorf("a name was not changed: %v", err)
	}
	next.Archive.Path = filepath.Join(away, "other")
	var faults config.ValidationErrors
	if err := r.Apply(next); !errors.As(err, &faults) || len(faults) != 1 || faults[0].Key != "archive.path" {
		t.Errorf("an archive that is not there was taken: %v", err)
	}
}

// TestKilledAndAway checks that an event whose recorder was stopped says that Preroll was not running, and not that its
// camera sent nothing.
func TestKilledAndAway(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(2*time.Second), config.Duration(12*time.Second)
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("cam", 4*time.Second)
	at := r.mail("cam", "Motion", "")
	r.wait("the first bytes", 10*time.Second, func() bool {
		l := r.events("cam")
		return len(l) == 1 && len(l[0].Parts) == 1
	})
	r.stop()
	time.Sleep(4 * time.Second)
	r = start(t, s, state)
	e := r.ended("cam", 1, 60*time.Second)[0]
	if e.State != event.Incomplete || !strings.Contains(e.Reason, "Preroll was not running") ||
		strings.Contains(e.Reason, "no picture") {
		t.Errorf("%s: %s", e.State, e.Reason)
	}
	found, err := r.Why(t.Context(), "cam", at.Add(3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, f := range found {
		said += f.Text.String() + "\n"
	}
	if !strings.Contains(said, "not running") {
		t.Errorf("why says: %+v", found)
	}
}

package recorder

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// TestWhyAndVerify asks a running recorder why, and reads its clip back, also after damage.
func TestWhyAndVerify(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("gate", cam), config.NewCamera())
	s.Clip.PreRoll = config.Duration(2 * time.Second)
	s.Cameras[1].ID, s.Cameras[1].URL, s.Cameras[1].Enabled = "door", "rtsp://127.0.0.1:1/x", false
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("gate", 4*time.Second)
	first := func(camera string, at time.Time) status.Finding {
		t.Helper()
		list, err := r.Why(t.Context(), camera, at)
		if err != nil || len(list) == 0 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0]
	}
	r.wait("the camera in the history", 10*time.Second, func() bool {
		return strings.Contains(said(first("gate", time.Now())), "No mail came from this camera")
	})
	if f := first("gate", time.Now().Add(-time.Hour)); !strings.HasPrefix(f.Text.String(),
		"Preroll was not running, or was killed, before") {
		t.Error(said(f))
	}
	r.mail("door", "Motion", "")
	r.wait("the mail for a camera that is off", 10*time.Second, func() bool {
		return strings.Contains(said(first("door", time.Now())), "switched off")
	})
	r.mail("stranger", "Motion", "")
	r.wait("the mail that fits no camera", 10*time.Second, func() bool {
		return strings.Contains(said(first("gate", time.Now())), `fits no camera: "Motion"`)
	})
	at := r.mail("gate", "Motion", "")
	e := r.ended("gate", 1, 60*time.Second)[0]
	r.wait("the event", 10*time.Second, func() bool {
		return strings.HasPrefix(first("gate", at).Text.String(),
			"The event of "+e.Time.Local().Format("15:04:05")+" is saved")
	})
	if _, err := r.Why(t.Context(), "nobody", at); !errors.Is(err, ErrNoCamera) {
		t.Error(err)
	}

	verdict := func() status.VerifyResult {
		t.Helper()
		v, err := r.Verify(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verdict(); !v.OK || v.Frames != e.Clips[0].Frames ||
		!strings.HasPrefix(v.Text.String(), "The clip is whole: ") ||
		(v.Length.D()-e.Length()).Abs() > 150*time.Millisecond {
		t.Errorf("%+v", v)
	}
	testVerify(t, r, e)
	if _, err := r.Verify(t.Context(), "nobody"); err == nil {
		t.Error("an event that does not exist was read back")
	}
	days, err := r.Days(t.Context(), event.Query{Text: "MOTION"})
	if err != nil || len(days) != 1 || days[0].Events != 1 {
		t.Errorf("%v, %v", days, err)
	}
	if n, err := r.Next(t.Context()); err != nil || n == nil || n.Event.ID != e.ID || n.Why != "max_age" {
		t.Errorf("%+v, %v", n, err)
	}
	if err := r.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	r.wait("the removal", 10*time.Second, func() bool {
		return strings.Contains(first("gate", at).Text.String(), "It was removed by hand")
	})
	if got := first("gate", at).Hint; !got.Is(text.InTrashHint) {
		t.Errorf("an event in the trash: %q", got)
	}
	if _, err := r.Restore(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if got := first("gate", at).Text.String(); !strings.Contains(got, "is saved") {
		t.Errorf("an event that is back: %q", got)
	}
	if err := r.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}

	// The next process must know what this process recorded, and when this process ended.
	r.stop()
	stopped := time.Now()
	r = start(t, s, state)
	r.wait("the mail server", 10*time.Second, func() bool { return r.Status(t.Context()).SMTP.Listen != "" })
	r.wait("the end in the history", 10*time.Second, func() bool {
		list, err := r.Why(t.Context(), "gate", at)
		return err == nil && strings.Contains(list[0].Text.String(), "It was removed by hand")
	})
	list, err := r.history.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[history.Kind]int{}
	for _, n := range list {
		kinds[n.Kind]++
		if n.Kind == history.Stopped && n.Time.After(stopped) {
			t.Errorf("%+v", n)
		}
	}
	if kinds[history.Started] < 1 || kinds[history.Stopped] != 1 || kinds[history.Mail] != 1 ||
		kinds[history.MailOff] != 1 || kinds[history.MailUnmatched] != 1 || kinds[history.Removed] != 2 {
		t.Errorf("%v", kinds)
	}
}

// said formats a finding as a line.
func said(f status.Finding) string {
	mark := "!"
	switch {
	case f.Warn:
		mark = "?"
	case f.OK:
		mark = "+"
	}
	return mark + " " + f.About.String() + ": " + f.Text.String()
}

// TestWhyKnowsAKilledProcess asks for a time after the previous process was killed and before this one started.
func TestWhyKnowsAKilledProcess(t *testing.T) {
	s := testSettings(t)
	if err := os.MkdirAll(s.RAMDisk.Path, 0o750); err != nil {
		t.Fatal(err)
	}
	killed := time.Now().Add(-10 * time.Minute)
	alive := filepath.Join(s.RAMDisk.Path, alive)
	if err := os.WriteFile(alive, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(alive, killed, killed); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	h := history.New(state, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	h.Add(history.Entry{Time: killed.Add(-time.Hour), Kind: history.Started})
	h.Add(history.Entry{Time: killed.Add(-time.Hour), Kind: history.Listening})
	written := make(chan struct{})
	go func() { defer close(written); h.Run(ctx) }()
	cancel()
	<-written
	r := start(t, s, state)
	at := killed.Add(5 * time.Minute)
	layout := "15:04:05"
	if killed.Day() != time.Now().Day() { // this test runs soon after midnight
		layout = "2006-01-02 15:04:05"
	}
	r.wait("the outage", 10*time.Second, func() bool {
		list, err := r.Why(t.Context(), "", at)
		return err == nil && len(list) == 1 &&
			strings.HasPrefix(list[0].Text.String(), "Preroll was not running from "+killed.Format(layout))
	})
	if list, err := r.Why(t.Context(), "", killed.Add(-time.Minute)); err != nil || len(list) == 0 ||
		strings.Contains(said(list[0]), "not running") {
		t.Errorf("before it was killed: %v, %v", list, err)
	}
	r.wait("a sign of life", 10*time.Second, func() bool {
		fi, err := os.Stat(alive)
		return err == nil && time.Since(fi.ModTime()) < time.Minute
	})
	r.stop()
	if _, err := os.Stat(alive); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a recorder that ended leaves a sign of life: %v", err)
	}
}

// TestNoSignOfLifeInAFolderThatCannotBeUsed has a link in the place of the sign of life, in a folder of another user.
func TestNoSignOfLifeInAFolderThatCannotBeUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	s := testSettings(t)
	if err := os.MkdirAll(s.RAMDisk.Path, 0o750); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "nologin")
	if err := os.Symlink(victim, filepath.Join(s.RAMDisk.Path, alive)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.RAMDisk.Path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	r := &Recorder{settings: s}
	if _, err := r.ram.prepare(s.RAMDisk.Path); err == nil {
		t.Fatal("the folder can be used")
	}
	r.keepAlive()
	if _, err := os.Lstat(victim); err == nil {
		t.Error("a file was created through the link")
	}
}

package recorder

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// TestRAMDiskRemoved removes the folder on the RAM disk while the recorder runs. The camera must record again without
// help.
func TestRAMDiskRemoved(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	r := start(t, s, t.TempDir())
	r.filled("demo", 3*time.Second)
	if err := os.RemoveAll(s.RAMDisk.Path); err != nil {
		t.Fatal(err)
	}
	r.wait("the camera to record into a new folder", 60*time.Second, func() bool {
		_, err := os.Stat(s.RAMDisk.Path)
		c := r.camera("demo")
		return err == nil && c.State == status.Recording && c.PreRoll.D() > 3*time.Second
	})
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	if e := r.ended("demo", 1, 60*time.Second)[0]; e.State == event.Failed {
		t.Errorf("%s: %s", e.State, e.Reason)
	}
}

// TestIndexDamagedAndLocked starts with a damaged index, which must be rebuilt from the archive. Then another program
// locks the index: status must report the problem, and the problem must end with the lock.
func TestIndexDamagedAndLocked(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("demo", 3*time.Second)
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	saved := r.ended("demo", 1, 60*time.Second)[0]
	r.stop()
	index := filepath.Join(state, index.Name)
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(index + end)
	}
	if err := os.WriteFile(index, bytes.Repeat([]byte{7}, 20000), 0o600); err != nil {
		t.Fatal(err)
	}
	r = start(t, s, state)
	r.wait("the event in the new index", 20*time.Second, func() bool {
		list := r.events("demo")
		return len(list) == 1 && list[0].ID == saved.ID && r.Status(t.Context()).Archive.Rebuilt == 1
	})

	db, err := sql.Open("sqlite", "file:"+index+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	lock, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.MailCamera(t.Context(), "demo"); err == nil {
		t.Error("an alarm that cannot be noted was accepted")
	}
	if p := r.Status(t.Context()).Problems; len(p) == 0 || p[0].Code != "index" {
		t.Errorf("nobody is told: %+v", p)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	if p := r.Status(t.Context()).Problems; len(p) != 0 {
		t.Errorf("the trouble stays: %+v", p)
	}
	// The alarm that the index refused was in RAM, so it is saved too.
	for _, e := range r.ended("demo", 3, 60*time.Second)[1:] {
		if len(e.Clips) != 1 {
			t.Errorf("%s: %s", e.State, e.Reason)
		}
	}
}

// TestForeignRAMFolder starts with a RAM folder that belongs to another user, who could look into it. In /dev/shm any
// user of the machine can create the folder first.
func TestForeignRAMFolder(t *testing.T) {
	poll.RealTime(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder that belongs to somebody else")
	}
	s := testSettings(t, config.DemoCamera())
	if err := os.Mkdir(s.RAMDisk.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.RAMDisk.Path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.wait("the folder to be refused", 10*time.Second, func() bool {
		p := r.Status(t.Context()).Problems
		return len(p) > 0 && p[0].Code == "ram-gone" && strings.Contains(p[0].Text.String(), "another user")
	})
	if list, err := os.ReadDir(s.RAMDisk.Path); err != nil || len(list) > 0 {
		t.Errorf("something was put into it: %v, %v", list, err)
	}
	if err := os.Chown(s.RAMDisk.Path, 0, 0); err != nil {
		t.Fatal(err)
	}
	r.wait("it to record", 30*time.Second, func() bool { return r.camera("demo").State == status.Recording })
	if fi, err := os.Stat(s.RAMDisk.Path); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("others can look into it: %v, %v", fi.Mode(), err)
	}
}

// TestLateMailsAreOneEvent sends late mails for a time that is already saved. They must become one event, and each must
// return the id of that event.
func TestLateMailsAreOneEvent(t *testing.T) {
	cam := startCamera(t, camtest.Media{FPS: 15, GOP: 15, Seconds: 30, Width: 320, Height: 240}, camtest.Options{})
	r := start(t, testSettings(t, testCamera("cam", cam)), t.TempDir())
	r.filled("cam", 5*time.Second)
	mail := func(at time.Time) string {
		t.Helper()
		id, err := r.mailTrigger(t.Context(), "cam",
			event.Trigger{Time: at, Source: event.Mail, Label: "motion", From: "192.168.1.66"})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := time.Now()
	first := mail(time.Now())
	r.wait("the first event's end", 30*time.Second, func() bool {
		e, err := r.Event(t.Context(), first)
		return err == nil && e.State.Ended()
	})
	second := mail(old)
	if second == first {
		t.Error("a late mail was told an event that is over")
	}
	for range 10 {
		if id := mail(old); id != second {
			t.Errorf("a late mail became part of %s, not of %s", id, second)
		}
	}
	list, err := r.Events(t.Context(), event.Query{Limit: 100})
	if err != nil || len(list) != 2 {
		t.Errorf("%d events, %v", len(list), err)
	}
	if e, err := r.Event(t.Context(), second); err != nil || e.TriggerCount != 11 {
		t.Errorf("%d triggers, %v", e.TriggerCount, err)
	}
}

// TestOneLateSegment mutes the camera within the first segment of a run, which the ring gets much later. The event must
// still say when its video ended.
func TestOneLateSegment(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Media{FPS: 15, GOP: 150, Seconds: 30, Width: 320, Height: 240}, camtest.Options{})
	r := start(t, testSettings(t, testCamera("cam", cam)), t.TempDir())
	r.wait("FFmpeg to look at the stream", 20*time.Second, func() bool { return cam.Viewers() == 1 })
	keyframe := time.Now().Add(10*time.Second - time.Since(cam.Info().Start)%(10*time.Second))
	r.wait("it to write", 30*time.Second, func() bool { return time.Since(keyframe) > 8*time.Second })
	r.mail("cam", "Motion", "")
	cam.Mute(true)
	silent := time.Now()
	e := r.ended("cam", 1, 90*time.Second)[0]
	if e.State != event.Incomplete || len(e.Clips) != 1 {
		t.Fatalf("%s: %s", e.State, e.Reason)
	}
	if off := e.Clips[0].End.Sub(silent); off.Abs() > 500*time.Millisecond {
		t.Errorf("its video is said to end %s after the silence began: %s", off, e.Reason)
	}
}

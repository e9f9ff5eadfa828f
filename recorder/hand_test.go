package recorder

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// TestByHand removes a clip by hand and copies it back. The index must follow although nobody lists events. TestByHand
// also edits the settings file by hand: Preroll must put the change in force, or refuse it and report its faults.
func TestByHand(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(2*time.Second), config.Duration(time.Second)
	r := start(t, s, t.TempDir())
	r.filled("cam", 3*time.Second)
	r.mail("cam", "Motion", "")
	e := r.ended("cam", 1, 60*time.Second)[0]
	dir := filepath.Dir(r.archive.Path(e, e.Stem))
	files := map[string][]byte{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	has := func() bool {
		_, err := r.archive.Get(t.Context(), e.ID)
		return !errors.Is(err, index.ErrNotFound)
	}
	for name := range files {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("the removed event to leave the index", 20*time.Second, func() bool { return !has() })
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("the event that was copied back", 20*time.Second, has)

	file := r.paths.File
	if err := config.Save(file, r.Settings()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) {
		t.Helper()
		if strings.Count(string(text), from) != 1 {
			t.Fatalf("%q is not in the settings:\n%s", from, text)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("Camera cam", "Front door")
	r.wait("the camera's new name", 20*time.Second, func() bool {
		return r.Status(t.Context()).Cameras[0].Name == "Front door"
	})
	edit("Camera cam", "Front door\"\nurl = \"file:///etc/passwd")
	problem := func() bool {
		for _, p := range r.Status(t.Context()).Problems {
			if p.Code == "settings" {
				return true
			}
		}
		return false
	}
	r.wait("the fault in the settings", 20*time.Second, problem)
	if r.Settings().Cameras[0].URL != cam.URL() {
		t.Error("settings with a fault are in force")
	}
	edit("Camera cam", "Back door")
	r.wait("the settings that are right again", 20*time.Second, func() bool {
		return !problem() && r.Settings().Cameras[0].Name == "Back door"
	})
	if r.Status(t.Context()).Cameras[0].PreRoll == 0 {
		t.Error("the ring was lost by that")
	}

	off := r.Settings()
	off.Cameras[0].Enabled = false
	if err := r.Apply(off); err != nil {
		t.Fatal(err)
	}
	r.wait("the RAM of a camera that is switched off", 20*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(s.RAMDisk.Path, "cam"))
		return os.IsNotExist(err)
	})
}

// TestRecordsWithoutFFmpeg records an RTSP camera without FFmpeg. Only the finished clip waits until FFmpeg is there.
// The path of the RAM disk contains characters that are special to FFmpeg and printf.
func TestRecordsWithoutFFmpeg(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.RAMDisk.Path = filepath.Join(filepath.Dir(s.RAMDisk.Path), "100% d'un ram")
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(2*time.Second), config.Duration(time.Second)
	none := filepath.Join(t.TempDir(), "ffmpeg")
	s.FFmpeg.Path = none
	r := start(t, s, t.TempDir())
	r.filled("cam", 4*time.Second)
	r.mail("cam", "Motion", "")
	r.wait("the partial file", 20*time.Second, func() bool {
		list := r.events("cam")
		return len(list) == 1 && len(list[0].Parts) == 1
	})
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, none); err != nil {
		t.Fatal(err)
	}
	e := r.ended("cam", 1, 60*time.Second)[0]
	r.whole(e, cam.Info())
	if e.State != event.Saved {
		t.Errorf("%s %s", e.State, e.Reason)
	}
}

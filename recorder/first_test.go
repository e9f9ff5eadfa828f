package recorder

import (
	"archive/tar"
	"compress/gzip"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// TestFirstForm starts on everything that a killed process of the first version left: settings, ring, index, archive,
// and an event that was still recording.
func TestFirstForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, "testdata/first.tar.gz", dir)
	ram, clips, file := filepath.Join(ramDir(t), "ram"), filepath.Join(dir, "archive"),
		filepath.Join(dir, "preroll.toml")
	if err := os.CopyFS(ram, os.DirFS(filepath.Join(dir, "ram"))); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"RAM"`, "'"+ram+"'", `"ARCHIVE"`, "'"+clips+"'", "127.0.0.1:12525",
		"127.0.0.1:0").Replace(string(b))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// An event holds the full path of its archive.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "state", index.Name))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE events SET event = replace(event, '/tmp/ff/archive', ?)", clips)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s, found, err := config.Load(file)
	if err != nil || !found {
		t.Fatal(err)
	}
	if c := s.Cameras[0]; s.RAMDisk.Path != ram || s.RAMDisk.Keep.D() != 40*time.Second ||
		s.Clip.PreRoll.D() != 4*time.Second || len(s.Cameras) != 1 || c.ID != "front" || c.Name != "Front door" ||
		c.Mail[0] != "yard" {
		t.Errorf("settings are %+v", s)
	}

	r := start(t, s, filepath.Join(dir, "state"))
	list := r.ended("front", 2, time.Minute)
	for i, want := range []struct {
		state  event.State
		frames int
		begin  string
	}{{event.Saved, 140, ""}, {event.Incomplete, 100, "2026-11-29T02:04:52.74"}} {
		e := list[i]
		if e.State != want.state || e.Label != "person" || e.TriggerCount != 1 || len(e.Clips) != 1 ||
			e.Clips[0].Frames != want.frames || e.Thumbnail == "" {
			t.Errorf("event %d is %+v", i, e)
			continue
		}
		if got := e.Clips[0].Start.UTC().Format(time.RFC3339Nano); !strings.HasPrefix(got, want.begin) {
			t.Errorf("event %d begins at %s, want %s", i, got, want.begin)
		}
		counters, err := camtest.Frames(t.Context(), filepath.Join(clips, e.Folder, e.Clips[0].File))
		if err != nil || len(counters) != want.frames {
			t.Errorf("clip %d holds %d frames, %v", i, len(counters), err)
		}
		if v, err := r.Verify(t.Context(), e.ID); err != nil || !v.OK {
			t.Errorf("event %d: %+v, %v", i, v, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(clips, list[1].Folder, "*.partial.mp4")); left != nil {
		t.Errorf("left over: %s", left)
	}
	if left, _ := filepath.Glob(filepath.Join(ram, "front", "pins", "*")); left != nil {
		t.Errorf("left over: %s", left)
	}
}

// unpack unpacks a tar.gz file and keeps the modification times of its files.
func unpack(t *testing.T, file, dir string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, h.ModTime, h.ModTime))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

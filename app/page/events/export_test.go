package events

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/event"
)

// clips creates an archive with clips of two cameras at the same time.
func clips(t *testing.T) (w *pagetest.Rig, list []event.Event) {
	w, _ = open(t, &pagetest.Fake{})
	root := t.TempDir()
	w.Status = pagetest.Status(root)
	for _, camera := range []string{"gate", "yard"} {
		e := pagetest.Event(1, event.Saved)
		e.Camera, e.Folder = camera, camera+"/2026"
		e.CameraName = "Café " + camera + "/.."
		e.Clips[0].Bytes = int64(len(camera))
		if err := os.MkdirAll(filepath.Join(root, camera, "2026"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.Path(e, "x.mp4"), []byte(camera), 0o644); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return w, list
}

func TestExportToAFolder(t *testing.T) {
	w, list := clips(t)
	dir := t.TempDir()
	var counted int64
	for range 2 { // the second time the names are taken
		if err := toFolder(t.Context(), filesOf(w.Env, list), dir, func(n int64) { counted += n }); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"café-gate_x.mp4": "gate", "café-yard_x.mp4": "yard",
		"café-gate_x_2.mp4": "gate", "café-yard_x_2.mp4": "yard"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if counted != 16 {
		t.Errorf("counted %d bytes", counted)
	}
	if err := os.Remove(w.Path(list[1], "x.mp4")); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	err := toFolder(t.Context(), filesOf(w.Env, list), other, func(int64) {})
	left, _ := os.ReadDir(other)
	if !errors.Is(err, os.ErrNotExist) || len(left) != 1 {
		t.Errorf("a clip that is gone: %v, and %d files", err, len(left))
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := toFolder(stopped, filesOf(w.Env, list[:1]), other, func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left, _ = os.ReadDir(other); len(left) != 1 {
		t.Errorf("a copy that was not finished stays: %v", left)
	}
}

func TestExportToAZip(t *testing.T) {
	w, list := clips(t)
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := toZip(t.Context(), filesOf(w.Env, list), path, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(z.File) != 2 {
		t.Fatalf("%v, %d files", err, len(z.File))
	}
	for i, want := range []string{"gate", "yard"} {
		f, err := z.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || string(got) != want || z.File[i].Name != "café-"+want+"_x.mp4" {
			t.Errorf("%s: %q, %v", z.File[i].Name, got, err)
		}
	}
	if err := os.Remove(w.Path(list[0], "x.mp4")); err != nil {
		t.Fatal(err)
	}
	if err := toZip(t.Context(), filesOf(w.Env, list), path, func(int64) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a clip that is gone: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a zip file stays")
	}
}

func TestExportedNamesStayInTheirFolder(t *testing.T) {
	w, _ := open(t, &pagetest.Fake{})
	e := pagetest.Event(1, event.Saved)
	e.CameraName, e.Clips[0].File = "../../x", "../../y.mp4"
	got := filesOf(w.Env, []event.Event{e, e}) // the same name twice
	if got[0].name != "x_y.mp4" || got[1].name != "x_y_2.mp4" {
		t.Errorf("names %q and %q", got[0].name, got[1].name)
	}
}

package window

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/preroll/preroll/recorder/event"
)

// clips creates an archive with clips of two cameras at the same time.
func clips(t *testing.T) (w *window, list []event.Event) {
	w = rig(t, &fake{})
	root := t.TempDir()
	w.status = demoStatus(root)
	for _, camera := range []string{"gate", "yard"} {
		e := ev(1, event.Saved)
		e.Camera, e.Folder = camera, camera+"/2026"
		e.Clips[0].Bytes = int64(len(camera))
		if err := os.MkdirAll(filepath.Join(root, camera, "2026"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.path(e, "x.mp4"), []byte(camera), 0o644); err != nil {
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
		if err := toFolder(t.Context(), w.filesOf(list), dir, func(n int64) { counted += n }); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"gate_x.mp4": "gate", "yard_x.mp4": "yard", "gate_x_2.mp4": "gate",
		"yard_x_2.mp4": "yard"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if counted != 16 {
		t.Errorf("counted %d bytes", counted)
	}
	if err := os.Remove(w.path(list[1], "x.mp4")); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	err := toFolder(t.Context(), w.filesOf(list), other, func(int64) {})
	left, _ := os.ReadDir(other)
	if !errors.Is(err, os.ErrNotExist) || len(left) != 1 {
		t.Errorf("a clip that is gone: %v, and %d files", err, len(left))
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := toFolder(stopped, w.filesOf(list[:1]), other, func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left, _ = os.ReadDir(other); len(left) != 1 {
		t.Errorf("a copy that was not finished stays: %v", left)
	}
}

func TestExportToAZip(t *testing.T) {
	w, list := clips(t)
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := toZip(t.Context(), w.filesOf(list), path, func(int64) {}); err != nil {
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
		if err != nil || string(got) != want || z.File[i].Name != want+"_x.mp4" {
			t.Errorf("%s: %q, %v", z.File[i].Name, got, err)
		}
	}
	if err := os.Remove(w.path(list[0], "x.mp4")); err != nil {
		t.Fatal(err)
	}
	if err := toZip(t.Context(), w.filesOf(list), path, func(int64) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a clip that is gone: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a zip file stays")
	}
}

func TestCut(t *testing.T) {
	wide := func(s string) float32 { return float32(len([]rune(s))) }
	for _, tc := range []struct {
		text  string
		width float32
		want  string
	}{{"short", 10, "short"}, {"just right", 10, "just right"}, {"a little too long", 10, "a little …"},
		{"any", 1, "…"}, {"any", 0, ""}, {"", 5, ""}, {"äöüäöü", 3, "äö…"}} {
		if got := cut(tc.text, tc.width, wide); got != tc.want {
			t.Errorf("%q in %v: %q", tc.text, tc.width, got)
		}
	}
}

func TestThePlaceIsRemembered(t *testing.T) {
	f := &fake{}
	w := filled(t, f, 300)
	w.events.rows.jump(200)
	settle(w)
	e, _, _ := w.events.book.event(w.events.rows.top)
	w.turn(pageHealth)
	w.remember()
	place := w.app.Preferences().String("place")
	if w.app.Preferences().String("page") != "health" || place == "" {
		t.Errorf("page %q, place %q", w.app.Preferences().String("page"), place)
	}
	f.events = append([]event.Event{ev(5, event.Saved)}, f.events...) // a new event came in the meantime
	again := filled(t, f, 0)
	again.events.goTo = place
	again.events.reload()
	settle(again)
	settle(again)
	if got, _, ok := again.events.book.event(again.events.rows.top); !ok || got.ID != e.ID {
		t.Errorf("at %q, was at %q", got.ID, e.ID)
	}
}

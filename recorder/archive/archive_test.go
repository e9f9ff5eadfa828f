package archive

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// users holds the archive that was opened last on each folder.
var users sync.Map

// openArchive opens an archive. It takes the locks from an archive that was opened before on the same folder, as if
// that archive's process had ended.
func openArchive(t *testing.T, state, root string) *Archive {
	t.Helper()
	if before, ok := users.Load(root); ok {
		b := before.(*Archive)
		b.locking.Lock()
		for path, lock := range b.locks {
			lock.Release()
			delete(b.locks, path)
		}
		b.locking.Unlock()
	}
	a, err := Open(t.Context(), state, root, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	users.Store(root, a)
	return a
}

// saved puts an ended event with real files into the archive.
func saved(t *testing.T, a *Archive, camera, id string, at time.Time, size int, change func(*event.Event)) event.Event {
	t.Helper()
	e := event.Event{ID: id, Camera: camera, CameraName: "Camera " + camera, Time: at, Label: "motion",
		State: event.Saved, SavedAt: at}
	if err := a.Reserve(&e); err != nil {
		t.Fatal(err)
	}
	e.Thumbnail = e.Stem + ".jpg"
	e.Clips = []event.Clip{{File: e.Stem + ".mp4", Bytes: int64(size), Length: event.Seconds(10 * time.Second),
		Frames: 100}}
	for _, name := range []string{e.Thumbnail, e.Clips[0].File} {
		if err := os.WriteFile(a.Path(e, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(&e)
	}
	if err := errors.Join(a.WriteSidecar(e), a.Put(t.Context(), e)); err != nil {
		t.Fatal(err)
	}
	a.Release(e)
	return e
}

func ids(list []event.Event) string {
	var s []string
	for _, e := range list {
		s = append(s, e.ID)
	}
	return strings.Join(s, " ")
}

func TestStemsNeverRepeat(t *testing.T) {
	a := openArchive(t, t.TempDir(), filepath.Join(t.TempDir(), "archive"))
	at := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 4 {
		e := event.Event{Camera: "c", Time: at, Label: "../../etc/passwd"}
		if err := a.Reserve(&e); err != nil {
			t.Fatal(err)
		}
		if seen[e.Stem] || strings.ContainsAny(e.Stem, `/\`) ||
			!strings.HasSuffix(strings.TrimRight(e.Stem, "_234"), "_etc-passwd") {
			t.Errorf("stem %q", e.Stem)
		}
		seen[e.Stem] = true
	}
	// Reserve does not take the name of a file that somebody put there either.
	e := event.Event{Camera: "c", Time: at.Add(time.Minute), Label: "x"}
	name := at.Add(time.Minute).Local().Format("2006-01-02_15-04-05-0700") + "_x.mp4"
	if err := os.WriteFile(filepath.Join(a.Root(), "c", at.Local().Format("2006/01/02"), name), nil,
		0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.Reserve(&e); err != nil || !strings.HasSuffix(e.Stem, "_x_2") {
		t.Errorf("%q, %v", e.Stem, err)
	}
}

func TestArchiveIsNotMadeWithoutItsDrive(t *testing.T) {
	root := filepath.Join(t.TempDir(), "not", "mounted")
	a := openArchive(t, t.TempDir(), root)
	e := event.Event{Camera: "c", Time: time.Now()}
	if err := a.Reserve(&e); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if what, hint := Explain(os.ErrNotExist); !strings.Contains(what.String()+hint.String(), "plugged in") {
		t.Errorf("%q %q", what, hint)
	}
}

func TestRetention(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name   string
		limits Limits
		want   string
	}{
		{"no limit", Limits{}, "open e5 e4 e3 protected e1"},
		{"age", Limits{MaxAge: 50 * time.Hour}, "open e5 e4 protected"},
		{"size", Limits{MaxSize: 3500}, "open e5 e4 protected"},
		{"size of nothing", Limits{MaxSize: 1}, "open protected"},
		{"free space, measured once", Limits{MinFree: 1500, Free: func(string) (int64, error) { return 0, nil }},
			"open e5 e4 protected"},
		{"enough free space", Limits{MinFree: 1500, Free: func(string) (int64, error) { return 2000, nil }},
			"open e5 e4 e3 protected e1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			a := openArchive(t, t.TempDir(), root)
			for i, id := range []string{"e1", "protected", "e3", "e4", "e5"} {
				saved(t, a, "c", id, now.Add(time.Duration(i-5)*24*time.Hour), 1000, func(e *event.Event) {
					e.Protected = id == "protected"
				})
			}
			open := event.Event{ID: "open", Camera: "c", Time: now, State: event.Recording}
			if err := a.Put(t.Context(), open); err != nil {
				t.Fatal(err)
			}
			foreign := filepath.Join(root, "c", "holiday.mp4")
			if err := os.WriteFile(foreign, make([]byte, 100), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Retain(t.Context(), tc.limits, now); err != nil {
				t.Fatal(err)
			}
			list, err := a.List(t.Context(), event.Query{})
			if err != nil || ids(list) != tc.want {
				t.Errorf("left %q, want %q, %v", ids(list), tc.want, err)
			}
			for _, e := range list {
				for _, c := range e.Clips {
					if _, err := os.Stat(a.Path(e, c.File)); err != nil {
						t.Error(err)
					}
				}
			}
			mp4, _ := filepath.Glob(filepath.Join(root, "c", "*", "*", "*", "*.mp4"))
			if want := len(list) - 1; len(mp4) != want {
				t.Errorf("%d clips on disk for %d events", len(mp4), want)
			}
			if _, err := os.Stat(foreign); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRetentionKeepsWhatItCannotReach(t *testing.T) {
	root := filepath.Join(t.TempDir(), "drive")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, t.TempDir(), root)
	saved(t, a, "c", "e1", time.Now().Add(-time.Hour), 10, nil)
	for _, unplug := range []func() error{
		func() error { return os.Rename(root, root+"-unplugged") },
		func() error { return os.Mkdir(root, 0o755) }, // the bare mount point
	} {
		if err := unplug(); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Retain(t.Context(), Limits{MaxAge: time.Minute}, time.Now()); n != nil || err != nil {
			t.Errorf("removed %v, %v", n, err)
		}
	}
	if n, _, err := a.Totals(t.Context()); n != 1 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestEventsRememberTheirArchive checks that an event saved before the archive moved stays where it is.
func TestEventsRememberTheirArchive(t *testing.T) {
	old := t.TempDir()
	a := openArchive(t, t.TempDir(), old)
	e := saved(t, a, "c", "e1", time.Now(), 10, nil)
	a.SetRoot(t.TempDir())
	got, err := a.Get(t.Context(), "e1")
	if err != nil || !strings.HasPrefix(a.Path(got, e.Clips[0].File), old) {
		t.Errorf("%s, %v", a.Path(got, e.Clips[0].File), err)
	}
	if list, _ := a.DropDeleted(t.Context(), []event.Event{got}); len(list) != 1 {
		t.Error("forgotten")
	}
	if _, _, err := a.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "e1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(old, "c", "*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestProtectAndDelete(t *testing.T) {
	a := openArchive(t, t.TempDir(), t.TempDir())
	e := saved(t, a, "c", "one", time.Now(), 10, nil)
	if _, err := a.Protect(t.Context(), "one", true); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "one", time.Now()); err == nil {
		t.Error("a protected event was deleted")
	}
	if b, err := os.ReadFile(a.Path(e, Sidecar(e))); err != nil || !strings.Contains(string(b), `"protected": true`) {
		t.Errorf("sidecar %s, %v", b, err)
	}
	if _, err := a.Protect(t.Context(), "one", false); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "one", time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(a.Root(), "c", "*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestReindex(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	at := time.Now().Add(-time.Hour)
	for i := range 5 {
		saved(t, a, "c", fmt.Sprintf("e%d", i), at.Add(time.Duration(i)*time.Minute), 10, func(e *event.Event) {
			e.Protected = i == 2
		})
	}
	if err := a.Put(t.Context(), event.Event{ID: "open", Camera: "c", Time: time.Now(),
		State: event.Recording}); err != nil {
		t.Fatal(err)
	}
	before, err := a.List(t.Context(), event.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"notes.json": `{"hello": "world"}`, "broken.json": `{`,
		"evil.json": `{"id":"x","camera":"c","time":"2026-01-01T00:00:00Z","state":"saved","clips":[{"file":"../../../etc/passwd","bytes":1}]}`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := openArchive(t, t.TempDir(), root) // the index is gone
	found, faults, err := b.Reindex(t.Context())
	if err != nil || found != 5 || len(faults) != 3 {
		t.Fatalf("%d found, faults %v, %v", found, faults, err)
	}
	after, err := b.List(t.Context(), event.Query{})
	if err != nil || "open "+ids(after) != ids(before) || !after[2].Protected {
		t.Errorf("%s, want %s, %v", ids(after), ids(before), err)
	}
	if fmt.Sprintf("%+v", after[0]) != fmt.Sprintf("%+v", before[1]) {
		t.Errorf("rebuilt as\n%+v, was\n%+v", after[0], before[1])
	}
	_ = b.Close()
	// Reindex in place: an event whose files are gone leaves, an open event stays.
	if err := errors.Join(os.Remove(a.Path(after[0], Sidecar(after[0]))),
		os.Remove(a.Path(after[0], after[0].Clips[0].File))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, _ := a.List(t.Context(), event.Query{}); ids(list) != "open e3 e2 e1 e0" {
		t.Error(ids(list))
	}
}

func TestLookForgetsWhatWasRemovedByHand(t *testing.T) {
	root := filepath.Join(t.TempDir(), "drive")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, t.TempDir(), root)
	e1 := saved(t, a, "c", "e1", time.Now(), 10, nil)
	saved(t, a, "c", "e2", time.Now(), 10, nil)
	look := func() string {
		list, err := a.List(t.Context(), event.Query{})
		if err != nil {
			t.Fatal(err)
		}
		kept, _ := a.DropDeleted(t.Context(), list)
		return ids(kept)
	}
	if err := os.Rename(root, root+"-unplugged"); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "e2 e1" {
		t.Errorf("with the drive unplugged: %q", got)
	}
	if err := os.Rename(root+"-unplugged", root); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.Path(e1, e1.Clips[0].File)); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "e2" {
		t.Errorf("after a clip was removed: %q", got)
	}
}

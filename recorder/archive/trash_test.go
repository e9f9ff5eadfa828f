package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

// tree lists the files below a folder, without the id file of the drive.
func tree(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".preroll") {
			rel, _ := filepath.Rel(root, path)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestTrash deletes events, restores one, and lets the other go with time.
func TestTrash(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	now := time.Now()
	e := saved(t, a, "c", "20261122T120000.000Z-aaaaaa", now.Add(-time.Hour), 1000, nil)
	saved(t, a, "c", "20261122T130000.000Z-bbbbbb", now, 1000, nil)
	before := tree(t, root)
	content, err := os.ReadFile(a.Path(e, e.Clips[0].File))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{e.ID, "20261122T130000.000Z-bbbbbb"} {
		if err := a.Delete(t.Context(), id, now); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Get(t.Context(), id); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("the index still has %s: %v", id, err)
		}
	}
	in := tree(t, root)
	if len(in) != len(before) {
		t.Errorf("got %v in the trash, want the files of %v", in, before)
	}
	for _, name := range in {
		if !strings.HasPrefix(name, ".trash/"+now.Format(time.DateOnly)+"/") {
			t.Errorf("%s is not in the trash", name)
		}
	}
	if found, _, err := a.Reindex(t.Context()); err != nil || found != 0 {
		t.Errorf("the index found %d events in the trash, %v", found, err)
	}
	got, err := a.Restore(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(a.Path(got, got.Clips[0].File))
	if err != nil || string(again) != string(content) || got.Folder != e.Folder || got.Stem != e.Stem {
		t.Errorf("restored %+v, %v", got, err)
	}
	if listed, err := a.List(t.Context(), event.Query{}); err != nil || len(listed) != 1 || listed[0].ID != e.ID {
		t.Errorf("the list has %v, %v", listed, err)
	}
	if _, err := a.Restore(t.Context(), e.ID); !errors.Is(err, index.ErrNotFound) {
		t.Errorf("restored twice: %v", err)
	}

	// Six days later the other one is still there, and eight days later it is gone. A file of somebody else stays.
	notes := filepath.Join(root, trash, now.Format(time.DateOnly), "notes.txt")
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{6, 9} {
		if _, err := a.Retain(t.Context(), Limits{}, now.AddDate(0, 0, days)); err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, name := range tree(t, root) {
			if strings.HasPrefix(name, ".trash/") && !strings.HasSuffix(name, "notes.txt") {
				left++
			}
		}
		if (left > 0) != (days == 6) {
			t.Errorf("after %d days %d files are in the trash", days, left)
		}
	}
	if _, err := os.Stat(notes); err != nil {
		t.Errorf("a file that Preroll did not write is gone: %v", err)
	}
}

// TestTrashCountsAgainstTheLimits frees the trash before an event goes.
func TestTrashCountsAgainstTheLimits(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	now := time.Now()
	for i, id := range []string{"a", "b", "c"} {
		saved(t, a, "c", "20261122T120000.000Z-"+strings.Repeat(id, 6), now.Add(time.Duration(i)*time.Minute), 1000,
			nil)
	}
	if err := a.Delete(t.Context(), "20261122T120000.000Z-cccccc", now); err != nil {
		t.Fatal(err)
	}
	removed, err := a.Retain(t.Context(), Limits{MaxSize: 2500}, now)
	if err != nil || len(removed) > 0 {
		t.Errorf("removed %v, %v; want the trash to make room", removed, err)
	}
	for _, name := range tree(t, root) {
		if strings.HasPrefix(name, ".trash/") {
			t.Errorf("%s is still in the trash", name)
		}
	}
	if err := a.Delete(t.Context(), "20261122T120000.000Z-bbbbbb", now); err != nil {
		t.Fatal(err)
	}
	if n, err := a.EmptyTrash(t.Context()); err != nil || n < 1000 {
		t.Errorf("freed %d bytes, %v", n, err)
	}
	if _, err := a.Restore(t.Context(), "20261122T120000.000Z-bbbbbb"); !errors.Is(err, index.ErrNotFound) {
		t.Errorf("restored from an empty trash: %v", err)
	}
}

// TestTrashBelievesNoSidecar plants a sidecar in the trash that names the file of another event.
func TestTrashBelievesNoSidecar(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := saved(t, a, "c", "20261122T120000.000Z-aaaaaa", time.Now(), 1000, nil)
	dir := filepath.Join(root, trash, "2026-11-22", "x")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	const planted = "20261122T120000.000Z-bbbbbb"
	evil := `{"id":"` + planted + `","camera":"c","time":"2026-11-22T12:00:00Z","state":"saved","clips":[{"file":"` +
		e.Clips[0].File + `","bytes":1}]}`
	if err := os.WriteFile(filepath.Join(dir, "2026-11-22_12-00-00+0000_motion.json"), []byte(evil),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(root, trash, "2026-11-22", "link")); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Restore(t.Context(), planted); err == nil {
		t.Errorf("restored %+v", got)
	}
	if _, err := a.Retain(t.Context(), Limits{}, time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a.Path(e, e.Clips[0].File)); err != nil {
		t.Errorf("the clip of another event is gone: %v", err)
	}
}

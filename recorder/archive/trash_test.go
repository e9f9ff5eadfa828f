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
		if !strings.HasPrefix(name, ".trash/20261122T1") {
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

	// Just before seven days the other one is still there, and after them it is gone. A file of somebody else stays.
	notes := filepath.Join(root, trash, "20261122T130000.000Z-bbbbbb", "notes.txt")
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Dir(notes), now, now); err != nil {
		t.Fatal(err)
	}
	for _, off := range []time.Duration{-time.Minute, time.Minute} {
		if _, err := a.Retain(t.Context(), Limits{}, now.Add(7*24*time.Hour+off)); err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, name := range tree(t, root) {
			if strings.HasPrefix(name, ".trash/") && !strings.HasSuffix(name, "notes.txt") {
				left++
			}
		}
		if (left > 0) != (off < 0) {
			t.Errorf("%v after seven days %d files are in the trash", off, left)
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
	const planted = "20261122T120000.000Z-bbbbbb"
	dir := filepath.Join(root, trash, planted, "x")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	evil := `{"id":"` + planted + `","camera":"c","time":"2026-11-22T12:00:00Z","state":"saved","clips":[{"file":"` +
		e.Clips[0].File + `","bytes":1}]}`
	if err := os.WriteFile(filepath.Join(dir, "2026-11-22_12-00-00+0000_motion.json"), []byte(evil),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(root, trash, "20261122T120000.000Z-cccccc")); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Restore(t.Context(), planted); err == nil {
		t.Errorf("restored %+v", got)
	}
	if _, err := a.Retain(t.Context(), Limits{}, time.Now().AddDate(1, 0, 0)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a.Path(e, e.Clips[0].File)); err != nil {
		t.Errorf("the clip of another event is gone: %v", err)
	}
}

// TestTrashFollowsNoLink has a link to the folder of a camera in the place of the trash.
func TestTrashFollowsNoLink(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := saved(t, a, "c", "20261122T120000.000Z-aaaaaa", time.Now(), 1000, nil)
	for _, link := range []string{trash, trash + "/" + e.ID} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(link)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, "c"), filepath.Join(root, link)); err != nil {
			t.Skip(err) // Windows allows links only to some users
		}
		if _, err := a.EmptyTrash(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := a.Retain(t.Context(), Limits{}, time.Now().AddDate(1, 0, 0)); err != nil {
			t.Error(err)
		}
		if err := a.Delete(t.Context(), e.ID, time.Now()); err == nil {
			t.Errorf("deleted into the link %s", link)
		}
		if _, err := os.Stat(a.Path(e, e.Clips[0].File)); err != nil {
			t.Fatalf("link %s: %v", link, err)
		}
		if err := os.Remove(filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrashAfterKill cuts a deletion and a restoration off after each file, and asks for it again.
func TestTrashAfterKill(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	now := time.Now()
	for i := range 2 {
		e := saved(t, a, "c", "20261122T120000.000Z-aaaaaa", now, 1000, nil)
		second := e.Stem + "_part2.mp4"
		if err := os.WriteFile(a.Path(e, second), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		e.Clips = append(e.Clips, event.Clip{File: second, Bytes: 1000})
		if err := errors.Join(a.WriteSidecar(e), a.Put(t.Context(), e)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, root)
		kept, away := filepath.Join(root, e.Folder), filepath.Join(root, trash, e.ID, e.Folder)
		cut := func(from, to string) { // as if killed after some files
			t.Helper()
			if err := os.MkdirAll(to, 0o750); err != nil {
				t.Fatal(err)
			}
			for _, name := range files(e)[:i+1] {
				if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		cut(kept, away)
		if err := a.Delete(t.Context(), e.ID, now.AddDate(0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		cut(away, kept)
		if got, err := a.Restore(t.Context(), e.ID); err != nil || got.Folder != e.Folder {
			t.Fatalf("restored %+v, %v", got, err)
		}
		if after := tree(t, root); strings.Join(after, " ") != strings.Join(before, " ") {
			t.Errorf("got %v, want %v", after, before)
		}

		// Killed before the index was changed.
		if err := a.Delete(t.Context(), e.ID, now); err != nil {
			t.Fatal(err)
		}
		if err := a.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := a.Delete(t.Context(), e.ID, now); err != nil {
			t.Error(err)
		}
		if n, err := a.EmptyTrash(t.Context()); err != nil || n < 2000 {
			t.Errorf("freed %d bytes, %v", n, err)
		}
		if left := tree(t, root); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

// TestTrashOfAnOldDrive lets the trash go on a drive that was the archive before.
func TestTrashOfAnOldDrive(t *testing.T) {
	old := t.TempDir()
	a := openArchive(t, t.TempDir(), old)
	now := time.Now()
	e := saved(t, a, "c", "20261122T120000.000Z-aaaaaa", now, 1000, nil)
	if err := a.Delete(t.Context(), e.ID, now); err != nil {
		t.Fatal(err)
	}
	a.SetRoot(t.TempDir())
	saved(t, a, "c", "20261122T120000.000Z-bbbbbb", now, 1000, nil)
	if _, err := a.Retain(t.Context(), Limits{MaxAge: 30 * 24 * time.Hour}, now.AddDate(0, 0, 8)); err != nil {
		t.Fatal(err)
	}
	if left := tree(t, old); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestTrashIsListed lists what was deleted.
func TestTrashIsListed(t *testing.T) {
	a := openArchive(t, t.TempDir(), t.TempDir())
	now := time.Now()
	for i, id := range []string{"a", "b", "c"} {
		e := saved(t, a, "c", "20261122T120000.000Z-"+strings.Repeat(id, 6), now.Add(time.Duration(i)*time.Minute),
			1000, nil)
		if id == "c" {
			continue
		}
		if err := a.Delete(t.Context(), e.ID, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, e := range a.Trash(t.Context()) {
		ids = append(ids, e.ID[len(e.ID)-1:])
		if e.Folder == "" || strings.HasPrefix(e.Folder, trash) {
			t.Errorf("its folder is %q", e.Folder)
		}
	}
	if strings.Join(ids, "") != "ba" {
		t.Errorf("got %v, want the newest deletion first", ids)
	}
}

package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

const day = 24 * time.Hour

func free(n int64) func(string) (int64, error) {
	return func(string) (int64, error) { return n, nil }
}

func clipsIn(t *testing.T, root string) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(root, "*/*/*/*/*.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestRetentionPastWhatIsGone deletes the folder of a retired camera by hand. Retention keeps the limits for the others
// all the same.
func TestRetentionPastWhatIsGone(t *testing.T) {
	now := time.Now()
	for name, l := range map[string]Limits{"age": {MaxAge: 38 * day}, "size": {MaxSize: 1500},
		"free": {MinFree: 2500, Free: free(0)}} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			a := openArchive(t, t.TempDir(), root)
			saved(t, a, "old-cam", "gone", now.Add(-50*day), 1000, nil)
			for i, id := range []string{"a", "b", "c"} {
				saved(t, a, "front", id, now.Add(-time.Duration(40-i)*day), 1000, nil)
			}
			if err := os.RemoveAll(filepath.Join(root, "old-cam")); err != nil {
				t.Fatal(err)
			}
			removed, err := a.Retain(t.Context(), l, now)
			if err != nil || len(removed) < 2 || ids(removed)[:6] != "gone a" {
				t.Errorf("removed %q, %v", ids(removed), err)
			}
		})
	}
}

// TestOldDrive moves the archive to a new drive. Retention removes no clips of the old drive to make room on the new
// one, and the absence of the old drive stops nothing. Its events stay in the list until a person removes them.
func TestOldDrive(t *testing.T) {
	for _, unplugged := range []bool{false, true} {
		t.Run(fmt.Sprint("unplugged ", unplugged), func(t *testing.T) {
			dir := t.TempDir()
			old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "new")
			a := openArchive(t, t.TempDir(), old)
			now := time.Now()
			for i, id := range []string{"o1", "o2", "o3"} {
				saved(t, a, "front", id, now.Add(-time.Duration(20-i)*day), 1000, nil)
			}
			a.SetRoot(fresh)
			for i, id := range []string{"n1", "n2", "n3"} {
				saved(t, a, "front", id, now.Add(-time.Duration(3-i)*day), 1000, nil)
			}
			if unplugged {
				if err := os.Rename(old, old+"-away"); err != nil {
					t.Fatal(err)
				}
			}
			short := func(path string) (int64, error) {
				if path == fresh {
					return 0, nil
				}
				return 1 << 40, nil
			}
			removed, err := a.Retain(t.Context(), Limits{MinFree: 1500, Free: short}, now)
			if err != nil || ids(removed) != "n1 n2" || clipsIn(t, fresh) != 1 {
				t.Errorf("removed %q, %v; %d clips left", ids(removed), err, clipsIn(t, fresh))
			}
			if !unplugged {
				if n := clipsIn(t, old); n != 3 {
					t.Errorf("%d clips on the old drive", n)
				}
				removed, err := a.Retain(t.Context(), Limits{MaxAge: 18*day + time.Hour}, now)
				if err != nil || ids(removed) != "o1 o2" {
					t.Errorf("age: removed %q, %v", ids(removed), err)
				}
				return
			}
			if away := a.Away(t.Context()); len(away) != 1 || away[0].Path != old || away[0].Events != 3 {
				t.Errorf("away: %+v", away)
			}
			if err := a.Delete(t.Context(), "o1", time.Now()); err == nil {
				t.Error("an event on an unplugged drive was removed")
			}
			if err := a.Forget(t.Context(), "o1"); err != nil {
				t.Error(err)
			}
			if list, err := a.List(t.Context(), event.Query{}); err != nil || ids(list) != "n3 o3 o2" {
				t.Errorf("%q, %v", ids(list), err)
			}
		})
	}
}

// TestRotatingDrives lets two drives take turns at one mount point.
func TestRotatingDrives(t *testing.T) {
	root := filepath.Join(t.TempDir(), "archive")
	state := t.TempDir()
	a := openArchive(t, state, root)
	now := time.Now()
	swap := func(out, in string) {
		t.Helper()
		err := os.Rename(root, root+"-"+out)
		if in != "" {
			err = errors.Join(err, os.Rename(root+"-"+in, root))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"a1", "a2", "a3"} {
		saved(t, a, "front", id, now.Add(-time.Duration(20-i)*day), 1000, nil)
	}
	swap("A", "")
	// A drive that was never used for Preroll.
	if err := os.MkdirAll(filepath.Join(root, "front", "holiday"), 0o755); err != nil {
		t.Fatal(err)
	}
	look := func(want string) {
		t.Helper()
		list, err := a.List(t.Context(), event.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if kept, gone := a.DropDeleted(t.Context(), list); ids(kept) != want || gone != nil {
			t.Errorf("kept %q, want %q, forgotten %q", ids(kept), want, ids(gone))
		}
	}
	look("a3 a2 a1")
	e := event.Event{ID: "x", Camera: "front", Time: now}
	if err := a.Reserve(&e); !errors.Is(err, ErrOther) {
		t.Errorf("written to a drive that nobody knows: %v", err)
	}
	if what, hint := Explain(ErrOther); !strings.Contains(what.String()+hint.String(), "Another drive") ||
		!strings.Contains(hint.String(), "preroll reindex") {
		t.Errorf("%q %q", what, hint)
	}
	if _, _, err := a.Reindex(t.Context()); err != nil { // its owner says that Preroll shall use it
		t.Fatal(err)
	}
	saved(t, a, "front", "b1", now.Add(-time.Hour), 1000, nil)
	look("b1 a3 a2 a1")
	swap("B", "A")
	look("b1 a3 a2 a1")
	saved(t, a, "front", "a4", now.Add(-time.Minute), 1000, nil) // both drives are known now
	if removed, err := a.Retain(t.Context(), Limits{MaxAge: 18*day + time.Hour}, now); err != nil ||
		ids(removed) != "a1 a2" {
		t.Errorf("removed %q, %v", ids(removed), err)
	}
	swap("A", "B")
	if removed, err := a.Retain(t.Context(), Limits{MaxSize: 1}, now); err != nil || ids(removed) != "b1" {
		t.Errorf("removed %q, %v", ids(removed), err)
	}
	look("a4 a3")
	b := openArchive(t, state, root)
	if list, err := b.List(t.Context(), event.Query{}); err != nil || ids(list) != "a4 a3" {
		t.Errorf("after a restart %q, %v", ids(list), err)
	}
}

// TestDriveIsKnownAgain checks that a drive at another mount point is still the same drive, and that a drive whose id
// was removed is recognized by its events.
func TestDriveIsKnownAgain(t *testing.T) {
	dir := t.TempDir()
	a := openArchive(t, t.TempDir(), filepath.Join(dir, "here"))
	e := saved(t, a, "c", "one", time.Now().Add(-time.Hour), 10, nil)
	if err := errors.Join(os.Rename(filepath.Join(dir, "here"), filepath.Join(dir, "there")),
		os.Remove(filepath.Join(dir, "there", drive.File))); err != nil {
		t.Fatal(err)
	}
	if a.Reachable(e) == nil {
		t.Error("found where nothing is")
	}
	if err := os.Rename(filepath.Join(dir, "there"), filepath.Join(dir, "here")); err != nil {
		t.Fatal(err)
	}
	two := saved(t, a, "c", "two", time.Now(), 10, nil)
	if two.Drive != e.Drive || two.Drive == "" {
		t.Errorf("drive %q, was %q", two.Drive, e.Drive)
	}
	if err := os.Rename(filepath.Join(dir, "here"), filepath.Join(dir, "there")); err != nil {
		t.Fatal(err)
	}
	a.SetRoot(filepath.Join(dir, "there"))
	got, err := a.Get(t.Context(), "one")
	if err != nil || a.Reachable(got) != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _ = a.Get(t.Context(), "one"); got.Archive != filepath.Join(dir, "there") {
		t.Errorf("it is in %s", got.Archive)
	}
}

// TestKnownArchiveIsTakenIn checks that a new archive folder that is an archive already, such as that of another PC, is
// read without a reindex.
func TestKnownArchiveIsTakenIn(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	saved(t, a, "c", "one", time.Now().Add(-time.Hour), 10, nil)
	_ = a.Close()
	b := openArchive(t, t.TempDir(), t.TempDir())
	keeping(t, b)
	put1(t, b, "mine", event.Recording)
	b.SetRoot(root)
	stored(t, b, "one", "mine")
}

// TestRetentionPastProtectedEvents checks retention when very many of the oldest events are protected.
func TestRetentionPastProtectedEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds to make 20,000 protected events")
	}
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	now := time.Now()
	first := saved(t, a, "c", "first", now.Add(-100*day), 1000, func(e *event.Event) { e.Protected = true })
	var list []event.Event
	for i := range 20_000 {
		e := first
		e.ID, e.Time = fmt.Sprintf("p%06d", i), now.Add(-99*day).Add(time.Duration(i)*time.Second)
		if list = append(list, e); len(list) == 10_000 {
			if err := a.Put(t.Context(), list...); err != nil {
				t.Fatal(err)
			}
			list = list[:0]
		}
	}
	saved(t, a, "c", "last", now.Add(-day), 1000, nil)
	began := time.Now()
	removed, err := a.Retain(t.Context(), Limits{MaxSize: 1}, now)
	if err != nil || ids(removed) != "last" {
		t.Errorf("removed %q, %v", ids(removed), err)
	}
	t.Logf("took %s", time.Since(began))
	var plan string
	db, err := sqlfile.Open(filepath.Join(state, index.Name), "mode=ro", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(),
		`EXPLAIN QUERY PLAN SELECT event FROM events INDEXED BY events_old WHERE drive = 1 AND protected = 0 AND state NOT IN ('recording', 'finishing') AND (time, id) > (1, 'a') AND time < 9 AND bytes >= 1 ORDER BY time, id LIMIT 9`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n, m, o int
		var s string
		if err := rows.Scan(&n, &m, &o, &s); err != nil {
			t.Fatal(err)
		}
		plan += s + "\n"
	}
	if !strings.Contains(plan, "SEARCH events USING INDEX events_old (drive=?") || strings.Contains(plan, "SORT") ||
		rows.Err() != nil {
		t.Errorf("plan %s, %v", plan, rows.Err())
	}
}

// hostile writes a planted sidecar.
func hostile(t *testing.T, root, name string, fields map[string]any) {
	t.Helper()
	e := map[string]any{"id": "x", "camera": "c", "time": "2020-01-01T00:00:00Z", "state": "saved",
		"from": "2020-01-01T00:00:00Z", "until": "2020-01-01T00:01:00Z"}
	for k, v := range fields {
		e[k] = v
	}
	b, err := json.Marshal(e)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, name), b, 0o644)
	}
	// Make it another user's file, if this user may.
	if err == nil && os.Geteuid() == 0 && runtime.GOOS != "windows" {
		err = os.Lchown(filepath.Join(root, name), 65534, 65534)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostileSidecars checks that planted sidecars are ignored, each with a clear error, and that nothing that does not
// belong to them is touched.
func TestHostileSidecars(t *testing.T) {
	const stem = "2026-11-28_10-00-00+0000_motion"
	clip := func(file string) []map[string]any { return []map[string]any{{"file": file, "bytes": 1}} }
	part := func(file, clip string) []map[string]any { return []map[string]any{{"file": file, "clip": clip}} }
	for name, tc := range map[string]struct {
		file   string
		fields map[string]any
	}{
		"a camera outside": {stem + "_2.json",
			map[string]any{"camera": "../../x/cam", "state": "recording", "hold": "20261120T100000.000Z-cccccc"}},
		"a hold outside":            {stem + "_2.json", map[string]any{"state": "recording", "hold": "../../x"}},
		"an id outside":             {stem + "_2.json", map[string]any{"id": "../x"}},
		"a stem that begins others": {"2026.json", map[string]any{"clips": clip(stem + ".mp4")}},
		"a stranger's file":         {"2026.json", map[string]any{"clips": clip("2026-notes.txt")}},
		"another event's clip":      {stem + "_2.json", map[string]any{"clips": clip(stem + ".mp4")}},
		"a longer name":             {stem + "_2.json", map[string]any{"clips": clip(stem + "_2-notes.mp4")}},
		"another event's part": {stem + "_2.json",
			map[string]any{"state": "finishing", "parts": part(stem+".mp4", stem+"_2.mp4")}},
		"a stranger's part": {"2026.json",
			map[string]any{"state": "finishing", "parts": part("2026-notes.txt", "2026.mp4")}},
		"a thumbnail that is a clip": {stem + "_2.json", map[string]any{"thumbnail": stem + "_2.mp4"}},
		"a snapshot that is a note":  {stem + "_2.json", map[string]any{"snapshot": stem + "_2_snapshot.txt"}},
		"sizes that overflow": {stem + "_2.json",
			map[string]any{"clips": []map[string]any{{"file": stem + "_2.mp4", "bytes": int64(1) << 62}}}},
		"a negative size": {stem + "_2.json",
			map[string]any{"clips": []map[string]any{{"file": stem + "_2.mp4", "bytes": -5}}}},
		"too many parts":       {stem + "_2.json", map[string]any{"triggers": make([]event.Trigger, 101)}},
		"a second one":         {stem + "_2.json", map[string]any{"id": "real"}},
		"another event's hold": {stem + "_2.json", map[string]any{"state": "recording", "hold": "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			a := openArchive(t, t.TempDir(), root)
			real := saved(t, a, "c", "real", time.Date(2026, 11, 28, 10, 0, 0, 0, time.Local), 10,
				func(e *event.Event) { e.Protected = true })
			put1(t, a, "open", event.Recording)
			notes := filepath.Join(root, real.Folder, "2026-notes.txt")
			if err := os.WriteFile(notes, []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			file := strings.Replace(tc.file, stem, real.Stem, 1)
			b, _ := json.Marshal(tc.fields)
			var fields map[string]any
			if err := json.Unmarshal(bytes.ReplaceAll(b, []byte(stem), []byte(real.Stem)), &fields); err != nil {
				t.Fatal(err)
			}
			hostile(t, root, filepath.Join(real.Folder, file), fields)
			_, faults, err := a.Reindex(t.Context())
			if err != nil || len(faults) != 1 && name != "another event's hold" {
				t.Errorf("%v, %v", faults, err)
			}
			if _, err := a.Retain(t.Context(), Limits{MaxAge: time.Hour, MaxSize: 1}, time.Now()); err != nil {
				t.Error(err)
			}
			if list, err := a.List(t.Context(), event.Query{}); err != nil ||
				ids(list) != "open real" && name != "another event's hold" {
				t.Errorf("%q, %v", ids(list), err)
			}
			// The event may finish its own files, and has no hold.
			if e, err := a.Get(t.Context(), "x"); err == nil && (e.State != event.Finishing || e.Hold != "") {
				t.Errorf("%+v", e)
			}
			for _, path := range []string{notes, a.Path(real, real.Clips[0].File), a.Path(real, Sidecar(real))} {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestLinksLeadNowhere replaces a folder of the archive by a link to a private folder.
func TestLinksLeadNowhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a user may make links only with special rights")
	}
	root, private := t.TempDir(), t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := saved(t, a, "c", "one", time.Now().Add(-2*time.Hour), 10, nil)
	dir := filepath.Join(root, filepath.FromSlash(e.Folder))
	for _, name := range files(e) {
		if err := os.WriteFile(filepath.Join(private, name), []byte("private"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Rename(dir, dir+"-away"), os.Symlink(private, dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Retain(t.Context(), Limits{MaxAge: time.Hour}, time.Now()); err != nil {
		t.Error(err)
	}
	if err := a.Delete(t.Context(), "one", time.Now()); err == nil {
		t.Error("removed")
	}
	if _, err := a.Protect(t.Context(), "one", true); err == nil {
		t.Error("written")
	}
	two := event.Event{ID: "two", Camera: "c", Time: e.Time, Label: "motion"}
	if err := a.Reserve(&two); err == nil {
		t.Errorf("reserved %s", two.Folder)
	}
	b := openArchive(t, t.TempDir(), root)
	if n, _, err := b.Reindex(t.Context()); err != nil || n > 1 { // the event that was moved away
		t.Errorf("%d found, %v", n, err)
	}
	list, err := os.ReadDir(private)
	if err != nil || len(list) != len(files(e)) {
		t.Errorf("%d files left of %d, %v", len(list), len(files(e)), err)
	}
	for _, f := range list {
		if b, err := os.ReadFile(filepath.Join(private, f.Name())); err != nil || string(b) != "private" {
			t.Errorf("%s: %s, %v", f.Name(), b, err)
		}
	}
}

// TestTextsOfSidecarsAreCleaned checks that the texts of sidecars are safe to show.
func TestTextsOfSidecarsAreCleaned(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := saved(t, a, "c", "one", time.Now(), 10, nil)
	hostile(t, root, filepath.Join(e.Folder, Sidecar(e)),
		map[string]any{"id": "one", "camera_name": "\x1b]8;;http://x\x07evil", "label": "a\x1b[31m\nb",
			"reason": "x\u202ey",
			"triggers": []map[string]any{{"time": "2020-01-01T00:00:00Z",
				"subject": strings.Repeat("\u202e", 10) + strings.Repeat("s", 5000)}}})
	if _, faults, err := a.Reindex(t.Context()); err != nil || faults != nil {
		t.Fatal(faults, err)
	}
	got, err := a.Get(t.Context(), "one")
	if err != nil || got.CameraName != "]8;;http://xevil" || got.Label != "a[31m b" || got.Reason != "xy" ||
		len(got.Triggers[0].Subject) > 210 {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzSidecar(f *testing.F) {
	const name = "c/2026/11/28/2026-11-28_10-00-00+0000_motion.json"
	good, _ := json.Marshal(event.Event{ID: "x", Camera: "c", Time: time.Now(), State: event.Saved,
		Clips: []event.Clip{{File: "2026-11-28_10-00-00+0000_motion.mp4"}}})
	f.Add(good, name)
	f.Add([]byte(`{"id":"x","camera":"c","time":"2026-01-01T00:00:00Z","state":"recording","parts":[{"file":"../x"}]}`),
		name)
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		e, err := parseSidecar(b, name)
		if err != nil {
			return
		}
		if !event.CameraID(e.Camera) || !event.ValidID(e.ID) || e.Bytes() < 0 {
			t.Errorf("%+v", e)
		}
		for _, n := range files(e) {
			if !filepath.IsLocal(filepath.FromSlash(In(e, n))) || !strings.HasPrefix(n, e.Stem) ||
				filepath.Dir(filepath.FromSlash(In(e, n))) != filepath.FromSlash(e.Folder) && e.Folder != "." {
				t.Errorf("%q is a file of %+v", n, e)
			}
		}
		for _, s := range []string{e.CameraName, e.Label, e.Reason} {
			if s != event.Clean(s, 1<<20) {
				t.Errorf("%q can be shown", s)
			}
		}
	})
}

// TestManyEventsRecreated checks that a damaged index of very many events is set aside at once, so that alarms can be
// noted.
func TestManyEventsRecreated(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	e := saved(t, a, "c", "first", time.Now(), 10, nil)
	var list []event.Event
	for i := range 20_000 {
		e.ID = fmt.Sprintf("e%06d", i)
		list = append(list, e)
	}
	if err := errors.Join(a.Put(t.Context(), list...), a.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(state, index.Name), os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 64<<10), 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b, err := OpenOrWait(t.Context(), state, root, slog.New(slog.DiscardHandler), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	put1(t, b, "new", event.Recording)
	t.Logf("noted after %s", time.Since(began))
	stored(t, b, "new")
}

// TestOneRecorderAnArchive checks that two recorders never use one archive at once.
func TestOneRecorderAnArchive(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	saved(t, a, "c", "one", time.Now(), 10, nil)
	b, err := Open(t.Context(), t.TempDir(), root, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	var taken *lockfile.InUseError
	if err := b.Claim(); !errors.As(err, &taken) || taken.Owner.Process != os.Getpid() {
		t.Errorf("%v", err)
	}
	e := event.Event{ID: "x", Camera: "c", Time: time.Now()}
	if err := b.Reserve(&e); !errors.As(err, &taken) {
		t.Errorf("a name was given in an archive that another one uses: %v", err)
	}
	if what, hint := Explain(taken); !strings.Contains(what.String(), "another Preroll") ||
		!strings.Contains(hint.String(), root) {
		t.Error("it is not explained")
	}
	_ = a.Close()
	if err := errors.Join(b.Claim(), b.Reserve(&e)); err != nil {
		t.Errorf("when the other has ended: %v", err)
	}
}

// TestForgetDrive checks that all events of a drive that is gone for good leave the list together.
func TestForgetDrive(t *testing.T) {
	dir := t.TempDir()
	a := openArchive(t, t.TempDir(), filepath.Join(dir, "old"))
	saved(t, a, "c", "o1", time.Now().Add(-time.Hour), 10, nil)
	old := saved(t, a, "c", "o2", time.Now().Add(-time.Minute), 10, func(e *event.Event) { e.Protected = true })
	a.SetRoot(filepath.Join(dir, "new"))
	saved(t, a, "c", "n1", time.Now(), 10, nil)
	if list, err := a.Usage(t.Context()); err != nil || len(list) != 2 || list[1].ID != old.Drive ||
		list[1].Events != 2 || list[1].Bytes != 20 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := a.ForgetDrive(t.Context(), "0000"); !errors.Is(err, ErrNoDrive) {
		t.Error(err)
	}
	if _, err := a.ForgetDrive(t.Context(), old.Drive); !errors.Is(err, ErrThere) {
		t.Errorf("a drive that is there was forgotten: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if n, err := a.ForgetDrive(t.Context(), old.Drive); n != 2 || err != nil {
		t.Error(n, err)
	}
	if list, err := a.List(t.Context(), event.Query{}); err != nil || ids(list) != "n1" ||
		clipsIn(t, filepath.Join(dir, "away")) != 2 {
		t.Errorf("%q, %v", ids(list), err)
	}
}

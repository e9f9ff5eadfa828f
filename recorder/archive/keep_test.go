package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

// keeping keeps and fills an index until the test ends, as a recorder does.
func keeping(t *testing.T, a *Archive) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { a.Keep(ctx) })
	working.Go(func() { a.Refill(ctx, func(bool) {}) })
	t.Cleanup(func() { cancel(); working.Wait() })
}

// filled reports whether the index holds all events of the drives.
func filled(a *Archive) bool {
	_, lacks := a.Drive(func(d index.Drive) bool { return !d.Filled })
	_, knows := a.Drive(func(index.Drive) bool { return true })
	return knows && !lacks
}

// stored waits until the index lists exactly the wanted events.
func stored(t *testing.T, a *Archive, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		list, err := a.List(t.Context(), event.Query{Limit: 1000})
		if got = strings.Fields(ids(list)); err != nil {
			got = []string{err.Error()}
		}
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("the index holds %v, want %v", got, want)
}

// execute executes a statement in an index, as another program may.
func execute(t *testing.T, state, statement string) {
	t.Helper()
	db, err := sqlfile.Open(filepath.Join(state, index.Name), "mode=rw&_pragma=busy_timeout(25000)", 1)
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check compares the sums in an index with its events.
func check(t *testing.T, state string) {
	t.Helper()
	db, err := sqlfile.Open(filepath.Join(state, index.Name), "mode=ro&_pragma=busy_timeout(25000)", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var wrong int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM (SELECT day, camera, label, count(*), sum(bytes) FROM events GROUP BY day, camera, label
		EXCEPT SELECT day, camera, label, sum(events), sum(bytes) FROM days GROUP BY day, camera, label)`).Scan(&wrong); err != nil || wrong != 0 {
		t.Errorf("%d wrong sums, %v", wrong, err)
	}
}

func put1(t *testing.T, a *Archive, id string, s event.State) {
	t.Helper()
	if err := a.Put(t.Context(), event.Event{ID: id, Camera: "c", Time: time.Now(), State: s, Hold: id}); err != nil {
		t.Fatal(err)
	}
}

// TestIndexRemovedUnderARunningRecorder checks that an index that is removed under a running recorder is recreated
// before the next alarm is answered. The new index has the open events at once; the others come from the archive.
func TestIndexRemovedUnderARunningRecorder(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(state string) error
	}{
		{"the database", func(s string) error { return os.Remove(filepath.Join(s, index.Name)) }},
		{"its log", func(s string) error { return os.Remove(filepath.Join(s, index.Name+"-wal")) }},
		{"all its files", func(s string) error {
			return errors.Join(os.Remove(filepath.Join(s, index.Name)), os.Remove(filepath.Join(s, index.Name+"-wal")),
				os.Remove(filepath.Join(s, index.Name+"-shm")))
		}},
		{"the whole folder", os.RemoveAll},
		{"replaced by another file", func(s string) error {
			tmp := filepath.Join(s, "x")
			return errors.Join(os.WriteFile(tmp, []byte("something else"), 0o600),
				os.Rename(tmp, filepath.Join(s, index.Name)))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state, root := filepath.Join(t.TempDir(), "state"), t.TempDir()
			a := openArchive(t, state, root)
			saved(t, a, "c", "old", time.Now().Add(-time.Hour), 10, nil)
			put1(t, a, "open", event.Recording)
			if err := tc.remove(state); err != nil {
				t.Fatal(err)
			}
			put1(t, a, "new", event.Recording)
			saved(t, a, "c", "newer", time.Now(), 10, nil)
			// What counts is what the next start reads. As in a crash, a is not closed first.
			b := openArchive(t, state, root)
			stored(t, b, "open", "new", "newer")
			keeping(t, a)
			stored(t, a, "old", "open", "new", "newer")
			stored(t, b, "old", "open", "new", "newer")
			check(t, state)
		})
	}
}

// TestFillingIsNotForgotten checks that the next process fills a recreated index if the first process ends before it
// did.
func TestFillingIsNotForgotten(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	saved(t, a, "c", "old", time.Now(), 10, nil)
	for range 2 {
		b := openArchive(t, state, root)
		if filled(b) {
			t.Error("the index counts as full and is empty")
		}
		_ = b.Close()
	}
	b := openArchive(t, state, root)
	if _, _, err := b.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := openArchive(t, state, root); !filled(c) {
		t.Error("a full index is filled again")
	}
}

// TestReindexForgetsNoEventThatHasItsClip checks that an event whose sidecar is lost or garbled is kept while its clip
// is there.
func TestReindexForgetsNoEventThatHasItsClip(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	garbled := saved(t, a, "c", "garbled", time.Now().Add(-time.Hour), 10, nil)
	lost := saved(t, a, "c", "lost", time.Now().Add(-2*time.Hour), 10, nil)
	gone := saved(t, a, "c", "gone", time.Now().Add(-3*time.Hour), 10, nil)
	bin := filepath.Join(root, ".Trash-1000", "files")
	err := errors.Join(os.WriteFile(a.Path(garbled, Sidecar(garbled)), []byte("{"), 0o644),
		os.Remove(a.Path(lost, Sidecar(lost))),
		os.MkdirAll(bin, 0o755), os.Rename(a.Path(gone, Sidecar(gone)), filepath.Join(bin, Sidecar(gone))),
		os.Remove(a.Path(gone, gone.Clips[0].File)))
	if err != nil {
		t.Fatal(err)
	}
	if found, faults, err := a.Reindex(t.Context()); found != 0 || len(faults) != 1 || err != nil {
		t.Errorf("%d, %v, %v", found, faults, err)
	}
	stored(t, a, "garbled", "lost")
}

// TestIndexWithFlippedBytes flips bytes of the index while it is closed and while it is open. Whatever is hit, the
// events come back: ended events from their sidecars, open events from memory.
func TestIndexWithFlippedBytes(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			state, root := t.TempDir(), t.TempDir()
			a := openArchive(t, state, root)
			var want []string
			for i := range 30 {
				id := fmt.Sprintf("e%02d", i)
				saved(t, a, "c", id, time.Now().Add(-time.Duration(i)*time.Hour), 10, nil)
				want = append(want, id)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(state, index.Name)
			flip := func() {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for range 1 + rng.IntN(2000) {
					b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
				}
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				_, err = f.WriteAt(b, 0)
				if err = errors.Join(err, f.Close()); err != nil {
					t.Fatal(err)
				}
			}
			flip()
			// The log of a process that did not end in peace: the index is examined.
			if err := os.WriteFile(path+"-wal", []byte{0}, 0o600); err != nil {
				t.Fatal(err)
			}
			a = openArchive(t, state, root)
			keeping(t, a)
			put1(t, a, "open", event.Recording)
			if list, err := a.List(t.Context(), event.Query{Limit: 1000}); err == nil && len(list) == 31 &&
				seed%2 == 0 {
				t.Log("nothing that counts was hit")
			}
			stored(t, a, append(want, "open")...)
			check(t, state)
		})
	}
}

// TestGarbledEventIsFoundAgain checks that an event that cannot be read does not hide the others for ever.
func TestGarbledEventIsFoundAgain(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	saved(t, a, "c", "one", time.Now().Add(-time.Hour), 10, nil)
	saved(t, a, "c", "two", time.Now().Add(-2*time.Hour), 10, nil)
	put1(t, a, "open", event.Recording)
	execute(t, state, `UPDATE events SET event = '{"id": "on' WHERE id = 'one'`)
	keeping(t, a)
	stored(t, a, "one", "two", "open")
}

// TestReindexFindsOpenEvents checks that an open event whose index is lost is found beside its partial file.
func TestReindexFindsOpenEvents(t *testing.T) {
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := event.Event{ID: "open", Camera: "c", Time: time.Now(), Label: "motion", State: event.Recording, Hold: "open",
		TriggerCount: 3}
	if err := a.Reserve(&e); err != nil {
		t.Fatal(err)
	}
	e.Parts = []event.Part{{File: e.Stem + ".partial.mp4", Clip: e.Stem + ".mp4", Run: 7, Start: time.Now()}}
	if err := a.WriteSidecar(e); err != nil {
		t.Fatal(err)
	}
	b := openArchive(t, t.TempDir(), root)
	if n, faults, err := b.Reindex(t.Context()); n != 1 || faults != nil || err != nil {
		t.Fatal(n, faults, err)
	}
	got, err := b.Get(t.Context(), "open")
	if err != nil || got.State != event.Finishing || got.Hold != "" || got.TriggerCount != 3 || len(got.Parts) != 1 ||
		got.Archive != root {
		t.Errorf("%+v, %v", got, err)
	}
	// Once the index has the event, the index knows more than the sidecar.
	got.TriggerCount = 4
	if err := b.Put(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Get(t.Context(), "open"); err != nil || got.TriggerCount != 4 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMountPointIsNoArchive checks that nothing is written to the mount point of a drive that is not plugged in.
func TestMountPointIsNoArchive(t *testing.T) {
	root := filepath.Join(t.TempDir(), "drive")
	a := openArchive(t, t.TempDir(), root)
	saved(t, a, "c", "one", time.Now(), 10, nil)
	open := event.Event{ID: "open", Camera: "c", Time: time.Now()}
	if err := a.Reserve(&open); err != nil {
		t.Fatal(err)
	}
	away := root + "-away"
	for _, below := range []string{"", "an empty folder"} {
		if err := os.Rename(root, away); err != nil {
			t.Fatal(err)
		}
		if below != "" {
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		e := event.Event{ID: "two", Camera: "c", Time: time.Now()}
		if err := a.Reserve(&e); !errors.Is(err, ErrEmpty) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("with %q in the drive's place: %v", below, err)
		}
		// An open event already has its place there.
		if err := a.Reserve(&open); !errors.Is(err, ErrEmpty) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("with %q in the drive's place an open event went on: %v", below, err)
		}
		if list, err := os.ReadDir(root); err == nil && len(list) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something was made there: %v, %v", list, err)
		}
		_ = os.Remove(root)
		if err := os.Rename(away, root); err != nil {
			t.Fatal(err)
		}
		if err := a.Reserve(&e); err != nil {
			t.Errorf("with the drive back: %v", err)
		}
	}
}

// TestForeignFilesInTheArchive checks that an archive full of holiday pictures gives the same index and keeps all
// pictures.
func TestForeignFilesInTheArchive(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	const foreign = 200_000
	root := t.TempDir()
	a := openArchive(t, t.TempDir(), root)
	e := saved(t, a, "c", "one", time.Now().Add(-time.Hour), 10, nil)
	for n := range foreign {
		dir := filepath.Join(root, []string{"holiday", e.Folder, "c", "x/y"}[n/1000%4])
		if n%1000 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%06d.%s", n, []string{"jpg", "mp4", "txt", "mov"}[n%4])))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if found, faults, err := a.Reindex(t.Context()); found != 1 || faults != nil || err != nil {
		t.Errorf("%d, %v, %v", found, faults, err)
	}
	two := saved(t, a, "c", "two", time.Now(), 10, nil)
	removed, err := a.Retain(t.Context(), Limits{MaxSize: 1}, time.Now())
	if err != nil || len(removed) != 2 {
		t.Errorf("removed %d events, %v", len(removed), err)
	}
	t.Logf("rebuilt and cleared in %s", time.Since(began))
	left := 0
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if !d.IsDir() && d.Name() != drive.File && d.Name() != lockfile.Name {
			left++
		}
		return err
	})
	if err != nil || left != foreign {
		t.Errorf("%d of %d foreign files are left, %v; %s", left, foreign, err, two.Stem)
	}
}

// TestReindexBesideChanges checks that changes made while the archive is read persist.
func TestReindexBesideChanges(t *testing.T) {
	for at := int64(1); at < 12; at++ {
		state, root := t.TempDir(), t.TempDir()
		a := openArchive(t, state, root)
		saved(t, a, "c", "kept", time.Now().Add(-time.Hour), 10, nil)
		saved(t, a, "c", "gone", time.Now().Add(-30*time.Minute), 10, nil)
		done := make(chan struct{})
		ctx := &steps{Context: t.Context(), at: at, do: func() {
			go func() { // the archive may be locked just now
				defer close(done)
				if _, err := a.Protect(t.Context(), "kept", true); err != nil {
					t.Error(err)
				}
				if err := a.Delete(t.Context(), "gone", time.Now()); err != nil {
					t.Error(err)
				}
			}()
			select {
			case <-done:
			case <-time.After(300 * time.Millisecond):
			}
		}}
		if _, _, err := a.Reindex(ctx); err != nil {
			t.Fatal(err)
		}
		if ctx.n.Add(1000)-1000 < at { // no later step does anything
			break
		}
		<-done
		if e, err := a.Get(t.Context(), "kept"); err != nil || !e.Protected {
			t.Errorf("step %d: protected %v, %v", at, e.Protected, err)
		}
		if _, err := a.Get(t.Context(), "gone"); !errors.Is(err, index.ErrNotFound) {
			t.Errorf("step %d: the removed event is back: %v", at, err)
		}
	}
}

// steps is a context that calls do when Err is called for the at-th time.
type steps struct {
	context.Context
	n  atomic.Int64
	at int64
	do func()
}

func (s *steps) Err() error {
	if s.n.Add(1) == s.at {
		s.do()
	}
	return s.Context.Err()
}

// TestIndexIsDamagedWhileItIsFilled checks that an index whose damage makes each filling fail is recreated.
func TestIndexIsDamagedWhileItIsFilled(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	saved(t, a, "cam", "a1", time.Now(), 100, nil)
	execute(t, state, `UPDATE events SET event = '{"id":"a1' || char(1) || '}'`)
	d, _ := a.Drive(func(index.Drive) bool { return true })
	a.Update(d.Key, func(d *index.Drive) { d.Filled = false })
	a.RequestFill()
	keeping(t, a)
	stored(t, a, "a1")
}

// TestRecreatedWhileItIsFilled checks that an index that is recreated during a filling does not count as filled.
func TestRecreatedWhileItIsFilled(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	saved(t, a, "cam", "a1", time.Now(), 100, nil)
	ctx := &steps{Context: t.Context(), at: 2, do: func() {
		if err := os.Remove(filepath.Join(state, index.Name)); err != nil {
			t.Error(err)
		}
		put1(t, a, "new", event.Recording)
	}}
	if _, _, err := a.Reindex(ctx); err != nil {
		t.Fatal(err)
	}
	if ctx.n.Load() < 2 || filled(a) {
		t.Error("it counts as filled")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if b := openArchive(t, state, root); filled(b) {
		t.Error("it counts as filled after a restart")
	}
}

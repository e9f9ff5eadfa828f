package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive/drive"
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
	_, lacks := a.drive(func(d known) bool { return !d.filled })
	_, knows := a.drive(func(d known) bool { return true })
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
		{"the database", func(s string) error { return os.Remove(filepath.Join(s, IndexName)) }},
		{"its log", func(s string) error { return os.Remove(filepath.Join(s, IndexName+"-wal")) }},
		{"all its files", func(s string) error {
			return errors.Join(os.Remove(filepath.Join(s, IndexName)), os.Remove(filepath.Join(s, IndexName+"-wal")),
				os.Remove(filepath.Join(s, IndexName+"-shm")))
		}},
		{"the whole folder", os.RemoveAll},
		{"replaced by another file", func(s string) error {
			tmp := filepath.Join(s, "x")
			return errors.Join(os.WriteFile(tmp, []byte("something else"), 0o600),
				os.Rename(tmp, filepath.Join(s, IndexName)))
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
			check(t, b)
		})
	}
}

// TestLogRemovedUnnoticed: the index's log is removed in the moment before its file is known. SQLite goes on writing to
// the removed file, which the next start does not read.
func TestLogRemovedUnnoticed(t *testing.T) {
	for name, unnoticed := range map[string]func(*testing.T, *Archive){
		"while the index is opened": func(t *testing.T, a *Archive) {
			a.writing.Lock()
			defer a.writing.Unlock()
			a.ready = false
			if err := a.ensureOpen(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"and a reader has made another": func(t *testing.T, a *Archive) {
			if err := os.WriteFile(a.path+"-wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			a.writing.Lock()
			defer a.writing.Unlock()
			a.onDisk = indexFilesOf(a.path)
			a.reads.SetMaxIdleConns(0) // each list opens the log by its name
		},
	} {
		t.Run(name, func(t *testing.T) {
			state, root := t.TempDir(), t.TempDir()
			a := openArchive(t, state, root)
			saved(t, a, "c", "old", time.Now().Add(-time.Hour), 10, nil)
			put1(t, a, "open", event.Recording)
			if err := os.Remove(a.path + "-wal"); err != nil {
				t.Fatal(err)
			}
			unnoticed(t, a)
			keeping(t, a)
			stored(t, a, "old", "open")
			put1(t, a, "new", event.Recording)
			b := openArchive(t, state, root) // as in a crash, a is not closed first
			stored(t, b, "old", "open", "new")
			check(t, b)
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
			path := filepath.Join(state, IndexName)
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
			a = openArchive(t, state, root)
			keeping(t, a)
			put1(t, a, "open", event.Recording)
			if list, err := a.List(t.Context(), event.Query{Limit: 1000}); err == nil && len(list) == 31 &&
				seed%2 == 0 {
				t.Log("nothing that counts was hit")
			}
			a.doubted <- struct{}{} // for damage that no statement has met yet
			stored(t, a, append(want, "open")...)
			check(t, a)
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
	if _, err := a.db.ExecContext(t.Context(), `UPDATE events SET event = '{"id": "on' WHERE id = 'one'`); err != nil {
		t.Fatal(err)
	}
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

// TestIndexIsWaitedFor checks that an index that cannot be opened for a passing reason is waited for. Until then no
// event is noted, and nothing is lost.
func TestIndexIsWaitedFor(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	put1(t, a, "old", event.Recording)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(state, IndexName+"-wal")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	var said []bool
	b, err := OpenOrWait(t.Context(), state, root, slog.New(slog.DiscardHandler), func(err error) {
		said = append(said, err == nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Put(t.Context(), event.Event{ID: "new", Camera: "c", Time: time.Now(),
		State: event.Recording}); err == nil {
		t.Error("an event was noted in an index that cannot be opened")
	}
	if _, err := Open(t.Context(), state, root, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a command goes on without an index")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	b.checkIndex(t.Context())
	put1(t, b, "new", event.Recording)
	stored(t, b, "old", "new")
	if !slices.Equal(said, []bool{false, false, true, true}) {
		t.Errorf("told %v", said)
	}
	if kept, _ := filepath.Glob(filepath.Join(state, IndexName+".damaged-*")); kept != nil {
		t.Errorf("a good index was moved aside: %v", kept)
	}
}

// TestOpenEventsOutliveAFailedBegin checks that open events that were answered get into the index that replaces a
// damaged one, even if the damaged index was unreadable and the first attempt to replace it failed.
func TestOpenEventsOutliveAFailedBegin(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	put1(t, a, "open", event.Recording)
	for _, end := range []string{"", "-wal"} {
		path := filepath.Join(state, IndexName+end)
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, int(fi.Size())), 0)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	// At first the new index cannot be created.
	real, nowhere := a.path, filepath.Join(state, IndexName, IndexName) // below a file
	a.writing.Lock()
	a.path = nowhere
	over, end := context.WithCancel(t.Context())
	end() // the mail session that met the damage ends just now
	if err := a.recreate(over, errDamaged); err == nil {
		t.Error("an index was made in a folder that there is not")
	}
	a.path = real
	err := setAside(real, time.Now())
	a.writing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	put1(t, a, "new", event.Recording)
	stored(t, a, "open", "new")
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
				if err := a.Delete(t.Context(), "gone"); err != nil {
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
		if _, err := a.Get(t.Context(), "gone"); !errors.Is(err, ErrNotFound) {
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
	if _, err := a.db.ExecContext(t.Context(), `UPDATE events SET event = '{"id":"a1' || char(1) || '}'`); err != nil {
		t.Fatal(err)
	}
	d, _ := a.drive(func(known) bool { return true })
	d.filled = false
	a.register(d)
	keeping(t, a)
	stored(t, a, "a1")
}

// TestRecreatedWhileItIsFilled checks that an index that is recreated during a filling does not count as filled.
func TestRecreatedWhileItIsFilled(t *testing.T) {
	state, root := t.TempDir(), t.TempDir()
	a := openArchive(t, state, root)
	saved(t, a, "cam", "a1", time.Now(), 100, nil)
	ctx := &steps{Context: t.Context(), at: 2, do: func() {
		a.writing.Lock()
		defer a.writing.Unlock()
		if err := a.recreate(t.Context(), errDamaged); err != nil {
			t.Error(err)
		}
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

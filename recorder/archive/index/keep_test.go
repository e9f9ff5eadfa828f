package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/event"
)

// keeping keeps an index until the test ends, as a recorder does.
func keeping(t *testing.T, x *Index) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { x.Keep(ctx) })
	t.Cleanup(func() { cancel(); working.Wait() })
}

// stored waits until the index lists exactly the wanted events.
func stored(t *testing.T, x *Index, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	poll.Until(t, fmt.Sprintf("the events %v", want), 20*time.Second, func() bool {
		list, err := x.List(t.Context(), event.Query{Limit: 1000})
		if got = strings.Fields(ids(list)); err != nil {
			got = []string{err.Error()}
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	}, func() string { return fmt.Sprintf("the index lists %v", got) })
}

func put1(t *testing.T, x *Index, id string, s event.State) {
	t.Helper()
	if err := x.Put(t.Context(), event.Event{ID: id, Camera: "c", Time: time.Now(), State: s, Hold: id}); err != nil {
		t.Fatal(err)
	}
}

// TestLogRemovedUnnoticed: the index's log is removed in the moment before its file is known. SQLite goes on writing to
// the removed file, which the next start does not read.
func TestLogRemovedUnnoticed(t *testing.T) {
	for name, unnoticed := range map[string]func(*testing.T, *Index){
		"while the index is opened": func(t *testing.T, x *Index) {
			x.writing.Lock()
			defer x.writing.Unlock()
			x.ready = false
			if err := x.ensureOpen(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"and a reader has made another": func(t *testing.T, x *Index) {
			if err := os.WriteFile(x.path+"-wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			x.writing.Lock()
			defer x.writing.Unlock()
			x.onDisk = indexFilesOf(x.path)
			x.reads.SetMaxIdleConns(0) // each list opens the log by its name
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			x := openIndex(t, state)
			put1(t, x, "open", event.Recording)
			if err := os.Remove(x.path + "-wal"); err != nil {
				t.Fatal(err)
			}
			unnoticed(t, x)
			keeping(t, x)
			stored(t, x, "open")
			put1(t, x, "new", event.Recording)
			y := openIndex(t, state) // as in a crash, x is not closed first
			stored(t, y, "open", "new")
			check(t, y)
		})
	}
}

// TestIndexIsWaitedFor checks that an index that cannot be opened for a passing reason is waited for. Until then no
// event is noted, and nothing is lost.
func TestIndexIsWaitedFor(t *testing.T) {
	state := t.TempDir()
	x := openIndex(t, state)
	put1(t, x, "old", event.Recording)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(state, Name+"-wal")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	var said []bool
	o := options(t, state)
	o.Noted = func(err error) { said = append(said, err == nil) }
	y, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = y.Close() })
	if err := y.Put(t.Context(), event.Event{ID: "new", Camera: "c", Time: time.Now(),
		State: event.Recording}); err == nil {
		t.Error("an event was noted in an index that cannot be opened")
	}
	if err := y.Ready(t.Context()); err == nil {
		t.Error("the index counts as open")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	y.checkIndex(t.Context())
	put1(t, y, "new", event.Recording)
	stored(t, y, "old", "new")
	if !slices.Equal(said, []bool{false, false, true, true}) {
		t.Errorf("told %v", said)
	}
	if kept, _ := filepath.Glob(filepath.Join(state, Name+".damaged-*")); kept != nil {
		t.Errorf("a good index was moved aside: %v", kept)
	}
}

// TestOpenEventsOutliveAFailedBegin checks that open events that were answered get into the index that replaces a
// damaged one, even if the damaged index was unreadable and the first attempt to replace it failed.
func TestOpenEventsOutliveAFailedBegin(t *testing.T) {
	state := t.TempDir()
	x := openIndex(t, state)
	put1(t, x, "open", event.Recording)
	for _, end := range []string{"", "-wal"} {
		path := filepath.Join(state, Name+end)
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
	real, nowhere := x.path, filepath.Join(state, Name, Name) // below a file
	x.writing.Lock()
	x.path = nowhere
	over, end := context.WithCancel(t.Context())
	end() // the mail session that met the damage ends just now
	if err := x.recreate(over, errDamaged); err == nil {
		t.Error("an index was made in a folder that there is not")
	}
	x.path = real
	err := setAside(real, time.Now())
	x.writing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	put1(t, x, "new", event.Recording)
	stored(t, x, "open", "new")
}

// TestUnopenedIndexIsNotSetAside: reads of an index that was never opened fail, because it has no tables. That is no
// damage, and nothing is to be kept of it.
func TestUnopenedIndexIsNotSetAside(t *testing.T) {
	state := t.TempDir()
	x := openIndex(t, state)
	// As after a first start on a full disk: the file is there, and its tables were not made.
	x.ready = false
	for _, table := range []string{"events", "days", "drives"} {
		if _, err := x.db.ExecContext(t.Context(), `DROP TABLE `+table); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, _, err := x.Totals(t.Context()); err == nil {
			t.Error("an index that is not open was read")
		}
		x.examine(t.Context())
	}
	if kept, _ := filepath.Glob(filepath.Join(state, Name+".damaged-*")); kept != nil {
		t.Errorf("got %v, want nothing set aside", kept)
	}
}

// TestOldestGoesOn checks that events follow each other even if they have no time.
func TestOldestGoesOn(t *testing.T) {
	x := openIndex(t, t.TempDir())
	d := x.Register(Drive{Path: "/a"})
	for _, id := range []string{"a", "b"} {
		if err := x.Put(t.Context(), event.Event{ID: id, Camera: "c", State: event.Failed, Drive: d.ID,
			Stem: id}); err != nil {
			t.Fatal(err)
		}
	}
	old := Old{Limit: 1}
	var got []string
	for range 4 {
		list, err := x.Oldest(t.Context(), d, old)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			got = append(got, e.ID)
			old.After = e
		}
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

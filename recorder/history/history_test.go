package history

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

func start(t *testing.T, state string) (h *History, stop func()) {
	t.Helper()
	h = New(state, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return h, stop
}

// has waits until the history holds n entries, and returns them.
func has(t *testing.T, h *History, n int) []Entry {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		list, err := h.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == n {
			return list
		}
		if time.Now().After(end) {
			t.Fatalf("%d entries, want %d", len(list), n)
		}
	}
}

func TestEntriesSurviveARestart(t *testing.T) {
	state := t.TempDir()
	at := time.Now().Truncate(time.Millisecond)
	h, stop := start(t, state)
	want := Entry{Time: at, Kind: Removed, Camera: "gate", Text: text.Plain("too old"), From: "192.0.2.1", Event: "e1",
		About: at.Add(-time.Hour)}
	h.Add(want)
	h.Add(Entry{Time: at.Add(-time.Minute), Kind: Mail, Text: text.Plain("\xffTür " + strings.Repeat("ü", 1000))})
	has(t, h, 2)
	h.Add(Entry{Kind: Stopped}) // written at the end
	stop()
	if _, err := h.All(t.Context()); err == nil {
		t.Error("read after the end")
	}
	h, _ = start(t, state)
	list := has(t, h, 3)
	if !reflect.DeepEqual(list[1], want) || list[0].Kind != Mail || list[2].Kind != Stopped ||
		time.Since(list[2].Time) > time.Minute {
		t.Errorf("%+v", list)
	}
	if r := []rune(list[0].Text.String()); len(r) > longest+1 ||
		!strings.HasPrefix(list[0].Text.String(), "Tür") && !strings.Contains(list[0].Text.String(), "Tür") {
		t.Errorf("%q", list[0].Text)
	}
	if h.Dropped() != 0 {
		t.Errorf("%d dropped", h.Dropped())
	}
}

func TestNothingIsOpenedBeforeItIsNeeded(t *testing.T) {
	state := t.TempDir()
	_, stop := start(t, state)
	stop()
	if list, err := os.ReadDir(state); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAddNeverWaits(t *testing.T) {
	h := New(t.TempDir(), slog.New(slog.DiscardHandler)) // nobody writes
	for range queue + 7 {
		h.Add(Entry{Kind: Mail})
	}
	if h.Dropped() != 7 {
		t.Errorf("%d dropped", h.Dropped())
	}
}

// TestFolderThatCannotBeWritten checks that a state folder that cannot be written costs only entries and one line in
// the log.
func TestFolderThatCannotBeWritten(t *testing.T) {
	state := filepath.Join(t.TempDir(), "gone")
	var log bytes.Buffer
	h := New(state, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		h.write(t.Context(), Entry{Kind: Started})
	}
	if h.Dropped() != 3 || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%d dropped, log %s", h.Dropped(), log.String())
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	h.write(t.Context(), Entry{Kind: Started})
	has(t, h, 1)
	h.close()
}

func TestOldEntriesGo(t *testing.T) {
	h := New(t.TempDir(), slog.New(slog.DiscardHandler))
	defer h.close()
	put := func(kind Kind, n int) {
		var list []Entry
		for i := range n {
			if list = append(list, Entry{Time: time.Now(), Kind: kind,
				Text: text.Plain(fmt.Sprint(i))}); len(list) == queue ||
				i == n-1 {
				h.write(t.Context(), list...)
				list = nil
			}
		}
	}
	put(Mail, 5)
	put(Removed, mostRemoved+100)
	list, err := h.All(t.Context())
	if err != nil || len(list) < 5+mostRemoved || len(list) > 5+mostRemoved+pruneEvery || list[0].Kind != Mail {
		t.Errorf("%d entries, %v", len(list), err)
	}
	put(Mail, maxEntries)
	list, err = h.All(t.Context())
	if err != nil || len(list) < maxEntries || len(list) > maxEntries+pruneEvery || list[0].Kind != Mail ||
		list[len(list)-1].Text.String() != fmt.Sprint(maxEntries-1) {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

func TestDamagedFileIsMovedAside(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(path string) error
	}{
		{"no database", func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 8192), 0o600) }},
		{"pages overwritten", func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 20_000), 4096)
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := t.TempDir()
			h, stop := start(t, state)
			for range 500 {
				h.Add(Entry{Kind: Mail, Text: text.Plain(strings.Repeat("text ", 20))})
			}
			has(t, h, 500)
			stop()
			if err := tc.damage(filepath.Join(state, Name)); err != nil {
				t.Fatal(err)
			}
			h, _ = start(t, state)
			h.Add(Entry{Kind: Started})
			has(t, h, 1)
			if list, err := filepath.Glob(filepath.Join(state, Name+".damaged-*")); err != nil || len(list) != 1 {
				t.Errorf("%v, %v", list, err)
			}
		})
	}
}

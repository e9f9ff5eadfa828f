package seen

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

func TestSeen(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(id string, minutes int, s event.State) event.Event {
		return event.Event{ID: id, Time: now.Add(time.Duration(minutes) * time.Minute), State: s}
	}
	l := Open(dir, now)
	tray := Open(dir, now.Add(time.Hour)) // the file is there already
	for _, tc := range []struct {
		name string
		e    event.Event
		want bool
	}{
		{"from before the first start", at("a", -1, event.Saved), true},
		{"new", at("b", 1, event.Saved), false},
		{"being saved", at("c", 2, event.Recording), true},
		{"without a clip", at("d", 3, event.Failed), false},
	} {
		if got := tray.Has(tc.e); got != tc.want {
			t.Errorf("%s: seen %t, want %t", tc.name, got, tc.want)
		}
	}
	if err := l.Add(at("b", 1, event.Saved)); err != nil {
		t.Fatal(err)
	}
	tray.Reload()
	if !tray.Has(at("b", 1, event.Saved)) || tray.Has(at("d", 3, event.Failed)) {
		t.Error("the tray does not know what the window has shown")
	}
	if err := l.AddAll(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	tray.Reload()
	if !tray.Has(at("d", 3, event.Failed)) {
		t.Error("all are seen, and one is not")
	}
	if err := os.WriteFile(filepath.Join(dir, "seen.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !Open(dir, now).Has(at("a", -1, event.Saved)) {
		t.Error("after damage old events are new")
	}
}

// TestSeenVeryMany sees more events than are remembered one by one.
func TestSeenVeryMany(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	l := Open("", now)
	var all []event.Event
	for i := range maxIDs + 1 {
		at := now.Add(time.Duration(i)*time.Second + 1500*time.Microsecond)
		all = append(all, event.Event{ID: at.Format(idTime) + "-aaaaaa", Time: at, State: event.Saved})
		if err := l.Add(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range all {
		if !l.Has(e) {
			t.Fatalf("event %d is unseen again", i)
		}
	}
	later := now.Add(maxIDs * 2 * time.Second)
	if l.Has(event.Event{ID: later.Format(idTime) + "-bbbbbb", Time: later, State: event.Saved}) {
		t.Error("an event counts as seen that was not")
	}
}

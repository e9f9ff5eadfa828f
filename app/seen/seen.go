// Package seen remembers which events the user has seen. The window marks them, and the tray counts the others. The
// file is in the state folder; it belongs to the desktop, and the recorder does not know it.
//
// A List belongs to one goroutine.
package seen

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
)

// List is the events that were seen: all up to a time, and some later ones.
type List struct {
	path  string
	state state
	read  time.Time // modification time of the file that was read
}

type state struct {
	Until time.Time `json:"until"`
	IDs   []string  `json:"ids"` // of later events
}

// maxIDs is how many later events are remembered. With more, the older half counts as seen up to its newest event.
const maxIDs = 2000

// idTime is the form of the time with which the id of an event begins.
const idTime = "20060102T150405.000Z"

// Open reads the list in a state folder. Without a file, or with a damaged one, everything up to now counts as seen.
// Without a folder the list is kept in memory only.
func Open(dir string, now time.Time) *List {
	if dir == "" {
		return &List{state: state{Until: now}}
	}
	l := &List{path: filepath.Join(dir, "seen.json"), state: state{Until: now}}
	if !l.Reload() {
		_ = l.save() // without it the next start counts from then on
	}
	return l
}

// Reload reads the file again if it has changed. It reports whether there is one.
func (l *List) Reload() bool {
	fi, err := os.Stat(l.path)
	if l.path == "" || err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	if fi.ModTime().Equal(l.read) {
		return true
	}
	b, err := os.ReadFile(l.path)
	var s state
	if err == nil && json.Unmarshal(b, &s) == nil && !s.Until.IsZero() {
		l.state, l.read = s, fi.ModTime()
	}
	return true
}

// Has reports whether an event was seen. One that is being saved counts as seen.
func (l *List) Has(e event.Event) bool {
	return !e.State.Ended() || l.noted(e)
}

func (l *List) noted(e event.Event) bool {
	return !e.Time.After(l.state.Until) || slices.Contains(l.state.IDs, e.ID)
}

// Unseen returns what the unseen events are: those after a time, without some whose ids are given.
func (l *List) Unseen() (after time.Time, without []string) {
	return l.state.Until, slices.Clone(l.state.IDs)
}

// Add marks an event as seen, also one that is being saved.
func (l *List) Add(e event.Event) error {
	if l.noted(e) {
		return nil
	}
	l.state.IDs = append(l.state.IDs, e.ID)
	if len(l.state.IDs) > maxIDs {
		slices.Sort(l.state.IDs) // by time, with which an id begins
		begin, _, _ := strings.Cut(l.state.IDs[maxIDs/2-1], "-")
		if last, err := time.Parse(idTime, begin); err == nil && last.After(l.state.Until) {
			l.state.Until = last.Add(time.Millisecond) // the id has whole ones
		}
		l.state.IDs = slices.Delete(l.state.IDs, 0, maxIDs/2)
	}
	return l.save()
}

// AddAll marks everything up to a time as seen.
func (l *List) AddAll(now time.Time) error {
	l.state = state{Until: now}
	return l.save()
}

func (l *List) save() error {
	if l.path == "" {
		return nil
	}
	b, err := json.Marshal(l.state)
	if err == nil {
		err = durable.WriteFile(l.path, b, 0o600)
	}
	return err
}

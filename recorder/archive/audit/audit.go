// Package audit checks the whole archive against what its sidecars and the index say, and mends what can be mended.
//
// In goes the archive's tree, read in a stable order, one folder at a time; out come faults in plain words. Every clip
// is read to its end twice, once for its SHA-256 and once by FFmpeg, one file after the other. Mending finishes partial
// files and makes thumbnails and sidecars anew. It never changes a clip, and removes a partial file only once a clip
// that was read back holds what is in it. What a running recorder works on is left alone, and so is every file that
// Preroll did not make. A journal in the state folder lets a round that was interrupted go on. No goroutine outlives a
// call.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
)

// Kind is what a fault is about.
type Kind string

// The kinds.
const (
	Clip     Kind = "clip"     // a clip is not what was saved
	Sidecar  Kind = "sidecar"  // it is missing, damaged, or contradicts better knowledge
	Partial  Kind = "partial"  // a file that was not finished, with no event that will
	Picture  Kind = "picture"  // a thumbnail or snapshot is missing
	Leftover Kind = "leftover" // a temporary file
	Index    Kind = "index"    // the index and the tree differ
	Folder   Kind = "folder"   // it cannot be read
)

// Issue is one thing that is wrong.
type Issue struct {
	Path  string `json:"path"`            // below the archive, with slashes
	Kind  Kind   `json:"kind"`            // what it is about
	Text  string `json:"text"`            // what is wrong
	Hint  string `json:"hint,omitempty"`  // what to do
	Event string `json:"event,omitempty"` // its id, where it is known
}

// mostFaults bounds how many faults are listed; further ones are counted.
const mostFaults = 100_000

// Result is what a complete round found.
type Result struct {
	Archive  string  `json:"archive"`
	Events   int     `json:"events"` // that were checked
	Clips    int     `json:"clips"`
	Bytes    int64   `json:"bytes"`          // of all video
	Faults   []Issue `json:"faults"`         // that are left
	Repaired []Issue `json:"mended"`         // that were, and are not any more
	Notes    []Issue `json:"notes"`          // what is worth knowing and no fault
	More     int     `json:"more,omitempty"` // faults that are not listed
	// events that a running recorder works on, or just did; they were left alone
	Saving  int           `json:"saving"`
	Foreign int           `json:"foreign"` // files that Preroll did not make
	Took    event.Seconds `json:"took"`
}

// Whole reports whether nothing is wrong.
func (r Result) Whole() bool { return len(r.Faults) == 0 && r.More == 0 }

// Progress is how far a round has come.
type Progress struct {
	Counting bool // the tree is being counted; All and AllBytes still grow
	Events   int
	All      int
	Bytes    int64
	AllBytes int64
	Skipped  int64     // bytes of these that an earlier round had read
	Resumed  time.Time // when the earlier round was interrupted; zero: this one began at the front
	Before   int       // events that the earlier round had checked
}

// Options is what an audit works with.
type Options struct {
	Archive string       // the archive's folder
	State   string       // the state folder: index and journal
	FFmpeg  *ffmpeg.Tool // reads clips back, finishes them, makes pictures
	Repair  bool         // mends what can be mended
	Again   bool         // forgets a round that was interrupted

	// Running reports whether a recorder works on the archive; nil: none does. Asked again before each thing is told of
	// or mended.
	Running func(context.Context) bool
	// Reindex rebuilds the index: by the running recorder, if there is one, else by itself.
	Reindex func(context.Context) error
	// Progress is told how far it is, often. It may be nil.
	Progress func(Progress)

	writable func(root string) error // replaced by tests
}

// The errors that end a round before it begins.
var (
	// ErrNoArchive means that the archive's folder is not there.
	ErrNoArchive = errors.New("the archive folder is not there; is its drive plugged in?")
	// ErrReadOnly means that nothing can be mended, because nothing can be written.
	ErrReadOnly = errors.New("the archive cannot be written, so nothing can be mended; without --repair it can still be checked")
)

// run is one round.
type run struct {
	Options
	began   time.Time
	disk    *os.Root
	drive   string           // its id; "" if it has none
	root    fs.FileInfo      // to notice that another drive is at its place, or none
	index   *archive.Archive // nil: there is none, or it cannot be read
	noIndex error            // why; fs.ErrNotExist: there is none
	journal *journal
	res     Result
	now     Progress
	more    int  // of the faults that are not listed, those of the index
	reindex bool // something was mended that the index does not know
	hold    bool // rebuilding the index would lose what only it knows
}

// Run checks the archive, and mends it if that is asked for. An error means that the round is not complete: the next
// one goes on where it ended.
func Run(ctx context.Context, o Options) (res Result, err error) {
	r := &run{Options: o, began: time.Now()}
	if r.Progress == nil {
		r.Progress = func(Progress) {}
	}
	if r.Running == nil {
		r.Running = func(context.Context) bool { return false }
	}
	if r.writable == nil {
		r.writable = writable
	}
	r.res = Result{Archive: o.Archive, Faults: []Issue{}, Repaired: []Issue{}, Notes: []Issue{}}
	defer func() {
		if r.disk != nil {
			_ = r.disk.Close()
		}
	}()
	if err := r.start(ctx); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, r.closeIndex()) }()
	if r.journal, err = openJournal(filepath.Join(o.State, JournalName), o.Archive, o.Again); err != nil {
		r.forgetful(err)
	}
	complete := false
	defer func() { err = errors.Join(err, r.journal.close(complete)) }()
	if err := r.count(ctx); err != nil {
		return Result{}, err
	}
	err = walk(ctx, o.Archive, ".", func(dir string, groups []group, strangers int, err error) error {
		return r.folder(ctx, dir, groups, strangers, err)
	})
	if err == nil {
		err = r.missing(ctx)
	}
	if err == nil {
		err = r.reconcile(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	complete = true
	r.res.Took = event.Seconds(time.Since(r.began))
	return r.res, nil
}

// start looks whether there is something to check, and opens the index.
func (r *run) start(ctx context.Context) (err error) {
	if r.disk, err = os.OpenRoot(r.Archive); err == nil {
		r.root, err = os.Stat(r.Archive)
		r.drive, _ = drive.Read(r.disk)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", r.Archive, ErrNoArchive)
	}
	if err != nil {
		return err
	}
	if r.Repair {
		if err := r.writable(r.Archive); err != nil {
			return fmt.Errorf("%w (%w)", ErrReadOnly, err)
		}
	}
	r.openIndex(ctx)
	if r.noIndex != nil && !errors.Is(r.noIndex, fs.ErrNotExist) && r.Repair && !r.Running(ctx) {
		if err := r.empty(ctx); err != nil {
			return err
		}
		if err := r.Reindex(ctx); err != nil { // which moves a damaged one aside
			return fmt.Errorf("rebuild the index: %w", err)
		}
		was := r.noIndex
		if r.openIndex(ctx); r.noIndex == nil {
			r.res.Repaired = append(r.res.Repaired, indexFault(was))
		}
	}
	switch {
	case errors.Is(r.noIndex, fs.ErrNotExist):
		r.addNote(Issue{Path: r.State, Kind: Index,
			Text: "There is no index yet. Preroll makes it from the archive when it starts."})
	case r.noIndex != nil:
		r.addIssue(indexFault(r.noIndex))
	}
	return nil
}

// writable tries to make a file.
func writable(root string) error {
	f, err := os.CreateTemp(root, ".preroll-check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// count goes through the tree once without reading a file, so that it is known how much there is to do.
func (r *run) count(ctx context.Context) error {
	if err := r.empty(ctx); err != nil {
		return err
	}
	r.now.Counting, r.now.Resumed = true, r.journal.at
	err := walk(ctx, r.Archive, ".", func(_ string, groups []group, _ int, _ error) error {
		for _, g := range groups {
			_, bytes := g.video()
			r.now.AllBytes += bytes
			if !g.isEvent() {
				continue
			}
			r.now.All++
			if _, done := r.skip(g); done {
				r.now.Before++
			}
		}
		r.Progress(r.now)
		return nil
	})
	r.now.Counting = false
	if r.now.Before == 0 {
		r.now.Resumed = time.Time{}
	}
	r.Progress(r.now)
	return err
}

// skip returns what an earlier round noted of an event, unless there is something to do with it again.
func (r *run) skip(g group) (record, bool) {
	rec, ok := r.journal.has(g.digest())
	return rec, ok && !(r.Repair && rec.Faults != nil)
}

// folder checks the events of one folder.
func (r *run) folder(ctx context.Context, dir string, groups []group, strangers int, err error) error {
	r.res.Foreign += strangers
	if errors.Is(err, fs.ErrNotExist) && dir != "." {
		return r.checkRoot() // its last event was removed since
	}
	if err != nil {
		if err := r.checkRoot(); err != nil {
			return err
		}
		r.hold = true
		r.addIssue(Issue{Path: dir, Kind: Folder, Text: "The folder cannot be read: " + err.Error() + ".",
			Hint: "Nothing in it was checked. Let Preroll's user read it, or look after the drive."})
		return nil
	}
	for _, g := range groups {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		clips, bytes := g.video()
		at, saving := r.now.Bytes, r.res.Saving
		rec, done := r.skip(g)
		if done {
			r.now.Skipped += bytes
		} else if rec, err = r.group(ctx, g); err != nil {
			return err
		}
		for _, f := range rec.Faults {
			r.addIssue(f)
		}
		r.res.Repaired = append(r.res.Repaired, rec.Repaired...)
		r.res.Notes = append(r.res.Notes, rec.Notes...)
		r.reindex = r.reindex || rec.Repaired != nil
		if g.isEvent() {
			r.now.Events++
		}
		if r.res.Saving == saving { // else it was left alone
			if g.isEvent() {
				r.res.Events++
			}
			r.res.Clips += clips
			r.res.Bytes += bytes
		}
		r.now.Bytes = at + bytes
		r.Progress(r.now)
	}
	return nil
}

func (r *run) addIssue(f Issue) {
	if len(r.res.Faults) >= mostFaults {
		r.res.More++
		if f.Kind == Index {
			r.more++
		}
		return
	}
	r.res.Faults = append(r.res.Faults, f)
}

func (r *run) addNote(f Issue) { r.res.Notes = append(r.res.Notes, f) }

// group checks one event, mends it, and notes both in the journal.
func (r *run) group(ctx context.Context, g group) (record, error) {
	s, g, err := r.inspectStable(ctx, g, false)
	if err != nil {
		return record{}, err
	}
	if s.saving {
		r.res.Saving++
		return record{}, nil
	}
	rec := record{Faults: s.faults, Notes: s.notes}
	if r.Repair && len(s.faults) > 0 {
		why, err := r.repair(ctx, g, s)
		if err != nil {
			return record{}, err
		}
		was := s.faults
		var ok bool
		if g, ok, err = again(ctx, r.Archive, g); err != nil || !ok {
			return record{}, err
		}
		if s, g, err = r.inspectStable(ctx, g, true); err != nil || s.saving {
			return record{}, err
		}
		rec = record{Notes: s.notes}
		for _, f := range s.faults {
			if f.Kind == Index && len(why) == 0 && !has(was, f) {
				continue // the index is rebuilt at the end
			}
			if text := why[f.Path]; text != "" {
				f.Hint = "It could not be mended: " + text + "."
			}
			rec.Faults = append(rec.Faults, f)
		}
		for _, f := range was {
			if !has(rec.Faults, f) {
				f.Hint = ""
				rec.Repaired = append(rec.Repaired, f)
			}
		}
	}
	for _, f := range rec.Faults {
		if f.Kind == Sidecar && f.Event != "" {
			r.hold = true
		}
	}
	rec.Digest = g.digest()
	if err := r.journal.write(rec); err != nil {
		r.forgetful(err)
	}
	return rec, nil
}

// forgetful goes on without a journal.
func (r *run) forgetful(err error) {
	r.addNote(Issue{Path: r.journal.path, Kind: Leftover,
		Text: "If this check is interrupted it begins at the front: " + said(err)})
	r.journal.drop()
}

func has(list []Issue, f Issue) bool {
	for _, o := range list {
		if o.Path == f.Path && o.Kind == f.Kind {
			return true
		}
	}
	return false
}

// checkRoot returns an error if the archive's folder is not the one any more that the round began with.
func (r *run) checkRoot() error {
	if fi, err := os.Stat(r.Archive); err != nil || !os.SameFile(fi, r.root) {
		return fmt.Errorf("%s: %w", r.Archive, ErrNoArchive)
	}
	return nil
}

func clipNames(e event.Event) (list []string) {
	for _, c := range e.Clips {
		list = append(list, c.File)
	}
	return list
}

// path is the full path of a file in one of the archive's folders.
func (r *run) path(dir, name string) string {
	return filepath.Join(r.Archive, filepath.FromSlash(dir), filepath.FromSlash(name))
}

// said ends a sentence that quotes an error.
func said(err error) string { return strings.TrimSuffix(err.Error(), ".") + "." }

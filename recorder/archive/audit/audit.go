// Package audit checks the whole archive against its sidecars and the index, and repairs what can be repaired.
//
// An audit reads the archive's tree in a stable order, one folder at a time, and returns faults in plain words. It
// reads every clip to its end twice, once for the SHA-256 and once with FFmpeg, one file after the other. A repair
// finishes partial files, and recreates thumbnails and sidecars. It never changes a clip, and removes a partial file
// only after it has read back a clip with the same video. An audit leaves alone what a running recorder works on, and
// every file that Preroll did not make. A journal in the state folder lets the next round continue an interrupted one.
// No goroutine outlives a call.
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

// Kind says what a fault is about.
type Kind string

// The kinds of faults.
const (
	Clip     Kind = "clip"     // a clip differs from what was saved
	Sidecar  Kind = "sidecar"  // a sidecar is missing or damaged, or contradicts a better source
	Partial  Kind = "partial"  // a file is not finished, and no event will finish it
	Picture  Kind = "picture"  // a thumbnail or snapshot is missing
	Leftover Kind = "leftover" // a temporary file
	Index    Kind = "index"    // the index and the tree differ
	Folder   Kind = "folder"   // a folder cannot be read
)

// Issue is a fault, or something worth knowing.
type Issue struct {
	Path  string `json:"path"`            // below the archive, with slashes
	Kind  Kind   `json:"kind"`            // what the fault is about
	Text  string `json:"text"`            // what is wrong
	Hint  string `json:"hint,omitempty"`  // what to do
	Event string `json:"event,omitempty"` // the event's id, if it is known
}

// mostFaults is how many faults are listed. Further faults are only counted.
const mostFaults = 100_000

// Result is what a complete round found.
type Result struct {
	Archive  string  `json:"archive"`
	Events   int     `json:"events"` // number of events that were checked
	Clips    int     `json:"clips"`
	Bytes    int64   `json:"bytes"`          // of all video files
	Faults   []Issue `json:"faults"`         // faults that are left
	Repaired []Issue `json:"repaired"`       // faults that were repaired
	Notes    []Issue `json:"notes"`          // worth knowing, but no faults
	More     int     `json:"more,omitempty"` // number of faults that are not listed

	// Number of events that a running recorder works on or has just worked on. They were left alone.
	Saving  int           `json:"saving"`
	Foreign int           `json:"foreign"` // number of files that Preroll did not make
	Took    event.Seconds `json:"took"`
}

// Whole reports whether no fault is left.
func (r Result) Whole() bool { return len(r.Faults) == 0 && r.More == 0 }

// Progress says how far a round has come.
type Progress struct {
	Counting bool // the tree is being counted; All and AllBytes still grow
	Events   int
	All      int
	Bytes    int64
	AllBytes int64
	Skipped  int64     // part of Bytes that an earlier round has read
	Resumed  time.Time // when the earlier round was interrupted; zero if this round began at the start
	Before   int       // number of events that the earlier round has checked
}

// Options are the settings of an audit.
type Options struct {
	Archive string       // the archive's folder
	State   string       // the state folder, with index and journal
	FFmpeg  *ffmpeg.Tool // reads clips back, finishes clips, makes pictures
	Repair  bool         // repair what can be repaired
	Again   bool         // discard an interrupted round

	// Running reports whether a recorder works on the archive. Nil means that no recorder does. Run calls Running again
	// before each fault that it reports or repairs.
	Running func(context.Context) bool

	// Reindex rebuilds the index: in the running recorder if there is one, otherwise in this process.
	Reindex func(context.Context) error

	// Progress is called often with the progress. Progress may be nil.
	Progress func(Progress)

	writable func(root string) error // replaced by tests
}

// The errors that end a round before it begins.
var (
	// ErrNoArchive means that the archive's folder is not there.
	ErrNoArchive = errors.New("the archive folder is not there; is its drive plugged in?")

	// ErrReadOnly means that nothing can be repaired because the archive cannot be written.
	ErrReadOnly = errors.New("the archive cannot be written, so nothing can be repaired; without --repair it can still be checked")
)

// --- One round ---

// run is one round.
type run struct {
	Options
	began   time.Time
	disk    *os.Root
	drive   string           // its id; "" if it has none
	root    fs.FileInfo      // the archive folder at the start, to notice that its drive has gone or changed
	index   *archive.Archive // nil if there is no index or it cannot be read
	noIndex error            // why index is nil; fs.ErrNotExist if there is no index
	journal *journal
	res     Result
	now     Progress
	more    int  // part of res.More that is about the index
	reindex bool // a repair changed something that the index does not know
	hold    bool // rebuilding the index would lose what only the index knows
}

// Run checks the archive, and repairs it if the options say so. An error means that the round is not complete; the next
// round continues where this one ended.
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

// start checks that there is an archive, and opens the index. With Repair it rebuilds an index that cannot be read.
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
		if err := r.Reindex(ctx); err != nil { // moves a damaged index aside
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

// writable returns an error if no file can be created in a folder.
func writable(root string) error {
	f, err := os.CreateTemp(root, ".preroll-check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// count walks the tree once without reading files, to learn how much there is to do.
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

// skip returns what an earlier round noted about an event. It reports false if the event must be checked again.
func (r *run) skip(g group) (record, bool) {
	rec, ok := r.journal.has(g.digest())
	return rec, ok && !(r.Repair && rec.Faults != nil)
}

// --- Checking ---

// folder checks the events of one folder. err is the error of listing the folder.
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
		if r.res.Saving == saving { // otherwise it was left alone
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

// group checks one event, repairs it, and writes the result to the journal.
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
				f.Hint = "It could not be repaired: " + text + "."
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

// checkRoot returns an error if the archive folder is no longer the folder that the round began with.
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

// path returns the full path of a file in a folder of the archive.
func (r *run) path(dir, name string) string {
	return filepath.Join(r.Archive, filepath.FromSlash(dir), filepath.FromSlash(name))
}

// said returns the text of an error with exactly one full stop at its end.
func said(err error) string { return strings.TrimSuffix(err.Error(), ".") + "." }

package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// batch is how many events are looked at, or put into the index, in one step.
const batch = 100

// Filling is how far the events of a drive have come into the index.
type Filling struct {
	Path   string  // of the drive
	Events int     // that were found
	Part   float64 // of the drive's folders, 0 to 1
}

// Filling tells how far it is; nil: nothing is being filled.
func (a *Archive) Filling() *Filling {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.filling == nil {
		return nil
	}
	f := *a.filling
	return &f
}

// Times between two tries to read a drive that could not be read.
const leastRest, mostRest = 5 * time.Second, 10 * time.Minute

// Refill puts into the index what the drives hold that it lacks, newest days first, whenever there is such a drive,
// until ctx ends. changed is called now and then while events came; open tells that there were open ones, which nobody
// works on.
func (a *Archive) Refill(ctx context.Context, changed func(open bool)) {
	rest := leastRest
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		if lacking, err := a.refill(ctx, changed); ctx.Err() != nil {
			return
		} else if err != nil || lacking {
			if err != nil {
				a.log.Error("the index does not hold all events of the archive yet", "err", err, "retry_in", rest)
			}
			timer.Reset(rest)
			rest = min(2*rest, mostRest)
		} else {
			rest = leastRest
		}
		select {
		case <-ctx.Done():
			return
		case <-a.renewed:
		case <-timer.C:
		}
	}
}

// refill fills the index from each drive that is there and was not read yet, and reports whether one is not there.
func (a *Archive) refill(ctx context.Context, changed func(open bool)) (lacking bool, err error) {
	var errs []error
	for after := int64(0); ; {
		d, ok := a.drive(func(d known) bool { return !d.filled && d.key > after })
		if !ok {
			break
		}
		after = d.key
		root, err := a.reach(ctx, d)
		if err != nil {
			lacking = true
			continue
		}
		_, faults, err := a.fill(ctx, root, d, changed)
		_ = root.Close()
		if i := slices.IndexFunc(faults, IsUnread); err == nil && i >= 0 {
			err = faults[i]
		}
		errs = append(errs, err)
	}
	// The archive folder as it is set now may be one that the index does not know.
	path := a.Root()
	if _, ok := a.drive(func(d known) bool { return d.path == path }); !ok {
		root, _, err := open(path)
		if err != nil {
			return true, errors.Join(errs...)
		}
		defer func() { _ = root.Close() }()
		if empty(root) { // nothing is written as long as there is no event: it may be a mount point
			return true, errors.Join(errs...)
		}
		here, _, err := a.here(ctx)
		if err != nil {
			return true, errors.Join(append(errs, err)...)
		}
		_ = here.Close()
		return a.refill(ctx, changed)
	}
	return lacking, errors.Join(errs...)
}

// Reindex reads the archive's folder into the index, as it is set now. Who asks for it also says that what is there
// shall be used, if another drive was there before. Open events that the index holds stay as they are; ended ones of
// this drive whose clips are gone are forgotten. It returns the number of events found, and an error for each sidecar
// that could not be used; those are left alone. While there are [Unread] ones the index does not count as filled.
func (a *Archive) Reindex(ctx context.Context) (found int, faults []error, err error) {
	root, d, err := a.here(ctx)
	if errors.Is(err, ErrEmpty) || errors.Is(err, ErrOther) {
		if root, _, err = open(a.Root()); err == nil {
			if err = a.claimOr(root); err == nil {
				d, err = a.adopt(root, a.Root(), "", known{})
			}
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("reindex: %w", err)
	}
	defer func() { _ = root.Close() }()
	found, faults, err = a.fill(ctx, root, d, func(bool) {})
	if err != nil {
		err = fmt.Errorf("reindex: %w", err)
	}
	return found, faults, err
}

// filler is one round of filling.
type filler struct {
	a        *Archive
	root     *os.Root
	d        known
	round    int64
	changed  func(open bool)
	names    []string // of sidecars, to be read
	found    int
	faults   []error
	reported time.Time
}

// maxFaults bounds how many faults are listed.
const maxFaults = 10_000

func (f *filler) addError(err error) {
	if len(f.faults) < maxFaults {
		f.faults = append(f.faults, err)
	}
}

// fill reads a drive's sidecars into the index, and forgets the events of the drive that are not there any more.
func (a *Archive) fill(ctx context.Context, root *os.Root, d known,
	changed func(open bool)) (found int, faults []error, err error) {
	a.writing.Lock()
	made := a.made
	a.writing.Unlock()
	f := &filler{a: a, root: root, d: d, round: time.Now().UnixNano(), changed: changed}
	defer func() {
		a.mu.Lock()
		a.filling = nil
		a.mu.Unlock()
		changed(false)
	}()
	if err = f.walk(ctx, ".", 0, 1); err == nil {
		err = f.flush(ctx)
	}
	if err == nil && !slices.ContainsFunc(f.faults, IsUnread) {
		err = f.forgetGone(ctx)
	}
	if err != nil || slices.ContainsFunc(f.faults, IsUnread) {
		return f.found, f.faults, err
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	if a.made != made { // in the middle of it
		return f.found, f.faults, nil
	}
	a.update(d.key, func(d *known) { d.filled = true })
	return f.found, f.faults, a.changeHeld(ctx, func(*sql.Tx) error { return nil })
}

// systems are folders that file systems keep for themselves.
var systems = []string{"lost+found", "System Volume Information", "$RECYCLE.BIN", "FOUND.000"}

// maxDepth is how many folders deep sidecars are looked for.
const maxDepth = 12

// walk reads a folder, newest names first. from and to are the parts of the whole that it stands for.
func (f *filler) walk(ctx context.Context, dir string, from, to float64) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d, err := f.root.Open(dir)
	if err != nil {
		f.addError(unread(err))
		return nil
	}
	list, err := d.ReadDir(-1)
	_ = d.Close()
	if err != nil {
		f.addError(unread(err))
	}
	slices.SortFunc(list, func(x, y fs.DirEntry) int { return -strings.Compare(x.Name(), y.Name()) })
	step := (to - from) / float64(max(1, len(list)))
	for i, e := range list {
		name := path.Join(dir, e.Name())
		part := from + float64(i)*step
		if e.IsDir() {
			// such as a desktop's bin
			if strings.HasPrefix(e.Name(), ".") || dir == "." && slices.Contains(systems, e.Name()) ||
				strings.Count(name, "/") >= maxDepth {
				continue
			}
			if err := f.walk(ctx, name, part, part+step); err != nil {
				return err
			}
		}
		if !e.Type().IsRegular() || path.Ext(name) != ".json" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if f.names = append(f.names, name); len(f.names) == batch {
			if err := f.flush(ctx); err != nil {
				return err
			}
			f.reportProgress(part)
		}
	}
	return nil
}

// tellTime is how often the filling's progress is told of.
const tellTime = time.Second

func (f *filler) reportProgress(part float64) {
	f.a.mu.Lock()
	f.a.filling = &Filling{Path: f.d.path, Events: f.found, Part: part}
	f.a.mu.Unlock()
	if time.Since(f.reported) > tellTime {
		f.reported = time.Now()
		f.changed(false)
	}
}

// flush puts the events of the sidecars into the index.
func (f *filler) flush(ctx context.Context) error {
	list, faults, err := f.a.insert(ctx, f.root, f.d, f.names, f.round)
	f.names = f.names[:0]
	f.found += len(list)
	for _, err := range faults {
		f.addError(err)
	}
	if err == nil && slices.ContainsFunc(list, func(e event.Event) bool { return !e.State.Ended() }) {
		f.changed(true)
	}
	return err
}

// insert puts the events of sidecars on a drive into the index. No event is changed or removed meanwhile, so that
// nothing older than what the index has gets into it; an event that is at work is left to who works on it.
func (a *Archive) insert(ctx context.Context, root *os.Root, d known, names []string,
	round int64) (list []event.Event, faults []error, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	inBatch := map[string]string{}
	for _, name := range names {
		e, err := ReadSidecar(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		}
		full := filepath.Join(d.path, filepath.FromSlash(name))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", full, err))
			continue
		}
		e.Drive, e.Archive = d.id, d.path
		has, err := a.Get(ctx, e.ID)
		known := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, faults, err
		}
		switch {
		case a.atWork(e.ID):
			continue
		case inBatch[e.ID] != "" || known &&
			(has.Stem == "" || (has.Drive != d.id || In(has, has.Stem) != In(e, e.Stem)) && a.stillThere(has)):
			faults = append(faults, fmt.Errorf("%s: a second sidecar of event %s", full, e.ID))
			continue
		case !e.State.Ended() && known: // the index knows better
			continue
		case !e.State.Ended():
			// what RAM held of it was taken up before, if there was anything; so it is not believed about that
			e.State, e.Hold = event.Finishing, ""
		}
		inBatch[e.ID] = name
		list = append(list, e)
	}
	return list, faults, a.putRound(ctx, round, list...)
}

// stillThere reports whether an event's sidecar is where the index has it.
func (a *Archive) stillThere(e event.Event) bool {
	root, err := a.On(e)
	if err != nil {
		return e.Drive != "" // on a drive that is not there
	}
	defer func() { _ = root.Close() }()
	_, err = root.Lstat(In(e, Sidecar(e)))
	return err == nil
}

// atWork reports whether the index has an event as open.
func (a *Archive) atWork(id string) bool {
	a.writing.Lock()
	defer a.writing.Unlock()
	_, open := a.open[id]
	return open
}

// forgetGone forgets the ended events of the drive whose sidecar was not found and whose clips are gone. A sidecar that
// is lost or cannot be read is no reason to forget what it was about.
func (f *filler) forgetGone(ctx context.Context) error {
	var at int64
	var last string
	for {
		rows, err := f.a.reader().QueryContext(ctx, `SELECT time, id FROM events WHERE drive = ? AND seen < ? AND state NOT IN ('recording', 'finishing') AND bytes > 0
			AND (time, id) > (?, ?) ORDER BY time, id LIMIT ?`, f.d.key, f.round, at, last, batch)
		if err != nil {
			return f.a.reportCorruption(indexError(text.IndexRead, err))
		}
		var ids []string
		for rows.Next() {
			if err := rows.Scan(&at, &last); err != nil {
				return errors.Join(indexError(text.IndexRead, err), rows.Close())
			}
			ids = append(ids, last)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return indexError(text.IndexRead, err)
		}
		if ids == nil {
			return nil
		}
		// a drive that vanished holds nothing either
		if id, err := drive.Read(f.root); err != nil || id != f.d.id && !f.d.legacy() {
			f.addError(&Unread{fmt.Errorf("%s: %w", f.d.path, cmp.Or(err, ErrOther))})
			return nil
		}
		for _, id := range ids {
			if err := f.forgetIfGone(ctx, id); err != nil {
				return err
			}
		}
	}
}

func (f *filler) forgetIfGone(ctx context.Context, id string) error {
	f.a.changing.Lock()
	defer f.a.changing.Unlock()
	e, err := f.a.Get(ctx, id)
	if err != nil || !clipsGone(f.root, e) {
		return nil
	}
	return f.a.forget(ctx, id)
}

// Peek opens the index in a state folder for reading only, beside a recorder that may be at work on it: nothing is
// made, brought to a newer form, or moved aside. Where there is no index the error is [fs.ErrNotExist].
func Peek(ctx context.Context, state, root string) (*Archive, error) {
	a := newArchive(filepath.Join(state, IndexName), root, nil)
	if _, err := os.Stat(a.path); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	// which can neither make a file nor tidy one up
	db, err := sqlfile.Open(a.path, "_pragma=busy_timeout(25000)&mode=ro&_pragma=query_only(1)", 2)
	if err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	a.db, a.reads, a.peek = db, db, true
	a.loaded.Store(true)
	has, drives, err := formOf(ctx, db)
	if err == nil && (has != version || !drives) {
		err = fmt.Errorf("%s is of another version of Preroll", a.path)
	}
	if err == nil {
		a.drives, err = drivesOf(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(indexError(text.IndexRead, err), a.Close())
	}
	return a, nil
}

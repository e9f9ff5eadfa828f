package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

// batch is how many events are read, or put into the index, in one step.
const batch = 100

// Filling is how far the reading of a drive into the index has come.
type Filling struct {
	Path   string  // of the drive
	Events int     // found so far
	Part   float64 // of the drive's folders that were read, 0 to 1
}

// Filling returns how far filling has come, or nil if no drive is being read.
func (a *Archive) Filling() *Filling {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.filling == nil {
		return nil
	}
	f := *a.filling
	return &f
}

// Waiting times before another try to read the drives that could not be read. The time doubles with each try.
const leastRest, mostRest = 5 * time.Second, 10 * time.Minute

// Refill puts into the index what it lacks of the events on the drives. It does so whenever there is such a drive,
// until ctx ends, and begins with the newest days. Refill calls changed now and then while it finds events. open
// reports whether open events were found, which nobody works on.
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
		case <-a.Lacking():
		case <-timer.C:
		}
	}
}

// refill fills the index from each drive that was not read completely. lacking reports whether a drive, or the archive
// folder, could not be used.
func (a *Archive) refill(ctx context.Context, changed func(open bool)) (lacking bool, err error) {
	var errs []error
	for after := int64(0); ; {
		d, ok := a.Drive(func(d index.Drive) bool { return !d.Filled && d.Key > after })
		if !ok {
			break
		}
		after = d.Key
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

	// The archive folder may be one that the index does not know.
	path := a.Root()
	if _, ok := a.Drive(func(d index.Drive) bool { return d.Path == path }); !ok {
		root, _, err := open(path)
		if err != nil {
			return true, errors.Join(errs...)
		}
		defer func() { _ = root.Close() }()

		// It may be a mount point. Write nothing to it before there is an event.
		if empty(root) {
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

// --- One round ---

// Reindex reads the archive folder, as it is set now, into the index. A person who asks for this also says that Preroll
// shall use the drive that is there, even if another drive was there before. Open events in the index stay as they are.
// Ended events of this drive whose clips are gone are forgotten. Reindex returns the number of events found, and an
// error for each sidecar that could not be used; it leaves those sidecars alone. While there are [Unread] errors the
// drive does not count as filled.
func (a *Archive) Reindex(ctx context.Context) (found int, faults []error, err error) {
	root, d, err := a.here(ctx)
	if errors.Is(err, ErrEmpty) || errors.Is(err, ErrOther) {
		if root, _, err = open(a.Root()); err == nil {
			if err = a.claimOr(root); err == nil {
				if d, err = a.adopt(root, a.Root(), "", index.Drive{}); err != nil {
					_ = root.Close()
				}
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

// filler is one round of filling from one drive.
type filler struct {
	a        *Archive
	root     *os.Root
	d        index.Drive
	round    int64
	changed  func(open bool)
	names    []string // of sidecars that flush reads next
	found    int
	faults   []error
	reported time.Time
}

// maxFaults is how many faults are kept.
const maxFaults = 10_000

func (f *filler) addError(err error) {
	if len(f.faults) < maxFaults {
		f.faults = append(f.faults, err)
	}
}

// fill reads a drive's sidecars into the index, and forgets the drive's ended events whose clips are gone.
func (a *Archive) fill(ctx context.Context, root *os.Root, d index.Drive,
	changed func(open bool)) (found int, faults []error, err error) {
	made := a.Made()
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
	return f.found, f.faults, a.SetFilled(ctx, d, made)
}

// systems are folders that belong to file systems.
var systems = []string{"lost+found", "System Volume Information", "$RECYCLE.BIN", "FOUND.000"}

// maxDepth is how many folders deep fill looks for sidecars.
const maxDepth = 12

// walk reads a folder and the folders below, in descending order of names, so the newest come first. from and to say
// which part of the whole drive the folder stands for, 0 to 1.
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
			// Skip a desktop's trash, which is hidden, and similar folders.
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

// tellTime is the shortest time between two calls of changed that report only progress.
const tellTime = time.Second

func (f *filler) reportProgress(part float64) {
	f.a.mu.Lock()
	f.a.filling = &Filling{Path: f.d.Path, Events: f.found, Part: part}
	f.a.mu.Unlock()
	if time.Since(f.reported) > tellTime {
		f.reported = time.Now()
		f.changed(false)
	}
}

// flush puts the events of the sidecars in f.names into the index.
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

// insert puts the events of sidecars on a drive into the index. Meanwhile it lets nobody change or remove an ended
// event, so that the index gets nothing older than what it has. insert skips events that are open in the index.
func (a *Archive) insert(ctx context.Context, root *os.Root, d index.Drive, names []string,
	round int64) (list []event.Event, faults []error, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	inBatch := map[string]string{}
	for _, name := range names {
		e, err := ReadSidecar(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		}
		full := filepath.Join(d.Path, filepath.FromSlash(name))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", full, err))
			continue
		}
		e.Drive, e.Archive = d.ID, d.Path
		has, err := a.Get(ctx, e.ID)
		known := err == nil
		if err != nil && !errors.Is(err, index.ErrNotFound) {
			return nil, faults, err
		}
		switch {
		case a.Open(e.ID):
			continue
		case inBatch[e.ID] != "" || known &&
			(has.Stem == "" || (has.Drive != d.ID || In(has, has.Stem) != In(e, e.Stem)) && a.stillThere(has)):
			faults = append(faults, fmt.Errorf("%s: a second sidecar of event %s", full, e.ID))
			continue
		case !e.State.Ended() && known: // the index knows more
			continue
		case !e.State.Ended():
			// What RAM held of this event was recalled at the start, so its hold is not believed.
			e.State, e.Hold = event.Finishing, ""
		}

		inBatch[e.ID] = name
		list = append(list, e)
	}

	return list, faults, a.PutFound(ctx, round, list...)
}

// stillThere reports whether an event's sidecar is where the index says. If the drive cannot be reached, an event with
// a drive id counts as still there.
func (a *Archive) stillThere(e event.Event) bool {
	root, err := a.On(e)
	if err != nil {
		return e.Drive != "" // its drive is not there
	}
	defer func() { _ = root.Close() }()
	_, err = root.Lstat(In(e, Sidecar(e)))
	return err == nil
}

// forgetGone forgets the drive's ended events whose sidecar was not found in this round and whose clips are gone. A
// sidecar that is lost or unreadable is no reason to forget an event.
func (f *filler) forgetGone(ctx context.Context) error {
	last := ""
	for {
		ids, err := f.a.Missed(ctx, f.d, f.round, last, batch)
		if err != nil || len(ids) == 0 {
			return err
		}

		// If the drive has vanished, its clips only seem to be gone.
		if id, err := drive.Read(f.root); err != nil || id != f.d.ID && !f.d.Legacy() {
			f.addError(&Unread{fmt.Errorf("%s: %w", f.d.Path, cmp.Or(err, ErrOther))})
			return nil
		}
		for _, id := range ids {
			if err := f.forgetIfGone(ctx, id); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}

func (f *filler) forgetIfGone(ctx context.Context, id string) error {
	f.a.changing.Lock()
	defer f.a.changing.Unlock()
	e, err := f.a.Get(ctx, id)
	if err != nil || !clipsGone(f.root, e) {
		return nil
	}
	return f.a.Remove(ctx, id)
}

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/preroll/preroll/recorder/event"
)

// maxSidecar bounds what is read as a sidecar, in bytes.
const maxSidecar = 4 << 20

// Unread is the error for a part of the archive that could not be read, because of the drive: it may hold events.
type Unread struct{ Err error }

func (e *Unread) Error() string { return e.Err.Error() }
func (e *Unread) Unwrap() error { return e.Err }

// unread marks an error of reading files as Unread. What is gone meanwhile is no such.
func unread(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &Unread{err}
}

// Reindex rebuilds the index from the sidecars of the archive. Open events that the index holds stay as they are; those
// that it has lost are put into it as they were. It returns the number of events found, and an error for each sidecar
// that could not be used; those are left alone. While there are [Unread] ones the index does not count as filled.
func (a *Archive) Reindex(ctx context.Context) (found int, faults []error, err error) {
	root := a.Root()
	if _, err := os.Stat(root); err != nil {
		return 0, nil, fmt.Errorf("reindex: %w", err)
	}
	before, err := a.clipIDs(ctx) // what is saved while the tree is walked is not missing
	if err != nil {
		return 0, nil, err
	}
	keep := map[string]bool{}
	var paths []string
	flush := func() error {
		n, bad, err := a.take(ctx, root, paths, keep)
		found, faults, paths = found+n, append(faults, bad...), paths[:0]
		return err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			faults = append(faults, unread(err))
			return nil
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root { // such as a desktop's bin
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || filepath.Ext(path) != ".json" || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		if paths = append(paths, path); len(paths) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return found, faults, fmt.Errorf("reindex: %w", err)
	}
	for _, id := range before {
		if keep[id] {
			continue
		}
		// A sidecar that is lost or cannot be read is no reason to forget what it was about.
		if e, err := a.Get(ctx, id); err != nil || !a.clipsGone(e) {
			continue
		}
		if err := a.forget(ctx, id); err != nil {
			return found, faults, err
		}
	}
	if slices.ContainsFunc(faults, IsUnread) {
		return found, faults, nil
	}
	if err := a.filled(ctx); err != nil {
		return found, faults, fmt.Errorf("reindex: %w", err)
	}
	return found, faults, nil
}

// take puts the events of sidecars into the index, and notes their ids in keep. No event is changed or removed meanwhile, so
// that nothing older than what the index has gets into it; an event that is at work is left to who works on it.
func (a *Archive) take(ctx context.Context, root string, paths []string, keep map[string]bool) (found int, faults []error, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	var list []event.Event
	for _, path := range paths {
		e, err := ReadSidecar(root, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if keep[e.ID] {
			faults = append(faults, fmt.Errorf("%s: a second sidecar of event %s", path, e.ID))
			continue
		}
		keep[e.ID] = true
		if a.atWork(e.ID) {
			continue
		}
		if !e.State.Ended() {
			if _, err := a.Get(ctx, e.ID); err == nil {
				continue // the index knows better
			} else if !errors.Is(err, ErrNotFound) {
				return found, faults, err
			}
			e.Archive = root
		}
		found++
		list = append(list, e)
	}
	return found, faults, a.Put(ctx, list...)
}

// atWork tells whether the index has an event as open.
func (a *Archive) atWork(id string) bool {
	a.writing.Lock()
	defer a.writing.Unlock()
	_, open := a.open[id]
	return open
}

// IsUnread tells whether an error is of the kind Unread.
func IsUnread(err error) bool {
	var u *Unread
	return errors.As(err, &u)
}

// ReadSidecar reads an event and takes its place from where the file lies, so that a moved tree stays usable. One that
// names a file which is not beside it is an error.
func ReadSidecar(root, path string) (event.Event, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return event.Event{}, unread(err)
	}
	if fi.Size() > maxSidecar {
		return event.Event{}, errors.New("too large for a sidecar")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return event.Event{}, unread(err)
	}
	var e event.Event
	if err := json.Unmarshal(b, &e); err != nil {
		return event.Event{}, fmt.Errorf("not a sidecar: %w", err)
	}
	if e.ID == "" || e.Camera == "" || e.Time.IsZero() || !e.State.Known() {
		return event.Event{}, errors.New("not a sidecar of Preroll's")
	}
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return event.Event{}, err
	}
	e.Archive = ""
	e.Folder, e.Stem = filepath.ToSlash(dir), strings.TrimSuffix(filepath.Base(path), ".json")
	if !e.Local() {
		return event.Event{}, errors.New("it names a file that is not beside it")
	}
	return e, nil
}

// Peek opens the index in a state folder for reading only, beside a recorder that may be at work on it: nothing is made,
// brought to a newer form, or moved aside. Where there is no index the error is [fs.ErrNotExist].
func Peek(ctx context.Context, state, root string) (*Archive, error) {
	path := filepath.Join(state, IndexName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	db, err := open(path, "mode=ro&_pragma=query_only(1)", 2) // which can neither make a file nor tidy one up
	if err != nil {
		return nil, fault("read", err)
	}
	a := &Archive{path: path, root: root, db: db, reads: db}
	var has int
	err = db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&has)
	if err == nil && has != version {
		err = fmt.Errorf("%s has form %d, and this program knows form %d", path, has, version)
	}
	if err != nil {
		return nil, errors.Join(fault("read", err), a.Close())
	}
	return a, nil
}

// clipIDs lists the ended events that have clips in the archive as it is set now.
func (a *Archive) clipIDs(ctx context.Context) (ids []string, err error) {
	rows, err := a.reader().QueryContext(ctx, `SELECT id FROM events WHERE state NOT IN ('recording', 'finishing') AND bytes > 0 AND coalesce(event ->> 'archive', ?1) = ?1`, a.Root())
	defer func() { _ = a.doubt(err) }()
	if err != nil {
		return nil, fault("read", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fault("read", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("read", err)
	}
	return ids, nil
}

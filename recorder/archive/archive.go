// Package archive keeps the events: their files in the folder tree on the archive drive, and an index of them in the
// state folder.
//
// The tree explains itself: every event has its clips, a thumbnail and a JSON sidecar under one stem, and the index can
// be rebuilt from it. What is written to the index is durable when the call returns; so an alarm mail may be answered.
// Nothing that Preroll did not write is ever removed. Methods may be called from any goroutine.
package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/event"
)

// Archive is an open archive. Make one with Open.
type Archive struct {
	Fresh bool // the index was begun anew and not filled since, so it lacks what the archive holds; see Reindex

	// Noted, if set before the first Put, is told how each change of the index went. It must not block.
	Noted func(error)

	path    string
	log     *slog.Logger
	unclean bool          // the last life did not close the index
	ready   atomic.Bool   // the index is open; see OpenOrWait
	begun   chan struct{} // it is now
	renewed chan struct{} // the index was begun anew
	doubted chan struct{} // reading it showed damage

	changing sync.Mutex // held while an ended event is changed or removed

	writing sync.Mutex             // held while the index is changed; guards db, onDisk, open, pending and saved
	db      *sql.DB                // one connection, which stays open: it can rescue a removed file
	onDisk  indexFiles             // the index's files when they were opened
	open    map[string]event.Event // the events that are open
	pending bool                   // a new index lacks open and saved yet
	saved   []event.Event          // what a damaged index still told

	reading sync.Mutex // guards reads
	reads   *sql.DB    // for lists: a search that takes long holds up no alarm mail

	naming sync.Mutex // held while an event gets its name, which may wait for the drive

	mu       sync.Mutex // guards all below; never held while a file is touched
	root     string
	reserved map[string]bool // stems in use by open events
}

// IndexName is the index's file in the state folder.
const IndexName = "index.db"

// Open opens the index in a state folder, and makes it where there is none.
//
// A damaged index is moved aside and begun anew; [Archive.Fresh] tells that it must be filled from the archive then, as
// one that was not there.
func Open(ctx context.Context, state, root string, log *slog.Logger) (*Archive, error) {
	a, err := newArchive(state, root, log)
	if err != nil {
		return nil, err
	}
	if err := a.become(ctx); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// OpenOrWait is Open for a recorder, which goes on while the index cannot be opened because its disk is full or another
// program holds it. Every change fails until then, and Keep tries again. noted becomes [Archive.Noted] and is told.
func OpenOrWait(ctx context.Context, state, root string, log *slog.Logger, noted func(error)) (*Archive, error) {
	a, err := newArchive(state, root, log)
	if err != nil {
		return nil, err
	}
	a.Noted = noted
	if err := a.become(ctx); passing(err) {
		a.Noted(err)
	} else if err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

func newArchive(state, root string, log *slog.Logger) (a *Archive, err error) {
	path := filepath.Join(state, IndexName)
	if err := durable.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	a = &Archive{path: path, log: log, root: root, reserved: map[string]bool{}, open: map[string]event.Event{},
		begun: make(chan struct{}, 1), renewed: make(chan struct{}, 1), doubted: make(chan struct{}, 1)}
	wal, err := os.Stat(path + "-wal")
	a.unclean = err == nil && wal.Size() > 0
	a.db, a.reads, err = connect(path)
	return a, err
}

// become makes the index ready if it is not: it is opened, or a damaged one moved aside and begun anew. a.writing is
// held, or nobody else has a yet.
func (a *Archive) become(ctx context.Context) error {
	if a.ready.Load() {
		return a.restore(ctx)
	}
	err := a.begin(ctx)
	if damaged(err) {
		a.log.Error("the index is damaged; it is moved aside and rebuilt from the archive", "path", a.path, "err", err)
		ctx = context.WithoutCancel(ctx) // as rescue
		a.salvage(ctx)
		a.letGo()
		if serr := setAside(a.path, "damaged", time.Now()); serr != nil {
			return errors.Join(fault("open", err), serr, a.reconnect())
		}
		if err = a.reconnect(); err == nil {
			err = a.begin(ctx)
		}
	}
	if err == nil {
		err = a.restore(ctx)
	}
	if err != nil {
		return fault("open", fmt.Errorf("%s: %w", a.path, err))
	}
	a.ready.Store(true)
	select {
	case a.begun <- struct{}{}:
	default:
	}
	return nil
}

// connect opens the index's connections; the file itself is opened with the first statement.
func connect(path string) (db, reads *sql.DB, err error) {
	// FULL makes each commit durable before it returns, which is what a 250 promises.
	if db, err = open(path, "mode=rwc&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate", 1); err != nil {
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	if reads, err = open(path, "mode=rw&_pragma=query_only(1)", 2); err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	reads.SetConnMaxIdleTime(time.Minute) // its memory goes when nobody looks
	return db, reads, nil
}

func open(path, options string, most int) (*sql.DB, error) {
	return sqlfile.Open(path, "_pragma=busy_timeout(25000)&"+options, most)
}

// begin brings the index to its form, makes its name durable, and reads the events that an earlier life left open.
func (a *Archive) begin(ctx context.Context) error {
	if err := a.migrate(ctx); err != nil {
		return err
	}
	if err := os.Chmod(a.path, 0o600); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(a.path)); err != nil {
		return err
	}
	a.opened()
	var mark int
	if err := a.db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&mark); err != nil {
		return err
	}
	a.Fresh = mark != filledMark
	open, err := a.Unfinished(ctx)
	for _, e := range open {
		a.open[e.ID] = e
	}
	return err
}

// Close closes the index.
func (a *Archive) Close() error {
	a.writing.Lock()
	defer a.writing.Unlock()
	return errors.Join(a.reader().Close(), a.db.Close())
}

// Root is the archive's folder.
func (a *Archive) Root() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.root
}

// SetRoot changes the folder for what comes.
func (a *Archive) SetRoot(root string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.root = root
}

// Put writes events to the index, all or none, durably.
func (a *Archive) Put(ctx context.Context, events ...event.Event) error {
	err := a.change(ctx, func(tx *sql.Tx) error { return put(ctx, tx, events...) }, func() { a.remember(events) })
	if a.Noted != nil && ctx.Err() == nil {
		a.Noted(err)
	}
	return err
}

// remember keeps the events that are open, for an index that must be begun anew. a.writing is held.
func (a *Archive) remember(events []event.Event) {
	for _, e := range events {
		if e.State.Ended() {
			delete(a.open, e.ID)
		} else {
			a.open[e.ID] = e
		}
	}
}

func put(ctx context.Context, tx *sql.Tx, events ...event.Event) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO events (id, camera, time, state, protected, bytes, day, label, words, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET camera=excluded.camera, time=excluded.time, state=excluded.state, protected=excluded.protected, bytes=excluded.bytes,
			day=excluded.day, label=excluded.label, words=excluded.words, event=excluded.event`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for _, e := range events {
		b, err := json.Marshal(e)
		if err == nil {
			_, err = put.ExecContext(ctx, e.ID, e.Camera, e.Time.UnixMilli(), string(e.State), e.Protected, e.Bytes(), dayOf(e.Time), e.Label, wordsOf(e), string(b))
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
	}
	return nil
}

// ErrNotFound is the error for an event that the index does not hold.
var ErrNotFound = errors.New("no such event")

// Get returns an event.
func (a *Archive) Get(ctx context.Context, id string) (event.Event, error) {
	list, err := a.query(ctx, `SELECT event FROM events WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("event %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return event.Event{}, err
	}
	return list[0], nil
}

// Unfinished returns the events that are still open, oldest first: after a start, those that a crash interrupted.
func (a *Archive) Unfinished(ctx context.Context) ([]event.Event, error) {
	return a.query(ctx, `SELECT event FROM events WHERE state IN ('recording', 'finishing') ORDER BY time, id`)
}

func (a *Archive) query(ctx context.Context, q string, args ...any) ([]event.Event, error) {
	return a.scan(ctx, q, args...)
}

// Path returns the full path of one of an event's files.
func (a *Archive) Path(e event.Event, file string) string { return e.Path(a.Root(), file) }

// rootOf is the archive's folder that an event lies in.
func (a *Archive) rootOf(e event.Event) string {
	if e.Archive != "" {
		return e.Archive
	}
	return a.Root()
}

// Reachable returns an error while the archive that an event is being saved to is not there.
func (a *Archive) Reachable(e event.Event) error {
	_, err := os.Stat(a.rootOf(e))
	return err
}

// Sidecar is the name of an event's JSON file.
func Sidecar(e event.Event) string { return e.Stem + ".json" }

// Reserve gives an event its folder and stem, makes the folder durably, and keeps the stem from other events until
// Release. The name carries local time with its UTC offset, so no hour repeats when the clocks go back.
func (a *Archive) Reserve(e *event.Event) error {
	a.naming.Lock()
	defer a.naming.Unlock()
	if e.Stem != "" {
		if _, err := a.there(e.Archive, true); err != nil {
			return err
		}
		a.reserve(*e)
		return makeFolder(e.Archive, e.Folder, false)
	}
	root := a.Root()
	fresh, err := a.there(root, false)
	if err != nil {
		return err
	}
	t := e.Time.Local()
	folder := strings.Join([]string{e.Camera, t.Format("2006"), t.Format("01"), t.Format("02")}, "/")
	if err := makeFolder(root, folder, fresh); err != nil {
		return err
	}
	stem := t.Format("2006-01-02_15-04-05-0700") + "_" + FileName(e.Label)
	free := stem
	for n := 2; ; n++ {
		taken, err := a.taken(root, folder, free)
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		free = fmt.Sprintf("%s_%d", stem, n)
	}
	e.Archive, e.Folder, e.Stem = root, folder, free
	a.reserve(*e)
	return nil
}

func (a *Archive) reserve(e event.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved[e.Folder+"/"+e.Stem] = true
}

// ErrEmpty is the error for an archive folder that is missing or empty although the index knows clips in it: the drive
// is not plugged in, and what is written there would go to the disk below.
var ErrEmpty = errors.New("the archive folder is empty although it held clips")

// Holds tells whether there is anything in the archive's folder.
func (a *Archive) Holds() bool {
	empty, err := empty(a.Root())
	return err == nil && !empty
}

// empty tells whether a folder holds nothing, or is not there.
func empty(folder string) (bool, error) {
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Readdirnames(1); !errors.Is(err, io.EOF) {
		return false, err
	}
	return true, nil
}

// there returns an error if an archive was there before, which held tells or else the index, and is not now. fresh means
// that there never was one.
func (a *Archive) there(root string, held bool) (fresh bool, err error) {
	if empty, err := empty(root); err != nil || !empty {
		return false, err
	}
	if held {
		return false, fmt.Errorf("%s: %w", root, ErrEmpty)
	}
	err = a.reader().QueryRow(`SELECT EXISTS (SELECT 1 FROM events WHERE bytes > 0 AND coalesce(event ->> 'archive', ?1) = ?1)`, root).Scan(&held)
	if err != nil {
		return false, fault("read", err)
	}
	if held {
		return false, fmt.Errorf("%s: %w", root, ErrEmpty)
	}
	return true, nil
}

// Release lets the stem of an ended event go.
func (a *Archive) Release(e event.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.reserved, e.Folder+"/"+e.Stem)
}

// taken tells whether any file of a stem exists, or will.
func (a *Archive) taken(root, folder, stem string) (bool, error) {
	a.mu.Lock()
	reserved := a.reserved[folder+"/"+stem]
	a.mu.Unlock()
	if reserved {
		return true, nil
	}
	for _, name := range []string{stem + ".mp4", stem + ".partial.mp4", stem + ".json", stem + ".jpg"} {
		_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(folder), name))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// makeFolder makes a folder below the root, each level durably: also those that are there, since who made them may not
// have come to that. The root itself is made only for a fresh archive, and where its parent exists: a drive that is not
// plugged in, or is unplugged at this moment, must not be replaced by a folder on the system disk.
func makeFolder(root, folder string, fresh bool) error {
	path := root
	for i, level := range append([]string{""}, strings.Split(folder, "/")...) {
		path = filepath.Join(path, level)
		if i > 0 || fresh {
			if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		if err := durable.SyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// WriteSidecar writes an event's JSON beside its clips, durably. That of an open event tells what its partial files are
// and how far it had come, should the index be lost.
func (a *Archive) WriteSidecar(e event.Event) error {
	path := a.Path(e, Sidecar(e))
	if e.State.Ended() {
		e.Hold, e.Parts = "", nil
	}
	e.Archive = ""
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(b, '\n'), 0o644)
}

// Protect sets or clears an event's protection, in the index and, for an event that has one, in its sidecar.
func (a *Archive) Protect(ctx context.Context, id string, on bool) (event.Event, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if err != nil {
		return event.Event{}, err
	}
	if !e.State.Ended() {
		return event.Event{}, fmt.Errorf("event %s is still being saved; protect it when it is done", id)
	}
	e.Protected = on
	if e.Stem != "" {
		if err := a.WriteSidecar(e); err != nil {
			return event.Event{}, fmt.Errorf("protect event %s: %w", id, err)
		}
	}
	return e, a.Put(ctx, e)
}

// Delete removes an ended, unprotected event: its files, then its entry.
func (a *Archive) Delete(ctx context.Context, id string) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case !e.State.Ended():
		return fmt.Errorf("event %s is still being saved", id)
	case e.Protected:
		return fmt.Errorf("event %s is protected; end the protection first", id)
	}
	return a.remove(ctx, e)
}

// files are the names of all files of an event, the sidecar last: as long as it is there the others can be found.
func files(e event.Event) []string {
	if e.Stem == "" {
		return nil
	}
	var names []string
	for _, c := range e.Clips {
		names = append(names, c.File)
	}
	for _, p := range e.Parts {
		names = append(names, p.File)
	}
	for _, name := range []string{e.Thumbnail, e.Snapshot, e.Mail} {
		if name != "" {
			names = append(names, name)
		}
	}
	return append(names, Sidecar(e))
}

// remove removes an event's files, then its entry. A drive that is not there keeps its events. a.changing is held.
func (a *Archive) remove(ctx context.Context, e event.Event) error {
	if e.Stem != "" {
		if _, err := os.Stat(filepath.Join(a.rootOf(e), e.Camera)); err != nil {
			return fmt.Errorf("remove event %s: %w", e.ID, err)
		}
	}
	for _, name := range files(e) {
		if filepath.Base(name) != name || !strings.HasPrefix(name, e.Stem) {
			return fmt.Errorf("remove event %s: %q is not a file of it", e.ID, name)
		}
		if err := os.Remove(a.Path(e, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove event %s: %w", e.ID, err)
		}
	}
	if err := a.forget(ctx, e.ID); err != nil {
		return err
	}
	a.log.Info("event removed", "event", e.ID, "camera", e.Camera, "bytes", e.Bytes())
	// Folders that are empty now go too, up to the camera's; the day's first event made them.
	for dir := e.Folder; strings.Contains(dir, "/"); dir = dir[:strings.LastIndexByte(dir, '/')] {
		if os.Remove(filepath.Join(a.rootOf(e), filepath.FromSlash(dir))) != nil {
			break
		}
	}
	return nil
}

func (a *Archive) forget(ctx context.Context, id string) error {
	return a.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id = ?`, id)
		return err
	}, nil)
}

// Look drops the events of a list whose clips were removed by hand from the index, and returns the others and those. An
// event counts as removed only if its folder's camera folder is there and all its clips are gone: a drive that is not
// plugged in removes nothing.
func (a *Archive) Look(ctx context.Context, list []event.Event) (kept, removed []event.Event) {
	kept = list[:0]
	for _, e := range list {
		if e.State.Ended() && len(e.Clips) > 0 && a.gone(e) {
			if err := a.forget(ctx, e.ID); err == nil {
				a.log.Info("event was removed by hand", "event", e.ID, "camera", e.Camera)
				removed = append(removed, e)
				continue
			}
		}
		kept = append(kept, e)
	}
	return kept, removed
}

func (a *Archive) gone(e event.Event) bool {
	if _, err := os.Stat(filepath.Join(a.rootOf(e), e.Camera)); err != nil {
		return false
	}
	return a.clipsGone(e)
}

func (a *Archive) clipsGone(e event.Event) bool {
	for _, c := range e.Clips {
		if _, err := os.Lstat(a.Path(e, c.File)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

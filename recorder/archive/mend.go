package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
)

// indexFiles are the two files that hold what was answered: the database and its log.
type indexFiles [2]os.FileInfo

func indexFilesOf(path string) (f indexFiles) {
	for i, end := range []string{"", "-wal"} {
		f[i], _ = os.Stat(path + end)
	}
	return f
}

// opened notes the files that the index works on, so that their loss is noticed: a removed file can be written to as
// long as it is open, and all that is lost when it is closed.
func (a *Archive) opened() { a.onDisk = indexFilesOf(a.path) }

// moved tells whether one of the index's files is not there any more, or is another one. a.writing is held.
func (a *Archive) moved() bool {
	now := indexFilesOf(a.path)
	for i, was := range a.onDisk {
		if was == nil { // SQLite made its log since
			a.onDisk[i] = now[i]
		} else if now[i] == nil || !os.SameFile(was, now[i]) {
			return true
		}
	}
	return false
}

// change does something to the index, durably. If the index's files were removed meanwhile they are written anew from
// what is still open; a damaged index is moved aside and begun anew with the events that are open (see Keep). Only if
// the change is in the index that the next start will read is the error nil; then done is called, if it is given.
func (a *Archive) change(ctx context.Context, do func(*sql.Tx) error, done func()) (err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	defer func() {
		if err == nil && done != nil {
			done()
		}
	}()
	if err := a.become(ctx); err != nil {
		return err
	}
	err = a.commit(ctx, do)
	switch {
	case damaged(err) && (corrupt(err) || a.quickCheck(ctx) != nil):
		if merr := a.anew(ctx, err); merr != nil {
			return errors.Join(err, merr)
		}
		err = a.commit(ctx, do)
	case a.moved():
		if merr := a.rescue(ctx); merr != nil {
			return errors.Join(err, merr)
		}
		if err != nil {
			err = a.commit(ctx, do)
		}
	}
	return err
}

// commit runs one transaction. a.writing is held.
func (a *Archive) commit(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return fault("write", err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return fault("write", err)
	}
	if err := tx.Commit(); err != nil {
		return fault("write", err)
	}
	return nil
}

// rescue writes an index whose files were removed to where they were. The one connection that writes still has them
// open, with all that was committed. a.writing is held.
func (a *Archive) rescue(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // half of it would be worse than none, and who asked may be a mail's session
	a.log.Error("the index was removed under a running recorder; it is written anew", "path", a.path)
	if err := durable.MkdirAll(filepath.Dir(a.path), 0o700); err != nil {
		return fmt.Errorf("rescue index: %w", err)
	}
	tmp := a.path + ".rescued"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rescue index: %w", err)
	}
	if _, err := a.db.ExecContext(ctx, `VACUUM INTO ?`, tmp); corrupt(err) {
		return a.anew(ctx, err) // it was damaged before, too
	} else if err != nil {
		return fault("rescue", err)
	}
	if err := durable.SyncFile(tmp); err != nil {
		return fmt.Errorf("rescue index: %w", err)
	}
	if err := setAside(a.path, "replaced", time.Now()); err != nil { // what somebody put there
		return fmt.Errorf("rescue index: %w", err)
	}
	if err := durable.Publish(tmp, a.path); err != nil {
		return fmt.Errorf("rescue index: %w", err)
	}
	return a.reopen(ctx)
}

// anew begins a new index in place of a damaged one, with the events that are open. What the archive holds of others is
// to be put into it by Reindex: Keep is told. a.writing is held.
func (a *Archive) anew(ctx context.Context, why error) error {
	ctx = context.WithoutCancel(ctx) // as rescue
	a.log.Error("the index is damaged; it is moved aside and rebuilt from the archive", "path", a.path, "err", why)
	a.ready.Store(false) // until the new one is there; see become
	a.salvage(ctx)
	a.letGo()
	if err := setAside(a.path, "damaged", time.Now()); err != nil {
		return fmt.Errorf("move damaged index aside: %w", errors.Join(err, a.reconnect()))
	}
	if err := a.reopen(ctx); err != nil {
		return err
	}
	a.ready.Store(true)
	a.renew()
	return a.restore(ctx)
}

// renew has the index filled from the archive soon.
func (a *Archive) renew() {
	select {
	case a.renewed <- struct{}{}:
	default:
	}
}

// letGo closes the connections to an index that is to be moved, where the system moves no open file. To be followed by
// reconnect. a.writing is held.
func (a *Archive) letGo() {
	if runtime.GOOS == "windows" {
		_ = errors.Join(a.reader().Close(), a.db.Close()) // it is damaged
	}
}

// restore puts the events into an index that was begun anew which the damaged one still told, and those that are open.
// a.writing is held.
func (a *Archive) restore(ctx context.Context) error {
	if !a.pending {
		return nil
	}
	list := append(slices.Clone(a.saved), slices.Collect(maps.Values(a.open))...)
	err := a.commit(ctx, func(tx *sql.Tx) error { return put(ctx, tx, list...) })
	if err == nil {
		a.remember(list)
		a.pending, a.saved = false, nil
	}
	return err
}

// salvage keeps the events that can still be read from a damaged index, from both ends, for the one that takes its place.
// An event that is told wrong is put right by its sidecar, when the archive is read. a.writing is held.
func (a *Archive) salvage(ctx context.Context) {
	a.pending = true
	known := map[string]bool{}
	for _, order := range []string{"ASC", "DESC"} {
		rows, err := a.db.QueryContext(ctx, `SELECT id, event FROM events NOT INDEXED ORDER BY rowid `+order)
		if err != nil {
			return
		}
		for rows.Next() {
			var id string
			var b []byte
			var e event.Event
			if rows.Scan(&id, &b) != nil || json.Unmarshal(b, &e) != nil || e.ID != id || known[id] || !e.State.Known() || !e.Local() || e.Time.IsZero() || e.Until.Before(e.From) {
				continue
			}
			known[id] = true
			a.saved = append(a.saved, e)
		}
		ended := rows.Err()
		_ = rows.Close()
		if ended == nil {
			break
		}
	}
}

// reopen connects to the index's file that is there now, and makes it where there is none. a.writing is held.
func (a *Archive) reopen(ctx context.Context) error {
	if err := a.reconnect(); err != nil {
		return err
	}
	if err := a.migrate(ctx); err != nil {
		return fault("open", err)
	}
	if err := durable.SyncDir(filepath.Dir(a.path)); err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	a.opened()
	return nil
}

// reconnect connects to the file that is at the index's place now. a.writing is held.
func (a *Archive) reconnect() error {
	db, reads, err := connect(a.path)
	if err != nil {
		return err
	}
	a.reading.Lock()
	oldDB, oldReads := a.db, a.reads
	a.db, a.reads = db, reads
	a.reading.Unlock()
	// SQLite would empty the log that stands at the old one's place, so its connections go without tidying up there:
	// the files that they have open have no name any more.
	_ = oldReads.Close()
	_ = oldDB.Close()
	return nil
}

// reader is the pool for reading.
func (a *Archive) reader() *sql.DB {
	a.reading.Lock()
	defer a.reading.Unlock()
	return a.reads
}

// doubt has the index examined soon if an error of reading says that it is damaged. It returns the error.
func (a *Archive) doubt(err error) error {
	if damaged(err) && a.ready.Load() {
		select {
		case a.doubted <- struct{}{}:
		default:
		}
	}
	return err
}

// keepTime is how often Keep looks whether the index's files are still there.
const keepTime = 10 * time.Second

// Keep looks after the index until ctx ends. renew is called when the index was begun anew, so that it lacks what the
// archive holds: it calls Reindex, until that has come to its end. Meanwhile the index is looked after all the same.
func (a *Archive) Keep(ctx context.Context, renew func()) {
	var renewing sync.WaitGroup
	defer renewing.Wait()
	renewing.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.renewed:
				renew()
			}
		}
	})
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	var removed <-chan fsnotify.Event
	var missed <-chan error
	if w := a.watch(); w != nil {
		defer func() { _ = w.Close() }()
		removed, missed = w.Events, w.Errors
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-missed:
		case e := <-removed:
			if e.Has(fsnotify.Remove | fsnotify.Rename) {
				a.look(ctx)
			}
		case <-a.begun:
			a.writing.Lock()
			fresh := a.Fresh
			a.writing.Unlock()
			if fresh {
				a.renew()
			} else if a.unclean {
				a.examine(ctx)
			}
		case <-a.doubted:
			a.examine(ctx)
		case <-tick.C:
			a.look(ctx)
		}
	}
}

// watch tells of the index's files that are removed, so that not every loss waits for the next tick. Where that cannot be
// told it is nil.
func (a *Archive) watch() *fsnotify.Watcher {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil
	}
	if err := w.Add(filepath.Dir(a.path)); err != nil {
		_ = w.Close()
		return nil
	}
	return w
}

// look opens an index that could not be opened before, and rescues one that was removed.
func (a *Archive) look(ctx context.Context) {
	a.writing.Lock()
	defer a.writing.Unlock()
	if !a.ready.Load() {
		err := a.become(ctx)
		if a.Noted != nil && ctx.Err() == nil {
			a.Noted(err)
		}
		return
	}
	if a.moved() {
		if err := a.rescue(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the index was not written anew", "err", err)
		}
	}
}

// examine reads the whole index and begins a new one if it is damaged.
func (a *Archive) examine(ctx context.Context) {
	if a.quickCheck(ctx) == nil || ctx.Err() != nil {
		return
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.quickCheck(ctx); err != nil && ctx.Err() == nil { // nobody mended it meanwhile
		if err := a.anew(ctx, err); err != nil {
			a.log.Error("the index was not begun anew", "err", err)
		}
	}
}

// quickCheck reads every page of the index, and every event.
func (a *Archive) quickCheck(ctx context.Context) error {
	db := a.reader()
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return ifDamaged(err)
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, said)
	}
	var bad int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM events WHERE NOT json_valid(event) OR event ->> 'id' IS NOT id LIMIT 1)`).Scan(&bad); err != nil {
		return ifDamaged(err)
	}
	if bad > 0 {
		return fmt.Errorf("%w: an event in it cannot be read", errDamaged)
	}
	return nil
}

// ifDamaged passes an error on only if it is about damage: one of the machine's, such as a lock, tells nothing.
func ifDamaged(err error) error {
	if damaged(err) {
		return err
	}
	return nil
}

// filledMark is SQLite's application_id of an index that holds what the archive does. One that was begun anew gets it when
// Reindex has come to its end.
const filledMark = 0x50726c6c

func (a *Archive) filled(ctx context.Context) error {
	return a.change(ctx, func(tx *sql.Tx) error {
		if len(a.renewed) > 0 { // it was begun anew in the middle of it
			return nil
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, filledMark))
		return err
	}, nil)
}

// errDamaged is damage that Preroll finds, not SQLite.
var errDamaged = errors.New("index is damaged")

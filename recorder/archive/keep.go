package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/text"
)

// The index is a cache with two moves: it is opened, or set aside and made anew. A new one holds the open events at
// once, so that mails are answered; what the drives hold of others is put into it meanwhile (see Refill).

// connect opens the index's connections; the file itself is opened with the first statement.
func connect(path string) (db, reads *sql.DB, err error) {
	const wait = "_pragma=busy_timeout(25000)&"
	// FULL makes each commit durable before it returns, which is what a 250 promises; on a Mac that takes fullfsync,
	// too.
	if db, err = sqlfile.Open(path,
		wait+"mode=rwc&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=fullfsync(1)&_txlock=immediate",
		1); err != nil {
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	if reads, err = sqlfile.Open(path, wait+"mode=rw&_pragma=query_only(1)", 2); err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	reads.SetConnMaxIdleTime(time.Minute) // its memory goes when nobody looks
	return db, reads, nil
}

// ensureOpen makes the index ready if it is not. a.writing is held.
func (a *Archive) ensureOpen(ctx context.Context) error {
	if a.ready {
		return nil
	}
	err := a.prepare(ctx)
	if damaged(err) {
		return a.recreate(ctx, err)
	}
	if err != nil {
		return indexError(text.IndexOpen, fmt.Errorf("%s: %w", a.path, err))
	}
	return nil
}

// prepare brings the index to its form, makes its name durable, and takes the events that are open and the drives from
// it. What is known of them already is put into it. a.writing is held.
func (a *Archive) prepare(ctx context.Context) error {
	if err := a.migrate(ctx); err != nil {
		return err
	}
	if err := os.Chmod(a.path, 0o600); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(a.path)); err != nil {
		return err
	}
	a.onDisk = indexFilesOf(a.path)
	drives, err := drivesOf(ctx, a.db)
	if err != nil {
		return err
	}
	a.mu.Lock()
	for key, d := range drives {
		if _, ok := a.drives[key]; !ok {
			d.indexed = true
			a.drives[key] = d
		}
	}
	a.mu.Unlock()
	open, err := a.scanIn(ctx, a.db, unfinished)
	if err != nil {
		return err
	}
	for _, e := range a.open {
		open = append(open, e)
	}
	keys := []int64{}
	for _, e := range open {
		keys = append(keys, a.keyOf(e))
	}
	if err := a.commit(ctx, func(tx *sql.Tx) error { return put(ctx, tx, 0, keys, open) }); err != nil {
		return err
	}
	for _, e := range open {
		a.open[e.ID] = e
	}
	a.ready = true
	a.loaded.Store(true)
	a.requestRefill()
	return nil
}

// recreate sets the index aside and makes a new one with the events that are open. a.writing is held.
func (a *Archive) recreate(ctx context.Context, why error) error {
	ctx = context.WithoutCancel(ctx) // half of it would be worse than none, and who asked may be a mail's session
	a.log.Error("the index is set aside and made anew from the archive", "path", a.path, "err", why)
	a.ready = false
	a.made++
	if runtime.GOOS == "windows" { // where no open file is moved
		_ = errors.Join(a.reader().Close(), a.db.Close())
	}
	err := durable.MkdirAll(filepath.Dir(a.path), 0o700)
	if err == nil {
		err = setAside(a.path, time.Now())
	}
	if err == nil {
		a.mu.Lock()
		for key, d := range a.drives {
			d.filled, d.indexed = false, false
			a.drives[key] = d
		}
		a.mu.Unlock()
	}
	if rerr := a.reconnect(ctx); err == nil {
		err = rerr
	}
	if err != nil {
		return indexError(text.IndexOpen, fmt.Errorf("%s: %w", a.path, err))
	}
	return nil
}

// setAside moves an index out of the way.
func setAside(path string, now time.Time) error {
	to := path + ".damaged-" + now.Format("20060102-150405")
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.damaged-%s-%d", path, now.Format("20060102-150405"), n)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+end, to+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// reconnect opens the file that is at the index's place now. Who reads is not led to it before it is ready. a.writing
// is held.
func (a *Archive) reconnect(ctx context.Context) error {
	db, reads, err := connect(a.path)
	if err != nil {
		return err
	}
	oldDB := a.db
	a.db = db
	err = a.prepare(ctx)
	a.reading.Lock()
	oldReads := a.reads
	a.reads = reads
	a.reading.Unlock()
	_ = errors.Join(oldReads.Close(), oldDB.Close()) // the files that they have open lie elsewhere now, or nowhere
	return err
}

// change does something to the index, durably. Only if it is in the index that the next start will read is the error
// nil.
func (a *Archive) change(ctx context.Context, do func(*sql.Tx) error) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	return a.changeHeld(ctx, do)
}

// changeHeld is change; a.writing is held.
func (a *Archive) changeHeld(ctx context.Context, do func(*sql.Tx) error) error {
	if err := a.ensureOpen(ctx); err != nil {
		return err
	}
	err := a.commit(ctx, do)
	if why := a.broken(ctx, err); why != nil {
		if aerr := a.recreate(ctx, why); aerr != nil {
			return aerr
		}
		err = a.commit(ctx, do)
	}
	return err
}

// broken returns why the index cannot be used any more after a commit that ended in an error or nil: it is damaged, or
// its files were removed. a.writing is held.
func (a *Archive) broken(ctx context.Context, err error) error {
	if corrupt(err) || damaged(err) && a.quickCheck(ctx) != nil {
		return err
	}
	if a.moved() {
		return errors.New("its files were removed")
	}
	return nil
}

// commit runs one transaction. a.writing is held.
func (a *Archive) commit(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return indexError(text.IndexWrite, err)
	}
	defer func() { _ = tx.Rollback() }()
	noted, err := a.noteDrives(ctx, tx)
	if err == nil {
		err = do(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return indexError(text.IndexWrite, err)
	}
	noted()
	return nil
}

// indexFiles are the two files that hold what was answered: the database and its log.
type indexFiles [2]os.FileInfo

func indexFilesOf(path string) (f indexFiles) {
	for i, end := range []string{"", "-wal"} {
		f[i], _ = os.Stat(path + end)
	}
	return f
}

// moved reports whether one of the index's files is not there any more, or is another one: a removed file can be
// written to as long as it is open, and all that is lost when it is closed. a.writing is held.
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

// requestRefill has the index filled from the archive soon.
func (a *Archive) requestRefill() {
	select {
	case a.renewed <- struct{}{}:
	default:
	}
}

// reader is the pool for reading.
func (a *Archive) reader() *sql.DB {
	a.reading.Lock()
	defer a.reading.Unlock()
	return a.reads
}

// reportCorruption has the index examined soon if an error of reading says that it is damaged. It returns the error.
func (a *Archive) reportCorruption(err error) error {
	if damaged(err) {
		select {
		case a.doubted <- struct{}{}:
		default:
		}
	}
	return err
}

// keepTime is how often Keep looks whether the index's files are still there.
const keepTime = 10 * time.Second

// Keep looks after the index until ctx ends.
func (a *Archive) Keep(ctx context.Context) {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	w, err := fsnotify.NewWatcher() // so that not every loss waits for the next tick
	var removed <-chan fsnotify.Event
	var missed <-chan error
	if err == nil {
		defer func() { _ = w.Close() }()
		if w.Add(filepath.Dir(a.path)) == nil {
			removed, missed = w.Events, w.Errors
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-missed:
		case e := <-removed:
			if e.Has(fsnotify.Remove | fsnotify.Rename) {
				a.checkIndex(ctx)
			}
		case <-a.doubted:
			a.examine(ctx)
		case <-tick.C:
			a.checkIndex(ctx)
		}
	}
}

// checkIndex opens an index that could not be opened before, and makes one anew that was removed.
func (a *Archive) checkIndex(ctx context.Context) {
	a.writing.Lock()
	defer a.writing.Unlock()
	if !a.ready {
		err := a.ensureOpen(ctx)
		if ctx.Err() == nil {
			a.onChange(err)
		}
		return
	}
	if why := a.broken(ctx, nil); why != nil {
		a.replace(ctx, why)
	}
}

// examine reads the whole index and makes it anew if it is damaged. Meanwhile it is in use.
func (a *Archive) examine(ctx context.Context) {
	a.writing.Lock()
	made := a.made
	a.writing.Unlock()
	why := a.quickCheck(ctx)
	a.writing.Lock()
	defer a.writing.Unlock()
	if why != nil && ctx.Err() == nil && a.made == made {
		a.replace(ctx, why)
	}
}

func (a *Archive) replace(ctx context.Context, why error) {
	if err := a.recreate(ctx, why); err != nil {
		a.log.Error("the index was not made anew", "err", err)
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
	if err := db.QueryRowContext(ctx,
		`SELECT count(*) FROM (SELECT 1 FROM events WHERE NOT json_valid(event) OR event ->> 'id' IS NOT id LIMIT 1)`).Scan(&bad); err != nil {
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

// errDamaged is damage that Preroll finds, not SQLite.
var errDamaged = errors.New("index is damaged")

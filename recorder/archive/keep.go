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

// The index is a cache. It is opened, or set aside and recreated. A new index gets the open events at once, so that
// mails can be answered. Refill adds the events on the drives later.

// connect makes the connections to the index. The first statement opens the file.
func connect(path string) (db, reads *sql.DB, err error) {
	const wait = "_pragma=busy_timeout(25000)&"
	// synchronous(FULL) makes each commit durable before it returns, which is what a 250 promises. On a Mac this also
	// takes fullfsync.
	if db, err = sqlfile.Open(path,
		wait+"mode=rwc&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=fullfsync(1)&_txlock=immediate",
		1); err != nil {
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	if reads, err = sqlfile.Open(path, wait+"mode=rw&_pragma=query_only(1)", 2); err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	reads.SetConnMaxIdleTime(time.Minute) // frees the memory when nobody reads
	return db, reads, nil
}

// --- Opening and recreating ---

// ensureOpen makes the index ready, if it is not yet. a.writing is held.
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

// prepare gives the index its current form, makes its file name durable, and reads its drives and open events. It also
// writes to the index the drives and open events that are known already. a.writing is held.
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
	// The log may have been removed before its file was known. SQLite goes on writing to it, and a reader that opens
	// the file by its name finds nothing in it.
	if a.moved() || a.onDisk[1] == nil && logged(ctx, a.db) {
		return fmt.Errorf("%w: its files were removed", errDamaged)
	}
	a.ready = true
	a.loaded.Store(true)
	a.requestRefill()
	return nil
}

// recreate sets the index aside and creates a new one with the open events. a.writing is held.
func (a *Archive) recreate(ctx context.Context, why error) error {
	// Ignore the end of ctx, which may belong to a mail's session: half a recreated index would be worse than none.
	ctx = context.WithoutCancel(ctx)
	a.log.Error("the index is set aside and rebuilt from the archive", "path", a.path, "err", why)
	a.ready = false
	a.made++
	if runtime.GOOS == "windows" { // Windows does not move an open file
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

// setAside renames the files of an index. The new names begin with the old name and ".damaged-" and the time.
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

// reconnect opens the file that is now at the index's path. Readers get the new file only after prepare. a.writing is
// held.
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
	_ = errors.Join(oldReads.Close(), oldDB.Close()) // their open files have been moved or removed
	return err
}

// --- Changing ---

// change changes the index durably. The error is nil only if the change is in the index that the next start will read.
func (a *Archive) change(ctx context.Context, do func(*sql.Tx) error) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	return a.changeHeld(ctx, do)
}

// changeHeld is change with a.writing held.
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

// broken is called after a commit that ended with err, which may be nil. It returns why the index can no longer be
// used: it is damaged, or its files were removed. It returns nil if the index can be used. a.writing is held.
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

// logged reports whether a connection writes to a write-ahead log, which a file system may be unable to offer.
func logged(ctx context.Context, db *sql.DB) bool {
	var mode string
	return db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode) == nil && mode == "wal"
}

// indexFiles are the two files that hold the answered mails: the database and its write-ahead log.
type indexFiles [2]os.FileInfo

func indexFilesOf(path string) (f indexFiles) {
	for i, end := range []string{"", "-wal"} {
		f[i], _ = os.Stat(path + end)
	}
	return f
}

// moved reports whether one of the index's files is gone or has been replaced. A process can still write to a removed
// file while the file is open; everything in it is lost when it is closed. a.writing is held.
func (a *Archive) moved() bool {
	now := indexFilesOf(a.path)
	for i, was := range a.onDisk {
		if was == nil { // SQLite has created its log since
			a.onDisk[i] = now[i]
		} else if now[i] == nil || !os.SameFile(was, now[i]) {
			return true
		}
	}
	return false
}

// --- Looking after the index ---

// requestRefill makes Refill fill the index from the drives soon.
func (a *Archive) requestRefill() {
	select {
	case a.renewed <- struct{}{}:
	default:
	}
}

// reader returns the connections for reading.
func (a *Archive) reader() *sql.DB {
	a.reading.Lock()
	defer a.reading.Unlock()
	return a.reads
}

// reportCorruption makes Keep examine the index soon if err says that the index is damaged. It returns err.
func (a *Archive) reportCorruption(err error) error {
	if damaged(err) {
		select {
		case a.doubted <- struct{}{}:
		default:
		}
	}
	return err
}

// keepTime is how often Keep checks whether the index's files are still there.
const keepTime = 10 * time.Second

// Keep watches over the index until ctx ends. It opens an index that could not be opened, and recreates a lost or
// damaged one.
func (a *Archive) Keep(ctx context.Context) {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	w, err := fsnotify.NewWatcher() // reports most losses before the next tick
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

// checkIndex opens an index that could not be opened before, and recreates an index whose files were removed.
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

// examine reads the whole index, and recreates it if it is damaged. The index stays in use meanwhile.
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
		a.log.Error("the index was not rebuilt", "err", err)
	}
}

// quickCheck reads every page of the index and every event. It returns nil unless it finds damage.
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

// ifDamaged returns err if it is about damage, otherwise nil. Other errors, such as a lock, say nothing about damage.
func ifDamaged(err error) error {
	if damaged(err) {
		return err
	}
	return nil
}

// errDamaged is the error for damage that Preroll finds and not SQLite.
var errDamaged = errors.New("index is damaged")

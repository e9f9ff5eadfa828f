package index

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
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

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

// ensureOpen makes the index ready, if it is not yet. x.writing is held.
func (x *Index) ensureOpen(ctx context.Context) error {
	if x.ready {
		return nil
	}
	err := x.prepare(ctx)
	if damaged(err) {
		return x.recreate(ctx, err)
	}
	if err != nil {
		return newError(text.IndexOpen, fmt.Errorf("%s: %w", x.path, err))
	}
	return nil
}

// prepare gives the index its current form, makes its file name durable, and reads its drives and open events. It also
// writes to the index the drives and open events that are known already. x.writing is held.
func (x *Index) prepare(ctx context.Context) error {
	if err := x.migrate(ctx); err != nil {
		return err
	}
	if err := os.Chmod(x.path, 0o600); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(x.path)); err != nil {
		return err
	}
	x.onDisk = indexFilesOf(x.path)
	drives, err := drivesOf(ctx, x.db)
	if err != nil {
		return err
	}
	x.mu.Lock()
	for key, d := range drives {
		if _, ok := x.drives[key]; !ok {
			x.drives[key] = d
		}
	}
	x.mu.Unlock()
	var open []event.Event
	if err := queryIn(ctx, x.db, x.into(&open), `SELECT drive, event `+unfinished); err != nil {
		return err
	}
	for _, e := range x.open {
		open = append(open, e)
	}
	keys := []int64{}
	for _, e := range open {
		keys = append(keys, x.keyOf(e))
	}
	if err := x.commit(ctx, func(tx *sql.Tx) error { return put(ctx, tx, 0, keys, open) }); err != nil {
		return err
	}
	for _, e := range open {
		x.open[e.ID] = e
	}

	// The log may have been removed before its file was known. SQLite goes on writing to it, and a reader that opens
	// the file by its name finds nothing in it.
	if x.moved() || x.onDisk[1] == nil && logged(ctx, x.db) {
		return fmt.Errorf("%w: its files were removed", errDamaged)
	}
	x.ready = true
	x.loaded.Store(true)
	x.RequestFill()
	return nil
}

// recreate sets the index aside and creates a new one with the open events. x.writing is held.
func (x *Index) recreate(ctx context.Context, why error) error {
	// Ignore the end of ctx, which may belong to a mail's session: half a recreated index would be worse than none.
	ctx = context.WithoutCancel(ctx)
	x.log.Error("the index is set aside and rebuilt from the archive", "path", x.path, "err", why)
	x.ready = false
	x.made++
	if runtime.GOOS == "windows" { // Windows does not move an open file
		_ = errors.Join(x.reader().Close(), x.db.Close())
	}
	err := durable.MkdirAll(filepath.Dir(x.path), 0o700)
	if err == nil {
		err = setAside(x.path, time.Now())
	}
	if err == nil {
		x.mu.Lock()
		for key, d := range x.drives {
			d.Filled, d.indexed = false, false
			x.drives[key] = d
		}
		x.mu.Unlock()
	}

	if rerr := x.reconnect(ctx); err == nil {
		err = rerr
	}
	if err != nil {
		return newError(text.IndexOpen, fmt.Errorf("%s: %w", x.path, err))
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

// reconnect opens the file that is now at the index's path. Readers get the new file only after prepare. x.writing is
// held.
func (x *Index) reconnect(ctx context.Context) error {
	db, reads, err := connect(x.path)
	if err != nil {
		return err
	}
	oldDB := x.db
	x.db = db
	err = x.prepare(ctx)
	x.reading.Lock()
	oldReads := x.reads
	x.reads = reads
	x.reading.Unlock()
	_ = errors.Join(oldReads.Close(), oldDB.Close()) // their open files have been moved or removed
	return err
}

// --- Changing ---

// change changes the index durably. The error is nil only if the change is in the index that the next start will read.
func (x *Index) change(ctx context.Context, do func(*sql.Tx) error) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	return x.changeHeld(ctx, do)
}

// changeHeld is change with x.writing held.
func (x *Index) changeHeld(ctx context.Context, do func(*sql.Tx) error) error {
	if err := x.ensureOpen(ctx); err != nil {
		return err
	}
	err := x.commit(ctx, do)
	if why := x.broken(ctx, err); why != nil {
		if aerr := x.recreate(ctx, why); aerr != nil {
			return aerr
		}
		err = x.commit(ctx, do)
	}
	return err
}

// broken is called after a commit that ended with err, which may be nil. It returns why the index can no longer be
// used: it is damaged, or its files were removed. It returns nil if the index can be used. x.writing is held.
func (x *Index) broken(ctx context.Context, err error) error {
	if corrupt(err) || damaged(err) && x.quickCheck(ctx) != nil {
		return err
	}
	if x.moved() {
		return errors.New("its files were removed")
	}
	return nil
}

// commit runs one transaction. x.writing is held.
func (x *Index) commit(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return newError(text.IndexWrite, err)
	}
	defer func() { _ = tx.Rollback() }()
	noted, err := x.noteDrives(ctx, tx)
	if err == nil {
		err = do(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return newError(text.IndexWrite, err)
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
// file while the file is open; everything in it is lost when it is closed. x.writing is held.
func (x *Index) moved() bool {
	now := indexFilesOf(x.path)
	for i, was := range x.onDisk {
		if was == nil { // SQLite has created its log since
			x.onDisk[i] = now[i]
		} else if now[i] == nil || !os.SameFile(was, now[i]) {
			return true
		}
	}

	return false
}

// --- Looking after the index ---

// reader returns the connections for reading.
func (x *Index) reader() *sql.DB {
	x.reading.Lock()
	defer x.reading.Unlock()
	return x.reads
}

// doubt makes Keep examine the index soon.
func (x *Index) doubt() {
	select {
	case x.doubted <- struct{}{}:
	default:
	}
}

// keepTime is how often Keep checks whether the index's files are still there.
const keepTime = 10 * time.Second

// Keep watches over the index until ctx ends. It opens an index that could not be opened, and recreates a lost or
// damaged one.
func (x *Index) Keep(ctx context.Context) {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	w, err := fsnotify.NewWatcher() // reports most losses before the next tick
	var removed <-chan fsnotify.Event
	var missed <-chan error
	if err == nil {
		defer func() { _ = w.Close() }()
		if w.Add(filepath.Dir(x.path)) == nil {
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
				x.checkIndex(ctx)
			}
		case <-x.doubted:
			x.examine(ctx)
		case <-tick.C:
			x.checkIndex(ctx)
		}
	}
}

// checkIndex opens an index that could not be opened before, and recreates an index whose files were removed.
func (x *Index) checkIndex(ctx context.Context) {
	x.writing.Lock()
	defer x.writing.Unlock()
	if !x.ready {
		err := x.ensureOpen(ctx)
		if ctx.Err() == nil {
			x.noted(err)
		}
		return
	}

	if why := x.broken(ctx, nil); why != nil {
		x.replace(ctx, why)
	}
}

// examine reads the whole index, and recreates it if it is damaged. The index stays in use meanwhile.
func (x *Index) examine(ctx context.Context) {
	x.writing.Lock()
	made, ready := x.made, x.ready
	x.writing.Unlock()
	if !ready { // checkIndex tries to open it
		return
	}
	why := x.quickCheck(ctx)
	x.writing.Lock()
	defer x.writing.Unlock()
	if why != nil && ctx.Err() == nil && x.made == made {
		x.replace(ctx, why)
	}
}

func (x *Index) replace(ctx context.Context, why error) {
	if err := x.recreate(ctx, why); err != nil {
		x.log.Error("the index was not rebuilt", "err", err)
	}
}

// quickCheck reads every page of the index and every event. It returns nil unless it finds damage.
func (x *Index) quickCheck(ctx context.Context) error {
	db := x.reader()
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

package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/event"
)

// known is a drive that the index knows.
type known struct {
	key    int64  // in the index; 0 is no drive
	id     string // "" for the archive of an index of an earlier version, until something is saved to it
	path   string // where it was seen last
	filled bool   // the index holds what it does
	noted  bool   // the index has this, too
}

// Errors of a drive that is not the one that is looked for. What is written there would go to the wrong disk.
var (
	// ErrEmpty is the error for an archive folder that is empty although the index knows events in it: the drive is not
	// plugged in, and this is its mount point.
	ErrEmpty = errors.New("the archive folder is empty although it held clips")
	// ErrOther is the error for another drive, or an unknown one, at the place of the one that is looked for.
	ErrOther = errors.New("another drive is at the archive's place")
	// ErrSilent is the error for a drive that does not answer.
	ErrSilent = errors.New("the drive does not answer")
)

// drivesOf reads the drives that the index knows.
func drivesOf(ctx context.Context, db *sql.DB) (map[int64]known, error) {
	rows, err := db.QueryContext(ctx, `SELECT key, id, path, filled FROM drives`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list := map[int64]known{}
	for rows.Next() {
		var d known
		if err := rows.Scan(&d.key, &d.id, &d.path, &d.filled); err != nil {
			return nil, err
		}
		list[d.key] = d
	}
	return list, rows.Err()
}

// noteDrives writes what is known of drives to the index, as far as it is new. done is to be called when it is durable.
func (a *Archive) noteDrives(ctx context.Context, tx *sql.Tx) (done func(), err error) {
	a.mu.Lock()
	var list []known
	for _, d := range a.drives {
		if !d.noted {
			list = append(list, d)
		}
	}
	a.mu.Unlock()
	for _, d := range list {
		if _, err := tx.ExecContext(ctx, `INSERT INTO drives (key, id, path, filled) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET id=excluded.id, path=excluded.path, filled=excluded.filled`, d.key, d.id, d.path, d.filled); err != nil {
			return nil, err
		}
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, d := range list {
			if a.drives[d.key] == d {
				d.noted = true
				a.drives[d.key] = d
			}
		}
	}, nil
}

// drive returns what is known of a drive that fits.
func (a *Archive) drive(fits func(known) bool) (known, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(a.drives)) {
		if d := a.drives[key]; fits(d) {
			return d, true
		}
	}
	return known{}, false
}

// driveOf returns the drive that an event lies on.
func (a *Archive) driveOf(e event.Event) (known, bool) {
	switch {
	case e.Stem == "" && e.Drive == "":
		return known{}, false
	case e.Drive != "":
		return a.drive(func(d known) bool { return d.id == e.Drive })
	}
	root := e.Archive
	if root == "" {
		root = a.Root()
	}
	return a.drive(func(d known) bool { return d.path == root })
}

// keyOf is the key of the drive that an event lies on, which is noted with it; 0 for one that has no place yet.
func (a *Archive) keyOf(e event.Event) int64 {
	if d, ok := a.driveOf(e); ok {
		return d.key
	}
	if e.Stem == "" {
		return 0
	}
	root := e.Archive
	if root == "" {
		root = a.Root()
	}
	return a.learn(known{id: e.Drive, path: root}).key
}

// learn keeps what is known of a drive, which the next change of the index notes. A new one gets its key.
func (a *Archive) learn(d known) known {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.key == 0 {
		d.key = 1
		for key := range a.drives {
			d.key = max(d.key, key+1)
		}
	}
	d.noted = false
	a.drives[d.key] = d
	return d
}

// open opens an archive folder and reads its drive's id, "" if there is none.
func open(path string) (*os.Root, string, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, "", err
	}
	id, err := drive.Read(root)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return root, id, nil
	}
	return nil, "", errors.Join(err, root.Close())
}

// on opens a drive that the index knows, where it was seen last or where the archive is now.
func (a *Archive) on(ctx context.Context, d known) (*os.Root, error) {
	var first error
	for _, path := range slices.Compact([]string{d.path, a.Root()}) {
		root, id, err := open(path)
		if err == nil {
			switch {
			case id != "" && id == d.id:
				if path != d.path {
					d.path = path
					a.learn(d)
				}
				return root, nil
			case path == d.path && (id == "" || d.id == "") && a.recognized(ctx, root, d):
				return root, nil // somebody removed its id, or it has none yet
			}
			err = fmt.Errorf("%s: %w", path, notIt(root))
			_ = root.Close()
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// notIt says what is at the place of the drive that is looked for.
func notIt(root *os.Root) error {
	if empty(root) {
		return ErrEmpty
	}
	return ErrOther
}

// here opens the archive folder as it is set now, and tells which drive it is. A drive without an id gets one, unless
// another drive was there before: what is written to it must be found again. A fresh folder is made, where its parent
// exists: a drive that is not plugged in must not be replaced by a folder on the system disk.
func (a *Archive) here(ctx context.Context) (*os.Root, known, error) {
	path := a.Root()
	var before []known // drives that were here
	for key := int64(0); ; {
		d, ok := a.drive(func(d known) bool { return d.path == path && d.key > key })
		if !ok {
			break
		}
		if held, err := a.held(ctx, d); err != nil {
			return nil, known{}, err
		} else if held {
			before = append(before, d)
		}
		key = d.key
	}
	root, id, err := open(path)
	if errors.Is(err, fs.ErrNotExist) && before == nil {
		if err := os.Mkdir(path, DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, known{}, err
		}
		root, id, err = open(path)
	}
	if err != nil {
		return nil, known{}, err
	}
	d, ok := a.drive(func(d known) bool { return d.id == id && id != "" })
	for _, b := range before {
		if !ok && (id == "" || b.id == "") && a.recognized(ctx, root, b) {
			d, ok = b, true
		}
	}
	if !ok && id == "" && before != nil {
		err := fmt.Errorf("%s: %w", path, notIt(root))
		_ = root.Close()
		return nil, known{}, err
	}
	if err = a.claim(root); err == nil {
		d, err = a.adopt(root, path, id, d)
	}
	if err != nil {
		return nil, known{}, errors.Join(err, root.Close())
	}
	return root, d, nil
}

// claim makes sure that no other recorder uses a drive. The lock goes over to a drive that takes another one's place.
func (a *Archive) claim(root *os.Root) error {
	a.locking.Lock()
	defer a.locking.Unlock()
	if a.lock.Holds(root) {
		return nil
	}
	lock, err := lockfile.Take(root)
	if err != nil {
		return err
	}
	a.lock.Release()
	a.lock = lock
	return nil
}

// Claim returns a [*lockfile.Taken] if another recorder uses the archive. One that is not there is claimed when it is.
func (a *Archive) Claim() error {
	root, id, err := open(a.Root())
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }()
	var taken *lockfile.Taken
	if id == "" || !errors.As(a.claim(root), &taken) {
		return nil
	}
	return taken
}

// adopt makes sure that a drive has an id, and that this and where it is are known. d is what is known of it, if anything.
func (a *Archive) adopt(root *os.Root, path, id string, d known) (known, error) {
	if d.key == 0 {
		d.filled = empty(root)
	}
	if id == "" {
		if id = d.id; id == "" {
			id = drive.NewID()
		}
		if err := drive.Mark(root, id); err != nil {
			return known{}, err
		}
	}
	if d.key == 0 || d.id != id || d.path != path {
		d.id, d.path = id, path
		d = a.learn(d)
	}
	if !d.filled {
		a.renew()
	}
	return d, nil
}

// held tells whether the index has events on a drive.
func (a *Archive) held(ctx context.Context, d known) (held bool, err error) {
	err = a.reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM days WHERE drive = ? AND bytes > 0)`, d.key).Scan(&held)
	if err != nil {
		err = fault("read", err)
	}
	return held, a.doubt(err)
}

// sample is how many events a drive without an id is recognized by.
const sample = 50

// recognized tells whether one of the newest events of a drive is there.
func (a *Archive) recognized(ctx context.Context, root *os.Root, d known) bool {
	list, err := a.scan(ctx, `SELECT drive, event FROM events WHERE drive = ? AND bytes > 0 ORDER BY time DESC LIMIT ?`, d.key, sample)
	if err != nil {
		return false
	}
	for _, e := range list {
		if _, err := root.Lstat(In(e, Sidecar(e))); err == nil {
			return true
		}
	}
	return len(list) == 0
}

// empty tells whether a folder holds nothing.
func empty(root *os.Root) bool {
	f, err := root.Open(".")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for {
		names, err := f.Readdirnames(1)
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if names[0] != lockfile.Name {
			return false
		}
	}
}

// On opens the archive folder of the drive that an event lies on.
func (a *Archive) On(e event.Event) (*os.Root, error) {
	d, ok := a.driveOf(e)
	if !ok && e.Archive != "" { // an index that was begun anew does not know it yet
		d, ok = known{id: e.Drive, path: e.Archive}, true
	}
	if !ok {
		return nil, fmt.Errorf("drive of event %s: %w", e.ID, fs.ErrNotExist)
	}
	return a.on(context.Background(), d)
}

// Folder opens the folder of an event. It is found by no link that leads out of the archive.
func (a *Archive) Folder(e event.Event) (*os.Root, error) {
	root, err := a.On(e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.OpenRoot(filepath.FromSlash(e.Folder))
}

// Reachable returns an error while the drive that an event lies on is not there.
func (a *Archive) Reachable(e event.Event) error {
	root, err := a.On(e)
	if err != nil {
		return err
	}
	return root.Close()
}

// answerTime is how long a drive that is not the archive now is waited for. Nothing can end a system call that hangs.
const answerTime = 5 * time.Second

// reach is on for a drive that may hang: its answer is not waited for longer than a time, and it is not asked again
// before it came.
func (a *Archive) reach(ctx context.Context, d known) (*os.Root, error) {
	if d.path == a.Root() {
		return a.on(ctx, d)
	}
	a.mu.Lock()
	silent := a.asked[d.key]
	a.asked[d.key] = true
	a.mu.Unlock()
	if silent {
		return nil, ErrSilent
	}
	type answer struct {
		root *os.Root
		err  error
	}
	got, late := make(chan answer), make(chan struct{})
	go func() {
		root, err := a.on(ctx, d)
		a.mu.Lock()
		delete(a.asked, d.key)
		a.mu.Unlock()
		select {
		case got <- answer{root, err}:
		case <-late:
			if err == nil {
				_ = root.Close()
			}
		}
	}()
	defer close(late)
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case g := <-got:
		return g.root, g.err
	case <-timer.C:
		return nil, ErrSilent
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Drive is what the index knows of an archive drive.
type Drive struct {
	ID     string
	Path   string // where it was seen last
	Events int
	Bytes  int64
}

// ForgetDrive removes all ended events on a drive from the list, and the drive itself. What there is of them stays where it
// is. It returns how many they were.
func (a *Archive) ForgetDrive(ctx context.Context, id string) (n int64, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	d, ok := a.drive(func(d known) bool { return d.id == id || d.id == "" && d.path == id })
	if !ok {
		return 0, fmt.Errorf("drive %s: %w", id, ErrNoDrive)
	}
	err = a.change(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM events WHERE drive = ? AND state NOT IN ('recording', 'finishing')`, d.key)
		if err == nil {
			n, err = done.RowsAffected()
		}
		return err
	})
	if err == nil {
		a.log.Info("drive removed from the list", "path", d.path, "events", n)
	}
	return n, err
}

// ErrNoDrive is the error for a drive that the index does not know.
var ErrNoDrive = errors.New("no such drive; see: preroll drives")

// Drives returns the drives that there are events on, by path.
func (a *Archive) Drives(ctx context.Context) (list []Drive, err error) {
	rows, err := a.reader().QueryContext(ctx, `SELECT drive, sum(events), sum(bytes) FROM days WHERE drive > 0 GROUP BY drive`)
	if err != nil {
		return nil, a.doubt(fault("read", err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key int64
		var d Drive
		if err := rows.Scan(&key, &d.Events, &d.Bytes); err != nil {
			return nil, fault("read", err)
		}
		if k, ok := a.drive(func(k known) bool { return k.key == key }); ok {
			d.ID, d.Path = k.id, k.path
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(x, y Drive) int { return slices.Compare([]string{x.Path, x.ID}, []string{y.Path, y.ID}) })
	if err := rows.Err(); err != nil {
		return nil, fault("read", err)
	}
	return list, nil
}

package archive

import (
	"cmp"
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
	"strings"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// known is a drive that the index knows.
type known struct {
	key     int64  // in the index; 0 is no drive
	id      string // see legacyID
	path    string // where it was seen last
	filled  bool   // the index holds what it does
	indexed bool   // the index has this, too
}

// legacyID stands for the id of an archive of an index of an earlier version, until something is saved to it.
func legacyID(key int64) string { return fmt.Sprintf("%s%d", legacyMark, key) }

const legacyMark = "legacy-"

func (d known) legacy() bool { return strings.HasPrefix(d.id, legacyMark) }

// Errors of a drive that is not the one that is looked for. What is written there would go to the wrong disk.
var (
	// ErrEmpty is the error for an archive folder that is empty although the index knows events in it: the drive is not
	// plugged in, and this is its mount point.
	ErrEmpty = text.FolderIsEmpty.Error()
	// ErrOther is the error for another drive, or an unknown one, at the place of the one that is looked for.
	ErrOther = text.DriveIsOther.Error()
	// ErrCopy is the error for a drive with the id of another one that is there, too.
	ErrCopy = errors.New("two drives have the same id; remove " + drive.File + " from one of them")
	// errNotOpen is the error for work that needs the index before it was open.
	errNotOpen = errors.New("it is not open yet")
	// ErrSilent is the error for a drive that does not answer.
	ErrSilent = text.DriveIsSilent.Error()
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
		if d.id == "" {
			d.id = legacyID(d.key)
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
		if !d.indexed {
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
				d.indexed = true
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
	root := filepath.Clean(cmp.Or(e.Archive, a.Root()))
	d, ok := a.drive(func(d known) bool { return d.path == root && d.legacy() })
	if !ok {
		d, ok = a.drive(func(d known) bool { return d.path == root })
	}
	return d, ok
}

// keyOf is the key of the drive that an event lies on, which is noted with it; 0 for one that has no place yet.
func (a *Archive) keyOf(e event.Event) int64 {
	if d, ok := a.driveOf(e); ok {
		return d.key
	}
	if e.Stem == "" {
		return 0
	}
	return a.register(known{id: e.Drive, path: filepath.Clean(cmp.Or(e.Archive, a.Root()))}).key
}

// register keeps what is known of a new drive, which the next change of the index notes.
func (a *Archive) register(d known) known {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.key = 1
	for key := range a.drives {
		d.key = max(d.key, key+1)
	}
	if d.id == "" {
		d.id = legacyID(d.key)
	}
	a.drives[d.key] = d
	return d
}

// update changes what is known of a drive, which the next change of the index notes.
func (a *Archive) update(key int64, change func(*known)) known {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.drives[key]
	change(&d)
	d.indexed = false
	a.drives[key] = d
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
				if path != d.path && d.key != 0 {
					a.update(d.key, func(d *known) { d.path = path })
				}
				return root, a.claimOr(root)
			case path == d.path && (id == "" || d.legacy()) && a.recognized(ctx, root, d):
				return root, a.claimOr(root) // somebody removed its id, or it has none yet
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

// claimOr claims a drive for what follows, and closes its root if another recorder has it.
func (a *Archive) claimOr(root *os.Root) error {
	err := a.claim(root)
	if err != nil {
		_ = root.Close()
	}
	return err
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
	if !a.loaded.Load() {
		return nil, known{}, indexError(text.IndexOpen, errNotOpen)
	}
	var before []known // drives that were here
	for key := int64(0); ; {
		d, ok := a.drive(func(d known) bool { return d.path == path && d.key > key })
		if !ok {
			break
		}
		if held, err := a.hasEvents(ctx, d); err != nil {
			return nil, known{}, err
		} else if held || !d.filled || a.opensOn(d) { // what the index holds of it is not all
			before = append(before, d)
		}
		key = d.key
	}
	root, id, err := open(path)
	if errors.Is(err, fs.ErrNotExist) && before == nil && !a.peek {
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
		if !ok && (id == "" || b.legacy()) && a.recognized(ctx, root, b) {
			d, ok = b, true
		}
	}
	if !ok && before != nil && (id == "" || a.peek) {
		err := fmt.Errorf("%s: %w", path, notIt(root))
		_ = root.Close()
		return nil, known{}, err
	}
	if a.peek {
		return root, d, nil
	}
	if err = a.claim(root); err == nil {
		d, err = a.adopt(root, path, id, d)
	}
	if err != nil {
		return nil, known{}, errors.Join(err, root.Close())
	}
	return root, d, nil
}

// claim makes sure that no other recorder uses a drive. Where no lock can be made, as on a drive that is read-only,
// there is none.
func (a *Archive) claim(root *os.Root) error {
	if a.peek {
		return nil
	}
	a.locking.Lock()
	defer a.locking.Unlock()
	for _, lock := range a.locks { // a drive may have another place now
		if lock.Holds(root) {
			return nil
		}
	}
	lock, err := lockfile.Acquire(root)
	var taken *lockfile.InUseError
	if errors.As(err, &taken) {
		return taken
	}
	a.locks[root.Name()].Release()
	a.locks[root.Name()] = lock
	return nil
}

// Claim returns a [*lockfile.InUseError] if another recorder uses the archive. One that is not there is claimed when it
// is.
func (a *Archive) Claim() error {
	root, id, err := open(a.Root())
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }()
	var taken *lockfile.InUseError
	if id == "" || !errors.As(a.claim(root), &taken) {
		return nil
	}
	return taken
}

// Place returns [ErrEmpty] or [ErrOther] if the archive's folder is not the drive whose events the index holds.
func (a *Archive) Place(ctx context.Context) error {
	root, _, err := a.here(ctx)
	if err == nil {
		return root.Close()
	}
	if errors.Is(err, ErrEmpty) || errors.Is(err, ErrOther) {
		return err
	}
	return nil
}

// adopt makes sure that a drive has an id, and that this and where it is are known. d is what is known of it, if
// anything.
func (a *Archive) adopt(root *os.Root, path, id string, d known) (known, error) {
	if d.key == 0 {
		d.filled = empty(root)
	} else if id != "" && d.path != path { // it moved, or is a copy
		if there, other, err := open(d.path); err == nil {
			_ = there.Close()
			if other == id && !sameFolder(d.path, path) {
				return known{}, fmt.Errorf("%s and %s: %w", d.path, path, ErrCopy)
			}
		}
	}
	if id == "" {
		if id = d.id; id == "" || d.legacy() {
			id = drive.NewID()
		}
		if err := drive.Mark(root, id); err != nil {
			return known{}, err
		}
	}
	switch {
	case d.key == 0:
		d.id, d.path = id, path
		d = a.register(d)
	case d.id != id || d.path != path:
		d = a.update(d.key, func(d *known) { d.id, d.path = id, path })
	}
	if !d.filled {
		a.requestRefill()
	}
	return d, nil
}

func sameFolder(x, y string) bool {
	a, aerr := os.Stat(x)
	b, berr := os.Stat(y)
	return aerr == nil && berr == nil && os.SameFile(a, b)
}

// opensOn reports whether an open event lies on a drive.
func (a *Archive) opensOn(d known) bool {
	a.writing.Lock()
	defer a.writing.Unlock()
	for _, e := range a.open {
		if e.Stem != "" && (e.Drive == d.id || e.Drive == "" && e.Archive == d.path) {
			return true
		}
	}
	return false
}

// hasEvents reports whether the index has events on a drive.
func (a *Archive) hasEvents(ctx context.Context, d known) (hasEvents bool, err error) {
	err = a.reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM days WHERE drive = ? AND bytes > 0)`,
		d.key).Scan(&hasEvents)
	if err != nil {
		err = indexError(text.IndexRead, err)
	}
	return hasEvents, a.reportCorruption(err)
}

// sample is how many events a drive without an id is recognized by.
const sample = 50

// recognized reports whether one of the newest events of a drive is there.
func (a *Archive) recognized(ctx context.Context, root *os.Root, d known) bool {
	list, err := a.scan(ctx, `SELECT drive, event FROM events WHERE drive = ? AND bytes > 0 ORDER BY time DESC LIMIT ?`,
		d.key, sample)
	if err != nil {
		return false
	}
	for _, e := range list {
		if _, err := root.Lstat(In(e, Sidecar(e))); err == nil {
			return true
		}
	}
	return len(list) == 0 && d.legacy() && looksLikeOne(root) // of which an index that was made anew knows nothing
}

// looksLikeOne reports whether a folder looks like an archive: there is a camera's folder with a year in it.
func looksLikeOne(root *os.Root) bool {
	cameras, err := names(root, ".")
	if err != nil {
		return false
	}
	for _, camera := range cameras {
		if !event.CameraID(camera) {
			continue
		}
		years, _ := names(root, camera)
		if slices.ContainsFunc(years, func(y string) bool { return len(y) == 4 && strings.HasPrefix(y, "20") }) {
			return true
		}
	}
	return false
}

// names lists a folder, up to a bound.
func names(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	list, err := f.Readdirnames(1000)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// empty reports whether a folder holds nothing.
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

// On opens the archive folder of the drive that an event lies on. One that hangs is not waited for longer than
// answerTime.
func (a *Archive) On(e event.Event) (*os.Root, error) {
	d, ok := a.driveOf(e)
	if !ok && e.Archive != "" { // an index that was begun anew does not know it yet
		d, ok = known{id: cmp.Or(e.Drive, legacyID(0)), path: e.Archive}, true
	}
	if !ok {
		return nil, fmt.Errorf("drive of event %s: %w", e.ID, fs.ErrNotExist)
	}
	return a.reach(context.Background(), d)
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

// answerTime is how long a drive is waited for: one that slept needs some seconds. Nothing can end a system call that
// hangs.
const answerTime = 30 * time.Second

// reach is on for a drive that may hang: its answer is not waited for longer than a time, and a second look waits for
// that of the first.
func (a *Archive) reach(ctx context.Context, d known) (*os.Root, error) {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	var done chan struct{}
	for done == nil {
		a.mu.Lock()
		pending := a.asked[d.key]
		if pending == nil {
			done = make(chan struct{})
			a.asked[d.key] = done
		}
		a.mu.Unlock()
		if pending == nil {
			break
		}
		select {
		case <-pending:
		case <-timer.C:
			return nil, ErrSilent
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	type answer struct {
		root *os.Root
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		root, err := a.on(ctx, d)
		a.mu.Lock()
		delete(a.asked, d.key)
		a.mu.Unlock()
		close(done)
		got <- answer{root, err}
	}()
	late := func(err error) (*os.Root, error) {
		go func() { // whose answer nobody waits for
			if g := <-got; g.err == nil {
				_ = g.root.Close()
			}
		}()
		return nil, err
	}
	select {
	case g := <-got:
		return g.root, g.err
	case <-timer.C:
		return late(ErrSilent)
	case <-ctx.Done():
		return late(context.Cause(ctx))
	}
}

// Drive is what the index knows of an archive drive.
type Drive struct {
	ID     string
	Path   string // where it was seen last
	Events int
	Bytes  int64
}

// ForgetDrive removes all ended events on a drive from the list, and the drive itself. What there is of them stays
// where it is. It returns how many they were.
func (a *Archive) ForgetDrive(ctx context.Context, id string) (n int64, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	d, ok := a.drive(func(d known) bool { return d.id == id })
	if !ok {
		return 0, fmt.Errorf("drive %s: %w", id, ErrNoDrive)
	}
	if root, err := a.reach(ctx, d); err == nil {
		_ = root.Close()
		return 0, fmt.Errorf("drive %s: %w", id, ErrThere)
	}
	for more := int64(1); more > 0 && err == nil; n += more { // a mail may come in between
		more = 0
		err = a.change(ctx, func(tx *sql.Tx) error {
			done, err := tx.ExecContext(ctx,
				`DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE drive = ? AND state NOT IN ('recording', 'finishing') LIMIT 500)`, d.key)
			if err == nil {
				more, err = done.RowsAffected()
			}
			return err
		})
	}
	if err == nil {
		a.update(d.key, func(d *known) { d.filled = false }) // should it come back
		a.log.Info("drive removed from the list", "path", d.path, "events", n)
	}
	return n, err
}

// ErrThere is the error for a drive that is to be forgotten and is there.
var ErrThere = errors.New("this drive is there; delete its events, or unplug it")

// ErrNoDrive is the error for a drive that the index does not know.
var ErrNoDrive = errors.New("no such drive; see: preroll drives")

// Drives returns the drives that there are events on, by path.
func (a *Archive) Drives(ctx context.Context) (list []Drive, err error) {
	rows, err := a.reader().QueryContext(ctx,
		`SELECT drive, sum(events), sum(bytes) FROM days WHERE drive > 0 GROUP BY drive`)
	if err != nil {
		return nil, a.reportCorruption(indexError(text.IndexRead, err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key int64
		var d Drive
		if err := rows.Scan(&key, &d.Events, &d.Bytes); err != nil {
			return nil, indexError(text.IndexRead, err)
		}
		if k, ok := a.drive(func(k known) bool { return k.key == key }); ok {
			d.ID, d.Path = k.id, k.path
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(x, y Drive) int {
		return slices.Compare([]string{x.Path, x.ID}, []string{y.Path, y.ID})
	})
	if err := rows.Err(); err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	return list, nil
}

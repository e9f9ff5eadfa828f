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

// known is what is known of a drive.
type known struct {
	key     int64  // its key in the index; 0: no drive
	id      string // see drive.File and legacyID
	path    string // where it was seen last
	filled  bool   // the index holds all events on the drive
	indexed bool   // the index holds this record as it is
}

// legacyID returns what stands for the id of a drive from an older index, until something is saved to the drive.
func legacyID(key int64) string { return fmt.Sprintf("%s%d", legacyMark, key) }

const legacyMark = "legacy-"

func (d known) legacy() bool { return strings.HasPrefix(d.id, legacyMark) }

// The errors of a drive that is not the drive that is needed. Writing would put the files on the wrong disk.
var (
	// ErrEmpty is the error for an archive folder that is empty although the index knows events in it. The folder is
	// the mount point of a drive that is not plugged in.
	ErrEmpty = text.FolderIsEmpty.Error()
	// ErrOther is the error for another or an unknown drive in the place of the drive that is needed.
	ErrOther = text.DriveIsOther.Error()
	// ErrCopy is the error for a drive with the same id as another drive that is there too.
	ErrCopy = errors.New("two drives have the same id; remove " + drive.File + " from one of them")
	// errNotOpen is the error for work that needs the index before the index is open.
	errNotOpen = errors.New("it is not open yet")
	// ErrSilent is the error for a drive that does not answer.
	ErrSilent = text.DriveIsSilent.Error()
)

// --- What is known of drives ---

// drivesOf reads the drives from the index.
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

// noteDrives writes the drives that are new or changed to the index. The caller calls done when the change is durable.
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

// drive returns the first drive, by key, for which fits returns true.
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

// keyOf returns the key of the drive that an event lies on, and registers a drive that is not known. The key is 0 for
// an event that has no place yet.
func (a *Archive) keyOf(e event.Event) int64 {
	if d, ok := a.driveOf(e); ok {
		return d.key
	}
	if e.Stem == "" {
		return 0
	}
	return a.register(known{id: e.Drive, path: filepath.Clean(cmp.Or(e.Archive, a.Root()))}).key
}

// register adds a new drive. The next change of the index writes it.
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

// update changes what is known of a drive. The next change of the index writes it.
func (a *Archive) update(key int64, change func(*known)) known {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.drives[key]
	change(&d)
	d.indexed = false
	a.drives[key] = d
	return d
}

// --- Opening ---

// open opens an archive folder and reads its drive's id, which is "" if there is none.
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

// on opens a known drive where it was seen last, or else in the archive folder as it is set now.
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
				return root, a.claimOr(root) // its id was removed, or it has none yet
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

// claimOr claims the drive with the given root. It closes root if another recorder uses the drive.
func (a *Archive) claimOr(root *os.Root) error {
	err := a.claim(root)
	if err != nil {
		_ = root.Close()
	}
	return err
}

// notIt returns the error for a root that is not the drive that is needed: ErrEmpty or ErrOther.
func notIt(root *os.Root) error {
	if empty(root) {
		return ErrEmpty
	}
	return ErrOther
}

// here opens the archive folder as it is set now, and returns its drive. A drive without an id gets one, unless the
// index knows another drive in this place: files on the wrong drive would not be found again. here creates a folder
// that does not exist, if its parent exists and the index knows no drive in this place: a drive that is not plugged in
// must not be replaced by a folder on the system disk.
func (a *Archive) here(ctx context.Context) (*os.Root, known, error) {
	path := a.Root()
	if !a.loaded.Load() {
		return nil, known{}, indexError(text.IndexOpen, errNotOpen)
	}
	var before []known // known drives in this place that may hold events
	for key := int64(0); ; {
		d, ok := a.drive(func(d known) bool { return d.path == path && d.key > key })
		if !ok {
			break
		}
		if held, err := a.hasEvents(ctx, d); err != nil {
			return nil, known{}, err
		} else if held || !d.filled || a.opensOn(d) { // the index may lack events of it
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

// claim makes sure that no other recorder uses a drive. A drive that takes no lock, such as a read-only drive, counts
// as claimed.
func (a *Archive) claim(root *os.Root) error {
	if a.peek {
		return nil
	}
	a.locking.Lock()
	defer a.locking.Unlock()
	for _, lock := range a.locks { // the drive may have been claimed under another path
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

// Claim returns a [*lockfile.InUseError] if another recorder uses the archive. A drive that is not there now is claimed
// when it is first used.
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

// --- Recognizing ---

// Place returns [ErrEmpty] or [ErrOther] if the archive folder is not the drive whose events the index holds.
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

// adopt makes sure that a drive has an id, and that its id and its path are known. id is what its id file says, "" if
// it has none. d is what is known of the drive, or the zero value.
func (a *Archive) adopt(root *os.Root, path, id string, d known) (known, error) {
	if d.key == 0 {
		d.filled = empty(root)
	} else if id != "" && d.path != path { // the drive moved, or is a copy
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

// hasEvents reports whether the index has events with video on a drive.
func (a *Archive) hasEvents(ctx context.Context, d known) (hasEvents bool, err error) {
	err = a.reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM days WHERE drive = ? AND bytes > 0)`,
		d.key).Scan(&hasEvents)
	if err != nil {
		err = indexError(text.IndexRead, err)
	}
	return hasEvents, a.reportCorruption(err)
}

// sample is by how many events a drive without an id is recognized.
const sample = 50

// recognized reports whether the sidecar of one of the newest events of a drive is under root. For a drive that has
// only a legacy id and no events in the index, it reports whether the folder looks like an archive.
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
	// A recreated index knows no events of the drive.
	return len(list) == 0 && d.legacy() && looksLikeOne(root)
}

// looksLikeOne reports whether a folder looks like an archive: whether a camera's folder in it holds the folder of a
// year.
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

// names lists up to 1000 names in a folder.
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

// empty reports whether a folder holds nothing, apart from a lock file.
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

// --- The drive of an event ---

// On opens the archive folder of the drive that an event lies on. It waits up to answerTime for a drive that hangs.
func (a *Archive) On(e event.Event) (*os.Root, error) {
	d, ok := a.driveOf(e)
	if !ok && e.Archive != "" { // a recreated index does not know the drive yet
		d, ok = known{id: cmp.Or(e.Drive, legacyID(0)), path: e.Archive}, true
	}
	if !ok {
		return nil, fmt.Errorf("drive of event %s: %w", e.ID, fs.ErrNotExist)
	}
	return a.reach(context.Background(), d)
}

// Folder opens the folder of an event. It follows no link that leads out of the archive.
func (a *Archive) Folder(e event.Event) (*os.Root, error) {
	root, err := a.On(e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.OpenRoot(filepath.FromSlash(e.Folder))
}

// Reachable returns an error if the drive that an event lies on cannot be reached.
func (a *Archive) Reachable(e event.Event) error {
	root, err := a.On(e)
	if err != nil {
		return err
	}
	return root.Close()
}

// answerTime is how long callers wait for a drive. A drive that slept needs some seconds. Nothing can end a system call
// that hangs.
const answerTime = 30 * time.Second

// reach is on for a drive that may hang. It waits up to answerTime and then returns ErrSilent. While one call waits for
// a drive, further calls wait for that call first.
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
		go func() { // nobody waits for this answer
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

// --- The list of drives ---

// Drive is what the index knows of an archive drive with events.
type Drive struct {
	ID     string
	Path   string // where the drive was seen last
	Events int
	Bytes  int64
}

// ForgetDrive removes all ended events on a drive from the index and leaves their files alone. The drive then leaves
// the list of drives, unless an open event lies on it. ForgetDrive returns the number of removed events.
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
	for more := int64(1); more > 0 && err == nil; n += more { // in steps, so that a mail may come in between
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
		a.update(d.key, func(d *known) { d.filled = false }) // read it again, should it come back
		a.log.Info("drive removed from the list", "path", d.path, "events", n)
	}
	return n, err
}

// ErrThere is the error for a drive that cannot be forgotten because it is there.
var ErrThere = errors.New("this drive is there; delete its events, or unplug it")

// ErrNoDrive is the error for a drive that the index does not know.
var ErrNoDrive = errors.New("no such drive; see: preroll drives")

// Drives returns the drives that have events in the index, sorted by path.
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

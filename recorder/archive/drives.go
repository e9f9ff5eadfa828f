package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

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
func (a *Archive) on(ctx context.Context, d index.Drive) (*os.Root, error) {
	var first error
	for _, path := range slices.Compact([]string{d.Path, a.Root()}) {
		root, id, err := open(path)
		if err == nil {
			switch {
			case id != "" && id == d.ID:
				if path != d.Path && d.Key != 0 {
					a.Update(d.Key, func(d *index.Drive) { d.Path = path })
				}
				return root, a.claimOr(root)
			case path == d.Path && (id == "" || d.Legacy()) && a.recognized(ctx, root, d):
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
func (a *Archive) here(ctx context.Context) (*os.Root, index.Drive, error) {
	path := a.Root()
	if !a.Loaded() {
		return nil, index.Drive{}, &index.Error{Doing: text.IndexOpen, Err: errNotOpen}
	}
	var before []index.Drive // known drives in this place that may hold events
	for _, d := range a.Drives() {
		if d.Path != path {
			continue
		}

		if bytes, err := a.BytesOn(ctx, d); err != nil {
			return nil, index.Drive{}, err
		} else if bytes > 0 || !d.Filled || a.OpenOn(d) { // the index may lack events of it
			before = append(before, d)
		}
	}

	root, id, err := open(path)
	if errors.Is(err, fs.ErrNotExist) && before == nil && !a.peek {
		if err := os.Mkdir(path, DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, index.Drive{}, err
		}
		root, id, err = open(path)
	}
	if err != nil {
		return nil, index.Drive{}, err
	}
	d, ok := a.Drive(func(d index.Drive) bool { return d.ID == id && id != "" })
	for _, b := range before {
		if !ok && (id == "" || b.Legacy()) && a.recognized(ctx, root, b) {
			d, ok = b, true
		}
	}
	if !ok && before != nil && (id == "" || a.peek) {
		err := fmt.Errorf("%s: %w", path, notIt(root))
		_ = root.Close()
		return nil, index.Drive{}, err
	}
	if a.peek {
		return root, d, nil
	}
	if err = a.claim(root); err == nil {
		d, err = a.adopt(root, path, id, d)
	}
	if err != nil {
		return nil, index.Drive{}, errors.Join(err, root.Close())
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
func (a *Archive) adopt(root *os.Root, path, id string, d index.Drive) (index.Drive, error) {
	if d.Key == 0 {
		d.Filled = empty(root)
	} else if id != "" && d.Path != path { // the drive moved, or is a copy
		if there, other, err := open(d.Path); err == nil {
			_ = there.Close()
			if other == id && !sameFolder(d.Path, path) {
				return index.Drive{}, fmt.Errorf("%s and %s: %w", d.Path, path, ErrCopy)
			}
		}
	}

	if id == "" {
		if id = d.ID; id == "" || d.Legacy() {
			id = drive.NewID()
		}
		if err := drive.Mark(root, id); err != nil {
			return index.Drive{}, err
		}
	}

	switch {
	case d.Key == 0:
		d.ID, d.Path = id, path
		d = a.Register(d)
	case d.ID != id || d.Path != path:
		d = a.Update(d.Key, func(d *index.Drive) { d.ID, d.Path = id, path })
	}

	if !d.Filled {
		a.RequestFill()
	}
	return d, nil
}

func sameFolder(x, y string) bool {
	a, aerr := os.Stat(x)
	b, berr := os.Stat(y)
	return aerr == nil && berr == nil && os.SameFile(a, b)
}

// sample is by how many events a drive without an id is recognized.
const sample = 50

// recognized reports whether the sidecar of one of the newest events of a drive is under root. For a drive that has
// only a legacy id and no events in the index, it reports whether the folder looks like an archive.
func (a *Archive) recognized(ctx context.Context, root *os.Root, d index.Drive) bool {
	list, err := a.Newest(ctx, d, sample)
	if err != nil {
		return false
	}
	for _, e := range list {
		if _, err := root.Lstat(In(e, Sidecar(e))); err == nil {
			return true
		}
	}

	// A recreated index knows no events of the drive.
	return len(list) == 0 && d.Legacy() && looksLikeOne(root)
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
	d, ok := a.DriveOf(e)
	if !ok && e.Archive != "" { // a recreated index does not know the drive yet
		d, ok = index.Drive{ID: cmp.Or(e.Drive, index.LegacyID(0)), Path: e.Archive}, true
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
func (a *Archive) reach(ctx context.Context, d index.Drive) (*os.Root, error) {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	var done chan struct{}
	for done == nil {
		a.mu.Lock()
		pending := a.asked[d.Key]
		if pending == nil {
			done = make(chan struct{})
			a.asked[d.Key] = done
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
		delete(a.asked, d.Key)
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

// --- Forgetting ---

// ForgetDrive removes all ended events on a drive from the index and leaves their files alone. The drive then leaves
// the list of drives, unless an open event lies on it. ForgetDrive returns the number of removed events.
func (a *Archive) ForgetDrive(ctx context.Context, id string) (n int64, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	d, ok := a.Drive(func(d index.Drive) bool { return d.ID == id })
	if !ok {
		return 0, fmt.Errorf("drive %s: %w", id, ErrNoDrive)
	}
	if root, err := a.reach(ctx, d); err == nil {
		_ = root.Close()
		return 0, fmt.Errorf("drive %s: %w", id, ErrThere)
	}
	if n, err = a.RemoveDrive(ctx, d); err == nil {
		a.Update(d.Key, func(d *index.Drive) { d.Filled = false }) // read it again, should it come back
		a.log.Info("drive removed from the list", "path", d.Path, "events", n)
	}
	return n, err
}

// ErrThere is the error for a drive that cannot be forgotten because it is there.
var ErrThere = errors.New("this drive is there; delete its events, or unplug it")

// ErrNoDrive is the error for a drive that the index does not know.
var ErrNoDrive = errors.New("no such drive; see: preroll drives")

// OpenFile opens a file of an event for reading: a clip, a partial file, or a picture. The error is [fs.ErrNotExist] if
// the event names no such file, and [durable.ErrNotPlain] if somebody put something else there.
func (a *Archive) OpenFile(e event.Event, name string) (*os.File, error) {
	if name == "" || strings.ContainsAny(name, `/\`) || name != e.Thumbnail && name != e.Snapshot &&
		!slices.ContainsFunc(e.Clips, func(c event.Clip) bool { return c.File == name }) &&
		!slices.ContainsFunc(e.Parts, func(p event.Part) bool { return p.File == name }) {
		return nil, fs.ErrNotExist
	}
	root, err := a.On(e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	f, _, err := durable.OpenPlain(root, In(e, name))
	return f, err
}

// Package archive keeps the events: their files in the folder tree on the archive drive, and an index of them in the
// state folder.
//
// The tree explains itself: every event has its clips, a thumbnail and a JSON sidecar under one stem. The index is a
// cache of the tree. A damaged index is set aside and rebuilt from the tree. A change of the index is durable when the
// call returns, so an alarm mail may then be answered. The package reaches everything below a drive's root through an
// [os.Root]. It never removes a file that Preroll did not write. Methods may be called from any goroutine.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// Archive is an open archive. Make one with Open.
type Archive struct {
	*index.Index
	log *slog.Logger

	changing sync.Mutex // held while an ended event is changed or removed
	naming   sync.Mutex // held while an event gets its name, which may wait for the drive

	peek    bool                      // the index is only read
	locking sync.Mutex                // guards locks
	locks   map[string]*lockfile.Lock // by the drive's folder

	mu       sync.Mutex // guards everything below; never held while a file is touched
	root     string
	reserved map[string]bool         // stems in use by open events
	asked    map[int64]chan struct{} // drives that have not answered yet, by key
	away     map[int64]bool          // drives that retention could not reach
	stuck    map[int64]string        // by drive: why retention could not remove events; "" if it could
	filling  *Filling
}

// --- Opening and closing ---

// Open opens the archive with the index in a state folder, see [index.Open]. It returns an error if the index cannot be
// opened now.
func Open(ctx context.Context, state, root string, log *slog.Logger) (*Archive, error) {
	a, err := OpenOrWait(ctx, state, root, log, func(error) {})
	if err != nil {
		return nil, err
	}
	if err := a.Ready(ctx); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// OpenOrWait is Open for a recorder, which goes on while the index cannot be opened for a reason that may pass. See
// [index.Options] for noted.
func OpenOrWait(ctx context.Context, state, root string, log *slog.Logger, noted func(error)) (a *Archive, err error) {
	a = newArchive(root, log)
	a.Index, err = index.Open(ctx, index.Options{State: state, Root: a.Root, Log: log, Noted: noted})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Peek opens the archive with the index in a state folder for reading only, beside a recorder that may use it. Peek
// creates, migrates and moves nothing. The error is [fs.ErrNotExist] if there is no index.
func Peek(ctx context.Context, state, root string) (a *Archive, err error) {
	a = newArchive(root, nil)
	a.peek = true
	if a.Index, err = index.Peek(ctx, index.Options{State: state, Root: a.Root}); err != nil {
		return nil, err
	}
	return a, nil
}

func newArchive(root string, log *slog.Logger) *Archive {
	return &Archive{log: log, root: filepath.Clean(root), locks: map[string]*lockfile.Lock{},
		reserved: map[string]bool{}, asked: map[int64]chan struct{}{}, away: map[int64]bool{},
		stuck: map[int64]string{}}
}

// Close closes the index and gives the drives back.
func (a *Archive) Close() error {
	a.locking.Lock()
	for path, lock := range a.locks {
		lock.Release()
		delete(a.locks, path)
	}
	a.locking.Unlock()
	return a.Index.Close()
}

// Root returns the archive's folder.
func (a *Archive) Root() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.root
}

// SetRoot changes the archive's folder. Only later calls use the new folder.
func (a *Archive) SetRoot(root string) {
	root = filepath.Clean(root)
	a.mu.Lock()
	changed := a.root != root
	a.root = root
	a.mu.Unlock()
	if changed { // the new folder may already be an archive
		a.RequestFill()
	}
}

// --- Files ---

// Path returns the full path of a file of an event.
func (a *Archive) Path(e event.Event, file string) string { return e.Path(a.Root(), file) }

// Reserve gives an event its drive, folder and stem. It creates the folder durably and keeps other events from using
// the stem until Release. The stem carries local time with its UTC offset, so no hour repeats when the clocks go back.
func (a *Archive) Reserve(e *event.Event) error {
	a.naming.Lock()
	defer a.naming.Unlock()
	if e.Stem != "" {
		root, err := a.On(*e)
		if err != nil {
			return err
		}
		a.reserve(*e)
		return errors.Join(makeFolder(root, e.Folder), root.Close())
	}

	root, d, err := a.here(context.Background())
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	t := e.Time.Local()
	folder := strings.Join([]string{e.Camera, t.Format("2006"), t.Format("01"), t.Format("02")}, "/")
	if err := makeFolder(root, folder); err != nil {
		return err
	}
	stem := t.Format(StemTime) + "_" + event.FileName(e.Label)
	free := stem
	for n := 2; ; n++ {
		taken, err := a.nameInUse(root, folder, free)
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		free = fmt.Sprintf("%s_%d", stem, n)
	}

	e.Drive, e.Archive, e.Folder, e.Stem = d.ID, d.Path, folder, free
	a.reserve(*e)
	return nil
}

// makeFolder creates a folder of the archive durably. It also syncs the name of the archive's own folder, because a
// crash may have kept whoever created that folder from doing so.
func makeFolder(root *os.Root, folder string) error {
	// The parent may belong to another user.
	if err := durable.SyncDir(filepath.Dir(root.Name())); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return durable.MkdirIn(root, folder, DirMode)
}

func (a *Archive) reserve(e event.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved[e.Folder+"/"+e.Stem] = true
}

// Release lets other events use the stem of an ended event.
func (a *Archive) Release(e event.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.reserved, e.Folder+"/"+e.Stem)
}

// nameInUse reports whether a stem is reserved or a file with the stem exists.
func (a *Archive) nameInUse(root *os.Root, folder, stem string) (bool, error) {
	a.mu.Lock()
	reserved := a.reserved[folder+"/"+stem]
	a.mu.Unlock()
	if reserved {
		return true, nil
	}
	for _, end := range []string{".mp4", ".partial.mp4", ".json", ".jpg"} {
		_, err := root.Lstat(folder + "/" + stem + end)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}

	return false, nil
}

// --- Changes by a person ---

// Protect sets or clears an event's protection in the index and, if the event has a stem, in its sidecar.
func (a *Archive) Protect(ctx context.Context, id string, on bool) (event.Event, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if err != nil {
		return event.Event{}, err
	}
	if !e.State.Ended() {
		return event.Event{}, text.StillSavingProtect.Error(id)
	}
	e.Protected = on
	if e.Stem != "" {
		if err := a.WriteSidecar(e); err != nil {
			return event.Event{}, err
		}
	}
	return e, a.Put(ctx, e)
}

// Forget removes an ended event from the index only, for example if its drive is gone for good. Forget leaves the
// event's files alone.
func (a *Archive) Forget(ctx context.Context, id string) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if err != nil {
		return err
	}
	if !e.State.Ended() {
		return text.StillSaving.Error(id)
	}
	a.log.Info("event removed from the list", "event", e.ID, "camera", e.Camera)
	return a.Remove(ctx, id)
}

// files returns the names of all files of an event. The sidecar comes last: while it exists, the other files can be
// found.
func files(e event.Event) []string {
	if e.Stem == "" || !owns(e) {
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

// remove removes an event's files from its drive, then its row in the index. a.changing is held.
func (a *Archive) remove(ctx context.Context, root *os.Root, e event.Event) error {
	for _, name := range files(e) {
		if err := durable.RemoveIn(root, In(e, name)); err != nil {
			return err
		}
	}

	// Without the sync, a power cut might bring back files that the index does not know.
	if e.Stem != "" {
		if err := durable.SyncDirIn(root, e.Folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return a.removeRow(ctx, root, e)
}

// removeRow removes an event from the index, and the folders that are empty now. They were made for the day's first
// event.
func (a *Archive) removeRow(ctx context.Context, root *os.Root, e event.Event) error {
	if err := a.Remove(ctx, e.ID); err != nil {
		return err
	}
	a.log.Info("event removed", "event", e.ID, "camera", e.Camera, "bytes", e.Bytes())
	if root != nil {
		removeEmpty(root, e.Folder)
	}
	return nil
}

// DropDeleted removes the events from the index whose clips were removed by hand. It returns the other events of list
// as kept and the removed ones as removed. kept reuses list's memory. An event counts as removed only if its drive is
// there and all its clips are gone. A drive that is not plugged in, or another drive in its place, removes nothing.
func (a *Archive) DropDeleted(ctx context.Context, list []event.Event) (kept, removed []event.Event) {
	kept = list[:0]
	roots := map[string]*os.Root{}
	defer func() {
		for _, root := range roots {
			if root != nil {
				_ = root.Close()
			}
		}
	}()
	for _, e := range list {
		if e.State.Ended() && len(e.Clips) > 0 {
			at := e.Drive + " " + e.Archive
			root, seen := roots[at]
			if !seen {
				root, _ = a.On(e)
				roots[at] = root
			}
			if root != nil && clipsGone(root, e) {
				if err := a.Remove(ctx, e.ID); err == nil {
					a.log.Info("event was removed by hand", "event", e.ID, "camera", e.Camera)
					removed = append(removed, e)
					continue
				}
			}
		}

		kept = append(kept, e)
	}

	return kept, removed
}

func clipsGone(root *os.Root, e event.Event) bool {
	for _, c := range e.Clips {
		if _, err := root.Lstat(In(e, c.File)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// The trash holds the files of events that a person deleted: .trash/<event>/<folder of the event>. The index does not
// know them. The time of the folder <event> says when. A move that was cut off goes on when it is asked for again: what
// is not in its old place has been moved, and the sidecar moves last.

const (
	trash    = ".trash"
	trashAge = 7 * 24 * time.Hour // how long an event can be restored
)

// Delete moves the files of an ended, unprotected event to the trash of its drive, and removes the event from the
// index. An event without files is gone at once. On a full drive, what has been in the trash for longest makes room for
// the folders.
func (a *Archive) Delete(ctx context.Context, id string, now time.Time) error {
	e, err := a.Get(ctx, id)
	if err != nil {
		return err
	}
	var root *os.Root // nil for an event without files
	if e.Stem != "" {
		if root, err = a.On(e); err != nil {
			return err
		}
		defer func() { _ = root.Close() }()
	}
	err = a.deleteOn(ctx, root, id, now)
	if root != nil && disk.Full(err) {
		if _, freed, _ := a.emptyTrash(ctx, root, time.Time{}, 1); freed > 0 {
			err = a.deleteOn(ctx, root, id, now)
		}
	}
	return err
}

func (a *Archive) deleteOn(ctx context.Context, root *os.Root, id string, now time.Time) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case !e.State.Ended():
		return text.StillSaving.Error(id)
	case e.Protected:
		return text.EventProtected.Error(id)
	case root == nil:
		return a.remove(ctx, nil, e)
	}
	dir := path.Join(trash, id)
	if err := move(root, e, e.Folder, path.Join(dir, e.Folder)); err != nil {
		return err
	}
	_ = root.Chtimes(dir, now, now) // or else it has the time of the move
	return a.removeRow(ctx, root, e)
}

// move moves the files of an event from one folder to another one on the same drive. A file that is not there is passed
// over. It follows no link.
func move(root *os.Root, e event.Event, from, to string) error {
	for i, c := range to + "/" {
		if fi, err := root.Lstat(cmp.Or(to[:i], ".")); c == '/' && err == nil && !fi.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: to[:i], Err: syscall.ENOTDIR}
		}
	}
	if err := durable.MkdirIn(root, to, DirMode); err != nil {
		return err
	}
	for _, name := range files(e) {
		if err := root.Rename(path.Join(from, name), path.Join(to, name)); err != nil && !errors.Is(err,
			fs.ErrNotExist) {
			return err
		}
	}
	for _, dir := range []string{to, from} {
		if err := durable.SyncDirIn(root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Restore brings an event back from the trash of a drive that is there. The error is [index.ErrNotFound] if the event
// is in no trash.
func (a *Archive) Restore(ctx context.Context, id string) (event.Event, error) {
	if !event.ValidID(id) {
		return event.Event{}, index.ErrNotFound
	}
	for _, d := range a.Drives() {
		root, err := a.reach(ctx, d)
		if err != nil {
			continue
		}
		e, err := a.restoreOn(ctx, root, d, id)
		_ = root.Close()
		if !errors.Is(err, index.ErrNotFound) {
			return e, err
		}
	}
	return event.Event{}, index.ErrNotFound
}

func (a *Archive) restoreOn(ctx context.Context, root *os.Root, d index.Drive, id string) (event.Event, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, from := findDeleted(root, d, id)
	if from == "" {
		return event.Event{}, index.ErrNotFound
	}
	for _, name := range files(e) {
		_, old := root.Lstat(path.Join(from, name))
		if _, err := root.Lstat(In(e, name)); err == nil && old == nil {
			return event.Event{}, fmt.Errorf("restore event %s: %w", id,
				&fs.PathError{Op: "rename", Path: In(e, name), Err: fs.ErrExist})
		}
	}
	if err := move(root, e, from, e.Folder); err != nil {
		return event.Event{}, fmt.Errorf("restore event %s: %w", id, err)
	}
	removeEmpty(root, from)
	if err := a.Put(ctx, e); err != nil {
		return event.Event{}, err
	}
	a.log.Info("event restored", "event", e.ID, "camera", e.Camera)
	return e, nil
}

// findDeleted returns an event in the trash of a drive as it was, and the folder where its files are now. from is "" if
// it is not there.
func findDeleted(root *os.Root, d index.Drive, id string) (e event.Event, from string) {
	dir := path.Join(trash, id)
	walkTrash(root, dir, func(name string, _ fs.FileInfo) {
		in, err := event.Event{}, error(nil)
		if path.Ext(name) == ".json" && from == "" {
			in, err = ReadSidecar(root, name)
		}
		if err != nil || in.ID != id {
			return
		}
		folder := in.Folder
		in.Folder = strings.TrimPrefix(strings.TrimPrefix(folder, dir), "/")
		in.Drive, in.Archive = d.ID, d.Path
		if Usable(&in) == nil && in.State.Ended() {
			e, from = in, folder
		}
	})
	return e, from
}

// Trash returns the events in the trash of every drive that is there, newest deletion first.
func (a *Archive) Trash(ctx context.Context) (list []event.Event) {
	for _, d := range a.Drives() {
		root, err := a.reach(ctx, d)
		if err != nil {
			continue
		}
		for _, gone := range slices.Backward(inTrash(root)) {
			if e, from := findDeleted(root, d, path.Base(gone.dir)); from != "" {
				list = append(list, e)
			}
		}
		_ = root.Close()
	}
	return list
}

// walkTrash calls do with each file of Preroll's below a folder of the trash of a drive. It follows no link and passes
// over what it cannot read.
func walkTrash(root *os.Root, dir string, do func(name string, fi fs.FileInfo)) {
	for _, level := range []string{trash, dir} {
		if fi, err := root.Lstat(level); err != nil || !fi.IsDir() {
			return
		}
	}
	_ = fs.WalkDir(root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if _, role := RoleOf(d.Name()); role == Stranger || !d.Type().IsRegular() {
			return nil
		}
		if fi, err := d.Info(); err == nil {
			do(name, fi)
		}
		return nil
	})
}

// deleted is an event in the trash.
type deleted struct {
	dir   string
	time  time.Time // of the deletion
	bytes int64
}

// inTrash returns the events in the trash of a drive, oldest deletion first.
func inTrash(root *os.Root) (list []deleted) {
	if fi, err := root.Lstat(trash); err != nil || !fi.IsDir() {
		return nil
	}
	entries, _ := fs.ReadDir(root.FS(), trash)
	for _, f := range entries {
		fi, err := f.Info()
		if err != nil || !fi.IsDir() || !event.ValidID(f.Name()) {
			continue
		}
		d := deleted{dir: path.Join(trash, f.Name()), time: fi.ModTime()}
		walkTrash(root, d.dir, func(_ string, fi fs.FileInfo) { d.bytes += fi.Size() })
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b deleted) int { return a.time.Compare(b.time) })
	return list
}

// emptyTrash removes from the trash of a drive what was deleted before a time, and more, oldest first, until need bytes
// are free. It returns how many bytes are left in the trash, and how many it freed.
func (a *Archive) emptyTrash(ctx context.Context, root *os.Root, before time.Time,
	need int64) (left, freed int64, err error) {
	var errs []error
	for _, d := range inTrash(root) {
		if ctx.Err() != nil || !d.time.Before(before) && freed >= need {
			left += d.bytes
			continue
		}
		a.changing.Lock()
		walkTrash(root, d.dir, func(name string, fi fs.FileInfo) {
			if err := durable.RemoveIn(root, name); err != nil {
				errs = append(errs, err)
				left += fi.Size()
				return
			}
			freed += fi.Size()
			removeEmpty(root, path.Dir(name))
		})
		a.changing.Unlock()
	}
	return left, freed, errors.Join(errs...)
}

// EmptyTrash removes everything from the trash of every drive that is there. It returns how many bytes it freed.
func (a *Archive) EmptyTrash(ctx context.Context) (freed int64, err error) {
	var errs []error
	for _, d := range a.Drives() {
		root, err := a.reach(ctx, d)
		if err != nil {
			continue
		}
		_, n, err := a.emptyTrash(ctx, root, time.Time{}, math.MaxInt64)
		freed += n
		errs = append(errs, err, root.Close())
	}
	return freed, errors.Join(errs...)
}

// removeEmpty removes a folder and those above it, as long as they are empty, but never the folder of a camera.
func removeEmpty(root *os.Root, dir string) {
	for ; strings.Contains(dir, "/") || dir == trash; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			return
		}
	}
}

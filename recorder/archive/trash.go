package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// The trash holds the files of events that a person deleted: .trash/<day of the deletion>/<folder of the event>. The
// index does not know them. The sidecar moves last, so an event in the trash is whole if its sidecar is there.

const (
	trash    = ".trash"
	trashAge = 7 * 24 * time.Hour // how long an event can be restored
)

// Delete moves the files of an ended, unprotected event to the trash of its drive, and removes the event from the
// index. An event without files is gone at once.
func (a *Archive) Delete(ctx context.Context, id string, now time.Time) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case !e.State.Ended():
		return text.StillSaving.Error(id)
	case e.Protected:
		return text.EventProtected.Error(id)
	}
	if e.Stem == "" { // the event has no files
		return a.remove(ctx, nil, e)
	}
	root, err := a.On(e)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := move(root, e, e.Folder, path.Join(trash, now.Format(time.DateOnly), e.Folder)); err != nil {
		return err
	}
	return a.removeRow(ctx, root, e)
}

// move moves the files of an event from one folder to another one on the same drive. A file that is not there is passed
// over. No file is replaced.
func move(root *os.Root, e event.Event, from, to string) error {
	if err := durable.MkdirIn(root, to, DirMode); err != nil {
		return err
	}
	for _, name := range files(e) {
		old, new := path.Join(from, name), path.Join(to, name)
		if _, err := root.Lstat(new); err == nil {
			return &os.LinkError{Op: "rename", Old: old, New: new, Err: fs.ErrExist}
		}
		if err := root.Rename(old, new); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	a.changing.Lock()
	defer a.changing.Unlock()
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

func (a *Archive) restoreOn(ctx context.Context, root *os.Root, d index.Drive, id string) (e event.Event, err error) {
	found := ""
	err = walkTrash(root, func(name string, _ fs.FileInfo) error {
		if path.Ext(name) != ".json" {
			return nil
		}
		if in, err := ReadSidecar(root, name); err == nil && in.ID == id {
			e, found = in, name
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = index.ErrNotFound
	}
	if err != nil {
		return event.Event{}, err
	}
	from := e.Folder
	_, inside, _ := strings.Cut(strings.TrimPrefix(from, trash+"/"), "/")
	e.Folder, e.Drive, e.Archive = inside, d.ID, d.Path
	if err := Usable(&e); err != nil || inside == "" || !e.State.Ended() {
		return event.Event{}, fmt.Errorf("restore event %s: %w", id, errors.Join(err, index.ErrNotFound))
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

// walkTrash calls do with each file of Preroll's in the trash of a drive, oldest deletion first. It follows no link.
func walkTrash(root *os.Root, do func(name string, fi fs.FileInfo) error) error {
	if _, err := root.Lstat(trash); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fs.WalkDir(root.FS(), trash, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if _, role := RoleOf(d.Name()); role == Stranger {
			return nil
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return do(name, fi)
	})
}

// deletedOn returns the day on which a file in the trash was deleted; zero if its path is not one of the trash.
func deletedOn(name string) time.Time {
	day, _, _ := strings.Cut(strings.TrimPrefix(name, trash+"/"), "/")
	t, _ := time.ParseInLocation(time.DateOnly, day, time.Local)
	return t
}

// emptyTrash removes from the trash of a drive what was deleted before a day, and more, oldest first, until need bytes
// are free. It returns how many bytes are left in the trash, and how many it freed.
func (a *Archive) emptyTrash(root *os.Root, before time.Time, need int64) (left, freed int64, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	last := ""
	err = walkTrash(root, func(name string, fi fs.FileInfo) error {
		stem, _ := RoleOf(path.Base(name))
		if event := path.Join(path.Dir(name), stem); !deletedOn(name).Before(before) && freed >= need && event != last {
			left += fi.Size()
			return nil
		} else {
			last = event // no event goes in part
		}
		if err := durable.RemoveIn(root, name); err != nil {
			return err
		}
		freed += fi.Size()
		removeEmpty(root, path.Dir(name))
		return nil
	})
	return left, freed, err
}

// oldTrash removes what has been in the trash of a drive for long enough. It returns how many bytes are left there.
func (a *Archive) oldTrash(ctx context.Context, d index.Drive, now time.Time) int64 {
	root, err := a.reach(ctx, d)
	if err != nil {
		return 0
	}
	defer func() { _ = root.Close() }()
	left, _, err := a.emptyTrash(root, now.Add(-trashAge), 0)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the trash was not emptied", "path", d.Path, "err", err)
	}
	return left
}

// EmptyTrash removes everything from the trash of every drive that is there. It returns how many bytes it freed.
func (a *Archive) EmptyTrash(ctx context.Context) (freed int64, err error) {
	var errs []error
	for _, d := range a.Drives() {
		root, err := a.reach(ctx, d)
		if err != nil {
			continue
		}
		_, n, err := a.emptyTrash(root, time.Now().AddDate(1, 0, 0), 0)
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

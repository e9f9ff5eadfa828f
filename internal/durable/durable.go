// Package durable writes files so that after a power cut there is the old file or the new one, never half of one.
//
// The order is the one that SQLite and litestream use: temporary name in the same folder, write, fsync, close, rename,
// fsync of the folder. After a failed fsync the file is given up, since the kernel may have dropped the pages.
//
// The functions that end in "In" work below an [os.Root], so that no link leads them out of it; names have slashes. A
// network share may do what it is asked and report that it failed, since the answer was lost: what was done all the
// same counts as done.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/preroll/preroll/internal/failpoint"
)

// WriteFile replaces a file as a whole with the given mode, less the umask. What a crash leaves of it has the name
// [Temporary], and goes with the next write.
func WriteFile(path string, b []byte, mode fs.FileMode) error {
	return within(path, func(root *os.Root, name string) error { return WriteIn(root, name, b, mode) })
}

// within calls do with a path's folder and the name in it.
func within(path string, do func(root *os.Root, name string) error) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(do(root, filepath.Base(path)), root.Close())
}

// WriteIn is [WriteFile] below a root.
func WriteIn(root *os.Root, name string, b []byte, mode fs.FileMode) (err error) {
	tmp := temporary(name)
	if err := RemoveIn(root, tmp); err != nil {
		return err
	}
	t, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(tmp)
		}
	}()
	if _, err = t.Write(b); err == nil {
		err = t.Sync()
	}
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err = root.Rename(tmp, name); err != nil {
		return err
	}
	return SyncDirIn(root, path.Dir(name))
}

// Temporary is the name of a file that WriteFile has not finished.
func Temporary(name string) string {
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp")
}

func temporary(name string) string { return path.Join(path.Dir(name), "."+path.Base(name)+".tmp") }

// RemoveIn removes a file, if it is there.
func RemoveIn(root *os.Root, name string) error {
	err := root.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, lerr := root.Lstat(name); errors.Is(lerr, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tried is the file by which Try finds out; one that a crash left is removed by the next Try.
const tried = ".preroll-write-test"

// Try returns why no file can be made in a folder, and leaves none behind.
func Try(folder string) error {
	return within(filepath.Join(folder, tried), func(root *os.Root, name string) error {
		if err := RemoveIn(root, name); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), RemoveIn(root, name))
	})
}

// MkdirAll makes a folder and what lacks above it, each level durably.
func MkdirAll(path string, mode fs.FileMode) error {
	if fi, err := os.Stat(path); err == nil {
		if !fi.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if up := filepath.Dir(path); up != path {
		if err := MkdirAll(up, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// MkdirIn makes a folder below a root, each level durably: also those that are there, since who made them may not have
// come to that.
func MkdirIn(root *os.Root, folder string, mode fs.FileMode) error {
	up := "."
	for level := range strings.SplitSeq(folder, "/") {
		dir := path.Join(up, level)
		if err := root.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			if fi, lerr := root.Stat(dir); lerr != nil || !fi.IsDir() {
				return err
			}
		}
		if err := SyncDirIn(root, up); err != nil {
			return err
		}
		up = dir
	}
	return nil
}

// SyncFile makes a file's bytes durable.
func SyncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// PublishIn gives a finished, fsynced file its final name in the same folder and makes the name durable. It never
// replaces a file: where the final name is taken the error is [fs.ErrExist] and both files stay.
func PublishIn(root *os.Root, tmp, final string) error {
	was, err := root.Lstat(tmp)
	if err != nil {
		return err
	}
	if err := renameNoReplace(root, tmp, final); err != nil {
		is, lerr := root.Lstat(final)
		if lerr != nil || !os.SameFile(was, is) {
			return err
		}
		if err := RemoveIn(root, tmp); err != nil { // it was linked, and the old name is there still
			return err
		}
	}
	failpoint.Hit("renamed")
	return SyncDirIn(root, path.Dir(final))
}

// Publish is [PublishIn] for two full paths in one folder.
func Publish(tmp, final string) error {
	return within(final, func(root *os.Root, name string) error { return PublishIn(root, filepath.Base(tmp), name) })
}

// renameByLink is the portable way: a hard link fails where the name is taken. File systems without hard links are
// checked first, which is safe as long as only one process writes to the folder.
func renameByLink(root *os.Root, tmp, final string) error {
	err := root.Link(tmp, final)
	if err == nil {
		return root.Remove(tmp)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, serr := root.Lstat(final); serr == nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: final, Err: fs.ErrExist}
	}
	return root.Rename(tmp, final)
}

// OpenPlain opens a plain file below a root for reading. Links, pipes and devices are errors, and none of them is
// waited for.
func OpenPlain(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	fi, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "open", Path: name, Err: ErrNotPlain}
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, nil, err
	}
	is, err := f.Stat()
	if err == nil && !os.SameFile(fi, is) {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotPlain}
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, is, nil
}

// ErrNotPlain means that what is to be a file is a link, a folder, a pipe or a device.
var ErrNotPlain = errors.New("not a plain file")

// Package durable writes files so that a power cut leaves the old file or the new file, never a half-written one.
//
// The order of steps is that of SQLite and litestream: create a temporary name in the same folder, write, fsync, close,
// rename, fsync the folder. If fsync fails, the file is given up, because the kernel may have dropped the pages.
//
// The functions that end in "In" work below an [os.Root], so that no link leads them out of it. Their names have
// slashes. A network share may do what it was asked and still report an error, because its answer was lost. What was
// done counts as done.
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

// WriteFile replaces a whole file. The file gets the given mode, less the umask. A crash may leave a file with the name
// [Temporary], which the next write removes.
func WriteFile(path string, b []byte, mode fs.FileMode) error {
	return within(path, func(root *os.Root, name string) error { return WriteIn(root, name, b, mode) })
}

// within calls do with the folder of a path and the name in it.
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

// Temporary returns the name that a file has until WriteFile has finished it.
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

// tried is the file that Try creates. If a crash leaves the file, the next Try removes it.
const tried = ".preroll-write-test"

// Try returns why no file can be created in a folder, or nil. It leaves no file behind.
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

// MkdirAll creates a folder and its missing parents, each level durably.
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

// MkdirIn creates a folder below a root, each level durably. It also syncs levels that exist, because whoever created
// them may not have synced them.
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

// PublishIn gives a finished, fsynced file its final name in the same folder and makes the name durable. It never
// replaces a file: if the final name is taken, the error is [fs.ErrExist] and both files stay.
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
		if err := RemoveIn(root, tmp); err != nil { // it was linked, and the old name is still there
			return err
		}
	}

	failpoint.Hit("renamed")
	return SyncDirIn(root, path.Dir(final))
}

// renameByLink renames a file on any platform. A hard link fails if the name is taken. On file systems without hard
// links, renameByLink looks for the name first, which is safe as long as only one process writes to the folder.
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

// OpenPlain opens a plain file below a root for reading. It returns an error for links, pipes and devices, and waits
// for none of them.
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

// ErrNotPlain means that a link, a folder, a pipe or a device is in the place of a file.
var ErrNotPlain = errors.New("not a plain file")

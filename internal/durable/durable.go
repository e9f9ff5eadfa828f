// Package durable writes files so that after a power cut there is the old file or the new one, never half of one.
//
// The order is the one that SQLite and litestream use: temporary name in the same folder, write, fsync, close, rename,
// fsync of the folder. After a failed fsync the file is given up, since the kernel may have dropped the pages.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/preroll/preroll/internal/crash"
)

// WriteFile replaces a file as a whole with the given mode. What a crash leaves of it has the name [Temporary], and goes
// with the next write.
func WriteFile(path string, b []byte, mode fs.FileMode) (err error) {
	tmp := Temporary(path)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	if _, err = t.Write(b); err == nil {
		_ = t.Chmod(mode) // FAT and Windows have no modes
		err = t.Sync()
	}
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Temporary is the name of a file that WriteFile has not finished.
func Temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
}

// tried is the file by which Try finds out; one that a crash left is removed by the next Try.
const tried = ".preroll-write-test"

// Try returns why no file can be made in a folder, and leaves none behind.
func Try(folder string) error {
	path := filepath.Join(folder, tried)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(path))
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

// Publish gives a finished, fsynced file its final name and makes the name durable. It never replaces a file: where
// the final name is taken the error is [fs.ErrExist] and both files stay.
func Publish(tmp, final string) error {
	if err := renameNoReplace(tmp, final); err != nil {
		return err
	}
	crash.Here("renamed")
	return SyncDir(filepath.Dir(final))
}

// renameByLink is the portable way: a hard link fails where the name is taken. File systems without hard links are
// checked first, which is safe as long as only one process writes to the folder.
func renameByLink(tmp, final string) error {
	err := os.Link(tmp, final)
	if err == nil {
		return os.Remove(tmp)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, serr := os.Lstat(final); serr == nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: final, Err: fs.ErrExist}
	}
	return os.Rename(tmp, final)
}

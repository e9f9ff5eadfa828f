//go:build !windows

package disk

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Writable returns why a folder cannot be written, without writing to it. A folder that does not exist counts as
// writable.
func Writable(path string) error {
	if err := unix.Access(path, unix.W_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}

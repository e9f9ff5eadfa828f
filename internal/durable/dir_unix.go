//go:build !windows

package durable

import (
	"errors"
	"os"
	"syscall"
)

// nonBlock keeps open from waiting for a writer of a pipe.
const nonBlock = syscall.O_NONBLOCK

// SyncDir makes the names in a folder durable. It ignores the errors of file systems that cannot do this: some network
// shares answer EINVAL, and exFAT on macOS answers ENOTTY.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return sync(d)
}

// SyncDirIn is [SyncDir] below a root.
func SyncDirIn(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return sync(d)
}

func sync(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

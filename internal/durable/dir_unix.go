//go:build !windows

package durable

import (
	"errors"
	"os"
	"syscall"
)

// nonBlock lets nobody wait for who writes to a pipe.
const nonBlock = syscall.O_NONBLOCK

// SyncDir makes the names in a folder durable. A file system that cannot is left to its own devices: some network
// shares answer EINVAL, exFAT on macOS ENOTTY.
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

// Package disk says on what kind of disk a folder lies, how much room the disk has, and what its errors mean. It holds
// no state. A call may hang as long as the disk hangs.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"syscall"
)

// Disk describes the file system that a path lies on.
type Disk struct {
	Kind  string // the platform's name of the file system, such as "tmpfs", "ext4" or "NTFS"; "" if unknown
	RAM   bool   // the disk is RAM, or looks like RAM
	Known bool   // whether RAM is certain
	Free  int64  // bytes that this user may still write
	Total int64  // bytes
}

// Nearest describes the disk of a path, or of its nearest parent that exists.
func Nearest(path string) (Disk, error) {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		d, err := Of(path)
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return d, err
		}
	}
}

// Error numbers of Windows that Go does not map to others.
const (
	windowsHandleDiskFull = syscall.Errno(39)
	windowsDiskFull       = syscall.Errno(112)
)

// Full reports whether an error means that a disk is full, or that its user may write no more.
func Full(err error) bool {
	if runtime.GOOS == "windows" {
		return errors.Is(err, windowsDiskFull) || errors.Is(err, windowsHandleDiskFull)
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

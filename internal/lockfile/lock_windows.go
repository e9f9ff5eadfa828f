package lockfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

var errTaken = windows.ERROR_LOCK_VIOLATION

// lock locks a byte far beyond the end of the file, so that others can read who holds the lock.
func lock(f *os.File) error {
	o := windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &o)
	if errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) {
		return errors.ErrUnsupported
	}
	return err
}

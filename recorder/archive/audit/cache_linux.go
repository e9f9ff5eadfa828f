package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// uncache lets the memory go that a file's bytes were cached in: a check that reads a whole drive would push out all
// else. That it cannot is no harm.
func uncache(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// uncache drops a file from the page cache. Without this, a check of a whole drive would push everything else out of
// the cache. An error does no harm.
func uncache(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

//go:build !windows

package trigger

import "golang.org/x/sys/unix"

// openFiles returns how many files this process may have open, at most 1<<20.
func openFiles() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || l.Cur > 1<<20 {
		return 1 << 20
	}
	return int(l.Cur)
}

//go:build !windows

package recorder

import "syscall"

// openTo sets who may read what is made in the archive: this user alone, or the files' group, too. What nobody else may
// see is made with modes of its own.
func openTo(group bool) {
	if group {
		syscall.Umask(0o027)
	} else {
		syscall.Umask(0o077)
	}
}

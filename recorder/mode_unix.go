//go:build !windows

package recorder

import "syscall"

// OpenTo sets who may read new files in the archive and new segments: this user only, or also the files' group. Private
// files are created with explicit modes.
func OpenTo(group bool) {
	if group {
		syscall.Umask(0o027)
	} else {
		syscall.Umask(0o077)
	}
}

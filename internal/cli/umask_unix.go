//go:build !windows

package cli

import "syscall"

// private makes new files of this process readable by its user only, unless a setting opens the archive to a group.
func private() { syscall.Umask(0o077) }

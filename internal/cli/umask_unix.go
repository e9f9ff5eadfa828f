//go:build !windows

package cli

import "syscall"

// private makes sure that what this process makes is for its user alone, unless a setting opens the archive to a group.
func private() { syscall.Umask(0o077) }

//go:build !windows

package ring

import (
	"errors"
	"syscall"
)

// isFull reports whether an error means that a disk is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

//go:build !windows

package host

import (
	"os/exec"
	"syscall"
)

// apart lets a process go on after this one has ended.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

package player

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill FFmpeg when the thread that started FFmpeg ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

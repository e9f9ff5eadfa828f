package player

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill FFmpeg when the thread that started it is gone.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

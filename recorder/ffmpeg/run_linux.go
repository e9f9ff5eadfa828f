package ffmpeg

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill FFmpeg when the thread that started it is gone, even if Preroll was killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func adopt(*os.Process) error { return nil }

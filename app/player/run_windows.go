package player

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// dieWithParent keeps FFmpeg from opening a console. FFmpeg ends by itself when no process reads its pictures.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}

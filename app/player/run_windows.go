package player

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// dieWithParent keeps FFmpeg from opening a console. It ends by itself when nobody is left to read its pictures.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}

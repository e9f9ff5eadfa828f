package opener

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// hide keeps a console tool from showing its console.
func hide(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
}

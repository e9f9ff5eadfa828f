package host

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart lets a process go on after this one has ended.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

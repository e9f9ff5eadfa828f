//go:build !windows && !linux

package ffmpeg

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent has nothing to ask of this kernel: an FFmpeg whose Preroll was killed goes on until its camera or its
// RAM disk ends. Its segments are bounded by its own list.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func adopt(*os.Process) error { return nil }

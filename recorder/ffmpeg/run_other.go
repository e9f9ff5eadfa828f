//go:build !windows && !linux

package ffmpeg

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent has nothing to ask of this kernel: an FFmpeg whose Preroll was killed ends when it
// next writes to its pipe.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func adopt(*os.Process) error { return nil }

// limitMemory has nothing to ask of this kernel, which bounds no address space.
func limitMemory(*os.Process, uint64) error { return nil }

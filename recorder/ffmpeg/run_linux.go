package ffmpeg

import (
	"context"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill FFmpeg when the thread that started it is gone, even if Preroll was killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func adopt(*os.Process) error { return nil }

func release(*os.Process) {}

// EndOrphans does nothing: the kernel ends FFmpeg with Preroll.
func EndOrphans(context.Context, string) error { return nil }

// limitMemory limits the address space of a process, in bytes.
func limitMemory(p *os.Process, bytes uint64) error {
	return unix.Prlimit(p.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: bytes}, nil)
}

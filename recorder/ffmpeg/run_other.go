//go:build !windows && !linux

package ffmpeg

import (
	"context"
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent cannot make this kernel end FFmpeg with its parent. If Preroll was killed, its FFmpeg ends when it next
// writes to its pipe, or when the next Preroll starts.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func adopt(p *os.Process) error {
	noteProcess(p)
	return nil
}

func release(p *os.Process) { forgetProcess(p) }

// EndOrphans ends the FFmpegs that an earlier process left behind and wrote down in dir.
func EndOrphans(ctx context.Context, dir string) error { return endNoted(ctx, dir) }

// limitMemory does nothing: this kernel limits no address space.
func limitMemory(*os.Process, uint64) error { return nil }

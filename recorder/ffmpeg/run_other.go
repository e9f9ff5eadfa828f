//go:build !windows && !linux

package ffmpeg

import (
	"context"
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent has nothing to ask of this kernel: an FFmpeg whose Preroll was killed ends when it next writes to its
// pipe, or when the next Preroll starts.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func adopt(p *os.Process) error {
	noteProcess(p)
	return nil
}

func release(p *os.Process) { forgetProcess(p) }

// EndOrphans ends the FFmpegs that an earlier process left behind, which it noted in a folder.
func EndOrphans(ctx context.Context, dir string) error { return endNoted(ctx, dir) }

// limitMemory has nothing to ask of this kernel, which bounds no address space.
func limitMemory(*os.Process, uint64) error { return nil }

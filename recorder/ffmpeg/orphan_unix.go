//go:build !windows

package ffmpeg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// pids is the folder with a file for each FFmpeg that runs, named by its process id. If the kernel does not end FFmpeg
// with its parent, the next Preroll does.
var pids atomic.Pointer[string]

// noteProcess writes down that an FFmpeg runs.
func noteProcess(p *os.Process) {
	if dir := pids.Load(); dir != nil {
		_ = os.WriteFile(filepath.Join(*dir, strconv.Itoa(p.Pid)), nil, 0o600)
	}
}

// forgetProcess removes the file of an FFmpeg that has ended.
func forgetProcess(p *os.Process) {
	if dir := pids.Load(); dir != nil {
		_ = os.Remove(filepath.Join(*dir, strconv.Itoa(p.Pid)))
	}
}

// endNoted kills the FFmpegs that an earlier process wrote down in dir and left behind. From then on, the FFmpegs of
// this process are written down there.
func endNoted(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("note FFmpegs: %w", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("note FFmpegs: %w", err)
	}
	for _, f := range list {
		pid, err := strconv.Atoi(f.Name())
		if err != nil || pid <= 1 {
			continue
		}

		// Another program may have the process id by now.
		out, _ := exec.CommandContext(ctx, "ps", "-p", f.Name(), "-o", "comm=").Output()
		if strings.Contains(filepath.Base(strings.TrimSpace(string(out))), "ffmpeg") {
			_ = syscall.Kill(-pid, syscall.SIGKILL) // FFmpeg leads a process group of its own
		}
		_ = os.Remove(filepath.Join(dir, f.Name()))
	}

	pids.Store(&dir)
	return nil
}

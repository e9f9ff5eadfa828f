//go:build !windows

package ffmpeg

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestEndNoted checks that the next Preroll ends an FFmpeg that a killed Preroll left, and that another process which
// has the process id by now is not ended.
func TestEndNoted(t *testing.T) {
	t.Cleanup(func() { pids.Store(nil) })
	dir := t.TempDir()
	begin := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	left, other := begin("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=16x16:r=1", "-f", "null",
		"-"), begin("sleep", "60")
	pids.Store(&dir)
	noteProcess(left.Process)
	noteProcess(other.Process)
	if err := endNoted(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- left.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("the FFmpeg goes on")
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("another program was ended: %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left %v, %v", list, err)
	}
	noteProcess(other.Process)
	if _, err := os.Stat(filepath.Join(dir, strconv.Itoa(other.Process.Pid))); err != nil {
		t.Error(err)
	}
	forgetProcess(other.Process)
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left %v", list)
	}
}

package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive/audit"
)

// TestCheckArchive checks, repairs and checks again an archive whose events have lost everything but their clips.
func TestCheckArchive(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	b := newBox(t) // no camera is set up
	for _, args := range []string{"check --repair", "check --json", "check --archive gate"} {
		if code, out := b.run(strings.Fields(args)...); code != 2 {
			t.Errorf("%s: %d, %s", args, code, out)
		}
	}
	if code, out := b.run("check", "--archive"); code != 1 || !strings.Contains(out, "plugged in") {
		t.Errorf("%d, %s", code, out)
	}
	film := filepath.Join(b.home, "film.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		"testsrc2=r=10:d=1:s=160x90", "-c:v", "libx264", film).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.s.Archive.Path, "gate/2026/11/22")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(n int) string {
		path := filepath.Join(dir, fmt.Sprintf("2026-11-22_10-%02d-00+0000_motion.mp4", n))
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put(0)
	if code, out := b.run("check", "--archive"); code != 1 || !strings.Contains(out, "1 event, 1 clip, ") ||
		!strings.Contains(out, ": 1 fault.\nFAIL  gate/2026/11/22/2026-11-22_10-00-00+0000_motion.json\n") ||
		!strings.Contains(out, "--repair repairs it") {
		t.Errorf("%d, %s", code, out)
	}
	if code, out := b.run("check", "--archive", "--repair"); code != 0 ||
		!strings.Contains(out, "all whole.\n1 fault repaired:\nok    gate/") {
		t.Errorf("%d, %s", code, out)
	}
	code, out := b.run("check", "--archive", "--json")
	var res audit.Result
	if err := json.Unmarshal([]byte(out), &res); code != 0 || err != nil || !res.Whole() || res.Events != 1 ||
		res.Bytes != int64(len(whole)) {
		t.Errorf("%d, %v, %s", code, err, out)
	}
	// A check is interrupted and continues.
	for n := 1; n < 60; n++ {
		put(n)
	}
	cmd := exec.CommandContext(t.Context(), b.path, "check", "--archive", "--config", b.file)
	var said strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.until("some events are checked", 30*time.Second, func() bool {
		list, _ := filepath.Glob(filepath.Join(b.home, "state", "*", audit.JournalName))
		if len(list) == 0 {
			return false
		}
		text, err := os.ReadFile(list[0])
		return err == nil && strings.Count(string(text), "\n") > 3
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 ||
		!strings.Contains(said.String(), " of 60 events are checked; the same command goes on from here") {
		t.Errorf("%d, %s", cmd.ProcessState.ExitCode(), said.String())
	}
	if code, out := b.run("check", "--archive"); code != 1 ||
		!strings.Contains(out, "goes on where it was interrupted at ") || !strings.Contains(out, ": 59 faults.") {
		t.Errorf("%d, %s", code, out)
	}
}

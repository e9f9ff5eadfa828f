package recorder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noCanaryInProcesses checks that no process has the canary in its arguments or environment. With byFFmpeg, at least
// one of the processes must be an FFmpeg.
func noCanaryInProcesses(t *testing.T, canary string, byFFmpeg bool) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	envs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	ffmpegs := 0
	for _, f := range append(files, envs...) {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the process has ended
		}
		if strings.Contains(string(b), "ffmpeg\x00") {
			ffmpegs++
		}
		for _, form := range []string{canary, "C4nary"} {
			if strings.Contains(string(b), form) {
				t.Errorf("%s holds the password", f)
			}
		}
	}
	if byFFmpeg && ffmpegs == 0 {
		t.Error("no FFmpeg was seen")
	}
}

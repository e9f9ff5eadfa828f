//go:build linux

package faulttest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutants are ways to break Preroll that hardly any other test notices. The harness must notice them.
var mutants = []struct {
	name, file, from, to string
	test                 string // the test that must fail
}{
	{"an fsync of the video is left out", "recorder/clip/file.go", "if err := p.file.Sync(); err != nil {",
		"if err := error(nil); err != nil {", "TestPowerCutAtPoints"},
	{"an fsync of the finished clip is left out", "recorder/clip/finish.go", "if err := file.Sync(); err != nil {",
		"if err := error(nil); err != nil {", "TestPowerCutAtPoints"},
	{"a clip counts before its index is durable", "recorder/fmp4/plain.go",
		"if err := f.Sync(); err != nil { // before the last step makes the index valid", "if err := error(nil); err != nil {", "TestPowerCut"},
	{"a mail is answered before it is in the index", "recorder/clip/journal.go", "err := j.store.Put(lasting, ev)",
		"go func() { <-ctx.Done(); _ = j.store.Put(context.WithoutCancel(lasting), ev) }()\n\terr := error(nil)",
		"TestPowerCutAtPoints"},
	{"the index does not wait for its disk", "recorder/archive/index/keep.go",
		"&_pragma=synchronous(FULL)", "&_pragma=synchronous(OFF)",
		"TestPowerCutAtPoints"},
	{"pins go before their bytes are durable", "recorder/clip/clip.go", "\tif !in.retry(ctx, w, \"append to\"",
		"\tfor _, s := range segments {\n\t\tdefer in.hold.Done(s)\n\t}\n\tin.hold.Close()\n\tif !in.retry(ctx, w, \"append to\"", "TestFailpoints"},
}

// TestMutantsFit checks that the line of each mutant exists exactly once.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		b, err := os.ReadFile(filepath.Join("../../..", m.file))
		try(t, err)
		if n := strings.Count(string(b), m.from); n != 1 {
			t.Errorf("%s: %s has %d times %q, want 1", m.name, m.file, n, m.from)
		}
	}
}

// TestMutantsAreCaught builds Preroll with each mutant and runs a test of the harness on it. The test must fail. This
// takes minutes, so it runs only with PREROLL_MUTANTS=1.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("PREROLL_MUTANTS") == "" {
		t.Skip("asked for with PREROLL_MUTANTS=1")
	}
	root, err := filepath.Abs("../../..")
	try(t, err)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(root, m.file)
			b, err := os.ReadFile(path)
			try(t, err)
			if n := strings.Count(string(b), m.from); n != 1 {
				t.Fatalf("%q stands in %s %d times, want once", m.from, m.file, n)
			}
			mutant := filepath.Join(dir, filepath.Base(m.file))
			try(t, os.WriteFile(mutant, []byte(strings.Replace(string(b), m.from, m.to, 1)), 0o600))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
			try(t, err)
			try(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
			program, err := Build(t.Context(), dir, "-overlay", filepath.Join(dir, "overlay.json"))
			try(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+strings.ReplaceAll(m.test, "/", "$/^")+"$",
				"-test.timeout", "9m", "-test.parallel", "6")
			cmd.Env = append(os.Environ(), "PREROLL_FAULTS_PROGRAM="+program, "PREROLL_MUTANTS=")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("%s did not notice", m.test)
				return
			}
			for line := range strings.Lines(string(out)) {
				// Skip the heading of a report.
				if _, text, ok := strings.Cut(line, "_test.go:"); ok &&
					!strings.HasSuffix(strings.TrimSpace(text), ":") {
					t.Log("noticed: ", strings.TrimSpace(line))
					break
				}
			}
		})
	}
}

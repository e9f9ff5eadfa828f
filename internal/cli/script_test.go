package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/preroll/preroll/internal/cli"
)

// TestScripts runs the scripts in testdata/script. Their command preroll is this program without a desktop.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			for _, dir := range []string{"run", "state", "config"} {
				if err := os.Mkdir(filepath.Join(env.WorkDir, dir), 0o700); err != nil {
					return err
				}
			}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_RUNTIME_DIR", filepath.Join(env.WorkDir, "run"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return expand(env)
		},
	})
}

// expand writes the work folder into the settings files of a script, because they must name full paths.
func expand(env *testscript.Env) error {
	list, err := filepath.Glob(filepath.Join(env.WorkDir, "*.toml"))
	if err != nil {
		return err
	}
	for _, file := range list {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		work := strings.ReplaceAll(env.WorkDir, `\`, `\\`)
		if err := os.WriteFile(file, bytes.ReplaceAll(b, []byte("$WORK"), []byte(work)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exits implements "exits CODE COMMAND...": the command must end with the exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := err.(interface{ ExitCode() int }); ok {
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d: %s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// preroll is the command preroll of the scripts.
func preroll() { os.Exit(cli.Main(os.Args[1:], cli.Desktop{})) }

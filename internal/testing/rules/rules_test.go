// Package rules checks the project's own rules that no compiler knows: which layer may import which other layer, and
// which functions are banned.
package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/preroll/preroll/"

// file is a Go file of the project.
type file struct {
	path    string // from the project's root, with slashes
	imports []string
	ast     *ast.File
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func files(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var list []file
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, b, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(rel), ast: parsed}
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, name)
		}
		list = append(list, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 40 {
		t.Fatalf("only %d files found", len(list))
	}
	return list
}

// said is the package that holds the texts of all other packages.
const said = module + "recorder/text"

// rule says that some files must not import packages below a path.
type rule struct {
	under string // a package, or with a slash at the end a folder with everything below it
	never string
	but   []string // imports that are allowed nevertheless
	in    []string // files that may import it
	tests bool     // the rule also holds for tests
	why   string
}

var rules = []rule{
	{under: "recorder/", never: "fyne.io/", tests: true, why: "the engine knows no screen"},
	{under: "recorder/", never: module + "app", tests: true, why: "data flows one way"},
	{under: "recorder/", never: module + "assets", tests: true, why: "the engine knows no screen"},
	{under: "recorder/", never: "os/exec", in: []string{"recorder/ffmpeg/"},
		why: "the engine starts processes in recorder/ffmpeg only"},
	{under: "app/", never: module + "recorder",
		but: []string{module + "recorder/config", module + "recorder/control", module + "recorder/event",
			module + "recorder/status"},
		why: "the desktop is a client of the control socket"},
	{under: "app/", never: "os/exec",
		in:  []string{"app/player/", "app/opener/", "app/host/", "app/notify/", "app/tray/"},
		why: "the desktop starts its window, the player's FFmpeg and the platform's own tools, each in one place"},
	{under: "app/page/", never: module + "app/page/", why: "a page knows no other page"},
	{under: "app/page/", never: module + "app/window", why: "a page does not know the frame around it"},
	{under: "app/widgets/", never: module, why: "a widget knows nothing of the recorder"},
	{under: "app/tray/", never: "fyne.io/fyne", tests: true, why: "the resident process does not pay for Fyne"},
	{under: "", never: "fyne.io/fyne/v2/app", in: []string{"main_desktop.go"}, tests: true,
		why: "all else compiles without a C compiler"},
	{under: "", never: "net/smtp", in: []string{"internal/testing/bench/"}, why: "nothing sends mail to others"},
	{under: "recorder/config/", never: module + "recorder/",
		but: []string{module + "recorder/event", module + "recorder/trigger/rule"},
		why: "settings come first; the grammar of a mail rule knows nobody"},
	{under: "recorder/text/", never: module, why: "what is said knows nobody who says it"},
	{under: "recorder/event/", never: module, why: "plain types know nobody"},
	{under: "recorder/fmp4/", never: module, why: "a file format knows nobody"},
	{under: "recorder/status/", never: module, but: []string{module + "recorder/event"},
		why: "plain types know plain types only"},
	{under: "recorder/source/", never: module + "recorder/",
		but: []string{module + "recorder/fmp4", module + "recorder/source", module + "recorder/ffmpeg",
			module + "recorder/source/ffmpeg", module + "recorder/status"},
		why: "a source knows its sink by the interface alone"},
	{under: "recorder/ring/", never: module + "recorder/",
		but: []string{module + "recorder/fmp4", module + "recorder/source"},
		why: "a later stage may know an earlier one, never the reverse"},
	{under: "recorder/archive", never: module + "recorder/",
		but: []string{module + "recorder/event", module + "recorder/archive/drive", module + "recorder/archive/index"},
		why: "the archive knows events only"},
	{under: "recorder/archive/index", never: module + "recorder/", but: []string{module + "recorder/event"},
		why: "the index is a cache that knows nobody who fills it"},
	{under: "recorder/archive/drive", never: module + "recorder/", why: "a drive's identity knows nobody"},
	{under: "recorder/archive/audit", never: module + "recorder/",
		but: []string{module + "recorder/archive", module + "recorder/archive/drive",
			module + "recorder/archive/index", module + "recorder/clip",
			module + "recorder/event", module + "recorder/ffmpeg", module + "recorder/fmp4"},
		why: "an audit knows what it checks"},
	{under: "recorder/metrics/", never: module + "recorder/",
		but: []string{module + "recorder/event", module + "recorder/status"}, why: "measures know plain types"},
	{under: "recorder/outbox/", never: module + "recorder/",
		but: []string{module + "recorder/config", module + "recorder/event", module + "recorder/status"},
		why: "what goes out knows plain types"},
	{under: "recorder/access/", never: module + "recorder/",
		but: []string{module + "recorder/event", module + "recorder/status"},
		why: "who may call is no matter of alarms"},
	{under: "recorder/trigger/call", never: module + "recorder/",
		but: []string{module + "recorder/config", module + "recorder/event", module + "recorder/status",
			module + "recorder/trigger", module + "recorder/trigger/message"},
		why: "a source does not know who takes its alarms"},
	{under: "recorder/health/", never: module + "recorder/",
		but: []string{module + "recorder/archive", module + "recorder/config", module + "recorder/event",
			module + "recorder/source", module + "recorder/status"},
		why: "health judges what others observed"},
	{under: "recorder/inbox/", never: module + "recorder/",
		but: []string{module + "recorder/config", module + "recorder/event", module + "recorder/history",
			module + "recorder/status", module + "recorder/trigger"},
		why: "what came in is kept without knowing what becomes of it"},
	{under: "recorder/camera/", never: module + "recorder/trigger", why: "a camera does not know who triggers it"},
	{under: "internal/disk", never: module, why: "disks know nobody"},
	{under: "recorder/", never: module + "internal/testing", why: "what tests need is not in the product"},
	{under: "app/", never: module + "internal/testing", why: "what tests need is not in the product"},
	{under: "internal/cli", never: module + "internal/testing", why: "what tests need is not in the product"},
	{under: "recorder/history/", never: module, but: []string{module + "internal/sqlfile"},
		why: "history is kept by itself"},
}

// covers reports whether a rule holds for a file.
func (r rule) covers(f file) bool {
	if r.under == "" || strings.HasSuffix(r.under, "/") {
		return strings.HasPrefix(f.path, r.under)
	}
	return path.Dir(f.path) == r.under
}

func TestImports(t *testing.T) {
	for _, f := range files(t) {
		for _, r := range rules {
			if !r.covers(f) || f.test() && !r.tests ||
				slices.ContainsFunc(r.in, func(p string) bool { return strings.HasPrefix(f.path, p) }) {
				continue
			}
			for _, i := range f.imports {
				if i != r.never && !strings.HasPrefix(i, r.never) || slices.Contains(r.but, i) || i == said {
					continue
				}
				t.Errorf("%s imports %s: %s", f.path, i, r.why)
			}
		}
	}
}

// TestNothingSleepsOrExits finds time.Sleep and exits in product code.
func TestNothingSleepsOrExits(t *testing.T) {
	for _, f := range files(t) {
		// Test helpers, build tools and the failpoints of test builds are no product code.
		if f.test() || strings.HasPrefix(f.path, "internal/testing/") || strings.HasPrefix(f.path, "internal/build/") ||
			f.path == "internal/failpoint/on.go" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok {
				name := x.Name + "." + s.Sel.Name
				if name == "time.Sleep" || strings.HasPrefix(name, "log.Fatal") ||
					name == "os.Exit" && f.path != "main.go" {
					t.Errorf("%s uses %s", f.path, name)
				}
			}
			return true
		})
	}
}

// TestEveryPackageSaysItsJob checks that every package has a package comment.
func TestEveryPackageSaysItsJob(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range files(t) {
		if f.test() && !strings.HasPrefix(f.path, "internal/testing/smoke") &&
			!strings.HasPrefix(f.path, "internal/testing/rules") {
			continue
		}
		dir := filepath.Dir(f.path)
		documented[dir] = documented[dir] || hasDoc(t, f.path)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

func hasDoc(t *testing.T, path string) bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../../..", path), nil,
		parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Doc != nil
}

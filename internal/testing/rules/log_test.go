package rules

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logKeys are the allowed keys of log lines. Each key means the same everywhere, see CONTRIBUTING.md.
var logKeys = []string{
	"audio", "bytes", "camera", "cameras", "duration", "elapsed", "err", "event", "events", "from", "height",
	"label", "mails", "path", "retry_in", "segment", "sender", "source", "state", "step", "subject", "to",
	"version", "video", "width",
}

// TestLogKeys checks that each log line has a constant message and uses only keys of the list.
func TestLogKeys(t *testing.T) {
	levels := []string{"Debug", "Info", "Warn", "Error"}
	used := map[string]bool{}
	for _, f := range files(t) {
		if f.test() || strings.HasPrefix(f.path, "internal/testing/") || strings.HasPrefix(f.path, "internal/build/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !isLog(sel.X) {
				return true
			}
			args := call.Args
			switch {
			case slices.Contains(levels, sel.Sel.Name):
			case sel.Sel.Name == "Log" && len(args) > 2: // after context and level
				args = args[2:]
			case sel.Sel.Name == "With":
				args = append([]ast.Expr{&ast.BasicLit{Value: `""`}}, args...)
			default:
				return true
			}
			if _, ok := text(args[0]); !ok {
				t.Errorf("%s: the message of a log line is no constant", f.path)
			}
			for i := 1; i < len(args); i += 2 {
				key, ok := text(args[i])
				if used[key] = true; !ok || !slices.Contains(logKeys, key) {
					t.Errorf("%s: got log key %q, want one of %v", f.path, key, logKeys)
				}
			}
			return true
		})
	}
	for _, key := range logKeys {
		if !used[key] {
			t.Errorf("no log line has the key %q", key)
		}
	}
}

// isLog reports whether an expression is a logger, judged by its name.
func isLog(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return strings.EqualFold(x.Name, "log") || x.Name == "slog"
	case *ast.SelectorExpr:
		return strings.EqualFold(x.Sel.Name, "log")
	}
	return false
}

func text(x ast.Expr) (string, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

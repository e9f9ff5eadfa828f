package rules

import (
	"go/ast"
	"slices"
	"strconv"
	"testing"

	"github.com/preroll/preroll/internal/failpoint"
)

// TestFailpointsAreListed checks that failpoint.Points lists every failpoint in the code, so that tests crash there,
// and that every listed name is in the code.
func TestFailpointsAreListed(t *testing.T) {
	var used []string
	for _, f := range files(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Hit" {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != "failpoint" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: the name of a failpoint must stand there", f.path)
				return true
			}
			name, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			used = append(used, name)
			return true
		})
	}
	for _, name := range used {
		if !slices.Contains(failpoint.Points, name) {
			t.Errorf("failpoint %q is not in failpoint.Points", name)
		}
	}
	for _, name := range failpoint.Points {
		if n := len(slices.DeleteFunc(slices.Clone(used), func(u string) bool { return u != name })); n != 1 {
			t.Errorf("failpoint %q stands at %d places, want 1", name, n)
		}
	}
}

package rules

import (
	"go/ast"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var messageVerb = regexp.MustCompile(`%(\[\d\])?[-+0-9.]*[a-z]`)

// TestMessagesAreSaid checks that every message of package text is used somewhere, and that it gets as many values as
// it has verbs.
func TestMessagesAreSaid(t *testing.T) {
	verbs := map[string]int{} // number of verbs of each message, by its variable
	for _, f := range files(t) {
		if !strings.HasPrefix(f.path, "recorder/text/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			c, ok := v.Values[0].(*ast.CallExpr)
			if !ok || len(c.Args) < 2 {
				return true
			}
			if name, ok := c.Fun.(*ast.Ident); !ok || name.Name != "define" {
				return true
			}
			form, err := strconv.Unquote(c.Args[len(c.Args)-1].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			verbs[v.Names[0].Name] = len(messageVerb.FindAllString(form, -1))
			return true
		})
	}
	if len(verbs) < 100 {
		t.Fatalf("only %d messages", len(verbs))
	}

	used := map[string]bool{}
	for _, f := range files(t) {
		inText := strings.HasPrefix(f.path, "recorder/text/")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && f.path == "recorder/text/error.go" {
				used[id.Name] = true // the messages of the system, and the one that puts words in front of them
			}
			if inText {
				return true
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "text" {
					used[s.Sel.Name] = true
				}
			}
			c, ok := n.(*ast.CallExpr)
			if !ok || c.Ellipsis.IsValid() {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "With" && s.Sel.Name != "Error" {
				return true
			}
			m, ok := s.X.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := m.X.(*ast.Ident); !ok || x.Name != "text" {
				return true
			}
			if want, ok := verbs[m.Sel.Name]; ok && len(c.Args) != want {
				t.Errorf("%s: text.%s gets %d values, want %d", f.path, m.Sel.Name, len(c.Args), want)
			}
			return true
		})
	}
	for name := range verbs {
		if !used[name] && !strings.HasPrefix(name, "Label") && !strings.HasPrefix(name, "Notice") {
			t.Errorf("nobody says text.%s", name)
		}
	}
}

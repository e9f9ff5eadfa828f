package trigger

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNothingRelays checks that no mail is ever passed on: nothing in the program opens a connection to send a mail,
// except the test alarm to the program's own port.
func TestNothingRelays(t *testing.T) {
	calls := map[string]bool{"Dial": true, "DialTimeout": true, "DialTLS": true, "DialStartTLS": true,
		"DialContext": true, "NewClient": true, "SendMail": true, "SendMailTLS": true}
	found := 0
	for _, root := range []string{"../../recorder", "../../app", "../../internal/cli", "../../main.go"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			mail := map[string]bool{} // names of packages that speak SMTP or open connections
			for _, i := range f.Imports {
				p, _ := strconv.Unquote(i.Path.Value)
				switch p {
				case "net/smtp":
					t.Errorf("%s imports net/smtp", path)
				case "github.com/emersion/go-smtp", "net", "crypto/tls":
					mail[filepath.Base(strings.TrimPrefix(p, "github.com/emersion/go-"))] = true
				}
			}
			own := strings.HasSuffix(filepath.ToSlash(path), "trigger/self.go")
			inside := strings.Contains(filepath.ToSlash(path), "recorder/trigger/")
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || !calls[s.Sel.Name] {
					return true
				}
				x, _ := s.X.(*ast.Ident)
				smtp := x != nil && x.Name == "smtp" && mail["smtp"]
				switch {
				case own:
					found++
				case smtp, inside && (x == nil || mail[x.Name] || s.Sel.Name != "NewClient"):
					t.Errorf("%s: %s", path, s.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("this test finds nothing any more")
	}
}

package words

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/text"
)

// source is a Go file of the project that is not a test.
type source struct {
	path string // from the project's root, with slashes
	ast  *ast.File
}

func sources(t *testing.T, under string) (list []source) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(filepath.Join(root, under), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, b, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		list = append(list, source{filepath.ToSlash(rel), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("only %d files under %s", len(list), under)
	}
	return list
}

// literal returns the string of an expression. A value that is joined to the string counts as %s.
func literal(e ast.Expr) (value string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		a, ok1 := literal(e.X)
		b, ok2 := literal(e.Y)
		if !ok1 {
			a = "%s"
		}
		if !ok2 {
			b = "%s"
		}
		return a + b, ok1 || ok2
	}
	return "", false
}

// literals reports all strings in a piece of source.
func literals(n ast.Node, report func(string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		s, ok := literal(e)
		if !ok {
			return true
		}
		report(s)
		for {
			sum, ok := e.(*ast.BinaryExpr)
			if !ok {
				return false
			}
			for _, x := range []ast.Expr{sum.X, sum.Y} {
				if _, ok := literal(x); !ok {
					literals(x, report)
				}
			}
			e = sum.X
		}
	})
}

// called returns the texts that are passed to L and N.
func called(s source) (list []string) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := c.Fun.(type) {
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok && (x.Name == "words" || x.Name == "l") {
				name = f.Sel.Name
			} else if strings.HasPrefix(s.path, "app/web/") {
				name = f.Sel.Name
			}
		case *ast.Ident:
			if strings.HasPrefix(s.path, "app/words/") {
				name = f.Name
			}
		}
		var args []ast.Expr
		switch name {
		case "L":
			args = c.Args[:1]
		case "N":
			args = c.Args[2:] // the text for several things is the key
		}
		for _, a := range args {
			if s, ok := literal(a); ok {
				list = append(list, s)
			}
		}
		return true
	})
	return list
}

// listed are the variables whose texts are passed to L one by one.
var listed = []string{"leads", "themeNames", "languageNames", "TextSizes", "weekdays", "months",
	"waysToTell"}

func inLists(s source) (list []string) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !slices.Contains(listed, v.Names[0].Name) {
			return true
		}
		for _, value := range v.Values {
			literals(value, func(s string) { list = append(list, s) })
		}
		return false
	})
	return list
}

var (
	templateL = regexp.MustCompile(`\$?\.L ("(?:[^"\\]|\\.)*")`)
	templateN = regexp.MustCompile(`\$?\.N \S+ "(?:[^"\\]|\\.)*" ("(?:[^"\\]|\\.)*")`)
)

// inTemplates returns the texts that the templates of the web pages pass to L and N, by path.
func inTemplates(t *testing.T) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob("../web/files/*.html")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	all := map[string][]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Concat(templateL.FindAllSubmatch(b, -1), templateN.FindAllSubmatch(b, -1)) {
			key, err := strconv.Unquote(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			all[path] = append(all[path], key)
		}
	}
	return all
}

// use sets a language for a test.
func use(t *testing.T, code string) *Language {
	t.Helper()
	Use(code)
	t.Cleanup(func() { Use("en") })
	l := now()
	if l.code != code {
		t.Fatalf("there is no translation %s", code)
	}
	return l
}

func german(t *testing.T) *Language { return use(t, "de") }

// others returns the languages that have a translation.
func others() []string {
	return slices.DeleteFunc(slices.Clone(config.Languages), func(code string) bool { return code == "en" })
}

// TestDesktopIsTranslated checks that every language has a text for every text of the desktop, and no other text.
func TestDesktopIsTranslated(t *testing.T) {
	for _, code := range others() {
		l := use(t, code)
		used := map[string]bool{}
		for path, keys := range inTemplates(t) {
			for _, key := range keys {
				used[key] = true
				if l.texts[key].Other == "" {
					t.Errorf("%s: %s lacks %q", path, code, key)
				}
			}
		}
		for _, s := range sources(t, "app") {
			for _, key := range append(called(s), inLists(s)...) {
				used[key] = true
				if l.texts[key].Other == "" {
					t.Errorf("%s: %s lacks %q", s.path, code, key)
				}
			}
		}
		for key := range l.texts {
			if !used[key] {
				t.Errorf("%s: nobody says %q", code, key)
			}
		}
	}
}

// verbsOf returns the verbs of a text in the order of their values, without flags. %w and %v count as %s.
func verbsOf(t *testing.T, form string) string {
	t.Helper()
	var list []string
	for i, m := range verb.FindAllStringSubmatch(form, -1) {
		v := strings.NewReplacer("w", "s", "v", "s").Replace(strings.TrimPrefix(m[0], "%"))
		if m[1] != "" {
			n, err := strconv.Atoi(strings.Trim(m[1], "[]"))
			if err != nil {
				t.Fatal(err)
			}
			i, v = n-1, strings.Replace(v, m[1], "", 1)
		}
		for len(list) <= i {
			list = append(list, "")
		}
		list[i] = v
	}
	return strings.Join(list, " ")
}

// TestVerbs checks that every form of every translation has exactly the values of the English text.
func TestVerbs(t *testing.T) {
	check := func(code, english string, f text.Forms) {
		for _, form := range []string{f.One, f.Many, f.Other} {
			if form == "" {
				continue
			}
			a, b := verbsOf(t, english), verbsOf(t, form)
			if a != b && (form == f.Other || b != "") { // "1 clip" needs no number
				t.Errorf("%s: %q has the values %q, and %q %q", code, english, a, form, b)
			}
			if strings.TrimSpace(form) != form && strings.TrimSpace(english) == english {
				t.Errorf("%s: %q begins or ends with a blank", code, form)
			}
		}
	}
	for _, code := range others() {
		l := use(t, code)
		for key, f := range l.texts {
			check(code, key, f)
		}
		for key, f := range l.said {
			m, _ := text.Find(key)
			check(code, m.English.Other, f)
		}
	}
}

// TestNoKeyIsReserved checks that no key is a word that Fyne's lang reserves for itself. With such a key, no window
// would open.
func TestNoKeyIsReserved(t *testing.T) {
	b, err := os.ReadFile("translation/de.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]any
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	for key := range texts {
		switch strings.ToLower(key) {
		case "id", "description", "hash", "leftdelim", "rightdelim", "zero", "one", "two", "few", "many", "other":
			t.Errorf("%q", key)
		}
	}
}

package rules

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is a Markdown file of the project.
type page struct {
	path string // from the project's root, with slashes
	text string
}

func pages(t *testing.T) (list []page) {
	t.Helper()
	root := "../../.."
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, page{filepath.ToSlash(rel), string(b)})
		}
	}
	return list
}

func exists(p string) bool {
	_, err := os.Stat(filepath.Join("../../..", filepath.FromSlash(p)))
	return err == nil
}

// TestPackagesAreOnTheMap checks that docs/architecture.md names every package.
func TestPackagesAreOnTheMap(t *testing.T) {
	var text string
	for _, p := range pages(t) {
		if p.path == "docs/architecture.md" {
			text = p.text
		}
	}
	var missing []string
	for _, f := range files(t) {
		dir := path.Dir(f.path)
		if dir != "." && !strings.Contains(text, "`"+dir+"`") && !slices.Contains(missing, dir) {
			missing = append(missing, dir)
		}
	}
	if missing != nil {
		t.Errorf("docs/architecture.md lacks the packages %v", missing)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	mark    = regexp.MustCompile(`[^\pL\pN _-]`)
	inCode  = regexp.MustCompile("`([a-z.][\\w./-]*/[\\w./-]*)`")
)

// anchors returns the names of the headings of a page, as links use them.
func anchors(text string) (list []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := mark.ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(name, " ", "-"))
	}
	return list
}

// TestLinksResolve follows every link between the project's pages.
func TestLinksResolve(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			target := p.path
			if to != "" {
				target = path.Join(path.Dir(p.path), to)
			}
			if !exists(target) {
				t.Errorf("%s: the link to %s leads nowhere", p.path, m[1])
				continue
			}
			i := slices.IndexFunc(all, func(o page) bool { return o.path == target })
			if anchor != "" && i >= 0 && !slices.Contains(anchors(all[i].text), anchor) {
				t.Errorf("%s: %s has no heading for %s", p.path, target, m[1])
			}
		}
	}
}

// TestNamedFilesExist checks that every file and folder exists that a page for developers names, such as in a recipe.
func TestNamedFilesExist(t *testing.T) {
	roots := []string{"recorder/", "app/", "internal/", "assets/", "docs/", ".ci/", ".github/"}
	for _, p := range pages(t) {
		if p.path != "CONTRIBUTING.md" && p.path != "docs/architecture.md" && p.path != "docs/glossary.md" &&
			!strings.HasPrefix(p.path, "docs/decisions/") {
			continue
		}
		for _, m := range inCode.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "NAME") || strings.Contains(m[1], "CODE") || strings.Contains(m[1], "TAB") ||
				strings.HasSuffix(m[1], "...") {
				continue // stands for other names
			}
			if slices.ContainsFunc(roots, func(r string) bool { return strings.HasPrefix(m[1], r) }) && !exists(m[1]) {
				t.Errorf("%s names %s, which is not there", p.path, m[1])
			}
		}
	}
}

var symbol = regexp.MustCompile("`\\*?([A-Za-z]\\w*)\\.([A-Za-z]\\w*)`")

// TestNamedSymbolsExist checks that every `Type.method` and `package.Name` on the pages exists in the code.
func TestNamedSymbolsExist(t *testing.T) {
	owners, names := map[string]bool{}, map[string]bool{}
	for _, f := range files(t) {
		owners[f.ast.Name.Name] = true
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names[n.Name.Name] = true
			case *ast.TypeSpec:
				owners[n.Name.Name], names[n.Name.Name] = true, true
			case *ast.ValueSpec:
				for _, name := range n.Names {
					names[name.Name] = true
				}
			case *ast.Field:
				for _, name := range n.Names {
					names[name.Name] = true
				}
			}
			return true
		})
	}
	all := pages(t)
	settings := all[slices.IndexFunc(all, func(p page) bool { return p.path == "docs/settings.md" })].text
	for _, p := range all {
		for _, m := range symbol.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(settings, "\n| "+m[0]+" |") { // a setting, see TestSettingsAreDocumented
				continue
			}
			if owners[m[1]] && !names[m[2]] && !slices.Contains(endings, m[2]) && !strings.Contains(m[2], "_") {
				t.Errorf("%s names %s, which is not there", p.path, m[0])
			}
		}
	}
}

// endings are file name endings. File names look like symbols.
var endings = []string{"go", "md", "json", "toml", "txt", "sock", "db", "png", "yml"}

package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// banned are words of the first version, which readers had to learn, and the words to use instead. The ban holds for
// code, comments, screens and pages.
var banned = []struct {
	word *regexp.Regexp
	use  string
}{
	{regexp.MustCompile(`(?i)\banew\b`), "again, recreate, rebuild or restart"},
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "repair, or fix"},
	{regexp.MustCompile(`(?i)\benclos(e|es|ed|ure|ures)\b`), "attachment, attach"},
	{regexp.MustCompile(`(?i)\btells whether\b`), "reports whether"},
	{regexp.MustCompile(`(?i)\b(an|the) (earlier|next|present) life\b`), "an earlier process, the next process"},
	{regexp.MustCompile(`(?i)\bpatience\b`), "timeout, with what it is of"},
	{regexp.MustCompile(`(?i)\bobeys?\b`), "command, run a command"},
	{regexp.MustCompile(`(?i)\bcrash points?\b`), "failpoint"},
	{regexp.MustCompile(`(?i)\bunassigned\b`), "unmatched"},
	{regexp.MustCompile(`(?i)\bwhilst\b`), "while"},
}

// kept are the places where a banned word must stay.
var kept = []string{
	`json:"mended,omitempty"`, // the audit's journal on disk
	"unassigned.json",         // a file of earlier versions
	"Unassigned mail",         // how screens head the unmatched mails
}

// TestBannedWords checks that code and pages use the terms of docs/glossary.md.
func TestBannedWords(t *testing.T) {
	var paths []string
	for _, f := range files(t) {
		if f.path != "internal/testing/rules/words_test.go" {
			paths = append(paths, f.path)
		}
	}
	for _, p := range pages(t) {
		if p.path != "CHANGELOG.md" { // the changelog names former terms
			paths = append(paths, p.path)
		}
	}
	for _, p := range paths {
		b, err := os.ReadFile(filepath.Join("../../..", p))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			for _, k := range kept {
				line = strings.ReplaceAll(line, k, "")
			}
			for _, w := range banned {
				if found := w.word.FindString(line); found != "" {
					t.Errorf("%s:%d: got %q, use %s", p, i+1, found, w.use)
				}
			}
		}
	}
}

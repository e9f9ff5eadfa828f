package rules

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Limits of a line, in columns. A tab counts 4.
const (
	maxColumns = 120
	longText   = 50 // a line with a text of so many columns may be longer, so that the text can be found by a search
)

// TestLinesAreShort checks that lines fit beside another window.
func TestLinesAreShort(t *testing.T) {
	for _, f := range files(t) {
		b, err := os.ReadFile(filepath.Join("../../..", f.path))
		if err != nil {
			t.Fatal(err)
		}
		text := texts(b)
		for i, line := range strings.Split(string(b), "\n") {
			if n := columns(line); n > maxColumns && text[i+1] < longText {
				t.Errorf("%s:%d: got %d columns, want at most %d", f.path, i+1, n, maxColumns)
			}
		}
	}
}

func columns(s string) int { return len([]rune(strings.ReplaceAll(s, "\t", "    "))) }

// texts returns for each line the columns of its longest string.
func texts(source []byte) map[int]int {
	longest := map[int]int{}
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return longest
		case token.STRING:
			for i, line := range strings.Split(lit, "\n") {
				at := file.Line(pos) + i
				longest[at] = max(longest[at], columns(line))
			}
		}
	}
}

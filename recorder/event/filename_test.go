package event

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"motion": "motion", "Line Crossing": "line-crossing", "": "alarm", "...": "alarm", "../../x": "x", "-i": "i",
		"a\x00b\r\nc": "a-b-c",
		"Tür":         "tür", "门口": "门口", "a\u202eb": "a-b", "CON": "con",
		strings.Repeat("x", 500): strings.Repeat("x", 60),
	} {
		if got := FileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("../x")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		got := FileName(s)
		if got == "" || len(got) > maxName || !utf8.ValidString(got) ||
			strings.ContainsAny(got, "/\\.:*?\"<>| \x00\r\n") || strings.HasPrefix(got, "-") {
			t.Errorf("%q: %q", s, got)
		}
	})
}

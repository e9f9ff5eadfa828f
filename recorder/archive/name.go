package archive

import (
	"strings"
	"unicode"
)

// maxName bounds a label in a file name, in bytes; the stem's other parts and the endings need about 60 of the 255
// that file systems allow.
const maxName = 60

// FileName makes any text, such as a label from a mail, a safe part of a file name on every platform: letters and
// digits of any script, single hyphens for the rest, no leading or trailing hyphen, never empty.
func FileName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r == unicode.ReplacementChar:
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && b.Len() > 0:
		default:
			r = '-'
			if b.Len() == 0 || strings.HasSuffix(b.String(), "-") {
				continue
			}
		}
		if b.Len()+len(string(r)) > maxName {
			break
		}
		b.WriteRune(r)
	}
	if name := strings.TrimRight(b.String(), "-"); name != "" {
		return name
	}
	return "alarm"
}

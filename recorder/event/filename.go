package event

import (
	"strings"
	"unicode"
)

// maxName bounds a label in a file name, in bytes. The other parts of the stem and the endings need about 60 of the 255
// bytes that file systems allow.
const maxName = 60

// FileName turns any text, such as a label from a mail, into a part of a file name that is safe on every platform. It
// keeps letters and digits of any script and replaces the rest by single hyphens, none of them leading or trailing. The
// result is never empty.
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

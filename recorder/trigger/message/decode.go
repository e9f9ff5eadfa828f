package message

import (
	"bytes"
	"html"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
)

// sextet returns the value of a base64 character, or -1 if the character is not base64.
func sextet(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}

	return -1
}

func plainBase64(l []byte) bool {
	for _, c := range bytes.TrimRight(l, " \t=") {
		if sextet(c) < 0 && c != '=' {
			return false
		}
	}
	return true
}

// base64Bits are the bits of a byte that the base64 characters so far have begun.
type base64Bits struct{ bits, n int }

// decode appends the decoded bytes of b to out, and reports whether b is clean base64. It skips characters that do not
// belong there, and goes on after padding, because some cameras encode line by line. out may begin where b begins.
func (d *base64Bits) decode(out, b []byte) (_ []byte, clean bool) {
	clean = true
	for _, c := range b {
		v := sextet(c)
		if c == '=' {
			*d = base64Bits{}
		}
		if v < 0 {
			clean = clean && (c == '=' || c <= ' ')
			continue
		}
		d.bits, d.n = d.bits<<6|v, d.n+6
		if d.n >= 8 {
			d.n -= 8
			out = append(out, byte(d.bits>>d.n))
			d.bits &= 1<<d.n - 1
		}
	}

	return out, clean
}

// decodeQuoted decodes quoted-printable. In an encoded word of a header, an underscore is a blank (RFC 2047).
func decodeQuoted(b []byte, word bool) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '_' && word:
			out = append(out, ' ')
		case c != '=':
			out = append(out, c)
		case i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0:
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
		default: // a soft line end, perhaps after blanks
			l, rest, whole := line(b[i+1:])
			if whole && len(bytes.TrimSpace(l)) == 0 {
				i = len(b) - len(rest) - 1
				continue
			}
			out = append(out, c)
		}
	}

	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}

	return -1
}

var encodedWord = regexp.MustCompile(`=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z-]{1,20})?\?([bBqQ])\?([^?]*)\?=`)

// decodeWords decodes the value of a header with its encoded words (RFC 2047). It joins neighbours of one charset
// before it decodes them, because cameras cut words within a character.
func decodeWords(b []byte, hint string) string {
	var out strings.Builder
	var pending []byte
	name := ""
	flush := func() {
		out.WriteString(decodeText(pending, name))
		pending, name = nil, ""
	}
	at := 0
	for _, m := range encodedWord.FindAllSubmatchIndex(b, 200) {
		between := b[at:m[0]]
		cs := strings.ToLower(string(b[m[2]:m[3]]))
		if blank := len(bytes.TrimSpace(between)) == 0; !blank || cs != name || at == 0 {
			flush()
			if !blank || at == 0 {
				out.WriteString(decodeText(between, hint))
			}
		}
		data := b[m[6]:m[7]]
		if b[m[4]]|0x20 == 'b' {
			data, _ = new(base64Bits).decode(nil, data)
		} else {
			data = decodeQuoted(data, true)
		}
		pending, name, at = append(pending, data...), cs, m[1]
	}

	flush()
	out.WriteString(decodeText(b[at:], hint))
	return out.String()
}

// decodeText converts bytes to UTF-8. The charset that a camera names is often wrong: Hikvision says gb2312, whatever
// it sends. So valid UTF-8 is kept, and if the named charset does not fit, decodeText guesses one.
func decodeText(b []byte, name string) string {
	shifting := strings.HasPrefix(name, "iso-2022-") || strings.HasPrefix(name, "hz-") ||
		strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32")
	if cut := validPrefix(b); !shifting && cut != nil {
		return string(cut)
	}
	switch name {
	case "gb2312", "gbk", "gb18030", "cp936", "ms936", "936", "x-gbk", "gb_2312-80", "euc-cn", "chinese":
		name = guessCharset(b, true)
	case "", "utf-8", "utf8", "us-ascii", "ascii", "7bit", "8bit", "unknown-8bit", "default":
		name = guessCharset(b, false)
	}
	if s, bad := convert(b, name); bad <= len(s)/100 {
		return s
	}
	s, _ := convert(b, guessCharset(b, false))
	return s
}

// validPrefix returns b without a last character that is cut off, or nil if b is not UTF-8.
func validPrefix(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= 0xc0 && !utf8.FullRune(b[len(b)-i:]) {
				b = b[:len(b)-i]
			}
			break
		}
	}

	if !utf8.Valid(b) {
		return nil
	}
	return append([]byte{}, b...)
}

// convert decodes b, and counts what was no character.
func convert(b []byte, name string) (s string, bad int) {
	r, err := charset.Reader(name, bytes.NewReader(b))
	if err != nil {
		return "", 1
	}
	out, _ := io.ReadAll(io.LimitReader(r, 4*MaxHead))
	s = string(out)
	return s, strings.Count(s, "\uFFFD")
}

// guessCharset names the charset of bytes that are not UTF-8. It looks at the runs of bytes above 127. Chinese
// characters are pairs, mostly with a low first byte. Russian words consist of letters of the upper half. Anything else
// is taken as Western European. chinese says that the mail itself names a Chinese charset; then odd runs are accepted
// beside common characters, because the second byte of a rare character may be ASCII.
func guessCharset(b []byte, chinese bool) string {
	pairs, common, odd, russian, high := 0, 0, 0, 0, 0
	for i := 0; i < len(b); i++ {
		if b[i] < 0x80 {
			continue
		}
		j := i
		letters := 0
		for ; j < len(b) && b[j] >= 0x80; j++ {
			if b[j] >= 0xc0 || b[j] == 0xa8 || b[j] == 0xb8 {
				letters++
			}
		}
		n := j - i
		high += n
		between := i > 0 && isLetter(b[i-1]) && j < len(b) && isLetter(b[j])
		if n%2 == 1 && j < len(b) || n == 2 && between {
			odd++
		}
		if letters == n && n >= 3 {
			russian += n
		}
		for k := i; k+1 < j; k += 2 {
			if b[k] >= 0xa1 && b[k] <= 0xf7 && b[k+1] >= 0xa1 {
				pairs++
				if b[k] >= 0xb0 && b[k] <= 0xd7 || b[k] <= 0xa3 {
					common++
				}
			}
		}

		i = j
	}

	switch {
	case chinese && (odd == 0 || common > odd), odd == 0 && pairs > 0 && 2*pairs >= high-1 && 2*common > pairs:
		return "gb18030"
	case 2*russian > high:
		return "windows-1251"
	}
	return "windows-1252"
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// plain returns the text of HTML without tags, scripts and styles. Blocks and rows get lines of their own. A row of two
// cells becomes `key: value`.
func plain(s string) string {
	var out strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			out.WriteString(html.UnescapeString(s))
			break
		}
		out.WriteString(html.UnescapeString(strings.ReplaceAll(s[:i], "\n", " ")))
		s = s[i:]
		if strings.HasPrefix(s, "<!--") {
			_, s, _ = strings.Cut(s[4:], "-->")
			continue
		}
		if len(s) < 2 || !isLetter(s[1]) && !strings.ContainsRune("/!?", rune(s[1])) {
			out.WriteByte('<')
			s = s[1:]
			continue
		}
		tag, rest, _ := strings.Cut(s[1:], ">")
		s = rest
		name := strings.ToLower(strings.TrimPrefix(tag, "/"))
		if end := strings.IndexAny(name, " \t\r\n/"); end >= 0 {
			name = name[:end]
		}
		switch name {
		case "script", "style", "title":
			if tag[0] != '/' {
				s = behind(s, "</"+name)
			}
		case "br", "p", "div", "tr", "table", "li", "ul", "h1", "h2", "h3", "h4", "body", "head", "hr", "pre":
			out.WriteByte('\n')
		case "td", "th":
			if tag[0] == '/' {
				out.WriteByte('\t')
			}
		}
	}

	var lines []string
	for l := range strings.Lines(out.String()) {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		if key, value, ok := strings.Cut(l, "\t"); ok && !strings.ContainsAny(key, ":=：") &&
			!strings.Contains(value, "\t") {
			l = key + ": " + value
		}
		lines = append(lines, l)
	}

	return strings.Join(lines, "\n")
}

// behind returns what follows the end of the first such tag, or "" if there is none.
func behind(s, tag string) string {
	for i := 0; i+len(tag) <= len(s); i++ {
		n := strings.IndexByte(s[i:], '<')
		if n < 0 {
			return ""
		}
		if i += n; i+len(tag) <= len(s) && strings.EqualFold(s[i:i+len(tag)], tag) {
			_, rest, _ := strings.Cut(s[i:], ">")
			return rest
		}
	}

	return ""
}

package message

import (
	"bytes"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// header holds the fields of a mail's or a part's header, the first of each name, by lower-case name.
type header map[string][]byte

func (h header) get(name string) []byte { return h[name] }

var (
	charsetParam  = regexp.MustCompile(`(?i)charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})`)
	boundaryParam = regexp.MustCompile(`(?i)boundary\s*=\s*(?:"([^"\r\n]{1,200})"?|([^";\s]{1,200}))`)
)

// charset is the charset that the content type names, "" if none.
func (h header) charset() string {
	if m := charsetParam.FindSubmatch(h.get("content-type")); m != nil {
		return strings.ToLower(string(m[1]))
	}
	return ""
}

// kind is the media type in lower case, "" if none is given.
func (h header) kind() string {
	kind, _, _ := strings.Cut(string(h.get("content-type")), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

func (h header) boundary() string {
	m := boundaryParam.FindSubmatch(h.get("content-type"))
	if m == nil {
		return ""
	}
	return strings.TrimSpace(string(m[1]) + string(m[2]))
}

// known tells whether a header field is one of those by which a header is told from a text of `key: value` lines.
func known(name string) bool {
	switch name {
	case "from", "to", "cc", "subject", "date", "sender", "reply-to", "return-path", "received", "message-id", "mime-version", "user-agent", "importance", "priority", "delivered-to":
		return true
	}
	return strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "x-")
}

// line cuts the first line, without its end, from b; whole says that its end is there.
func line(b []byte) (l, rest []byte, whole bool) {
	l, rest, whole = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(l, []byte("\r")), rest, whole
}

// fieldName returns a header line's name in lower case and its value; ok is false if the line is no header field.
func fieldName(l []byte) (name string, value []byte, ok bool) {
	n, v, found := bytes.Cut(l, []byte(":"))
	n = bytes.TrimRight(n, " \t")
	if !found || len(n) == 0 || len(n) > 76 {
		return "", nil, false
	}
	for _, c := range n {
		if c <= ' ' || c >= 0x7f {
			return "", nil, false
		}
	}
	return strings.ToLower(string(n)), bytes.TrimSpace(v), true
}

// readHeader reads a header and returns what follows it. A first line that is no header field, or a block of lines none
// of which is known, means that there is no header. A later line that is none is left out if known fields follow it,
// and is the text's begin otherwise. Done is false while more bytes may change the header.
func readHeader(b []byte) (h header, body []byte, done bool) {
	block, after, blank := b, []byte(nil), false
	for rest := b; len(rest) > 0; {
		l, next, whole := line(rest)
		if whole && len(bytes.TrimSpace(l)) == 0 {
			block, after, blank = b[:len(b)-len(rest)], next, true
			break
		}
		rest = next
		if len(b)-len(rest) > maxHeader {
			block, after, blank = b[:len(b)-len(rest)], rest, whole
			break
		}
	}
	h = header{}
	last, any := "", false
	for n, rest := 0, block; len(rest) > 0; n++ {
		l, next, whole := line(rest)
		name, value, ok := fieldName(l)
		switch {
		case n == 0 && bytes.HasPrefix(l, []byte("From ")): // of a mail box file
		case len(l) > 0 && (l[0] == ' ' || l[0] == '\t') && last != "":
			if n < 4*maxLines {
				h[last] = append(append(h[last], ' '), bytes.TrimSpace(l)...)
			}
		case !ok && n == 0 && (whole || blank):
			return header{}, b, true
		case !ok && !laterKnown(next):
			if any && (whole || blank) {
				return h, b[len(block)-len(rest):], blank
			}
		case ok && n < maxLines:
			any = any || known(name)
			last = name
			if _, twice := h[name]; twice {
				last = "\x00" + name // its continuation lines belong to it, not to the first
			} else {
				h[name] = bytes.Clone(value)
			}
		}
		rest = next
	}
	if !any && len(block) > 0 {
		return header{}, b, blank
	}
	return h, after, blank
}

// aheadLines is how many lines behind one that is no header field are looked at.
const aheadLines = 20

// laterKnown tells whether one of the following lines is a known header field.
func laterKnown(b []byte) bool {
	for range aheadLines {
		if len(b) == 0 {
			return false
		}
		l, next, _ := line(b)
		if name, _, ok := fieldName(l); ok && known(name) {
			return true
		}
		b = next
	}
	return false
}

// search looks for the first text of a mail.
type search struct{ parts int }

// entity returns the first text of a mail or a part that is not blank. End says that more bytes behind body do not
// change it.
func (s *search) entity(h header, body []byte, depth int) (text string, end bool) {
	kind := h.kind()
	boundary := h.boundary()
	if kind == "" || strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "multipart/") && boundary == "" {
		if b := looksLikeParts(body); b != "" {
			kind, boundary = "multipart/mixed", b
		}
	}
	switch {
	case strings.HasPrefix(kind, "multipart/") && boundary != "":
		if text, end, found := s.multipart([]byte(boundary), body, depth); found {
			return text, end
		}
		if b := looksLikeParts(body); b != "" { // the boundary is another one than the header says
			text, _, _ = s.multipart([]byte(b), body, depth)
			return text, false
		}
	case kind == "message/rfc822" && depth < maxDepth:
		inner, b, done := readHeader(body)
		text, end = s.entity(inner, b, depth+1)
		return text, done && end
	case kind != "" && !strings.HasPrefix(kind, "text/") && !strings.HasPrefix(kind, "multipart/"), attachment(h):
		return "", false
	}
	raw := decodeTransfer(string(h.get("content-transfer-encoding")), body)
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decodeText(raw, h.charset()))
	if start := strings.ToLower(strings.TrimSpace(text[:min(len(text), 200)])); kind == "text/html" || strings.HasPrefix(start, "<html") || strings.HasPrefix(start, "<!doctype") || strings.HasPrefix(start, "<body") || strings.HasPrefix(start, "<table") || strings.HasPrefix(start, "<div") {
		text = plain(text)
	}
	return text, false
}

func attachment(h header) bool {
	return bytes.HasPrefix(bytes.ToLower(h.get("content-disposition")), []byte("attachment"))
}

// looksLikeParts finds the boundary of a body that consists of parts though its header does not say so.
func looksLikeParts(body []byte) string {
	body = bytes.TrimLeft(body, " \t\r\n")
	first, rest, _ := line(body)
	second, _, whole := line(rest)
	b := string(bytes.TrimSpace(bytes.TrimPrefix(first, []byte("--"))))
	if !whole || len(b) == 0 || len(b) > 200 || !bytes.HasPrefix(first, []byte("--")) || !bytes.HasPrefix(bytes.ToLower(second), []byte("content-")) {
		return ""
	}
	return b
}

// multipart returns the first text of the parts. A part's end is the next line that is the boundary. Found is false where
// there is no such line.
func (s *search) multipart(boundary, body []byte, depth int) (text string, end, found bool) {
	if depth >= maxDepth {
		return "", false, true
	}
	part, in := 0, false
	for at := 0; at < len(body); {
		l, rest, whole := line(body[at:])
		next := len(body) - len(rest)
		delim, last := delimiter(l, boundary)
		if delim && in {
			if text, _ = s.part(body[part:at], depth); strings.TrimSpace(text) != "" {
				return text, whole, true
			}
		}
		if delim && last && whole {
			return "", true, true
		}
		if delim {
			if s.parts++; s.parts > maxParts {
				return "", true, true
			}
			part, in = next, true
		}
		at = next
	}
	if in {
		text, end = s.part(body[part:], depth)
		return text, end && strings.TrimSpace(text) != "", true
	}
	return "", false, false
}

func (s *search) part(b []byte, depth int) (text string, end bool) {
	var h header
	if l, rest, _ := line(b); len(bytes.TrimSpace(l)) == 0 {
		h, b = header{}, rest // a part with no header
	} else {
		h, b, _ = readHeader(b)
	}
	return s.entity(h, b, depth+1)
}

// delimiter tells whether a line is the boundary between parts, and the last one.
func delimiter(l, boundary []byte) (is, last bool) {
	rest, ok := bytes.CutPrefix(l, []byte("--"))
	if !ok {
		return false, false
	}
	if rest, ok = bytes.CutPrefix(rest, boundary); !ok {
		return false, false
	}
	rest, last = bytes.CutPrefix(rest, []byte("--"))
	return len(bytes.TrimSpace(rest)) == 0, last
}

// sender returns the first address of a From field and the name before it.
func sender(from []byte, hint string) (address, name string) {
	s := string(from)
	if i := strings.IndexByte(s, '<'); i >= 0 {
		address, _, _ = strings.Cut(s[i+1:], ">")
		name = strings.Trim(strings.TrimSpace(s[:i]), `"'`)
		name = strings.ReplaceAll(name, `\`, "")
	} else {
		address, _, _ = strings.Cut(s, ",")
		if a, comment, ok := strings.Cut(address, "("); ok {
			address = a
			name, _, _ = strings.Cut(comment, ")")
		}
	}
	return Clean(decodeWords([]byte(address), hint)), Clean(decodeWords([]byte(name), hint))
}

// headerDate reads a header's Date.
func headerDate(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	if t, err := mail.ParseDate(s); err == nil {
		return t
	}
	return parseTime(Clean(s), "")
}

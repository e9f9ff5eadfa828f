package message

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// --- Headers ---

// header holds the fields of the header of a mail or a part, by name in lower case. The first field of a name counts.
type header map[string][]byte

func (h header) get(name string) []byte { return h[name] }

var (
	charsetParam  = regexp.MustCompile(`(?i)charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})`)
	boundaryParam = regexp.MustCompile(`(?i)boundary\s*=\s*(?:"([^"\r\n]{1,200})"?|([^";\s]{1,200}))`)
)

// charset returns the charset that the content type names, or "".
func (h header) charset() string {
	if m := charsetParam.FindSubmatch(h.get("content-type")); m != nil {
		return strings.ToLower(string(m[1]))
	}
	return ""
}

// kind returns the media type in lower case, or "" if none is given.
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

// known reports whether a header field is one of those that distinguish a header from a text of `key: value` lines.
func known(name string) bool {
	switch name {
	case "from", "to", "cc", "subject", "date", "sender", "reply-to", "return-path", "received", "message-id",
		"mime-version", "user-agent", "importance", "priority", "delivered-to":
		return true
	}
	return strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "x-")
}

// line cuts the first line from b and removes its line end. whole reports whether the line end is there.
func line(b []byte) (l, rest []byte, whole bool) {
	l, rest, whole = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(l, []byte("\r")), rest, whole
}

// fieldName returns the name of a header line in lower case, and its value. ok is false if the line is no header field.
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

// readHeader reads a header and returns the header and the body after it. There is no header if the first line is no
// header field, or if none of the fields is known. A later line that is no header field is skipped if known fields
// follow; otherwise the body begins with that line. done is false while more bytes may change the header.
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
		case n == 0 && bytes.HasPrefix(l, []byte("From ")): // the first line in a mailbox file
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
				last = "\x00" + name // its continuation lines belong to this field, not to the first one
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

// aheadLines is how many lines laterKnown looks at.
const aheadLines = 20

// laterKnown reports whether one of the next lines is a known header field.
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

// --- Parts ---

// walker reads a mail part by part while the mail arrives. Its Read returns the content of the current part, decoded
// from its transfer encoding, up to the next boundary line. The boundary of an outer part also ends the inner parts.
type walker struct {
	in    *bufio.Reader            // its size is how far the walker looks ahead for headers and boundaries
	leaf  func(header) (stop bool) // called for each part that holds no parts; may read the content
	open  []string                 // boundaries of the parts around the current position, the outermost first
	parts int                      // so far

	encoding string // transfer encoding of the content
	base64   base64Bits
	rest     []byte // of the line that is being read
	inLine   bool   // the next bytes do not begin a line
	broken   bool   // the content does not follow its encoding
	err      error  // the end of the content

	level       int  // index of the boundary that ended the content, -1 if the mail ended
	last, whole bool // of that boundary line: no part follows; its line end is there

	unsure bool // more bytes may divide the mail into other parts
}

// Parts reads a mail while it arrives. It calls leaf for each part that holds no parts itself, until leaf returns true.
// The content is decoded from its transfer encoding. It ends with [io.ErrUnexpectedEOF] if the mail ends within parts,
// or if the content does not follow its encoding. Parts needs 32 KiB of memory, however long the mail is.
func Parts(mail io.Reader, leaf func(content io.Reader) (stop bool)) {
	w := &walker{in: bufio.NewReaderSize(mail, maxHeader)}
	w.leaf = func(header) bool { return leaf(w) }
	w.entity(w.header(), 1)
}

func (w *walker) Read(p []byte) (int, error) {
	for len(w.rest) == 0 && w.err == nil {
		w.readLine()
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	if n == 0 {
		return 0, w.err
	}
	return n, nil
}

// readLine reads a line of the content. Of a long line it reads as much as fits into the buffer.
func (w *walker) readLine() {
	l, err := w.in.ReadSlice('\n')
	bare, _, whole := line(l)
	level, last := delimiter(bare, w.open)
	switch {
	case level >= 0 && !w.inLine:
		w.level, w.last, w.whole, w.err = level, last, whole, io.EOF
	case len(l) == 0:
		w.level, w.last, w.whole, w.err = -1, false, false, err
		w.broken = w.broken || len(w.open) > 0
	case w.encoding == "base64":
		clean := false
		w.rest, clean = w.base64.decode(l[:0], l)
		w.broken = w.broken || !clean
	case w.encoding == "quoted-printable":
		w.rest = decodeQuoted(l, false)
	default:
		w.rest = l
	}

	w.inLine = !whole
	if w.broken && errors.Is(w.err, io.EOF) {
		w.err = io.ErrUnexpectedEOF
	}
}

// skip reads the rest of the content.
func (w *walker) skip() { _, _ = io.Copy(io.Discard, w) }

// ahead returns the rest of the part as far as it is in the buffer. complete reports whether this is all of it.
func (w *walker) ahead() (b []byte, complete bool) {
	b, _ = w.in.Peek(w.in.Size())
	b, _, complete = upTo(b, w.open)
	return b, complete
}

// header reads the header of the mail or of the next part.
func (w *walker) header() header {
	w.encoding, w.base64, w.inLine, w.broken, w.err = "", base64Bits{}, false, false, nil
	b, complete := w.ahead()
	h, body, done := readHeader(b)
	w.unsure = w.unsure || !done && !complete
	_, _ = w.in.Discard(len(b) - len(body)) // these bytes are in the buffer
	return h
}

// entity reads the content of a mail or of a part. It reports whether leaf has stopped the walk.
func (w *walker) entity(h header, depth int) (stop bool) {
	kind, boundary := h.kind(), h.boundary()
	b, complete := w.ahead()
	if parts := strings.HasPrefix(kind, "multipart/"); parts || kind == "" || strings.HasPrefix(kind, "text/") {
		if parts && boundary != "" {
			if _, found, _ := upTo(b, []string{boundary}); found {
				return w.multipart(boundary, depth)
			}
			w.unsure = w.unsure || !complete
		}

		// The body may consist of parts although the header says nothing, or names another boundary.
		if boundary = looksLikeParts(b); boundary != "" {
			return w.multipart(boundary, depth)
		}
	}

	if kind == "message/rfc822" && depth < maxDepth {
		return w.entity(w.header(), depth+1)
	}
	encoding, _, _ := strings.Cut(string(h.get("content-transfer-encoding")), ";")
	w.encoding = strings.ToLower(strings.TrimSpace(encoding))
	if first, _, _ := line(bytes.TrimLeft(b, " \t\r\n")); w.encoding == "base64" && !plainBase64(first) {
		w.encoding = "" // some cameras say base64 and send plain text
	}
	if w.leaf(h) {
		return true
	}
	w.skip()
	return false
}

// multipart reads parts. A part ends at the next boundary line. It reports whether the walk has stopped.
func (w *walker) multipart(boundary string, depth int) (stop bool) {
	level := len(w.open)
	if depth < maxDepth {
		w.open = append(w.open, boundary)
	}
	w.skip() // the text before the first part
	for w.level == level && !w.last {
		if w.parts++; w.parts > maxParts || w.entity(w.header(), depth+1) {
			return true
		}
	}
	w.open = w.open[:level]
	if w.level == level && level > 0 {
		w.err = nil
		w.skip() // the text after the last part belongs to the outer part
	}
	return false
}

// text returns the content as text, or "" if the content is no text.
func (w *walker) text(h header) string {
	kind := h.kind()
	if kind != "" && !strings.HasPrefix(kind, "text/") && !strings.HasPrefix(kind, "multipart/") ||
		bytes.HasPrefix(bytes.ToLower(h.get("content-disposition")), []byte("attachment")) {
		return ""
	}
	b, _ := io.ReadAll(w)
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decodeText(b, h.charset()))
	if start := strings.ToLower(strings.TrimSpace(text[:min(len(text), 200)])); kind == "text/html" ||
		strings.HasPrefix(start, "<html") || strings.HasPrefix(start, "<!doctype") ||
		strings.HasPrefix(start, "<body") || strings.HasPrefix(start, "<table") || strings.HasPrefix(start, "<div") {
		text = plain(text)
	}
	return text
}

// looksLikeParts returns the boundary of a body that consists of parts although its header does not say so, or "".
func looksLikeParts(body []byte) string {
	body = bytes.TrimLeft(body, " \t\r\n")
	first, rest, _ := line(body)
	second, _, whole := line(rest)
	b := string(bytes.TrimSpace(bytes.TrimPrefix(first, []byte("--"))))
	if !whole || len(b) == 0 || len(b) > 200 || !bytes.HasPrefix(first, []byte("--")) ||
		!bytes.HasPrefix(bytes.ToLower(second), []byte("content-")) {
		return ""
	}
	return b
}

// upTo returns what stands before the first boundary line, or all of b if there is none. whole reports whether the
// boundary line has its line end.
func upTo(b []byte, boundaries []string) (before []byte, found, whole bool) {
	for rest := b; len(rest) > 0; {
		l, next, whole := line(rest)
		if level, _ := delimiter(l, boundaries); level >= 0 {
			return b[:len(b)-len(rest)], true, whole
		}
		rest = next
	}

	return b, false, false
}

// delimiter returns the index of the boundary that a line is: the outermost one if several fit, -1 if none fits. last
// reports whether the line is the last line of that boundary.
func delimiter(l []byte, boundaries []string) (level int, last bool) {
	rest, ok := bytes.CutPrefix(l, []byte("--"))
	if !ok {
		return -1, false
	}
	for i, b := range boundaries {
		if rest, ok := bytes.CutPrefix(rest, []byte(b)); ok {
			rest, last = bytes.CutPrefix(rest, []byte("--"))
			if len(bytes.TrimSpace(rest)) == 0 {
				return i, last
			}
		}
	}

	return -1, false
}

// --- Sender and date ---

// sender returns the first address in a From field and the name that belongs to it.
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

// headerDate reads the Date of a header. It returns zero if it cannot.
func headerDate(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	if t, err := mail.ParseDate(s); err == nil {
		return t
	}
	return parseTime(Clean(s), "")
}

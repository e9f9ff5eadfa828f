package trigger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the pictures that cameras send
	_ "image/png"
	"io"
	"mime"
	"regexp"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"
)

// Bounds of the search for a mail's picture.
const (
	maxDepth     = 4 // of parts in parts
	maxParts     = 20
	maxPicture   = 4 << 20 // bytes
	maxPixels    = 50_000_000
	maxPictures  = 8        // that are held in memory at once; the pictures of further mails are left out
	picturesEach = 2        // and of one address
	maxHeader    = 64 << 10 // of one part, bytes
)

var errHeader = errors.New("header too long")

// flow is a mail as it comes in. While a header is read it ends after maxHeader bytes, since headers are kept in memory.
// It remembers how the mail itself ended.
type flow struct {
	r      io.Reader
	header bool
	left   int
	err    error
}

func (f *flow) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.header {
		if f.left <= 0 {
			return 0, errHeader
		}
		p = p[:min(len(p), f.left)]
	}
	n, err := f.r.Read(p)
	f.left -= n
	f.err = err
	return n, err
}

// limit says that a header comes now, or that it is over.
func (f *flow) limit(on bool) { f.header, f.left = on, maxHeader }

// search looks for a mail's picture.
type search struct {
	in    *flow
	parts int
	hold  func() bool // asks for room for a picture in memory
}

// picture returns the first JPEG or PNG in a mail, or nil; what a part is, its bytes tell and not its header or name.
// A mail that is not one, or is broken, holds none.
func (s *search) picture() []byte {
	br := bufio.NewReader(s.in)
	s.in.limit(true)
	h, err := textproto.ReadHeader(br)
	s.in.limit(false)
	if err != nil {
		return nil
	}
	return s.part(h, br, 1)
}

// anyBoundary finds the boundary where a camera's header is not what RFC 2045 asks for.
var anyBoundary = regexp.MustCompile(`(?i)boundary\s*=\s*"?([^";\r\n]+)`)

func (s *search) part(h textproto.Header, body io.Reader, depth int) []byte {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && kind == "" {
		kind, _, _ = strings.Cut(h.Get("Content-Type"), ";")
	}
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		return s.leaf(h, body)
	}
	boundary := params["boundary"]
	if m := anyBoundary.FindStringSubmatch(h.Get("Content-Type")); boundary == "" && m != nil {
		boundary = strings.TrimSpace(m[1])
	}
	if boundary == "" || depth > maxDepth {
		return nil
	}
	mr := textproto.NewMultipartReader(body, boundary)
	for s.parts < maxParts {
		s.parts++
		s.in.limit(true)
		p, err := mr.NextPart()
		s.in.limit(false)
		if err != nil {
			return nil
		}
		if b := s.part(p.Header, p, depth+1); b != nil {
			return b
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			return nil
		}
	}
	return nil
}

// leaf returns a part's content if it is a picture.
func (s *search) leaf(h textproto.Header, body io.Reader) []byte {
	// As a text with a charset it would be converted.
	h.Set("Content-Type", "application/octet-stream")
	e, err := message.New(message.Header{Header: h}, body)
	if err != nil {
		return nil
	}
	br := bufio.NewReader(e.Body)
	magic, _ := br.Peek(8)
	if !bytes.HasPrefix(magic, []byte("\xff\xd8\xff")) && string(magic) != "\x89PNG\r\n\x1a\n" || !s.hold() {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(br, maxPicture+1))
	if errors.Is(err, io.ErrUnexpectedEOF) && whole(b) { // only the mail's last boundary is missing
		err = nil
	}
	if err != nil || checkPicture(b) != nil {
		return nil
	}
	return b
}

// whole tells whether a picture has its end.
func whole(b []byte) bool {
	return bytes.HasSuffix(b, []byte("\xff\xd9")) || bytes.HasSuffix(b, []byte("IEND\xaeB`\x82"))
}

// checkPicture returns an error unless a picture can be shown without harm. Only its header is read.
func checkPicture(b []byte) error {
	if len(b) > maxPicture {
		return fmt.Errorf("more than %d bytes", maxPicture)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if c.Width <= 0 || c.Height <= 0 || int64(c.Width)*int64(c.Height) > maxPixels {
		return fmt.Errorf("%d x %d pixels", c.Width, c.Height)
	}
	return nil
}

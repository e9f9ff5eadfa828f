package trigger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the formats that cameras send
	_ "image/png"
	"io"

	"github.com/preroll/preroll/recorder/trigger/message"
)

// Bounds of a mail's picture. Package message bounds the search for it.
const (
	maxPicture   = 4 << 20 // bytes
	maxPixels    = 50_000_000
	maxPictures  = 8 // held in memory at once; further mails lose their pictures
	picturesEach = 2 // of maxPictures, for one address
)

// picture returns the first JPEG or PNG in a mail, or nil. It recognizes a picture by its bytes, not by its header or
// name. hold asks for room for a picture in memory.
func picture(mail io.Reader, hold func() bool) (found []byte) {
	message.Parts(mail, func(content io.Reader) bool {
		found = pictureOf(content, hold)
		return found != nil
	})
	return found
}

// pictureOf returns the content of a part if it is a picture, and nil otherwise.
func pictureOf(content io.Reader, hold func() bool) []byte {
	br := bufio.NewReader(content)
	magic, _ := br.Peek(8)
	if !bytes.HasPrefix(magic, []byte("\xff\xd8\xff")) && string(magic) != "\x89PNG\r\n\x1a\n" || !hold() {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(br, maxPicture+1))
	if errors.Is(err, io.ErrUnexpectedEOF) && whole(b) {
		err = nil // only the last boundary of the mail is missing
	}
	if err != nil || checkPicture(b) != nil {
		return nil
	}
	return bytes.TrimRight(b, "\r\n") // a line end before a boundary belongs to the boundary
}

// whole reports whether a picture has its end.
func whole(b []byte) bool {
	return bytes.HasSuffix(b, []byte("\xff\xd9")) || bytes.HasSuffix(b, []byte("IEND\xaeB`\x82"))
}

// checkPicture returns an error unless a picture can be shown without harm. It reads only the picture's header.
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

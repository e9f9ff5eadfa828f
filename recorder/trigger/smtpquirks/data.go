package smtpquirks

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/preroll/preroll/recorder/text"
)

// dataBuffer is how many bytes of a mail's data are read at once.
const dataBuffer = 32 << 10

// data is the state of a mail's data.
type data struct {
	inLine bool // not at the beginning of a line
	odd    bool // the last line did not end in CRLF
	crlf   bool // a line of this mail ended in CRLF
	other  bool // a line of this mail ended in another way
	bytes  int64
}

// beginData begins a mail's data, after the reply 354.
func (c *Conn) beginData() {
	c.data = &data{}
	c.grow(dataBuffer)
}

// readData puts more of a mail's data into out, with CRLF at the end of each line.
func (c *Conn) readData() error {
	d := c.data
	out := c.outBuf[:0]
	for c.data != nil {
		b := c.buf[c.r:c.w]
		if len(b) == 0 {
			if len(out) > 0 {
				break
			}
			if err := c.fill(); err != nil {
				return err
			}
			continue
		}

		if !d.inLine && b[0] == '.' {
			if len(out) > 0 { // the rest may wait
				break
			}
			n, crs := dotLine(b)
			proper := crs == 1
			if n > 0 {
				end, err := c.endsData(b[n:], proper)
				switch {
				case err != nil:
					return err
				case end:
					out = append(out, ".\r\n"...)
					c.r += n
					c.lineEnd(crs)
					c.endData()
				case c.w-c.r > len(b): // more has arrived
				default:
					out = append(out, "..\r\n"...)
					c.r += n
					d.lineEnd(c.lineEnd(crs))
				}
				continue
			}
			if n < 0 { // the line is incomplete
				err := c.fillWithin(c.dot)
				switch {
				case errors.Is(err, errQuiet) && (len(b) == 1 || !c.onlyCR):
				case errors.Is(err, errQuiet):
					out = append(out, ".\r\n"...)
					c.r = c.w
					c.lineFeed = true
					c.endData()
				case err != nil:
					return err
				}
				continue
			}
		}

		out = d.line(c, out, b)
		if c.r < c.w && len(out) == 0 { // only CRs; the next byte tells what they mean
			if err := c.fill(); err != nil {
				return err
			}
		} else if c.r < c.w && onlyCR(c.buf[c.r:c.w]) {
			break
		}
	}

	c.out, c.outBuf = out, out
	if c.data == nil {
		c.outBuf = nil
		c.grow(1024)
	}
	return nil
}

// line passes on the rest of the first line in b, or what has arrived of it.
func (d *data) line(c *Conn, out, b []byte) []byte {
	i := bytes.IndexByte(b, '\n')
	if c.onlyCR {
		if cr := bytes.IndexByte(b, '\r'); cr >= 0 && (i < 0 || cr < i) && cr+1 < len(b) && b[cr+1] != '\n' &&
			b[cr+1] != '\r' {
			c.r += cr + 1
			d.lineEnd(false)
			return append(append(out, b[:cr]...), "\r\n"...)
		}
	}

	if i < 0 {
		text := bytes.TrimRight(b, "\r")
		d.inLine = d.inLine || len(text) > 0
		c.r += len(text) + max(0, len(b)-len(text)-2)
		d.bytes += int64(len(text))
		return append(out, text...)
	}

	text := bytes.TrimRight(b[:i], "\r")
	crs := i - len(text)
	c.r += i + 1
	d.bytes += int64(len(text)) + 2
	proper := c.lineEnd(crs)
	d.lineEnd(proper)
	if proper {
		return append(out, b[:i+1]...)
	}
	return append(append(out, text...), "\r\n"...)
}

// lineEnd records how a line ended.
func (d *data) lineEnd(proper bool) {
	d.inLine, d.odd = false, !proper
	d.crlf, d.other = d.crlf || proper, d.other || !proper
}

func onlyCR(b []byte) bool { return len(bytes.Trim(b, "\r")) == 0 }

// dotLine examines a line that begins with a dot. n is the length of the line if it holds nothing else, 0 if it does,
// and -1 if that is not known yet. crs is the number of carriage returns before the line feed.
func dotLine(b []byte) (n, crs int) {
	i := 1
	for i < len(b) && b[i] == '\r' {
		i++
	}
	switch {
	case i > 8:
		return 0, 0
	case i == len(b):
		return -1, 0
	case b[i] == '\n':
		return i + 1, i - 1
	}

	return 0, 0
}

// endsData reports whether a line with only a dot ends the data. The line does so between CRLFs. Otherwise it does so
// in a mail without any line that ended in CRLF, and if the camera waits for the answer. So text within a proper mail
// cannot end the mail and make the rest be read as commands. endsData may read more; the caller then has to ask again.
func (c *Conn) endsData(after []byte, proper bool) (bool, error) {
	d := c.data
	if proper && !d.odd || d.other && !d.crlf {
		return true, nil
	}
	if !isQuit(after) {
		return false, nil
	}
	err := c.fillWithin(c.dot)
	if errors.Is(err, errQuiet) || errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// isQuit reports whether b is a beginning of QUIT, or empty, so that the camera may be waiting for an answer.
func isQuit(b []byte) bool {
	return len(b) <= 6 && (strings.HasPrefix("QUIT\r\n", strings.ToUpper(string(b))) ||
		strings.EqualFold(string(b), "QUIT\n"))
}

// endData goes back to commands.
func (c *Conn) endData() {
	c.addNote(note, text.NoteMailBytes.With(c.data.bytes))
	c.data = nil
	c.verb = "end"
}

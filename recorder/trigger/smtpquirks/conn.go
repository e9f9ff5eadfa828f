// Package smtpquirks stands between a camera's connection and the SMTP server. It repairs what cameras send, so that
// the server understands it.
//
// [New] takes a camera's TCP connection, and returns a [net.Conn] for github.com/emersion/go-smtp. This connection
// speaks proper SMTP, whatever the camera does: commands of the right form, one at a time, and data whose lines end in
// CRLF. The package also speaks TLS, leads the login, and keeps the dialogue, so that a person can read what a camera
// did. Everything that a camera sends is untrusted and bounded: 4 KiB per command line, and 1,000 commands, 50 unknown
// commands and 10 failed logins per connection.
//
// The server needs these options: MaxLineLength 0, because lines of data may have any length; AllowInsecureAuth,
// because the server cannot see that there is TLS; no TLSConfig; and a session with AUTH PLAIN, because every login
// arrives in that form. The server has to pass the addresses that it gets through [Original].
//
// The package starts no goroutine. Read and Write belong to one goroutine of the server. Everything else may be called
// from any goroutine.
package smtpquirks

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// Limits of a connection.
const (
	maxLine     = 4096 // bytes of a command line with its line end
	maxCommands = 1000
	maxUnknown  = 50
	maxLogins   = 10 // failed logins
	answerTime  = 30 * time.Second
	tlsTime     = 20 * time.Second // for a handshake, because old cameras are slow
	dotTime     = time.Second      // of silence, after which an odd last line ends the data
	crTime      = 250 * time.Millisecond
)

// Options say what a connection offers.
type Options struct {
	TLS   *tls.Config   // for STARTTLS and for TLS from the first byte; nil: neither
	First bool          // this port speaks TLS from the first byte
	Sniff time.Duration // how long a plain port waits for a TLS hello before it greets; 0: not at all

	// Sniffed is called once on a plain port, when the camera's first byte arrives. tls reports whether the camera
	// began TLS. If the greeting was already out, this is too late for this connection. Sniffed may be nil.
	Sniffed func(tls bool)
}

// Conn is a camera's connection as the SMTP server should see it. See [New].
type Conn struct {
	raw  net.Conn
	o    Options
	dot  time.Duration // dotTime; shorter in tests
	conn net.Conn      // raw, or TLS above raw

	buf     []byte // what was read; [r:w] is not used yet
	r, w    int
	out     []byte // for the server
	outBuf  []byte // memory for out while a mail's data arrives
	reply   []byte // of the server, as far as it has arrived
	started bool
	ended   bool // the server gets nothing more
	mute    bool // the camera gets nothing more
	deaf    bool // the camera takes no more replies

	lineFeed bool // skip a line feed: the last line ended in CR alone
	onlyCR   bool // lines end in CR alone
	verb     string
	then     string // the camera's command, which follows a command of our own
	swallow  bool   // do not pass on the reply to a command of our own
	helo     bool
	utf8     bool // the server knows SMTPUTF8
	login    login
	data     *data // not nil while a mail's data arrives

	commands, unknown, failed int
	last                      step
	sniffed                   bool
	began                     time.Time

	mu      sync.Mutex // guards everything below
	rd, wd  time.Time  // the server's deadlines
	wait    time.Time  // our own deadline for reading
	rep     Report
	left    []Line // the newest lines, if there are too many
	leftOut int
}

// --- Deadlines ---

// New returns the connection as the server should see it. New does not block: TLS and waiting happen in Read and Write.
func New(c net.Conn, o Options) *Conn {
	return &Conn{raw: c, o: o, dot: dotTime, conn: c, began: time.Now()}
}

// NetConn returns the connection that was passed to New.
func (c *Conn) NetConn() net.Conn { return c.raw }

// LocalAddr returns the connection's own address.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr returns the camera's address.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Close closes the connection. Read and Write then return.
func (c *Conn) Close() error { return c.raw.Close() }

// SetDeadline bounds Read and Write.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds Read, including a TLS handshake in Read.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rd = t
	return c.raw.SetReadDeadline(earlier(c.rd, c.wait))
}

// SetWriteDeadline bounds Write.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wd = t
	return c.raw.SetWriteDeadline(t)
}

// setWait sets our own deadline for reading. The zero time removes the deadline.
func (c *Conn) setWait(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = t
	_ = c.raw.SetReadDeadline(earlier(c.rd, t)) // the next Read reports a closed connection
}

// earlier returns the earlier deadline. The zero time is no deadline.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// --- Reading from the camera ---

// errQuiet is the error for a camera that sent nothing within our own deadline.
var errQuiet = errors.New("the camera is quiet")

// fill reads more of what the camera sends.
func (c *Conn) fill() error {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		c.grow(max(1024, 2*len(c.buf)))
	}
	n, err := c.conn.Read(c.buf[c.w:])
	c.w += n
	c.mu.Lock()
	c.rep.Bytes += int64(n)
	c.mu.Unlock()
	if n > 0 {
		c.sniff()
		return nil
	}
	return err
}

// grow changes the size of the buffer.
func (c *Conn) grow(size int) {
	b := make([]byte, max(size, c.w-c.r))
	c.w = copy(b, c.buf[c.r:c.w])
	c.r, c.buf = 0, b
}

// fillWithin is fill, but returns errQuiet if nothing arrived within d.
func (c *Conn) fillWithin(d time.Duration) error {
	c.setWait(time.Now().Add(d))
	err := c.fill()
	c.setWait(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rd.IsZero() || time.Now().Before(c.rd) {
			return errQuiet
		}
	}

	return err
}

// sniff reports once to Options.Sniffed whether the camera began with TLS.
func (c *Conn) sniff() {
	if c.sniffed || c.o.First {
		return
	}
	c.sniffed = true
	if c.o.Sniffed != nil {
		c.o.Sniffed(c.buf[c.r] == tlsHello)
	}
}

// start does what comes before the greeting: the handshake of a TLS port, or the wait for a TLS hello.
func (c *Conn) start() {
	if c.started {
		return
	}
	c.started = true
	switch {
	case c.o.First:
		c.secure()
	case c.o.TLS != nil && c.o.Sniff > 0:
		err := c.fillWithin(c.o.Sniff)
		if c.r < c.w && c.buf[c.r] == tlsHello {
			c.secure()
		} else if err != nil && !errors.Is(err, errQuiet) {
			c.lost(err)
			c.mute = true
		}
	}
}

// --- The server's side ---

// Read returns the next command, or a mail's data. It returns io.EOF after QUIT, when the camera has gone, and when
// this package ended the connection. The report says which of these happened.
func (c *Conn) Read(p []byte) (int, error) {
	c.start()
	for len(c.out) == 0 {
		if c.ended {
			return 0, io.EOF
		}
		var err error
		if c.data != nil {
			err = c.readData()
		} else {
			err = c.readCommand()
		}
		if err != nil {
			c.lost(err)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, err
			}
		}
	}

	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// Write takes the server's replies and passes them on as the camera should see them, each in one piece. Write never
// fails, because a failure would make the server silent, and its replies say what the camera's next bytes mean.
func (c *Conn) Write(p []byte) (int, error) {
	c.start()
	if c.mute {
		return len(p), nil
	}
	c.reply = append(c.reply, p...)
	for from := 0; ; {
		i := bytes.IndexByte(c.reply[from:], '\n')
		if i < 0 {
			return len(p), nil
		}
		line := c.reply[from : from+i+1]
		from += i + 1
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		reply := string(c.reply[:from])
		c.reply = c.reply[from:]
		from = 0
		c.replied(reply)
	}
}

// replied handles a reply of the server and passes it on.
func (c *Conn) replied(reply string) {
	ok := reply[0] == '2'
	swallow := c.swallow
	c.swallow = false
	switch c.verb {
	case "":
		if !c.helo {
			c.reached(Greeted)
		}
	case "EHLO", "HELO":
		if c.helo = c.helo || ok; c.helo && !swallow {
			c.reached(Helo)
		}
		if ok && c.verb == "EHLO" {
			reply = c.offer(reply)
		}
	case "AUTH":
		c.loggedIn(ok)
	case "MAIL":
		if ok {
			c.reached(Mail)
		}
	case "RCPT":
		if ok {
			c.reached(Rcpt)
		}
	case "DATA":
		if strings.HasPrefix(reply, "354") {
			c.beginData()
			c.reached(Data)
		}
	case "end":
		if ok {
			c.reached(Accepted)
		}
	}

	if swallow {
		return
	}
	c.noteReply(reply)
	c.send(reply)
	switch {
	case c.verb == "QUIT" && ok:
		c.said(func(r *Report) { r.Quit = true })
		c.end(c.why(text.GaveUp))
		c.closeTLS()
	case c.verb == "AUTH" && c.failed >= maxLogins:
		c.bye("421 4.7.0 Too many failed logins",
			text.LoginFailed.With(maxLogins))
	}
}

// send writes to the camera. It reports no error: Read finds out that the camera has gone, and what the camera sent
// before may be a whole mail.
func (c *Conn) send(reply string) {
	if c.deaf {
		return
	}
	if _, err := io.WriteString(c.conn, reply); err != nil {
		c.deaf = true
	}
}

// offer rewrites the server's reply to EHLO. It adds STARTTLS and the logins, which this package speaks, and removes
// BDAT.
func (c *Conn) offer(reply string) string {
	lines := strings.Split(strings.TrimSuffix(reply, "\r\n"), "\r\n")
	offers := lines[:1:1]
	add := func(text string) { offers = append(offers, "250-"+text) }
	if c.o.TLS != nil && !c.isTLS() {
		add("STARTTLS")
	}
	for _, l := range lines[1:] {
		name, _, _ := strings.Cut(l[4:], " ")
		switch strings.ToUpper(name) {
		case "CHUNKING", "BINARYMIME", "STARTTLS":
		case "AUTH":
			add("AUTH=PLAIN LOGIN") // the form before the RFC, which old cameras look for
			add("AUTH PLAIN LOGIN")
		case "SMTPUTF8":
			c.utf8 = true
			add(l[4:])
		default:
			add(l[4:])
		}
	}

	last := len(offers) - 1
	offers[last] = "250 " + offers[last][4:]
	return strings.Join(offers, "\r\n") + "\r\n"
}

// --- Replies of our own, and the end ---

// answer sends a reply of our own.
func (c *Conn) answer(reply string) {
	if c.mute {
		return
	}
	c.noteReply(reply + "\r\n")
	_ = c.raw.SetWriteDeadline(time.Now().Add(answerTime)) // the server's deadline may be that of an old reply
	c.send(reply + "\r\n")
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.raw.SetWriteDeadline(c.wd)
}

// bye sends a last reply and ends the connection.
func (c *Conn) bye(reply string, why text.Text) {
	c.answer(reply)
	c.end(why)
	c.closeTLS()
}

// end gives the server nothing more. The first reason is kept.
func (c *Conn) end(why text.Text) {
	if !c.ended {
		c.said(func(r *Report) { r.GaveUp = why })
	}
	c.ended, c.data, c.then = true, nil, ""
}

// lost ends a connection that can no longer be read.
func (c *Conn) lost(err error) {
	if c.ended {
		return
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.addNote(note, text.NoteSilent.With())
		c.end(c.why(text.FellSilent))
	case errors.Is(err, net.ErrClosed):
		c.addNote(note, text.NotePreroll.With())
		c.end(text.Text{})
	default:
		c.addNote(note, text.NoteCamera.With())
		c.end(c.why(text.GaveUp))
	}
}

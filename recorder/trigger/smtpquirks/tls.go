package smtpquirks

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// tlsHello is the first byte of TLS. No command begins with it.
const tlsHello = 0x16

func (c *Conn) isTLS() bool {
	_, ok := c.conn.(*tls.Conn)
	return ok
}

// startTLS answers STARTTLS. The server does not see STARTTLS; a RSET of our own makes it forget the current mail.
func (c *Conn) startTLS() {
	c.verb = "STARTTLS"
	switch {
	case c.isTLS():
		c.answer("503 5.5.1 TLS is on already")
	case c.o.TLS == nil:
		c.answer("502 5.5.1 TLS is not offered")
	case c.login.done:
		c.answer("503 5.5.1 STARTTLS comes before AUTH") // the server cannot forget a login
	case c.r < c.w && c.buf[c.r] != tlsHello:
		c.injected()
	default:
		c.answer("220 2.0.0 Ready to start TLS")
		if !c.ended && c.secure() {
			c.swallow, c.out = true, []byte("RSET\r\n")
		}
	}
}

// injected ends a connection on which plain text follows STARTTLS. An attacker may have inserted the text, so that it
// counts as sent by the camera under TLS.
func (c *Conn) injected() {
	c.addNote(note, text.QuirkTextAfterTLS.With())
	c.mute = true
	c.end(text.TextAfterTLS.With())
}

// secure does the TLS handshake and reports whether it succeeded. After a failure the connection is at its end.
func (c *Conn) secure() bool {
	until := time.Now().Add(tlsTime)
	c.setWait(until)
	_ = c.raw.SetWriteDeadline(until)
	defer func() {
		c.setWait(time.Time{})
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.raw.SetWriteDeadline(c.wd)
	}()
	fail := func(why text.Text) bool {
		c.addNote(note, text.NoteNoTLS.With())
		c.mute = true
		c.end(why)
		return false
	}
	for c.r == c.w {
		if err := c.fill(); err != nil {
			switch {
			case errors.Is(err, net.ErrClosed):
				return fail(text.Text{})
			case !c.o.First:
				return fail(text.GaveUpBeforeTLS.With(text.GaveUp))
			}
			return fail(text.TLSNothing.With())
		}
	}

	switch b := c.buf[c.r:c.w]; {
	case b[0] == tlsHello:
	case isSSL2(b):
		return fail(tooOld)
	case c.o.First:
		return fail(text.TLSPlain.With())
	default:
		c.injected()
		return false
	}

	var versions []uint16
	conf := c.o.TLS.Clone()
	theirs := conf.GetConfigForClient
	conf.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		versions = slices.Clone(h.SupportedVersions)
		if theirs != nil {
			return theirs(h)
		}
		return nil, nil
	}

	t := tls.Server(&replay{c.raw, slices.Clone(c.buf[c.r:c.w])}, conf)
	c.r, c.w, c.buf = 0, 0, nil
	if err := t.Handshake(); err != nil {
		c.addLine(note, err.Error())
		return fail(handshakeFailed(err, versions, conf.MinVersion))
	}
	c.conn = t
	version := tls.VersionName(t.ConnectionState().Version)
	c.addNote(note, text.NoteTLSBegan.With(version))
	c.reached(StartTLS)
	c.said(func(r *Report) { r.TLS = version })
	return true
}

// replay is a connection of which some bytes were already read.
type replay struct {
	net.Conn
	b []byte
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// isSSL2 reports whether b begins with the hello of SSL 2, which clients of the 2000s send first.
func isSSL2(b []byte) bool { return len(b) > 2 && b[0]&0x80 != 0 && b[2] == 1 }

var tooOld = text.TLSTooOld.With()

// handshakeFailed says in plain words why a handshake failed. versions are the versions that the camera offered, empty
// if its hello did not arrive. lowest is the lowest version that is accepted; 0 is the default of crypto/tls.
func handshakeFailed(err error, versions []uint16, lowest uint16) text.Text {
	var op *net.OpError
	var record tls.RecordHeaderError
	if lowest == 0 {
		lowest = tls.VersionTLS12
	}
	switch {
	case errors.Is(err, net.ErrClosed):
		return text.Text{}
	case errors.As(err, &record):
		return text.TLSOther.With()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return text.TLSSilent.With()
	case len(versions) == 0:
		return text.TLSGaveUp.With()
	case slices.Max(versions) < tls.VersionTLS10:
		return tooOld
	case slices.Max(versions) < lowest:
		return text.TLSOld.With(tls.VersionName(slices.Max(versions)))
	case errors.As(err, &op) && op.Op == "remote error":
		switch alert(op.Err) {
		case 42, 43, 44, 45, 46, 48:
			return text.TLSRefused.With()
		case 40, 70, 71:
			return text.TLSNoCommon.With()
		}
		return text.TLSBrokenOff.With()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op) && op.Op != "local error":
		return text.TLSEnded.With()
	}

	return text.TLSNoCommon.With()
}

// alert returns the number of a TLS alert (RFC 8446, section 6), or 0. crypto/tls does not export the type of alerts.
func alert(err error) uint64 {
	if v := reflect.ValueOf(err); v.IsValid() && v.Kind() == reflect.Uint8 {
		return v.Uint()
	}
	return 0
}

// strayTLS says why TLS came where none was expected.
func (c *Conn) strayTLS() text.Text {
	c.mute = true
	c.addLine(note, "TLS")
	switch {
	case c.o.TLS == nil:
		return text.TLSOnPlain.With()
	case c.commands == 0:
		return text.TLSGreeted.With()
	}
	return text.TLSUnasked.With()
}

// closeTLS says goodbye under TLS, because some cameras take its absence for an error.
func (c *Conn) closeTLS() {
	if t, ok := c.conn.(*tls.Conn); ok {
		_ = t.CloseWrite()
	}
}

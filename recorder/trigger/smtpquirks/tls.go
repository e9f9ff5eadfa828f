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
)

// tlsHello is the first byte of TLS, which no command begins with.
const tlsHello = 0x16

func (c *Conn) isTLS() bool {
	_, ok := c.conn.(*tls.Conn)
	return ok
}

// startTLS answers STARTTLS. The server never sees it; it forgets the mail at hand by a RSET of our own.
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

// injected ends a connection on which plain text follows STARTTLS: somebody on the way may have put it there, to have
// it taken for what the camera says under TLS.
func (c *Conn) injected() {
	c.addNote(note, "plain text after STARTTLS")
	c.mute = true
	c.end("plain text followed STARTTLS, which may be an attempt to slip commands in: the connection was closed")
}

// secure does the TLS handshake, and reports whether it succeeded. After a failure the connection is at its end.
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
	fail := func(why string) bool {
		c.addNote(note, "no TLS")
		c.mute = true
		c.end(why)
		return false
	}
	for c.r == c.w {
		if err := c.fill(); err != nil {
			switch {
			case errors.Is(err, net.ErrClosed):
				return fail("")
			case !c.o.First:
				return fail("camera gave up after STARTTLS, before TLS began: switch encryption off in the camera")
			}
			return fail("camera said nothing on a port with TLS: it probably speaks without; choose SSL/TLS in the camera, or the plain port")
		}
	}
	switch b := c.buf[c.r:c.w]; {
	case b[0] == tlsHello:
	case isSSL2(b):
		return fail(tooOld)
	case c.o.First:
		return fail("camera speaks plain SMTP on the port for TLS: choose SSL/TLS in the camera, or the plain port")
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
		c.addNote(note, err.Error())
		return fail(handshakeFailed(err, versions, conf.MinVersion))
	}
	c.conn = t
	version := tls.VersionName(t.ConnectionState().Version)
	c.addNote(note, version+" began")
	c.reached(StartTLS)
	c.said(func(r *Report) { r.TLS = version })
	return true
}

// replay is a connection some of whose bytes were read already.
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

// isSSL2 reports whether this is the hello of SSL 2, which clients of the 2000s send first.
func isSSL2(b []byte) bool { return len(b) > 2 && b[0]&0x80 != 0 && b[2] == 1 }

const tooOld = "camera speaks only SSL 2 or 3, which nothing accepts today: switch encryption off in the camera, or update its firmware"

// handshakeFailed says why a handshake failed, in plain words. versions are what the camera offered, none if its hello
// did not arrive; lowest is what is accepted here, 0 for the default of crypto/tls.
func handshakeFailed(err error, versions []uint16, lowest uint16) string {
	var op *net.OpError
	var record tls.RecordHeaderError
	if lowest == 0 {
		lowest = tls.VersionTLS12
	}
	switch {
	case errors.Is(err, net.ErrClosed):
		return ""
	case errors.As(err, &record):
		return "camera sent something else in place of TLS: the connection was closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "camera fell silent while TLS began: switch encryption off in the camera"
	case len(versions) == 0:
		return "camera gave up before TLS began: switch encryption off in the camera"
	case slices.Max(versions) < tls.VersionTLS10:
		return tooOld
	case slices.Max(versions) < lowest:
		return "camera speaks only " + tls.VersionName(slices.Max(versions)) +
			": switch on old TLS in Preroll, or encryption off in the camera"
	case errors.As(err, &op) && op.Op == "remote error":
		switch alert(op.Err) {
		case 42, 43, 44, 45, 46, 48:
			return "camera refused Preroll's certificate: switch the check of certificates off in the camera, or encryption"
		case 40, 70, 71:
			return "camera and Preroll found no common encryption: switch on old TLS in Preroll, or encryption off in the camera"
		}
		return "camera broke TLS off: it probably does not accept Preroll's certificate; switch the check of certificates off in the camera, or encryption"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op) && op.Op != "local error":
		return "camera ended the connection while TLS began: it probably does not accept Preroll's certificate; switch the check of certificates off in the camera, or encryption"
	}
	return "camera and Preroll found no common encryption: switch on old TLS in Preroll, or encryption off in the camera"
}

// alert gives the number of a TLS alert (RFC 8446, section 6). Its type in crypto/tls is not exported; 0 is none.
func alert(err error) uint64 {
	if v := reflect.ValueOf(err); v.IsValid() && v.Kind() == reflect.Uint8 {
		return v.Uint()
	}
	return 0
}

// strayTLS says why TLS came where none was expected.
func (c *Conn) strayTLS() string {
	c.mute = true
	c.addNote(note, "TLS")
	switch {
	case c.o.TLS == nil:
		return "camera began TLS on a port without: switch encryption off in the camera, or choose the port for SSL/TLS"
	case c.commands == 0:
		return "camera speaks TLS from the first byte, but was greeted without: let it try again, or choose STARTTLS or the port for SSL/TLS in the camera"
	}
	return "camera began TLS without asking for it: choose the port for SSL/TLS, or STARTTLS in the camera"
}

// closeTLS says goodbye under TLS: some cameras take its lack for an error.
func (c *Conn) closeTLS() {
	if t, ok := c.conn.(*tls.Conn); ok {
		_ = t.CloseWrite()
	}
}

package smtpquirks

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/preroll/preroll/recorder/text"

	"github.com/emersion/go-smtp"
)

// watched checks what the server gets.
type watched struct {
	t testing.TB
	*ending
	inData bool
}

func (w *watched) Read(p []byte) (int, error) {
	c := w.ending.Conn
	if len(c.out) == 0 {
		w.inData = c.data != nil
	}
	n, err := c.Read(p)
	if n > 0 && !w.inData {
		line := p[:n]
		if n > maxLine || !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsAny(line[:n-2], "\r\n\x00") ||
			!utf8.Valid(line) {
			w.t.Errorf("the server was given %q", line)
		}
		if v, _ := split(string(line[:n-2])); v == "" || v == "BDAT" || v == "STARTTLS" {
			w.t.Errorf("the server was given the command %q", line)
		}
	}
	if len(c.buf) > dataBuffer || cap(c.outBuf) > 4*dataBuffer || len(c.reply) > 1<<16 {
		w.t.Errorf("buffers of %d, %d and %d bytes", len(c.buf), cap(c.outBuf), len(c.reply))
	}
	return n, err
}

// SetReadDeadline does not fail if the other end of a pipe is closed, like on TCP.
func (w *watched) SetReadDeadline(t time.Time) error {
	_ = w.ending.SetReadDeadline(t)
	return nil
}

// checkSafe checks that a report may be shown and is small, whatever a camera sent.
func checkSafe(t testing.TB, rep Report) {
	t.Helper()
	if len(rep.Lines) > firstLines+lastLines+1 {
		t.Errorf("%d lines", len(rep.Lines))
	}
	for _, l := range append(rep.Lines, Line{Text: text.Plain(rep.Login)}, Line{Text: rep.GaveUp}) {
		of := []any{l.Text.English} // the camera
		if l.Text.Code != "" {
			of = l.Text.Args
		}
		for _, v := range of {
			if s, ok := v.(string); ok && len(s) > lineBytes {
				t.Errorf("%d bytes of the camera in %q", len(s), l.Text)
			}
		}
		if s := l.Text.String(); !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00\x07\x1b\u202e") {
			t.Errorf("line %q", s)
		}
	}
}

// play sends bytes in chunks and closes the connection. It returns the backend and the report.
func play(t testing.TB, o Options, input []byte, chunk int) (*backend, Report) {
	client, server := net.Pipe()
	c := New(server, o)
	c.dot = time.Millisecond
	w := &watched{t: t, ending: &ending{Conn: c, end: make(chan struct{})}}
	b := &backend{}
	s := smtp.NewServer(b)
	s.MaxLineLength, s.AllowInsecureAuth, s.EnableSMTPUTF8 = 0, true, true
	s.ReadTimeout = time.Minute
	s.ErrorLog = discardLog(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(&one{conn: w, closed: w.end, addr: server.LocalAddr()})
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, client)
	}()
	_ = client.SetDeadline(time.Now().Add(30 * time.Second))
	for len(input) > 0 {
		n := min(len(input), max(chunk, 1))
		if _, err := client.Write(input[:n]); err != nil {
			break
		}
		input = input[n:]
	}
	_ = client.Close()
	select {
	case <-w.end:
	case <-time.After(30 * time.Second):
		t.Fatalf("the connection did not end: %+v", c.Report())
	}
	<-served
	<-drained
	_ = s.Close()
	return b, c.Report()
}

// FuzzConn sends anything in pieces of any size.
func FuzzConn(f *testing.F) {
	for _, s := range []string{
		"EHLO c\r\n" + oneMail + "Subject: x\r\n\r\n..x\r\n.\r\nQUIT\r\n",
		"HELO\nMAIL FROM:<c>\nRCPT TO:<n>\nDATA \na\n.\nQUIT\n",
		"EHLO c\r\nAUTH LOGIN\r\nY2Ft\r\ncHc=\r\n" + oneMail + "a\r\nb\n.\nMAIL\r\n.\r\n",
		"AUTH PLAIN\r\nAGMAcA==\r\nAUTH=LOGIN =\r\n*\r\n",
		"EHLO c\rMAIL FROM:<c>\rRCPT TO:<n>\rDATA\ra\r.\rQUIT\r",
		"EHLO \xbb\xa8\r\r\nMAIL FROM : \"a\" <<\xbb\xa8\xd4\xb0> SIZE=1 X\r\nRCPT TO \"a b\r\n",
		"EHLO c\r\nSTARTTLS\r\n\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\r\n\r\n", "BDAT 10 LAST\r\n",
		"EHLO c\r\n" + oneMail + "a\r\r\n.\r\r\n\r\n.\n.\rQUIT\r\n",
	} {
		f.Add([]byte(s), uint16(3), uint8(0))
		f.Add([]byte(s), uint16(1<<15), uint8(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, chunk uint16, kind uint8) {
		o := Options{}
		if kind&1 != 0 {
			o.TLS = serverTLS()
		}
		if kind&2 != 0 {
			o.Sniff = time.Millisecond
		}
		o.First = kind&4 != 0 && o.TLS != nil
		b, rep := play(t, o, input, int(chunk))
		checkSafe(t, rep)
		for _, m := range b.arrived() {
			if strings.Contains(strings.ReplaceAll(m.data, "\r\n", ""), "\n") {
				t.Errorf("data with a bare line feed: %q", m.data)
			}
		}
	})
}

// FuzzProper sends proper mails, which must arrive unchanged and without repairs.
func FuzzProper(f *testing.F) {
	f.Add("camera1", "nvr.example", []byte("Subject: x\n\n.\n..\n.x\n"), uint16(7))
	f.Add("a.b+c", "[192.0.2.1]", []byte("\n\n.\n"), uint16(1))
	f.Fuzz(func(t *testing.T, local, domain string, text []byte, chunk uint16) {
		if !atomForm.MatchString(local) || !domainForm.MatchString(domain) || len(local)+len(domain) > 1000 {
			return
		}
		want := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r", ""), "\n", "\r\n")
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		stuffed := strings.ReplaceAll("\r\n"+want, "\r\n.", "\r\n..")[2:]
		address := local + "@" + domain
		input := "EHLO camera.example\r\nMAIL FROM:<" + address + "> SIZE=10\r\nRCPT TO:<" + address + ">\r\nDATA\r\n" +
			stuffed + ".\r\nQUIT\r\n"
		b, rep := play(t, Options{}, []byte(input), int(chunk))
		m := b.arrived()
		if len(m) != 1 || m[0].data != want || m[0].from != Original(address) || len(m[0].to) != 1 ||
			m[0].to[0] != Original(address) {
			t.Errorf("mails %+v of %q: %+v", m, input, rep)
		}
		if len(rep.Repairs) > 0 || !rep.GaveUp.IsZero() {
			t.Errorf("report %+v of %q", rep, input)
		}
	})
}

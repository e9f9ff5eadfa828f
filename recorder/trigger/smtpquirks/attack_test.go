package smtpquirks

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// rest reads what the server still says.
func rest(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection stayed open after %q", b)
	}
	return string(b)
}

const oneMail = "MAIL FROM:<c@x.example>\r\nRCPT TO:<n@x.example>\r\nDATA\r\n"

// TestTLS tests the ways into TLS.
func TestTLS(t *testing.T) {
	old := serverTLS()
	old.MinVersion = tls.VersionTLS10
	oldClient := clientTLS()
	oldClient.MinVersion, oldClient.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	distrust := clientTLS()
	distrust.RootCAs = nil
	var sniffed []bool
	tests := []struct {
		name   string
		o      Options
		start  bool // the camera uses STARTTLS
		client *tls.Config
		tls    string
		gaveUp string
	}{
		{"STARTTLS", Options{TLS: serverTLS()}, true, clientTLS(), "TLS 1.3", ""},
		{"first", Options{TLS: serverTLS(), First: true}, false, clientTLS(), "TLS 1.3", ""},
		{"sniffed", Options{TLS: serverTLS(), Sniff: 10 * time.Second, Sniffed: func(b bool) {
			sniffed = append(sniffed, b)
		}}, false, clientTLS(), "TLS 1.3", ""},
		{"sniffed, then STARTTLS", Options{TLS: serverTLS(), Sniff: time.Millisecond}, true, clientTLS(), "TLS 1.3",
			""},
		{"TLS 1.0", Options{TLS: old, First: true}, false, oldClient, "TLS 1.0", ""},
		{"TLS 1.0 by STARTTLS", Options{TLS: old}, true, oldClient, "TLS 1.0", ""},
		{"TLS 1.0 refused", Options{TLS: serverTLS(), First: true}, false, oldClient, "",
			"camera speaks only TLS 1.0: switch on old TLS"},
		{"TLS 1.0 refused by STARTTLS", Options{TLS: serverTLS()}, true, oldClient, "",
			"camera speaks only TLS 1.0: switch on old TLS"},
		{"certificate refused", Options{TLS: serverTLS(), First: true}, false, distrust, "",
			"camera refused Preroll's certificate"},
		{"certificate refused after STARTTLS", Options{TLS: serverTLS()}, true, distrust, "",
			"camera refused Preroll's certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, tt.o)
			if tt.start {
				// A mail that was begun in plain text is forgotten.
				say(t, r.client, "< 220", "EHLO c\r\n", "< 250", "MAIL FROM:<plain@x.example>\r\n", "< 250",
					"RCPT TO:<plain@x.example>\r\n", "< 250", "STARTTLS\r\n", "< 220")
			}
			c := tls.Client(r.client, tt.client)
			if err := c.Handshake(); (err != nil) != (tt.gaveUp != "") {
				t.Fatalf("handshake: %v", err)
			}
			if tt.gaveUp == "" {
				if !tt.start {
					say(t, c, "< 220")
				}
				say(t, c, "EHLO Tür\r\n", "< 250", "DATA\r\n", "< 502", "STARTTLS\r\n", "< 503", "AUTH LOGIN\r\n",
					"< 334", "Y2Ft\r\n", "< 334", "cHc=\r\n", "< 235",
					"MAIL FROM:<camera1>\r\n", "< 250", "RCPT TO:<nvr>\r\n", "< 250", "DATA\r\n", "< 354", "x\n.\n",
					"< 250", "QUIT\r\n", "< 221")
				if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
					t.Errorf("TLS was not closed well: %q, %v", b, err)
				}
			}
			_ = r.client.Close()
			rep := r.wait(t)
			if rep.TLS != tt.tls || tt.gaveUp == "" && !rep.GaveUp.IsZero() ||
				!strings.HasPrefix(rep.GaveUp.String(), tt.gaveUp) {
				t.Errorf("report %+v", rep)
			}
			m := r.backend.arrived()
			if tt.gaveUp != "" {
				return
			}
			if len(m) != 1 || m[0].login != "cam/pw" || m[0].from != "camera1" ||
				!slices.Equal(m[0].to, []string{"nvr"}) || m[0].data != "x\r\n" {
				t.Errorf("mails %+v", m)
			}
			if want := (messages{oddHelo, senderHost, toHost, bareLF}).names(); !slices.Equal(names(rep.Repairs),
				want) {
				t.Errorf("repairs %q, want %q", rep.Repairs, want)
			}
		})
	}
	if !slices.Equal(sniffed, []bool{true}) {
		t.Errorf("sniffed %v", sniffed)
	}
}

// TestOffer checks the answer to EHLO.
func TestOffer(t *testing.T) {
	r := serve(t, Options{TLS: serverTLS()})
	say(t, r.client, "< 220", "EHLO c\r\n")
	in := bufio.NewReader(r.client)
	got := readReply(t, in)
	for _, want := range []string{"250-STARTTLS\r\n250-", "250-AUTH=PLAIN LOGIN\r\n", "250-AUTH PLAIN LOGIN\r\n",
		"250-PIPELINING\r\n", "\r\n250 "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Contains(got, "CHUNKING") {
		t.Errorf("%q", got)
	}
}

// TestPlainTextAfterStartTLS tests CVE-2011-0411: commands that somebody put after STARTTLS must not count under TLS.
func TestPlainTextAfterStartTLS(t *testing.T) {
	for _, late := range []bool{false, true} {
		r := serve(t, Options{TLS: serverTLS()})
		say(t, r.client, "< 220", "EHLO c\r\n", "< 250")
		if late {
			say(t, r.client, "STARTTLS\r\n", "< 220", "EHLO evil\r\n"+oneMail)
		} else {
			say(t, r.client, "STARTTLS\r\nEHLO evil\r\n"+oneMail)
		}
		if got := rest(t, r.client); got != "" {
			t.Errorf("the server said %q", got)
		}
		if rep := r.wait(t); !strings.Contains(rep.GaveUp.String(), "slip commands in") {
			t.Errorf("%q", rep.GaveUp)
		}
	}
}

// TestGaveUp ends connections in each state.
func TestGaveUp(t *testing.T) {
	secured := Options{TLS: serverTLS()}
	first := Options{TLS: serverTLS(), First: true}
	hello := "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"
	tests := []struct {
		name  string
		o     Options
		steps []string
		want  string
	}{
		{"at once", Options{}, nil, "camera gave up without a word"},
		{"at once, with TLS", secured, []string{"< 220"}, "camera gave up without a word"},
		{"after EHLO", Options{}, []string{"< 220", "EHLO c\r\n", "< 250"},
			"camera gave up after EHLO: it probably wants encryption"},
		{"after EHLO with QUIT", secured, []string{"< 220", "EHLO c\r\n", "< 250", "QUIT\r\n", "< 221"},
			"camera gave up after EHLO"},
		{"STARTTLS not offered", Options{},
			[]string{"< 220", "EHLO c\r\n", "< 250", "STARTTLS\r\n", "< 502", "QUIT\r\n", "< 221"},
			"camera gave up because STARTTLS was refused"},
		{"before the handshake", secured, []string{"< 220", "EHLO c\r\n", "< 250", "STARTTLS\r\n", "< 220"},
			"camera gave up after STARTTLS"},
		{"login refused", Options{}, []string{"< 220", "EHLO c\r\n", "< 250",
			"AUTH PLAIN " + b64("\x00c\x00wrong") + "\r\n", "< 535", "RSET\r\n", "< 250", "QUIT\r\n", "< 221"},
			"camera gave up after the login was refused"},
		{"in the login", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", "AUTH LOGIN\r\n", "< 334"},
			"camera gave up in the middle of the login"},
		{"other login", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", "AUTH cram-md5\r\n", "< 504"},
			"camera wants the login CRAM-MD5"},
		{"after the login", Options{},
			[]string{"< 220", "EHLO c\r\n", "< 250", "AUTH PLAIN " + b64("\x00c\x00p") + "\r\n", "< 235"},
			"camera gave up after the login: it sent no mail"},
		{"after MAIL", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", "MAIL FROM:<c>\r\n", "< 250"},
			"camera gave up after it named the sender"},
		{"in the data", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", oneMail, "< 250", "< 250", "< 354",
			"abc\r\nde"}, "camera gave up in the middle of its mail, after 7 bytes"},
		{"unknown command", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", "XYZ\r\n", "< 502"},
			"camera gave up after an unknown command"},
		{"BDAT", Options{}, []string{"< 220", "EHLO c\r\n", "< 250", "BDAT 4294967296\r\n", "< 502"},
			"camera sends its mail by BDAT"},
		{"TLS where none is", Options{}, []string{hello}, "camera began TLS on a port without"},
		{"TLS too late", secured, []string{"< 220", hello}, "camera speaks TLS from the first byte"},
		{"TLS without asking", secured, []string{"< 220", "EHLO c\r\n", "< 250", hello},
			"camera began TLS without asking"},
		{"plain text on the TLS port", first, []string{"EHLO c\r\n"}, "camera speaks plain SMTP on the port for TLS"},
		{"nothing on the TLS port", first, nil, "camera said nothing on a port with TLS"},
		{"SSL 2", secured, []string{"< 220", "\x80\x2e\x01\x00\x02"}, "camera speaks only SSL 2 or 3"},
		{"SSL 2 on the TLS port", first, []string{"\x80\x2e\x01\x00\x02"}, "camera speaks only SSL 2 or 3"},
		{"HTTP", Options{}, []string{"GET / HTTP/1.1\r\nHost: x\r\n"}, "this was not SMTP"},
		{"HTTP with mail in it", Options{}, []string{"POST / HTTP/1.1\r\n\r\nHELO x\r\n" + oneMail},
			"this was not SMTP"},
		{"RTSP", Options{}, []string{"OPTIONS rtsp://x/ RTSP/1.0\r\n"}, "this was not SMTP"},
		{"SSH", Options{}, []string{"SSH-2.0-x\r\n"}, "this was not SMTP"},
		{"bytes", Options{}, []string{"\x03\x00\x00\x13\x0e\n"}, "this was not SMTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, tt.o)
			say(t, r.client, tt.steps...)
			if c, ok := r.client.(*net.TCPConn); ok {
				_ = c.CloseWrite()
			}
			rep := r.wait(t)
			if !strings.HasPrefix(rep.GaveUp.String(), tt.want) {
				t.Errorf("gave up: %q, want %q\n%s", rep.GaveUp, tt.want, lines(rep))
			}
			if m := r.backend.arrived(); len(m) != 0 {
				t.Errorf("mails %+v", m)
			}
		})
	}
}

// TestEndless sends without end. What has no bound must be refused, with little memory.
func TestEndless(t *testing.T) {
	login := []string{"EHLO c\r\n", "< 250", "AUTH LOGIN\r\n", "< 334"}
	tests := []struct {
		name  string
		steps []string
		text  string
		want  string
	}{
		{"line", nil, "AAAAAAAAAAAAAAAA", "500 5.5.2 Line too long"},
		{"CRs", nil, "\r", "500 5.5.2 Line too long"},
		{"line after HELO", []string{"EHLO c\r\n", "< 250"}, "MAIL FROM:<a", "500"},
		{"login", login, "QUFB", "500"},
		{"commands", nil, "NOOP\r\n", "421 4.7.0 Too many commands"},
		{"empty lines", nil, "\r\n", "421 4.7.0 Too many commands"},
		{"HELOs", nil, "EHLO c\r\n", "421 4.7.0 Too many commands"},
		{"unknown commands", nil, "FOO\r\n", "421 4.7.0 Too many unknown commands"},
		{"recipients", []string{"EHLO c\r\n", "< 250", "MAIL FROM:<c@x>\r\n", "< 250"}, "RCPT TO:<n@x.example>\r\n",
			"421 4.7.0 Too many commands"},
		{"wrong logins", nil, "AUTH PLAIN " + b64("\x00c\x00wrong") + "\r\n", "421 4.7.0 Too many failed logins"},
		{"other logins", nil, "AUTH NTLM\r\n", "421 4.7.0 Too many failed logins"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A pipe loses no answer if the server closes it with unread input.
			client, server := net.Pipe()
			r := serveOn(t, client, server, Options{})
			say(t, client, append([]string{"< 220"}, tt.steps...)...)
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for b := []byte(strings.Repeat(tt.text, 100)); ; {
					if _, err := client.Write(b); err != nil {
						return
					}
				}
			}()
			got := strings.Split(strings.TrimSpace(rest(t, client)), "\r\n")
			if last := got[len(got)-1]; !strings.HasPrefix(last, tt.want) {
				t.Errorf("%q, want %q", last, tt.want)
			}
			<-stopped
			rep := r.wait(t)
			if rep.GaveUp.IsZero() || rep.Bytes > 1<<20 {
				t.Errorf("report %+v", rep)
			}
			checkSafe(t, rep)
		})
	}
}

// TestLongAnswer checks that the server gets no line that the repair made too long.
func TestLongAnswer(t *testing.T) {
	r := serve(t, Options{})
	say(t, r.client, "< 220", "EHLO c\r\n", "< 250", "MAIL FROM:<"+strings.Repeat(`"`, 4000)+">\r\n", "< 500")
	r.wait(t)
}

// TestDeadlines lets a camera fall silent in each state. The server's deadline ends Read.
func TestDeadlines(t *testing.T) {
	for name, o := range map[string]Options{"plain": {}, "first": {TLS: serverTLS(), First: true},
		"sniff": {TLS: serverTLS(), Sniff: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer func() { _ = client.Close() }()
			c := New(server, o)
			if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("read without an error")
			}
			_ = c.Close()
		})
	}
	t.Run("in the handshake after STARTTLS", func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		c := New(server, Options{TLS: serverTLS()})
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		go func() {
			_, _ = io.WriteString(client, "STARTTLS\r\n")
			_, _ = io.Copy(io.Discard, client)
		}()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("read without an error")
		}
		if rep := c.Report(); rep.GaveUp.IsZero() {
			t.Errorf("%+v", rep)
		}
	})
	t.Run("dripping data", func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		c := New(server, Options{})
		c.helo = true
		drain := make(chan struct{})
		go func() { defer close(drain); _, _ = io.Copy(io.Discard, client) }()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.WriteString(client, "DATA\r\n")
			for {
				if _, err := io.WriteString(client, "a"); err != nil {
					return
				}
			}
		}()
		b := make([]byte, 4096)
		if n, err := c.Read(b); err != nil || string(b[:n]) != "DATA\r\n" {
			t.Fatalf("%q, %v", b[:n], err)
		}
		_, _ = io.WriteString(c, "354 go\r\n")
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for err := error(nil); err == nil; {
			if _, err = c.Read(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
		// What follows is not read as commands (go-smtp#196).
		_ = c.SetReadDeadline(time.Time{})
		if n, err := c.Read(b); err != io.EOF {
			t.Errorf("%q, %v", b[:n], err)
		}
		if rep := c.Report(); !strings.HasPrefix(rep.GaveUp.String(), "camera fell silent in the middle of its mail") {
			t.Errorf("%q", rep.GaveUp)
		}
		_ = c.Close()
		<-drain
		<-sent
	})
}

// TestClose ends a handshake and a wait from another goroutine.
func TestClose(t *testing.T) {
	for name, o := range map[string]Options{"plain": {}, "first": {TLS: serverTLS(), First: true},
		"sniff": {TLS: serverTLS(), Sniff: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer func() { _ = client.Close() }()
			c := New(server, o)
			done := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				done <- err
			}()
			_ = c.Report()
			_ = c.Close()
			select {
			case err := <-done:
				if err == nil {
					t.Error("no error")
				}
			case <-time.After(20 * time.Second):
				t.Fatal("Read went on")
			}
		})
	}
}

// TestPipelined sends everything in one piece.
func TestPipelined(t *testing.T) {
	r := serve(t, Options{})
	say(t, r.client, "EHLO c\r\n"+oneMail+"one\r\n.\r\n"+oneMail+
		"two\n.\nRSET\r\nNOOP\r\nQUIT\r\nMAIL FROM:<late@x.example>\r\n")
	_ = rest(t, r.client)
	rep := r.wait(t)
	if m := r.backend.arrived(); len(m) != 2 || m[0].data != "one\r\n" || m[1].data != "two\r\n" {
		t.Errorf("mails %+v", m)
	}
	if !rep.Quit || !rep.GaveUp.IsZero() {
		t.Errorf("%+v", rep)
	}
}

// TestHostileWords checks that the report holds nothing that could harm a screen or a log.
func TestHostileWords(t *testing.T) {
	r := serve(t, Options{})
	say(t, r.client, "< 220", "EHLO \x1b[31m\u202eevil\r\n", "< 250", "AUTH LOGIN\r\n", "< 334",
		b64("\x1b[2J\u202e../../etc\r\nlevel=error")+"\r\n", "< 334", "\r\n", "< 235",
		"MAIL FROM:<../../\x1b]0;x\x07>\r\n", "< 250", "XX\x1b[0m "+strings.Repeat("y", 3000)+"\r\n", "< 502",
		"QUIT\r\n", "< 221")
	checkSafe(t, r.wait(t))
}

// TestLargeMail passes a picture of 30 MB on in large pieces.
func TestLargeMail(t *testing.T) {
	for _, tt := range []struct {
		name, end string
		bytes     int
	}{{"CRLF", "\r\n", 30 << 20}, {"LF", "\n", 5 << 20}} {
		t.Run(tt.name, func(t *testing.T) {
			line := strings.Repeat("QUJD", 19) + tt.end
			body := strings.Repeat(line, tt.bytes/len(line))
			r := serve(t, Options{})
			say(t, r.client, "< 220", "EHLO c\r\n", "< 250", oneMail, "< 250", "< 250", "< 354")
			say(t, r.client, body, "."+tt.end, "< 250", "QUIT\r\n", "< 221")
			rep := r.wait(t)
			m := r.backend.arrived()
			if len(m) != 1 || m[0].data != strings.ReplaceAll(strings.ReplaceAll(body, "\r", ""), "\n", "\r\n") {
				t.Fatalf("%d mails", len(m))
			}
			if rep.Bytes < int64(len(body)) {
				t.Errorf("%d bytes", rep.Bytes)
			}
		})
	}
}

// feeder is a camera's side of a connection that only sends, for the benchmark.
type feeder struct {
	net.Conn
	r io.Reader
}

func (f feeder) Read(p []byte) (int, error)       { return f.r.Read(p) }
func (f feeder) Write(p []byte) (int, error)      { return len(p), nil }
func (f feeder) SetReadDeadline(time.Time) error  { return nil }
func (f feeder) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkData measures the repair of data.
func BenchmarkData(b *testing.B) {
	line := []byte(strings.Repeat("QUJD", 19) + "\r\n")
	body := bytes.Repeat(line, 30<<20/len(line))
	b.SetBytes(int64(len(body)))
	p := make([]byte, 4096)
	for b.Loop() {
		c := New(feeder{r: io.MultiReader(bytes.NewReader(body), strings.NewReader(".\r\n"))}, Options{})
		c.beginData()
		for c.data != nil || len(c.out) > 0 {
			if _, err := c.Read(p); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestReportBound checks that the report keeps the first and the last lines.
func TestReportBound(t *testing.T) {
	c := New(feeder{}, Options{})
	for range 1000 {
		c.addNote(camera, text.Plain("x"))
	}
	c.addNote(camera, text.Plain("last"))
	l := c.Report().Lines
	if len(l) != firstLines+1+lastLines || l[firstLines].Text.String() != "921 lines left out" ||
		l[len(l)-1].Text.String() != "last" {
		t.Errorf("%d lines, %+v", len(l), l[firstLines:])
	}
}

package smtpquirks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/smtpquirks/dialogue"
)

// mail is a mail that arrived at the backend.
type mail struct {
	login, from string
	to          []string
	data        string
	err         error
}

// backend records what arrives. It refuses the password "wrong".
type backend struct {
	mu    sync.Mutex // guards mails
	mails []mail
}

type session struct {
	b *backend
	m mail
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b: b}, nil }
func (s *session) AuthMechanisms() []string                    { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password == "wrong" {
			return smtp.ErrAuthFailed
		}
		s.m.login = user + "/" + password
		return nil
	}), nil
}
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.m.from, s.m.to = Original(from), nil
	return nil
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.to = append(s.m.to, Original(to))
	return nil
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	m := s.m
	m.data, m.err = string(b), err
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mails = append(s.b.mails, m)
	return err
}
func (s *session) Reset()        { s.m.from, s.m.to = "", nil }
func (s *session) Logout() error { return nil }

// arrived returns the mails that arrived whole.
func (b *backend) arrived() (whole []mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		if m.err == nil {
			whole = append(whole, m)
		}
	}
	return whole
}

// one is a listener with a single connection. The second Accept returns when closed is closed.
type one struct {
	conn   net.Conn
	given  sync.Once
	closed chan struct{}
	addr   net.Addr
}

func (l *one) Accept() (c net.Conn, err error) {
	l.given.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return l.addr }

// ending is a connection that closes end when it is closed.
type ending struct {
	*Conn
	once sync.Once
	end  chan struct{}
}

func (e *ending) Close() error {
	e.once.Do(func() { close(e.end) })
	return e.Conn.Close()
}

// running is a connection that is being served.
type running struct {
	conn    *Conn
	client  net.Conn
	backend *backend
	end     chan struct{}
	served  chan struct{}
}

// wait returns the report when the server has closed the connection.
func (r *running) wait(t testing.TB) Report {
	t.Helper()
	select {
	case <-r.end:
	case <-time.After(90 * time.Second):
		t.Fatalf("the connection did not end: %+v", r.conn.Report())
	}
	return r.conn.Report()
}

// serve runs go-smtp above a repairing connection on loopback.
func serve(t testing.TB, o Options, set ...func(*smtp.Server)) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	return serveOn(t, client, server, o, set...)
}

// serveOn runs go-smtp above a repairing connection on server, the other end of client.
func serveOn(t testing.TB, client, server net.Conn, o Options, set ...func(*smtp.Server)) *running {
	r := &running{conn: New(server, o), client: client, backend: &backend{}, end: make(chan struct{}),
		served: make(chan struct{})}
	r.conn.dot = 100 * time.Millisecond
	s := smtp.NewServer(r.backend)
	s.Domain, s.MaxLineLength, s.AllowInsecureAuth, s.EnableSMTPUTF8 = "preroll", 0, true, true
	s.MaxMessageBytes = 40 << 20
	s.ReadTimeout, s.WriteTimeout = 20*time.Second, 20*time.Second
	s.ErrorLog = discardLog(t)
	for _, f := range set {
		f(s)
	}
	l := &one{conn: &ending{Conn: r.conn, end: r.end}, closed: r.end, addr: server.LocalAddr()}
	go func() {
		defer close(r.served)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		r.wait(t)
		<-r.served
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

func discardLog(t testing.TB) *log.Logger { return log.New(logWriter{t}, "", 0) }

// logWriter fails a test if the server logs a panic.
type logWriter struct {
	t testing.TB
}

func (w logWriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("panic")) {
		w.t.Errorf("server: %s", p)
	}
	return len(p), nil
}

// certificate is the server's certificate, and the pool for a camera that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "preroll"},
		DNSNames:  []string{"preroll"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

func serverTLS() *tls.Config {
	cert, _ := certificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func clientTLS() *tls.Config {
	_, pool := certificate()
	return &tls.Config{RootCAs: pool, ServerName: "preroll"}
}

// say plays the camera. It sends each step in one piece; a step of "<" and a code reads a reply.
func say(t *testing.T, c net.Conn, steps ...string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReaderSize(oneByte{c}, 16) // reads no more than it needs
	for _, s := range steps {
		if code, ok := strings.CutPrefix(s, "< "); ok {
			if got := readReply(t, r); !strings.HasPrefix(got, code) {
				t.Fatalf("reply %q, want %s (before: %q)", got, code, steps)
			}
			continue
		}
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatalf("write %.40q: %v", s, err)
		}
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

func readReply(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("read a reply: %v after %q", err, all.String())
		}
		all.WriteString(line)
		if len(line) < 4 || line[3] != '-' {
			return all.String()
		}
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestCommands sends a mail with one odd command and checks what the backend gets.
func TestCommands(t *testing.T) {
	tests := []struct {
		name           string
		helo, from, to string
		data           string
		wantFrom       string
		wantTo         string
		repairs        messages
	}{
		{name: "proper"},
		{name: "lower case", helo: "ehlo cam\r\n", from: "mail from:<cam@x.example>\r\n",
			to: "rcpt to:<nvr@x.example>\r\n", data: "data\r\n"},
		{name: "empty HELO", helo: "HELO\r\n", repairs: messages{emptyHelo}},
		{name: "empty EHLO with blank", helo: "EHLO \r\n", repairs: messages{blanks, emptyHelo}},
		{name: "odd HELO", helo: "EHLO Tür 1\r\n", repairs: messages{oddHelo}},
		{name: "Latin-1 HELO", helo: "EHLO T\xfcr\r\n", repairs: messages{notUTF8, oddHelo}},
		{name: "no HELO", helo: "NOOP\r\n", repairs: messages{noHelo}},
		{name: "leading blanks", helo: "\t EHLO cam\r\n", repairs: messages{blanks}},
		{name: "NUL", helo: "EHLO cam\x00\r\n", repairs: messages{controls}},
		{name: "bare LF", helo: "EHLO cam\n", repairs: messages{bareLF}},
		{name: "bare CR", helo: "EHLO cam\r", repairs: messages{bareCR}},
		{name: "doubled CR", helo: "EHLO cam\r\r\n", repairs: messages{doubledCR}},
		{name: "empty line", helo: "\r\nEHLO cam\r\n", repairs: messages{emptyLines}},
		{name: "no domains", from: "MAIL FROM:<camera1>\r\n", to: "RCPT TO:<nvr>\r\n", wantFrom: "camera1",
			wantTo: "nvr", repairs: messages{senderHost, toHost}},
		{name: "empty domain", to: "RCPT TO:<nvr@>\r\n", wantTo: "nvr", repairs: messages{toHost}},
		{name: "only domain", to: "RCPT TO:<@nvr>\r\n", wantTo: "nvr", repairs: messages{toHost}},
		{name: "blanks around the colon", from: "MAIL FROM : <cam@x.example>\r\n", to: "RCPT TO: <nvr@x.example>\r\n",
			repairs: messages{oddColon}},
		{name: "missing colon", from: "MAIL FROM <cam@x.example>\r\n", to: "RCPT TO<nvr@x.example>\r\n",
			repairs: messages{noColon}},
		{name: "missing keyword", from: "MAIL <cam@x.example>\r\n", repairs: messages{noColon}},
		{name: "missing blank", from: "MAILFROM:<cam@x.example>\r\n", to: "RCPTTO:<nvr@x.example>\r\n",
			repairs: messages{noBlank}},
		{name: "no brackets", from: "MAIL FROM:cam@x.example\r\n", to: "RCPT TO:nvr@x.example\r\n",
			repairs: messages{noBrackets}},
		{name: "no brackets with size", from: "MAIL FROM:cam@x.example SIZE=100\r\n", repairs: messages{noBrackets}},
		{name: "doubled brackets", from: "MAIL FROM:<<cam@x.example>>\r\n", repairs: messages{oddBrackets}},
		{name: "no closing bracket", from: "MAIL FROM:<cam@x.example SIZE=12\r\n", repairs: messages{oddBrackets}},
		{name: "no opening bracket", from: "MAIL FROM:cam@x.example>\r\n", repairs: messages{oddBrackets}},
		{name: "name before", from: "MAIL FROM:Front door <cam@x.example>\r\n", repairs: messages{nameBefore}},
		{name: "quoted name before", from: "MAIL FROM:\"Front > <door\" <cam@x.example>\r\n",
			repairs: messages{nameBefore}},
		{name: "name within", from: "MAIL FROM:<Front <cam@x.example>>\r\n", repairs: messages{oddBrackets}},
		{name: "quotes", from: "MAIL FROM:<\"cam@x.example\">\r\n", repairs: messages{quoted}},
		{name: "single quotes", from: "MAIL FROM:'cam@x.example'\r\n", repairs: messages{noBrackets, quoted}},
		{name: "blanks within", to: "RCPT TO:<front door>\r\n", wantTo: "front door",
			repairs: messages{toHost, oddAddress}},
		{name: "proper quoted string", to: "RCPT TO:<\"front \\\"door\"@x.example>\r\n",
			wantTo: "front \"door@x.example"},
		{name: "unbalanced quote", to: "RCPT TO:<\"front@x.example>\r\n", wantTo: "\"front@x.example",
			repairs: messages{oddAddress}},
		{name: "UTF-8", to: "RCPT TO:<花园>\r\n", wantTo: "花园", repairs: messages{toHost, oddAddress}},
		{name: "GBK", to: "RCPT TO:<\xbb\xa8\xd4\xb0>\r\n", wantTo: "花园",
			repairs: messages{notUTF8, toHost, oddAddress}},
		{name: "Latin-1", to: "RCPT TO:<T\xfcr@x.example>\r\n", wantTo: "Tür@x.example",
			repairs: messages{notUTF8, oddAddress}},
		{name: "UTF-8 domain", to: "RCPT TO:<nvr@花园>\r\n", wantTo: "nvr@花园", repairs: messages{toHost, oddAddress}},
		{name: "two ats", to: "RCPT TO:<a@b@x.example>\r\n", wantTo: "a@b@x.example", repairs: messages{oddAddress}},
		{name: "route", to: "RCPT TO:<@a.example,@b.example:nvr@x.example>\r\n"},
		{name: "empty sender", from: "MAIL FROM:<>\r\n", wantFrom: "-"},
		{name: "no sender", from: "MAIL FROM:\r\n", wantFrom: "-", repairs: messages{noBrackets, noSender}},
		{name: "no recipient", to: "RCPT TO:<>\r\n", wantTo: "-", repairs: messages{noRecipient}},
		{name: "proper parameters", from: "MAIL FROM:<cam@x.example> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n"},
		{name: "a size beyond all", from: "MAIL FROM:<cam@x.example> SIZE=4000000000\r\n",
			repairs: messages{oddParams}},
		{name: "unknown parameters", from: "MAIL FROM:<cam@x.example> FOO BAR=1=2 SIZE=12x BODY=BINARYMIME\r\n",
			to: "RCPT TO:<nvr@x.example> NOTIFY=NEVER\r\n", repairs: messages{oddParams}},
		{name: "control characters", from: "MAIL FROM:<c\x01am@x.exa\x00mple>\r\n", repairs: messages{controls}},
		{name: "tab", from: "MAIL\tFROM:<cam@x.example>\r\n", repairs: messages{blanks}},
		{name: "DATA with blank", data: "DATA \r\n", repairs: messages{blanks}},
		{name: "DATA with text", data: "DATA please\r\n", repairs: messages{dataText}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			or := func(s, def string) string {
				switch s {
				case "":
					return def
				case "-":
					return ""
				}
				return s
			}
			r := serve(t, Options{})
			say(t, r.client, "< 220", or(tt.helo, "EHLO cam\r\n"), "< 250",
				or(tt.from, "MAIL FROM:<cam@x.example>\r\n"), "< 250",
				or(tt.to, "RCPT TO:<nvr@x.example>\r\n"), "< 250", or(tt.data, "DATA\r\n"), "< 354",
				"Subject: x\r\n\r\nhello\r\n.\r\n", "< 250", "QUIT\r\n", "< 221")
			rep := r.wait(t)
			m := r.backend.arrived()
			if len(m) != 1 || m[0].from != or(tt.wantFrom, "cam@x.example") ||
				!slices.Equal(m[0].to, []string{or(tt.wantTo, "nvr@x.example")}) ||
				m[0].data != "Subject: x\r\n\r\nhello\r\n" {
				t.Errorf("mails %+v", m)
			}
			if got, want := names(rep.Repairs), tt.repairs.names(); !slices.Equal(got, want) {
				t.Errorf("repairs %q, want %q", got, want)
			}
			if rep.Stage != Accepted || !rep.Quit || !rep.GaveUp.IsZero() {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// TestLogin tests the forms of AUTH.
func TestLogin(t *testing.T) {
	plain := b64("\x00cam\x00s3cret")
	tests := []struct {
		name    string
		steps   []string
		want    string
		repairs messages
	}{
		{"PLAIN at once", []string{"AUTH PLAIN " + plain + "\r\n", "< 235"}, "cam/s3cret", nil},
		{"PLAIN asked", []string{"AUTH PLAIN\r\n", "< 334", plain + "\r\n", "< 235"}, "cam/s3cret", nil},
		{"PLAIN in two fields", []string{"AUTH PLAIN " + b64("cam\x00s3cret") + "\r\n", "< 235"}, "cam/s3cret",
			messages{oddLogin}},
		{"LOGIN", []string{"AUTH LOGIN\r\n", "< 334 VXNlcm5hbWU6", b64("cam") + "\r\n", "< 334 UGFzc3dvcmQ6",
			b64("s3cret") + "\r\n", "< 235"}, "cam/s3cret", nil},
		{"LOGIN with user", []string{"AUTH LOGIN " + b64("cam") + "\r\n", "< 334 UGFzc3dvcmQ6", b64("s3cret") + "\r\n",
			"< 235"}, "cam/s3cret", nil},
		{"LOGIN with trailing blank", []string{"AUTH LOGIN \r\n", "< 334", b64("cam") + " \r\n", "< 334",
			b64("s3cret") + "\r\n", "< 235"}, "cam/s3cret", messages{blanks, oddLogin}},
		{"empty user", []string{"AUTH LOGIN\r\n", "< 334", "\r\n", "< 334", "\r\n", "< 235"}, "/", nil},
		{"empty user as =", []string{"AUTH LOGIN =\r\n", "< 334", "=\r\n", "< 235"}, "/", nil},
		{"AUTH=LOGIN", []string{"AUTH=LOGIN\r\n", "< 334", b64("cam") + "\r\n", "< 334", b64("s3cret") + "\r\n",
			"< 235"}, "cam/s3cret", messages{oddLogin}},
		{"lower case", []string{"auth login\r\n", "< 334", b64("cam") + "\r\n", "< 334", b64("s3cret") + "\r\n",
			"< 235"}, "cam/s3cret", nil},
		{"no padding", []string{"AUTH LOGIN\r\n", "< 334", "Y2FtMQ\r\n", "< 334", b64("s3cret") + "\r\n", "< 235"},
			"cam1/s3cret", messages{oddLogin}},
		{"blank in base64", []string{"AUTH PLAIN " + plain[:8] + " " + plain[8:] + "\r\n", "< 235"}, "cam/s3cret",
			messages{oddLogin}},
		{"no base64", []string{"AUTH LOGIN\r\n", "< 334", "cam@home!\r\n", "< 334", "p_w\r\n", "< 235"},
			"cam@home!/p_w", messages{notBase64}},
		{"NUL in the user", []string{"AUTH LOGIN\r\n", "< 334", b64("cam\x00x") + "\r\n", "< 334",
			b64("s3cret") + "\r\n", "< 235"}, "camx/s3cret", nil},
		{"second login", []string{"AUTH PLAIN " + plain + "\r\n", "< 235", "AUTH LOGIN\r\n", "< 334",
			b64("other") + "\r\n", "< 334", b64("x") + "\r\n", "< 235"}, "cam/s3cret", messages{secondLogin}},
		{"after a refusal", []string{"AUTH PLAIN " + b64("\x00cam\x00wrong") + "\r\n", "< 535",
			"AUTH PLAIN " + plain + "\r\n", "< 235"}, "cam/s3cret", nil},
		{"after another mechanism", []string{"AUTH CRAM-MD5\r\n", "< 504", "AUTH PLAIN " + plain + "\r\n", "< 235"},
			"cam/s3cret", nil},
		{"canceled", []string{"AUTH LOGIN\r\n", "< 334", "*\r\n", "< 501", "AUTH PLAIN " + plain + "\r\n", "< 235"},
			"cam/s3cret", nil},
	}
	for _, helo := range []string{"EHLO cam\r\n", "HELO cam\r\n", ""} {
		for _, tt := range tests {
			t.Run(strings.TrimSpace(helo)+" "+tt.name, func(t *testing.T) {
				r := serve(t, Options{})
				steps := []string{"< 220"}
				want := tt.repairs
				if helo != "" {
					steps = append(steps, helo, "< 250")
				}
				steps = append(append(steps, tt.steps...), "MAIL FROM:<cam@x.example>\r\n", "< 250",
					"RCPT TO:<nvr@x.example>\r\n", "< 250",
					"DATA\r\n", "< 354", "x\r\n.\r\n", "< 250", "QUIT\r\n", "< 221")
				say(t, r.client, steps...)
				rep := r.wait(t)
				m := r.backend.arrived()
				if len(m) != 1 || m[0].login != tt.want {
					t.Errorf("mails %+v, want login %q", m, tt.want)
				}
				if user, _, _ := strings.Cut(tt.want, "/"); rep.Login != user {
					t.Errorf("login %q", rep.Login)
				}
				got := slices.DeleteFunc(slices.Clone(rep.Repairs), func(r text.Text) bool { return r.Is(noHelo) })
				if helo == "" && len(got) == len(rep.Repairs) || !slices.Equal(names(got), want.names()) {
					t.Errorf("repairs %q, want %q", rep.Repairs, want)
				}
				for _, l := range rep.Lines {
					for _, secret := range []string{"s3cret", "wrong", plain, b64("s3cret"), b64("other"), "p_w"} {
						if strings.Contains(l.Text.String(), secret) {
							t.Errorf("the dialogue shows a password: %q", l.Text)
						}
					}
				}
			})
		}
	}
}

// TestData checks how data ends and what becomes of its lines.
func TestData(t *testing.T) {
	long := strings.Repeat("A", 1<<20)
	tests := []struct {
		name    string
		chunks  []string
		want    string
		repairs messages
		drop    bool // the camera cuts the connection after the last chunk
	}{
		{"proper", []string{"a\r\n\r\nb\r\n.\r\n"}, "a\r\n\r\nb\r\n", nil, false},
		{"empty", []string{".\r\n"}, "", nil, false},
		{"dots", []string{"..a\r\n...\r\n. \r\n.b\r\n.\r\n"}, ".a\r\n..\r\n \r\nb\r\n", nil, false},
		{"in single bytes", strings.Split("a\r\n..b\r\n.\r\n", ""), "a\r\n.b\r\n", nil, false},
		{"bare LF", []string{"a\n\nb\n.\n"}, "a\r\n\r\nb\r\n", messages{bareLF}, false},
		{"bare LF in single bytes", strings.Split("a\n\n..b\n.\n", ""), "a\r\n\r\n.b\r\n", messages{bareLF}, false},
		{"only a dot", []string{".\n"}, "", messages{bareLF}, false},
		{"LF, then a proper end", []string{"a\nb\r\n.\r\n"}, "a\r\nb\r\n", messages{bareLF}, false},
		{"LF before a proper dot", []string{"a\r\nb\n.\r\n"}, "a\r\nb\r\n", messages{bareLF}, false},
		{"LF after the dot", []string{"a\r\nb\r\n.\n"}, "a\r\nb\r\n", messages{bareLF}, false},
		{"LF around the dot in a proper mail", []string{"a\r\nb\n.\n"}, "a\r\nb\r\n", messages{bareLF}, false},
		{"LF around the dot and no wait", []string{"a\r\nb\n.\nQUIT\r\n"}, "a\r\nb\r\n", messages{bareLF}, false},
		{"LF around the dot and a cut", []string{"a\r\nb\n.\n"}, "a\r\nb\r\n", messages{bareLF}, true},
		{"dot line as text", []string{"a\r\nb\n.\nMAIL FROM:<evil@x.example>\r\nc\r\n.\r\n"},
			"a\r\nb\r\n.\r\nMAIL FROM:<evil@x.example>\r\nc\r\n", messages{bareLF}, false},
		{"dot line with one LF as text", []string{"a\r\nb\r\n.\nRCPT TO:<evil>\r\n\n.\r\nc\r\n.\r\n"},
			"a\r\nb\r\n.\r\nRCPT TO:<evil>\r\n\r\n.\r\nc\r\n", messages{bareLF}, false},
		{"dot after a bare CR", []string{"a\r\nb\r.\r\nc\r\n.\r\n"}, "a\r\nb\r.\r\nc\r\n", nil, false},
		{"bare CR after a dot", []string{"a\r\n.\rb\r\n.\r\n"}, "a\r\nb\r\n", nil, false},
		{"doubled CR", []string{"a\r\r\nb\r\r\n.\r\r\n"}, "a\r\nb\r\n", messages{doubledCR}, false},
		{"doubled CR, proper dot", []string{"a\r\r\n.\r\n"}, "a\r\n", messages{doubledCR}, false},
		{"many CRs", []string{"a" + strings.Repeat("\r", 100000), "\nb\r\n.\r\n"}, "a\r\nb\r\n", messages{doubledCR},
			false},
		{"long line", []string{long + "\r\n.\r\n"}, long + "\r\n", nil, false},
		{"long line with LF", []string{long + "\n.\n"}, long + "\r\n", messages{bareLF}, false},
		{"8 bit and NUL", []string{"\xff\xfe\x00\x16\r\n.\r\n"}, "\xff\xfe\x00\x16\r\n", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, Options{})
			say(t, r.client, "< 220", "EHLO c\r\n", "< 250", "MAIL FROM:<c@x.example>\r\n", "< 250",
				"RCPT TO:<n@x.example>\r\n", "< 250", "DATA\r\n", "< 354")
			say(t, r.client, tt.chunks...)
			quits := strings.HasSuffix(tt.chunks[len(tt.chunks)-1], "QUIT\r\n")
			switch {
			case tt.drop:
				_ = r.client.Close()
			case quits:
				say(t, r.client, "< 250", "< 221")
			default:
				say(t, r.client, "< 250", "QUIT\r\n", "< 221")
			}
			rep := r.wait(t)
			if m := r.backend.arrived(); len(m) != 1 || m[0].data != tt.want {
				t.Errorf("mails %.300v, want %.300q", m, tt.want)
			}
			if got, want := names(rep.Repairs), tt.repairs.names(); !slices.Equal(got, want) {
				t.Errorf("repairs %q, want %q", got, want)
			}
			if rep.Stage != Accepted || !rep.GaveUp.IsZero() {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// TestOnlyCR tests a camera whose lines all end in CR.
func TestOnlyCR(t *testing.T) {
	r := serve(t, Options{})
	say(t, r.client, "< 220", "EHLO c\r", "< 250", "MAIL FROM:<c@x.example>\r", "< 250", "RCPT TO:<n@x.example>\r",
		"< 250", "DATA\r", "< 354", "a\rb\r.\r", "< 250", "QUIT\r", "< 221")
	r.wait(t)
	if m := r.backend.arrived(); len(m) != 1 || m[0].data != "a\r\nb\r\n" {
		t.Errorf("mails %+v", m)
	}
}

// TestDialogues plays the corpus.
func TestDialogues(t *testing.T) {
	all, err := dialogue.All("../testdata/dialogues")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Errorf("%d dialogues, want at least 60", len(all))
	}
	for _, d := range all {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			o := Options{First: d.TLS == "first"}
			if d.TLS != "" {
				o.TLS = serverTLS()
			}
			r := serve(t, o)
			if err := d.Play(r.client, clientTLS()); err != nil {
				t.Errorf("%v\n%s", err, lines(r.conn.Report()))
			}
			rep := r.wait(t)
			if got := r.backend.arrived(); len(got) != d.Mails {
				t.Errorf("%d mails, want %d\n%s", len(got), d.Mails, lines(rep))
			}
			if got := names(rep.Repairs); !slices.Equal(got, d.Repairs) {
				t.Errorf("repairs %q, want %q", got, d.Repairs)
			}
			if d.Verdict == "" && !rep.GaveUp.IsZero() || !strings.Contains(rep.GaveUp.String(), d.Verdict) {
				t.Errorf("verdict %q, want %q", rep.GaveUp, d.Verdict)
			}
		})
	}
}

func lines(r Report) string {
	var b strings.Builder
	for _, l := range r.Lines {
		fmt.Fprintf(&b, "%s: %s\n", l.Who, l.Text)
	}
	return b.String()
}

// messages are repairs that a test wants.
type messages []text.Message

func (m messages) names() []string {
	var list []string
	for _, x := range m {
		list = append(list, x.With().String())
	}
	return list
}

func names(repairs []text.Text) []string {
	var list []string
	for _, r := range repairs {
		list = append(list, r.String())
	}
	return list
}

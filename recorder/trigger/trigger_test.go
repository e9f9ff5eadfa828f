package trigger

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func camera(id, url string, mail ...string) config.Camera {
	c := config.NewCamera()
	c.ID, c.URL, c.Mail = id, url, mail
	return c
}

var cameras = []config.Camera{
	camera("front-door", "rtsp://192.0.2.10/s", "front-door", "reolink@home"),
	camera("yard", "rtsp://192.0.2.11/s", "yard", "Back Yard"),
	camera("yard-2", "rtsp://192.0.2.12/s", "Back Yard 2"),
	camera("nvr-1", "rtsp://192.0.2.20/1", "[CH1]"),
	camera("nvr-2", "rtsp://192.0.2.20/2", "[CH2]"),
	camera("plain", "rtsp://cam.local/s"),
}

func TestAllowed(t *testing.T) {
	for _, tc := range []struct {
		allow []string
		addr  string
		want  bool
	}{
		{[]string{"private"}, "192.168.1.7", true}, {[]string{"private"}, "10.1.2.3", true},
		{[]string{"private"}, "127.0.0.1", true},
		{[]string{"private"}, "169.254.1.1", true}, {[]string{"private"}, "fd00::1", true},
		{[]string{"private"}, "fe80::1", true}, {[]string{"private"}, "::1", true},
		{[]string{"private"}, "203.0.113.9", false}, {[]string{"private"}, "2001:db8::1", false},
		{[]string{"203.0.113.0/24"}, "203.0.113.9", true}, {[]string{"203.0.113.9"}, "203.0.113.9", true},
		{[]string{"203.0.113.9"}, "192.168.1.1", false},
		{[]string{"any"}, "203.0.113.9", true}, {nil, "127.0.0.1", false},
	} {
		if got := Allowed(tc.allow)(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%v %s: %v", tc.allow, tc.addr, got)
		}
	}
}

// sink is a running server and what it reported.
type sink struct {
	t    *testing.T
	addr string

	mu        sync.Mutex
	triggers  map[string][]event.Trigger
	unmatched []status.Unmatched
	tests     int
	notices   []string
	mails     []Received
	pictures  map[string][][]byte // by camera
	kept      map[string][][]byte // mails, by camera
	ports     []status.Port
	fail      error

	server      *Server
	connections *ConnectionLog
}

func serve(t *testing.T, set func(*config.SMTP)) *sink {
	t.Helper()
	return serveCameras(t, cameras, set)
}

func serveCameras(t *testing.T, cameras []config.Camera, set func(*config.SMTP)) *sink {
	t.Helper()
	k := &sink{t: t, triggers: map[string][]event.Trigger{}, pictures: map[string][][]byte{},
		kept: map[string][][]byte{}, connections: &ConnectionLog{}}
	s := &Server{Settings: config.SMTP{Listen: "127.0.0.1:0", Allow: []string{"private"}}, CertDir: certDir(t),
		Log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		Cameras: func() []config.Camera { return cameras }, Refused: func(netip.Addr) {}, Connections: k.connections}
	k.server = s
	if set != nil {
		set(&s.Settings)
	}
	emit := func(_ context.Context, id string, tr event.Trigger) (string, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.fail != nil {
			return "", k.fail
		}
		k.triggers[id] = append(k.triggers[id], tr)
		return "event of " + id, nil
	}
	s.Picture = func(_ context.Context, id, event string, b []byte) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if event != "event of "+id {
			t.Errorf("picture of %s for %q", id, event)
		}
		k.pictures[id] = append(k.pictures[id], b)
	}
	s.Quiet = func(string) Kind { return Alarm }
	s.Keep = func(_ context.Context, id, _ string, b []byte) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kept[id] = append(k.kept[id], b)
	}
	s.Left = func(o Outcome, _ event.Trigger) {
		k.mu.Lock()
		defer k.mu.Unlock()
		switch o.Kind {
		case Test:
			k.tests++
		case Notice:
			k.notices = append(k.notices, o.Notice)
		}
	}
	s.Received = func(m Received) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.mails = append(k.mails, m)
	}
	s.Unmatched = func(u status.Unmatched) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.unmatched = append(k.unmatched, u)
	}
	ready := make(chan struct{})
	s.Listening = func(ports []status.Port) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ports = ports
		for _, p := range ports {
			if strings.HasSuffix(p.Listen, ":0") && p.Error.IsZero() {
				return
			}
		}
		select {
		case <-ready:
		default:
			close(ready)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, emit) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-ready
	k.mu.Lock()
	defer k.mu.Unlock()
	k.addr = k.ports[0].Listen
	return k
}

// certDir returns a folder with one certificate for all tests of a run, because making a certificate takes a while.
func certDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("preroll-test-certificate-%d", os.Getpid()))
	certOnce.Do(func() {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Certificate(dir); err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

var certOnce sync.Once

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("preroll-test-certificate-%d", os.Getpid())))
	os.Exit(code)
}

// talk sends lines and returns the codes of the answers.
func (k *sink) talk(lines ...string) []string {
	k.t.Helper()
	c, err := net.Dial("tcp", k.addr)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	br := bufio.NewReader(c)
	read := func() string {
		for {
			l, err := br.ReadString('\n')
			if err != nil {
				return "closed"
			}
			if len(l) >= 4 && l[3] == ' ' {
				return l[:3]
			}
		}
	}
	codes := []string{read()}
	for _, l := range lines {
		if _, err := fmt.Fprintf(c, "%s\r\n", l); err != nil {
			return append(codes, "closed")
		}
		codes = append(codes, read())
	}
	return codes
}

func (k *sink) count(id string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.triggers[id])
}

func TestDialogues(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	mail := []string{"MAIL FROM:<cam@x>", "RCPT TO:<yard@preroll>", "DATA", "Subject: Motion\r\n\r\nx\r\n."}
	for _, tc := range []struct {
		name  string
		lines []string
	}{
		{"EHLO", append([]string{"EHLO cam"}, mail...)},
		{"HELO", append([]string{"HELO cam"}, mail...)},
		{"EHLO then HELO", append([]string{"EHLO cam", "HELO cam"}, mail...)},
		{"AUTH PLAIN", append([]string{"EHLO cam", "AUTH PLAIN " + b64([]byte("\x00u\x00p"))}, mail...)},
		{"AUTH PLAIN in two steps", append([]string{"EHLO cam", "AUTH PLAIN", b64([]byte("\x00u\x00p"))}, mail...)},
		{"AUTH LOGIN", append([]string{"EHLO cam", "AUTH LOGIN", b64([]byte("u")), b64([]byte("p"))}, mail...)},
		{"AUTH LOGIN with the user", append([]string{"EHLO cam", "AUTH LOGIN " + b64([]byte("u")), b64([]byte("p"))},
			mail...)},
		{"two mails, RSET, NOOP", append(append([]string{"EHLO cam", "NOOP", "RSET"}, mail...), mail...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := serve(t, nil)
			codes := k.talk(append(tc.lines, "QUIT")...)
			for i, c := range codes {
				if c[0] != '2' && c[0] != '3' {
					t.Errorf("answer %d: %s, in %v", i, c, codes)
				}
			}
			want := strings.Count(strings.Join(tc.lines, "\n"), "DATA")
			if got := k.count("yard"); got != want {
				t.Errorf("%d triggers, want %d", got, want)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	k := serve(t, func(s *config.SMTP) { s.Username, s.Password = "cams", "right" })
	b64 := base64.StdEncoding.EncodeToString
	if codes := k.talk("EHLO x", "MAIL FROM:<a@b>"); codes[2] == "250" {
		t.Errorf("a mail without a login was accepted: %v", codes)
	}
	if codes := k.talk("EHLO x", "AUTH LOGIN", b64([]byte("cams")), b64([]byte("wrong"))); codes[4] != "535" {
		t.Errorf("a wrong password: %v", codes)
	}
	if codes := k.talk("EHLO x", "AUTH LOGIN", b64([]byte("cams")), b64([]byte("right")),
		"MAIL FROM:<a@b>"); codes[5] != "250" {
		t.Errorf("the right password: %v", codes)
	}
}

func TestSTARTTLSAndAttachment(t *testing.T) {
	k := serve(t, nil)
	c, err := smtp.Dial(k.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := errors.Join(c.Mail("cam@x"), c.Rcpt("front-door@preroll"), c.Rcpt("yard@preroll")); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "From: cam@x\r\nSubject: =?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte("Tür: Person"))+
		"?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"#BOUNDARY#\"\r\n\r\n"+
		"--#BOUNDARY#\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\nEVENT TYPE: Human Detected\r\n"+
		"--#BOUNDARY#\r\nContent-Type: image/jpeg; name=\"../../etc/x.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	// The trigger comes before the attachment.
	line := strings.Repeat("A", 76) + "\r\n"
	for range 20000 {
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); k.count("front-door") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the trigger waits for the attachment")
		}
	}
	fmt.Fprint(w, "--#BOUNDARY#--\r\n")
	if err := errors.Join(w.Close(), c.Quit()); err != nil {
		t.Fatal(err)
	}
	if k.count("yard") != 1 || k.count("front-door") != 1 {
		t.Errorf("triggers: %+v", k.triggers)
	}
	tr := k.triggers["yard"][0]
	if tr.Label != "person" || tr.Subject != "Tür: Person" || tr.Source != event.Mail || tr.Time.After(began) {
		t.Errorf("%+v", tr)
	}
}

func TestUnmatchedAndTestMails(t *testing.T) {
	k := serve(t, nil)
	k.talk("HELO x", "MAIL FROM:<who@x>", "RCPT TO:<nobody@x>", "DATA", "Subject: a\x1b[31mb\r\n\r\nx\r\n.", "QUIT")
	k.talk("HELO x", "MAIL FROM:<who@x>", "RCPT TO:<yard@x>", "DATA", "Subject: Test Email\r\n\r\nx\r\n.", "QUIT")
	if len(k.unmatched) != 1 || strings.ContainsRune(k.unmatched[0].Subject, 0x1b) ||
		k.unmatched[0].To[0] != "nobody@x" {
		t.Errorf("unmatched: %+v", k.unmatched)
	}
	if k.tests != 1 || k.count("yard") != 0 {
		t.Errorf("%d test mails, %d triggers", k.tests, k.count("yard"))
	}
	if len(k.mails) != 2 || k.mails[0].Cameras != nil || k.mails[0].Test || !k.mails[1].Test ||
		!slices.Equal(k.mails[1].Cameras, []string{"yard"}) || k.mails[1].From != "127.0.0.1" {
		t.Errorf("mails: %+v", k.mails)
	}
}

func TestNotDurableIsNot250(t *testing.T) {
	k := serve(t, nil)
	k.fail = errors.New("index is locked")
	if codes := k.talk("HELO x", "MAIL FROM:<a@x>", "RCPT TO:<yard@x>", "DATA",
		"Subject: x\r\n\r\nx\r\n."); codes[5] != "451" {
		t.Errorf("answers: %v", codes)
	}
}

// TestConnectionsAreBounded checks that too many connections of an address cost its oldest connection, not a new one.
func TestConnectionsAreBounded(t *testing.T) {
	k := serve(t, nil)
	k.talk("QUIT") // now the server knows that this address does not begin with TLS
	var first net.Conn
	for i := range maxPerAddress + 5 {
		c, err := net.Dial("tcp", k.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if i == 0 {
			first = c
		}
		if l, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(l, "220") {
			t.Fatalf("connection %d: %q, %v", i, l, err)
		}
	}
	_ = first.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest connection is still open: %d, %v", n, err)
	}
	k.server.limiter.mu.Lock()
	defer k.server.limiter.mu.Unlock()
	if n := k.server.limiter.total; n > maxPerAddress {
		t.Errorf("%d connections", n)
	}
}

func TestPortErrorNamesAndOffers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, err = net.Listen("tcp", ln.Addr().String())
	port := fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
	text := PortError("smtp.listen", ln.Addr().String(), err).Error()
	if !strings.Contains(text, "port "+port+" is taken") || !strings.Contains(text, "is free") {
		t.Error(text)
	}
}

package trigger

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

// TestCamerasKeepTheirConnections checks that a camera keeps its connections however many connections strangers hold,
// even strangers that brought a camera's mail.
func TestCamerasKeepTheirConnections(t *testing.T) {
	for _, own := range []bool{true, false} {
		g := &connLimiter{}
		now := time.Now()
		enter := func(a string, own bool) *conn {
			now = now.Add(100 * time.Microsecond)
			c := &conn{began: now, from: netip.MustParseAddr(a), isCamera: own}
			g.enter(c)
			return c
		}
		camera := enter("192.168.1.10", own)
		g.brought(camera)
		for n := range 5000 {
			c := &conn{began: now.Add(time.Duration(n) * time.Microsecond),
				from: netip.MustParseAddr(fmt.Sprintf("192.168.2.%d", n%100))}
			drop, ok := g.enter(c)
			if !ok || drop == camera {
				t.Fatalf("own %v: the camera's connection went for connection %d", own, n)
			}
			g.brought(c)
		}
		if g.total > maxConns {
			t.Errorf("%d connections", g.total)
		}
	}
}

// TestEndWhileConnectionsCome checks that a server that ends while connections come ends all of them, and waits.
func TestEndWhileConnectionsCome(t *testing.T) {
	for range 30 {
		s := &Server{Settings: config.SMTP{Listen: "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0", Allow: []string{"private"}},
			CertDir: certDir(t),
			Cameras: func() []config.Camera {
				return cameras
			}, Connections: &ConnectionLog{}, Log: slog.New(slog.DiscardHandler)}
		ports := make(chan []status.Port, 10)
		s.Listening = func(p []status.Port) { ports <- p }
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, nil) }()
		var now []status.Port
		for range 3 {
			now = <-ports
		}
		var wg sync.WaitGroup
		over := make(chan struct{})
		for _, p := range now {
			wg.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					if c, err := net.DialTimeout("tcp", p.Listen, 20*time.Millisecond); err == nil {
						defer func() { _ = c.Close() }()
					}
				}
			})
		}
		wait(t, "connections", func() bool {
			s.limiter.mu.Lock()
			defer s.limiter.mu.Unlock()
			return s.limiter.total > 3
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.limiter.mu.Lock()
		if s.limiter.total != 0 {
			t.Errorf("%d connections are left", s.limiter.total)
		}
		s.limiter.mu.Unlock()
		close(over)
		wg.Wait()
	}
}

// TestLongHeadsOfStrangers checks that no alarm is lost when there is no memory for its long head. A mail whose
// recipient names its camera counts. Another mail has to be sent again.
func TestLongHeadsOfStrangers(t *testing.T) {
	k := serve(t, nil)
	k.server.heads.max, k.server.heads.each = 4, 2
	long := strings.Repeat("X-A: "+strings.Repeat("a", 70)+"\r\n", 70)
	for i := range 4 {
		c, err := k.from(t.Context(), fmt.Sprintf("127.0.3.%d", 1+i/2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c,
			"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<z@x>\r\nDATA\r\nSubject: x\r\n"+long); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "the strangers", func() bool {
		k.server.heads.mu.Lock()
		defer k.server.heads.mu.Unlock()
		return len(k.server.heads.held) == 4
	})
	if codes := k.talk("HELO nvr", "MAIL FROM:<nvr@x>", "RCPT TO:<alarm@x>", "DATA",
		long+"Subject: Motion [CH1]\r\n\r\nx\r\n."); codes[5] != "451" {
		t.Errorf("a mail whose head could not be read was answered %v", codes)
	}
	if codes := k.talk("HELO cam", "MAIL FROM:<cam@x>", "RCPT TO:<yard@x>", "DATA",
		long+"Subject: Motion\r\n\r\nx\r\n."); codes[5] != "250" || k.count("yard") != 1 {
		t.Errorf("a mail whose recipient is a camera was answered %v, %d triggers", codes, k.count("yard"))
	}
	k.mu.Lock()
	if len(k.unmatched) != 0 {
		t.Errorf("%+v", k.unmatched)
	}
	k.mu.Unlock()
	// Slow strangers lose their slots in the end.
	k.server.heads.mu.Lock()
	for _, p := range k.server.heads.held {
		p.since = p.since.Add(-longHeld)
	}
	k.server.heads.mu.Unlock()
	if codes := k.talk("HELO nvr", "MAIL FROM:<nvr@x>", "RCPT TO:<alarm@x>", "DATA",
		long+"Subject: Motion [CH1]\r\n\r\nx\r\n."); codes[5] != "250" || k.count("nvr-1") != 1 {
		t.Errorf("a mail beside slow ones was answered %v, %d triggers", codes, k.count("nvr-1"))
	}
}

// TestVerdictOfTheLastMail checks that an accepted mail clears earlier trouble from the verdict.
func TestVerdictOfTheLastMail(t *testing.T) {
	k := serve(t, nil)
	k.fail = fmt.Errorf("index is locked")
	c, br := k.begin("yard@preroll")
	mail := "Subject: Motion\r\n\r\nx\r\n.\r\n"
	answer := func(want byte) {
		t.Helper()
		if s, err := br.ReadString('\n'); err != nil || s[0] != want {
			t.Fatalf("%q, %v", s, err)
		}
	}
	fmt.Fprint(c, mail)
	answer('4')
	if v := k.connections.List()[0]; v.Good || !strings.Contains(v.Verdict.String(), "not accepted") {
		t.Errorf("%q", v.Verdict)
	}
	k.mu.Lock()
	k.fail = nil
	k.mu.Unlock()
	for _, l := range []string{"MAIL FROM:<a@x>\r\n", "RCPT TO:<yard@x>\r\n", "RCPT TO:<front-door@x>\r\n"} {
		fmt.Fprint(c, l)
		answer('2')
	}
	fmt.Fprint(c, "DATA\r\n")
	answer('3')
	fmt.Fprint(c, mail)
	answer('2')
	if v := k.connections.List()[0]; !v.Good || v.Verdict.String() != "accepted" || v.Mails != 2 ||
		len(v.Cameras) != 2 {
		t.Errorf("%q, good %v, %d mails, %v", v.Verdict, v.Good, v.Mails, v.Cameras)
	}
}

// TestDamagedCertificate checks that a certificate that is cut off is set aside and a new one is created.
func TestDamagedCertificate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "smtp-certificate.pem")
	if err := os.WriteFile(file, []byte("-----BEGIN CERTIFICATE-----\nMIIC"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Certificate(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file + ".damaged"); err != nil {
		t.Error(err)
	}
	if _, err := Certificate(dir); err != nil {
		t.Error(err)
	}
}

// TestPicturesOfStrangers checks that mails of strangers that stop in the middle of a picture do not harm a camera's
// mail.
func TestPicturesOfStrangers(t *testing.T) {
	k := serve(t, nil)
	head := strings.TrimSuffix(mixed(textPart), "--B--\r\n") + "--B\r\nContent-Type: image/jpeg\r\n" + b64 + "\r\n\r\n"
	begin := folded(photo(t, "jpeg", 640, 360))
	for i := range 6 {
		c, err := k.from(t.Context(), fmt.Sprintf("127.0.4.%d", 1+i/3))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c,
			"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<front-door@x>\r\nDATA\r\n"+head+begin[:len(begin)/2]); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "the strangers' pictures", func() bool {
		k.server.holding.mu.Lock()
		defer k.server.holding.mu.Unlock()
		return len(k.server.holding.held) == 2*picturesEach
	})
	if err := k.send(strings.NewReader(head + begin + "\r\n--B--\r\n")); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pictures["yard"]) != 1 {
		t.Errorf("%d pictures", len(k.pictures["yard"]))
	}
}

// TestMailsAtWorkAreBounded checks the bound on mails that are read on after their connections were dropped.
func TestMailsAtWorkAreBounded(t *testing.T) {
	var g connLimiter
	a, b := netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("192.168.1.11")
	var done []func()
	for range 500 {
		if d, ok := g.reading(a); ok {
			done = append(done, d)
		}
	}
	if len(done) != maxPerAddress {
		t.Errorf("%d mails of one address at once", len(done))
	}
	if d, ok := g.reading(b); !ok {
		t.Error("another address is kept out")
	} else {
		d()
	}
	for _, d := range done {
		d()
	}
	if _, ok := g.reading(a); !ok || len(g.reads) != 1 || g.read != 1 {
		t.Errorf("it stays full: %v, %d", g.reads, g.read)
	}
}

// TestWrongLoginsOfANeighbour checks that wrong logins of one camera do not lock out another camera that logged in from
// the same address before.
func TestWrongLoginsOfANeighbour(t *testing.T) {
	var g connLimiter
	a, b := netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("192.168.1.11")
	g.rightLogin(a)
	now := time.Now()
	for range 2 * manyLogins {
		g.wrongLogin(a, now)
		g.wrongLogin(b, now)
	}
	if !g.mayLogin(a, now) || g.mayLogin(b, now) {
		t.Errorf("%v, %v", g.mayLogin(a, now), g.mayLogin(b, now))
	}
}

// TestHellosAreBounded checks that a client that begins TLS all the time costs only a few signatures a second, and does
// not delay others.
func TestHellosAreBounded(t *testing.T) {
	var g connLimiter
	now := time.Now()
	storm, camera := netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("192.0.2.7")
	let := 0
	for i := range 10_000 {
		if g.greets(storm, now.Add(time.Duration(i)*time.Millisecond)) {
			let++
		}
		if i%100 == 0 && !g.greets(camera, now.Add(time.Duration(i)*time.Millisecond)) {
			t.Fatal("a camera was kept out")
		}
	}
	if let < 200 || let > 250 {
		t.Errorf("%d handshakes in ten seconds", let)
	}
}

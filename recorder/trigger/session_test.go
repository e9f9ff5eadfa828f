package trigger

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/smtp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
)

// wait waits until a condition holds.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.Until(t, what, 20*time.Second, ok, nil)
}

// begin sends the envelope of a mail, up to the reply to DATA.
func (k *sink) begin(to string) (net.Conn, *bufio.Reader) {
	k.t.Helper()
	c, err := net.Dial("tcp", k.addr)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	br := bufio.NewReader(c)
	for _, l := range []string{"", "HELO cam", "MAIL FROM:<cam@x>", "RCPT TO:<" + to + ">", "DATA"} {
		if l != "" {
			if _, err := fmt.Fprintf(c, "%s\r\n", l); err != nil {
				k.t.Fatal(err)
			}
		}
		if s, err := br.ReadString('\n'); err != nil || s[0] != '2' && s[0] != '3' {
			k.t.Fatalf("%q: %q, %v", l, s, err)
		}
	}
	return c, br
}

// TestEventOpensWithTheHeader checks that an event opens with what is known if the text after the header does not come.
// It is triggered once.
func TestEventOpensWithTheHeader(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	k := serve(t, nil)
	c, br := k.begin("yard@preroll")
	fmt.Fprint(c, "Subject: Alarm\r\nContent-Type: text/plain\r\n\r\n")
	wait(t, "the event", func() bool { return k.count("yard") == 1 })
	fmt.Fprint(c, "EVENT TYPE: Human Detected\r\nEVENT TIME: 2026-11-22,10:20:30\r\nCHANNEL NAME: Back Yard\r\n.\r\n")
	if s, err := br.ReadString('\n'); err != nil || s[0] != '2' {
		t.Fatalf("%q, %v", s, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if list := k.triggers["yard"]; len(list) != 1 || list[0].Label != "" || list[0].Subject != "Alarm" {
		t.Errorf("%+v", list)
	}
}

// TestTextIsWaitedFor checks that text that comes a moment after the header counts.
func TestTextIsWaitedFor(t *testing.T) {
	t.Parallel()
	k := serve(t, nil)
	c, br := k.begin("yard@preroll")
	fmt.Fprint(c, "Subject: Alarm\r\nContent-Type: text/plain\r\n\r\n")
	time.Sleep(time.Second)
	fmt.Fprint(c, "EVENT TYPE: Human Detected\r\n.\r\n")
	if s, err := br.ReadString('\n'); err != nil || s[0] != '2' {
		t.Fatalf("%q, %v", s, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if list := k.triggers["yard"]; len(list) != 1 || list[0].Label != "person" {
		t.Errorf("%+v", list)
	}
}

// TestCutMailCounts checks that a mail counts although the camera cuts the connection in its middle.
func TestCutMailCounts(t *testing.T) {
	for _, data := range []string{"", "Subject: x", "Subject: Motion\r\n\r\n", "Subject: Motion\r\n\r\nhalf a line"} {
		k := serve(t, nil)
		c, _ := k.begin("yard@preroll")
		fmt.Fprint(c, data)
		_ = c.Close()
		wait(t, fmt.Sprintf("the event of %q", data), func() bool { return k.count("yard") == 1 })
	}
}

// TestWhatIsNoAlarm checks that notices, tests and keep-alive connections record nothing.
func TestWhatIsNoAlarm(t *testing.T) {
	k := serve(t, nil)
	k.talk("HELO x", "MAIL FROM:<nvr@x>", "RCPT TO:<yard@x>", "DATA",
		"Subject: NVR\r\n\r\nEVENT TYPE: HDD Full\r\nEVENT TIME: 2026-11-22,10:20:30\r\n.", "QUIT")
	k.talk("EHLO x", "NOOP", "QUIT")
	k.talk("QUIT")
	k.talk()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Equal(k.notices, []string{"disk"}) || len(k.triggers) != 0 || len(k.unmatched) != 0 {
		t.Errorf("notices %v, triggers %v, unmatched %v", k.notices, k.triggers, k.unmatched)
	}
}

// TestMailIsKept checks the setting that keeps mails.
func TestMailIsKept(t *testing.T) {
	k := serve(t, func(s *config.SMTP) { s.KeepMail = true })
	mail := "Subject: Motion\r\n\r\nEvent Type: Motion\r\n"
	k.talk("HELO x", "MAIL FROM:<a@x>", "RCPT TO:<yard@x>", "DATA", mail+".", "QUIT")
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept["yard"]) != 1 || string(k.kept["yard"][0]) != mail {
		t.Errorf("%q", k.kept)
	}
}

// TestPorts checks that each port answers, the last one with TLS from the first byte. A plain port takes such TLS too.
func TestPorts(t *testing.T) {
	k := serve(t, func(s *config.SMTP) { s.Listen, s.ListenTLS = "127.0.0.1:0, 127.0.0.1:0", "127.0.0.1:0" })
	if len(k.ports) != 3 {
		t.Fatalf("%+v", k.ports)
	}
	for i, p := range k.ports {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for try := range 3 {
				c, err := tls.Dial("tcp", p.Listen, &tls.Config{InsecureSkipVerify: true})
				if err != nil && !p.TLS && try == 0 {
					// The client began too late and was greeted. From now on the server waits for the client.
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				cl, err := smtp.NewClient(c, "preroll")
				if err != nil {
					t.Fatal(err)
				}
				if err := cl.Mail("a@x"); err != nil {
					t.Error(err)
				}
				_ = cl.Close()
			}
		})
	}
}

// TestTakenPort checks that a taken port does not stop the others and is reported.
func TestTakenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	k := serve(t, func(s *config.SMTP) { s.Listen = "127.0.0.1:0," + ln.Addr().String() })
	wait(t, "the error", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.ports[0].Error.IsZero() && strings.Contains(k.ports[1].Error.String(), "is taken by another program")
	})
}

// TestVerdicts checks the verdict on a connection.
func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  string
		good  bool
	}{
		{"fine", []string{"HELO cam", "MAIL FROM:<a@x>", "RCPT TO:<yard@x>", "DATA", "Subject: Motion\r\n\r\nx\r\n.",
			"QUIT"}, "accepted", true},
		{"repaired", []string{"HELO cam", "MAIL FROM:<a>", "RCPT TO:<yard@x>", "DATA", "Subject: Motion\r\n\r\nx\r\n.",
			"QUIT"}, "accepted after 1 repair: no domain in the sender", true},
		{"no camera", []string{"HELO cam", "MAIL FROM:<a@x>", "RCPT TO:<z@x>", "DATA", "Subject: Hello\r\n\r\nx\r\n.",
			"QUIT"}, "accepted; it fits no camera: ", false},
		{"test", []string{"HELO cam", "MAIL FROM:<a@x>", "RCPT TO:<yard@x>", "DATA",
			"Subject: Test Email\r\n\r\nx\r\n.", "QUIT"}, "accepted; it is a test mail", true},
		{"nothing", []string{"QUIT"}, "camera gave up without a word", true},
		{"gave up", []string{"EHLO cam"}, "camera gave up after EHLO", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := serve(t, nil)
			k.talk(tc.lines...)
			wait(t, "the verdict", func() bool { l := k.connections.List(); return len(l) == 1 && !l[0].Open })
			v := k.connections.List()[0]
			if !strings.HasPrefix(v.Verdict.String(), tc.want) || v.Good != tc.good || len(v.Dialogue) == 0 {
				t.Errorf("%q, good %v, %d lines, want %q", v.Verdict, v.Good, len(v.Dialogue), tc.want)
			}
		})
	}
}

package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

// says talks to the mail server like a careless camera, and returns the replies.
func says(t *testing.T, address string, lines ...string) (replies []string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for _, l := range append([]string{""}, lines...) {
		if l != "" {
			fmt.Fprint(c, l)
		}
		reply, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", l, err)
		}
		replies = append(replies, strings.TrimSpace(reply))
	}
	return replies
}

// TestMail checks that `preroll mail` lists what cameras did, and what makes a mail fit.
func TestMail(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	b := newBox(t, config.DemoCamera())
	for _, args := range []string{"mail x", "mail 0", "mail -n -1", "mail 1 2"} {
		if code, out := b.run(strings.Fields(args)...); code != 2 {
			t.Errorf("%s: %d, %s", args, code, out)
		}
	}
	if code, out := b.run("mail"); code != 3 || !strings.Contains(out, "no recorder is running") {
		t.Errorf("without a recorder: %d, %s", code, out)
	}
	r := b.record()
	var listen string
	b.until("the mail server", 60*time.Second, func() bool {
		s, ok := b.status()
		listen = s.SMTP.Listen
		return ok && listen != ""
	})
	if code, out := b.run("mail"); code != 0 || !strings.Contains(out, "No camera has connected yet") ||
		strings.Contains(out, "Unmatched") {
		t.Errorf("no connection: %d, %s", code, out)
	}
	b.filled(5 * time.Second)
	if code, out := b.run("trigger", "--mail", "demo"); code != 0 {
		t.Fatalf("trigger: %d, %s", code, out)
	}
	replies := says(t, listen, "MAIL FROM:<camera1>\n", "RCPT TO:<nobody>\n", "DATA\n",
		"Subject: Motion \x1b[31m\n\nIPC Name: Front Yard\n.\n", "QUIT\n")
	if got := replies[4]; !strings.HasPrefix(got, "250") {
		t.Errorf("a mail for nobody is answered %q", got)
	}
	var list struct {
		Connections []status.Connection
		Unmatched   []status.Unmatched
	}
	b.until("both connections", 20*time.Second, func() bool {
		code, out := b.run("mail", "--json")
		return code == 0 && json.Unmarshal([]byte(out), &list) == nil && len(list.Connections) == 2 &&
			!list.Connections[0].Open && len(list.Unmatched) == 1
	})
	if c := list.Connections; c[0].Good || !c[1].Good || len(c[1].Events) != 1 || len(c[0].Dialogue) < 5 {
		t.Errorf("%+v", c)
	}
	code, out := b.run("mail")
	for _, want := range []string{"NO.", "accepted", "it fits no camera", "  !  ", "  ok  ", "Unmatched", `"nobody",`,
		"# by the recipient", `"from: camera1",`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("no %q: %d, %s", want, code, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a camera colours the terminal: %q", out)
	}
	if code, out := b.run("mail", "--bad", "--from", "127.0.0.1"); code != 0 || strings.Contains(out, "  ok  ") ||
		!strings.Contains(out, "  !  ") {
		t.Errorf("--bad: %d, %s", code, out)
	}
	if code, out := b.run("mail", "--from", "192.0.2.1"); code != 0 ||
		!strings.Contains(out, "None of the last 2 connections fits") {
		t.Errorf("--from: %d, %s", code, out)
	}
	if code, out := b.run("mail", "-n", "1"); code != 0 || !strings.Contains(out, "and 1 older one: -n 2") {
		t.Errorf("-n: %d, %s", code, out)
	}
	one := fmt.Sprint(list.Connections[0].ID)
	if code, out := b.run("mail", one); code != 0 || !strings.Contains(out, "MAIL FROM:<camera1>") ||
		!strings.Contains(out, "Repairs: ") || !strings.Contains(out, "preroll  250") {
		t.Errorf("one: %d, %s", code, out)
	}
	var c status.Connection
	if code, out := b.run("mail", one, "--json"); code != 0 || json.Unmarshal([]byte(out), &c) != nil ||
		c.Verdict.String() != list.Connections[0].Verdict.String() {
		t.Errorf("one as JSON: %d, %s", code, out)
	}
	if code, out := b.run("mail", "99"); code != 1 || !strings.Contains(out, "not among the last 2") {
		t.Errorf("one that is not there: %d, %s", code, out)
	}
	r.end(os.Interrupt)
}

package trigger

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// from dials the server from an address of this machine.
func (k *sink) from(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", k.addr)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = c.Close() })
	}
	return c, err
}

// flood sends bytes from an address until all are sent, the server ends the connection, or ctx ends. Meanwhile it reads
// and drops what the server says.
func (k *sink) flood(ctx context.Context, addr string, r io.Reader) {
	c, err := k.from(ctx, addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
	_, _ = io.Copy(c, r)
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	wg.Wait()
}

// good sends a camera's mail from an address of its own. before is what it sends before the mail.
func (k *sink) good(ctx context.Context, before ...string) error {
	c, err := k.from(ctx, "127.0.0.77")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	br := bufio.NewReader(c)
	mail := []string{"MAIL FROM:<cam@x>", "RCPT TO:<yard@preroll>", "DATA", "Subject: Motion\r\n\r\nx\r\n."}
	for _, l := range slices.Concat([]string{"", "HELO cam"}, before, mail) {
		if l != "" {
			if _, err := io.WriteString(c, l+"\r\n"); err != nil {
				return err
			}
		}
		if s, err := br.ReadString('\n'); err != nil || s[0] != '2' && s[0] != '3' {
			return fmt.Errorf("%q: %q %w", l, s, err)
		}
	}
	return nil
}

// inUse returns the memory in use, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// endless returns a reader of n bytes that repeats a text.
func endless(text string, n int64) io.Reader { return io.LimitReader(&again{text: text}, n) }

type again struct {
	text string
	at   int
}

func (a *again) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], a.text[a.at:])
		n, a.at = n+m, (a.at+m)%len(a.text)
	}
	return n, nil
}

// TestAttacks checks that a camera's mail is answered and memory stays bounded, whatever a stranger does.
func TestAttacks(t *testing.T) {
	poll.RealTime(t)
	most, conns := int64(140<<20), int64(10000) // more than a mail may have
	if raced {                                  // .ci/test runs this without the race detector too
		most, conns = 1<<20, 500
	}
	const hello = "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<z@x>\r\nDATA\r\n"
	var bomb bytes.Buffer
	gz := gzip.NewWriter(&bomb)
	_, _ = io.Copy(gz, endless("\x00", 200<<20))
	_ = gz.Close()
	deep := func() io.Reader {
		var b strings.Builder
		b.WriteString(hello + "Subject: x\r\n")
		for i := range 10000 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		b.WriteString("\r\n.\r\nQUIT\r\n")
		return strings.NewReader(b.String())
	}
	// several runs an attack n times at once, from several addresses.
	several := func(n int, r func() io.Reader) func(context.Context, *sink) {
		return func(ctx context.Context, k *sink) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { k.flood(ctx, fmt.Sprintf("127.0.1.%d", 1+i%8), r()) })
			}
			wg.Wait()
		}
	}
	for _, tc := range []struct {
		name string
		set  func(*config.SMTP)
		do   func(context.Context, *sink)
	}{
		{"10,000 connections from one address", nil, func(ctx context.Context, k *sink) {
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(conns)
			for range 200 {
				wg.Go(func() {
					var open []net.Conn
					for left.Add(-1) >= 0 && ctx.Err() == nil {
						if c, err := k.from(ctx, "127.0.1.1"); err == nil {
							open = append(open, c)
						}
					}
					for _, c := range open {
						_ = c.Close()
					}
				})
			}
			wg.Wait()
		}},
		{"1,000 slow drips", nil, func(ctx context.Context, k *sink) {
			ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					c, err := k.from(ctx, fmt.Sprintf("127.0.%d.%d", 1+i/50, 1+i%50))
					if err != nil {
						return
					}
					for ctx.Err() == nil {
						if _, err := io.WriteString(c, "E"); err != nil {
							return
						}
						select {
						case <-ctx.Done():
						case <-time.After(time.Second):
						}
					}
				})
			}
			wg.Wait()
		}},
		{"an endless line at the begin", nil, several(8, func() io.Reader { return endless("A", most) })},
		{"an endless line after EHLO", nil,
			several(8, func() io.Reader {
				return io.MultiReader(strings.NewReader("EHLO x\r\n"), endless("A", most))
			})},
		{"an endless line in a login", nil, several(8, func() io.Reader {
			return io.MultiReader(strings.NewReader("EHLO x\r\nAUTH LOGIN\r\n"), endless("A", most))
		})},
		{"an endless address", nil, several(8, func() io.Reader {
			return io.MultiReader(strings.NewReader("EHLO x\r\nMAIL FROM:<"), endless("A", most))
		})},
		{"an endless line in a header", nil, several(3, func() io.Reader {
			return io.MultiReader(strings.NewReader(hello+"Subject: "), endless("A", most))
		})},
		{"an endless line in a body", nil, several(3, func() io.Reader {
			return io.MultiReader(strings.NewReader(hello+"Subject: x\r\n\r\n"), endless("A", most))
		})},
		{"headers without end", nil, several(3, func() io.Reader {
			return io.MultiReader(strings.NewReader(hello), endless("X: y\r\n", most))
		})},
		{"a body that never ends", nil, several(3, func() io.Reader {
			return io.MultiReader(strings.NewReader(hello+"\r\n"), endless("x\r\n", most))
		})},
		{"blank lines without end", nil,
			several(3, func() io.Reader { return io.MultiReader(strings.NewReader(hello), endless("\r\n", most)) })},
		{"a million recipients", nil, several(8, func() io.Reader {
			return io.MultiReader(strings.NewReader("EHLO x\r\nMAIL FROM:<a@x>\r\n"),
				endless("RCPT TO:<z@x>\r\n", 15<<20))
		})},
		{"BDAT of 4 GiB", nil, several(8, func() io.Reader {
			return io.MultiReader(strings.NewReader("EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<z@x>\r\nBDAT 4294967296\r\n"), endless("A", most))
		})},
		{"10,000 deep MIME", nil, several(8, deep)},
		{"a decompression bomb", nil, several(8, func() io.Reader {
			return strings.NewReader(hello +
				"Content-Type: image/jpeg\r\nContent-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
				folded(bomb.Bytes()) + ".\r\nQUIT\r\n")
		})},
		{"STARTTLS injection", nil, several(8, func() io.Reader {
			return strings.NewReader("EHLO x\r\nSTARTTLS\r\nMAIL FROM:<a@x>\r\nRCPT TO:<yard-2@x>\r\nDATA\r\nSubject: Back Yard 2\r\n\r\nx\r\n.\r\n")
		})},
		{"QUIT and MAIL in one packet", nil,
			several(8, func() io.Reader { return strings.NewReader("EHLO x\r\nQUIT\r\nMAIL FROM:<a@x>\r\n") })},
		{"wrong logins by the thousand", func(s *config.SMTP) {
			s.Username, s.Password = "cams", "right"
		}, func(ctx context.Context, k *sink) {
			several(300, func() io.Reader {
				return endless("EHLO x\r\nAUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00cams\x00wrong"))+
					"\r\n", 4<<10)
			})(ctx, k)
		}},
		{"garbage", nil, several(32, func() io.Reader { return endless("\x00\xff\r\n\x16\x03\x01.\n\r", 1<<20) })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := serve(t, tc.set)
			good := func() error {
				if tc.set != nil {
					return k.good(t.Context(), "AUTH PLAIN "+
						base64.StdEncoding.EncodeToString([]byte("\x00cams\x00right")))
				}
				return k.good(t.Context())
			}
			if err := good(); err != nil {
				t.Fatal(err)
			}
			before := inUse()
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			over := make(chan struct{})
			go func() {
				defer close(over)
				tc.do(ctx, k)
			}()
			grown, longest := int64(0), time.Duration(0)
			for n, running := 0, true; running || n < 3; n++ {
				began := time.Now()
				if err := good(); err != nil {
					t.Errorf("a camera's mail during the attack: %v", err)
					break
				}
				longest = max(longest, time.Since(began))
				grown = max(grown, inUse()-before)
				select {
				case <-over:
					running = false
				case <-time.After(100 * time.Millisecond):
				}
			}
			cancel()
			<-over
			t.Logf("a camera's mail took %v at most, memory grew by %d MB at most", longest.Round(time.Millisecond),
				grown>>20)
			if longest > 20*time.Second { // it takes 2 s on a machine with nothing else to do
				t.Errorf("a camera's mail took %v", longest)
			}
			if grown > 64<<20 {
				t.Errorf("memory grew by %d MB", grown>>20)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			for id := range k.triggers {
				if id != "yard" {
					t.Errorf("camera %s was triggered", id)
				}
			}
		})
	}
}

// TestHostileNames checks that hostile names become harmless text.
func TestHostileNames(t *testing.T) {
	k := serve(t, nil)
	for _, name := range []string{"../../etc/passwd", "a\x00b", "\x1b[31mred\x1b[0m", "\u202eevil", "a\rb", "-i",
		strings.Repeat("x", 3000), "<script>", "%s%n", "'; DROP TABLE events; --"} {
		k.talk("EHLO "+name, "MAIL FROM:<"+name+"@x>", "RCPT TO:<"+name+"@x>", "DATA",
			"Subject: "+name+"\r\nFrom: "+name+" <"+name+"@x>\r\n\r\nCHANNEL NAME: "+name+"\r\nEVENT TIME: "+name+
				"\r\n.", "QUIT")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.unmatched) == 0 {
		t.Fatal("no mail came through")
	}
	for _, u := range k.unmatched {
		for _, s := range append([]string{u.Sender, u.Subject, u.Login, u.Channel, u.Device, u.Number, u.Label},
			u.To...) {
			if strings.ContainsAny(s, "\x00\x1b\r\n\u202e") || len([]rune(s)) > 201 {
				t.Errorf("%q", s)
			}
		}
	}
	for _, v := range k.connections.List() {
		for _, l := range v.Dialogue {
			if strings.ContainsAny(l.Text.String(), "\x00\x1b\r\n\u202e") || len(l.Text.String()) > 210 {
				t.Errorf("%q", l.Text)
			}
		}
	}
}

// TestMailOfAnotherCamera checks that a mail from the address of one camera cannot be about another camera.
func TestMailOfAnotherCamera(t *testing.T) {
	set := ruleSet(cameras)
	match := func(from string) rule.Result {
		return set.Match(rule.Mail{From: netip.MustParseAddr(from), To: []string{"yard@preroll"}})
	}
	if res := match("192.0.2.10"); len(res.IDs) != 0 || !strings.Contains(res.Why.String(), "front-door") ||
		!strings.Contains(res.Why.String(), "yard") {
		t.Errorf("%+v", res)
	}
	if res := match("192.0.2.99"); len(res.IDs) != 1 || res.IDs[0] != "yard" {
		t.Errorf("%+v", res)
	}
}

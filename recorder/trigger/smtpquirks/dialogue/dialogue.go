// Package dialogue reads and plays recorded dialogues of cameras, for tests. They are in
// recorder/trigger/testdata/dialogues.
//
// A file has a head of "key: value" lines, an empty line, and one step per line:
//
//	C: EHLO cam\r\n     the camera sends this, with Go's escapes
//	C*1000: abcdefgh    the camera sends the same 1000 times in one piece
//	S: 250              the camera reads one reply, which has this code
//	tls                 the camera does its TLS handshake, as after STARTTLS
//	end                 the camera reads until Preroll closes the connection
//	close               the camera cuts the connection
//
// The keys of the head are:
//
//   - camera: the id of the camera that the mail triggers. Several ids are separated by commas; "-" is none. Test mails
//     trigger no camera.
//   - label: what the mail is about; "-" is nothing.
//   - repairs: the repairs, separated by semicolons; "-" is none.
//   - mails: how many mails arrive whole, 1 by default.
//   - verdict: a part of what the report says about a camera that gave up.
//   - tls: "first" for a port with TLS from the first byte, "start" for a port with STARTTLS.
package dialogue

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Dialogue is one session of a camera.
type Dialogue struct {
	Name    string
	Cameras []string
	Label   string
	Repairs []string
	Mails   int
	Verdict string
	TLS     string
	steps   []string
}

// All reads the dialogues in a folder.
func All(dir string) ([]Dialogue, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []Dialogue
	for _, n := range names {
		d, err := read(n)
		if err != nil {
			return nil, fmt.Errorf("dialogue %s: %w", n, err)
		}
		all = append(all, d)
	}

	return all, nil
}

func read(name string) (Dialogue, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return Dialogue{}, err
	}
	d := Dialogue{Name: strings.TrimSuffix(filepath.Base(name), ".txt"), Mails: 1}
	head, body, ok := strings.Cut(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n\n")
	if !ok {
		return d, fmt.Errorf("no empty line after the head")
	}
	for l := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(l), ":")
		if value = strings.TrimSpace(value); value == "-" {
			value = ""
		}
		switch key {
		case "camera":
			d.Cameras = list(value, ",")
		case "label":
			d.Label = value
		case "repairs":
			d.Repairs = list(value, ";")
		case "verdict":
			d.Verdict = value
		case "tls":
			d.TLS = value
		case "mails":
			if d.Mails, err = strconv.Atoi(value); err != nil {
				return d, err
			}
		default:
			return d, fmt.Errorf("unknown key %q", key)
		}
	}

	for l := range strings.Lines(body) {
		if l = strings.TrimSuffix(l, "\n"); strings.TrimSpace(l) != "" {
			d.steps = append(d.steps, l)
		}
	}
	return d, nil
}

func list(s, sep string) (l []string) {
	for f := range strings.SplitSeq(s, sep) {
		if f = strings.TrimSpace(f); f != "" {
			l = append(l, f)
		}
	}
	return l
}

// Play plays the camera's side of the dialogue on a connection, and closes the connection. conf is the camera's TLS.
func (d Dialogue) Play(c net.Conn, conf *tls.Config) error {
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if d.TLS == "first" {
		c = tls.Client(c, conf)
	}
	replies := bufio.NewReader(c)
	for i, step := range d.steps {
		var err error
		switch kind, rest, _ := strings.Cut(step, ":"); {
		case kind == "close":
			return nil
		case kind == "tls":
			t := tls.Client(c, conf)
			err = t.Handshake()
			c, replies = t, bufio.NewReader(t)
		case kind == "end":
			_, _ = io.Copy(io.Discard, replies)
		case kind == "S":
			err = reply(replies, strings.TrimSpace(rest))
		case strings.HasPrefix(kind, "C"):
			times := 1
			if n, ok := strings.CutPrefix(kind, "C*"); ok {
				if times, err = strconv.Atoi(n); err != nil {
					return err
				}
			}
			var text string
			if text, err = strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimPrefix(rest, " "), `"`, `\"`) +
				`"`); err == nil {
				_, err = io.WriteString(c, strings.Repeat(text, times))
			}
		default:
			err = fmt.Errorf("unknown step")
		}

		if err != nil {
			return fmt.Errorf("step %d, %.60q: %w", i+1, step, err)
		}
	}

	return nil
}

// reply reads one reply, and returns an error unless it has the code.
func reply(r *bufio.Reader, code string) error {
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case !strings.HasPrefix(line, code):
			return fmt.Errorf("got %q", line)
		case len(line) < 4 || line[3] != '-':
			return nil
		}
	}
}

package smtpquirks

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Stage is how far a camera came.
type Stage int

// The stages, in the order of a session.
const (
	Connected Stage = iota
	Greeted         // Preroll said 220
	Helo            // HELO or EHLO was accepted
	StartTLS        // TLS is on
	Auth            // a login was tried
	LoggedIn
	Mail     // the sender was accepted
	Rcpt     // a recipient was accepted
	Data     // the mail's data began
	Accepted // a mail was answered with 250
)

// String names the stage.
func (s Stage) String() string {
	return [...]string{"connected", "greeted", "helo", "tls", "auth", "logged in", "mail", "rcpt", "data",
		"accepted"}[s]
}

// Report is what happened on a connection. All of its text is fit to be shown: UTF-8 without control and direction
// characters, and without passwords.
type Report struct {
	Repairs []string // each kind once, in the order they happened, in plain words
	Lines   []Line   // the dialogue: its first 60 lines, a note of what was left out, and its last 20
	TLS     string   // "TLS 1.2"; "" for none
	Login   string   // the user who logged in; "" for none
	Stage   Stage    // how far the camera came
	Quit    bool     // the camera said goodbye
	Bytes   int64    // that the camera sent, without TLS around them

	// GaveUp is one plain line where the connection ended without the mail that it began for: why that probably was,
	// and what to do.
	GaveUp string
}

// Line is one line of the dialogue.
type Line struct {
	At   time.Duration // since the connection began
	Who  string        // "camera", "preroll", or "note" for what was not said by either
	Text string        // at most 200 bytes
}

// Who says a line.
const (
	camera  = "camera"
	preroll = "preroll"
	note    = "note"
)

// Bounds of the dialogue.
const (
	firstLines = 60
	lastLines  = 20
	lineBytes  = 200
)

// Report returns what has happened so far. It may be called at any time, also after Close.
func (c *Conn) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rep
	r.Repairs = slices.Clone(r.Repairs)
	r.Lines = slices.Clone(r.Lines)
	if c.leftOut > 0 {
		r.Lines = append(r.Lines, Line{At: c.left[0].At, Who: note, Text: count(c.leftOut, "line") + " left out"})
	}
	r.Lines = append(r.Lines, c.left...)
	return r
}

func (c *Conn) said(f func(*Report)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.rep)
}

func (c *Conn) reached(s Stage) { c.said(func(r *Report) { r.Stage = max(r.Stage, s) }) }

// repaired notes repairs.
func (c *Conn) repaired(kinds ...string) {
	c.said(func(r *Report) {
		for _, k := range kinds {
			if !slices.Contains(r.Repairs, k) {
				r.Repairs = append(r.Repairs, k)
			}
		}
	})
}

// addNote adds a line to the dialogue.
func (c *Conn) addNote(who, text string) {
	l := Line{At: time.Since(c.began), Who: who, Text: clean(text)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rep.Lines) < firstLines {
		c.rep.Lines = append(c.rep.Lines, l)
		return
	}
	if len(c.left) == lastLines {
		c.left = append(c.left[:0], c.left[1:]...)
		c.leftOut++
	}
	c.left = append(c.left, l)
}

// noteReply notes what the camera was answered.
func (c *Conn) noteReply(reply string) {
	lines := strings.Split(strings.TrimRight(reply, "\r\n"), "\r\n")
	switch c.verb {
	case "QUIT", "RSET", "NOOP", "VRFY":
	default:
		c.last = step{verb: c.verb, code: reply[:min(len(reply), 3)], text: clean(lines[len(lines)-1])}
	}
	for i := range lines[1:] {
		lines[i+1] = lines[i+1][min(4, len(lines[i+1])):]
	}
	c.addNote(preroll, strings.Join(lines, "; "))
}

// noteUnknown notes an unknown command: after a login was tried it may be a password.
func (c *Conn) noteUnknown(line string) {
	word, more, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case c.login.seen:
		word = "(an unknown command, not shown)"
	case more != "":
		word += " …"
	}
	c.addNote(camera, word)
}

// step is a command and its answer; why, if it is set, says what it means for the camera that it was the last.
type step struct{ verb, code, text, why string }

// why says why the camera probably ended the connection; "" if it had done what it came for.
func (c *Conn) why() string {
	s := c.last
	refused := !strings.HasPrefix(s.code, "2") && !strings.HasPrefix(s.code, "3")
	switch {
	case s.why != "":
		return s.why
	case c.data != nil:
		return "camera gave up in the middle of its mail, after " + count(c.data.bytes, "byte") +
			": its network may be too slow for the picture; choose a smaller one, or none"
	}
	switch s.verb {
	case "":
		if c.o.TLS != nil && !c.isTLS() {
			return "camera gave up without a word: this was a test of the connection, or it wants SSL/TLS from the first byte; choose STARTTLS or no encryption in the camera"
		}
		return "camera gave up without a word: this was a test of the connection, or it wants encryption; choose the plain port and no encryption in the camera"
	case "HELO", "EHLO":
		switch {
		case c.Report().Stage >= Accepted && !refused:
			return ""
		case refused:
			return "camera gave up after " + s.verb + " was refused: " + s.text
		case c.o.TLS == nil:
			return "camera gave up after " + s.verb +
				": it probably wants encryption, which this port does not offer; switch encryption off in the camera"
		case !c.isTLS():
			return "camera gave up after " + s.verb +
				": this was a test of the connection, or it wants another encryption; switch encryption off in the camera, or choose the port for SSL/TLS"
		}
		return "camera gave up after " + s.verb +
			": this was a test of the connection, or it wants another login; switch the login off in the camera"
	case "STARTTLS":
		if refused {
			return "camera gave up because STARTTLS was refused: switch encryption off in the camera"
		}
		return "camera gave up once TLS was on: it probably does not accept Preroll's certificate; switch the check of certificates off in the camera, or encryption"
	case "AUTH":
		switch {
		case refused:
			return "camera gave up after the login was refused: check the user and the password in the camera"
		case s.code == "334":
			return "camera gave up in the middle of the login: choose another kind of login in the camera, or none"
		}
		return "camera gave up after the login: it sent no mail; this was a test of the login"
	case "MAIL":
		if refused {
			return "camera gave up after its sender was refused: " + s.text
		}
		return "camera gave up after it named the sender: check the recipient in the camera"
	case "RCPT":
		if refused {
			return "camera gave up after a recipient was refused: " + s.text
		}
		return "camera gave up after it named the recipients, and sent no mail"
	case "DATA":
		return "camera gave up after its mail was refused: " + s.text
	case "end":
		if refused {
			return "camera gave up after its mail was refused: " + s.text
		}
		return ""
	}
	return "camera gave up after an unknown command was refused"
}

// clean makes a stranger's words fit to be shown.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, utf8Text(s)))
	if len(s) <= lineBytes {
		return s
	}
	cut := lineBytes - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// count is a number with its noun.
func count[N int | int64](n N, noun string) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n != 1 {
		noun += "s"
	}
	return s + " " + noun
}

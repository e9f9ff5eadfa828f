package smtpquirks

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/preroll/preroll/recorder/text"
)

// Stage says how far a camera came.
type Stage int

// The stages, in the order of a session.
const (
	Connected Stage = iota
	Greeted         // Preroll sent 220
	Helo            // HELO or EHLO was accepted
	StartTLS        // TLS is on
	Auth            // the camera tried a login
	LoggedIn
	Mail     // the sender was accepted
	Rcpt     // a recipient was accepted
	Data     // the mail's data began
	Accepted // a mail was answered with 250
)

// String returns the name of the stage.
func (s Stage) String() string {
	return [...]string{"connected", "greeted", "helo", "tls", "auth", "logged in", "mail", "rcpt", "data",
		"accepted"}[s]
}

// Report is what happened on a connection. All of its text is safe to show: it is UTF-8 without control and direction
// characters, and without passwords.
type Report struct {
	Repairs []text.Text // each kind once in plain words, in the order in which they happened
	Lines   []Line      // the dialogue: the first 60 lines, how many were left out, and the last 20
	TLS     string      // such as "TLS 1.2"; "" if none
	Login   string      // the user who logged in; "" if none
	Stage   Stage       // how far the camera came
	Quit    bool        // the camera sent QUIT
	Bytes   int64       // bytes that the camera sent, without TLS around them

	// GaveUp says in one plain line why a connection probably ended without the mail that it began for, and what to do.
	// It is "" otherwise.
	GaveUp text.Text
}

// Line is one line of the dialogue.
type Line struct {
	At   time.Duration // since the connection began
	Who  string        // "camera", "preroll", or "note" for what neither of them said
	Text text.Text     // at most 200 bytes of it are the camera's
}

// The values of Line.Who.
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
		r.Lines = append(r.Lines, Line{At: c.left[0].At, Who: note, Text: text.NoteLeftOut.With(c.leftOut)})
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

// repaired adds kinds of repairs to the report.
func (c *Conn) repaired(kinds ...text.Message) {
	c.said(func(r *Report) {
		for _, k := range kinds {
			if !slices.ContainsFunc(r.Repairs, func(t text.Text) bool { return t.Is(k) }) {
				r.Repairs = append(r.Repairs, k.With())
			}
		}
	})
}

// addNote adds a line to the dialogue.
func (c *Conn) addNote(who string, said text.Text) {
	l := Line{At: time.Since(c.began), Who: who, Text: said}
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

// addLine adds a line that somebody said to the dialogue.
func (c *Conn) addLine(who, line string) { c.addNote(who, text.Plain(clean(line))) }

// noteReply adds a reply to the dialogue.
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
	c.addLine(preroll, strings.Join(lines, "; "))
}

// noteUnknown adds an unknown command to the dialogue. After a login was tried, the command may be a password.
func (c *Conn) noteUnknown(line string) {
	word, more, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case c.login.seen:
		c.addNote(camera, text.NoteUnknown.With())
		return
	case more != "":
		word += " …"
	}

	c.addLine(camera, word)
}

// step is a command and its answer. why, if set, says what it means if this was the camera's last command.
type step struct {
	verb, code, text string
	why              text.Text
}

// why returns why the camera probably ended the connection, or "" if the camera had done what it came for.
func (c *Conn) why(how text.Message) (none text.Text) {
	s := c.last
	refused := !strings.HasPrefix(s.code, "2") && !strings.HasPrefix(s.code, "3")
	switch {
	case !s.why.IsZero():
		return s.why
	case c.data != nil:
		return text.GaveUpInMail.With(how, thousands(c.data.bytes))
	}
	switch s.verb {
	case "":
		if c.o.TLS != nil && !c.isTLS() {
			return text.GaveUpWantsTLS.With(how)
		}
		return text.GaveUpWantsPlain.With(how)
	case "HELO", "EHLO":
		switch {
		case c.Report().Stage >= Accepted && !refused:
			return none
		case refused:
			return text.GaveUpRefused.With(how, s.verb, s.text)
		case c.o.TLS == nil:
			return text.GaveUpNoTLSHere.With(how, s.verb)
		case !c.isTLS():
			return text.GaveUpOtherTLS.With(how, s.verb)
		}

		return text.GaveUpOtherLogin.With(how, s.verb)
	case "STARTTLS":
		if refused {
			return text.GaveUpStartTLS.With(how)
		}
		return text.GaveUpInTLS.With(how)
	case "AUTH":
		switch {
		case refused:
			return text.GaveUpLogin.With(how)
		case s.code == "334":
			return text.GaveUpInLogin.With(how)
		}
		return text.GaveUpAfterLogin.With(how)
	case "MAIL":
		if refused {
			return text.GaveUpSender.With(how, s.text)
		}
		return text.GaveUpAfterSender.With(how)
	case "RCPT":
		if refused {
			return text.GaveUpRecipient.With(how, s.text)
		}
		return text.GaveUpAfterRecipient.With(how)
	case "DATA":
		return text.GaveUpMail.With(how, s.text)
	case "end":
		if refused {
			return text.GaveUpMail.With(how, s.text)
		}
		return none
	}

	return text.GaveUpUnknown.With(how)
}

// clean makes untrusted text safe to show, and short.
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

// thousands writes a number with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

package smtpquirks

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/preroll/preroll/recorder/text"
)

// The kinds of repairs, as [Report] names them.
var (
	bareLF      = text.QuirkBareLF
	bareCR      = text.QuirkBareCR
	doubledCR   = text.QuirkDoubledCR
	controls    = text.QuirkControls
	notUTF8     = text.QuirkNotUTF8
	emptyLines  = text.QuirkEmptyLines
	blanks      = text.QuirkBlanks
	noBlank     = text.QuirkNoBlank
	noHelo      = text.QuirkNoHelo
	emptyHelo   = text.QuirkEmptyHelo
	oddHelo     = text.QuirkOddHelo
	dataText    = text.QuirkDataText
	oddColon    = text.QuirkOddColon
	noColon     = text.QuirkNoColon
	oddParams   = text.QuirkOddParams
	noBrackets  = text.QuirkNoBrackets
	oddBrackets = text.QuirkOddBrackets
	nameBefore  = text.QuirkNameBefore
	quoted      = text.QuirkQuoted
	oddAddress  = text.QuirkOddAddress
	noSender    = text.QuirkNoSender
	senderHost  = text.QuirkSenderHost
	noRecipient = text.QuirkNoRecipient
	toHost      = text.QuirkToHost
	oddLogin    = text.QuirkOddLogin
	notBase64   = text.QuirkNotBase64
	secondLogin = text.QuirkSecondLogin
)

// own is the name in the HELO for a camera that gives no name.
const own = "camera"

// verbs are the commands that this package knows. The server answers all of them but BDAT, STARTTLS and AUTH.
var verbs = []string{"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "AUTH", "STARTTLS", "BDAT"}

// foreign matches the first line of something that is not SMTP. A web page could make a browser send mail commands in
// such a request, so nothing of the request is used.
var foreign = regexp.MustCompile(`(?i)^(\S+ \S+ (HTTP|RTSP|SIP)/\d|SSH-\d)`)

// readCommand reads one command and repairs it. It puts the command into out, or answers it.
func (c *Conn) readCommand() error {
	if c.then != "" {
		c.feed(c.then[:4], c.then)
		c.then = ""
		return nil
	}
	line, err := c.line()
	if err != nil || c.ended {
		return err
	}
	if c.login.step != nil {
		c.addNote(camera, text.NoteLogin.With())
		c.login.step(strings.Map(uncontrol, line))
		return nil
	}
	c.command(line)
	return nil
}

// line reads a line and returns it without its line end, which is CRLF, LF or CR.
func (c *Conn) line() (string, error) {
	for {
		b := c.buf[c.r:c.w]
		if len(b) > 0 && c.lineFeed {
			c.lineFeed = false
			if b[0] == '\n' {
				c.r++
				continue
			}
		}

		if len(b) > 0 && b[0] == tlsHello && !c.isTLS() {
			c.end(c.strayTLS())
			return "", nil
		}
		if c.commands == 0 && !c.isTLS() && isSSL2(b) {
			c.mute = true
			c.end(tooOld)
			return "", nil
		}
		i := bytes.IndexAny(b, "\r\n")
		end := max(i, 0)
		for end < len(b) && b[end] == '\r' {
			end++
		}
		switch {
		case i > maxLine-2 || len(b) > maxLine && (i < 0 || end == len(b)):
			c.addNote(camera, text.NoteLongLine.With())
			c.bye("500 5.5.2 Line too long",
				text.LongLine.With())
			return "", nil
		case i < 0:
			if err := c.fill(); err != nil {
				return "", err
			}
			continue
		case end == len(b): // only CRs so far
			err := c.fillWithin(crTime)
			if err == nil {
				continue
			}
			if !errors.Is(err, errQuiet) && !errors.Is(err, io.EOF) {
				return "", err
			}
			c.repaired(bareCR)
			c.lineFeed, c.onlyCR = true, true
		case b[end] != '\n':
			c.repaired(bareCR)
			c.onlyCR = true
		default:
			c.lineEnd(end - i)
			end++
		}

		line := string(b[:i])
		c.r += end
		return line, nil
	}
}

// lineEnd records the repair of a line feed after crs carriage returns. It reports whether no repair was needed.
func (c *Conn) lineEnd(crs int) (proper bool) {
	switch crs {
	case 0:
		c.repaired(bareLF)
	case 1:
		return true
	default:
		c.repaired(doubledCR)
	}

	return false
}

// uncontrol is for strings.Map. It drops control characters and turns tabs into blanks.
func uncontrol(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsControl(r):
		return -1
	}
	return r
}

// command repairs one command.
func (c *Conn) command(raw string) {
	s := utf8Text(raw)
	if s != raw {
		c.repaired(notUTF8)
	}
	first := c.commands == 0
	if c.commands++; c.commands > maxCommands {
		c.bye("421 4.7.0 Too many commands", text.TooManyCommands.With(thousands(maxCommands)))
		return
	}
	plain := strings.Map(uncontrol, s)
	verb, arg := split(strings.TrimLeft(plain, " "))
	if verb == "" && (foreign.MatchString(plain) || first && plain != s) {
		c.addNote(note, text.NoteNotSMTP.With())
		c.end(text.OtherProtocol.With())
		return
	}
	if plain != strings.ReplaceAll(s, "\t", " ") {
		c.repaired(controls)
	}
	if t := strings.TrimSpace(plain); t == "" {
		c.repaired(emptyLines)
		return
	} else if verb != "" && (t != plain || strings.Contains(s, "\t")) {
		c.repaired(blanks)
	}
	if (verb == "MAIL" || verb == "RCPT") && arg != "" && arg[0] != ' ' {
		c.repaired(noBlank)
	}
	arg = strings.TrimSpace(arg)
	switch verb {
	case "HELO", "EHLO":
		c.addLine(camera, verb+" "+arg)
		c.feed(verb, verb+" "+c.heloName(arg))
	case "MAIL", "RCPT":
		c.addLine(camera, verb+" "+arg)
		var p path
		if verb == "MAIL" {
			p = parsePath("FROM", arg)
		} else {
			p = parsePath("TO", arg)
		}
		p.params(c.utf8)
		line := p.line(verb)
		c.repaired(p.repairs...)
		c.introduced(line)
	case "AUTH":
		c.auth(arg)
	case "STARTTLS":
		c.addLine(camera, verb)
		c.startTLS()
	case "BDAT":
		// The data after BDAT would be read as commands.
		c.addLine(camera, verb)
		c.bye("502 5.5.1 BDAT is not offered", text.BDAT.With())
	case "DATA":
		if arg != "" {
			c.repaired(dataText)
		}
		c.addLine(camera, verb)
		c.feed(verb, verb)
	case "RSET", "QUIT", "NOOP":
		c.addLine(camera, verb)
		c.feed(verb, verb)
	case "VRFY":
		c.addLine(camera, verb)
		c.feed(verb, "VRFY "+own)
	default:
		c.noteUnknown(plain)
		if c.unknown++; c.unknown > maxUnknown {
			c.bye("421 4.7.0 Too many unknown commands",
				text.TooManyUnknown.With(thousands(maxUnknown)))
			return
		}
		c.verb = "?"
		c.answer("502 5.5.1 Unknown command")
	}
}

// split returns the command at the beginning of a line, or "" if there is none.
func split(line string) (verb, rest string) {
	for _, v := range verbs {
		if len(line) < len(v) || !strings.EqualFold(line[:len(v)], v) {
			continue
		}
		rest = line[len(v):]
		if v == "MAIL" && hasPrefixFold(rest, "FROM") || v == "RCPT" && hasPrefixFold(rest, "TO") || v == "AUTH" ||
			rest == "" || !isWord(rest[0]) {
			return v, rest
		}
	}

	return "", line
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b >= 0x80
}

// heloName returns a name that the server accepts.
func (c *Conn) heloName(arg string) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '-'
		}
		return r
	}, arg)
	switch {
	case arg == "":
		c.repaired(emptyHelo)
		return own
	case name != arg:
		c.repaired(oddHelo)
	}

	return name[:min(len(name), 255)]
}

// introduced feeds a command, after a HELO of our own if the camera sent none.
func (c *Conn) introduced(line string) {
	if c.helo {
		c.feed(line[:4], line)
		return
	}
	c.repaired(noHelo)
	c.swallow, c.then = true, line
	c.feed("HELO", "HELO "+own)
}

// feed gives the server a command.
func (c *Conn) feed(verb, line string) {
	if len(line) > maxLine-2 {
		c.then = ""
		c.bye("500 5.5.2 Line too long", text.LongLineRefused.With())
		return
	}
	c.verb = verb
	c.out = append([]byte(line), "\r\n"...)
}

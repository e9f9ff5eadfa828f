package smtpquirks

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// The kinds of repairs, as [Report] names them.
const (
	bareLF      = "bare line feeds"
	bareCR      = "bare carriage returns"
	doubledCR   = "doubled carriage returns"
	controls    = "control characters"
	notUTF8     = "text that is not UTF-8"
	emptyLines  = "empty lines"
	blanks      = "stray blanks"
	noBlank     = "no blank after a command"
	noHelo      = "no HELO"
	emptyHelo   = "no name in HELO"
	oddHelo     = "odd name in HELO"
	dataText    = "text after DATA"
	oddColon    = "blanks around the colon"
	noColon     = "no colon"
	oddParams   = "unknown parameters"
	noBrackets  = "no brackets around an address"
	oddBrackets = "odd brackets around an address"
	nameBefore  = "name before an address"
	quoted      = "quotes around an address"
	oddAddress  = "odd characters in an address"
	noSender    = "no sender"
	senderHost  = "no domain in the sender"
	noRecipient = "no name in a recipient"
	toHost      = "no domain in a recipient"
	oddLogin    = "login in an odd form"
	notBase64   = "login not in base64"
	secondLogin = "second login"
)

// own is the name by which a camera that has none is introduced.
const own = "camera"

// verbs are the commands that are known here. The server answers all but BDAT, STARTTLS and AUTH.
var verbs = []string{"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "AUTH", "STARTTLS", "BDAT"}

// foreign is the first line of something that is not SMTP. A web page could make a browser send mail commands in such a
// request, so none of it is read.
var foreign = regexp.MustCompile(`(?i)^(\S+ \S+ (HTTP|RTSP|SIP)/\d|SSH-\d)`)

// readCommand reads one command, repairs it, and puts it into out or answers it.
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
		c.addNote(camera, "(login)")
		c.login.step(strings.Map(uncontrol, line))
		return nil
	}
	c.command(line)
	return nil
}

// line reads a line without its end, which is CRLF, LF, or CR.
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
			c.addNote(camera, "(a line of more than 4 KiB)")
			c.bye("500 5.5.2 Line too long",
				"camera sent a line of more than 4 KiB, which is no SMTP command: check that it sends mail to this port")
			return "", nil
		case i < 0:
			if err := c.fill(); err != nil {
				return "", err
			}
			continue
		case end == len(b): // CR so far
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

// lineEnd notes the repair of a line feed with so many carriage returns before it, and reports whether it needed none.
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

// uncontrol is for strings.Map: it drops control characters and makes tabs blanks.
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
		c.bye("421 4.7.0 Too many commands", "camera sent more than "+count(maxCommands, "command")+" without an end")
		return
	}
	plain := strings.Map(uncontrol, s)
	verb, arg := split(strings.TrimLeft(plain, " "))
	if verb == "" && (foreign.MatchString(plain) || first && plain != s) {
		c.addNote(note, "not SMTP")
		c.end("this was not SMTP but another protocol, such as a web browser's: it was closed at once")
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
		c.addNote(camera, verb+" "+arg)
		c.feed(verb, verb+" "+c.heloName(arg))
	case "MAIL", "RCPT":
		c.addNote(camera, verb+" "+arg)
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
		c.addNote(camera, verb)
		c.startTLS()
	case "BDAT":
		// Its data would be read as commands.
		c.addNote(camera, verb)
		c.bye("502 5.5.1 BDAT is not offered", "camera sends its mail by BDAT, which Preroll does not offer")
	case "DATA":
		if arg != "" {
			c.repaired(dataText)
		}
		c.addNote(camera, verb)
		c.feed(verb, verb)
	case "RSET", "QUIT", "NOOP":
		c.addNote(camera, verb)
		c.feed(verb, verb)
	case "VRFY":
		c.addNote(camera, verb)
		c.feed(verb, "VRFY "+own)
	default:
		c.noteUnknown(plain)
		if c.unknown++; c.unknown > maxUnknown {
			c.bye("421 4.7.0 Too many unknown commands",
				"camera sent more than "+count(maxUnknown, "unknown command")+": it does not seem to speak SMTP")
			return
		}
		c.verb = "?"
		c.answer("502 5.5.1 Unknown command")
	}
}

// split finds the command that a line begins with; "" where there is none.
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

// heloName makes a name that the server takes.
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

// introduced feeds a command, after a HELO of our own if the camera said none.
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
		c.bye("500 5.5.2 Line too long", "camera sent a line of more than 4 KiB, which Preroll does not take")
		return
	}
	c.verb = verb
	c.out = append([]byte(line), "\r\n"...)
}

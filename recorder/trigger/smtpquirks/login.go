package smtpquirks

import (
	"encoding/base64"
	"strings"

	"github.com/preroll/preroll/recorder/text"
)

// login is the state of AUTH. This package leads the dialogue, in every form that cameras know. The server gets one
// AUTH PLAIN with the user and the password.
type login struct {
	step func(line string) // takes the camera's next line; nil outside of a login
	user string
	done bool
	name string // the user of the login that the server is asked about
	seen bool   // a login was tried, so unknown lines may be passwords
}

// auth begins a login.
func (c *Conn) auth(arg string) {
	c.login.seen = true
	mech := strings.TrimLeft(arg, "=: ")
	if mech != arg {
		c.repaired(oddLogin)
	}
	mech, first, _ := strings.Cut(mech, " ")
	first = strings.TrimSpace(first)
	mech = strings.ToUpper(mech)
	shown := "AUTH " + mech
	if first != "" {
		shown += " (login)"
	}
	c.reached(Auth)
	switch mech {
	case "LOGIN":
		c.addLine(camera, shown)
		if first != "" {
			c.loginUser(first)
			return
		}
		c.ask("VXNlcm5hbWU6", c.loginUser) // Username:
	case "PLAIN":
		c.addLine(camera, shown)
		if first != "" {
			c.loginPlain(first)
			return
		}
		c.ask("", c.loginPlain)
	default:
		kind := text.Plain(mech)
		if len(mech) > 20 || !isMechanism(mech) {
			kind = text.LoginUnknownKind.With()
		}
		c.addLine(camera, "AUTH "+kind.String())
		c.refuse("504 5.5.4 Only PLAIN and LOGIN", text.LoginUnknown.With(kind))
	}
}

func isMechanism(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// ask asks the camera for the next part of a login.
func (c *Conn) ask(challenge string, step func(string)) {
	c.verb = "AUTH"
	c.login.step = step
	c.answer("334 " + challenge)
}

func (c *Conn) loginUser(line string) {
	if c.canceled(line) {
		return
	}
	c.login.user, _ = c.decode(line)
	c.ask("UGFzc3dvcmQ6", func(line string) { // Password:
		if !c.canceled(line) {
			password, _ := c.decode(line)
			c.finishLogin(c.login.user, password)
		}
	})
}

func (c *Conn) loginPlain(line string) {
	if c.canceled(line) {
		return
	}
	plain, ok := c.decode(line)
	parts := strings.Split(plain, "\x00")
	switch {
	case ok && len(parts) == 3:
		c.finishLogin(parts[1], parts[2])
	case ok && len(parts) == 2:
		c.repaired(oddLogin)
		c.finishLogin(parts[0], parts[1])
	default:
		c.login.step = nil
		c.refuse("501 5.5.2 This is no PLAIN login",
			text.LoginPlainBroken.With())
	}
}

// canceled reports whether the camera canceled the login, and answers.
func (c *Conn) canceled(line string) bool {
	if strings.TrimSpace(line) != "*" {
		return false
	}
	c.login.step = nil
	c.refuse("501 5.0.0 Login canceled", text.Text{})
	return true
}

// refuse answers a failed login. why is what the report says if this was the camera's last command.
func (c *Conn) refuse(reply string, why text.Text) {
	if c.failed++; c.failed >= maxLogins {
		c.bye("421 4.7.0 Too many failed logins",
			text.LoginFailed.With(maxLogins))
		return
	}
	c.verb = "AUTH"
	c.answer(reply)
	c.login.name = ""
	c.last.why = why
}

// decode reads base64 in the forms of cameras: without padding, with blanks, or not encoded at all.
func (c *Conn) decode(line string) (plain string, ok bool) {
	s := strings.TrimSpace(line)
	if s == "=" {
		return "", true
	}
	bare := strings.TrimRight(strings.ReplaceAll(s, " ", ""), "=")
	b, err := base64.RawStdEncoding.DecodeString(bare)
	if err != nil {
		c.repaired(notBase64)
		return s, false
	}
	if base64.StdEncoding.EncodeToString(b) != line {
		c.repaired(oddLogin)
	}
	return string(b), true
}

// finishLogin passes the login on to the server. It removes NULs, which would shift the fields of PLAIN.
func (c *Conn) finishLogin(user, password string) {
	c.login.step, c.login.user = nil, ""
	user, password = strings.ReplaceAll(user, "\x00", ""), strings.ReplaceAll(password, "\x00", "")
	if c.login.done {
		c.repaired(secondLogin)
		c.verb = "AUTH"
		c.answer("235 2.0.0 Authentication succeeded")
		return
	}
	c.login.name = clean(user)
	c.addNote(note, text.NoteUser.With(c.login.name))
	c.introduced("AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)))
}

// loggedIn takes the server's answer to a login.
func (c *Conn) loggedIn(ok bool) {
	if !ok {
		c.failed++
		return
	}
	c.login.done = true
	c.reached(LoggedIn)
	c.said(func(r *Report) { r.Login = c.login.name })
}

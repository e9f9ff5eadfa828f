package smtpquirks

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"github.com/preroll/preroll/recorder/text"
)

// NoDomain is the domain of an address that the camera wrote without a usable domain. [Original] removes it.
const NoDomain = "no-domain.invalid"

// nobody is the local part of a recipient that the camera left empty.
const nobody = "no-recipient"

// Original returns an address as the camera wrote it, in UTF-8 and without brackets and quotes: "camera1" for
// camera1@no-domain.invalid, and "" for an empty recipient.
func Original(address string) string {
	local, ok := strings.CutSuffix(address, "@"+NoDomain)
	if ok && local == nobody {
		return ""
	}
	return local
}

// path is the argument of MAIL or RCPT.
type path struct {
	key     string // FROM or TO
	arg     string // as received
	text    string // the address that the camera meant
	quoted  bool   // its local part is a quoted string
	rest    string // its parameters
	repairs []text.Message
}

func (p *path) repair(kind text.Message) { p.repairs = append(p.repairs, kind) }

// parsePath reads what follows MAIL or RCPT, in every form that a person can read.
func parsePath(key, arg string) path {
	p := path{key: key, arg: arg}
	s := arg
	if hasPrefixFold(s, key) && (len(s) == len(key) ||
		!isWord(s[len(key)]) && s[len(key)] != '@' && s[len(key)] != '.') {
		s = s[len(key):]
	}
	t := strings.TrimSpace(s)
	if after, ok := strings.CutPrefix(t, ":"); ok {
		if p.text = strings.TrimLeft(after, " "); p.text != after || t != s {
			p.repair(oddColon)
		}
	} else {
		p.text = strings.TrimSpace(strings.TrimPrefix(t, "="))
		p.repair(noColon)
	}

	p.brackets()
	p.unquote()
	return p
}

// param matches a parameter.
var param = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*=\S*|(?i:SMTPUTF8))$`)

// further matches one more address after an address. Some cameras write these because they think that a command takes
// several.
var further = regexp.MustCompile(`^[,;]\s*<([^<>]*)>\s*`)

// brackets finds the address and what follows it.
func (p *path) brackets() {
	s := p.text
	open, end := indexUnquoted(s, '<'), -1
	if open >= 0 {
		end = indexUnquoted(s[open:], '>')
	} else {
		end = indexUnquoted(s, '>')
	}
	if open < 0 && end < 0 || open >= 0 && end < 0 {
		// The last words are parameters if they look like parameters.
		for {
			i := strings.LastIndexByte(s, ' ')
			if i < 0 || !param.MatchString(s[i+1:]) {
				break
			}
			p.rest = s[i:] + p.rest
			s = strings.TrimRight(s[:i], " ")
		}
	} else {
		end += max(open, 0)
		p.rest = strings.TrimLeft(s[end+1:], "> ")
		if strings.HasPrefix(s[end+1:], ">") {
			p.repair(oddBrackets)
		}
		s = s[:end]
		for m := further.FindStringSubmatch(p.rest); m != nil; m = further.FindStringSubmatch(p.rest) {
			s, p.rest = s+","+m[1], p.rest[len(m[0]):]
			p.repair(oddBrackets)
		}
	}

	switch {
	case open < 0 && end < 0:
		p.repair(noBrackets)
	case open < 0 || end < 0:
		p.repair(oddBrackets)
	}
	if open > 0 {
		p.repair(nameBefore)
	}
	if open >= 0 {
		s = s[open+1:]
		for i := indexUnquoted(s, '<'); i >= 0; i = indexUnquoted(s, '<') {
			s = s[i+1:]
			p.repair(oddBrackets)
		}
	}

	if p.text = strings.TrimSpace(s); p.text != s && open >= 0 {
		p.repair(blanks)
	}
}

// indexUnquoted returns the index of the first b outside of quoted strings, or -1. An odd number of quotes counts as
// text.
func indexUnquoted(s string, b byte) int {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && in:
			i++
		case s[i] == '"':
			in = !in
		case s[i] == b && !in:
			return i
		}
	}

	if in {
		return strings.IndexByte(s, b)
	}
	return -1
}

// unquote removes quotes around the whole address and around its local part, and a route before the address.
func (p *path) unquote() {
	s := p.text
	if n := len(s); n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') {
		s = unescape(s[1 : n-1])
		p.repair(quoted)
	}
	if i := strings.IndexByte(s, ':'); i > 0 && s[0] == '@' {
		s = s[i+1:]
	}
	local, domain := splitAddress(s)
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' && domain != "" {
		s = unescape(local[1:n-1]) + "@" + domain
		p.quoted = true
	}
	p.text = strings.TrimSpace(s)
}

// unescape removes the backslashes from a quoted string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

var (
	domainForm = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[A-Za-z0-9:.-]+\])$`)
	atomForm   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+$")
)

// splitAddress splits at the last @ if a usable domain follows it. domain is "" otherwise.
func splitAddress(s string) (local, domain string) {
	i := strings.LastIndexByte(s, '@')
	if i > 0 && domainForm.MatchString(s[i+1:]) {
		return s[:i], s[i+1:]
	}
	return strings.Trim(s, "@"), ""
}

// mostSize is the maximum SIZE that is passed on to the server, in bytes.
const mostSize = 100 << 20

// params keeps the parameters that the server understands.
func (p *path) params(smtpUTF8 bool) {
	var keep []string
	for _, f := range strings.Fields(p.rest) {
		name, value, _ := strings.Cut(f, "=")
		ok := false
		if p.key == "FROM" {
			switch strings.ToUpper(name) {
			case "SIZE":
				// A mail is not refused for the size that it announces.
				n, err := strconv.ParseUint(value, 10, 32)
				ok = err == nil && n <= mostSize
			case "BODY":
				ok = strings.EqualFold(value, "7BIT") || strings.EqualFold(value, "8BITMIME")
			case "SMTPUTF8":
				ok = value == "" && smtpUTF8
			case "AUTH":
				ok = value == "<>"
			}
		}

		if ok {
			keep = append(keep, f)
		} else {
			p.repair(oddParams)
		}
	}

	p.rest = strings.Join(keep, " ")
}

// line returns the repaired command, or the command as received if it needed no repair.
func (p *path) line(verb string) string {
	local, domain := splitAddress(p.text)
	address := ""
	switch {
	case local == "" && p.key == "TO":
		p.repair(noRecipient)
		local, domain = nobody, NoDomain
	case local != "" && domain == "":
		domain = NoDomain
		if p.key == "TO" {
			p.repair(toHost)
		} else {
			p.repair(senderHost)
		}
	}

	if local != "" {
		if !atomForm.MatchString(local) {
			if !p.quoted {
				p.repair(oddAddress)
			}
			local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
		}
		address = local + "@" + domain
	} else if p.key == "FROM" && p.arg != "" && len(p.repairs) > 0 {
		p.repair(noSender)
	}

	if len(p.repairs) == 0 {
		return verb + " " + p.arg
	}
	line := verb + " " + p.key + ":<" + address + ">"
	if p.rest != "" {
		line += " " + p.rest
	}
	return line
}

// utf8Text converts what a camera wrote to UTF-8: from GBK if the bytes look like GBK, and from Latin-1 otherwise.
// Valid UTF-8 is kept.
func utf8Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	high, low, odd := 0, 0, 0 // pairs by their second byte, and bytes that are in no pair
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] < 0x80:
		case s[i] == 0x80 || s[i] == 0xff || i+1 == len(s) || s[i+1] < 0x40 || s[i+1] == 0x7f || s[i+1] == 0xff:
			odd++
		case s[i+1] >= 0x80:
			high++
			i++
		default: // also what an umlaut before a letter looks like
			low++
			i++
		}
	}

	if odd == 0 && high > low {
		if r, err := charset.Reader("gb18030", strings.NewReader(s)); err == nil {
			b, err := io.ReadAll(r)
			if err == nil && !strings.ContainsRune(string(b), utf8.RuneError) {
				return string(b)
			}
		}
	}

	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

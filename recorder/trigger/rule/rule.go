// Package rule finds the camera that a mail is about.
//
// [New] takes the cameras with the entries of their mail lists, as in the settings. [Set.Match] takes what is known of
// a mail, and returns the camera and the reason in words for a person. An entry is a rule or a plain name. A plain name
// is compared with recipient, login, sender and subject. These are rules:
//
//	to: nvr & channel: 3
//	from: recorder@* & "alarm input": 3
//	subject: /^(front|back) door/
//
// A [Set] does not change after New, and may be used by many goroutines.
package rule

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/preroll/preroll/recorder/text"
)

const (
	maxRegexp     = 200 // characters
	maxConditions = 10
)

// fieldNames are the fields that a condition can ask for, besides the key of a line of the mail's text.
var fieldNames = []string{"to", "from", "login", "subject", "body", "channel", "device", "address", "label"}

// Rule is one entry of a camera's mail list.
type Rule struct {
	Text       string      // as in the settings
	conditions []condition // empty if Text is a plain name
}

// Plain reports whether the entry is a plain name and not a rule.
func (r Rule) Plain() bool { return len(r.conditions) == 0 }

// condition asks whether one field of a mail fits a pattern.
type condition struct {
	field  string         // one of fieldNames, "" for a line of the text
	key    string         // key of the line, as loose returns it
	re     *regexp.Regexp // either this,
	prefix netip.Prefix   // or this for an address,
	parts  []string       // or these, with a `*` between them
}

// Parse reads an entry of a mail list. Its error says what is wrong and what the entry should look like.
func Parse(s string) (Rule, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Rule{},
			text.MailRuleEmpty.Error()
	}
	r := Rule{Text: s}
	for rest := s; rest != ""; {
		field, key, after, ok := cutField(rest)
		if !ok && len(r.conditions) == 0 {
			return plainName(s)
		}
		if !ok {
			return Rule{},
				text.MailRuleForm.Error(rest, strings.Join(fieldNames, ", "))
		}
		pattern, quoted, next, err := cutPattern(after)
		if err != nil {
			return Rule{}, err
		}
		c, err := newCondition(field, key, pattern, quoted)
		if err != nil {
			return Rule{}, err
		}
		if r.conditions = append(r.conditions, c); len(r.conditions) > maxConditions {
			return Rule{}, text.MailRuleMany.Error(maxConditions)
		}
		rest = next
	}

	return r, nil
}

// plainName returns the plain name s. It returns an error if a condition after ` & ` shows that s was meant as a rule.
func plainName(s string) (Rule, error) {
	for _, part := range strings.Split(s, " & ")[1:] {
		if _, _, _, ok := cutField(part); ok {
			first, _, _ := strings.Cut(s, " & ")
			return Rule{},
				text.MailRuleMixes.Error(first, first, first)
		}
	}

	return Rule{Text: s}, nil
}

// cutField cuts `field:` or `"key":` from the beginning of s.
func cutField(s string) (field, key, rest string, ok bool) {
	s = strings.TrimSpace(s)
	if q, isKey := strings.CutPrefix(s, `"`); isKey {
		key, rest, ok = strings.Cut(q, `"`)
		rest, colon := cutColon(strings.TrimSpace(rest))
		key = loose(key)
		return "", key, rest, ok && colon && key != ""
	}
	i := strings.IndexAny(s, ":：")
	if i < 0 {
		return "", "", "", false
	}
	field = strings.ToLower(strings.TrimSpace(s[:i]))
	rest, _ = cutColon(s[i:])
	return field, "", rest, slices.Contains(fieldNames, field)
}

func cutColon(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, ":"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "：")
}

// cutPattern cuts a pattern from the beginning of s: /regexp/, "text", or all up to ` & `. next is what follows the ` &
// `.
func cutPattern(s string) (pattern string, quoted bool, next string, err error) {
	s = strings.TrimSpace(s)
	if s != "" && (s[0] == '/' || s[0] == '"') {
		mark := s[:1]
		for i := 1; i < len(s); i++ {
			end, more := strings.CutPrefix(s[i:], mark)
			end = strings.TrimLeft(end, " ")
			if !more || end != "" && end != "&" && !strings.HasPrefix(end, "& ") {
				continue
			}
			pattern, next = s[:i+1], strings.TrimPrefix(end, "&")
			if mark == `"` {
				pattern, quoted = s[1:i], true
			}
			if end != "" && strings.TrimSpace(next) == "" {
				return "", false, "", text.MailRuleEnds.Error()
			}
			return pattern, quoted, strings.TrimSpace(next), nil
		}

		if mark == "/" {
			return "", false, "",
				text.MailRuleExpression.Error(s)
		}
	}

	pattern, next, more := strings.Cut(s, " & ")
	if trimmed, cut := strings.CutSuffix(pattern, " &"); cut && !more {
		pattern, more = trimmed, true
	}
	if more && strings.TrimSpace(next) == "" {
		return "", false, "", text.MailRuleEnds.Error()
	}
	return strings.TrimSpace(pattern), false, strings.TrimSpace(next), nil
}

func newCondition(field, key, pattern string, quoted bool) (condition, error) {
	c := condition{field: field, key: key}
	name := field
	if field == "" {
		name = `"` + key + `"`
	}
	if strings.Trim(pattern, "/ ") == "" {
		return c, text.MailRuleNoPattern.Error(name, name, name)
	}
	if len(pattern) > 1 && pattern[0] == '/' && !quoted {
		x := pattern[1 : len(pattern)-1]
		if len([]rune(x)) > maxRegexp {
			return c, text.MailRuleLongExpression.Error(maxRegexp)
		}
		re, err := regexp.Compile("(?i)" + x)
		if err != nil {
			return c, text.MailRuleBadExpression.Error(x, err)
		}
		c.re = re
		return c, nil
	}

	if field == "address" && !strings.Contains(pattern, "*") {
		p, err := netip.ParsePrefix(pattern)
		if err != nil {
			a, aerr := netip.ParseAddr(pattern)
			if aerr != nil {
				return c,
					text.MailRuleAddress.Error(pattern)
			}
			p = netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen())
		}

		c.prefix = p.Masked()
		return c, nil
	}

	if field == "subject" || field == "body" {
		pattern = "*" + pattern + "*"
	}
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		p := fold(part)
		if c.loosely() {
			p = loose(part)
		} else {
			if i > 0 && strings.HasPrefix(part, " ") { // a blank beside a star belongs to the text
				p = " " + p
			}
			if i < len(parts)-1 && strings.HasSuffix(part, " ") && p != " " {
				p += " "
			}
		}

		c.parts = append(c.parts, p)
	}

	return c, nil
}

// loosely reports whether the condition compares names as [loose] returns them.
func (c condition) loosely() bool {
	switch c.field {
	case "channel", "device", "label", "":
		return true
	}
	return false
}

// value is a text of a mail: as it is, and in the form that conditions compare.
type value struct{ raw, form string }

// fits reports whether a value of a mail fits.
func (c condition) fits(v value) bool {
	if c.re != nil {
		return c.re.MatchString(v.raw)
	}
	s := v.form
	if len(c.parts) == 1 {
		return s == c.parts[0] || unzero(s) != "" && unzero(s) == unzero(c.parts[0])
	}
	last := len(c.parts) - 1
	s, ok := strings.CutPrefix(s, c.parts[0])
	if !ok {
		return false
	}
	for _, p := range c.parts[1:last] {
		if _, s, ok = strings.Cut(s, p); !ok {
			return false
		}
	}
	return strings.HasSuffix(s, c.parts[last])
}

// unzero returns a number without leading zeros, or "" if s is no number.
func unzero(s string) string {
	for _, r := range s {
		if r < '0' || r > '9' {
			return ""
		}
	}
	if t := strings.TrimLeft(s, "0"); t != "" || s == "" {
		return t
	}
	return "0"
}

// fold returns a text in a form for comparison, without differences in case, in full and half width, in invisible
// characters, and in the number of blanks.
func fold(s string) string {
	if ascii(s) {
		return strings.Join(strings.Fields(strings.ToLower(s)), " ")
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	return strings.Join(strings.Fields(norm.NFC.String(strings.ToLower(strings.ToUpper(s)))), " ")
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// loose returns fold(s) without blanks, hyphens and underscores, so that "Front-Door" equals "front door".
func loose(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, fold(s))
}

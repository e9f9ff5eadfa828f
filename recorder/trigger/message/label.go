package message

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSearched bounds a text that is searched for words, in bytes. Hostile text makes regular expressions slow.
const maxSearched = 2 << 10

var (
	// labels are the classes of incidents, the more specific ones first: "Motion Detection: Person" is a person.
	labels = classes("label", "doorbell", "person", "vehicle", "animal", "line crossing", "intrusion", "tamper",
		"sound", "fire",
		"temperature", "abandoned object", "alarm input", "motion")
	// notices are the classes of news that is no incident.
	notices = classes("notice", "disk", "network", "login", "power", "system")

	// outweighs finds the words that make a mail an alarm, whatever else the mail speaks of.
	outweighs = words("alarm").within()

	// around holds the words that may stand around a notice and mean nothing.
	around = func() map[string]bool {
		m := map[string]bool{}
		for _, l := range words("around").bordered {
			for w := range strings.SplitSeq(l, "|") {
				m[w] = true
			}
		}
		return m
	}()

	// Addresses, which may hold any word by chance.
	addresses = regexp.MustCompile(`(?i)\b[a-z]{3,8}://\S+|\bwww\.\S+|\S+@\S+`)

	// "No person", "without motion", "motion has ended".
	denied = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])` + words("denied").alternatives() + `\s+\pL+(?:\s` +
		words("or").alternatives() + `\s\pL+)?`)
	// The value of a field that says that it did not happen: "Person: No".
	refused = regexp.MustCompile(`(?i)^` + words("refused").alternatives() + `[.!]?$`)

	// The value of a field that says only that it happened: "Person: Yes".
	affirmed = regexp.MustCompile(`(?i)^` + words("affirmed").alternatives() + `[.!]?$`)

	testPhrase = words("test phrase").within()
	testWord   = regexp.MustCompile(`(?i)^[\s!.\[\]()-]*` + words("test word").alternatives() + `[\s!.\[\]()-]*$`)
)

// find returns the name of the first class that a text speaks of, or "".
func find(classes []class, text string) string {
	for _, c := range classes {
		if c.words.MatchString(text) {
			return c.name
		}
	}
	return ""
}

// classify sets the label, the notice and the test flag. The values of fields that name the event come first, then the
// subject, then the rest of the text. Names of cameras do not count: an alarm of a camera named "Test" or "Car park" is
// what its event says. A mail is a notice only if its event field, or its subject if it has no event field, speaks of
// nothing else. A mail that speaks of a battery elsewhere is an alarm, because a clip too many is better than one too
// few.
func (m *Message) classify() {
	var events, rest []string
	for l := range strings.Lines(m.Body) {
		f, ok := field(strings.TrimSpace(l))
		r := roles[plainKey(f.Key)]
		switch {
		case !ok, r == roleNone && !refused.MatchString(f.Value) && !affirmed.MatchString(f.Value):
			rest = append(rest, l)
		case refused.MatchString(f.Value):
		case r == roleEvent:
			events = append(events, f.Value)
		case r == roleNone:
			events = append(events, f.Key)
		}
	}

	event, subject, text := happened(strings.Join(events, "\n")), m.without(m.Subject),
		m.without(strings.Join(rest, " "))
	if m.Label = find(labels, event); m.Label != "" {
		return
	}
	m.notice(events)
	if m.Notice != "" {
		return
	}
	if testPhrase.MatchString(event) || testWord.MatchString(event) || testPhrase.MatchString(subject) ||
		testPhrase.MatchString(cut(text)) {
		m.Test = true
		return
	}
	subject, text = happened(subject), happened(text)
	if m.Label = first(find(labels, subject), find(labels, text)); m.Label != "" {
		return
	}
	if find(notices, subject) == "" && find(notices, text) == "" {
		m.Test = testWord.MatchString(m.Subject) || m.Subject == "" && testWord.MatchString(m.Body)
	}
	if events == nil {
		m.notice([]string{subject})
	}
}

// notice takes a notice from texts if one of them is nothing but a notice and none of them speaks of an alarm.
func (m *Message) notice(texts []string) {
	for _, t := range texts {
		t = happened(t)
		if outweighs.MatchString(t) {
			m.Notice, m.Noticed = "", ""
			return
		}
		if name := onlyNotice(t); name != "" && m.Notice == "" {
			m.Notice, m.Noticed = name, t
		}
	}
}

// onlyNotice returns the class of notices that a text speaks of, or "" if the text also speaks of something else.
func onlyNotice(text string) string {
	name := find(notices, text)
	if name == "" {
		return ""
	}
	text = " " + text + " "
	for _, c := range notices {
		for range 8 { // neighbours share the border between them
			less := c.words.ReplaceAllString(text, "  ")
			if less == text {
				break
			}
			text = less
		}
	}

	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if r, _ := utf8.DecodeRuneInString(w); !around[w] &&
			!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			return ""
		}
	}
	return name
}

// happened removes from a text what only looks like news: addresses, and what did not happen.
func happened(text string) string {
	return denied.ReplaceAllString(addresses.ReplaceAllString(cut(text), " "), " ")
}

// cut bounds a text before it is searched.
func cut(text string) string { return text[:min(len(text), maxSearched)] }

// without removes the names of channel and device from a text.
func (m *Message) without(text string) string {
	for _, name := range []string{m.Channel, m.Device} {
		if len(name) > 2 {
			text = strings.ReplaceAll(text, name, " · ")
		}
	}
	return text
}

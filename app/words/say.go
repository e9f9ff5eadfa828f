package words

import (
	"embed"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/preroll/preroll/recorder/text"
)

// engine holds the translations of the engine's messages, by message code.
//
//go:embed engine
var engine embed.FS

// Say returns a text of the engine in the language in use. A message that the language lacks, such as one of another
// version, stays English.
func Say(t text.Text) string { return now().Say(t) }

// Say is [Say] in this language.
func (l *Language) Say(t text.Text) string { return t.Say(l.form, l.point()) }

// SayIn says a text in the language with a code, or in the system's language for "".
func SayIn(code string, t text.Text) string { return In(code).Say(t) }

// Error returns the text of an error of the engine, of the recorder that was asked, or of the system.
func Error(err error) string { return Say(text.Of(err)) }

// Label returns the label of an alarm.
func Label(label string) string { return Say(text.Label(label)) }

// form returns the form of an engine message for the number n, or "" if the language lacks the message.
func (l *Language) form(code string, n int64) string { return pick(l.said[code], l.tag, n) }

// pick returns the form for the number n, by the plural rules of CLDR.
func pick(f text.Forms, tag language.Tag, n int64) string {
	if n < 0 {
		return f.Other
	}
	switch plural.Cardinal.MatchPlural(tag, int(n), 0, 0, 0, 0) {
	case plural.One:
		if f.One != "" {
			return f.One
		}
	case plural.Many:
		if f.Many != "" {
			return f.Many
		}
	}

	return f.Other
}

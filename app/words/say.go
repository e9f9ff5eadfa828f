package words

import (
	"embed"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/preroll/preroll/recorder/text"
)

// engine holds the translations of what the engine says, by the codes of its messages.
//
//go:embed engine
var engine embed.FS

// Say says a text of the engine. What the language does not have, as from another version, stays English.
func Say(t text.Text) string { return t.Say(now().form) }

// Error says an error, of the engine, of the recorder that was asked, or of the system.
func Error(err error) string { return Say(text.Of(err)) }

// Label says the label of an alarm.
func Label(label string) string { return Say(text.Label(label)) }

// form returns the form of a message of the engine for a number of things, or "".
func (t *translation) form(code string, n int64) string { return pick(t.said[code], t.tag, n) }

// pick returns the form for a number of things, by the plural rules of CLDR.
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

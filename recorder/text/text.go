// Package text holds everything that Preroll's engine says to people: what is wrong, what to do, what became of an
// event. It imports nothing of the engine.
//
// A [Message] is a sentence in English with a code that never changes. A message with its values is a [Text]. The
// engine stores texts, and the control socket carries them. A program uses the code to show a text in its user's
// language. A program that does not know the code shows the English, which every text carries.
package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Message is a sentence that Preroll can say. Its English has verbs for the values, as in package fmt: %s, %q, %d and
// %f with their flags. A message that counts has one form for one and one form for several. Its first value is the
// number.
type Message struct {
	Code    string // such as "archive-full"
	English Forms
}

// Forms are the forms of a message that counts, with their CLDR names. A message that does not count has only Other.
type Forms struct {
	One   string `json:"one,omitempty"`
	Many  string `json:"many,omitempty"`
	Other string `json:"other"`
}

// UnmarshalJSON reads the forms, or a plain string for a message that does not count.
func (f *Forms) UnmarshalJSON(b []byte) error {
	type plain Forms
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &f.Other)
	}
	return json.Unmarshal(b, (*plain)(f))
}

// messages holds all messages, by code.
var messages = map[string]Message{}

// define creates a message. Of two forms, the first is for one and the second for several.
func define(code string, forms ...string) Message {
	if _, twice := messages[code]; twice {
		panic("text: there are two messages " + code)
	}
	m := Message{Code: code, English: Forms{Other: forms[len(forms)-1]}}
	if len(forms) == 2 {
		m.English.One = forms[0]
	}
	messages[code] = m
	return m
}

// Find returns the message with the given code.
func Find(code string) (Message, bool) {
	m, ok := messages[code]
	return m, ok
}

// Messages returns all messages, for the check of a translation.
func Messages() map[string]Message { return messages }

// Text is a text for a person.
type Text struct {
	Code    string `json:"code,omitempty"` // of its message; "" for a text without one, such as a name
	Args    []any  `json:"args,omitempty"` // the values: string, int64, float64 or Text
	English string `json:"text"`
}

// Plain returns a text that is the same in every language, such as a name.
func Plain(s string) Text { return Text{English: s} }

// Label returns the text of an alarm's label. A label that a person invented is the same in every language.
func Label(label string) Text { return named("label-", label) }

// Notice returns the text for the subject of a notice.
func Notice(about string) Text { return named("notice-", about) }

func named(prefix, name string) Text {
	if m, ok := messages[prefix+strings.ReplaceAll(name, " ", "-")]; ok && m.English.Other == name {
		return m.With()
	}
	return Plain(name)
}

// With returns the message with its values. Errors and texts among the values are also shown in the reader's language.
func (m Message) With(values ...any) Text {
	t := Text{Code: m.Code}
	for _, v := range values {
		t.Args = append(t.Args, argOf(v))
	}
	t.English = t.say(english, ".", Text.String)
	return t
}

// join is the code of several texts in a row. The first value is the separator.
const join = "join"

// betweens are the allowed separators.
var betweens = []string{" ", ", ", "; ", ". "}

// Join puts texts in a row, separated by between. It leaves out zero texts.
func Join(between string, list ...Text) Text {
	list = slices.DeleteFunc(slices.Clone(list), Text.IsZero)
	switch len(list) {
	case 0:
		return Text{}
	case 1:
		return list[0]
	}
	t := Text{Code: join, Args: []any{between}}
	for _, x := range list {
		t.Args = append(t.Args, x)
	}
	t.English = t.say(english, ".", Text.String)
	return t
}

// english returns the English form of a message for the number n.
func english(code string, n int64) string {
	m, ok := messages[code]
	if ok && n == 1 && m.English.One != "" {
		return m.English.One
	}
	return m.English.Other
}

// Say returns the text in another language. form returns the form of the message with the given code for the number n,
// or "" if the language lacks the message. Then Say uses the English. point is the decimal point of the language.
func (t Text) Say(form func(code string, n int64) string, point string) string {
	var inner func(Text) string
	inner = func(t Text) string { return t.say(form, point, inner) }
	return inner(t)
}

// say is Say with the way in which the texts among the values are said.
func (t Text) say(form func(code string, n int64) string, point string, inner func(Text) string) string {
	if t.Code == join && len(t.Args) > 0 {
		parts := make([]string, 0, len(t.Args))
		for _, a := range t.Args[1:] {
			parts = append(parts, argSaid(a, inner))
		}
		between, _ := t.Args[0].(string)
		if !slices.Contains(betweens, between) { // a text from outside, which must not be said many times
			between = betweens[0]
		}
		return strings.Join(parts, between)
	}

	n := int64(-1)
	if len(t.Args) > 0 {
		if i, ok := t.Args[0].(int64); ok {
			n = i
		}
	}
	f := form(t.Code, n)
	if t.Code == "" || f == "" {
		return t.English
	}
	return fill(f, t.Args, point, inner)
}

// argSaid formats a value that has no verb.
func argSaid(a any, inner func(Text) string) string {
	if t, ok := a.(Text); ok {
		return inner(t)
	}
	return fmt.Sprint(a)
}

// argOf converts a value to one of the few types that survive JSON.
func argOf(v any) any {
	switch v := v.(type) {
	case Text, string, int64, float64:
		return v
	case Message:
		return v.With()
	case error:
		return Of(v)
	case int:
		return int64(v)
	case fmt.Stringer:
		return v.String()
	}

	return fmt.Sprint(v)
}

// String returns the English text.
func (t Text) String() string { return t.English }

// LogValue returns the English text, for package slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.English) }

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.Code == "" && t.English == "" }

// Is reports whether t is a text of the message m, with any values.
func (t Text) Is(m Message) bool {
	return t.Code == m.Code || t.Code == "" && t.English == m.English.Other // without a code: from an earlier version
}

// --- Texts from outside ---

// Limits of a text from outside.
const (
	maxDepth = 6
	maxArgs  = 1000
)

// Clean returns a text from outside with all its strings cleaned. Of a text that is nested too deeply or has too many
// values, only the English is kept.
func (t Text) Clean(clean func(string) string) Text { return t.clean(clean, 0) }

func (t Text) clean(clean func(string) string, depth int) Text {
	if depth > maxDepth || len(t.Args) > maxArgs || len(t.Code) > maxArgs {
		return Plain(clean(t.English))
	}
	c := Text{Code: clean(t.Code), English: clean(t.English)}
	for i, a := range t.Args {
		switch v := a.(type) {
		case string:
			if t.Code == join && i == 0 && slices.Contains(betweens, v) {
				break // cleaning would trim the separator
			}
			a = clean(v)
		case Text:
			a = v.clean(clean, depth+1)
		}

		c.Args = append(c.Args, a)
	}

	return c
}

// UnmarshalJSON reads a text, or a plain string from an earlier version. Of a text that is nested too deeply or has too
// many values, it keeps only the English: a text from outside must not cost more than its size.
func (t *Text) UnmarshalJSON(b []byte) error { return t.read(b, 0) }

func (t *Text) read(b []byte, depth int) error {
	*t = Text{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.English)
	}
	var raw struct {
		Code    string          `json:"code"`
		Args    json.RawMessage `json:"args"`
		English string          `json:"text"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*t = Plain(raw.English)
	d := json.NewDecoder(bytes.NewReader(raw.Args))
	if open, _ := d.Token(); open != json.Delim('[') {
		t.Code = raw.Code
		return nil
	}
	var args []any
	for d.More() {
		var b json.RawMessage
		if depth > maxDepth || len(args) == maxArgs || d.Decode(&b) != nil {
			return nil
		}
		args = append(args, readArg(b, depth+1))
	}

	t.Code, t.Args = raw.Code, args
	return nil
}

// readArg reads a value. One of a kind that a later version may add is kept as it is written.
func readArg(b []byte, depth int) any {
	switch b[0] {
	case '{':
		var t Text
		if t.read(b, depth) == nil {
			return t
		}
	case '"':
		var s string
		if json.Unmarshal(b, &s) == nil {
			return s
		}
	default:
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(string(b), 64); err == nil {
			return f
		}
	}

	return string(b)
}

// --- Formatting ---

// verb matches a place for a value: %s, %d, %q, %.0f, %[2]s.
var verb = regexp.MustCompile(`%(\[\d\])?([-+0-9.]*[a-z])`)

// fill puts values into a form of a message. A value or verb that does not fit, because another version wrote it, is
// shown as it is.
func fill(f string, args []any, point string, inner func(Text) string) string {
	var out strings.Builder
	next, end := 0, 0
	for _, m := range verb.FindAllStringSubmatchIndex(f, -1) {
		out.WriteString(f[end:m[0]])
		end = m[1]
		at := next
		if m[2] >= 0 {
			at = int(f[m[2]+1] - '1')
		}
		next = at + 1
		if at < 0 || at >= len(args) {
			continue
		}
		value := valueOf(args[at], f[m[4]:m[5]], point, inner)
		if strings.HasPrefix(f[end:], ".") { // a sentence within a sentence needs only one full stop
			value = strings.TrimSuffix(value, ".")
		}
		out.WriteString(value)
	}

	out.WriteString(f[end:])
	return out.String()
}

// valueOf formats a value by a verb without its per cent sign.
func valueOf(a any, v, point string, inner func(Text) string) string {
	kind := v[len(v)-1]
	switch a := a.(type) {
	case Text:
		if kind == 'q' {
			return strconv.Quote(inner(a))
		}
		return inner(a)
	case int64:
		switch kind {
		case 'd':
			return fmt.Sprintf("%"+v, a)
		case 'f', 'g':
			return valueOf(float64(a), v, point, inner)
		}
	case float64:
		if kind == 'f' || kind == 'g' {
			return strings.Replace(fmt.Sprintf("%"+v, a), ".", point, 1)
		}
	case string:
		if kind == 'q' {
			return strconv.Quote(a)
		}
	}

	return fmt.Sprint(a)
}

// Package text holds all that Preroll's engine says to people: what is wrong, what to do, what became of an event. It
// imports nothing of the engine.
//
// A [Message] is a sentence with a code that never changes, and its English. With values in it, a message is a [Text]:
// that is what the engine stores and what the control socket carries. A program shows a text in its user's language by
// the code; one that does not know the code shows the English, which comes along.
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

// Message is a sentence that Preroll can say. Its English holds verbs, as in package fmt, for the values: %s, %q, %d
// and %f with their flags. A message that counts has two forms, for one and for several; the first value counts.
type Message struct {
	Code    string // such as "archive-full"
	English Forms
}

// Forms are the forms of a message that counts, by the names that CLDR gives them; a message that does not count has
// one form, Other.
type Forms struct {
	One   string `json:"one,omitempty"`
	Many  string `json:"many,omitempty"`
	Other string `json:"other"`
}

// UnmarshalJSON reads the forms, or a plain text for a message that does not count.
func (f *Forms) UnmarshalJSON(b []byte) error {
	type plain Forms
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &f.Other)
	}
	return json.Unmarshal(b, (*plain)(f))
}

// messages are all messages, by code.
var messages = map[string]Message{}

// define makes a message. Two forms are those for one and for several.
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

// Find returns the message with a code.
func Find(code string) (Message, bool) {
	m, ok := messages[code]
	return m, ok
}

// Messages returns all messages, for those who check a translation.
func Messages() map[string]Message { return messages }

// Text is something that is said to a person.
type Text struct {
	Code    string `json:"code,omitempty"` // of its message; "" for what has none, such as a name or a system's words
	Args    []any  `json:"args,omitempty"` // the values: string, int64, float64 or Text
	English string `json:"text"`
}

// Plain is a text that is the same in every language, such as a name.
func Plain(s string) Text { return Text{English: s} }

// Label is the label of an alarm. One that a person made up is the same in every language.
func Label(label string) Text { return named("label-", label) }

// Notice is what a mail tells of that is no alarm.
func Notice(about string) Text { return named("notice-", about) }

func named(prefix, name string) Text {
	if m, ok := messages[prefix+strings.ReplaceAll(name, " ", "-")]; ok && m.English.Other == name {
		return m.With()
	}
	return Plain(name)
}

// With returns the message with its values. Errors and texts among them are said in the reader's language too.
func (m Message) With(values ...any) Text {
	t := Text{Code: m.Code}
	for _, v := range values {
		t.Args = append(t.Args, argOf(v))
	}
	t.English = t.Say(english)
	return t
}

// join is the code of several texts in a row; the first value stands between them.
const join = "join"

// betweens are what may stand between texts.
var betweens = []string{" ", ", ", "; ", ". "}

// Join puts texts in a row, those that say something.
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
	t.English = t.Say(english)
	return t
}

// english returns the English form of a message for a number of things.
func english(code string, n int64) string {
	m, ok := messages[code]
	if ok && n == 1 && m.English.One != "" {
		return m.English.One
	}
	return m.English.Other
}

// Say says the text by another language's forms. form returns the form of the message with a code that suits a number
// of things, or "" where the language does not have the message; then the English stands.
func (t Text) Say(form func(code string, n int64) string) string {
	if t.Code == join && len(t.Args) > 0 {
		parts := make([]string, 0, len(t.Args))
		for _, a := range t.Args[1:] {
			parts = append(parts, argSaid(a, form))
		}
		return strings.Join(parts, argSaid(t.Args[0], form))
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
	return fill(f, t.Args, form)
}

// argSaid is a value that is said without a verb.
func argSaid(a any, form func(string, int64) string) string {
	if t, ok := a.(Text); ok {
		return t.Say(form)
	}
	return fmt.Sprint(a)
}

// argOf brings a value into one of the few types that JSON keeps apart.
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

// String is the text in English.
func (t Text) String() string { return t.English }

// LogValue is the text in English, for package slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.English) }

// IsZero reports whether nothing is said.
func (t Text) IsZero() bool { return t.Code == "" && t.English == "" }

// Is reports whether the text is that message, whatever its values.
func (t Text) Is(m Message) bool {
	return t.Code == m.Code || t.Code == "" && t.English == m.English.Other // from an earlier version
}

// Bounds of a text from outside.
const (
	maxDepth = 6
	maxArgs  = 1000
)

// Clean returns the text with all strings in it cleaned, for one that came from outside. One that is too deep or too
// long keeps its English alone.
func (t Text) Clean(clean func(string) string) Text {
	c, ok := t.clean(clean, 0)
	if !ok {
		return Plain(clean(t.English))
	}
	return c
}

func (t Text) clean(clean func(string) string, depth int) (Text, bool) {
	if depth > maxDepth || len(t.Args) > maxArgs || len(t.Code) > maxArgs {
		return t, false
	}
	c := Text{Code: clean(t.Code), English: clean(t.English)}
	for i, a := range t.Args {
		switch v := a.(type) {
		case string:
			if t.Code == join && i == 0 && slices.Contains(betweens, v) {
				break // which cleaning would trim
			}
			a = clean(v)
		case Text:
			inner, ok := v.clean(clean, depth+1)
			if !ok {
				return t, false
			}
			a = inner
		}
		c.Args = append(c.Args, a)
	}
	return c, true
}

// UnmarshalJSON reads a text, or a plain string, which earlier versions wrote.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = Text{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.English)
	}
	var raw struct {
		Code    string            `json:"code"`
		Args    []json.RawMessage `json:"args"`
		English string            `json:"text"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	t.Code, t.English = raw.Code, raw.English
	for _, b := range raw.Args {
		v, err := readArg(b)
		if err != nil {
			return err
		}
		t.Args = append(t.Args, v)
	}
	return nil
}

func readArg(b []byte) (any, error) {
	switch b = bytes.TrimSpace(b); {
	case len(b) > 0 && b[0] == '{':
		var t Text
		err := json.Unmarshal(b, &t)
		return t, err
	case len(b) > 0 && b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return n, nil
	}
	var f float64
	err := json.Unmarshal(b, &f)
	return f, err
}

// verb is a place for a value: %s, %d, %q, %.0f, %[2]s.
var verb = regexp.MustCompile(`%(\[\d\])?([-+0-9.]*[a-z])`)

// fill puts values into a form of a message. What does not fit, since another version wrote it, is shown as it is.
func fill(f string, args []any, form func(string, int64) string) string {
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
		value := valueOf(args[at], f[m[4]:m[5]], form)
		if strings.HasPrefix(f[end:], ".") { // a sentence in a sentence has one full stop
			value = strings.TrimSuffix(value, ".")
		}
		out.WriteString(value)
	}
	out.WriteString(f[end:])
	return out.String()
}

// valueOf writes a value by a verb without its per cent sign.
func valueOf(a any, v string, form func(string, int64) string) string {
	kind := v[len(v)-1]
	switch a := a.(type) {
	case Text:
		if kind == 'q' {
			return strconv.Quote(a.Say(form))
		}
		return a.Say(form)
	case int64:
		switch kind {
		case 'd':
			return fmt.Sprintf("%"+v, a)
		case 'f', 'g':
			return fmt.Sprintf("%"+v, float64(a))
		}
	case float64:
		if kind == 'f' || kind == 'g' {
			return fmt.Sprintf("%"+v, a)
		}
	case string:
		if kind == 'q' {
			return strconv.Quote(a)
		}
	}
	return fmt.Sprint(a)
}

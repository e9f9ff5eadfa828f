package words

import (
	"cmp"
	"embed"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// engine holds the translations of what the engine says: its texts, and the templates that it formats. They lie apart
// from the desktop's own, so that a camera's name is not taken for the text of a button.
//
//go:embed engine
var engine embed.FS

// template is a text with values in it, as the engine formats it.
type template struct {
	parts []string // the text between the values, one more than there are verbs
	verbs []byte   // the letter of each
	glued []bool   // whether it follows a letter: then it is empty or begins with a blank
	to    string
	sure  int // letters that must be there: the more, the surer
}

func templateOf(from, to string) template {
	t := template{to: to}
	at := 0
	for _, m := range verb.FindAllStringIndex(from, -1) {
		t.parts, t.verbs = append(t.parts, from[at:m[0]]), append(t.verbs, from[m[1]-1])
		t.glued = append(t.glued, from[m[1]-1] == 's' && m[0] > at && unicode.IsLetter(rune(from[m[0]-1])))
		t.sure += m[0] - at
		at = m[1]
	}
	t.parts = append(t.parts, from[at:])
	t.sure += len(from) - at
	return t
}

// templatesOf returns the templates among texts, the most specific first.
func templatesOf(texts map[string]string) (list []template) {
	froms := make([]string, 0, len(texts))
	for from := range texts {
		if verb.MatchString(from) {
			froms = append(froms, from)
		}
	}
	slices.Sort(froms)
	for _, from := range froms {
		list = append(list, templateOf(from, texts[from]))
	}
	slices.SortStableFunc(list, func(a, b template) int { return cmp.Compare(b.sure, a.sure) })
	return list
}

// maxPlaces bounds the places at which a value's end is looked for.
const maxPlaces = 20

// match returns the values with which a template gives a text, or nil. A value that holds the end of a sentence is one
// only if loose is set.
func (t template) match(text string, loose bool) []string {
	rest, ok := strings.CutPrefix(text, t.parts[0])
	if !ok || !strings.HasSuffix(rest, t.parts[len(t.parts)-1]) {
		return nil
	}
	places := maxPlaces
	return t.values(nil, rest, loose, &places)
}

func (t template) values(have []string, rest string, loose bool, places *int) []string {
	i := len(have)
	part := t.parts[i+1]
	if i+1 == len(t.verbs) {
		value, ok := strings.CutSuffix(rest, part)
		if !ok || !t.fits(i, value, loose) {
			return nil
		}
		return append(have, value)
	}
	first := 1
	if t.glued[i] {
		first = 0
	}
	for end := first; end < len(rest) && *places > 0; end++ {
		next := strings.Index(rest[end:], part)
		if next < 0 {
			return nil
		}
		*places--
		end += next
		if value := rest[:end]; t.fits(i, value, loose) {
			if list := t.values(append(have[:i:i], value), rest[end+len(part):], loose, places); list != nil {
				return list
			}
		}
	}
	return nil
}

// fits reports whether a value can stand at a verb's place.
func (t template) fits(i int, value string, loose bool) bool {
	if t.glued[i] {
		return value == "" || value[0] == ' ' && fits(t.verbs[i], value, loose)
	}
	return fits(t.verbs[i], value, loose)
}

// fits reports whether a verb can have written a value.
func fits(verb byte, value string, loose bool) bool {
	var err error
	switch verb {
	case 'd':
		_, err = strconv.ParseInt(value, 10, 64)
	case 'f', 'g':
		_, err = strconv.ParseFloat(value, 64)
	case 'q':
		_, err = strconv.Unquote(value)
	default:
		return value != "" && (loose || sentenceEnd(value) < 0)
	}
	return err == nil
}

// sentenceEnd is the index of the blank or line break behind a text's first sentence, or -1.
func sentenceEnd(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] == '\n' || text[i] == ' ' && strings.IndexByte(".?!", text[i-1]) >= 0 {
			return i
		}
	}
	return -1
}

// Bounds of the work for one text, whoever wrote it.
const (
	maxWork      = 20_000 // for each 16 bytes that are looked up, one
	maxSentences = 30     // that one template may run over
	maxDepth     = 6      // of values in values
)

// speech is the translation of one text.
type speech struct {
	*language
	work int
}

// Say translates what the engine said, as far as it is known: a text, a template with its values, "this: that", and
// sentences one after the other. Values are translated too where they are texts of the engine; all else stays as it is.
func Say(text string) string {
	s := speech{now(), maxWork}
	if len(s.said) == 0 {
		return text
	}
	return s.say(text, 0)
}

// say translates as many sentences as belong together, then the rest.
func (s *speech) say(text string, depth int) string {
	if t := s.said[text]; t != "" {
		return t
	}
	for _, loose := range []bool{false, true} {
		end := 0
		for range maxSentences {
			next := sentenceEnd(text[end:])
			if next < 0 {
				break
			}
			end += next
			if t, ok := s.phrase(text[:end], loose, depth); ok {
				return t + text[end:end+1] + s.say(text[end+1:], depth)
			}
			end++
		}
		if t, ok := s.phrase(text, loose, depth); ok {
			return t
		}
	}
	return text
}

// phrase translates a text, or one of the form "this: that" of which one side is known.
func (s *speech) phrase(text string, loose bool, depth int) (string, bool) {
	if t, ok := s.known(text, loose, depth); ok {
		return t, true
	}
	this, that, ok := strings.Cut(text, ": ")
	if !ok || depth >= maxDepth {
		return "", false
	}
	a, ok1 := s.known(this, loose, depth)
	b, ok2 := s.phrase(that, loose, depth+1)
	if !ok1 {
		a = this
	}
	if !ok2 {
		b = that
	}
	return a + ": " + b, ok1 || ok2
}

// known translates a text as a whole.
func (s *speech) known(text string, loose bool, depth int) (string, bool) {
	if s.work -= 1 + len(text)/16; s.work < 0 {
		return "", false
	}
	if t := s.said[text]; t != "" {
		return t, true
	}
	if depth >= maxDepth {
		return "", false
	}
	for _, t := range s.templates {
		if values := t.match(text, loose); values != nil {
			return s.fill(t, values, depth+1), true
		}
	}
	return "", false
}

// value translates a value of a template: a text, or several in a list.
func (s *speech) value(text string, depth int) string {
	if t := s.say(text, depth); t != text || !strings.Contains(text, ", ") {
		return t
	}
	parts := strings.Split(text, ", ")
	for i, part := range parts[:min(len(parts), maxSentences)] {
		if t := s.said[part]; t != "" {
			parts[i] = t
		}
	}
	return strings.Join(parts, ", ")
}

// fill puts values into a template's translation. What is in a value is never taken for a verb.
func (s *speech) fill(t template, values []string, depth int) string {
	i := 0
	return verb.ReplaceAllStringFunc(t.to, func(v string) string {
		at := i
		i++
		if j := strings.IndexByte(v, '['); j >= 0 {
			at = int(v[j+1] - '1')
		}
		if at < 0 || at >= len(values) {
			return ""
		}
		if strings.IndexByte("dfgq", t.verbs[at]) >= 0 {
			return values[at]
		}
		return s.value(values[at], depth)
	})
}

package message

import (
	_ "embed"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// wordsFile holds the words of all languages, in the format that it explains.
//
//go:embed words.txt
var wordsFile string

// sections are the sections of wordsFile, in the order of the file.
var sections = parseWords(wordsFile)

// section is a section of words.txt. Its words are alternatives of regular expressions, one entry per line.
type section struct {
	name     string
	bordered []string // words that need word borders around them
	anywhere []string // words that may stand within other words
}

// languages are the codes that a line of words.txt may begin with. True means that the words may stand anywhere.
var languages = map[string]bool{"en": false, "de": false, "fr": false, "es": false, "it": false, "pt": false,
	"nl": false, "ru": false,
	"zh": true, "ja": true, "any": true}

// parseWords reads the format of words.txt. It panics at a malformed line, because the file is a part of the program.
func parseWords(file string) (list []section) {
	number := 0
	for l := range strings.Lines(file) {
		number++
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(l, "["); ok {
			list = append(list, section{name: strings.TrimSuffix(name, "]")})
			continue
		}
		language, words, _ := strings.Cut(l, " ")
		words = strings.NewReplacer(" ", `\s`, "(", "(?:").Replace(words)
		anywhere, known := languages[language]
		if _, err := syntax.Parse(words, syntax.Perl); err != nil || !known || words == "" || list == nil {
			panic(fmt.Sprintf("words.txt, line %d: want a language's code and words in a section: %q: %v", number, l,
				err))
		}
		s := &list[len(list)-1]
		if anywhere {
			s.anywhere = append(s.anywhere, words)
		} else {
			s.bordered = append(s.bordered, words)
		}
	}

	return list
}

// words returns the section with a name. It panics if words.txt has none.
func words(name string) section {
	i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
	if i < 0 {
		panic("words.txt has no section " + name)
	}
	return sections[i]
}

// alternatives returns the words of all languages as one group of a regular expression.
func (s section) alternatives() string {
	return "(?:" + strings.Join(slices.Concat(s.bordered, s.anywhere), "|") + ")"
}

// within returns a regular expression that finds the words in a text. It writes out the word borders, because `\b`
// knows only ASCII letters.
func (s section) within() *regexp.Regexp {
	x := `(?i)(?:^|[^\pL\pN])(?:` + strings.Join(s.bordered, "|") + `)(?:$|[^\pL\pN])`
	return regexp.MustCompile(strings.Join(append([]string{x}, s.anywhere...), "|"))
}

// class is a kind of incident or of notice, and the words that devices use for it.
type class struct {
	name  string
	words *regexp.Regexp
}

// classes returns classes with their words from words.txt.
func classes(kind string, names ...string) (list []class) {
	for _, name := range names {
		list = append(list, class{name, words(kind + " " + name).within()})
	}
	return list
}

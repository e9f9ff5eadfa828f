// Package words translates everything that the desktop shows to its user's language. The English text is the key. The
// other languages are in the folder translation, in the format of Fyne's lang, which also gets them.
//
// The engine's messages come as a [text.Text]. [Say] translates them by message code, from the folder engine.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fyne.io/fyne/v2/lang"
	"golang.org/x/text/language"

	"github.com/preroll/preroll/recorder/text"
)

// Files holds the translations, for lang.AddTranslationsFS.
//
//go:embed translation
var Files embed.FS

// Folder is the folder of the translations in Files.
const Folder = "translation"

// Language says texts in one language.
type Language struct {
	code  string
	tag   language.Tag
	texts map[string]text.Forms // the desktop's own texts, by English text
	said  map[string]text.Forms // the engine's messages, by message code
}

var (
	mu      sync.Mutex // guards current
	current *Language
)

// Use sets the language by its code, such as "de" or "de-CH". A language without a translation falls back to English.
// "" means the system's language.
func Use(code string) {
	l := translationOf(code)
	mu.Lock()
	defer mu.Unlock()
	current = l
}

// In returns the language with a code, as in [Use].
func In(code string) *Language { return translationOf(code) }

// Preferred returns the code of the language that an Accept-Language header (RFC 9110, 12.5.4) asks for first, of those
// that there is a translation for, or "" if there is none.
func Preferred(accept string) string {
	tags, _, err := language.ParseAcceptLanguage(accept[:min(len(accept), 200)])
	if err != nil {
		return ""
	}
	for _, t := range tags {
		base, _ := t.Base()
		if l := translationOf(base.String()); l.code == base.String() {
			return l.code
		}
	}
	return ""
}

// loaded holds the languages that were used, by code.
var loaded sync.Map

// translationOf returns the translation to the language with a code, or to English if there is none.
func translationOf(code string) *Language {
	if code == "" {
		code = lang.SystemLocale().String()
	}

	// The country makes no difference.
	code, _, _ = strings.Cut(strings.ToLower(strings.ReplaceAll(code, "_", "-")), "-")
	if l, ok := loaded.Load(code); ok {
		return l.(*Language)
	}
	l, err := load(code)
	if err != nil {
		return &Language{code: "en", tag: language.English}
	}
	loaded.Store(code, l)
	return l
}

func now() *Language {
	mu.Lock()
	l := current
	mu.Unlock()
	if l == nil {
		Use("")
		return now()
	}
	return l
}

// verb matches a place for a value in a text: %s, %d, %q, %.0f, %[2]s.
var verb = regexp.MustCompile(`%(\[\d\])?[-+0-9.]*[a-z]`)

func load(code string) (*Language, error) {
	l := &Language{code: code, tag: language.Make(code)}
	for _, f := range []struct {
		fs     embed.FS
		folder string
		texts  *map[string]text.Forms
	}{{Files, Folder, &l.texts}, {engine, "engine", &l.said}} {
		b, err := f.fs.ReadFile(path.Join(f.folder, code+".json"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, f.texts); err != nil {
			return nil, fmt.Errorf("translation %s: %w", code, err)
		}
	}

	return l, nil
}

// Code returns the language's code, such as "de".
func (l *Language) Code() string { return l.code }

// L is [L] in this language.
func (l *Language) L(english string, values ...any) string {
	if t := l.texts[english].Other; t != "" {
		english = t
	}
	if len(values) == 0 {
		return english
	}
	if l.point() != "." {
		values = slices.Clone(values)
		for i, v := range values {
			if f, ok := v.(float64); ok {
				values[i] = number{f, l.point()}
			}
		}
	}
	return fmt.Sprintf(english, values...)
}

// point returns the decimal point of the language.
func (l *Language) point() string {
	if l.code == "en" {
		return "."
	}
	return ","
}

// number is a number that is formatted with the decimal point of a language.
type number struct {
	value float64
	point string
}

// Format formats the number by any verb of a float64.
func (n number) Format(s fmt.State, verb rune) {
	_, _ = io.WriteString(s, strings.Replace(fmt.Sprintf(fmt.FormatString(s, verb), n.value), ".", n.point, 1))
}

// Size formats a number of bytes: "800 kB", "18.6 MB", "1.2 TB".
func Size(bytes int64) string { return now().Size(bytes) }

// Size is [Size] in this language.
func (l *Language) Size(bytes int64) string {
	n, unit := float64(bytes), "TB"
	switch {
	case bytes < 1e6:
		return l.L("%.0f kB", math.Ceil(n/1e3))
	case bytes < 999_950_000: // else it is rounded up to 1000
		n, unit = n/1e6, "MB"
	case bytes < 999_950_000_000:
		n, unit = n/1e9, "GB"
	default:
		n /= 1e12
	}
	return l.L("%.1f %s", n, unit)
}

// N is [N] in this language.
func (l *Language) N(n int, one, many string) string {
	f, ok := l.texts[many]
	if !ok {
		f = text.Forms{One: one, Other: many}
	}
	form := pick(f, l.tag, int64(n))
	if !verb.MatchString(form) {
		return form
	}
	return fmt.Sprintf(form, n)
}

// L translates a text of the desktop and formats the values into it, like fmt.Sprintf.
func L(english string, values ...any) string { return now().L(english, values...) }

// N translates a text that counts n things. one is the English text for 1. many is the English text for any other
// number, with a %d for the number. many is the key.
func N(n int, one, many string) string { return now().N(n, one, many) }

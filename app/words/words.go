// Package words says everything that the desktop shows in its user's language. The English text is the key; the other
// languages lie in the folder translation, in the form of Fyne's lang, which gets them too.
//
// What the engine says (failures, reasons, hints) is English; [Say] translates it as far as it is known, from the
// folder engine.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"fyne.io/fyne/v2/lang"
)

// Files holds the translations, for lang.AddTranslationsFS.
//
//go:embed translation
var Files embed.FS

// Folder is where they lie in Files.
const Folder = "translation"

// language is one translation.
type language struct {
	code      string
	texts     map[string]string // the desktop's own
	said      map[string]string // the engine's
	templates []template        // those among said
}

var (
	mu      sync.Mutex // guards current
	current *language
)

// Use sets the language by its code, such as "de" or "de-CH". A language without a translation is English. "" is the
// system's language.
func Use(code string) {
	if code == "" {
		code = lang.SystemLocale().String()
	}
	// the country makes no difference
	code, _, _ = strings.Cut(strings.ToLower(strings.ReplaceAll(code, "_", "-")), "-")
	l, err := load(code)
	if err != nil {
		l = &language{code: "en"}
	}
	mu.Lock()
	defer mu.Unlock()
	current = l
}

// Code is the language in use.
func Code() string { return now().code }

func now() *language {
	mu.Lock()
	l := current
	mu.Unlock()
	if l == nil {
		Use("")
		return now()
	}
	return l
}

// verb is a place for a value in a text: %s, %d, %q, %.0f, %[2]s.
var verb = regexp.MustCompile(`%(\[\d\])?[-+0-9.]*[a-z]`)

func load(code string) (*language, error) {
	l := &language{code: code}
	for _, f := range []struct {
		fs     embed.FS
		folder string
		texts  *map[string]string
	}{{Files, Folder, &l.texts}, {engine, "engine", &l.said}} {
		b, err := f.fs.ReadFile(path.Join(f.folder, code+".json"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, f.texts); err != nil {
			return nil, fmt.Errorf("translation %s: %w", code, err)
		}
	}
	l.templates = templatesOf(l.said)
	return l, nil
}

// L says a text of the desktop's own, with values in it as fmt.Sprintf does.
func L(text string, values ...any) string {
	if t := now().texts[text]; t != "" {
		text = t
	}
	if len(values) == 0 {
		return text
	}
	return fmt.Sprintf(text, values...)
}

// N says one text for one thing and another one, which holds a %d, for several.
func N(n int, one, many string) string {
	if n == 1 {
		return L(one)
	}
	return L(many, n)
}

package message

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	var want, names []string
	for _, c := range labels {
		want = append(want, "label "+c.name)
	}
	for _, c := range notices {
		want = append(want, "notice "+c.name)
	}
	want = append(want, "alarm", "around", "test phrase", "test word", "denied", "or", "refused", "affirmed")
	for _, s := range sections {
		names = append(names, s.name)
		for _, words := range slices.Concat(s.bordered, s.anywhere) {
			if regexp.MustCompile(`^(?:` + words + `)$`).MatchString("") {
				t.Errorf("[%s] has an empty word: %s", s.name, words)
			}
		}
		if s.name == "around" && (len(s.anywhere) > 0 ||
			strings.ContainsAny(strings.Join(s.bordered, ""), `\?*+()[]`)) {
			t.Error("[around] has expressions")
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("sections %q, want %q", names, want)
	}
	// The languages of a section stand in one order, each once.
	order := []string{"en", "de", "fr", "es", "it", "pt", "nl", "ru", "zh", "ja", "any"}
	last := -1
	for l := range strings.Lines(wordsFile) {
		language, _, _ := strings.Cut(strings.TrimSpace(l), " ")
		switch i := slices.Index(order, language); {
		case strings.HasPrefix(l, "["):
			last = -1
		case i >= 0 && i <= last:
			t.Errorf("out of order: %s", l)
		case i >= 0:
			last = i
		}
	}
}

func TestMalformedWords(t *testing.T) {
	for name, file := range map[string]string{
		"no section":         "en motion\n",
		"no language":        "[label x]\nmotion|person\n",
		"an unknown one":     "[label x]\nxx motion\n",
		"no words":           "[label x]\nen\n",
		"a broken group":     "[label x]\nen (motion\n",
		"a broken character": "[label x]\nen [motion\n",
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, "words.txt, line") {
					t.Errorf("panic %q", s)
				}
			}()
			parseWords(file)
		})
	}
}

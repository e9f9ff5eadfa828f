package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/text"
)

const header = `# Preroll settings. Every key and its meaning: docs/settings.md of Preroll.
# This file holds passwords: only its owner may read it.

`

// Save checks and writes the settings file. It writes a new file with mode 0600 beside the old one, calls fsync, and
// renames the new file over the old one. Comments of the old file stay with their keys. An old file with faults stays
// beside the new one. What comes from the environment is not written.
func Save(path string, s Settings) error {
	if err := Validate(s).Err(); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return text.SaveSettings.Error(err)
	}
	b, err := toml.Marshal(withoutEnvironment(s, old))
	if err != nil {
		return text.SaveSettings.Error(err)
	}
	if _, wrong := ParseHere(old); wrong != nil && len(old) > 0 { // somebody was at it by hand
		aside := path + ".faulty-" + time.Now().Format("20060102-150405")
		if err := durable.WriteFile(aside, old, 0o600); err != nil {
			return text.SaveSettings.Error(err)
		}
	}
	if len(old) == 0 {
		b = append([]byte(header), b...)
	} else {
		b = keepComments(old, b)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return text.SaveSettings.Error(err)
	}
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		return text.SaveSettings.Error(err)
	}
	return nil
}

var (
	tableLine = regexp.MustCompile(`^\s*(\[\[?[^\]]+\]\]?)\s*(#.*)?$`)
	keyLine   = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*=\s*(.*)$`)
	idLine    = regexp.MustCompile(`^\s*id\s*=\s*["']([^"']*)["']`)
)

// keepComments copies the comments of an old settings file to a new text. Lines of comment stay before their key or
// table, and a comment at the end of a line stays after its key. Cameras are recognized by id, so that comments follow
// their camera if another camera is removed.
func keepComments(old, text []byte) []byte {
	above, behind, tail := map[string][]string{}, map[string]string{}, []string(nil)
	walk(old, func(at, line string, pending []string) {
		if at == "" {
			tail = pending
			return
		}
		above[at] = pending
		if m := keyLine.FindStringSubmatch(line); m != nil {
			behind[at] = comment(m[2])
		} else if m := tableLine.FindStringSubmatch(line); m != nil {
			behind[at] = m[2]
		}
	})
	var out bytes.Buffer
	walk(text, func(at, line string, pending []string) {
		if at == "" {
			return
		}
		lead := above[at]
		if len(lead) == 0 {
			lead = pending
		}
		for _, l := range lead {
			out.WriteString(l + "\n")
		}
		out.WriteString(line)
		if c := behind[at]; c != "" {
			out.WriteString(" " + c)
		}
		out.WriteString("\n")
	})
	for _, l := range tail {
		out.WriteString(l + "\n")
	}
	return out.Bytes()
}

// walk calls f for each line with a table or a key. at is a place such as "[clip]pre_roll" or "[[camera]]front:url".
// pending holds the comment lines and blank lines since the previous call. The last call has an empty place.
func walk(text []byte, f func(at, line string, pending []string)) {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	table := ""
	var pending []string
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			pending = append(pending, line)
			continue
		case tableLine.MatchString(line):
			table = strings.ReplaceAll(tableLine.FindStringSubmatch(line)[1], " ", "")
			if strings.HasPrefix(table, "[[") {
				table += cameraOf(lines[i+1:]) + ":"
			}
			f(table, line, pending)
		case keyLine.MatchString(line):
			f(table+keyLine.FindStringSubmatch(line)[1], line, pending)
		default: // an inner line of a list that spans several lines
			f(table+"\x00", line, nil)
		}

		pending = nil
	}

	f("", "", pending)
}

func cameraOf(lines []string) string {
	for _, l := range lines {
		if tableLine.MatchString(l) {
			break
		}
		if m := idLine.FindStringSubmatch(l); m != nil {
			return m[1]
		}
	}

	return ""
}

// comment returns the comment at the end of a value, or "".
func comment(value string) string {
	var quote rune
	escaped := false
	for i, r := range value {
		switch {
		case escaped:
			escaped = false
		case quote == '"' && r == '\\':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '#':
			return value[i:]
		}
	}

	return ""
}

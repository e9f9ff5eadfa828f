package config

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/preroll/preroll/recorder/text"
)

// ValidationError is one fault of the settings: the key, its value, and the rule that the value breaks.
type ValidationError struct {
	Key   string    `json:"key"` // such as camera[2].url
	Value string    `json:"value"`
	Rule  text.Text `json:"rule"` // such as "must be …"
}

func (f ValidationError) String() string {
	if f.Value == "" {
		return f.Key + " " + f.Rule.String()
	}
	return fmt.Sprintf("%s = %q %s", f.Key, f.Value, f.Rule)
}

// ValidationErrors are all faults that were found.
type ValidationErrors []ValidationError

func (f ValidationErrors) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns f, or a nil error if there are no faults.
func (f ValidationErrors) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f *ValidationErrors) add(key, value string, rule text.Message, values ...any) {
	f.addText(key, value, rule.With(values...))
}

func (f *ValidationErrors) addText(key, value string, rule text.Text) {
	*f = append(*f, ValidationError{key, value, rule})
}

// FileError is the error for a settings file that cannot be read, or is wrong.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string {
	if errors.Is(e.Err, fs.ErrPermission) {
		return fmt.Sprintf("read settings: %s; the user %s, who runs this, must be able to read the file", e.Err,
			whoami())
	}
	if errors.As(e.Err, new(*fs.PathError)) {
		return fmt.Sprintf("read settings: %s", e.Err)
	}
	return fmt.Sprintf("settings file %s:\n%s", e.Path, e.Err)
}

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

func whoami() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprint(os.Getuid())
	}
	return u.Username
}

// Load reads and checks the settings file. If the file is missing, Load returns [Default] and found = false, and writes
// nothing. Settings in the environment count more than the file. The error is a [*FileError]. If the file can be read
// but is wrong, it wraps [ValidationErrors] or says where the file is not TOML.
func Load(path string) (s Settings, found bool, err error) {
	b, err := os.ReadFile(path)
	found = err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Settings{}, false, &FileError{path, err}
	}
	s, err = ParseHere(b)
	if err != nil {
		return Settings{}, found, &FileError{path, err}
	}
	return s, found, nil
}

// Parse parses the text of a settings file and returns all faults together.
func Parse(b []byte) (Settings, error) { return parse(b, nil) }

// ParseHere is Parse with the settings in the environment, which count more.
func ParseHere(b []byte) (Settings, error) { return parse(b, environment) }

// parse is Parse with settings that come from somewhere else and count more than the text.
func parse(b []byte, more func(Settings) ([]assignment, ValidationErrors)) (Settings, error) {
	var m map[string]any
	if err := toml.Unmarshal(b, &m); err != nil {
		var d *toml.DecodeError
		if errors.As(err, &d) {
			row, col := d.Position()
			return Settings{}, fmt.Errorf("line %d, column %d is not TOML: %s", row, col,
				strings.TrimPrefix(d.Error(), "toml: "))
		}
		return Settings{}, fmt.Errorf("not TOML: %w", err)
	}

	s, faults := decode(m)
	if more != nil {
		list, wrong := more(s)
		faults = append(faults, wrong...)
		for _, a := range list {
			for _, f := range Set(&s, a.key, a.value) {
				f.Key = a.name
				faults = append(faults, f)
			}
		}
	}
	faults = append(faults, Validate(s)...)
	return s, faults.once().Err()
}

// decode returns the settings in a TOML document, which need not be valid as a whole.
func decode(m map[string]any) (s Settings, faults ValidationErrors) {
	s = Default()
	decodeTable("", m, reflect.ValueOf(&s).Elem(), &faults)
	return s, faults
}

// once keeps only the first fault of each key, because a value that could not be read breaks no second rule.
func (f ValidationErrors) once() ValidationErrors {
	seen := map[string]bool{}
	var out ValidationErrors
	for _, x := range f {
		if !seen[x.Key] {
			seen[x.Key] = true
			out = append(out, x)
		}
	}
	return out
}

// decodeTable fills a struct from a TOML table. It adds a fault for each unknown key and each value of the wrong kind.
// go-toml stops at the first wrong value, so it only decodes into a map.
func decodeTable(prefix string, in map[string]any, out reflect.Value, faults *ValidationErrors) {
	known := map[string]bool{}
	for i := range out.NumField() {
		name := tomlName(out.Type().Field(i))
		known[name] = true
		if v, ok := in[name]; ok {
			decodeValue(prefix+name, v, out.Field(i), faults)
		}
	}

	for _, k := range sortedKeys(in) {
		if !known[k] {
			faults.add(prefix+k, "", text.RuleUnknown, strings.Join(sortedKeys(known), ", "))
		}
	}
}

func decodeValue(key string, in any, out reflect.Value, faults *ValidationErrors) {
	if out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	if u, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, isText := in.(string)
		if !isText {
			s = fmt.Sprint(in)
		}
		if err := u.UnmarshalText([]byte(s)); err != nil {
			faults.addText(key, s, text.Of(err))
		}
		return
	}

	wrong := func(rule text.Message) {
		if out.Type() == reflect.TypeFor[Secret]() {
			in = map[string]any{} // shown hides maps
		}
		faults.add(key, shown(in), rule)
	}
	switch out.Kind() {
	case reflect.String:
		if s, ok := in.(string); ok {
			out.SetString(s)
		} else {
			wrong(text.RuleText)
		}
	case reflect.Bool:
		if b, ok := in.(bool); ok {
			out.SetBool(b)
		} else {
			wrong(text.RuleBool)
		}
	case reflect.Int:
		if n, ok := in.(int64); ok {
			out.SetInt(n)
		} else {
			wrong(text.RuleNumber)
		}
	case reflect.Struct:
		if t, ok := in.(map[string]any); ok {
			decodeTable(key+".", t, out, faults)
		} else {
			wrong(text.RuleTable)
		}
	case reflect.Slice:
		list, ok := in.([]any)
		if !ok {
			wrong(text.RuleList)
			return
		}
		out.Set(reflect.MakeSlice(out.Type(), len(list), len(list)))
		for i, v := range list {
			out.Index(i).Set(newEntry(out.Type().Elem()))
			decodeValue(fmt.Sprintf("%s[%d]", key, i+1), v, out.Index(i), faults)
		}
	default:
		panic("config: no decoding for " + out.Type().String())
	}
}

// shown returns a value as a fault may show it, without the contents of tables and lists, which may hold a password.
func shown(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		return ""
	}
	return fmt.Sprint(v)
}

package config

import (
	"encoding"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var settingsRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|([^|]*)\\|")

// documented are the keys of docs/settings.md with the cell of their default.
func documented(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range settingsRow.FindAllStringSubmatch(string(b), -1) {
		for key := range strings.SplitSeq(m[1], ",") {
			rows[strings.Trim(key, " `")] = strings.Trim(m[2], "` ")
		}
	}
	return rows
}

// TestSettingsAreDocumented wants a row in docs/settings.md for each setting, with its default, and no row for anything
// else.
func TestSettingsAreDocumented(t *testing.T) {
	rows := documented(t)
	wanted := map[string]bool{}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("toml"), ",")
			if name == "" || name == "-" || name == "camera" || name == "target" {
				continue
			}
			key, field := prefix+name, v.Field(i)
			_, text := field.Addr().Interface().(fmt.Stringer)
			if field.Kind() == reflect.Struct && !text {
				walk(key+".", field)
				continue
			}
			wanted[key] = true
			got, ok := rows[key]
			if !ok {
				t.Errorf("docs/settings.md lacks %s", key)
				continue
			}
			if want, same := isDefault(got, field); !same && !strings.Contains(key, "path") {
				t.Errorf("docs/settings.md gives %s as the default of %s, want %s", got, key, want)
			}
		}
	}
	s := Default()
	walk("", reflect.ValueOf(&s).Elem())
	for _, part := range []reflect.Type{reflect.TypeFor[Camera](), reflect.TypeFor[Target]()} {
		for i := range part.NumField() {
			name, _, _ := strings.Cut(part.Field(i).Tag.Get("toml"), ",")
			if name == "" || name == "-" {
				continue
			}
			wanted[name] = true
			if _, ok := rows[name]; !ok {
				t.Errorf("docs/settings.md lacks %s of a %s", name, part.Name())
			}
		}
	}
	for key := range rows {
		if !wanted[key] {
			t.Errorf("docs/settings.md has %s, which is no setting", key)
		}
	}
}

// isDefault reports whether a cell gives the default of a setting, and how it is written. It takes any cell for a list.
func isDefault(cell string, v reflect.Value) (want string, same bool) {
	switch value := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		got := reflect.New(v.Type())
		err := got.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(strings.Trim(cell, `"`)))
		return fmt.Sprint(v.Interface()), err == nil && got.Elem().Interface() == v.Interface()
	case *string:
		return strconv.Quote(*value), cell == strconv.Quote(*value)
	case *bool, *int:
		return fmt.Sprint(v.Interface()), cell == fmt.Sprint(v.Interface())
	}
	return "", true
}

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/preroll/preroll/recorder/text"
)

// A key names one value of the settings: "archive.path", or "camera.front.url" for the camera with the id front.

// Keys returns the keys of all values in s, in the order of the file.
func Keys(s Settings) (keys []string) {
	fields(reflect.ValueOf(&s).Elem(), "", func(key string, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// fields calls f for each value in a struct, with its key. prefix is the struct's key with a dot, or "".
func fields(in reflect.Value, prefix string, f func(key string, v reflect.Value)) {
	for i := range in.NumField() {
		name, v := tomlName(in.Type().Field(i)), in.Field(i)
		switch {
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			for j := range v.Len() {
				entry := v.Index(j)
				fields(entry, prefix+name+"."+entry.FieldByName("ID").String()+".", f)
			}
		case v.Kind() == reflect.Struct:
			fields(v, prefix+name+".", f)
		default:
			f(prefix+name, v)
		}
	}
}

func tomlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

// find returns the value of a key. With add it adds the camera or target that the key names.
func find(s *Settings, key string, add bool) (v reflect.Value, ok bool) {
	v = reflect.ValueOf(s).Elem()
	parts := strings.Split(key, ".")
	for len(parts) > 0 {
		i := slices.IndexFunc(reflect.VisibleFields(v.Type()),
			func(f reflect.StructField) bool { return tomlName(f) == parts[0] })
		if i < 0 {
			return v, false
		}
		v, parts = v.Field(i), parts[1:]
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
			if len(parts) == 0 {
				return v, false
			}
			if v, ok = entry(v, parts[0], add); !ok {
				return v, false
			}
			parts = parts[1:]
			if len(parts) == 0 {
				return v, false
			}
		} else if v.Kind() != reflect.Struct {
			return v, len(parts) == 0
		}
	}
	return v, false
}

// entry returns the camera or target with an id.
func entry(list reflect.Value, id string, add bool) (reflect.Value, bool) {
	for i := range list.Len() {
		if list.Index(i).FieldByName("ID").String() == id {
			return list.Index(i), true
		}
	}
	if !add {
		return list, false
	}
	list.Set(reflect.Append(list, newEntry(list.Type().Elem())))
	last := list.Index(list.Len() - 1)
	last.FieldByName("ID").SetString(id)
	return last, true
}

// newEntry returns a camera or target with the default values, or the zero value of another type.
func newEntry(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[Camera]():
		return reflect.ValueOf(NewCamera())
	case reflect.TypeFor[Target]():
		return reflect.ValueOf(NewTarget())
	}
	return reflect.New(t).Elem()
}

// Get returns the value of a key as it is typed. A password is hidden.
func Get(s Settings, key string) (value string, ok bool) {
	v, ok := find(&s, key, false)
	if !ok {
		return "", false
	}
	if p, secret := v.Interface().(Secret); secret {
		return p.String(), true
	}
	return typed(v), true
}

// Public returns settings whose addresses hold no secret. Passwords are hidden wherever they are printed, but some
// cameras want theirs in the address, behind the path or in it, and the topic of ntfy is one.
func Public(s Settings) Settings {
	s = s.Clone()
	for i := range s.Cameras {
		for _, u := range []*string{&s.Cameras[i].URL, &s.Cameras[i].URLSmall} {
			if _, path, _ := strings.Cut(*u, "://"); strings.Contains(path, "=") {
				*u = RedactURL(*u)
			}
		}
	}
	for i := range s.Targets {
		s.Targets[i].URL = RedactURL(s.Targets[i].URL)
	}
	return s
}

// Secrets returns all passwords that are set.
func Secrets(s Settings) (list []Secret) {
	fields(reflect.ValueOf(&s).Elem(), "", func(_ string, v reflect.Value) {
		if p, ok := v.Interface().(Secret); ok && p != "" {
			list = append(list, p)
		}
	})
	return list
}

// typed returns a value as [Set] reads it.
func typed(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if p, ok := v.Interface().(Secret); ok {
		return p.Reveal()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, _ := m.MarshalText()
		return string(b)
	}
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// Set sets a key to a value as it is typed: a list has commas, and an empty value of a camera's length takes back its
// own. A camera or target that does not exist is added. Set does not validate the settings.
func Set(s *Settings, key, value string) ValidationErrors {
	var faults ValidationErrors
	v, ok := find(s, key, true)
	if !ok {
		faults.add(key, "", text.RuleUnknown, strings.Join(Keys(*s), ", "))
		return faults
	}
	var in any = value
	switch v.Kind() {
	case reflect.Pointer:
		if value == "" {
			v.SetZero()
			return nil
		}
	case reflect.Bool:
		if b, err := strconv.ParseBool(value); err == nil {
			in = b
		}
	case reflect.Int:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			in = n
		}
	case reflect.Slice:
		list := []any{}
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		in = list
	}
	decodeValue(key, in, v, &faults)
	return faults
}

// Unset takes a key back to its default, or removes the camera or target that it names.
func Unset(s *Settings, key string) ValidationErrors {
	var faults ValidationErrors
	table, id, _ := strings.Cut(key, ".")
	remove := func(found int) bool { return found >= 0 && !strings.Contains(id, ".") }
	if i := slices.IndexFunc(s.Cameras, func(c Camera) bool { return c.ID == id }); table == "camera" && remove(i) {
		s.Cameras = slices.Delete(s.Cameras, i, i+1)
		return nil
	}
	if i := slices.IndexFunc(s.Targets, func(t Target) bool { return t.ID == id }); table == "target" && remove(i) {
		s.Targets = slices.Delete(s.Targets, i, i+1)
		return nil
	}
	v, ok := find(s, key, false)
	if !ok {
		faults.add(key, "", text.RuleUnknown, strings.Join(Keys(*s), ", "))
		return faults
	}
	fresh := Default()
	was, _ := find(&fresh, key, true)
	v.Set(was)
	return nil
}

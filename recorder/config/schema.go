package config

import (
	"encoding/json"
	"reflect"
)

// Schema returns the JSON Schema of the settings file, for editors that know TOML.
func Schema() ([]byte, error) {
	root := schemaOf(reflect.TypeFor[Settings](), reflect.ValueOf(Default()))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Settings of Preroll"
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// schemaOf returns the schema of a type. def is its default.
func schemaOf(t reflect.Type, def reflect.Value) map[string]any {
	switch t {
	case reflect.TypeFor[Duration]():
		return map[string]any{"type": "string", "pattern": `^$|^([0-9.]+d)?([0-9.]+(h|m|s|ms))*$`,
			"default": typed(def)}
	case reflect.TypeFor[ByteSize]():
		return map[string]any{"type": "string", "pattern": `^$|^[0-9.]+ ?([kKMGTmgt]i?)?[bB]$`, "default": typed(def)}
	case reflect.TypeFor[Ingest]():
		return map[string]any{"type": "string", "enum": []string{"auto", string(IngestRTSP), string(IngestFFmpeg)}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := schemaOf(t.Elem(), reflect.New(t.Elem()).Elem())
		delete(s, "default")
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean", "default": def.Bool()}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.String:
		s := map[string]any{"type": "string"}
		if d := def.String(); d != "" {
			s["default"] = d
		}
		return s
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), newEntry(t.Elem()))}
	}
	properties := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		p := schemaOf(f.Type, def.Field(i))
		switch name := tomlName(f); {
		case name == "version":
			p["const"] = Version
		case name == "language":
			p["enum"] = append([]string{""}, Languages...)
		case name == "path" && t != reflect.TypeFor[FFmpeg](): // these differ from system to system
			delete(p, "default")
		case name == "kind":
			p["enum"] = TargetKinds
		}
		properties[tomlName(f)] = p
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	switch t {
	case reflect.TypeFor[Camera]():
		s["required"] = []string{"id", "url"}
	case reflect.TypeFor[Target]():
		s["required"] = []string{"id"}
	}
	return s
}

package config

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/preroll/preroll/recorder/text"
)

// Settings may come from the environment, as in a container: PREROLL_ARCHIVE_PATH is archive.path, and
// PREROLL_CAMERA_FRONT_DOOR_URL is the url of the camera front-door, which is added if the file has none. With _FILE at
// the end, the value is read from a file, such as one with a password. The files of CREDENTIALS_DIRECTORY (systemd's
// LoadCredential=) count as such, if their names begin with PREROLL_.

const (
	envPrefix = "PREROLL_"
	envFile   = "_FILE"
	maxEnv    = 64 << 10 // bytes of a file with a value
)

// assignment is a setting that comes from the environment.
type assignment struct {
	name  string // of the variable
	key   string
	value string
}

// environment returns the settings in the environment. s tells which cameras and targets exist.
func environment(s Settings) (list []assignment, faults ValidationErrors) {
	vars := map[string]string{}
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, envPrefix) {
			vars[name] = value
		}
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if strings.HasPrefix(f.Name(), envPrefix) {
				vars[f.Name()+envFile] = filepath.Join(dir, f.Name())
			}
		}
	}
	for _, name := range sortedKeys(vars) {
		value := vars[name]
		key, ok := keyOf(s, name)
		if base, isFile := strings.CutSuffix(name, envFile); !ok && isFile {
			if key, ok = keyOf(s, base); ok {
				if _, twice := vars[base]; twice {
					faults.add(name, "", text.RuleOnce)
					continue
				}
				b, err := readSmall(value)
				if err != nil {
					faults.addText(name, value, text.Of(err))
					continue
				}
				value = strings.TrimRight(b, "\r\n")
			}
		}
		switch {
		case ok:
			list = append(list, assignment{name, key, value})
		case ofSettings(name):
			faults.add(name, "", text.RuleUnknownVariable)
		}
	}
	return list, faults
}

func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxEnv))
	return string(b), err
}

// envName returns the name of the variable for a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// keyOf returns the key that a variable means.
func keyOf(s Settings, name string) (key string, ok bool) {
	for _, k := range Keys(s) {
		if envName(k) == name && k != "version" { // images often have a variable with their version
			return k, true
		}
	}
	for table, entry := range map[string]Settings{
		"camera": {Cameras: []Camera{{ID: "*"}}}, "target": {Targets: []Target{{ID: "*"}}}} {
		rest, isEntry := strings.CutPrefix(name, envName(table)+"_")
		if !isEntry {
			continue
		}
		longest := ""
		for _, k := range Keys(entry) {
			field, isField := strings.CutPrefix(k, table+".*.")
			if isField && len(field) > len(longest) && strings.HasSuffix(rest, "_"+strings.ToUpper(field)) {
				longest = field
			}
		}
		id := strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(rest, "_"+strings.ToUpper(longest)), "_", "-"))
		if longest != "" && longest != "id" && CameraID(id) {
			return table + "." + id + "." + longest, true
		}
	}
	return "", false
}

// kubernetes matches what Kubernetes sets in each container for a service that is called preroll-web or the like.
var kubernetes = regexp.MustCompile(`_SERVICE_(HOST|PORT\w*)$|_PORT(_\w+)?$`)

// ofSettings reports whether a variable seems to mean a setting.
func ofSettings(name string) bool {
	if kubernetes.MatchString(name) {
		return false
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		isTable := f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Slice
		if isTable && strings.HasPrefix(name, envName(tomlName(f))+"_") {
			return true
		}
	}
	return false
}

// EnvironmentFaults returns a fault for each setting that differs from the one in the environment, which would be in
// force again after the next start.
func EnvironmentFaults(s Settings) ValidationErrors {
	list, faults := environment(s)
	for _, a := range list {
		wanted := s.Clone()
		_ = Set(&wanted, a.key, a.value)
		if is, ok := find(&s, a.key, false); ok {
			if want, _ := find(&wanted, a.key, false); typed(is) == typed(want) {
				continue
			}
		}
		faults.add(a.key, "", text.RuleInEnvironment, a.name)
	}
	return faults
}

// Held returns the settings that the text of a file holds, which may be valid only together with the environment. A
// text that is no TOML holds the defaults.
func Held(file []byte) Settings {
	var m map[string]any
	if toml.Unmarshal(file, &m) != nil {
		return Default()
	}
	s, _ := decode(m)
	return s
}

// withoutEnvironment returns s with what the settings file holds, in place of what comes from the environment, so that
// no password from there is written to the file. file is the text of the settings file.
func withoutEnvironment(s Settings, file []byte) Settings {
	list, _ := environment(s)
	if len(list) == 0 {
		return s
	}
	held := Held(file)
	s = s.Clone()
	for _, a := range list {
		if was, ok := find(&held, a.key, false); ok {
			is, _ := find(&s, a.key, true)
			is.Set(was)
			continue
		}
		_ = Unset(&s, a.key) // its camera or target is not in the file
	}
	s.Cameras = slices.DeleteFunc(s.Cameras, func(c Camera) bool { // it is in the environment alone
		_, inFile := held.Camera(c.ID)
		empty := NewCamera()
		empty.ID = c.ID
		return !inFile && reflect.DeepEqual(c, empty)
	})
	s.Targets = slices.DeleteFunc(s.Targets, func(t Target) bool {
		empty := NewTarget()
		empty.ID = t.ID
		return !slices.ContainsFunc(held.Targets, func(h Target) bool { return h.ID == t.ID }) &&
			reflect.DeepEqual(t, empty)
	})
	return s
}

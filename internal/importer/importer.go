// Package importer reads the cameras out of the settings of other programs: Frigate, go2rtc, MediaMTX, or a table with
// commas. It takes what Preroll can record, and says of the rest why not. It starts nothing and reads no other file.
package importer

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/preroll/preroll/recorder/config"
)

// Kinds are the kinds of files that can be read.
var Kinds = []string{"frigate", "go2rtc", "mediamtx", "csv"}

// Skipped is an entry that is not taken, and why.
type Skipped struct {
	Name string
	Why  string
}

// maxInput is the max size of a file, in bytes.
const maxInput = 4 << 20

// Read returns the cameras in the text of a file. An empty kind means: find out.
func Read(kind string, text []byte) (cameras []config.Camera, skipped []Skipped, err error) {
	if len(text) > maxInput {
		return nil, nil, errors.New("the file is too big for a list of cameras")
	}
	r := reader{}
	if kind == "csv" {
		err = r.csv(text)
		return r.cameras, r.skipped, err
	}
	var doc map[string]yaml.Node
	yamlErr := yaml.Unmarshal(text, &doc)
	if kind == "" {
		kind = kindOf(doc)
		switch isTable := bytes.Contains(bytes.ToLower(firstLine(text)), []byte("url")); {
		case kind == "" && isTable:
			kind = "csv"
		case kind == "" && yamlErr != nil && !errors.As(yamlErr, new(*yaml.TypeError)):
			return nil, nil, fmt.Errorf("this is no YAML: %w", yamlErr)
		}
	}
	switch kind {
	case "frigate":
		err = errors.Join(yamlErr, r.frigate(doc))
	case "go2rtc":
		err = errors.Join(yamlErr, r.go2rtc(doc))
	case "mediamtx":
		err = errors.Join(yamlErr, r.mediamtx(doc))
	case "csv":
		err = r.csv(text)
	default:
		err = fmt.Errorf("this is no file of %s; name its kind with --from", strings.Join(Kinds, ", "))
	}
	return r.cameras, r.skipped, err
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// kindOf tells programs apart by their tables.
func kindOf(doc map[string]yaml.Node) string {
	has := func(key string) bool { _, ok := doc[key]; return ok }
	switch {
	case has("cameras"):
		return "frigate"
	case has("streams"):
		return "go2rtc"
	case has("paths"):
		return "mediamtx"
	}
	return ""
}

// reader collects cameras.
type reader struct {
	cameras []config.Camera
	skipped []Skipped
}

func (r *reader) skip(name, why string, values ...any) {
	r.skipped = append(r.skipped, Skipped{name, fmt.Sprintf(why, values...)})
}

// placeholder is a value that the other program takes from its environment or a secret.
var placeholder = regexp.MustCompile(`\{[A-Z_]+\}|\$\{[^}]*\}|!secret`)

// add adds a camera with an address. small is the address of a smaller stream, or "".
func (r *reader) add(name, address, small string, enabled bool) {
	c := config.NewCamera()
	c.ID, c.Name, c.Enabled = config.NewID(name, ids(r.cameras)), name, enabled
	c.URL, c.Username, c.Password = plain(placeholder.ReplaceAllString(address, ""))
	if small = strings.TrimSpace(small); small != "" {
		c.URLSmall, _, _ = plain(placeholder.ReplaceAllString(small, ""))
	}
	if placeholder.MatchString(address) {
		r.skip(name, "it is taken without its password, which that program has from elsewhere: "+
			"preroll settings set camera.%s.password -", c.ID)
	}
	if rule := config.CheckURL(c.URL); !rule.IsZero() {
		r.skip(name, "its address %s", rule)
		return
	}
	if rule := config.CheckURL(c.URLSmall); c.URLSmall != "" && !rule.IsZero() {
		c.URLSmall = ""
	}
	r.cameras = append(r.cameras, c)
}

func ids(list []config.Camera) (ids []string) {
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// plain returns an address without user, password and the options that other programs put behind a #.
func plain(address string) (string, string, config.Secret) {
	address = strings.TrimPrefix(strings.TrimSpace(address), "ffmpeg:")
	if i := strings.LastIndex(address, "@"); i >= 0 { // a # before it belongs to the password
		rest, _, _ := strings.Cut(address[i:], "#")
		return config.SplitURL(address[:i] + rest)
	}
	address, _, _ = strings.Cut(address, "#")
	return config.SplitURL(address)
}

// list returns a value that may be one text or several.
func list(n yaml.Node) (out []string) {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	for _, c := range n.Content {
		if c.Kind == yaml.ScalarNode {
			out = append(out, c.Value)
		}
	}
	return out
}

func sorted[T any](m map[string]T) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// --- Programs ---

// frigate reads Frigate's config.yml (https://docs.frigate.video/configuration/reference). Cameras that Frigate reads
// from its own go2rtc are read at their source.
func (r *reader) frigate(doc map[string]yaml.Node) error {
	var cameras map[string]struct {
		Enabled *bool
		FFmpeg  struct {
			Inputs []struct {
				Path  string
				Roles []string
			}
		}
	}
	n := doc["cameras"]
	if err := n.Decode(&cameras); err != nil {
		return fmt.Errorf("cameras: %w", err)
	}
	var own struct{ Streams map[string]yaml.Node }
	if n, ok := doc["go2rtc"]; ok {
		if err := n.Decode(&own); err != nil {
			return fmt.Errorf("go2rtc: %w", err)
		}
	}
	source := func(path string) string {
		u, err := url.Parse(path)
		if err != nil || u.Port() != "8554" || u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
			return path
		}
		if s := best(list(own.Streams[strings.Trim(u.Path, "/")])); s != "" {
			return s
		}
		return path
	}
	for _, name := range sorted(cameras) {
		c := cameras[name]
		main, small := "", ""
		for _, in := range c.FFmpeg.Inputs {
			switch {
			case slices.Contains(in.Roles, "record") || main == "" && len(c.FFmpeg.Inputs) == 1:
				main = source(in.Path)
			default:
				small = source(in.Path)
			}
		}
		if main == "" {
			main, small = small, ""
		}
		if main == "" {
			r.skip(name, "it has no input")
			continue
		}
		r.add(name, main, small, c.Enabled == nil || *c.Enabled)
	}
	return nil
}

// restream reports whether an address without its scheme is that of go2rtc or MediaMTX itself on the same machine.
func restream(rest string) bool {
	return strings.HasPrefix(rest, "127.0.0.1:8554/") || strings.HasPrefix(rest, "localhost:8554/")
}

// best returns the source of a stream that is recorded, or "": rather one that go2rtc reads itself than one by FFmpeg.
func best(sources []string) (address string) {
	for _, s := range sources {
		if recordable(s) && (address == "" || strings.HasPrefix(address, "ffmpeg:")) {
			address = s
		}
	}
	return address
}

// recordable reports whether an address of go2rtc is one of a camera, and no command or other stream.
func recordable(address string) bool {
	scheme, rest, ok := strings.Cut(strings.TrimPrefix(address, "ffmpeg:"), "://")
	if restream(rest) {
		return false
	}
	return ok && slices.Contains([]string{"rtsp", "rtsps", "http", "https"}, strings.ToLower(scheme))
}

// go2rtc reads go2rtc.yaml (https://github.com/AlexxIT/go2rtc#configuration).
func (r *reader) go2rtc(doc map[string]yaml.Node) error {
	var streams map[string]yaml.Node
	n := doc["streams"]
	if err := n.Decode(&streams); err != nil {
		return fmt.Errorf("streams: %w", err)
	}
	for _, name := range sorted(streams) {
		sources := list(streams[name])
		address := best(sources)
		if address == "" {
			what, _, _ := strings.Cut(strings.Join(sources, ", "), ":")
			r.skip(name, "it has no RTSP or HTTP source, but %q", what)
			continue
		}
		r.add(name, address, "", true)
	}
	return nil
}

// mediamtx reads mediamtx.yml (https://github.com/bluenviron/mediamtx).
func (r *reader) mediamtx(doc map[string]yaml.Node) error {
	var paths map[string]struct{ Source string }
	n := doc["paths"]
	if err := n.Decode(&paths); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	for _, name := range sorted(paths) {
		switch source := paths[name].Source; {
		case name == "all" || name == "all_others" || strings.HasPrefix(name, "~"):
			r.skip(name, "it stands for many paths")
		case source != "" && source != "publisher" && !recordable(source):
			what, _, _ := strings.Cut(source, ":")
			r.skip(name, "its source is no RTSP or HTTP, but %q", what)
		case !recordable(source):
			r.skip(name, "it is published to MediaMTX; record rtsp://THAT-MACHINE:8554/%s", name)
		default:
			r.add(name, source, "", true)
		}
	}
	return nil
}

// csv reads a table whose first line names keys of a camera, such as name,url,username,password.
func (r *reader) csv(text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	c := csv.NewReader(bytes.NewReader(text))
	c.TrimLeadingSpace = true
	head := firstLine(text)
	for _, comma := range ";\t" {
		if bytes.Count(head, []byte(string(comma))) > bytes.Count(head, []byte(string(c.Comma))) {
			c.Comma = comma
		}
	}
	rows, err := c.ReadAll()
	if err != nil {
		return err
	}
	for i := range rows[:min(1, len(rows))] {
		for j, key := range rows[i] {
			rows[i][j] = strings.ToLower(strings.TrimSpace(key))
		}
	}
	if len(rows) == 0 || !slices.Contains(rows[0], "url") {
		return errors.New(`the first line must name the columns, one of them "url"; ` +
			`the others are keys of a camera, such as "name", "username" and "password"`)
	}
	for i, row := range rows[1:] {
		var s config.Settings
		name, address, small := "", "", ""
		var faults config.ValidationErrors
		for j, key := range rows[0] {
			switch value := row[j]; key {
			case "": // of a comma at the end of the line
			case "name":
				name = value
			case "url":
				address = value
			case "url_small":
				small = value
			case "id":
				name = cmp.Or(name, value)
			default:
				if value != "" {
					faults = append(faults, config.Set(&s, "camera.x."+key, value)...)
				}
			}
		}
		if faults != nil {
			return fmt.Errorf("line %d: %s", i+2, strings.ReplaceAll(faults.Error(), "camera.x.", ""))
		}
		if name == "" {
			name = fmt.Sprintf("camera %d", i+1)
		}
		n := len(r.cameras)
		r.add(name, address, small, true)
		if len(r.cameras) == n || len(s.Cameras) == 0 {
			continue
		}
		given, was := s.Cameras[0], &r.cameras[n]
		given.ID, given.Name, given.URL, given.URLSmall = was.ID, was.Name, was.URL, was.URLSmall
		given.Username, given.Password = cmp.Or(given.Username, was.Username), cmp.Or(given.Password, was.Password)
		*was = given
	}
	return nil
}

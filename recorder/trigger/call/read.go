package call

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/preroll/preroll/recorder/trigger/message"
)

// Bounds of what is read of a call.
const (
	maxRead   = 64 << 10 // bytes of the text of a call
	maxDrain  = 16 << 20 // bytes of pictures behind it, which some cameras send along
	maxParts  = 20
	maxFields = 100
	maxDepth  = 20 // of JSON and XML
)

// said is what a call says.
type said struct {
	label   string
	subject string // the words that name the event, as the camera has them
	over    bool   // the incident has ended, which asks for nothing
}

// The names of fields that tell what happened, and of those that tell whether it begins or ends, without case and
// punctuation. They are those of Hikvision (EventNotificationAlert), Dahua (Events, Action), Axis and ONVIF.
var (
	whatNames  = []string{"event", "eventtype", "eventdescription", "type", "code", "topic", "topic0", "alarm", "rule"}
	stateNames = []string{"until", "state", "eventstate", "action", "active", "status"}
	overWords  = []string{"off", "stop", "stopped", "inactive", "false", "0", "end", "ended", "idle", "clear"}
)

// humps matches where a word begins within a name such as CrossLineDetection.
var humps = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)

// fields collects fields of a call in the order in which they come.
type fields struct {
	label  string
	events []string
	over   bool
	n      int
}

func (f *fields) add(key, value string) {
	key = strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ .:", r) {
			return -1
		}
		return r
	}, key))
	value = message.Clean(value)
	if f.n++; f.n > maxFields || value == "" {
		return
	}
	switch {
	case key == "label":
		f.label = value
	case slices.Contains(whatNames, key):
		f.events = append(f.events, humps.ReplaceAllString(value, "$1 $2"))
	case slices.Contains(stateNames, key):
		f.over = f.over || slices.Contains(overWords, strings.ToLower(value))
	}
}

// read reads what a call says: the parameters of its address, and a form, JSON, XML or text in its body. What cannot be
// read is ignored, because the address alone names the camera.
func read(w http.ResponseWriter, r *http.Request) said {
	var f fields
	for key, values := range r.URL.Query() {
		for _, v := range values {
			f.add(key, v)
		}
	}
	if r.Body != nil {
		f.body(r.Header.Get("Content-Type"), r.Body, true)
		// Without this, a camera that sends a picture along would see a broken connection.
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxDrain))
	}

	// The words by which devices say what happened are those of their mails.
	what := strings.Join(f.events, "\nEvent: ")
	m := message.Read([]byte("Subject: " + f.label + "\r\n\r\nEvent: " + what + "\n"))
	s := said{label: m.Label, subject: message.Clean(strings.Join(f.events, ", ")), over: f.over}
	if s.label == "" {
		s.label = strings.ToLower(f.label)
	}
	return s
}

// body reads a body, or a part of it. whole says that it is no part.
func (f *fields) body(contentType string, body io.Reader, whole bool) {
	kind, params, _ := mime.ParseMediaType(contentType)
	if whole && strings.HasPrefix(kind, "multipart/") {
		f.multipart(body, params["boundary"])
		return
	}
	b, _ := io.ReadAll(io.LimitReader(body, maxRead))
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	switch {
	case len(b) == 0:
	case b[0] == '<':
		f.xml(b)
	case b[0] == '{' || b[0] == '[':
		var v any
		if json.Unmarshal(b, &v) == nil {
			f.json("", v, maxDepth)
		}
	case kind == "application/x-www-form-urlencoded":
		if q, err := url.ParseQuery(string(b)); err == nil {
			for key, values := range q {
				f.add(key, strings.Join(values, " "))
			}
		}
	default: // lines such as "Code=VideoMotion;action=Start"
		for part := range strings.FieldsFuncSeq(string(b),
			func(r rune) bool { return strings.ContainsRune("\n;&", r) }) {
			if key, value, ok := strings.Cut(part, "="); ok {
				f.add(strings.TrimSpace(key), value)
			} else if key, value, ok := strings.Cut(part, ":"); ok {
				f.add(strings.TrimSpace(key), value)
			}
		}
	}
}

// multipart reads the parts of a body that are text. Pictures among them are passed over.
func (f *fields) multipart(body io.Reader, boundary string) {
	parts := multipart.NewReader(io.LimitReader(body, maxDrain), boundary)
	for range maxParts {
		p, err := parts.NextPart()
		if err != nil {
			return
		}
		kind := p.Header.Get("Content-Type")
		if strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "video/") {
			continue
		}
		f.body(kind, p, false)
	}
}

// json reads the plain values of an object, and those of the objects within.
func (f *fields) json(key string, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if depth > 0 {
				f.json(k, inner, depth-1)
			}
		}
	case []any:
		for _, inner := range v {
			if depth > 0 {
				f.json(key, inner, depth-1)
			}
		}
	case nil:
	default:
		f.add(key, fmt.Sprint(v))
	}
}

// xml reads the elements that hold only text.
func (f *fields) xml(b []byte) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	name, text := "", ""
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil || depth > maxDepth {
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			name, text = t.Name.Local, ""
		case xml.CharData:
			if len(text) < maxRead {
				text += string(t)
			}
		case xml.EndElement:
			depth--
			if t.Name.Local == name {
				f.add(name, text)
			}
			name = ""
		}
	}
}

package call

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/trigger/message"
)

// Bounds of what is read of a call.
const (
	maxRead    = 64 << 10  // bytes of the text of a call
	maxMixed   = 256 << 10 // bytes of a body with several parts that are looked through for text
	maxDrain   = 16 << 20  // bytes of pictures behind it, which some cameras send along
	maxRefused = 256 << 10 // bytes of the body of a call that is refused
	maxParts   = 20
	maxFields  = 100
	maxDepth   = 20 // of JSON and XML
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
	stateNames = []string{"until", "state", "eventstate", "action", "active"}
	overWords  = []string{"off", "stop", "stopped", "inactive", "false", "0", "end", "ended", "idle", "clear"}
)

// humps matches where a word begins within a name such as CrossLineDetection.
var humps = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)

// fields collects fields of a call in the order in which they come.
type fields struct {
	label  string
	events []string
	n      int

	// Whether an incident has ended is believed only where a field speaks of the call itself and not of something in
	// it, and no other one says that it goes on. Better a clip too many.
	over, on bool
}

// add takes a field. own says that it speaks of the call itself: it lies in the address or at the top of the body.
func (f *fields) add(key, value string, own bool) {
	key = strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ .:", r) {
			return -1
		}
		return r
	}, key))
	value = message.Clean(value)
	switch {
	case value == "":
	case key == "label":
		if f.label == "" { // the address comes first
			f.label = value
		}
	case own && slices.Contains(stateNames, key):
		if slices.Contains(overWords, strings.ToLower(value)) {
			f.over = true
		} else {
			f.on = true
		}
	case slices.Contains(whatNames, key):
		if f.n++; f.n <= maxFields {
			f.events = append(f.events, humps.ReplaceAllString(value, "$1 $2"))
		}
	}
}

// values takes the fields of an address or a form.
func (f *fields) values(q url.Values) {
	for _, key := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[key] {
			f.add(key, v, true)
		}
	}
}

// read reads what a call says: the parameters of its address, and a form, JSON, XML or text in its body. What cannot be
// read, or does not come in time, is ignored, because the address alone names the camera.
func (s *Server) read(w http.ResponseWriter, r *http.Request) said {
	var f fields
	f.values(r.URL.Query())
	if r.Body != nil && r.ContentLength != 0 {
		select {
		case s.reading <- struct{}{}:
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(textTime))
			f.body(r.Header.Get("Content-Type"), r.Body, true)
			<-s.reading
		case <-time.After(textTime):
		}
	}
	return f.said()
}

// drain reads the rest of a body, or a camera that sends a picture along would see a broken connection, and no answer.
func drain(w http.ResponseWriter, r *http.Request, most int64, lasts time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lasts))
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, most))
}

// said returns what the fields say.
func (f *fields) said() said {
	// The words by which devices say what happened are those of their mails.
	what := message.Read([]byte("Subject: x\r\n\r\nEvent: " + strings.Join(f.events, "\nEvent: ") + "\n"))
	s := said{label: what.Label, subject: message.Clean(strings.Join(f.events, ", ")), over: f.over && !f.on}
	if f.label != "" { // whoever gives a label knows better
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
			f.json("", v, 0)
		}
	case kind == "application/x-www-form-urlencoded":
		q, _ := url.ParseQuery(string(b)) // what is well-formed of it
		f.values(q)
	default: // lines such as "Code=VideoMotion;action=Start"
		for part := range strings.FieldsFuncSeq(string(b),
			func(r rune) bool { return strings.ContainsRune("\n;&", r) }) {
			key, value, ok := strings.Cut(part, "=")
			if !ok {
				key, value, _ = strings.Cut(part, ":")
			}
			f.add(strings.TrimSpace(key), value, true)
		}
	}
}

// multipart reads the parts of a body that are text. Pictures among them are passed over.
func (f *fields) multipart(body io.Reader, boundary string) {
	parts := multipart.NewReader(io.LimitReader(body, maxMixed), boundary)
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

// json reads the plain values of an object, and then those of the objects within. level is how deep the value lies.
func (f *fields) json(key string, v any, level int) {
	if level > maxDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		slices.SortStableFunc(keys, func(a, b string) int { return nesting(v[a]) - nesting(v[b]) })
		for _, k := range keys {
			f.json(k, v[k], level+1)
		}
	case []any:
		for _, inner := range v {
			if strings.EqualFold(key, "events") { // Dahua's list, whose entries speak of the call
				f.json(key, inner, level-1)
			} else {
				f.json(key, inner, level+1)
			}
		}
	case nil:
	default:
		f.add(key, fmt.Sprint(v), level <= 1)
	}
}

// nesting returns 1 for an object or a list, and 0 for a plain value.
func nesting(v any) int {
	switch v.(type) {
	case map[string]any, []any:
		return 1
	}
	return 0
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
			if t.Name.Local == name {
				f.add(name, text, depth <= 2)
			}
			depth--
			name = ""
		}
	}
}

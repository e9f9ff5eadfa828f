package rule

import (
	"mime"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/preroll/preroll/recorder/text"
)

// Mail is what is known of a mail when its camera is chosen.
type Mail struct {
	From                    netip.Addr // address of the connection
	Login                   string     // the user name of the login, "" if none
	Sender                  string     // from the envelope, or else from the header
	To                      []string   // recipients of the envelope
	Subject, Body           string
	Channel, Number, Device string  // from the mail's text, see package message
	Label                   string  // what the camera saw
	Fields                  []Field // the `key: value` lines of the text
}

// Field is a line of a mail's text that gives a value.
type Field struct{ Key, Value string }

// Camera is what is known of a camera when a mail's camera is chosen.
type Camera struct {
	ID, Name string
	Mail     []string     // plain names and rules; if empty, the id is the plain name
	Hosts    []netip.Addr // the address of its stream, if known
}

// Result says which camera a mail is about.
type Result struct {
	IDs []string  // several only if several recipients are several cameras; empty if no camera fits
	By  string    // what decided: rule, recipient, login, sender, channel, subject or address; "" if no camera fits
	Why text.Text // the same in words for a person, or why no camera fits
}

// Set holds the cameras, prepared for matching.
type Set struct {
	cameras  []Camera
	names    map[string][]int // cameras by folded plain name
	known    map[string][]int // cameras by loose plain name, name and id
	spelled  map[string][]int // cameras by spelling of the plain name, and of the name if they have no list
	hosts    map[netip.Addr][]int
	rules    []owned
	bodies   bool      // whether a rule asks for the mail's text
	subjects []subject // plain names, the longest first
}

// owned is a rule of a camera.
type owned struct {
	camera int
	Rule
}

// subject is a folded plain name of a camera, to be looked for in subjects.
type subject struct {
	camera int
	text   string
}

// --- Preparing and matching ---

// New prepares cameras for matching. It leaves out entries that [Parse] refuses.
func New(cameras []Camera) *Set {
	s := &Set{cameras: slices.Clone(cameras), names: map[string][]int{}, known: map[string][]int{},
		spelled: map[string][]int{}, hosts: map[netip.Addr][]int{}}
	add := func(m map[string][]int, key string, camera int) {
		if key != "" && !slices.Contains(m[key], camera) {
			m[key] = append(m[key], camera)
		}
	}
	for i, c := range s.cameras {
		entries := c.Mail
		if len(entries) == 0 {
			entries = []string{c.ID}
		}
		for _, e := range entries {
			r, err := Parse(e)
			switch {
			case err != nil:
			case !r.Plain():
				s.rules = append(s.rules, owned{i, r})
				s.bodies = s.bodies || slices.ContainsFunc(r.conditions, func(c condition) bool {
					return c.field == "body"
				})
			default:
				name := fold(r.Text)
				add(s.names, name, i)
				add(s.known, loose(r.Text), i)
				add(s.spelled, spelling(r.Text), i)
				if name != "" {
					s.subjects = append(s.subjects, subject{i, name})
				}
			}
		}

		add(s.known, loose(c.ID), i)
		add(s.known, loose(c.Name), i)
		if len(c.Mail) == 0 {
			add(s.spelled, spelling(c.Name), i)
		}
		for _, h := range c.Hosts {
			if h = plainAddr(h); h.IsValid() && !h.IsLoopback() && !slices.Contains(s.hosts[h], i) {
				s.hosts[h] = append(s.hosts[h], i)
			}
		}
	}

	slices.SortStableFunc(s.subjects, func(a, b subject) int { return len(b.text) - len(a.text) })
	return s
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Match returns the camera that a mail is about. It asks these questions, and stops at the first one with a single
// answer: Which camera has the fitting rule with the most conditions? To whom is the mail? Who logged in? Who sent the
// mail? Which channel or device does it name? Which camera has the longest plain name in the subject? Which camera is
// the only one with the address that the mail came from? Several recipients may be several cameras.
//
// A mail from the address of a camera's stream can be about that camera only, or about those cameras if a recorder has
// one address for several. If such a mail names another camera, no camera fits.
func (s *Set) Match(m Mail) Result {
	f := s.facts(m)
	r := s.choose(f, nil)
	owners := s.hosts[f.From]
	if len(owners) == 0 {
		return r
	}
	var of []string
	for _, i := range owners {
		of = append(of, s.cameras[i].ID)
	}
	if len(r.IDs) == 0 {
		return s.choose(f, owners)
	}
	var own, foreign []string
	for _, id := range r.IDs {
		if slices.Contains(of, id) {
			own = append(own, id)
		} else {
			foreign = append(foreign, id)
		}
	}

	switch {
	case len(foreign) == 0:
		return r
	case len(own) > 0:
		r.IDs, r.Why = own, text.MatchNotForeign.With(r.Why, list(foreign), list(of))
		return r
	}

	return Result{Why: text.MatchOther.With(list(of), list(foreign), r.Why)}
}

// Names reports whether a text holds the id, the name or a plain mail name of one of the cameras ids, as words of their
// own.
func (s *Set) Names(ids []string, body string) bool {
	body = apart(body)
	holds := func(name string) bool {
		name = apart(name)
		if strings.ContainsFunc(name, func(r rune) bool {
			return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
		}) {
			name = strings.TrimSpace(name) // languages without blanks between words
		}
		return len(name) > 4 && strings.Contains(body, name)
	}

	for i, c := range s.cameras {
		if !slices.Contains(ids, c.ID) {
			continue
		}
		if holds(c.ID) || holds(c.Name) ||
			slices.ContainsFunc(s.subjects, func(n subject) bool { return n.camera == i && holds(n.text) }) {
			return true
		}
	}

	return false
}

// apart returns the words of a text with one blank around each.
func apart(s string) string {
	return " " + strings.Join(strings.FieldsFunc(fold(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ") + " "
}

// --- Facts of a mail ---

// facts is a mail with its texts in the forms for comparison.
type facts struct {
	Mail
	to, sender, login, subject, body, channel []value
	device, label, address                    []value
	fields                                    []value // in the order of Fields
	keys                                      [][2]string
}

func (s *Set) facts(m Mail) *facts {
	m.From = plainAddr(m.From)
	f := &facts{Mail: m}
	for _, a := range m.To {
		f.to = append(f.to, addressValues(a)...)
		for _, piece := range pieces(a) {
			f.to = append(f.to, addressValues(piece)...)
		}
	}
	f.sender, f.login = addressValues(m.Sender), addressValues(m.Login)
	f.subject = []value{{m.Subject, fold(m.Subject)}}
	if s.bodies {
		f.body = []value{{m.Body, fold(m.Body)}}
	}
	f.channel = looseValues(m.Channel, m.Number)
	f.device, f.label = looseValues(m.Device), looseValues(m.Label)
	if m.From.IsValid() {
		f.address = []value{{m.From.String(), m.From.String()}}
	}
	if len(s.rules) > 0 {
		for _, l := range m.Fields {
			bare := l.Key
			if i := strings.IndexAny(bare, "([（【"); i > 0 {
				bare = bare[:i]
			}
			f.keys = append(f.keys, [2]string{loose(l.Key), loose(bare)})
			f.fields = append(f.fields, value{l.Value, loose(l.Value)})
		}
	}

	return f
}

// addressValues returns a mail address as a whole and without its domain.
func addressValues(a string) []value {
	a = strings.TrimSpace(a)
	if a == "" {
		return nil
	}
	l := local(a)
	if l == a {
		return []value{{a, fold(a)}}
	}
	return []value{{a, fold(a)}, {l, fold(l)}}
}

func looseValues(texts ...string) []value {
	var list []value
	for _, t := range texts {
		if t != "" {
			list = append(list, value{t, loose(t)})
		}
	}
	return list
}

// holds reports whether a mail fits the condition.
func (c condition) holds(f *facts) bool {
	switch c.field {
	case "to":
		return slices.ContainsFunc(f.to, c.fits)
	case "from":
		return slices.ContainsFunc(f.sender, c.fits)
	case "login":
		return slices.ContainsFunc(f.login, c.fits)
	case "subject":
		return slices.ContainsFunc(f.subject, c.fits)
	case "body":
		return slices.ContainsFunc(f.body, c.fits)
	case "channel":
		return slices.ContainsFunc(f.channel, c.fits)
	case "device":
		return slices.ContainsFunc(f.device, c.fits)
	case "label":
		return slices.ContainsFunc(f.label, c.fits)
	case "address":
		if c.prefix.IsValid() {
			return c.prefix.Contains(f.From)
		}
		return slices.ContainsFunc(f.address, c.fits)
	}

	for i, k := range f.keys {
		if (k[0] == c.key || k[1] == c.key) && c.fits(f.fields[i]) {
			return true
		}
	}
	return false
}

// --- Questions ---

// choose asks the questions of [Set.Match] in turn. If among is not nil, only its cameras may be the answer.
func (s *Set) choose(f *facts, among []int) Result {
	q := question{s: s, among: among}
	if r, ok := q.rules(f); ok {
		return r
	}
	if r, ok := q.recipients(f.To); ok {
		return r
	}
	for _, try := range []struct {
		by     string
		why    text.Message
		values []value
		names  map[string][]int
	}{
		{"login", text.MatchLogin, f.login, s.names},
		{"sender", text.MatchSender, f.sender, s.names},
		{"channel", text.MatchChannel, looseValues(f.Channel), s.known},
		{"channel", text.MatchDevice, f.device, s.known},
		{"channel", text.MatchNumber, looseValues(f.Number), s.known},
	} {
		for _, v := range try.values {
			if r, ok := q.one(try.by, try.why.With(v.raw), try.names[v.form]); ok {
				return r
			}
		}
	}

	if r, ok := q.subject(f.subject[0].form); ok {
		return r
	}
	if r, ok := q.one("address", text.MatchAddress.With(f.From), s.hosts[f.From]); ok {
		return r
	}
	if len(q.doubts) > 0 {
		return Result{Why: text.Join("; ", q.doubts...)}
	}
	return Result{Why: text.MatchNone.With()}
}

// question is one search for a mail's camera.
type question struct {
	s      *Set
	among  []int       // the cameras that may be the answer; nil means all
	doubts []text.Text // why questions had no answer
}

// allowed returns the cameras that may be the answer.
func (q *question) allowed(cameras []int) []int {
	if q.among == nil {
		return cameras
	}
	var list []int
	for _, i := range cameras {
		if slices.Contains(q.among, i) {
			list = append(list, i)
		}
	}
	return list
}

// one answers with a camera if it is the only one allowed.
func (q *question) one(by string, why text.Text, cameras []int) (Result, bool) {
	cameras = q.allowed(cameras)
	switch len(cameras) {
	case 0:
		return Result{}, false
	case 1:
		return Result{IDs: q.ids(cameras), By: by, Why: why}, true
	}
	q.doubts = append(q.doubts, text.MatchBelongs.With(why, list(q.ids(cameras))))
	return Result{}, false
}

func (q *question) ids(cameras []int) []string {
	var ids []string
	for _, i := range cameras {
		ids = append(ids, q.s.cameras[i].ID)
	}
	return ids
}

// rules finds the camera that has the fitting rule with the most conditions.
func (q *question) rules(f *facts) (r Result, ok bool) {
	var best []int
	conditions := 0
	for _, o := range q.s.rules {
		n := len(o.conditions)
		if n < conditions || len(q.allowed([]int{o.camera})) == 0 ||
			n == conditions && slices.Contains(best, o.camera) || !o.fits(f) {
			continue
		}
		if n > conditions {
			best, conditions = nil, n
			r.Why = text.MatchRule.With(o.Text)
		}
		best = append(best, o.camera)
	}

	switch len(best) {
	case 0:
		return Result{}, false
	case 1:
		return Result{IDs: q.ids(best), By: "rule", Why: r.Why}, true
	}
	return Result{Why: text.MatchAmbiguous.With(list(q.ids(best)))},
		true
}

func (r Rule) fits(f *facts) bool {
	for _, c := range r.conditions {
		if !c.holds(f) {
			return false
		}
	}
	return true
}

// --- Recipients ---

// local returns a mail address without its domain.
func local(a string) string {
	a = strings.TrimSpace(a)
	if i := strings.LastIndexByte(a, '@'); i > 0 {
		return a[:i]
	}
	return a
}

// recipients finds the cameras that a mail is addressed to. A name that several cameras have decides nothing, because
// the mail may tell them apart in another way.
func (q *question) recipients(to []string) (Result, bool) {
	var r Result
	var why []text.Text
	for _, all := range to {
		one := []string{all}
		if p := pieces(all); p != nil && len(q.recipient(all)) == 0 {
			one = p
		}
		for _, a := range one {
			cameras := q.recipient(a)
			if len(cameras) > 1 {
				q.doubts = append(q.doubts, text.MatchNames.With(list(q.ids(cameras)), local(a)))
				continue
			}
			for _, id := range q.ids(cameras) {
				if !slices.Contains(r.IDs, id) {
					r.IDs = append(r.IDs, id)
					why = append(why, text.MatchRecipient.With(a))
				}
			}
		}
	}

	r.By, r.Why = "recipient", text.Join(", ", why...)
	return r, len(r.IDs) > 0
}

// recipient finds the cameras with a mail address: first as the address is written, and otherwise as cameras spell what
// they cannot write.
func (q *question) recipient(a string) []int {
	for _, name := range []string{fold(a), fold(local(a))} {
		if cameras := q.allowed(q.s.names[name]); len(cameras) > 0 {
			return cameras
		}
	}
	for _, s := range spellings(local(a)) {
		if cameras := q.allowed(q.s.spelled[spelling(s)]); len(cameras) > 0 {
			return cameras
		}
	}
	return nil
}

// pieces returns the addresses that a camera wrote as one address, or nil if it is only one.
func pieces(a string) []string {
	if !strings.ContainsAny(a, ",;") {
		return nil
	}
	var list []string
	for p := range strings.FieldsFuncSeq(a, func(r rune) bool { return r == ',' || r == ';' }) {
		if p = strings.Trim(p, " <>"); p != "" {
			list = append(list, p)
		}
	}
	return list
}

// spelling returns loose(s) without dots and plus signs.
func spelling(s string) string { return strings.NewReplacer(".", "", "+", "").Replace(loose(s)) }

// spellings returns what a name may mean: the name itself, decoded from percent signs or encoded words, or, if a camera
// wrote bytes that were taken for Latin-1, in other charsets.
func spellings(s string) []string {
	list := []string{s}
	if d, err := url.PathUnescape(s); err == nil && d != s && utf8.ValidString(d) {
		list = append(list, d)
	}
	if d, err := new(mime.WordDecoder).DecodeHeader(s); err == nil && d != s {
		list = append(list, d)
	}
	raw, err := charmap.ISO8859_1.NewEncoder().String(s)
	if err != nil || ascii(s) {
		return list
	}
	for _, c := range []*charmap.Charmap{charmap.Windows1250, charmap.Windows1251, charmap.Windows1252,
		charmap.Windows1253, charmap.Windows1254, charmap.Windows1257, charmap.ISO8859_2, charmap.ISO8859_5,
		charmap.KOI8R} {
		if d, err := c.NewDecoder().String(raw); err == nil {
			list = append(list, d)
		}
	}
	return list
}

// --- Subjects ---

// subject finds the camera with the longest plain name in a subject.
func (q *question) subject(subject string) (Result, bool) {
	if subject == "" {
		return Result{}, false
	}
	found := ""
	var cameras []int
	for _, n := range q.s.subjects {
		if len(n.text) < len(found) {
			break
		}
		if len(n.text) <= len(subject) && !slices.Contains(cameras, n.camera) && strings.Contains(subject, n.text) &&
			len(q.allowed([]int{n.camera})) > 0 {
			found = n.text
			cameras = append(cameras, n.camera)
		}
	}

	return q.one("subject", text.MatchSubject.With(found), cameras)
}

// list joins names for a person. It names at most four.
func list(names []string) text.Text {
	switch n := len(names); {
	case n > 4:
		return text.NamesAndMore.With(strings.Join(names[:3], ", "), n-3)
	case n > 1:
		return text.NamesAnd.With(strings.Join(names[:n-1], ", "), names[n-1])
	}
	return text.Plain(strings.Join(names, ""))
}

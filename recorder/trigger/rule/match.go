package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Mail is what is known of a mail when its camera is chosen.
type Mail struct {
	From                    netip.Addr // of the connection
	Login                   string     // the user name that was given, "" if none
	Sender                  string     // of the envelope, else of the header
	To                      []string   // recipients of the envelope
	Subject, Body           string
	Channel, Number, Device string  // by the mail's text, see package message
	Label                   string  // what the camera saw
	Fields                  []Field // the `key: value` lines of the text
}

// Field is a line of a mail's text that gives a value.
type Field struct{ Key, Value string }

// Camera is what is known of a camera when a mail's camera is chosen.
type Camera struct {
	ID, Name string
	Mail     []string     // plain names and rules; with none, the id is the plain name
	Hosts    []netip.Addr // the address that its stream comes from, if it is known
}

// Result says which camera a mail is about.
type Result struct {
	IDs []string // several only where several recipients are several cameras; none if no camera fits
	By  string   // what decided: rule, recipient, login, sender, channel, subject, address; "" if none fits
	Why string   // the same in words for a person, or why none fits
}

// Set is the cameras, prepared for matching.
type Set struct {
	cameras  []Camera
	names    map[string][]int // cameras by plain name, folded
	known    map[string][]int // cameras by plain name, name and id, loosely written
	hosts    map[netip.Addr][]int
	rules    []owned
	bodies   bool      // whether a rule asks for the mail's text
	subjects []subject // plain names, the longest first
}

// owned is a camera's rule.
type owned struct {
	camera int
	Rule
}

// subject is a camera's plain name, folded, as it is looked for in a subject.
type subject struct {
	camera int
	text   string
}

// New prepares cameras for matching. An entry that [Parse] refuses is left out.
func New(cameras []Camera) *Set {
	s := &Set{cameras: slices.Clone(cameras), names: map[string][]int{}, known: map[string][]int{}, hosts: map[netip.Addr][]int{}}
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
				s.bodies = s.bodies || slices.ContainsFunc(r.conditions, func(c condition) bool { return c.field == "body" })
			default:
				name := fold(r.Text)
				add(s.names, name, i)
				add(s.known, loose(r.Text), i)
				if name != "" {
					s.subjects = append(s.subjects, subject{i, name})
				}
			}
		}
		add(s.known, loose(c.ID), i)
		add(s.known, loose(c.Name), i)
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

// Match returns the camera that a mail is about. It asks, and stops at the first question with one answer: which camera
// has the rule with the most conditions that fits; whom is the mail to; who logged in; who sent it; which channel or
// device does it name; which camera's plain name does the subject hold, the longest one; which camera alone has the
// address that it came from. Several recipients may be several cameras.
//
// A mail from the address of a camera's stream can be about that camera only (about those cameras, where a recorder has
// one address for several): if it names another one, no camera fits.
func (s *Set) Match(m Mail) Result {
	r, _ := s.guarded(s.facts(m, false))
	return r
}

// Early is Match for a session whose mail was not read yet: only From, Login, Sender and To are known, and all recipients
// have been named. Ok says that nothing that the mail will say changes the cameras of the answer. A sender that the
// envelope leaves empty counts as not known.
func (s *Set) Early(m Mail) (r Result, ok bool) {
	f := s.facts(Mail{From: m.From, Login: m.Login, Sender: m.Sender, To: m.To}, true)
	first, _ := s.choose(f, nil)
	switch first.By {
	case "rule", "recipient", "login", "sender":
		r, conditions := s.guarded(f)
		return r, s.settled(f, r, conditions)
	case "address":
		return first, len(s.cameras) == 1
	}
	return Result{}, false // channel or subject may name one
}

// settled tells whether no rule that may yet fit changes the answer r, which a rule with so many conditions gave.
func (s *Set) settled(f *facts, r Result, conditions int) bool {
	for _, o := range s.rules {
		weaker := r.By == "rule" && len(o.conditions) < conditions
		same := len(r.IDs) == 1 && r.IDs[0] == s.cameras[o.camera].ID
		if !weaker && !same && o.possible(f) {
			return false
		}
	}
	return true
}

// possible tells whether a rule may fit a mail of which only the envelope is known.
func (r Rule) possible(f *facts) bool {
	for _, c := range r.conditions {
		if c.early(f) && !c.holds(f) {
			return false
		}
	}
	return true
}

// early tells whether the envelope alone answers a condition.
func (c condition) early(f *facts) bool {
	switch c.field {
	case "to", "login", "address":
		return true
	case "from":
		return f.Sender != ""
	}
	return false
}

// facts is a mail with its texts as they are compared.
type facts struct {
	Mail
	early                                     bool // only the envelope is known
	to, sender, login, subject, body, channel []value
	device, label, address                    []value
	fields                                    []value // in the order of Fields
	keys                                      [][2]string
}

func (s *Set) facts(m Mail, early bool) *facts {
	m.From = plainAddr(m.From)
	f := &facts{Mail: m, early: early}
	for _, a := range m.To {
		f.to = append(f.to, addressValues(a)...)
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

// addressValues is a mail address, as a whole and without its domain.
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

// holds tells whether a mail fits a condition.
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

// guarded chooses the camera and lets it pass only if the connection's address allows it. Conditions is the number of
// conditions of the rule that decided, 0 if none did, and -1 if the address refused what the envelope says.
func (s *Set) guarded(f *facts) (r Result, conditions int) {
	r, conditions = s.choose(f, nil)
	owners := s.hosts[f.From]
	if len(owners) == 0 {
		return r, conditions
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
		return r, conditions
	case len(own) > 0:
		r.IDs, r.Why = own, r.Why+"; not "+list(foreign)+", since it came from the address of "+list(of)
		return r, conditions
	}
	if r.By == "rule" || r.By == "recipient" || r.By == "login" || r.By == "sender" {
		conditions = -1
	}
	return Result{Why: fmt.Sprintf("it came from the address of %s, but names %s (%s)", list(of), list(foreign), r.Why)}, conditions
}

// choose asks the questions of [Set.Match] in turn, of some cameras only if such are given.
func (s *Set) choose(f *facts, among []int) (Result, int) {
	q := question{s: s, among: among}
	if r, n, ok := q.rules(f); ok {
		return r, n
	}
	if r, ok := q.recipients(f.To); ok {
		return r, 0
	}
	for _, try := range []struct {
		by, what string
		values   []value
		names    map[string][]int
	}{
		{"login", "login", f.login, s.names},
		{"sender", "sender", f.sender, s.names},
		{"channel", "channel", looseValues(f.Channel), s.known},
		{"channel", "device", f.device, s.known},
		{"channel", "channel number", looseValues(f.Number), s.known},
	} {
		for _, v := range try.values {
			if r, ok := q.one(try.by, fmt.Sprintf("%s %q", try.what, v.raw), try.names[v.form]); ok {
				return r, 0
			}
		}
	}
	if r, ok := q.subject(f.subject[0].form); ok {
		return r, 0
	}
	if r, ok := q.one("address", "address "+f.From.String(), s.hosts[f.From]); ok {
		return r, 0
	}
	if len(q.doubts) > 0 {
		return Result{Why: strings.Join(q.doubts, "; ")}, 0
	}
	return Result{Why: "no camera has a rule or a mail name that fits, and none has the address that it came from"}, 0
}

// question is one search for a mail's camera.
type question struct {
	s      *Set
	among  []int    // the cameras that may be the answer; nil: all
	doubts []string // why questions had no answer
}

// allowed leaves out the cameras that cannot be the answer.
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

// one answers with a camera if there is one and no other.
func (q *question) one(by, why string, cameras []int) (Result, bool) {
	cameras = q.allowed(cameras)
	switch len(cameras) {
	case 0:
		return Result{}, false
	case 1:
		return Result{IDs: q.ids(cameras), By: by, Why: why}, true
	}
	q.doubts = append(q.doubts, fmt.Sprintf("%s is that of %s", why, list(q.ids(cameras))))
	return Result{}, false
}

func (q *question) ids(cameras []int) []string {
	var ids []string
	for _, i := range cameras {
		ids = append(ids, q.s.cameras[i].ID)
	}
	return ids
}

// rules finds the camera with the rule that fits and has the most conditions.
func (q *question) rules(f *facts) (r Result, conditions int, ok bool) {
	var best []int
	for _, o := range q.s.rules {
		n := len(o.conditions)
		if n < conditions || len(q.allowed([]int{o.camera})) == 0 || n == conditions && slices.Contains(best, o.camera) || !o.fits(f) {
			continue
		}
		if n > conditions {
			best, conditions = nil, n
			r.Why = fmt.Sprintf("rule `%s`", o.Text)
		}
		best = append(best, o.camera)
	}
	switch len(best) {
	case 0:
		return Result{}, 0, false
	case 1:
		return Result{IDs: q.ids(best), By: "rule", Why: r.Why}, conditions, true
	}
	return Result{Why: fmt.Sprintf("rules of %s fit alike; give the right one one more condition", list(q.ids(best)))}, conditions, true
}

func (r Rule) fits(f *facts) bool {
	for _, c := range r.conditions {
		if f.early && !c.early(f) || !c.holds(f) {
			return false
		}
	}
	return true
}

// local is a mail address without its domain.
func local(a string) string {
	a = strings.TrimSpace(a)
	if i := strings.LastIndexByte(a, '@'); i > 0 {
		return a[:i]
	}
	return a
}

// recipients finds the cameras that a mail is to. A name that several cameras have decides nothing: what the mail says
// may tell them apart.
func (q *question) recipients(to []string) (Result, bool) {
	var r Result
	var why []string
	for _, a := range to {
		cameras := q.allowed(q.s.names[fold(a)])
		if len(cameras) == 0 {
			cameras = q.allowed(q.s.names[fold(local(a))])
		}
		if len(cameras) > 1 {
			q.doubts = append(q.doubts, fmt.Sprintf("%s have the mail name %q, and nothing else tells them apart", list(q.ids(cameras)), local(a)))
			continue
		}
		for _, id := range q.ids(cameras) {
			if !slices.Contains(r.IDs, id) {
				r.IDs = append(r.IDs, id)
				why = append(why, fmt.Sprintf("recipient %q", a))
			}
		}
	}
	r.By, r.Why = "recipient", strings.Join(why, ", ")
	return r, len(r.IDs) > 0
}

// subject finds the camera with the longest plain name that a subject holds.
func (q *question) subject(text string) (Result, bool) {
	if text == "" {
		return Result{}, false
	}
	found := ""
	var cameras []int
	for _, n := range q.s.subjects {
		if len(n.text) < len(found) {
			break
		}
		if len(n.text) <= len(text) && !slices.Contains(cameras, n.camera) && strings.Contains(text, n.text) && len(q.allowed([]int{n.camera})) > 0 {
			found = n.text
			cameras = append(cameras, n.camera)
		}
	}
	return q.one("subject", fmt.Sprintf("subject with %q", found), cameras)
}

// list writes names for a person, not more than a few.
func list(names []string) string {
	if len(names) > 4 {
		return fmt.Sprintf("%s and %d others", strings.Join(names[:3], ", "), len(names)-3)
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

package trigger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/smtpquirks"
)

// ConnectionLog holds the last connections to the mail server, so that a person can see what a camera did. The zero
// value is ready.
type ConnectionLog struct {
	mu    sync.Mutex // guards everything
	next  int
	list  []*connection // oldest first
	hello map[netip.Addr]bool

	changes int // counts what Save has not written yet
}

// keptVisits is how many connections are kept.
const keptVisits = 200

// connection is one connection in the log. of.mu guards it.
type connection struct {
	of       *ConnectionLog
	c        *smtpquirks.Conn // nil if the connection was refused or has ended
	s        status.Connection
	refused  int       // how many connections were refused like this one
	said     text.Text // what ended the connection, or went wrong last
	what     text.Text // what the last mail was, if it was no alarm
	lost     text.Text // why a mail fitted no camera
	cutShort bool
}

// open adds a connection to the log.
func (v *ConnectionLog) open(began time.Time, from netip.Addr, port string, c *smtpquirks.Conn) *connection {
	v.mu.Lock()
	defer v.mu.Unlock()
	x := v.add(began, from, port)
	x.c, x.s.Open = c, true
	return x
}

func (v *ConnectionLog) add(began time.Time, from netip.Addr, port string) *connection {
	v.next++
	v.changes++
	x := &connection{of: v, s: status.Connection{ID: v.next, Time: began, From: from.String(), Port: port}}
	if len(v.list) >= keptVisits {
		v.drop()
	}
	v.list = append(v.list, x)
	return x
}

// drop removes the oldest connection of the address with the most, so that a storm does not hide the others.
func (v *ConnectionLog) drop() {
	count := map[string]int{}
	worst := v.list[0].s.From
	for _, x := range v.list {
		count[x.s.From]++
		if count[x.s.From] > count[worst] {
			worst = x.s.From
		}
	}
	i := slices.IndexFunc(v.list, func(x *connection) bool { return x.s.From == worst })
	v.list = slices.Delete(v.list, i, i+1)
}

// refuse logs a connection that was refused. Connections that repeat an earlier one of their address are only counted.
func (v *ConnectionLog) refuse(began time.Time, from netip.Addr, port string, why text.Text) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, x := range slices.Backward(v.list) {
		if x.s.From == from.String() && x.refused > 0 && x.said.String() == why.String() {
			x.refused++
			v.changes++
			x.s.Time = began
			return
		}
	}

	x := v.add(began, from, port)
	x.said, x.refused = why, 1
}

// sniff returns how long to wait whether a connection on a plain port begins TLS by itself, according to what its
// address did before. done records what the connection did.
func (v *ConnectionLog) sniff(from netip.Addr) (wait time.Duration, done func(tls bool)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	wait = sniffUnknown
	if tls, known := v.hello[from]; tls {
		wait = sniffTLS
	} else if known {
		wait = 0
	}
	return wait, func(tls bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.hello == nil || len(v.hello) >= keptAddresses {
			v.hello = map[netip.Addr]bool{}
		}
		v.hello[from] = tls
	}
}

// How long Preroll waits before it greets a camera that may begin TLS by itself.
const (
	sniffUnknown = 250 * time.Millisecond
	sniffTLS     = 3 * time.Second
)

// setReason sets what ended a connection or went wrong.
func (x *connection) setReason(said text.Text) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.said = said
}

// cut records that a mail was cut off.
func (x *connection) cut() {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.cutShort = true
}

// dropped records that a connection is closed to make room for another one.
func (x *connection) dropped() {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.said = text.ClosedIdle.With()
	if x.s.Mails > 0 {
		x.said = text.ClosedAfterMail.With()
	}
}

// mail records a mail that was accepted, and what it was if it is no alarm that is saved. Earlier trouble is forgotten.
func (x *connection) mail(cameras, events []string, what text.Text) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.s.Mails++
	x.what, x.lost, x.said = what, text.Text{}, text.Text{}
	x.add(cameras, events)
}

// about adds a camera and an event to the last mail, and what it was if it is no alarm that is saved.
func (x *connection) about(camera, event string, what text.Text) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	if !what.IsZero() {
		x.what = what
	}
	events := []string{event}
	if event == "" {
		events = nil
	}
	x.add([]string{camera}, events)
}

// add adds cameras and events. of.mu is held.
func (x *connection) add(cameras, events []string) {
	for _, c := range cameras {
		if !slices.Contains(x.s.Cameras, c) {
			x.s.Cameras = append(x.s.Cameras, c)
		}
	}
	for _, e := range events {
		if !slices.Contains(x.s.Events, e) && len(x.s.Events) < 20 {
			x.s.Events = append(x.s.Events, e)
		}
	}
}

// unmatched records a mail that fits no camera.
func (x *connection) unmatched(why text.Text) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.s.Mails++
	x.what, x.lost, x.said = text.Text{}, why, text.Text{}
}

// end records that a connection has ended.
func (x *connection) end() {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.s.Open = false
	x.s.Length = event.Seconds(time.Since(x.s.Time))
	x.s = x.now()
	x.c = nil
	x.of.changes++
}

// --- Across restarts ---

// savedConnections is how many connections outlive a restart.
const savedConnections = 100

// Save writes the last connections to a file, if they have changed since the last call. Those that are still open are
// written as they are now.
func (v *ConnectionLog) Save(path string) error {
	v.mu.Lock()
	saved := v.changes
	v.mu.Unlock()
	if saved == 0 {
		return nil
	}
	list := v.List()
	list = list[:min(len(list), savedConnections)]
	for i := range list {
		list[i].Open = false
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	v.mu.Lock()
	v.changes -= saved
	v.mu.Unlock()
	return nil
}

// Restore reads the connections that an earlier process saved. Without a file there are none.
func (v *ConnectionLog) Restore(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var list []status.Connection
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range slices.Backward(list) {
		v.next = max(v.next, s.ID)
		v.list = append(v.list, &connection{of: v, s: s})
	}
	return nil
}

// List returns the last connections, newest first.
func (v *ConnectionLog) List() []status.Connection {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := []status.Connection{}
	for _, x := range slices.Backward(v.list) {
		s := x.now()
		s.Cameras, s.Events, s.Repairs, s.Dialogue = some(s.Cameras), some(s.Events), some(s.Repairs), some(s.Dialogue)
		list = append(list, s)
	}
	return list
}

// some returns a copy of a list that is never nil, so that JSON shows an empty list and not null.
func some[T any](list []T) []T { return append([]T{}, list...) }

// now returns the current state of a connection. of.mu is held.
func (x *connection) now() status.Connection {
	s := x.s
	if s.Open {
		s.Length = event.Seconds(time.Since(s.Time))
	}
	var gaveUp text.Text
	if x.c != nil {
		r := x.c.Report()
		s.TLS, s.Repairs, gaveUp = r.TLS, r.Repairs, r.GaveUp
		s.Dialogue = nil
		for _, l := range r.Lines {
			s.Dialogue = append(s.Dialogue, status.Line{At: event.Seconds(l.At), Who: l.Who, Text: l.Text})
		}
		s.Verdict, s.Good = x.outcome(s, gaveUp)
		if r.Stage <= smtpquirks.Greeted && s.Mails == 0 && x.said.IsZero() && (r.Bytes == 0 || r.Quit) {
			s.Good = true // somebody looked whether the port is open
		}
	} else if x.refused > 0 {
		s.Verdict = x.said
		if x.refused > 1 {
			s.Verdict = text.CountedTimes.With(x.said, x.refused)
		}
	}

	return s
}

// outcome describes in one plain line what became of a connection. good reports whether nothing needs fixing.
func (x *connection) outcome(s status.Connection, gaveUp text.Text) (said text.Text, good bool) {
	switch {
	case !x.said.IsZero():
		return x.said, false
	case s.Mails > 0 && !x.lost.IsZero():
		return text.AcceptedUnmatched.With(repaired(text.Accepted, s.Repairs), x.lost), false
	case s.Mails > 0:
		said = repaired(text.Accepted, s.Repairs)
		if !x.what.IsZero() {
			said = text.AcceptedIs.With(said, x.what)
		}
		if x.cutShort {
			said = text.AcceptedCut.With(said)
		}
		return said, true
	case x.cutShort:
		return text.CutInMail.With(), false
	case !gaveUp.IsZero():
		return gaveUp, false
	case s.Open:
		return text.Connected.With(), true
	}

	return repaired(text.ConnectedNoMail, s.Repairs), true
}

// repaired is what became of a connection, with the repairs that it took.
func repaired(what text.Message, repairs []text.Text) text.Text {
	switch n := len(repairs); n {
	case 0:
		return what.With()
	case 1:
		return text.RepairedOnce.With(what, repairs[0])
	default:
		return text.Repaired.With(what, n, text.Join(", ", repairs...))
	}
}

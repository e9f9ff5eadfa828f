// Package inbox remembers what came into the mail server: counts, the last mail, mails that fit no camera, how late the
// mails of each camera come, and storms of mails.
//
// The outcomes that the mail server reports go in. The status of the mail server and entries of the history come out.
// An Inbox starts no goroutine. Its methods may be called from any goroutine.
package inbox

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// Options holds what an inbox needs.
type Options struct {
	State   string              // the state folder
	Add     func(history.Entry) // adds to the history; must not block
	Changed func()              // called when the status changed; must not block
	Camera  func(id string) (config.Camera, bool)
	Log     *slog.Logger
}

// Inbox holds what came into the mail server. Make one with New.
type Inbox struct {
	opt Options

	mu      sync.Mutex // guards all fields below
	smtp    status.SMTP
	lags    map[string][]time.Duration // mail lags of a camera's last mails, newest last
	storms  map[string]*storm          // by camera id
	limiter entryLimiter
	dirty   bool // the unmatched mails changed since they were saved
}

// New returns an inbox with the unmatched mails that an earlier process saved.
func New(o Options) *Inbox {
	in := &Inbox{opt: o, lags: map[string][]time.Duration{}, storms: map[string]*storm{}}
	var list []status.Unmatched
	b, err := os.ReadFile(in.path())
	if err == nil && json.Unmarshal(b, &list) == nil { // ignore errors: the list is not promised to survive
		in.smtp.Unmatched = list[:min(len(list), maxUnmatched)]
	}
	return in
}

// Status returns the state of the mail server.
func (in *Inbox) Status() status.SMTP {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.smtp
	s.Unmatched, s.Ports = slices.Clone(s.Unmatched), slices.Clone(s.Ports)
	return s
}

// Alarm counts a camera's mail that was saved in an event.
func (in *Inbox) Alarm(id string, t event.Trigger, event string) {
	in.record(history.Mail, id, t, event, text.Text{})
	in.opt.Log.Info("alarm mail", "camera", id, "event", event, "label", t.Label, "from", t.From)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.smtp.Mails++
	in.count(id, t)
}

// Failed records a camera's mail that could not be saved.
func (in *Inbox) Failed(id string, t event.Trigger, err error) {
	in.record(history.MailFailed, id, t, "", text.Of(err))
}

// Left records a mail that saves nothing, or nothing for some cameras. It returns for how many cameras a pause kept an
// alarm from being saved.
func (in *Inbox) Left(o trigger.Outcome, t event.Trigger) (paused int) {
	switch o.Kind {
	case trigger.Test:
		in.tested(o.Cameras, t)
	case trigger.Notice:
		if in.recordAll(history.MailNotice, o.Cameras, t, text.Notice(o.Notice)) {
			in.opt.Log.Info("notice of a device, which is no alarm", "cameras", o.Cameras, "label", o.Notice,
				"from", t.From, "subject", t.Subject)
		}
	}

	for id, kind := range o.Quiet {
		if kind == trigger.Paused {
			paused++
			in.opt.Log.Info("alarm mail in a pause", "camera", id, "label", t.Label, "from", t.From)
			in.record(history.MailPaused, id, t, "", text.Text{})
		} else {
			in.opt.Log.Info("mail for a camera that is switched off", "camera", id, "from", t.From)
			in.record(history.MailOff, id, t, "", text.Text{})
		}
	}

	in.mu.Lock()
	defer in.mu.Unlock()
	in.smtp.Mails++
	return paused
}

func (in *Inbox) tested(cameras []string, t event.Trigger) {
	if in.recordAll(history.MailTest, cameras, t, text.Text{}) {
		in.opt.Log.Info("test mail received", "cameras", cameras, "from", t.From, "sender", t.Sender)
	}
	said := text.TestMailUnmatched.With(t.From)
	var names []string
	for _, id := range cameras {
		c, _ := in.opt.Camera(id)
		names = append(names, c.Title())
	}
	if names != nil {
		said = text.TestMailWorks.With(strings.Join(names, ", "))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.smtp.Tests++
	in.smtp.LastTest = said
}

// Received stores the last mail, and learns the mail lag of its camera.
func (in *Inbox) Received(m trigger.Received) {
	in.mu.Lock()
	in.smtp.Last = &m.Mail
	if len(m.Cameras) == 1 && !m.Test {
		if lag, ok := lagOf(m); ok {
			list := append(in.lags[m.Cameras[0]], lag)
			in.lags[m.Cameras[0]] = list[max(0, len(list)-maxLags):]
		}
	}
	in.mu.Unlock()
	in.opt.Changed()
}

// Refused counts a connection to the mail server from a network that is not allowed.
func (in *Inbox) Refused(from netip.Addr) {
	in.mu.Lock()
	in.smtp.Refused++
	in.mu.Unlock()
	in.record(history.MailRefused, "", event.Trigger{Time: time.Now(), From: from.String()}, "", text.Text{})
}

// Listening stores the state of the mail server's ports.
func (in *Inbox) Listening(ports []status.Port) {
	listen := ""
	var faults []text.Text
	for _, p := range ports {
		if !p.Error.IsZero() {
			faults = append(faults, p.Error)
		} else if listen == "" && !p.TLS {
			listen = p.Listen
		}
	}

	in.mu.Lock()
	before := in.smtp
	in.smtp.Ports, in.smtp.Listen, in.smtp.Error = ports, listen, text.Join("; ", faults...)
	now := in.smtp
	in.mu.Unlock()

	for _, p := range ports {
		if slices.ContainsFunc(before.Ports, p.Equal) {
			continue
		}
		if !p.Error.IsZero() {
			in.opt.Log.Error("no alarm mail can come in on a port", "err", p.Error)
			in.opt.Add(history.Entry{Kind: history.NotListening, Text: p.Error})
		} else if _, _, bound := strings.Cut(p.Listen, ":"); bound {
			in.opt.Log.Info("waiting for alarm mail", "path", p.Listen)
			in.opt.Add(history.Entry{Kind: history.Listening})
		}
	}

	if before.Listen != now.Listen || !slices.EqualFunc(before.Ports, now.Ports, status.Port.Equal) {
		in.opt.Changed()
	}
}

// maxUnmatched is how many unmatched mails are kept.
const maxUnmatched = 50

func (in *Inbox) path() string { return filepath.Join(in.opt.State, "unassigned.json") }

// Unmatched keeps a mail that fits no camera.
func (in *Inbox) Unmatched(u status.Unmatched) {
	in.mu.Lock()
	in.smtp.Mails++
	in.smtp.Unmatched = slices.Insert(slices.Clone(in.smtp.Unmatched), 0, u)
	in.smtp.Unmatched = in.smtp.Unmatched[:min(len(in.smtp.Unmatched), maxUnmatched)]
	in.dirty = true
	in.mu.Unlock()
	in.record(history.MailUnmatched, "", event.Trigger{Time: u.Time, From: u.From, Subject: u.Subject}, "", text.Text{})
	in.opt.Changed()
}

// DropUnmatched empties the list of unmatched mails.
func (in *Inbox) DropUnmatched() {
	in.mu.Lock()
	in.smtp.Unmatched = nil
	in.dirty = true
	in.mu.Unlock()
	in.Save()
	in.opt.Changed()
}

// Save writes the unmatched mails to the state folder if they changed. The recorder calls it from time to time, so that
// a storm of mails is written once.
func (in *Inbox) Save() {
	in.mu.Lock()
	list, dirty := in.smtp.Unmatched, in.dirty
	in.dirty = false
	in.mu.Unlock()
	if !dirty {
		return
	}
	b, err := json.Marshal(list)
	if err == nil {
		err = durable.WriteFile(in.path(), b, 0o600)
	}
	if err != nil {
		in.opt.Log.Warn("mails that fit no camera were not written", "err", err)
	}
}

// --- Mail lag ---

// Limits of mail lag.
const (
	maxLags   = 9
	minLags   = 3
	minLag    = 2 * time.Second // a smaller lag is not reported
	maxLag    = 5 * time.Minute // with a larger lag the camera's clock is wrong, or it sends old mails
	sentLimit = time.Minute     // max difference of a mail's Date from now, if the camera's clock is right
)

// lagOf returns how long after an alarm its mail began. It returns false if the camera's clock cannot be trusted, that
// is, if the Date of the mail is not about now.
func lagOf(m trigger.Received) (time.Duration, bool) {
	if m.Said.IsZero() || m.Sent.IsZero() || m.At.Sub(m.Sent).Abs() > sentLimit {
		return 0, false
	}
	lag := m.Time.Sub(m.Said)
	return max(0, lag), lag > -2*time.Second && lag < maxLag
}

// Lag returns how late the mails of a camera come: the second largest lag of its last mails, rounded up to whole
// seconds. It is 0 if the lag is unknown or too small to report.
func (in *Inbox) Lag(id string) time.Duration {
	in.mu.Lock()
	list := slices.Sorted(slices.Values(in.lags[id]))
	in.mu.Unlock()
	if len(list) < minLags {
		return 0
	}
	lag := list[len(list)-2].Truncate(time.Second) + time.Second
	if lag <= minLag {
		return 0
	}
	return lag
}

// --- Storms ---

// storm counts the mails of a camera within an hour.
type storm struct {
	since  time.Time
	mails  int
	before int    // mails in the hour before
	from   string // address of the last mail
}

// minStorm is how many mails of a camera within an hour need a person. A camera repeats its mail every 10 s at most.
const minStorm = 600

// count counts a mail of a camera. in.mu is held.
func (in *Inbox) count(id string, t event.Trigger) {
	s := in.storms[id]
	if s == nil {
		s = &storm{since: time.Now()}
		in.storms[id] = s
	}
	if now := time.Now(); now.Sub(s.since) > time.Hour {
		s.before = s.mails
		if now.Sub(s.since) > 2*time.Hour {
			s.before = 0
		}
		s.since, s.mails = now, 0
	}

	s.mails++
	s.from = t.From
}

// Storms returns the storms of the given cameras, in their order.
func (in *Inbox) Storms(cameras []config.Camera) (list []status.Storm) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range cameras {
		s := in.storms[c.ID]
		if s != nil && time.Since(s.since) <= 2*time.Hour && max(s.mails, s.before) >= minStorm {
			list = append(list, status.Storm{Camera: c.ID, Mails: max(s.mails, s.before), From: s.from})
		}
	}
	return list
}

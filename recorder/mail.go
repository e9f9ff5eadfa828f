package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/trigger"
)

// receiveMail runs the mail server, and starts it again when its settings change.
func (r *Recorder) receiveMail(ctx context.Context) error {
	for ctx.Err() == nil {
		serving, cancel := context.WithCancel(ctx)
		s := trigger.Server{
			Settings: r.Settings().SMTP, CertDir: r.places.State, Log: r.log, Visits: &r.visits,
			Cameras:   func() []config.Camera { return r.Settings().Cameras },
			Quiet:     r.quiet,
			Trigger:   r.mailTrigger,
			Picture:   r.picture,
			Keep:      r.keepMail,
			Received:  r.received,
			Unmatched: r.unmatched,
			Left:      r.left,
			Listening: r.listening,
			Refused:   r.refused,
		}
		var server errgroup.Group
		server.Go(func() error { return s.Run(serving) })
		select {
		case <-ctx.Done():
		case <-r.mailed:
		}
		cancel()
		if err := server.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// quiet tells whether a camera's alarms save nothing now: it is switched off, or Preroll is paused. Its owner wants it so.
func (r *Recorder) quiet(id string) trigger.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, known := r.settings.Camera(id); known && !c.Enabled {
		return trigger.Off
	}
	if r.pause.On && !over(r.pause) {
		return trigger.Paused
	}
	return trigger.Alarm
}

// mailTrigger saves the alarm of a mail. Of a camera that was switched off meanwhile nothing is saved.
func (r *Recorder) mailTrigger(ctx context.Context, id string, t event.Trigger) (string, error) {
	event, err := r.Trigger(ctx, id, t)
	if errors.Is(err, ErrOff) {
		r.left(trigger.Outcome{Kind: trigger.Alarm, Cameras: []string{id}, Quiet: map[string]trigger.Kind{id: trigger.Off}}, t)
		return "", nil
	}
	if err != nil {
		r.noteMail(history.MailFailed, id, t, "", err.Error())
		return "", err
	}
	r.noteMail(history.Mail, id, t, event, "")
	r.mu.Lock()
	r.smtp.Mails++
	r.countMail(id, t)
	r.mu.Unlock()
	r.log.Info("alarm mail", "camera", id, "event", event, "label", t.Label, "from", t.From)
	return event, nil
}

// left notes a mail that saves nothing, or nothing of some cameras.
func (r *Recorder) left(o trigger.Outcome, t event.Trigger) {
	switch o.Kind {
	case trigger.Test:
		r.tested(o.Cameras, t)
	case trigger.Notice:
		if r.noteMails(history.MailNotice, o.Cameras, t, o.Notice) {
			r.log.Info("notice of a device, which is no alarm", "cameras", o.Cameras, "label", o.Notice, "from", t.From, "subject", t.Subject)
		}
	}
	paused := 0
	for id, kind := range o.Quiet {
		if kind == trigger.Paused {
			paused++
			r.log.Info("alarm mail in a pause", "camera", id, "label", t.Label, "from", t.From)
			r.noteMail(history.MailPaused, id, t, "", "")
		} else {
			r.log.Info("mail for a camera that is switched off", "camera", id, "from", t.From)
			r.noteMail(history.MailOff, id, t, "", "")
		}
	}
	r.mu.Lock()
	r.pause.Missed += paused
	r.smtp.Mails++
	r.mu.Unlock()
	r.hub.statusChanged()
}

// storm counts a camera's mails of an hour.
type storm struct {
	since time.Time
	mails int
	last  int    // of the hour before
	from  string // the address of the last one
}

// stormMails is how many mails of a camera in an hour need a person's look. Cameras repeat theirs every 10 s at most.
const stormMails = 600

// countMail counts a mail of a camera. r.mu is held.
func (r *Recorder) countMail(id string, t event.Trigger) {
	s := r.storms[id]
	if s == nil {
		s = &storm{since: time.Now()}
		if r.storms == nil {
			r.storms = map[string]*storm{}
		}
		r.storms[id] = s
	}
	if now := time.Now(); now.Sub(s.since) > time.Hour {
		s.last = s.mails
		if now.Sub(s.since) > 2*time.Hour {
			s.last = 0
		}
		s.since, s.mails = now, 0
	}
	s.mails++
	s.from = t.From
}

// stormProblems names the cameras whose mails never end. r.mu is held.
func (r *Recorder) stormProblems() (list []status.Problem) {
	for _, c := range r.settings.Cameras {
		s := r.storms[c.ID]
		if s == nil || time.Since(s.since) > 2*time.Hour || max(s.mails, s.last) < stormMails {
			continue
		}
		list = append(list, status.Problem{Key: "mail-storm", About: c.ID, Text: fmt.Sprintf("%d alarm mails came within an hour, the last one from %s", max(s.mails, s.last), s.from),
			Hint: "They are one event after another. If that is not what the camera sees, lower its sensitivity, or see who sends them: preroll mail"})
	}
	return list
}

// picture hands the picture of a mail to its event, if that is still open.
func (r *Recorder) picture(ctx context.Context, id, event string, data []byte) {
	end := clip.Ends[0]
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		end = clip.Ends[1]
	}
	r.enclose(ctx, id, event, clip.Enclosure{Data: data, End: end})
}

// keepMail keeps a mail beside its event's clip.
func (r *Recorder) keepMail(ctx context.Context, id, event string, mail []byte) {
	r.enclose(ctx, id, event, clip.Enclosure{Data: mail, End: clip.Ends[2]})
}

func (r *Recorder) enclose(ctx context.Context, id, event string, e clip.Enclosure) {
	r.mu.Lock()
	c := r.cameras[id]
	r.mu.Unlock()
	if c != nil {
		c.enclose(ctx, event, e)
	}
}

// received notes the last mail, and learns how late its camera's mails come.
func (r *Recorder) received(m trigger.Received) {
	r.mu.Lock()
	r.smtp.Last = &m.Mail
	if len(m.Cameras) == 1 && !m.Test {
		if lag, ok := lagOf(m); ok {
			if r.lags == nil {
				r.lags = map[string][]time.Duration{}
			}
			list := append(r.lags[m.Cameras[0]], lag)
			r.lags[m.Cameras[0]] = list[max(0, len(list)-keptLags):]
		}
	}
	r.mu.Unlock()
	r.hub.statusChanged()
}

// Learning how late a camera's mails come.
const (
	keptLags  = 9
	leastLags = 3
	leastLag  = 2 * time.Second // that is worth a word
	mostLag   = 5 * time.Minute // beyond it the camera's clock is wrong, or it sends old mails
	sentTime  = time.Minute     // by which a mail's Date may differ from now, if the camera's clock is right
)

// lagOf is how long after an alarm its mail began, if the camera's clock can be trusted: when it says that it wrote the
// mail is about now.
func lagOf(m trigger.Received) (time.Duration, bool) {
	if m.Said.IsZero() || m.Sent.IsZero() || m.At.Sub(m.Sent).Abs() > sentTime {
		return 0, false
	}
	lag := m.Time.Sub(m.Said)
	return max(0, lag), lag > -2*time.Second && lag < mostLag
}

// mailLag is how late a camera's mails come, the longest but one of the last few, in whole seconds; 0 if that is not
// known or not worth a word. r.mu is held.
func (r *Recorder) mailLag(id string) time.Duration {
	list := slices.Sorted(slices.Values(r.lags[id]))
	if len(list) < leastLags {
		return 0
	}
	lag := list[len(list)-2].Truncate(time.Second) + time.Second
	if lag <= leastLag {
		return 0
	}
	return lag
}

// keptUnmatched is how many mails that fitted no camera are shown.
const keptUnmatched = 50

// unmatchedName is the file in the state folder that keeps them.
const unmatchedName = "unassigned.json"

func (r *Recorder) unmatched(u status.Unmatched) {
	r.mu.Lock()
	r.smtp.Mails++
	r.smtp.Unmatched = slices.Insert(slices.Clone(r.smtp.Unmatched), 0, u)
	r.smtp.Unmatched = r.smtp.Unmatched[:min(len(r.smtp.Unmatched), keptUnmatched)]
	r.unsaved = true
	r.mu.Unlock()
	r.noteMail(history.MailUnmatched, "", event.Trigger{Time: u.Time, From: u.From, Subject: u.Subject}, "", "")
	r.hub.statusChanged()
}

// DropUnmatched empties the list of mails that fitted no camera.
func (r *Recorder) DropUnmatched() {
	r.mu.Lock()
	r.smtp.Unmatched = nil
	r.unsaved = true
	r.mu.Unlock()
	r.saveUnmatched()
	r.hub.statusChanged()
}

// readUnmatched takes up the list of an earlier life. Without it nothing is lost that is promised.
func (r *Recorder) readUnmatched() {
	var list []status.Unmatched
	b, err := os.ReadFile(filepath.Join(r.places.State, unmatchedName))
	if err != nil || json.Unmarshal(b, &list) != nil {
		return
	}
	r.smtp.Unmatched = list[:min(len(list), keptUnmatched)]
}

// saveUnmatched writes the list if it changed. Housekeeping calls it, so that a storm of mails is written once.
func (r *Recorder) saveUnmatched() {
	r.mu.Lock()
	list, changed := r.smtp.Unmatched, r.unsaved
	r.unsaved = false
	r.mu.Unlock()
	if !changed {
		return
	}
	b, err := json.Marshal(list)
	if err == nil {
		err = durable.WriteFile(filepath.Join(r.places.State, unmatchedName), b, 0o600)
	}
	if err != nil {
		r.log.Warn("mails that fit no camera were not written", "err", err)
	}
}

func (r *Recorder) tested(cameras []string, t event.Trigger) {
	if r.noteMails(history.MailTest, cameras, t, "") {
		r.log.Info("test mail received", "cameras", cameras, "from", t.From, "sender", t.Sender)
	}
	r.mu.Lock()
	r.smtp.Tests++
	r.smtp.LastTest = "From " + t.From + ". It fits no camera yet: its recipient must be one of a camera's mail names."
	var names []string
	for _, id := range cameras {
		c, _ := r.settings.Camera(id)
		names = append(names, c.Title())
	}
	if names != nil {
		r.smtp.LastTest = strings.Join(names, ", ") + ": the camera's mail settings work."
	}
	r.mu.Unlock()
}

// noteMails is noteMail for each of some cameras, or for none.
func (r *Recorder) noteMails(kind history.Kind, cameras []string, t event.Trigger, text string) (fresh bool) {
	if len(cameras) == 0 {
		cameras = []string{""}
	}
	for _, id := range cameras {
		fresh = r.noteMail(kind, id, t, "", text) || fresh
	}
	return fresh
}

// listening notes how it goes with the ports.
func (r *Recorder) listening(ports []status.Port) {
	listen := ""
	var faults []string
	for _, p := range ports {
		if p.Error != "" {
			faults = append(faults, p.Error)
		} else if listen == "" && !p.TLS {
			listen = p.Listen
		}
	}
	r.mu.Lock()
	before := r.smtp
	r.smtp.Ports, r.smtp.Listen, r.smtp.Error = ports, listen, strings.Join(faults, "; ")
	now := r.smtp
	r.mu.Unlock()
	for _, p := range ports {
		if slices.Contains(before.Ports, p) {
			continue
		}
		if p.Error != "" {
			r.log.Error("no alarm mail can come in on a port", "err", p.Error)
			r.note(history.NotListening, "", p.Error)
		} else if _, _, bound := strings.Cut(p.Listen, ":"); bound {
			r.log.Info("waiting for alarm mail", "path", p.Listen)
			r.note(history.Listening, "", "")
		}
	}
	if before.Error != now.Error || before.Listen != now.Listen || !slices.Equal(before.Ports, now.Ports) {
		r.hub.statusChanged()
	}
}

// Connections returns the last connections to the mail server, newest first.
func (r *Recorder) Connections() []status.Connection { return r.visits.List() }

// MailCamera sends a real alarm mail for a camera to the recorder's own mail server, over the network as a camera
// would, so that the whole way can be tried without one.
func (r *Recorder) MailCamera(ctx context.Context, id string) error {
	c, ok := r.Settings().Camera(id)
	if !ok {
		return fmt.Errorf("%q: %w", id, ErrNoCamera)
	}
	r.mu.Lock()
	listen := r.smtp.Listen
	s := r.settings.SMTP
	r.mu.Unlock()
	if listen == "" {
		return errors.New("the alarm mail server is not listening")
	}
	return trigger.SendSelf(ctx, listen, s, c)
}

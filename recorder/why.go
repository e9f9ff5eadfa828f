package recorder

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
)

// Bounds of what Why looks at. A camera's mail may be late, and people remember a time to the minute.
const (
	mailEarly = 2 * time.Minute
	mailLate  = 10 * time.Minute
	toldMails = 5
)

// Why goes through all that must hold for a clip of a time, and says of each link whether it held; camera "" is any.
// The broken ones come first. If all is well, the event does.
func (r *Recorder) Why(ctx context.Context, camera string, at time.Time) ([]status.Finding, error) {
	s := r.Settings()
	e := evidence{now: time.Now(), at: at, camera: camera, cameras: s.Cameras, maxAge: s.Archive.MaxAge.D(), started: r.started}
	if _, ok := s.Camera(camera); camera != "" && !ok {
		return nil, fmt.Errorf("%q: %w", camera, ErrNoCamera)
	}
	longest := s.Clip.MaxLength.D()
	for _, c := range s.Cameras {
		longest = max(longest, s.Lengths(c).MaxLength.D())
	}
	var err error
	if e.entries, err = r.history.All(ctx); err != nil {
		return nil, err
	}
	if e.events, err = r.archive.Around(ctx, camera, at.Add(-mailEarly), at.Add(mailLate), longest); err != nil {
		return nil, err
	}
	newest, err := r.archive.List(ctx, event.Query{Camera: camera, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 && len(newest[0].Triggers) > 0 && newest[0].Triggers[0].Source == event.Mail {
		e.lastMail = newest[0].LastTrigger
	}
	return why(e), nil
}

// evidence is all that why judges by.
type evidence struct {
	now, at  time.Time
	camera   string // id; "" is any
	cameras  []config.Camera
	maxAge   time.Duration   // of events; 0: no limit
	started  time.Time       // when this recorder started
	entries  []history.Entry // oldest first
	events   []event.Event   // that asked for video around that time
	lastMail time.Time       // of the camera, as far as the archive knows
}

// why judges. It reads no clock and no file.
func why(e evidence) []status.Finding {
	if e.at.After(e.now) {
		return []status.Finding{{About: "Preroll", Text: "This time has not come yet."}}
	}
	events := e.eventFindings()
	list := e.removals()
	if f := e.running(); f != nil {
		return e.order(append(list, *f), events)
	}
	if e.maxAge > 0 && e.now.Sub(e.at) > e.maxAge && len(e.events) == 0 && list == nil {
		list = append(list, status.Finding{About: "Archive", Text: "Events of that time are too old: they are removed after " + config.Duration(e.maxAge).String() + ".",
			Hint: "Protect events that shall stay, or raise archive.max_age."})
	}
	list = slices.Concat(list, e.pause(), e.ram())
	server, listening := e.mailServer()
	mails := e.mails(listening && list == nil) // else it is clear enough why there is none
	list = slices.Concat(list, server, mails, e.cameraFindings())
	return e.order(append(list, e.archiveTrouble()...), events)
}

// order puts what is broken first, then what is doubtful; where nothing is broken, the events lead.
func (e evidence) order(list, events []status.Finding) []status.Finding {
	broken := func(f status.Finding) bool { return !f.OK }
	if slices.ContainsFunc(list, broken) || slices.ContainsFunc(events, broken) {
		list = append(list, events...)
	} else {
		list = append(events, list...)
	}
	rank := func(f status.Finding) int {
		switch {
		case !f.OK:
			return 0
		case f.Warn:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b status.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

// clock is a time as a sentence says it, with its day where that is not today.
func (e evidence) clock(t time.Time, layout string) string {
	if t.IsZero() {
		return "now"
	}
	if t = t.Local(); t.Format(time.DateOnly) != e.now.Local().Format(time.DateOnly) {
		layout = "2006-01-02 " + layout
	}
	return t.Format(layout)
}

func (e evidence) hm(t time.Time) string  { return e.clock(t, "15:04") }
func (e evidence) hms(t time.Time) string { return e.clock(t, "15:04:05") }

// running returns what is wrong if Preroll did not run at that time, else nil. A kill leaves no word of it: then there
// is a start with no stop before it, and nothing shows that Preroll lived on.
func (e evidence) running() *status.Finding {
	for _, v := range e.events { // what an event that was taken up again tells of it
		for _, g := range v.Gaps {
			if g.Reason == clip.NotRunning && !e.at.Before(g.From) && !e.at.After(g.To) {
				return &status.Finding{About: "Preroll", Text: fmt.Sprintf("Preroll was not running from %s to %s.", e.hms(g.From), e.hms(g.To)),
					Hint: "Let it start at login, or install it as a service, so that it always runs."}
			}
		}
	}
	var before, after *history.Entry // marks of start and stop
	alive := len(e.events) > 0
	for i := range e.entries {
		n := &e.entries[i]
		mark := n.Kind == history.Started || n.Kind == history.Stopped
		switch {
		case mark && !n.Time.After(e.at):
			before = n
		case mark && after == nil:
			after = n
		case !mark && after == nil && !n.Time.Before(e.at):
			alive = true // written by the same life
		}
	}
	start := e.started
	if after != nil && after.Kind == history.Started {
		start = after.Time
	}
	switch {
	case before == nil && len(e.entries) > 0 && e.entries[0].Time.Before(e.at) && (after == nil || after.Kind == history.Stopped || alive):
		return nil // its start is so long ago that it was forgotten
	case before != nil && before.Kind == history.Stopped && start.After(before.Time):
		return &status.Finding{About: "Preroll", Text: fmt.Sprintf("Preroll was not running from %s to %s.", e.hms(before.Time), e.hms(start)),
			Hint: "Let it start at login, or install it as a service, so that it always runs."}
	case before != nil && (after == nil || after.Kind == history.Stopped || alive):
		return nil
	case before == nil && after == nil && !e.at.Before(e.started):
		return nil
	}
	return &status.Finding{About: "Preroll", Text: fmt.Sprintf("Preroll was not running, or was killed, before %s.", e.hms(start)),
		Hint: "Let it start at login, or install it as a service, so that it always runs."}
}

// trouble is a stretch of time in which something did not work.
type trouble struct {
	from, to time.Time // to is zero while it lasts
	kind     history.Kind
	text     string
}

// trouble finds the trouble of one kind (of a camera, or "") in the minute asked for. known tells whether the history
// knows anything of it since Preroll started.
func (e evidence) trouble(camera string, good history.Kind, bad ...history.Kind) (t *trouble, known bool) {
	for _, n := range e.entries {
		if n.Time.After(e.at.Add(time.Minute)) && t == nil {
			break
		}
		restart := n.Kind == history.Started || n.Kind == history.Stopped
		if restart && t == nil && n.Time.After(e.at) {
			break
		}
		switch {
		case restart || n.Kind == good && n.Camera == camera:
			if t != nil && n.Time.After(e.at) {
				t.to = n.Time
				return t, true
			}
			t, known = nil, !restart
		case slices.Contains(bad, n.Kind) && n.Camera == camera:
			if t == nil {
				t = &trouble{from: n.Time}
			}
			if !n.Time.After(e.at.Add(time.Minute)) {
				t.kind, t.text = n.Kind, n.Text
			}
			known = true
		}
	}
	return t, known
}

func (e evidence) pause() []status.Finding {
	t, _ := e.trouble("", history.Resumed, history.Paused)
	if t == nil {
		return nil
	}
	return []status.Finding{{About: "Pause", Text: fmt.Sprintf("Preroll was paused from %s to %s: alarms saved nothing.", e.hms(t.from), e.hms(t.to))}}
}

func (e evidence) ram() []status.Finding {
	t, _ := e.trouble("", history.RAMBack, history.RAMLost)
	if t == nil {
		return nil
	}
	return []status.Finding{{About: "RAM disk", Text: fmt.Sprintf("The RAM disk could not be used from %s to %s: %s", e.hms(t.from), e.hms(t.to), t.text), Hint: ramHint}}
}

func (e evidence) mailServer() (list []status.Finding, listening bool) {
	t, known := e.trouble("", history.Listening, history.NotListening)
	switch {
	case t != nil:
		return []status.Finding{{About: "Alarm mail", Text: fmt.Sprintf("No alarm mail could come in from %s to %s: %s", e.hms(t.from), e.hms(t.to), t.text)}}, false
	case known:
		return []status.Finding{{About: "Alarm mail", OK: true, Text: "The mail server was listening."}}, true
	}
	return nil, true
}

func (e evidence) archiveTrouble() []status.Finding {
	t, _ := e.trouble("", history.ArchiveBack, history.ArchiveLost)
	if t == nil {
		return nil
	}
	f := status.Finding{About: "Archive", Text: fmt.Sprintf("The archive could not be written from %s to %s: %s", e.hms(t.from), e.hms(t.to), t.text)}
	f.OK = slices.ContainsFunc(e.events, func(ev event.Event) bool { return len(ev.Clips) > 0 }) // it waited in RAM
	f.Warn = f.OK
	return []status.Finding{f}
}

// cameraFindings tells of the camera asked for, or of those among all that did not record.
func (e evidence) cameraFindings() (list []status.Finding) {
	recorded := 0
	for _, c := range e.cameras {
		if e.camera != "" && c.ID != e.camera {
			continue
		}
		t, known := e.trouble(c.ID, history.Recording, history.NotRecording, history.Off)
		f := status.Finding{About: c.Title()}
		switch {
		case t != nil && t.kind == history.Off:
			f.Text, f.Hint = fmt.Sprintf("The camera was switched off from %s to %s.", e.hms(t.from), e.hms(t.to)), "Switch it on in the settings."
		case t != nil:
			f.Text = fmt.Sprintf("The camera was not recorded from %s to %s: %s.", e.hms(t.from), e.hms(t.to), t.text)
		case known:
			f.OK, f.Text = true, "The camera was recording."
			recorded++
		case !c.Enabled:
			f.Text, f.Hint = "The camera is switched off.", "Switch it on in the settings."
		default:
			n := e.next(c.ID, history.Recording)
			if n == nil {
				continue // nothing is known of it
			}
			f.Text = fmt.Sprintf("The camera was not recorded before %s.", e.hms(n.Time))
		}
		if e.camera != "" || !f.OK && c.Enabled {
			list = append(list, f)
		}
	}
	if e.camera == "" && list == nil && recorded > 0 {
		list = append(list, status.Finding{About: "Cameras", OK: true, Text: fmt.Sprintf("All cameras were recording (%d).", recorded)})
	}
	return list
}

// next is the first entry of a kind after the time, if Preroll did not end before it.
func (e evidence) next(camera string, kind history.Kind) *history.Entry {
	for i := range e.entries {
		n := &e.entries[i]
		switch {
		case !n.Time.After(e.at):
		case n.Kind == history.Started || n.Kind == history.Stopped:
			return nil
		case n.Kind == kind && n.Camera == camera:
			return n
		}
	}
	return nil
}

// assign says what to do with a mail that fits no camera.
const assign = "Assign it to a camera: its recipient, its sender or a part of its subject must be one of the camera's mail names."

// ours tells whether an entry is about the camera asked for.
func (e evidence) ours(n history.Entry) bool { return e.camera == "" || n.Camera == e.camera }

// mails tells what became of the mails around that time; complain tells whether it is worth a word that none came.
func (e evidence) mails(complain bool) (list []status.Finding) {
	from, to := e.at.Add(-mailEarly), e.at.Add(mailLate)
	inTime := func(t time.Time) bool { return !t.Before(from) && !t.After(to) }
	told := map[string]bool{} // events
	came := false             // a mail of this camera
	last := e.lastMail
	for _, n := range e.entries {
		f := status.Finding{About: "Alarm mail"}
		when := e.hms(n.Time)
		switch n.Kind {
		case history.Mail:
			told[n.Event] = true
			f.OK, f.Text = true, fmt.Sprintf("A mail came at %s from %s.", when, n.From)
			if e.gone(n.Event) {
				f.OK, f.Text = false, fmt.Sprintf("A mail came at %s from %s, but its event is not in the list any more.", when, n.From)
				f.Hint = "If its files are still in the archive, rebuild the index: preroll reindex."
			}
		case history.MailTest:
			f.OK, f.Warn, f.Text, f.Hint = true, true, fmt.Sprintf("A test mail came at %s from %s; tests save nothing.", when, n.From), "To try the whole way, cause a real alarm in front of the camera."
			if n.Camera == "" {
				f = status.Finding{About: "Alarm mail", Text: fmt.Sprintf("A test mail came at %s from %s, but it fits no camera.", when, n.From), Hint: assign}
			}
		case history.MailUnmatched:
			f.Text, f.Hint = fmt.Sprintf("A mail came at %s from %s, but it fits no camera: %q.", when, n.From, n.Text), assign
		case history.MailNotice:
			f.Text = fmt.Sprintf("A mail came at %s from %s, but it told of the device itself (%s), which saves nothing.", when, n.From, n.Text)
			f.Hint = "If such a mail shall save a clip, give the camera a rule, such as `to: door`, among its mail names."
		case history.MailOff:
			f.Text, f.Hint = fmt.Sprintf("A mail came at %s from %s, but the camera is switched off.", when, n.From), "Switch it on in the settings."
		case history.MailPaused:
			f.Text = fmt.Sprintf("A mail came at %s from %s, but Preroll was paused.", when, n.From)
		case history.MailFailed:
			f.Text = fmt.Sprintf("A mail came at %s from %s, but it could not be saved: %s.", when, n.From, n.Text)
		case history.MailRefused:
			f.Text, f.Hint = fmt.Sprintf("A mail from %s was refused at %s: this address may not send.", n.From, when), "If it is a camera of yours, add the address to smtp.allow in the settings."
		default:
			continue
		}
		if e.ours(n) && n.Kind != history.MailRefused {
			if n.Time.After(last) {
				last = n.Time
			}
			came = came || inTime(n.Time)
		}
		if !inTime(n.Time) || n.Camera != "" && !e.ours(n) || len(list) >= toldMails {
			continue
		}
		if n.Camera == "" && len(e.events) > 0 { // somebody else's, it seems
			if e.camera != "" {
				continue
			}
			f.OK, f.Warn = true, true
		}
		list = append(list, f)
	}
	for _, ev := range e.events {
		for _, t := range ev.Triggers {
			if t.Source != event.Mail || told[ev.ID] || !inTime(t.Time) || len(list) >= toldMails {
				continue
			}
			told[ev.ID] = true
			list = append(list, status.Finding{About: "Alarm mail", OK: true, Text: fmt.Sprintf("A mail came at %s from %s.", e.hms(t.Time), t.From)})
		}
	}
	if came || len(e.events) > 0 || !complain {
		return list
	}
	if to.After(e.now) {
		to = e.now
	}
	f := status.Finding{About: "Alarm mail", Text: fmt.Sprintf("No mail came from this camera between %s and %s.", e.hm(from), e.hm(to))}
	f.Hint = fmt.Sprintf("Press the test button in the camera's mail settings. The last mail from it came at %s.", e.hms(last))
	if last.IsZero() {
		f.Hint = "Press the test button in the camera's mail settings. No mail from it was ever seen."
	}
	if e.camera == "" {
		f.Text = fmt.Sprintf("No mail came from any camera between %s and %s.", e.hm(from), e.hm(to))
		f.Hint = fmt.Sprintf("Press the test button in the mail settings of the camera. The last mail came at %s.", e.hms(last))
		if last.IsZero() {
			f.Hint = "Press the test button in the mail settings of the camera. No mail was ever seen."
		}
	}
	return append(list, f)
}

// gone tells whether a mail's event is neither in the list nor known to be removed.
func (e evidence) gone(id string) bool {
	return id != "" && !slices.ContainsFunc(e.events, func(ev event.Event) bool { return ev.ID == id }) &&
		!slices.ContainsFunc(e.entries, func(n history.Entry) bool { return n.Kind == history.Removed && n.Event == id })
}

// removals tells of events of that time that were removed.
func (e evidence) removals() (list []status.Finding) {
	for _, n := range e.entries {
		if n.Kind == history.Removed && e.ours(n) && !n.About.Before(e.at.Add(-mailLate)) && !n.About.After(e.at.Add(mailLate)) && len(list) < toldMails {
			f := status.Finding{About: "Archive", Text: fmt.Sprintf("There was an event at %s; it is gone since %s. %s.", e.hms(n.About), e.hms(n.Time), n.Text)}
			if n.Text == byLimits {
				f.Hint = "Protect events that shall stay, or raise the limits of the archive."
			}
			list = append(list, f)
		}
	}
	return list
}

// eventFindings tells of the events around that time.
func (e evidence) eventFindings() (list []status.Finding) {
	reached := false
	for _, ev := range e.events {
		reached = reached || !ev.From.After(e.at.Add(time.Minute))
		if len(list) == toldMails {
			continue
		}
		f := status.Finding{About: ev.Title(), OK: true}
		when := e.hms(ev.Time)
		switch ev.State {
		case event.Saved:
			f.Text = fmt.Sprintf("The event of %s is saved: %.1f s of video, pre-roll %.1f s.", when, ev.Length().Seconds(), ev.Receipt.PreRollGot.D().Seconds())
			if ev.Continues != "" {
				f.Text = fmt.Sprintf("The event of %s is saved: %.1f s of video, which follow the clip before.", when, ev.Length().Seconds())
			}
		case event.Incomplete:
			f.Warn, f.Text, f.Hint = true, fmt.Sprintf("The event of %s is saved, but not all of it: %.1f s of video, pre-roll %.1f s.", when, ev.Length().Seconds(), ev.Receipt.PreRollGot.D().Seconds()), ev.Reason
		case event.Failed:
			f.OK, f.Text, f.Hint = false, fmt.Sprintf("The event of %s has no clip.", when), ev.Reason
		default:
			f.Text = fmt.Sprintf("The event of %s is being saved.", when)
		}
		list = append(list, f)
	}
	if len(e.events) > 0 && !reached {
		first := e.events[0]
		list = append(list, status.Finding{About: "Alarm mail", OK: true, Warn: true, Text: fmt.Sprintf("The first alarm came at %s only, and its video begins at %s.", e.hms(first.Time), e.hms(first.From)),
			Hint: "If the camera mails late, raise its pre-roll, or set the camera to mail at once."})
	}
	return list
}

package diagnose

import (
	"cmp"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of what Why looks at. The mail of a camera may be late, and people remember a time only to the minute.
const (
	MailEarly = 2 * time.Minute
	MailLate  = 10 * time.Minute
	toldMails = 5
)

// Evidence is everything that Why judges by.
type Evidence struct {
	Now, At  time.Time
	Camera   string // id; "" means any camera
	Cameras  []config.Camera
	MaxAge   time.Duration   // of events; 0 means no limit
	Started  time.Time       // when this recorder started
	Entries  []history.Entry // oldest first
	Events   []event.Event   // that asked for video around At
	Trash    map[string]bool // ids of the events in the trash
	Longest  time.Duration   // of an event, which may cover At although it began long before
	LastMail time.Time       // of the camera, as far as the archive knows
}

// Why checks every link in the chain that leads to a clip, and reports of each link whether it held. Broken links come
// first. If every link held, the events come first. Why reads no clock and no file.
func Why(e Evidence) []status.Finding {
	if e.At.After(e.Now) {
		return []status.Finding{{About: text.Plain("Preroll"), Text: text.NotYet.With()}}
	}
	events := e.eventFindings()
	list := e.removals()
	if f := e.running(); f != nil {
		return e.sorted(append(list, *f), events)
	}
	if e.MaxAge > 0 && e.Now.Sub(e.At) > e.MaxAge && len(e.Events) == 0 && list == nil {
		list = append(list, status.Finding{About: text.Archive.With(),
			Text: text.TooOld.With(config.Duration(e.MaxAge)),
			Hint: text.TooOldHint.With()})
	}
	outage := e.partly()
	list = slices.Concat(list, outage, e.pause(), e.ram())
	server, listening := e.mailServer()
	mails := e.mails(listening && list == nil) // complain about missing mails only if nothing else explains it
	list = slices.Concat(list, server, mails, e.cameraFindings())
	if outage != nil { // what held before or after explains nothing
		list = slices.DeleteFunc(list, func(f status.Finding) bool { return f.OK })
	}
	return e.sorted(append(list, e.archiveTrouble()...), events)
}

// sorted puts broken findings first, then doubtful ones. If nothing is broken, the events come before equal findings.
func (e Evidence) sorted(list, events []status.Finding) []status.Finding {
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

// clock formats a time for a sentence. It adds the date if the time is not today.
func (e Evidence) clock(t time.Time, layout string) text.Text {
	if t.IsZero() {
		return text.Now.With()
	}
	if t = t.Local(); t.Format(time.DateOnly) != e.Now.Local().Format(time.DateOnly) {
		layout = "2006-01-02 " + layout
	}
	return text.Plain(t.Format(layout))
}

func (e Evidence) hm(t time.Time) text.Text  { return e.clock(t, "15:04") }
func (e Evidence) hms(t time.Time) text.Text { return e.clock(t, "15:04:05") }

// --- Preroll itself ---

// running returns a finding if Preroll did not run at the time asked for, else nil. A killed process writes no stop
// into the history. Then the history has a start without a stop before it, and no entry shows that Preroll still ran.
func (e Evidence) running() *status.Finding {
	for _, v := range e.Events { // a resumed event may name the time without a process
		for _, g := range v.Gaps {
			if g.Why().Is(text.NotRunning) && !e.At.Before(g.From) && !e.At.After(g.To) {
				return &status.Finding{About: text.Plain("Preroll"),
					Text: text.NotRunningFrom.With(e.hms(g.From), e.hms(g.To)),
					Hint: text.NotRunningHint.With()}
			}
		}
	}
	var before, after *history.Entry // the starts or stops next to the time asked for
	alive := len(e.Events) > 0
	for i := range e.Entries {
		n := &e.Entries[i]
		mark := n.Kind == history.Started || n.Kind == history.Stopped
		switch {
		case mark && !n.Time.After(e.At):
			before = n
		case mark && after == nil:
			after = n
		case !mark && after == nil && !n.Time.Before(e.At):
			alive = true // the same process wrote this entry
		}
	}

	start := e.Started
	if after != nil && after.Kind == history.Started {
		start = after.Time
	}
	switch {
	case before == nil && len(e.Entries) > 0 && e.Entries[0].Time.Before(e.At) &&
		(after == nil || after.Kind == history.Stopped || alive):
		return nil // Preroll started so long ago that the history dropped the entry
	case before != nil && before.Kind == history.Stopped && start.After(before.Time):
		return &status.Finding{About: text.Plain("Preroll"),
			Text: text.NotRunningFrom.With(e.hms(before.Time), e.hms(start)),
			Hint: text.NotRunningHint.With()}
	case before != nil && (after == nil || after.Kind == history.Stopped || alive):
		return nil
	case before == nil && after == nil && !e.At.Before(e.Started):
		return nil
	}

	return &status.Finding{About: text.Plain("Preroll"),
		Text: text.NotRunningBefore.With(e.hms(start)),
		Hint: text.NotRunningHint.With()}
}

// partly returns a finding if Preroll did not run in a part of the minute asked for.
func (e Evidence) partly() (list []status.Finding) {
	for _, o := range Outages(e.Entries, e.At, e.At.Add(time.Minute)) {
		if end := e.Started; o.Camera == "" {
			for _, n := range e.Entries { // Outages ends it with the minute
				if n.Kind == history.Started && n.Time.After(o.From) {
					end = n.Time
					break
				}
			}
			list = append(list, status.Finding{About: text.Plain("Preroll"),
				Text: text.NotRunningFrom.With(e.hms(o.From), e.hms(end)), Hint: text.NotRunningHint.With()})
		}
	}
	return list
}

// outage is a stretch of time in which something did not work.
type outage struct {
	from, to time.Time // to is zero while the outage lasts
	kind     history.Kind
	why      text.Text
}

// outageOf returns the outage of a kind in the minute asked for, or nil. camera is "" for a kind that concerns no
// camera. known reports whether the history has an entry of these kinds since Preroll started.
func (e Evidence) outageOf(camera string, good history.Kind, bad ...history.Kind) (t *outage, known bool) {
	for _, n := range e.Entries {
		if n.Time.After(e.At.Add(time.Minute)) && t == nil {
			break
		}
		restart := n.Kind == history.Started || n.Kind == history.Stopped
		if restart && t == nil && n.Time.After(e.At) {
			break
		}
		switch {
		case restart || n.Kind == good && n.Camera == camera:
			if t != nil && n.Time.After(e.At) {
				t.to = n.Time
				return t, true
			}
			t, known = nil, !restart
		case slices.Contains(bad, n.Kind) && n.Camera == camera:
			if t == nil {
				t = &outage{from: n.Time}
			}
			if !n.Time.After(e.At.Add(time.Minute)) {
				t.kind, t.why = n.Kind, n.Text
			}
			known = true
		}
	}

	return t, known
}

func (e Evidence) pause() []status.Finding {
	t, _ := e.outageOf("", history.Resumed, history.Paused)
	if t == nil {
		return nil
	}
	return []status.Finding{{About: text.Pause.With(),
		Text: text.PausedFrom.With(e.hms(t.from), e.hms(t.to))}}
}

func (e Evidence) ram() []status.Finding {
	t, _ := e.outageOf("", history.RAMBack, history.RAMLost)
	if t == nil {
		return nil
	}
	return []status.Finding{{About: text.RAMDisk.With(),
		Text: text.RAMOutage.With(e.hms(t.from), e.hms(t.to), t.why),
		Hint: health.RAMHint}}
}

func (e Evidence) mailServer() (list []status.Finding, listening bool) {
	t, known := e.outageOf("", history.Listening, history.NotListening)
	switch {
	case t != nil:
		return []status.Finding{{About: text.AlarmMail.With(),
			Text: text.MailOutage.With(e.hms(t.from), e.hms(t.to), t.why)}}, false
	case known:
		return []status.Finding{{About: text.AlarmMail.With(), OK: true, Text: text.MailListening.With()}}, true
	}

	return nil, true
}

func (e Evidence) archiveTrouble() []status.Finding {
	t, _ := e.outageOf("", history.ArchiveBack, history.ArchiveLost)
	if t == nil {
		return nil
	}
	f := status.Finding{About: text.Archive.With(),
		Text: text.ArchiveOutage.With(e.hms(t.from), e.hms(t.to), t.why)}
	// The archive is no problem if an event has clips: its video waited in RAM.
	f.OK = slices.ContainsFunc(e.Events, func(ev event.Event) bool { return len(ev.Clips) > 0 })
	f.Warn = f.OK
	return []status.Finding{f}
}

// --- The camera ---

// cameraFindings reports on the camera asked for. For all cameras, it reports those that did not record.
func (e Evidence) cameraFindings() (list []status.Finding) {
	recorded := 0
	for _, c := range e.Cameras {
		if e.Camera != "" && c.ID != e.Camera {
			continue
		}
		t, known := e.outageOf(c.ID, history.Recording, history.NotRecording, history.Off)
		f := status.Finding{About: text.Plain(c.Title())}
		switch {
		case t != nil && t.kind == history.Off:
			f.Text, f.Hint = text.CameraOffFrom.With(e.hms(t.from), e.hms(t.to)),
				text.SwitchItOn.With()
		case t != nil:
			f.Text = text.NotRecordedFrom.With(e.hms(t.from), e.hms(t.to), t.why)
		case known:
			f.OK, f.Text = true, text.WasRecording.With()
			recorded++
		case !c.Enabled:
			f.Text, f.Hint = text.CameraOffNow.With(), text.SwitchItOn.With()
		default:
			n := e.next(c.ID, history.Recording)
			if n == nil {
				continue // the history has no entry about this camera
			}
			f.Text = text.NotRecordedBefore.With(e.hms(n.Time))
		}

		if e.Camera != "" || !f.OK && c.Enabled {
			list = append(list, f)
		}
	}

	if e.Camera == "" && list == nil && recorded > 0 {
		list = append(list, status.Finding{About: text.Cameras.With(), OK: true,
			Text: text.AllRecording.With(recorded)})
	}
	return list
}

// next returns the first entry of a kind after the time asked for, or nil if Preroll stopped or started before it.
func (e Evidence) next(camera string, kind history.Kind) *history.Entry {
	for i := range e.Entries {
		n := &e.Entries[i]
		switch {
		case !n.Time.After(e.At):
		case n.Kind == history.Started || n.Kind == history.Stopped:
			return nil
		case n.Kind == kind && n.Camera == camera:
			return n
		}
	}

	return nil
}

// ours reports whether an entry is about the camera asked for.
func (e Evidence) ours(n history.Entry) bool { return e.Camera == "" || n.Camera == e.Camera }

// --- Mails and events ---

// mails reports what became of the mails around the time asked for. With complain, it also reports that no mail came.
func (e Evidence) mails(complain bool) (list []status.Finding) {
	from, to := e.At.Add(-MailEarly), e.At.Add(MailLate)
	inTime := func(t time.Time) bool { return !t.Before(from) && !t.After(to) }
	told := map[string]bool{} // ids of events that are in the list already
	came := false             // a mail of this camera came in time
	last := e.LastMail
	for _, n := range e.Entries {
		f, ok := e.alarm(n)
		if !ok {
			continue
		}
		if n.Kind == history.Mail || n.Kind == history.Signal {
			told[n.Event] = true
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
		if n.Camera == "" && len(e.Events) > 0 { // probably the mail of another camera
			if e.Camera != "" {
				continue
			}
			f.OK, f.Warn = true, true
		}
		list = append(list, f)
	}

	for _, ev := range e.Events {
		for _, t := range ev.Triggers {
			if t.Source != event.Mail || told[ev.ID] || !inTime(t.Time) || len(list) >= toldMails {
				continue
			}
			told[ev.ID] = true
			list = append(list, status.Finding{About: text.AlarmMail.With(), OK: true,
				Text: text.MailCame.With(e.hms(t.Time), t.From)})
		}
	}

	if came || len(e.Events) > 0 || !complain {
		return list
	}
	if to.After(e.Now) {
		to = e.Now
	}
	f := status.Finding{About: text.AlarmMail.With(),
		Text: text.NoMailOfCamera.With(e.hm(from), e.hm(to))}
	f.Hint = text.NoMailOfCameraLast.With(e.hms(last))
	if last.IsZero() {
		f.Hint = text.NoMailOfCameraEver.With()
	}
	if e.Camera == "" {
		f.Text = text.NoMail.With(e.hm(from), e.hm(to))
		f.Hint = text.NoMailLast.With(e.hms(last))
		if last.IsZero() {
			f.Hint = text.NoMailEver.With()
		}
	}

	return append(list, f)
}

// alarm says what became of a mail or a signal. It returns false for other entries.
func (e Evidence) alarm(n history.Entry) (f status.Finding, ok bool) {
	f.About = text.AlarmMail.With()
	when := e.hms(n.Time)
	switch n.Kind {
	case history.Mail:
		f.OK, f.Text = true, text.MailCame.With(when, n.From)
		if e.isGone(n.Event) {
			f.OK, f.Text = false,
				text.MailEventGone.With(when, n.From)
			f.Hint = text.MailEventGoneHint.With()
		}
	case history.MailTest:
		f.OK, f.Warn, f.Text, f.Hint = true, true,
			text.MailTest.With(when, n.From),
			text.MailTestHint.With()
		if n.Camera == "" {
			f = status.Finding{About: text.AlarmMail.With(),
				Text: text.MailTestUnmatched.With(when, n.From),
				Hint: text.MailUnmatchedHint.With()}
		}
	case history.MailUnmatched:
		f.Text, f.Hint = text.MailUnmatched.With(when, n.From, n.Text),
			text.MailUnmatchedHint.With()
	case history.MailNotice:
		f.Text = text.MailNotice.With(when, n.From, n.Text)
		f.Hint = text.MailNoticeHint.With()
	case history.MailOff:
		f.Text, f.Hint = text.MailCameraOff.With(when, n.From),
			text.SwitchItOn.With()
	case history.MailPaused:
		f.Text = text.MailPaused.With(when, n.From)
	case history.MailFailed:
		f.Text = text.MailFailed.With(when, n.From, n.Text)
	case history.MailRefused:
		f.Text, f.Hint = text.MailRefused.With(n.From, when),
			text.MailRefusedHint.With()
	case history.Signal:
		f.About, f.OK, f.Text = text.AlarmCall.With(), true, text.CallCame.With(when, n.From)
		if e.isGone(n.Event) {
			f.OK, f.Text, f.Hint = false, text.CallEventGone.With(when, n.From), text.MailEventGoneHint.With()
		}
	case history.SignalOff:
		f.About, f.Text, f.Hint = text.AlarmCall.With(), text.CallCameraOff.With(when, n.From),
			text.SwitchItOn.With()
	case history.SignalPaused:
		f.About, f.Text = text.AlarmCall.With(), text.CallPaused.With(when, n.From)
	case history.SignalEnd:
		f.About, f.OK, f.Warn, f.Text = text.AlarmCall.With(), true, true, text.CallEnd.With(when, n.From)
	case history.SignalFailed:
		f.About, f.Text = text.AlarmCall.With(), text.CallFailed.With(when, n.From, n.Text)
	default:
		return f, false
	}
	return f, true
}

// has reports whether an event is in the list, such as one that was taken back from the trash.
func (e Evidence) has(id string) bool {
	return slices.ContainsFunc(e.Events, func(ev event.Event) bool { return ev.ID == id })
}

// isGone reports whether a mail's event is neither in the list nor known to be removed.
func (e Evidence) isGone(id string) bool {
	return id != "" && !e.has(id) &&
		!slices.ContainsFunc(e.Entries, func(n history.Entry) bool {
			return n.Kind == history.Removed && n.Event == id
		})
}

// removals reports events around the time asked for that were removed.
func (e Evidence) removals() (list []status.Finding) {
	last := map[string]time.Time{} // an event can be taken back and removed again
	for _, n := range e.Entries {
		if n.Kind == history.Removed {
			last[n.Event] = n.Time
		}
	}
	for _, n := range e.Entries {
		if n.Kind == history.Removed && n.Time.Equal(last[n.Event]) && e.ours(n) && !e.has(n.Event) &&
			!n.About.Before(e.At.Add(-max(MailEarly, e.Longest))) &&
			!n.About.After(e.At.Add(MailLate)) && len(list) < toldMails {
			f := status.Finding{About: text.Archive.With(),
				Text: text.EventRemoved.With(e.hms(n.About), e.hms(n.Time),
					n.Text)}
			switch {
			case n.Text.Is(text.RemovedByLimits):
				f.Hint = text.RemovedByLimitsHint.With()
			case e.Trash[n.Event]:
				f.Hint = text.InTrashHint.With()
			}
			list = append(list, f)
		}
	}

	return list
}

// eventFindings reports the events around the time asked for.
func (e Evidence) eventFindings() (list []status.Finding) {
	reached := false
	for _, ev := range e.Events {
		reached = reached || !ev.From.After(e.At.Add(time.Minute))
		if len(list) == toldMails {
			continue
		}
		f := status.Finding{About: text.Plain(ev.Title()), OK: true}
		when := e.hms(ev.Time)
		switch ev.State {
		case event.Saved:
			f.Text = text.EventSaved.With(when,
				ev.Length().Seconds(), ev.Receipt.PreRollGot.D().Seconds())
			if ev.Continues != "" {
				f.Text = text.EventContinued.With(when,
					ev.Length().Seconds())
			}
		case event.Incomplete:
			f.Warn, f.Text, f.Hint = true,
				text.EventIncomplete.With(when,
					ev.Length().Seconds(), ev.Receipt.PreRollGot.D().Seconds()), ev.Why()
		case event.Failed:
			f.OK, f.Text, f.Hint = false, text.EventFailed.With(when), ev.Why()
		default:
			f.Text = text.EventSaving.With(when)
		}

		list = append(list, f)
	}

	if len(e.Events) > 0 && !reached {
		first := e.Events[0]
		list = append(list, status.Finding{About: text.AlarmMail.With(), OK: true, Warn: true,
			Text: text.FirstAlarmLate.With(e.hms(first.Time),
				e.hms(first.From)),
			Hint: text.FirstAlarmLateHint.With()})
	}

	return list
}

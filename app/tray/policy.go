package tray

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

const (
	maxAge     = time.Minute      // an event that ended longer ago is no news
	burst      = 10 * time.Second // clips that end closer together than this may share one notification
	rushFrom   = 3                // up to this many clips get one notification each
	flapIn     = 10 * time.Minute // more than flapFrom changes of a camera within this time are reported once
	flapFrom   = 3
	cameraWait = time.Minute      // a camera that is away for less is not reported
	startWait  = 10 * time.Second // time that a recorder gets to restart
	otherWait  = 3 * time.Second  // how long other changes must last
	heldLines  = 5                // max lines about problems in the notification after the quiet hours
)

// update is what the recorder reported. An empty update only lets time pass.
type update struct {
	status       *status.Status // nil if unchanged
	disconnected bool           // no recorder answers
	first        bool           // the first update of a watch: events that ended earlier are no news
	events       []event.Event
	removed      []string
}

// notification is what the user is told.
type notification struct {
	key, title, body string
	picture          string
	acts             []act
	closes           []string // keys of notifications to close; without a title, the notification only closes them
	update           bool     // shown only in place of a notification that is still there
}

// act is an action of a notification. A click on the notification runs the first action.
type act struct {
	label string
	do    command
}

// policy decides what the user is told, and when. policy reads no clock: see gets the time, and next returns when see
// must be called again.
type policy struct {
	status   *status.Status
	events   map[string]*eventState
	recent   []shownClip // the latest clips, each within burst of the next
	joined   bool        // one notification stands for all clips in recent
	problems map[string]*problemState
	backlog  quietBacklog
}

// eventState is what the user was told of an event.
type eventState struct {
	ended    time.Time // zero while the event is open
	alarm    bool      // the user was told of the alarm
	pictured bool      // the notification had the picture of the mail
}

type shownClip struct {
	id, camera string
	at         time.Time
	clip       bool
}

// problemState is a problem that exists or existed recently.
type problemState struct {
	status.Problem
	name     string // of the camera that the problem is about
	there    bool
	since    time.Time   // when there last changed
	began    time.Time   // when the problem came
	changes  []time.Time // of a camera, within flapIn
	notified bool        // the user was told of the problem
	flaps    bool        // the user was told that the problem comes and goes
}

// quietBacklog is what the quiet hours held back.
type quietBacklog struct {
	events map[string]event.Event // by id
	lines  []string
}

func newPolicy() *policy {
	return &policy{events: map[string]*eventState{}, problems: map[string]*problemState{}}
}

// see returns the notifications to show now.
func (n *policy) see(now time.Time, u update) []notification {
	var list []notification
	if u.status != nil {
		if n.status != nil && n.status.Started.Equal(u.status.Started) && u.status.SMTP.Tests > n.status.SMTP.Tests &&
			!n.quiet(now) {
			list = append(list, notification{key: "test mail", title: words.L("Test mail received"),
				body: words.Say(u.status.SMTP.LastTest)})
		}
		n.status = u.status
	}

	if n.status == nil {
		return nil
	}
	if !n.quiet(now) {
		list = append(list, n.afterQuiet()...)
	}
	for _, e := range u.events {
		list = append(list, n.seeEvent(now, e, u.first)...)
	}
	for _, id := range u.removed {
		delete(n.backlog.events, id)
		if s := n.events[id]; s != nil {
			delete(n.events, id)
			list = append(list, notification{closes: []string{id}})
		}
	}
	maps.DeleteFunc(n.events, func(_ string, s *eventState) bool {
		return !s.ended.IsZero() && now.Sub(s.ended) > 2*maxAge
	})
	return append(list, n.seeTrouble(now, u)...)
}

func (n *policy) quiet(now time.Time) bool { return n.status.Notify.IsQuiet(now.Local()) }

// quietSince returns when the quiet hours of now began, to the minute.
func (n *policy) quietSince(now time.Time) time.Time {
	t := now.Truncate(time.Minute)
	for t.Sub(now).Abs() < 24*time.Hour && n.quiet(t.Add(-time.Minute)) {
		t = t.Add(-time.Minute)
	}
	return t
}

// --- Events ---

// seeEvent handles a new or changed event. Events that ended before the tray started are no news, and each event ends
// once.
func (n *policy) seeEvent(now time.Time, e event.Event, first bool) []notification {
	s := n.events[e.ID]
	known := s != nil
	if !known {
		s = &eventState{}
		n.events[e.ID] = s
	}
	wanted := n.wants(e.Camera)
	if !e.State.Ended() {
		s.ended = time.Time{}
		tell := n.status.Notify.Alarm && wanted && !n.quiet(now)
		switch {
		case !known && (first || e.Continues != "" || !tell):
			return nil
		case !known:
			s.alarm = true
		case !s.alarm || !tell || s.pictured || e.Snapshot == "":
			return nil
		}

		s.pictured = e.Snapshot != ""
		return []notification{{key: e.ID, title: title(e), body: words.L("Saving the clip"),
			picture: n.path(e, e.Snapshot),
			update:  known, acts: []act{{words.L("Open"), command{do: doEvent, id: e.ID}}}}}
	}

	if known && !s.ended.IsZero() { // the event changed again, for example it was protected
		return nil
	}
	s.ended = now
	tell := n.status.Notify.Saved || n.status.Notify.Trouble && e.State != event.Saved
	if !known && (first || now.Sub(e.SavedAt) > maxAge) {
		if tell && wanted && n.quiet(now) && e.SavedAt.After(n.quietSince(now)) { // before the tray was started again
			n.backlog.add(e)
		}
		return nil
	}
	switch {
	case tell && wanted && n.quiet(now):
		n.backlog.add(e)
		fallthrough
	case !tell || !wanted:
		if s.alarm { // else the notification would forever say that the clip is being saved
			return []notification{{closes: []string{e.ID}}}
		}
		return nil
	}

	return n.join(now, e)
}

// join returns the notification of an event that ended. If many events ended in a short time, one notification replaces
// all.
func (n *policy) join(now time.Time, e event.Event) []notification {
	n.recent = slices.DeleteFunc(n.recent, func(c shownClip) bool { return !n.joined && now.Sub(c.at) >= burst })
	if n.joined && now.Sub(n.recent[len(n.recent)-1].at) >= burst {
		n.recent, n.joined = nil, false
	}
	n.recent = append(n.recent, shownClip{e.ID, e.Title(), now, len(e.Clips) > 0})
	if len(n.recent) <= rushFrom {
		return []notification{n.ended(e)}
	}
	j := notification{key: "clips", acts: []act{{words.L("Open"), command{do: doPage, id: "events"}}}}
	j.closes = []string{e.ID}
	if !n.joined {
		j.closes = nil
		for _, c := range n.recent {
			j.closes = append(j.closes, c.id)
		}
	}
	n.joined = true
	clips, cameras := 0, map[string]bool{}
	for _, c := range n.recent {
		cameras[c.camera] = true
		if c.clip {
			clips++
		}
	}
	j.title = clipsFrom(clips, slices.Sorted(maps.Keys(cameras)))
	if lost := len(n.recent) - clips; lost > 0 {
		j.body = words.N(lost, "1 event has no clip", "%d events have no clip")
	}
	return []notification{j}
}

// ended returns the notification of one event.
func (n *policy) ended(e event.Event) notification {
	t := notification{key: e.ID, title: title(e), picture: n.path(e, e.Thumbnail)}
	if t.picture == "" {
		t.picture = n.path(e, e.Snapshot)
	}
	facts := []string{words.L("Clip saved"), words.Length(e.Length()), words.Size(e.Bytes())}
	if e.Continues == "" && e.Receipt.PreRollGot > 0 {
		facts = append(facts, words.L("from %s before the alarm",
			words.Ago(e.Receipt.PreRollGot.D().Round(time.Second))))
	}
	switch e.State {
	case event.Incomplete:
		t.body = words.L("Clip saved, but not complete: %s", words.Say(e.Why()))
	case event.Failed:
		t.body = words.L("No clip: %s", words.Say(e.Why()))
	default:
		t.body = strings.Join(facts, " · ")
	}

	if len(e.Clips) == 0 {
		t.acts = []act{{words.L("Open"), command{do: doEvent, id: e.ID}}}
		return t
	}
	clip := n.path(e, e.Clips[0].File)
	t.acts = []act{
		{words.L("Play"), command{do: doEvent, id: e.ID, path: clip}},
		{words.L("Show in folder"), command{do: doReveal, path: clip}},
		{words.L("Protect"), command{do: doProtect, id: e.ID, path: clip, title: t.title}},
	}
	return t
}

// path returns the full path of a file of an event, or "".
func (n *policy) path(e event.Event, file string) string {
	if file == "" {
		return ""
	}
	return e.Path(n.status.Archive.Path, file)
}

// wants reports whether the settings of a camera ask for notifications of its events.
func (n *policy) wants(camera string) bool {
	c, ok := cameraOf(n.status, camera)
	return !ok || c.Notify
}

func cameraOf(s *status.Status, id string) (status.Camera, bool) {
	i := slices.IndexFunc(s.Cameras, func(c status.Camera) bool { return c.ID == id })
	if i < 0 {
		return status.Camera{}, false
	}
	return s.Cameras[i], true
}

func title(e event.Event) string {
	if e.Label == "" {
		return e.Title()
	}
	return words.L("%s: %s", e.Title(), words.Label(e.Label))
}

func clipsFrom(clips int, cameras []string) string {
	what := words.N(clips, "1 clip", "%d clips")
	if len(cameras) == 1 {
		return words.L("%s from %s", what, cameras[0])
	}
	return words.L("%s from %s", what, words.N(len(cameras), "1 camera", "%d cameras"))
}

// --- Problems ---

// seeTrouble tracks the problems. It returns one notification when a problem has come and one when it has gone, if the
// change lasts.
func (n *policy) seeTrouble(now time.Time, u update) []notification {
	if u.status != nil || u.disconnected {
		n.compare(now, u.disconnected)
	}
	var list []notification
	for _, key := range slices.Sorted(maps.Keys(n.problems)) {
		t := n.problems[key]
		body, title := "", ""
		calm := now.Sub(t.since) >= t.wait()
		t.changes = slices.DeleteFunc(t.changes, func(at time.Time) bool { return now.Sub(at) >= flapIn })
		switch {
		case t.flaps:
			if now.Sub(t.since) < flapIn {
				continue
			}
			t.flaps, t.notified = false, t.there
			if title, body = t.cameText(n.status); !t.there {
				title, body = words.L("%s records again", t.name),
					words.L("It has kept the connection for %s.", words.Ago(flapIn))
			}
		case len(t.changes) > flapFrom:
			t.flaps, t.notified = true, true
			title, body = words.L("%s keeps losing the connection", t.name), words.Say(t.Hint)
		case t.there && !t.notified && calm:
			t.notified = true
			title, body = t.cameText(n.status)
		case !t.there && t.notified && calm:
			t.notified = false
			if title, body = t.wentText(); n.other(t) { // the user is told of the other problem instead
				title = ""
				list = append(list, notification{closes: []string{"trouble " + key}})
			}
		}

		if title != "" && n.status.Notify.Trouble {
			page := "health"
			if t.Code == "camera" {
				page = "cameras"
			}
			if n.quiet(now) {
				n.backlog.lines = append(n.backlog.lines, title)
			} else {
				list = append(list, notification{key: "trouble " + key, title: title, body: body,
					acts: []act{{words.L("Open"), command{do: doPage, id: page}}}})
			}
		}

		if !t.there && !t.notified && !t.flaps && len(t.changes) == 0 {
			delete(n.problems, key)
		}
	}

	return list
}

// compare records which problems came and which went.
func (n *policy) compare(now time.Time, disconnected bool) {
	there := map[string]status.Problem{}
	if disconnected {
		there["recorder "] = status.Problem{Code: "recorder", Text: text.Plain(words.L("The recorder does not run")),
			Hint: text.Plain(words.L("Nothing is recorded. Start Preroll, or its service."))}
		for key, t := range n.problems { // without a recorder, the other problems are taken to last
			if t.there {
				there[key] = t.Problem
			}
		}
	} else {
		for _, p := range n.status.Problems {
			if _, ok := there[p.Code+" "+p.About]; !ok {
				there[p.Code+" "+p.About] = p
			}
		}
		for key, t := range n.problems {
			c, _ := cameraOf(n.status, t.About)
			if t.there && t.Code == "camera" && c.State == status.Connecting { // the camera only tries to connect again
				there[key] = t.Problem
			}
		}
	}

	for key, p := range there {
		t := n.problems[key]
		if t == nil {
			t = &problemState{}
			n.problems[key] = t
		}
		t.Problem = p
		if c, ok := cameraOf(n.status, p.About); ok {
			t.name = c.Name
		}
		if !t.there {
			if !t.notified {
				t.began = now
			}
			t.change(now, true)
		}
	}

	for key, t := range n.problems {
		if _, ok := there[key]; !ok && t.there {
			t.change(now, false)
		}
	}
}

func (t *problemState) change(now time.Time, there bool) {
	t.there, t.since = there, now
	if t.Code == "camera" {
		t.changes = append(t.changes, now)
	}
}

// wait returns how long a change must last before the user is told.
func (t *problemState) wait() time.Duration {
	switch {
	case t.there && t.Code == "camera":
		return cameraWait
	case t.there && t.Code == "recorder":
		return startWait
	}
	return otherWait
}

// other reports whether another problem of the same kind remains. Then the end of t is no good news.
func (n *policy) other(t *problemState) bool {
	for _, o := range n.problems {
		if o != t && o.there && o.About == t.About && o.Code != mailStorm && t.Code != mailStorm {
			return true
		}
	}
	return false
}

// mailStorm is the key of a camera's problem that does not concern the video.
const mailStorm = "mail-storm"

func (t *problemState) cameText(s *status.Status) (title, body string) {
	if t.Code == mailStorm {
		return words.L("%s: %s", t.name, words.Say(t.Text)), words.Say(t.Hint)
	}
	if t.Code != "camera" {
		return words.Say(t.Text), words.Say(t.Hint)
	}
	body = words.Say(t.Text)
	if c, ok := cameraOf(s, t.About); ok && !c.Text.IsZero() && c.State == status.Waiting {
		body = strings.TrimSpace(words.Say(c.Text) + "\n" + words.Say(c.Hint))
	}
	return words.L("%s is not recording", t.name), body
}

func (t *problemState) wentText() (title, body string) {
	took := words.L("Interrupted for %s.", words.Ago(t.since.Sub(t.began)))
	switch t.Code {
	case "camera":
		return words.L("%s records again", t.name), words.L("It was away for %s.", words.Ago(t.since.Sub(t.began)))
	case "ffmpeg":
		return words.L("FFmpeg works again"), took
	case "ram-gone", "ram-disk":
		return words.L("The RAM disk works again"), took
	case "ram-short":
		return words.L("The RAM budget is enough again"), took
	case "archive-full":
		return words.L("The archive drive has room again"), took
	case "archive-gone", "archive":
		return words.L("The archive drive works again"), took
	case "smtp":
		return words.L("Alarm mail can come in again"), took
	case "recorder":
		return words.L("The recorder runs again"), took
	}

	return words.L("Solved: %s", words.Say(t.Text)), took
}

// --- Quiet hours and timing ---

func (h *quietBacklog) add(e event.Event) {
	if h.events == nil {
		h.events = map[string]event.Event{}
	}
	h.events[e.ID] = e
}

// afterQuiet returns the notification about what the quiet hours held back.
func (n *policy) afterQuiet() []notification {
	h := n.backlog
	n.backlog = quietBacklog{}
	var lines []string
	clips, lost, cameras := 0, 0, map[string]string{}
	for _, e := range h.events {
		if len(e.Clips) > 0 {
			clips++
			cameras[e.Camera] = e.Title()
		} else {
			lost++
		}
	}
	if clips > 0 {
		lines = append(lines, clipsFrom(clips, slices.Sorted(maps.Values(cameras))))
	}
	if lost > 0 {
		lines = append(lines, words.N(lost, "1 event has no clip", "%d events have no clip"))
	}
	if more := len(h.lines) - heldLines; more > 0 {
		h.lines = append([]string{words.L("and %d more", more)}, h.lines[more:]...)
	}
	if lines = append(lines, h.lines...); lines == nil {
		return nil
	}
	return []notification{{key: "quiet", title: words.L("In the quiet hours"), body: strings.Join(lines, "\n"),
		acts: []act{{words.L("Open"), command{do: doPage, id: "events"}}}}}
}

// next returns when see must be called even if nothing happens. Zero means never.
func (n *policy) next(now time.Time) time.Time {
	var at time.Time
	earliest := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, t := range n.problems {
		switch {
		case t.flaps:
			earliest(t.since.Add(flapIn))
		case t.there != t.notified:
			earliest(t.since.Add(t.wait()))
		}
	}

	if len(n.backlog.events) > 0 || n.backlog.lines != nil {
		for t := now.Truncate(time.Minute).Add(time.Minute); ; t = t.Add(time.Minute) {
			if !n.quiet(t) || t.Sub(now) > 24*time.Hour {
				earliest(t)
				break
			}
		}
	}

	return at
}

package tray

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// told lists notifications: "key|title|body", with "+" in front of an update, and "x key" for each closed notification.
func told(notes []notification) (l []string) {
	for _, n := range notes {
		for _, c := range n.closes {
			l = append(l, "x "+c)
		}
		if n.title != "" {
			s := n.key + "|" + n.title + "|" + n.body
			if n.update {
				s = "+" + s
			}
			l = append(l, s)
		}
	}
	return l
}

// play is a policy with a clock.
type play struct {
	*testing.T
	n   *policy
	now time.Time
}

func begin(t *testing.T, s status.Status) *play {
	p := &play{t, newPolicy(), noon}
	p.see(update{status: &s, first: true})
	return p
}

func (p *play) see(u update, want ...string) {
	p.Helper()
	if got := told(p.n.see(p.now, u)); !reflect.DeepEqual(got, want) {
		p.Errorf("at %s told %q\nwant %q", p.now.Sub(noon), got, want)
	}
}

func (p *play) wait(d time.Duration) { p.now = p.now.Add(d) }

// next checks that the policy wants a call after d; -1 means no call.
func (p *play) next(d time.Duration) {
	p.Helper()
	at := p.n.next(p.now)
	if d < 0 && !at.IsZero() || d >= 0 && (at.IsZero() || at.Sub(p.now) != d) {
		p.Errorf("at %s: next at %s, want in %s", p.now.Sub(noon), at, d)
	}
}

func standard() status.Status {
	return status.Status{Notify: config.Notify{Alarm: true, Saved: true, Trouble: true},
		Archive: status.Archive{Path: "/a"},
		Cameras: []status.Camera{camera("a", "Gate", status.Recording), camera("b", "Yard", status.Recording),
			{ID: "m", Name: "Mute", State: status.Recording}}}
}

func happened(id, cam, name string, s event.State) event.Event {
	e := event.Event{ID: id, Camera: cam, CameraName: name, Label: "person", State: s, Folder: "f", Time: noon}
	if s.Ended() {
		e.SavedAt = noon
	}
	if s == event.Saved || s == event.Incomplete {
		e.Thumbnail = "t.jpg"
		e.Clips = []event.Clip{{File: "c.mp4", Bytes: 3 << 20, Length: event.Seconds(70 * time.Second)}}
		e.Receipt.PreRollGot = event.Seconds(10400 * time.Millisecond)
	}
	if s == event.Failed || s == event.Incomplete {
		e.Reason = "No video came."
	}
	return e
}

func one(e event.Event) update { return update{events: []event.Event{e}} }

const (
	alarm = "1|Gate: person|Saving the clip"
	saved = "1|Gate: person|Clip saved · 1:10 · 3.1 MB · from 10 s before the alarm"
)

func TestEventNews(t *testing.T) {
	open, done := happened("1", "a", "Gate", event.Recording), happened("1", "a", "Gate", event.Saved)
	pictured := open
	pictured.Snapshot = "s.jpg"
	muted := func(change func(*status.Status)) status.Status {
		s := standard()
		change(&s)
		return s
	}
	old := done
	old.SavedAt = noon.Add(-2 * maxAge)
	protected := done
	protected.Protected = true
	following := open
	following.Continues = "0"
	for _, tc := range []struct {
		name   string
		status status.Status
		says   []update
		want   []string
	}{
		{"alarm, picture, clip", standard(),
			[]update{one(open), one(open), one(pictured), one(pictured), one(done), one(protected)},
			[]string{alarm, "+" + alarm, saved}},
		{"picture at once", standard(), []update{one(pictured), one(pictured), one(done)}, []string{alarm, saved}},
		{"incomplete", standard(), []update{one(open), one(happened("1", "a", "Gate", event.Incomplete))},
			[]string{alarm, "1|Gate: person|Clip saved, but not complete: No video came."}},
		{"failed", standard(), []update{one(open), one(happened("1", "a", "Gate", event.Failed))},
			[]string{alarm, "1|Gate: person|No clip: No video came."}},
		{"open before the tray", standard(),
			[]update{{first: true, events: []event.Event{open}}, one(pictured), one(done)}, []string{saved}},
		{"ended before the tray", standard(), []update{{first: true, events: []event.Event{done}}, one(protected)},
			nil},
		{"ended while the recorder was gone", standard(),
			[]update{one(open), {disconnected: true}, {first: true, events: []event.Event{done}}},
			[]string{alarm, saved}},
		{"an old one is protected", standard(), []update{one(old)}, nil},
		{"follows another", standard(), []update{one(following), one(done)}, []string{saved}},
		{"removed while it is open", standard(), []update{one(open), {removed: []string{"1", "2"}}},
			[]string{alarm, "x 1"}},
		{"no alarms", muted(func(s *status.Status) { s.Notify.Alarm = false }),
			[]update{one(open), one(pictured), one(done)}, []string{saved}},
		{"alarms only", muted(func(s *status.Status) { s.Notify.Saved = false }), []update{one(open), one(done)},
			[]string{alarm, "x 1"}},
		{"alarms only, and it failed", muted(func(s *status.Status) { s.Notify.Saved = false }),
			[]update{one(open), one(happened("1", "a", "Gate", event.Failed))},
			[]string{alarm, "1|Gate: person|No clip: No video came."}},
		{"a camera that is not told of", standard(),
			[]update{one(happened("1", "m", "Mute", event.Recording)), one(happened("1", "m", "Mute", event.Failed))},
			nil},
	} {
		p := begin(t, tc.status)
		var got []string
		for _, u := range tc.says {
			p.wait(time.Second)
			got = append(got, told(p.n.see(p.now, u))...)
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: told %q\nwant %q", tc.name, got, tc.want)
		}
	}
}

func TestNoteOfAnEvent(t *testing.T) {
	p := begin(t, standard())
	e := happened("1", "a", "Gate", event.Recording)
	e.Snapshot = "s.jpg"
	n := p.n.see(p.now, one(e))[0]
	if n.picture != "/a/f/s.jpg" || len(n.acts) != 1 || n.acts[0].do != (command{do: doEvent, id: "1"}) {
		t.Errorf("alarm: %+v", n)
	}
	n = p.n.see(p.now, one(happened("1", "a", "Gate", event.Saved)))[0]
	want := []act{{"Play", command{do: doEvent, id: "1", path: "/a/f/c.mp4"}},
		{"Show in folder", command{do: doReveal, path: "/a/f/c.mp4"}},
		{"Protect", command{do: doProtect, id: "1", path: "/a/f/c.mp4", title: "Gate: person"}}}
	if n.picture != "/a/f/t.jpg" || !reflect.DeepEqual(n.acts, want) {
		t.Errorf("saved: %+v", n)
	}
	n = p.n.see(p.now, one(happened("2", "a", "Gate", event.Failed)))[0]
	if n.picture != "" || len(n.acts) != 1 || n.acts[0].do != (command{do: doEvent, id: "2"}) {
		t.Errorf("failed: %+v", n)
	}
}

func TestManyClips(t *testing.T) {
	p := begin(t, standard())
	clip := func(i int, cam, name string, s event.State) update {
		e := happened(fmt.Sprint(i), cam, name, s)
		e.SavedAt = p.now
		return one(e)
	}
	single := func(i int) string { return strings.Replace(saved, "1|", fmt.Sprint(i, "|"), 1) }
	for i := 1; i <= 3; i++ {
		p.see(clip(i, "a", "Gate", event.Saved), single(i))
		p.wait(3 * time.Second)
	}
	p.see(clip(4, "a", "Gate", event.Saved), "x 1", "x 2", "x 3", "x 4", "clips|4 clips from Gate|")
	p.wait(9 * time.Second)
	p.see(clip(5, "b", "Yard", event.Saved), "x 5", "clips|5 clips from 2 cameras|")
	p.wait(9 * time.Second)
	p.see(clip(6, "b", "Yard", event.Failed), "x 6", "clips|5 clips from 2 cameras|1 event has no clip")
	p.wait(10 * time.Second)
	p.see(clip(7, "a", "Gate", event.Saved), single(7))
	for i := 8; i < 20; i++ { // never more than 3 in 10 s
		p.wait(4 * time.Second)
		p.see(clip(i, "a", "Gate", event.Saved), single(i))
	}
	p.next(-1)
}

func TestTestMail(t *testing.T) {
	s := standard()
	p := begin(t, s)
	s.SMTP.Tests, s.SMTP.LastTest = 1, text.Plain("Gate: the camera's mail settings work.")
	again := s
	p.see(update{status: &s}, "test mail|Test mail received|Gate: the camera's mail settings work.")
	p.see(update{status: &again})
	restarted := s
	restarted.Started, restarted.SMTP.Tests = noon, 5
	p.see(update{status: &restarted, first: true})
}

// with returns an update whose status has problems.
func with(problems ...status.Problem) update {
	s := standard()
	s.Problems = problems
	for _, p := range problems {
		for i, c := range s.Cameras {
			if c.ID == p.About {
				s.Cameras[i].State, s.Cameras[i].Text, s.Cameras[i].Hint = status.Waiting, text.Plain("No answer"),
					text.Plain("Is it on?")
			}
		}
	}
	return update{status: &s}
}

var (
	gateAway = status.Problem{Code: "camera", About: "a", Text: text.Plain("Gate: No answer"),
		Hint: text.Plain("Is it on?")}
	full = status.Problem{Code: "archive-full", About: "archive", Text: text.Plain("The drive is full"),
		Hint: text.Plain("Delete something.")}
	gone = status.Problem{Code: "archive-gone", About: "archive", Text: text.Plain("The drive is gone"),
		Hint: text.Plain("Plug it in.")}
)

func TestCameraTrouble(t *testing.T) {
	p := begin(t, standard())
	p.next(-1)
	p.see(with(gateAway))
	p.next(cameraWait)
	p.wait(30 * time.Second)
	p.see(with()) // the camera is back before the user was told
	p.next(-1)
	p.wait(20 * time.Minute)
	p.see(with(gateAway))
	p.wait(30 * time.Second)
	trying := with()
	trying.status.Cameras[0].State = status.Connecting
	p.see(trying)
	p.wait(time.Second)
	p.see(with(gateAway))
	p.next(29 * time.Second)
	p.wait(29 * time.Second)
	p.see(update{}, "trouble camera a|Gate is not recording|No answer\nIs it on?")
	p.see(with(gateAway))
	p.next(-1)
	p.wait(11 * time.Minute)
	p.see(with())
	p.next(otherWait)
	p.wait(otherWait)
	p.see(update{}, "trouble camera a|Gate records again|It was away for 12 min.")
	p.wait(20 * time.Minute)
	p.see(with())
	if len(p.n.problems) != 0 {
		t.Errorf("kept: %v", p.n.problems)
	}
}

func TestFlappingCamera(t *testing.T) {
	for _, tc := range []struct {
		name string
		last update
		want string
	}{
		{"stays", with(), "trouble camera a|Gate records again|It has kept the connection for 10 min."},
		{"stays away", with(gateAway), "trouble camera a|Gate is not recording|No answer\nIs it on?"},
	} {
		p := begin(t, standard())
		for _, u := range []update{with(gateAway), with(), with(gateAway)} {
			p.see(u)
			p.wait(20 * time.Second)
		}
		p.see(with(), "trouble camera a|Gate keeps losing the connection|Is it on?")
		for range 5 {
			p.wait(time.Minute)
			p.see(with(gateAway))
			p.wait(2 * time.Minute)
			p.see(with())
		}
		p.see(tc.last)
		p.next(flapIn)
		p.wait(flapIn)
		p.see(update{}, tc.want)
		p.next(-1)
	}
}

func TestOtherTrouble(t *testing.T) {
	p := begin(t, standard())
	p.see(with(full))
	p.see(with())
	p.see(with(full))
	p.next(otherWait)
	p.wait(otherWait)
	p.see(with(full), "trouble archive-full archive|The drive is full|Delete something.")
	p.wait(time.Minute)
	p.see(with(gone)) // another problem instead of the first is no good news
	p.wait(otherWait)
	p.see(update{}, "x trouble archive-full archive", "trouble archive-gone archive|The drive is gone|Plug it in.")
	p.wait(20 * time.Minute)
	p.see(with())
	p.wait(otherWait)
	p.see(update{}, "trouble archive-gone archive|The archive drive works again|Interrupted for 20 min.")
}

// TestMailStorm checks that a mail storm is reported under the name of its camera, independently of the camera's video.
func TestMailStorm(t *testing.T) {
	storm := status.Problem{Code: mailStorm, About: "a", Text: text.Plain("600 alarm mails came"),
		Hint: text.Plain("See who sends them.")}
	p := begin(t, standard())
	both := with(gateAway, storm)
	p.see(both)
	p.wait(otherWait)
	p.see(both, "trouble mail-storm a|Gate: 600 alarm mails came|See who sends them.")
	p.wait(cameraWait)
	p.see(both, "trouble camera a|Gate is not recording|No answer\nIs it on?")
	p.wait(10 * time.Minute)
	p.see(with(storm))
	p.wait(otherWait)
	p.see(update{}, "trouble camera a|Gate records again|It was away for 11 min.")
}

func TestRecorderGone(t *testing.T) {
	p := begin(t, standard())
	p.see(update{disconnected: true})
	p.wait(startWait - time.Second)
	u := with()
	u.first = true
	p.see(u) // the recorder has restarted
	p.next(-1)
	p.see(update{disconnected: true})
	p.wait(startWait)
	p.see(update{disconnected: true},
		"trouble recorder |The recorder does not run|Nothing is recorded. Start Preroll, or its service.")
	p.wait(time.Minute)
	p.see(u)
	p.wait(otherWait)
	p.see(update{}, "trouble recorder |The recorder runs again|Interrupted for 70 s.")
}

func TestNoTroubleWanted(t *testing.T) {
	p := begin(t, standard())
	u := with(full)
	u.status.Notify.Trouble = false
	p.see(u)
	p.wait(otherWait)
	p.see(update{})
	p.next(-1)
}

func TestQuietHours(t *testing.T) {
	quiet := func(u update) update {
		if u.status == nil {
			s := standard()
			u.status = &s
		}
		u.status.Notify.Quiet = "12:00-13:00"
		return u
	}
	p := begin(t, standard())
	p.now = noon.Add(-time.Minute)
	p.see(one(happened("1", "a", "Gate", event.Recording)), alarm)
	p.now = noon
	p.see(quiet(update{}))
	p.next(-1)
	p.see(one(happened("1", "a", "Gate", event.Saved)), "x 1")
	p.next(time.Hour)
	p.see(one(happened("2", "b", "Yard", event.Recording)))
	p.see(one(happened("2", "b", "Yard", event.Failed)))
	p.see(one(happened("3", "m", "Mute", event.Saved)))
	p.see(quiet(with(full)))
	p.wait(otherWait)
	p.see(update{})
	p.see(quiet(with()))
	p.wait(otherWait)
	p.see(update{})
	p.now = noon.Add(time.Hour)
	p.see(update{},
		"quiet|In the quiet hours|1 clip from Gate\n1 event has no clip\nThe drive is full\nThe archive drive has room again")
	p.see(update{})
	p.next(-1)
}

func TestManyHeld(t *testing.T) {
	p := begin(t, standard())
	for i := range 8 {
		p.n.backlog.lines = append(p.n.backlog.lines, fmt.Sprint(i))
	}
	p.see(update{}, "quiet|In the quiet hours|and 3 more\n3\n4\n5\n6\n7")
}

// TestQuietHoursOfATrayThatStartsLate counts what was saved in these quiet hours before the tray started, and not what
// was removed again.
func TestQuietHoursOfATrayThatStartsLate(t *testing.T) {
	s := standard()
	s.Notify.Quiet = "12:00-13:00"
	n := newPolicy()
	now := noon.Add(30 * time.Minute)
	saved := func(id string, at time.Duration) event.Event {
		e := happened(id, "a", "Gate", event.Saved)
		e.SavedAt = noon.Add(at)
		return e
	}
	first := update{status: &s, first: true, events: []event.Event{saved("1", -time.Minute), saved("2", time.Minute),
		saved("3", 2*time.Minute), saved("4", 3*time.Minute)}}
	if got := n.see(now, first); len(got) > 0 {
		t.Fatalf("in the quiet hours: %v", got)
	}
	n.see(now, update{removed: []string{"4"}})
	got := n.see(noon.Add(time.Hour), update{})
	if len(got) != 1 || got[0].body != "2 clips from Gate" {
		t.Errorf("after the quiet hours: %v", got)
	}
}

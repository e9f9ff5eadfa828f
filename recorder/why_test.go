package recorder

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
)

// day is a time of the day that the table of TestWhy is about.
func day(clock string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, "2026-11-22 "+clock, time.Local)
	if err != nil {
		panic(err)
	}
	return t
}

// said is a finding as a line: "!" broken, "?" doubtful, "+" well.
func said(f status.Finding) string {
	mark := "!"
	switch {
	case f.Warn:
		mark = "?"
	case f.OK:
		mark = "+"
	}
	return mark + " " + f.About + ": " + f.Text
}

func TestWhy(t *testing.T) {
	on := func(clock string, kind history.Kind, camera, text string) history.Entry {
		return history.Entry{Time: day(clock), Kind: kind, Camera: camera, Text: text, From: "192.0.2.7"}
	}
	well := []history.Entry{on("08:00:00", history.Started, "", ""), on("08:00:01", history.Listening, "", ""), on("08:00:05", history.Recording, "gate", ""), on("08:00:06", history.Recording, "door", "")}
	with := func(more ...history.Entry) []history.Entry {
		return append(append([]history.Entry{}, well...), more...)
	}
	mail := func(clock, id string) history.Entry {
		return history.Entry{Time: day(clock), Kind: history.Mail, Camera: "gate", From: "192.0.2.7", Event: id}
	}
	ev := func(clock string, state event.State, reason string) event.Event {
		at := day(clock)
		e := event.Event{ID: "e1", Camera: "gate", CameraName: "Gate", Time: at, From: at.Add(-10 * time.Second), Until: at.Add(time.Minute), State: state, Reason: reason,
			Receipt: event.Receipt{PreRollGot: event.Seconds(11200 * time.Millisecond)}}
		e.Add(event.Trigger{Time: at, Source: event.Mail, From: "192.0.2.7"})
		if state != event.Failed {
			e.Clips = []event.Clip{{Length: event.Seconds(70 * time.Second)}}
		}
		return e
	}
	for _, tc := range []struct {
		name string
		e    evidence
		want []string // the first findings
		hint string   // of the first
	}{
		{"all is well", evidence{camera: "gate", entries: with(mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event of 14:00:30 is saved: 70.0 s of video, pre-roll 11.2 s.", "+ Alarm mail: The mail server was listening.", "+ Alarm mail: A mail came at 14:00:30 from 192.0.2.7.", "+ Gate: The camera was recording."}, ""},
		{"all cameras", evidence{entries: with(mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event", "+ Alarm mail: The mail server", "+ Alarm mail: A mail came", "+ Cameras: All cameras were recording (2)."}, ""},
		{"nothing came", evidence{camera: "gate", entries: with(on("13:00:00", history.Mail, "gate", ""))},
			[]string{"! Alarm mail: No mail came from this camera between 13:58 and 14:10.", "+ Alarm mail: The mail server"}, "came at 13:00:00"},
		{"nothing ever came", evidence{camera: "gate", entries: with(on("13:00:00", history.Mail, "door", ""))}, []string{"! Alarm mail: No mail came from this camera between"}, "No mail from it was ever seen"},
		{"nothing came yet", evidence{entries: well, now: day("14:03:00")}, []string{"! Alarm mail: No mail came from any camera between 13:58 and 14:03."}, "test button"},
		{"fitted no camera", evidence{camera: "gate", entries: with(on("14:01:00", history.MailUnmatched, "", "Alarm!"))},
			[]string{`! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it fits no camera: "Alarm!".`, "! Alarm mail: No mail came"}, "Assign it"},
		{"fitted no camera, all asked for", evidence{entries: with(on("14:01:00", history.MailUnmatched, "", "Alarm!"))}, []string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it fits no camera", "+ Alarm mail: The mail server"}, "Assign it"},
		{"a test that fitted none", evidence{camera: "gate", entries: with(on("14:01:00", history.MailTest, "", ""))}, []string{"! Alarm mail: A test mail came at 14:01:00 from 192.0.2.7, but it fits no camera."}, "Assign it"},
		{"a stranger's mail beside an event", evidence{entries: with(mail("14:00:30", "e1"), on("14:01:00", history.MailUnmatched, "", "Alarm!")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"? Alarm mail: A mail came at 14:01:00", "+ Gate: The event of 14:00:30 is saved"}, ""},
		{"refused", evidence{camera: "gate", entries: with(on("14:01:00", history.MailRefused, "", ""))}, []string{"! Alarm mail: A mail from 192.0.2.7 was refused at 14:01:00"}, "smtp.allow"},
		{"a test mail", evidence{camera: "gate", entries: with(on("14:01:00", history.MailTest, "gate", ""))}, []string{"? Alarm mail: A test mail came at 14:01:00", "+ Alarm mail", "+ Gate"}, "real alarm"},
		{"camera off", evidence{camera: "gate", entries: with(on("13:30:00", history.Off, "gate", ""), on("14:01:00", history.MailOff, "gate", ""))},
			[]string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but the camera is switched off.", "! Gate: The camera was switched off from 13:30:00 to now."}, ""},
		{"paused", evidence{camera: "gate", entries: with(on("13:50:00", history.Paused, "", ""), on("14:01:00", history.MailPaused, "gate", ""), on("14:20:00", history.Resumed, "", ""))},
			[]string{"! Pause: Preroll was paused from 13:50:00 to 14:20:00: alarms saved nothing.", "! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but Preroll was paused."}, ""},
		{"could not be saved", evidence{camera: "gate", entries: with(on("14:01:00", history.MailFailed, "gate", "the recorder is stopping"))}, []string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it could not be saved: the recorder is stopping."}, ""},
		{"mail server deaf", evidence{camera: "gate", entries: with(on("13:00:00", history.NotListening, "", "port 2525 is taken"), on("15:00:00", history.Listening, "", ""))},
			[]string{"! Alarm mail: No alarm mail could come in from 13:00:00 to 15:00:00: port 2525 is taken", "+ Gate: The camera was recording."}, ""},
		{"camera gone", evidence{camera: "gate", entries: with(on("13:00:00", history.NotRecording, "gate", "The camera does not answer"), on("14:30:00", history.Recording, "gate", ""), mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Failed, "No video came")}},
			[]string{"! Gate: The camera was not recorded from 13:00:00 to 14:30:00: The camera does not answer.", "! Gate: The event of 14:00:30 has no clip."}, ""},
		{"camera gone within the minute", evidence{camera: "door", entries: with(on("14:00:40", history.NotRecording, "door", "The camera ended the connection")), events: nil},
			[]string{"! Alarm mail: No mail", "! Door: The camera was not recorded from 14:00:40 to now: The camera ended the connection."}, ""},
		{"gone and back before", evidence{camera: "gate", entries: with(on("13:00:00", history.NotRecording, "gate", "x"), on("13:59:00", history.Recording, "gate", ""), mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event"}, ""},
		{"another camera gone, all asked for", evidence{entries: with(on("13:00:00", history.NotRecording, "door", "x"), mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"! Door: The camera was not recorded from 13:00:00 to now: x.", "+ Alarm mail"}, ""},
		{"incomplete", evidence{camera: "gate", entries: with(mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Incomplete, "The first 4 s are missing")}}, []string{"? Gate: The event of 14:00:30 is saved, but not all of it"}, "first 4 s"},
		{"late mail", evidence{camera: "gate", entries: with(mail("14:05:00", "e1")), events: []event.Event{ev("14:05:00", event.Saved, "")}},
			[]string{"? Alarm mail: The first alarm came at 14:05:00 only, and its video begins at 14:04:50.", "+ Gate: The event of 14:05:00 is saved"}, "mails late"},
		{"archive away, clip waited", evidence{camera: "gate", entries: with(on("13:00:00", history.ArchiveLost, "", "The archive folder is gone"), on("14:30:00", history.ArchiveBack, "", ""), mail("14:00:30", "e1")), events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"? Archive: The archive could not be written from 13:00:00 to 14:30:00: The archive folder is gone", "+ Gate: The event"}, ""},
		{"RAM disk lost", evidence{camera: "gate", entries: with(on("13:00:00", history.RAMLost, "", "no space"))}, []string{"! RAM disk: The RAM disk could not be used from 13:00:00 to now: no space"}, ""},
		{"removed", evidence{camera: "gate", entries: with(mail("14:00:30", "e1"), history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1", About: day("14:00:30"), Text: byLimits})},
			[]string{"! Archive: There was an event at 14:00:30; it is gone since 20:00:00. It was removed to keep the limits of the archive.", "+ Alarm mail"}, "Protect"},
		{"not in the list", evidence{camera: "gate", entries: with(mail("14:00:30", "e1"))}, []string{"! Alarm mail: A mail came at 14:00:30 from 192.0.2.7, but its event is not in the list any more."}, "reindex"},
		{"too old", evidence{camera: "gate", entries: well, maxAge: 2 * time.Hour}, []string{"! Archive: Events of that time are too old: they are removed after 2h."}, "max_age"},
		{"stopped", evidence{camera: "gate", entries: with(on("13:00:00", history.Stopped, "", ""), on("16:00:00", history.Started, "", ""))}, []string{"! Preroll: Preroll was not running from 13:00:00 to 16:00:00."}, "login"},
		{"stopped after", evidence{camera: "gate", entries: with(on("14:00:40", history.Stopped, "", ""), on("16:00:00", history.Started, "", ""))}, []string{"! Alarm mail: No mail came", "+ Alarm mail", "+ Gate: The camera was recording."}, ""},
		{"killed", evidence{camera: "gate", entries: with(on("13:00:00", history.Recording, "gate", ""), on("16:00:00", history.Started, "", ""))}, []string{"! Preroll: Preroll was not running, or was killed, before 16:00:00."}, ""},
		{"killed later", evidence{camera: "gate", entries: with(on("15:00:00", history.NotRecording, "gate", "x"), on("16:00:00", history.Started, "", ""))}, []string{"! Alarm mail: No mail came"}, ""},
		{"before the first start", evidence{camera: "gate", entries: []history.Entry{on("16:00:00", history.Started, "", "")}}, []string{"! Preroll: Preroll was not running, or was killed, before 16:00:00."}, ""},
		{"no history at all", evidence{camera: "gate", started: day("08:00:00")}, []string{"! Alarm mail: No mail came"}, ""},
		{"beginning forgotten", evidence{camera: "gate", entries: well[1:]}, []string{"! Alarm mail: No mail came"}, ""},
		{"not recorded yet", evidence{camera: "gate", entries: []history.Entry{on("13:59:59", history.Started, "", ""), on("14:03:00", history.Recording, "gate", "")}}, []string{"! Alarm mail: No mail", "! Gate: The camera was not recorded before 14:03:00."}, ""},
		{"still to come", evidence{now: day("13:00:00"), entries: well}, []string{"! Preroll: This time has not come yet."}, ""},
		{"by hand", evidence{camera: "gate", entries: well, events: []event.Event{{ID: "m", Camera: "gate", Time: day("14:00:10"), From: day("14:00:00"), Until: day("14:01:10"), State: event.Recording, Triggers: []event.Trigger{{Time: day("14:00:10"), Source: event.Manual}}}}},
			[]string{"+ gate: The event of 14:00:10 is being saved.", "+ Alarm mail: The mail server was listening.", "+ Gate"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.e.at = day("14:00:00")
			if tc.e.now.IsZero() {
				tc.e.now = day("22:00:00")
			}
			if tc.e.started.IsZero() {
				tc.e.started = day("21:00:00")
			}
			for _, id := range []string{"gate", "door"} {
				c := config.NewCamera()
				c.ID, c.Name = id, map[string]string{"gate": "Gate", "door": "Door"}[id]
				tc.e.cameras = append(tc.e.cameras, c)
			}
			got := why(tc.e)
			var lines []string
			for _, f := range got {
				lines = append(lines, said(f))
			}
			for i, want := range tc.want {
				if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
					t.Fatalf("finding %d is not %q:\n%s", i, want, strings.Join(lines, "\n"))
				}
			}
			if !strings.Contains(got[0].Hint, tc.hint) {
				t.Errorf("hint %q", got[0].Hint)
			}
		})
	}
}

func TestMailsAreNotedOnce(t *testing.T) {
	var n notes
	at := time.Now()
	for i, tc := range []struct {
		kind  history.Kind
		event string
		after time.Duration
		want  bool
	}{
		{history.Mail, "e1", 0, true}, {history.Mail, "e1", time.Hour, false}, {history.Mail, "e2", time.Second, true},
		{history.MailRefused, "", 0, true}, {history.MailRefused, "", 59 * time.Second, false}, {history.MailRefused, "", 2 * time.Minute, true},
		{history.MailTest, "", 0, true}, {history.MailTest, "", time.Second, true},
	} {
		if got := n.fresh(mailKey{tc.kind, "gate", "192.0.2.7", tc.event}, at.Add(tc.after)); got != tc.want {
			t.Errorf("%d: %s %s: %v", i, tc.kind, tc.event, got)
		}
	}
}

// TestWhyAndVerify asks a recorder at work why, reads its clip back, and again after harm was done to it.
func TestWhyAndVerify(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("gate", cam), config.NewCamera())
	s.Clip.PreRoll = config.Duration(2 * time.Second)
	s.Cameras[1].ID, s.Cameras[1].URL, s.Cameras[1].Enabled = "door", "rtsp://127.0.0.1:1/x", false
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("gate", 4*time.Second)
	first := func(camera string, at time.Time) status.Finding {
		t.Helper()
		list, err := r.Why(t.Context(), camera, at)
		if err != nil || len(list) == 0 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0]
	}
	r.wait("the camera in the history", 10*time.Second, func() bool { return strings.Contains(said(first("gate", time.Now())), "No mail came from this camera") })
	if f := first("gate", time.Now().Add(-time.Hour)); !strings.HasPrefix(f.Text, "Preroll was not running, or was killed, before") {
		t.Error(said(f))
	}
	r.mail("door", "Motion", "")
	r.wait("the mail for a camera that is off", 10*time.Second, func() bool { return strings.Contains(said(first("door", time.Now())), "switched off") })
	r.mail("stranger", "Motion", "")
	r.wait("the mail that fits no camera", 10*time.Second, func() bool { return strings.Contains(said(first("gate", time.Now())), `fits no camera: "Motion"`) })
	at := r.mail("gate", "Motion", "")
	e := r.ended("gate", 1, 60*time.Second)[0]
	r.wait("the event", 10*time.Second, func() bool {
		return strings.HasPrefix(first("gate", at).Text, "The event of "+e.Time.Local().Format("15:04:05")+" is saved")
	})
	if _, err := r.Why(t.Context(), "nobody", at); !errors.Is(err, ErrNoCamera) {
		t.Error(err)
	}

	verdict := func() status.Verdict {
		t.Helper()
		v, err := r.Verify(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verdict(); !v.OK || v.Frames != e.Clips[0].Frames || !strings.HasPrefix(v.Text, "The clip is whole: ") || (v.Length.D()-e.Length()).Abs() > 150*time.Millisecond {
		t.Errorf("%+v", v)
	}
	testVerify(t, r, e)
	if _, err := r.Verify(t.Context(), "nobody"); err == nil {
		t.Error("an event that does not exist was read back")
	}
	days, err := r.Days(t.Context(), event.Query{Text: "MOTION"})
	if err != nil || len(days) != 1 || days[0].Events != 1 {
		t.Errorf("%v, %v", days, err)
	}
	if n, err := r.Next(t.Context()); err != nil || n == nil || n.Event.ID != e.ID || n.Why != "max_age" {
		t.Errorf("%+v, %v", n, err)
	}
	if err := r.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	r.wait("the removal", 10*time.Second, func() bool { return strings.Contains(first("gate", at).Text, "It was removed by hand") })

	// The next life knows of this one, and of its end.
	r.stop()
	stopped := time.Now()
	r = start(t, s, state)
	r.wait("the mail server", 10*time.Second, func() bool { return r.Status(t.Context()).SMTP.Listen != "" })
	r.wait("the end in the history", 10*time.Second, func() bool {
		list, err := r.Why(t.Context(), "gate", at)
		return err == nil && strings.Contains(list[0].Text, "It was removed by hand")
	})
	list, err := r.history.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[history.Kind]int{}
	for _, n := range list {
		kinds[n.Kind]++
		if n.Kind == history.Stopped && n.Time.After(stopped) {
			t.Errorf("%+v", n)
		}
	}
	if kinds[history.Started] < 1 || kinds[history.Stopped] != 1 || kinds[history.Mail] != 1 || kinds[history.MailOff] != 1 || kinds[history.MailUnmatched] != 1 || kinds[history.Removed] != 1 {
		t.Errorf("%v", kinds)
	}
}

// A flood of mails that are no alarm does not push everything else out of the history.
func TestNotesAreBounded(t *testing.T) {
	var n notes
	at, noted := time.Now(), 0
	for i := range 20000 {
		if n.fresh(mailKey{history.MailTest, "", fmt.Sprintf("192.0.2.%d", i%200), ""}, at.Add(time.Duration(i)*time.Millisecond)) {
			noted++
		}
	}
	if noted > mostNotes {
		t.Errorf("%d notes in 20 s", noted)
	}
	if !n.fresh(mailKey{history.Mail, "gate", "192.0.2.7", "e1"}, at.Add(20*time.Second)) {
		t.Error("an alarm is not noted for it")
	}
}

package diagnose

import (
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// day returns a time on the day that the table of TestWhy is about.
func day(clock string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, "2026-11-22 "+clock, time.Local)
	if err != nil {
		panic(err)
	}
	return t
}

// said formats a finding as a line: "!" is broken, "?" is doubtful, "+" is well.
func said(f status.Finding) string {
	mark := "!"
	switch {
	case f.Warn:
		mark = "?"
	case f.OK:
		mark = "+"
	}
	return mark + " " + f.About.String() + ": " + f.Text.String()
}

func TestWhy(t *testing.T) {
	on := func(clock string, kind history.Kind, camera, why string) history.Entry {
		return history.Entry{Time: day(clock), Kind: kind, Camera: camera, Text: text.Plain(why), From: "192.0.2.7"}
	}
	well := []history.Entry{on("08:00:00", history.Started, "", ""), on("08:00:01", history.Listening, "", ""),
		on("08:00:05", history.Recording, "gate", ""), on("08:00:06", history.Recording, "door", "")}
	with := func(more ...history.Entry) []history.Entry {
		return append(append([]history.Entry{}, well...), more...)
	}
	mail := func(clock, id string) history.Entry {
		return history.Entry{Time: day(clock), Kind: history.Mail, Camera: "gate", From: "192.0.2.7", Event: id}
	}
	ev := func(clock string, state event.State, reason string) event.Event {
		at := day(clock)
		e := event.Event{ID: "e1", Camera: "gate", CameraName: "Gate", Time: at, From: at.Add(-10 * time.Second),
			Until: at.Add(time.Minute), State: state, Reason: reason,
			Receipt: event.Receipt{PreRollGot: event.Seconds(11200 * time.Millisecond)}}
		e.Add(event.Trigger{Time: at, Source: event.Mail, From: "192.0.2.7"})
		if state != event.Failed {
			e.Clips = []event.Clip{{Length: event.Seconds(70 * time.Second)}}
		}
		return e
	}
	for _, tc := range []struct {
		name string
		e    Evidence
		want []string // the first findings
		hint string   // of the first finding
	}{
		{"taken back from the trash", Evidence{Camera: "gate", Entries: with(mail("14:00:30", "e1"),
			history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1",
				About: day("14:00:30"), Text: text.RemovedByHand.With()}),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event", "+ Alarm mail: The mail server", "+ Alarm mail: A mail came",
				"+ Gate: The camera"},
			""},
		{"all is well", Evidence{Camera: "gate", Entries: with(mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event of 14:00:30 is saved: 70.0 s of video, pre-roll 11.2 s.",
				"+ Alarm mail: The mail server was listening.", "+ Alarm mail: A mail came at 14:00:30 from 192.0.2.7.",
				"+ Gate: The camera was recording."}, ""},
		{"all cameras", Evidence{Entries: with(mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event", "+ Alarm mail: The mail server", "+ Alarm mail: A mail came",
				"+ Cameras: All cameras were recording (2)."}, ""},
		{"nothing came", Evidence{Camera: "gate", Entries: with(on("13:00:00", history.Mail, "gate", ""))},
			[]string{"! Alarm mail: No mail came from this camera between 13:58 and 14:10.",
				"+ Alarm mail: The mail server"}, "came at 13:00:00"},
		{"nothing ever came", Evidence{Camera: "gate", Entries: with(on("13:00:00", history.Mail, "door", ""))},
			[]string{"! Alarm mail: No mail came from this camera between"}, "No mail from it was ever seen"},
		{"nothing came yet", Evidence{Entries: well, Now: day("14:03:00")},
			[]string{"! Alarm mail: No mail came from any camera between 13:58 and 14:03."}, "test button"},
		{"fitted no camera", Evidence{Camera: "gate",
			Entries: with(on("14:01:00", history.MailUnmatched, "", "Alarm!"))},
			[]string{`! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it fits no camera: "Alarm!".`,
				"! Alarm mail: No mail came"}, "Assign it"},
		{"fitted no camera, all asked for",
			Evidence{Entries: with(on("14:01:00", history.MailUnmatched, "", "Alarm!"))},
			[]string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it fits no camera",
				"+ Alarm mail: The mail server"}, "Assign it"},
		{"a test that fitted none", Evidence{Camera: "gate", Entries: with(on("14:01:00", history.MailTest, "", ""))},
			[]string{"! Alarm mail: A test mail came at 14:01:00 from 192.0.2.7, but it fits no camera."}, "Assign it"},
		{"a stranger's mail beside an event",
			Evidence{Entries: with(mail("14:00:30", "e1"), on("14:01:00", history.MailUnmatched, "", "Alarm!")),
				Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"? Alarm mail: A mail came at 14:01:00", "+ Gate: The event of 14:00:30 is saved"}, ""},
		{"refused", Evidence{Camera: "gate", Entries: with(on("14:01:00", history.MailRefused, "", ""))},
			[]string{"! Alarm mail: A mail from 192.0.2.7 was refused at 14:01:00"}, "smtp.allow"},
		{"a test mail", Evidence{Camera: "gate", Entries: with(on("14:01:00", history.MailTest, "gate", ""))},
			[]string{"? Alarm mail: A test mail came at 14:01:00", "+ Alarm mail", "+ Gate"}, "real alarm"},
		{"camera off", Evidence{Camera: "gate",
			Entries: with(on("13:30:00", history.Off, "gate", ""), on("14:01:00", history.MailOff, "gate", ""))},
			[]string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but the camera is switched off.",
				"! Gate: The camera was switched off from 13:30:00 to now."}, ""},
		{"paused", Evidence{Camera: "gate",
			Entries: with(on("13:50:00", history.Paused, "", ""), on("14:01:00", history.MailPaused, "gate", ""),
				on("14:20:00", history.Resumed, "", ""))},
			[]string{"! Pause: Preroll was paused from 13:50:00 to 14:20:00: alarms saved nothing.",
				"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but Preroll was paused."}, ""},
		{"could not be saved", Evidence{Camera: "gate",
			Entries: with(on("14:01:00", history.MailFailed, "gate", "the recorder is stopping"))},
			[]string{"! Alarm mail: A mail came at 14:01:00 from 192.0.2.7, but it could not be saved: the recorder is stopping."}, ""},
		{"a call", Evidence{Camera: "gate", Entries: with(history.Entry{Time: day("14:00:30"), Kind: history.Signal,
			Camera: "gate", From: "Bell (192.0.2.7)", Event: "e1"}),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event of 14:00:30 is saved: 70.0 s of video, pre-roll 11.2 s.",
				"+ Alarm mail: The mail server was listening.",
				"+ Call: A call came at 14:00:30 from Bell (192.0.2.7).",
				"+ Gate: The camera was recording."}, ""},
		{"a call whose event is gone", Evidence{Camera: "gate", Entries: with(history.Entry{Time: day("14:00:30"),
			Kind: history.Signal, Camera: "gate", From: "Bell (192.0.2.7)", Event: "e1"})},
			[]string{"! Call: A call came at 14:00:30 from Bell (192.0.2.7), but its event is not in the list any more."},
			"preroll reindex"},
		{"a call in a pause", Evidence{Camera: "gate",
			Entries: with(on("13:50:00", history.Paused, "", ""), on("14:01:00", history.SignalPaused, "gate", ""),
				on("14:20:00", history.Resumed, "", ""))},
			[]string{"! Pause: Preroll was paused from 13:50:00 to 14:20:00: alarms saved nothing.",
				"! Call: A call came at 14:01:00 from 192.0.2.7, but Preroll was paused."}, ""},
		{"a call for a camera that is off", Evidence{Camera: "gate",
			Entries: with(on("13:30:00", history.Off, "gate", ""), on("14:01:00", history.SignalOff, "gate", ""))},
			[]string{"! Call: A call came at 14:01:00 from 192.0.2.7, but the camera is switched off.",
				"! Gate: The camera was switched off from 13:30:00 to now."}, ""},
		{"an end", Evidence{Camera: "gate", Entries: with(on("14:01:00", history.SignalEnd, "gate", ""))},
			[]string{"? Call: A call came at 14:01:00 from 192.0.2.7, but it told of an end."}, ""},
		{"a call that could not be saved", Evidence{Camera: "gate",
			Entries: with(on("14:01:00", history.SignalFailed, "gate", "the disk is full"))},
			[]string{"! Call: A call came at 14:01:00 from 192.0.2.7, but it could not be saved: the disk is full."},
			""},
		{"mail server deaf", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.NotListening, "", "port 2525 is taken"),
				on("15:00:00", history.Listening, "", ""))},
			[]string{"! Alarm mail: No alarm mail could come in from 13:00:00 to 15:00:00: port 2525 is taken",
				"+ Gate: The camera was recording."}, ""},
		{"camera gone", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.NotRecording, "gate", "The camera does not answer"),
				on("14:30:00", history.Recording, "gate", ""), mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Failed, "No video came")}},
			[]string{"! Gate: The camera was not recorded from 13:00:00 to 14:30:00: The camera does not answer.",
				"! Gate: The event of 14:00:30 has no clip."}, ""},
		{"camera gone within the minute",
			Evidence{Camera: "door", Entries: with(on("14:00:40", history.NotRecording, "door",
				"The camera ended the connection")), Events: nil},
			[]string{"! Alarm mail: No mail",
				"! Door: The camera was not recorded from 14:00:40 to now: The camera ended the connection."}, ""},
		{"gone and back before", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.NotRecording, "gate", "x"),
				on("13:59:00", history.Recording, "gate", ""), mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"+ Gate: The event"}, ""},
		{"another camera gone, all asked for",
			Evidence{Entries: with(on("13:00:00", history.NotRecording, "door", "x"), mail("14:00:30", "e1")),
				Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"! Door: The camera was not recorded from 13:00:00 to now: x.", "+ Alarm mail"}, ""},
		{"incomplete", Evidence{Camera: "gate", Entries: with(mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Incomplete, "The first 4 s are missing")}},
			[]string{"? Gate: The event of 14:00:30 is saved, but not all of it"}, "first 4 s"},
		{"late mail", Evidence{Camera: "gate", Entries: with(mail("14:05:00", "e1")),
			Events: []event.Event{ev("14:05:00", event.Saved, "")}},
			[]string{"? Alarm mail: The first alarm came at 14:05:00 only, and its video begins at 14:04:50.",
				"+ Gate: The event of 14:05:00 is saved"}, "mails late"},
		{"archive away, clip waited", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.ArchiveLost, "", "The archive folder is gone"),
				on("14:30:00", history.ArchiveBack, "", ""), mail("14:00:30", "e1")),
			Events: []event.Event{ev("14:00:30", event.Saved, "")}},
			[]string{"? Archive: The archive could not be written from 13:00:00 to 14:30:00: The archive folder is gone", "+ Gate: The event"}, ""},
		{"RAM disk lost", Evidence{Camera: "gate", Entries: with(on("13:00:00", history.RAMLost, "", "no space"))},
			[]string{"! RAM disk: The RAM disk could not be used from 13:00:00 to now: no space"}, ""},
		{"removed", Evidence{Camera: "gate",
			Entries: with(mail("14:00:30", "e1"),
				history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1",
					About: day("14:00:30"), Text: text.RemovedByLimits.With()})},
			[]string{"! Archive: There was an event at 14:00:30; it is gone since 20:00:00. It was removed to keep the limits of the archive.", "+ Alarm mail"}, "Protect"},
		{"removed, and so long that it covered the time", Evidence{Camera: "gate", Longest: 10 * time.Minute,
			Entries: with(history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1",
				About: day("13:55:00"), Text: text.RemovedByLimits.With()})},
			[]string{"! Archive: There was an event at 13:55:00; it is gone since 20:00:00."}, "Protect"},
		{"in the trash", Evidence{Camera: "gate", Trash: map[string]bool{"e1": true},
			Entries: with(history.Entry{Time: day("15:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1",
				About: day("14:00:30"), Text: text.RemovedByHand.With()},
				history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e1",
					About: day("14:00:30"), Text: text.RemovedByHand.With()},
				history.Entry{Time: day("20:00:00"), Kind: history.Removed, Camera: "gate", Event: "e2",
					About: day("13:55:00"), Text: text.RemovedByHand.With()})},
			[]string{"! Archive: There was an event at 14:00:30; it is gone since 20:00:00. It was removed by hand."}, "trash"},
		{"not in the list", Evidence{Camera: "gate", Entries: with(mail("14:00:30", "e1"))},
			[]string{"! Alarm mail: A mail came at 14:00:30 from 192.0.2.7, but its event is not in the list any more."}, "reindex"},
		{"too old", Evidence{Camera: "gate", Entries: well, MaxAge: 2 * time.Hour},
			[]string{"! Archive: Events of that time are too old: they are removed after 2h."}, "max_age"},
		{"stopped", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.Stopped, "", ""), on("16:00:00", history.Started, "", ""))},
			[]string{"! Preroll: Preroll was not running from 13:00:00 to 16:00:00."}, "login"},
		{"stopped after", Evidence{Camera: "gate",
			Entries: with(on("14:00:40", history.Stopped, "", ""), on("16:00:00", history.Started, "", ""))},
			[]string{"! Preroll: Preroll was not running from 14:00:40 to 16:00:00."}, "login"},
		{"away for half a minute", Evidence{Camera: "gate",
			Entries: with(on("14:00:07", history.Stopped, "", ""), on("14:00:42", history.Started, "", ""),
				on("14:00:43", history.Listening, "", ""), on("14:00:44", history.Recording, "gate", ""))},
			[]string{"! Preroll: Preroll was not running from 14:00:07 to 14:00:42."}, "login"},
		{"killed", Evidence{Camera: "gate",
			Entries: with(on("13:00:00", history.Recording, "gate", ""), on("16:00:00", history.Started, "", ""))},
			[]string{"! Preroll: Preroll was not running, or was killed, before 16:00:00."}, ""},
		{"killed later", Evidence{Camera: "gate",
			Entries: with(on("15:00:00", history.NotRecording, "gate", "x"), on("16:00:00", history.Started, "", ""))},
			[]string{"! Alarm mail: No mail came"}, ""},
		{"before the first start", Evidence{Camera: "gate",
			Entries: []history.Entry{on("16:00:00", history.Started, "", "")}},
			[]string{"! Preroll: Preroll was not running, or was killed, before 16:00:00."}, ""},
		{"no history at all", Evidence{Camera: "gate", Started: day("08:00:00")},
			[]string{"! Alarm mail: No mail came"}, ""},
		{"beginning forgotten", Evidence{Camera: "gate", Entries: well[1:]}, []string{"! Alarm mail: No mail came"},
			""},
		{"not recorded yet", Evidence{Camera: "gate",
			Entries: []history.Entry{on("13:59:59", history.Started, "", ""),
				on("14:03:00", history.Recording, "gate", "")}},
			[]string{"! Alarm mail: No mail", "! Gate: The camera was not recorded before 14:03:00."}, ""},
		{"still to come", Evidence{Now: day("13:00:00"), Entries: well},
			[]string{"! Preroll: This time has not come yet."}, ""},
		{"by hand", Evidence{Camera: "gate", Entries: well,
			Events: []event.Event{{ID: "m", Camera: "gate", Time: day("14:00:10"), From: day("14:00:00"),
				Until: day("14:01:10"), State: event.Recording,
				Triggers: []event.Trigger{{Time: day("14:00:10"), Source: event.Manual}}}}},
			[]string{"+ gate: The event of 14:00:10 is being saved.", "+ Alarm mail: The mail server was listening.",
				"+ Gate"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.e.At = day("14:00:00")
			if tc.e.Now.IsZero() {
				tc.e.Now = day("22:00:00")
			}
			if tc.e.Started.IsZero() {
				tc.e.Started = day("21:00:00")
			}
			for _, id := range []string{"gate", "door"} {
				c := config.NewCamera()
				c.ID, c.Name = id, map[string]string{"gate": "Gate", "door": "Door"}[id]
				tc.e.Cameras = append(tc.e.Cameras, c)
			}
			got := Why(tc.e)
			var lines []string
			for _, f := range got {
				lines = append(lines, said(f))
			}
			for i, want := range tc.want {
				if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
					t.Fatalf("finding %d is not %q:\n%s", i, want, strings.Join(lines, "\n"))
				}
			}
			if !strings.Contains(got[0].Hint.String(), tc.hint) {
				t.Errorf("hint %q", got[0].Hint)
			}
		})
	}
}

package pagetest

import (
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Talks returns connections of a camera that gave up, a careless camera, a stranger and an unknown recorder.
func Talks() []status.Connection {
	line := func(ms int, who, said string) status.Line {
		return status.Line{At: event.Seconds(time.Duration(ms) * time.Millisecond), Who: who, Text: text.Plain(said)}
	}
	return []status.Connection{
		{ID: 14, Time: Noon.Add(55 * time.Minute), Length: event.Seconds(2 * time.Second), From: "192.0.2.9",
			Port:    "[::]:2525",
			Verdict: text.GaveUpInLogin.With(text.GaveUp),
			Dialogue: []status.Line{line(0, "preroll", "220 preroll ESMTP Service Ready"),
				line(20, "camera", "EHLO IPC"), line(21, "preroll", "250-preroll"),
				line(21, "preroll", "250-AUTH LOGIN PLAIN"), line(21, "preroll", "250 STARTTLS"),
				line(60, "camera", "AUTH LOGIN"), line(61, "preroll", "334 VXNlcm5hbWU6"),
				line(2000, "note", "the camera closed the connection")}},
		{ID: 13, Time: Noon.Add(54 * time.Minute), Length: event.Seconds(300 * time.Millisecond), From: "192.0.2.9",
			Port: "[::]:2525", TLS: "TLS 1.2", Good: true, Mails: 1, Cameras: []string{"gate"},
			Events:  []string{"e010"},
			Repairs: []text.Text{text.QuirkSenderHost.With(), text.QuirkBareLF.With()},
			Verdict: text.Repaired.With(text.Accepted, 2,
				text.Join(", ", text.QuirkSenderHost.With(), text.QuirkBareLF.With()))},
		{ID: 12, Time: Noon.Add(50 * time.Minute), From: "203.0.113.9", Port: "[::]:2525",
			Verdict: text.CountedTimes.With(text.RefusedAddress.With("203.0.113.9"), 7)},
		{ID: 11, Time: Noon.Add(49 * time.Minute), From: "192.0.2.7", Port: "[::]:2525", Mails: 1,
			Verdict: text.AcceptedUnmatched.With(text.Accepted, text.MatchNone)},
	}
}

// Unmatched returns mails of a recorder and of a camera that fit no camera.
func Unmatched() []status.Unmatched {
	why := text.MatchNone.With()
	nvr := status.Unmatched{Time: Noon.Add(49 * time.Minute), From: "192.0.2.7", Sender: "nvr@home",
		To: []string{"all@nvr"}, Subject: "Motion detected", Channel: "Back Yard", Number: "4", Device: "NVR",
		Login: "admin", Label: "motion", Why: why}
	other := nvr
	other.Channel, other.Number = "Drive", "5"
	return []status.Unmatched{nvr, other,
		{Time: Noon, From: "192.0.2.8", Sender: "cam@nvr", To: []string{"nobody@nvr"}, Subject: "Motion", Why: why}}
}

// SceneFake returns a recorder with much to show, and with names and texts that are hard on the layout.
func SceneFake() *Fake {
	f := &Fake{Config: config.Default(),
		Checked: status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 8 << 30, Speed: 180e6,
			Suggest: []string{"/dev/shm/preroll"}},
		Probed: status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 2560, Height: 1440, FPS: 20,
			Audio: "aac"},
			Picture: JPEG(), GOP: event.Seconds(4 * time.Second), BitRate: 6.1e6},
		Found: []status.DiscoveredCamera{{Address: "192.0.2.9", Name: "Yard", Model: "RLC-810A", Brand: "Reolink"},
			{Address: "192.0.2.10", Name: "IPC", Model: "DS-2CD2143", Brand: "Hikvision"}},
		Findings: []status.Finding{{About: text.Plain("Preroll"), OK: true, Text: text.Plain("It was running.")},
			{About: text.Plain("Alarm mail"),
				Text: text.Plain("No mail came from this camera between 12:03 and 12:15."),
				Hint: text.Plain("Press the test button in the camera's mail settings and watch whether it arrives.")},
			{About: text.Plain("Gate"), OK: true, Warn: true,
				Text: text.Plain("It was offline from 12:10 to 12:11: The camera ended the connection.")}},
		Due: &event.Next{Event: Event(0, event.Saved), Why: "max_age", When: Noon.AddDate(0, 0, 30)}}
	f.Config.RAMDisk.Path, f.Config.Archive.Path = "/dev/shm/preroll", "/home/me/Videos/Preroll"
	for i, name := range []string{"Gate", "Yard", "Shed", strings.Repeat("A camera with a very long name ", 4)} {
		c := config.NewCamera()
		c.ID, c.Name = []string{"gate", "yard", "shed", "long"}[i], name
		c.URL, c.Username, c.Password, c.Mail = "rtsp://192.0.2.1/stream1", "viewer", config.Secret("x"), []string{c.ID}
		f.Config.Cameras = append(f.Config.Cameras, c)
	}
	long := Event(9, event.Incomplete)
	long.CameraName = f.Config.Cameras[3].Name
	long.Reason = strings.Repeat("The first 3 s are missing: there was no earlier video in RAM. ", 3)
	list := []event.Event{
		Event(10, event.Finishing),
		long,
		Event(8, event.Saved),
		Event(7, event.Failed),
		Event(6, event.Saved),
	}
	list[1].Triggers = []event.Trigger{{Time: list[1].Time, Source: event.Mail, Label: "person",
		Subject: "Front door: person detected by the camera", Sender: "cam@nvr", From: "192.0.2.9"},
		{Time: list[1].Time.Add(20 * time.Second), Source: event.Mail, Label: "motion", From: "192.0.2.9"}}
	list[1].TriggerCount = 2
	list[1].Gaps = []event.Gap{{From: list[1].Time, To: list[1].Time.Add(3200 * time.Millisecond),
		Reason: "the camera sent no picture"}}
	list[2].Protected = true
	list[3].Reason = "No video came from the camera: The camera does not answer."
	for i := range 40 {
		e := Event(-i*67, event.Saved)
		if i%3 == 1 {
			e.Camera, e.CameraName, e.Label = "yard", "Yard", "motion"
		}
		list = append(list, e)
	}
	for i := range list {
		list[i].Folder = "gate"
		if len(list[i].Clips) > 0 {
			list[i].Thumbnail = "t.jpg"
		}
	}
	f.Stored = list
	return f
}

// SceneStatus returns the status of the recorder of SceneFake.
func SceneStatus() *status.Status {
	s := Status("/home/me/Videos/Preroll")
	s.Cameras[0].Since = Noon.Add(-26 * time.Hour)
	s.Cameras[0].LastTrigger = Noon.Add(-50 * time.Minute)
	s.Cameras = append(s.Cameras,
		status.Camera{ID: "yard", Name: "Yard", State: status.Waiting, Since: Noon.Add(-3 * time.Hour),
			Text: text.Plain("The camera refuses the user name or password"),
			Hint: text.Plain("Check both in the camera's own web page, then correct them.")},
		status.Camera{ID: "shed", Name: "Shed", State: status.Off},
		status.Camera{ID: "long", Name: strings.Repeat("A camera with a very long name ", 4), State: status.Recording,
			Since: Noon.Add(-4 * time.Hour), PreRoll: event.Seconds(37 * time.Second), BitRate: 8e6, Bytes: 37 << 20,
			Streams: source.Streams{Video: "hevc", Width: 3840, Height: 2160}})
	return s
}

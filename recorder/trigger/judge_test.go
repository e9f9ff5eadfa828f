package trigger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/trigger/message"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

func mailOf(subject, text string) string {
	return "From: cam@x\r\nSubject: " + subject + "\r\n\r\n" + text + "\r\n"
}

// pictured returns a mail with a picture.
func pictured(subject, text string) string {
	return "From: cam@x\r\nSubject: " + subject + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" +
		text +
		"\r\n--b\r\nContent-Type: image/jpeg; name=\"a.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n/9j/\r\n--b--\r\n"
}

// TestJudge judges mails whose recipient fits a camera. Every mail that may be an alarm must be one.
func TestJudge(t *testing.T) {
	set := rule.New([]rule.Camera{{ID: "door", Name: "Front door"},
		{ID: "battery-room", Name: "Battery room", Mail: []string{"battery-room", "Storage Space"}},
		{ID: "ruled", Mail: []string{"to: ruled"}}, {ID: "off"}, {ID: "paused"}, {ID: "cam"}, {ID: "gate", Name: "正门"}})
	quiet := func(id string) Kind {
		if k := map[string]Kind{"off": Off, "paused": Paused}[id]; k != "" {
			return k
		}
		return Alarm
	}
	for _, tc := range []struct {
		name, mail, to string
		want           Kind
		label          string
	}{
		{"temperature", mailOf("Alarm", "EVENT TYPE: Temperature Measurement Alarm"), "door", Alarm, "temperature"},
		{"its name is a battery", mailOf("Alert !!", "This is an alert from battery-room"), "battery-room", Alarm, ""},
		{"its name is storage", mailOf("Alert !!", "This is an alert from Storage Space"), "battery-room", Alarm, ""},
		{"its name alone", mailOf("Storage Space", ""), "battery-room", Alarm, ""},
		{"its name alone, as a notice", mailOf("Battery room: low battery", ""), "battery-room", Alarm, ""},
		{"disco", mailOf("Alarm - Disco", ""), "door", Alarm, ""},
		{"a snapshot on its card", mailOf("Alarm", "Snapshot saved to SD card."), "door", Alarm, ""},
		{"a snapshot on its card, in German", mailOf("Alarm", "Bild auf Speicherkarte."), "door", Alarm, ""},
		{"digital input", mailOf("Axis: Digital Input", "Digital input 1 active. Device temperature 40 C"), "door",
			Alarm, "alarm input"},
		{"battery in the subject", mailOf("Alarm! Scheune (Akku 80 %)", "Alarm"), "door", Alarm, ""},
		{"abandoned object", mailOf("Abandoned object", "Event: unattended baggage. Storage: SD card"), "door", Alarm,
			"abandoned object"},
		{"access by card", mailOf("Camera", "EVENT TYPE: Illegal access by card at the door"), "door", Alarm, ""},
		{"power", mailOf("Camera 1", "Motion near the power supply"), "door", Alarm, "motion"},
		{"power alone", mailOf("Camera 1", "The power is on, somebody is there"), "door", Alarm, ""},
		{"a full disk in free text", mailOf("Camera 1", "HDD full"), "door", Alarm, ""},
		{"fire", mailOf("NVR", "Event Type: Smoke detection"), "door", Alarm, "fire"},
		{"tampering", mailOf("NVR", "Event Type: Video Tampering"), "door", Alarm, "tamper"},
		{"sound", mailOf("NVR", "Event Type: Audio Exception"), "door", Alarm, "sound"},

		{"full disk", mailOf("NVR", "EVENT TYPE: HDD Full"), "door", Notice, ""},
		{"full disk, with a picture", pictured("NVR", "EVENT TYPE: HDD Full"), "door", Alarm, ""},
		{"full disk, by a rule", mailOf("NVR", "EVENT TYPE: HDD Full"), "ruled", Alarm, ""},
		{"full disk, with a film as a file",
			strings.ReplaceAll(pictured("NVR", "EVENT TYPE: HDD Full"), "image/jpeg; name=\"a.jpg\"",
				"application/octet-stream\r\nContent-Disposition: attachment; filename=\"a.mp4\""), "door", Alarm, ""},
		{"a name that is part of a word", mailOf("Camera error: HDD full", ""), "cam", Notice, ""},
		{"a name as a word", mailOf("cam: HDD full", ""), "cam", Alarm, ""},
		{"a Chinese name", mailOf("正门硬盘", ""), "gate", Alarm, ""},
		{"illegal login", mailOf("NVR", "Alarm Event: Illegal Login"), "door", Notice, ""},
		{"illegal login, with a picture", pictured("NVR", "Alarm Event: Illegal Login"), "door", Alarm, ""},
		{"a subject that is nothing but a notice", mailOf("SD card error", "Please check."), "door", Notice, ""},
		{"the same with more", mailOf("SD card error, gate opened", ""), "door", Alarm, ""},
		{"a restart", mailOf("Device reboot", ""), "door", Notice, ""},

		{"a test", mailOf("Test Email", ""), "door", Test, ""},
		{"no camera", mailOf("Motion", ""), "nobody", Unmatched, "motion"},
		{"a notice of no camera", mailOf("NVR", "EVENT TYPE: HDD Full"), "nobody", Notice, ""},
		{"off", mailOf("Motion", ""), "off", Alarm, "motion"},
		{"paused", mailOf("Motion", ""), "paused", Alarm, "motion"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := message.Read([]byte(tc.mail))
			about := rule.Mail{To: []string{tc.to + "@preroll"}, Subject: m.Subject, Body: m.Body, Label: m.Label}
			o := judge(m, about, set, quiet, true)
			if o.Kind != tc.want || m.Label != tc.label || o.Why.IsZero() {
				t.Errorf("%+v with label %q, want %s %q", o, m.Label, tc.want, tc.label)
			}
			if tc.want == Alarm && (!slices.Equal(o.Cameras, []string{tc.to}) ||
				(quiet(tc.to) != Alarm) != (o.Quiet[tc.to] == quiet(tc.to))) {
				t.Errorf("%+v", o)
			}
			if o := judge(m, about, set, quiet, false); tc.want == Notice && tc.to != "nobody" && o.Kind != Alarm {
				t.Errorf("before its end it is %+v", o)
			}
		})
	}
}

// of returns cameras with the given ids.
func of(ids ...string) (list []config.Camera) {
	for i, id := range ids {
		list = append(list, camera(id, fmt.Sprintf("rtsp://192.0.2.%d/s", 50+i)))
	}
	return list
}

// TestRecipientLists checks several recipients in one RCPT command, as cameras write them.
func TestRecipientLists(t *testing.T) {
	for _, rcpt := range []string{"<yard@x,door@x>", "<yard@x;door@x>", "<yard@x>,<door@x>", "<yard@x>; <door@x>",
		"yard@x, door@x", "<yard, door>"} {
		k := serveCameras(t, of("yard", "door"), nil)
		k.talk("HELO cam", "MAIL FROM:<a@x>", "RCPT TO:"+rcpt, "DATA", "Subject: Motion\r\n\r\nx\r\n.", "QUIT")
		if k.count("yard") != 1 || k.count("door") != 1 {
			t.Errorf("%s: %d and %d events; %+v", rcpt, k.count("yard"), k.count("door"), k.connections.List())
		}
	}
}

// TestLooseRecipients checks names that cameras do not let a person type exactly.
func TestLooseRecipients(t *testing.T) {
	poll.RealTime(t)
	kitchen, pole := camera("kitchen", "rtsp://192.0.2.40/s"), camera("pole", "rtsp://192.0.2.41/s")
	kitchen.Name, pole.Name = "Küche", "Tył"
	for rcpt, id := range map[string]string{
		"<back+yard@x>": "back-yard", "<back_yard@x>": "back-yard", "<Back Yard@x>": "back-yard",
		"<\"back yard\"@x>": "back-yard", "<backyard@x>": "back-yard",
		"<Front Door@x>": "front-door", "<front.door@x>": "front-door", "<K%C3%BCche@x>": "kitchen",
		"<K\xfcche@x>": "kitchen", "<=?utf-8?q?K=C3=BCche?=@x>": "kitchen",
		"<=?utf-8?b?S8O8Y2hl?=>": "kitchen", "<Ty\xb3@x>": "pole", "<Tył@x>": "pole",
	} {
		k := serveCameras(t, append(of("back-yard", "front-door"), kitchen, pole), nil)
		k.talk("HELO cam", "MAIL FROM:<a@x>", "RCPT TO:"+rcpt, "DATA", "Subject: Motion\r\n\r\nx\r\n.", "QUIT")
		if k.count(id) != 1 {
			t.Errorf("%q: no event of %s; %+v", rcpt, id, k.unmatched)
		}
	}
}

// FuzzJudge checks what must hold for any mail. A mail that has a picture or was chosen by a rule is no notice. A mail
// that fits a camera is an alarm, a test or a notice. Every outcome has its sentence.
func FuzzJudge(f *testing.F) {
	f.Add("NVR", "EVENT TYPE: HDD Full", "door", false)
	f.Add("Test", "", "ruled", true)
	f.Add("low battery", "Alarm\nPerson: yes", "nobody", true)
	set := rule.New([]rule.Camera{{ID: "door"}, {ID: "ruled", Mail: []string{"to: ruled"}}})
	f.Fuzz(func(t *testing.T, subject, text, to string, picture bool) {
		mail := mailOf(subject, text)
		if picture {
			mail = pictured(subject, text)
		}
		m := message.Read([]byte(mail))
		o := judge(m, rule.Mail{To: []string{to}, Subject: m.Subject, Body: m.Body, Label: m.Label}, set,
			func(string) Kind { return Alarm }, true)
		fits := len(o.Cameras) > 0
		if o.Why.IsZero() || o.Kind == Unmatched && fits || o.Kind == Alarm && !fits {
			t.Fatalf("%+v", o)
		}
		if o.Kind == Notice && (m.Picture || slices.Equal(o.Cameras, []string{"ruled"}) || m.Label != "") {
			t.Fatalf("%+v of %+v", o, m)
		}
	})
}

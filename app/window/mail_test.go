package window

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// sceneTalks returns connections of a camera that gave up, a careless camera, a stranger and an unknown recorder.
func sceneTalks() []status.Connection {
	line := func(ms int, who, said string) status.Line {
		return status.Line{At: event.Seconds(time.Duration(ms) * time.Millisecond), Who: who, Text: text.Plain(said)}
	}
	return []status.Connection{
		{ID: 14, Time: noon.Add(55 * time.Minute), Length: event.Seconds(2 * time.Second), From: "192.0.2.9",
			Port:    "[::]:2525",
			Verdict: text.GaveUpInLogin.With(text.GaveUp),
			Dialogue: []status.Line{line(0, "preroll", "220 preroll ESMTP Service Ready"),
				line(20, "camera", "EHLO IPC"), line(21, "preroll", "250-preroll"),
				line(21, "preroll", "250-AUTH LOGIN PLAIN"), line(21, "preroll", "250 STARTTLS"),
				line(60, "camera", "AUTH LOGIN"), line(61, "preroll", "334 VXNlcm5hbWU6"),
				line(2000, "note", "the camera closed the connection")}},
		{ID: 13, Time: noon.Add(54 * time.Minute), Length: event.Seconds(300 * time.Millisecond), From: "192.0.2.9",
			Port: "[::]:2525", TLS: "TLS 1.2", Good: true, Mails: 1, Cameras: []string{"gate"},
			Events:  []string{"e010"},
			Repairs: []text.Text{text.QuirkSenderHost.With(), text.QuirkBareLF.With()},
			Verdict: text.Repaired.With(text.Accepted, 2,
				text.Join(", ", text.QuirkSenderHost.With(), text.QuirkBareLF.With()))},
		{ID: 12, Time: noon.Add(50 * time.Minute), From: "203.0.113.9", Port: "[::]:2525",
			Verdict: text.CountedTimes.With(text.RefusedAddress.With("203.0.113.9"), 7)},
		{ID: 11, Time: noon.Add(49 * time.Minute), From: "192.0.2.7", Port: "[::]:2525", Mails: 1,
			Verdict: text.AcceptedUnmatched.With(text.Accepted, text.MatchNone)},
	}
}

func sceneUnmatched() []status.Unmatched {
	why := text.MatchNone.With()
	nvr := status.Unmatched{Time: noon.Add(49 * time.Minute), From: "192.0.2.7", Sender: "nvr@home",
		To: []string{"all@nvr"}, Subject: "Motion detected", Channel: "Back Yard", Number: "4", Device: "NVR",
		Login: "admin", Label: "motion", Why: why}
	other := nvr
	other.Channel, other.Number = "Drive", "5"
	return []status.Unmatched{nvr, other,
		{Time: noon, From: "192.0.2.8", Sender: "cam@nvr", To: []string{"nobody@nvr"}, Subject: "Motion", Why: why}}
}

func TestConnections(t *testing.T) {
	f := &fake{settings: config.Default(), talks: sceneTalks()}
	w := filled(t, f, 20)
	p := w.health.doctor
	p.tick()
	p.tick()
	settle(w)
	if len(p.list) != 0 {
		t.Error("it asks while nobody looks")
	}
	w.turn(pageHealth)
	settle(w)
	row := func(i int) *connectionRow { return p.rows.Objects[i].(*connectionRow) }
	if len(p.list) != 4 || len(p.rows.Objects) != 4 ||
		row(0).text.Text != "Camera gave up in the middle of the login: choose another kind of login in the camera, or none" || !strings.Contains(row(1).detail.Text, "192.0.2.9  ·  Gate  ·  TLS 1.2") || p.empty.Visible() || p.more.Visible() {
		t.Fatalf("%d rows, %q, %q", len(p.rows.Objects), row(0).text.Text, row(1).detail.Text)
	}
	w.status.Cameras[0].Name = "Front gate"
	w.changed(control.Update{}, false)
	if !strings.Contains(row(1).detail.Text, "Front gate") {
		t.Errorf("a camera that is called another way: %q", row(1).detail.Text)
	}
	w.status.Cameras[0].Name = "Gate"
	p.bad.SetChecked(true)
	if !row(2).Visible() || row(3).Visible() || row(1).c.ID != 12 {
		t.Error("the filter shows what has no problem")
	}
	f.talks = f.talks[1:2]
	p.ask()
	settle(w)
	if row(0).Visible() || p.empty.Text != "None of the last 1 connections had a problem." {
		t.Errorf("nothing to repair: %q", p.empty.Text)
	}
	p.bad.SetChecked(false)
	f.talks = nil
	p.ask()
	settle(w)
	if !strings.HasPrefix(p.empty.Text, "None yet") {
		t.Errorf("none: %q", p.empty.Text)
	}

	// The dialogue continues while it is shown.
	f.talks = sceneTalks()
	f.talks[0].Open = true
	p.ask()
	settle(w)
	row(0).TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	top := w.win.Canvas().Overlays().Top()
	if top == nil || p.talk == nil || !strings.Contains(p.talk.said.String(), "EHLO IPC") || p.talk.toEvent.Visible() {
		t.Fatal("the dialogue is not shown")
	}
	f.talks = sceneTalks()
	f.talks[0].Dialogue = append(f.talks[0].Dialogue, status.Line{Who: "camera", Text: text.Plain("one more line")})
	p.ask()
	settle(w)
	if !strings.Contains(p.talk.said.String(), "one more line") {
		t.Error("the dialogue does not go on")
	}
	test.Tap(find(top, "Copy all"))
	if got := fyne.CurrentApp().Clipboard().Content(); !strings.HasPrefix(got, "Connection 14, ") ||
		!strings.Contains(got, "camera   EHLO IPC") {
		t.Errorf("copied %q", got)
	}
	test.Tap(find(top, "Close"))
	if p.talk != nil || w.win.Canvas().Overlays().Top() != nil {
		t.Error("the dialogue stays")
	}
	f.talks[1].Events = []string{"e000"}
	p.open(f.talks[1])
	test.Tap(find(w.win.Canvas().Overlays().Top(), "Show the event"))
	settle(w)
	if w.tabs.SelectedIndex() != pageEvents || w.events.detail.event.ID != "e000" {
		t.Errorf("the event is not shown: %q", w.events.detail.event.ID)
	}

	// Many connections are shown in steps.
	w.turn(pageHealth)
	settle(w)
	for i := range 200 {
		f.talks = append(f.talks, status.Connection{ID: 1000 + i, Verdict: text.Plain("connected"), Good: true})
	}
	p.ask()
	settle(w)
	if len(p.rows.Objects) != fewConnections || p.more.Text != "Show older ones (198)" {
		t.Errorf("%d rows, %q", len(p.rows.Objects), p.more.Text)
	}
	test.Tap(p.more)
	if len(p.rows.Objects) != 5*fewConnections {
		t.Errorf("%d rows", len(p.rows.Objects))
	}
}

func TestAssign(t *testing.T) {
	f := &fake{settings: config.Default()}
	for _, id := range []string{"gate", "yard"} {
		c := config.DemoCamera()
		c.ID, c.Name, c.Mail = id, id, nil
		f.settings.Cameras = append(f.settings.Cameras, c)
	}
	w := filled(t, f, 1)
	w.status.Cameras = append(w.status.Cameras, status.Camera{ID: "yard", Name: "Yard"})
	w.status.SMTP.Unmatched = sceneUnmatched()
	w.changed(control.Update{Status: w.status}, false)
	w.turn(pageHealth)
	p := w.health.mails
	if len(p.content.Objects) != 4 {
		t.Fatalf("%d rows", len(p.content.Objects))
	}
	if got := detailsOf(w.status.SMTP.Unmatched[0]); got != "channel Back Yard (4)  ·  device NVR  ·  login admin  ·  motion" {
		t.Error(got)
	}
	a := p.assign(w.status.SMTP.Unmatched[0])
	if a.by.Selected != "Name of the channel" || a.entry.Text != "from: nvr@home & channel: Back Yard" ||
		!a.ok.Disabled() {
		t.Errorf("%q, %q", a.by.Selected, a.entry.Text)
	}
	a.by.SetSelected("Sender")
	a.camera.SetSelectedIndex(1)
	if a.entry.Text != "from: nvr@home" || a.ok.Disabled() {
		t.Errorf("%q, %v", a.entry.Text, a.ok.Disabled())
	}
	a.entry.SetText("from: nvr & ")
	if !a.fault.Visible() || !a.ok.Disabled() {
		t.Error("a fault does not show")
	}
	a.by.SetSelected("Recipient")
	test.Tap(a.ok)
	settle(w)
	if len(f.applied) != 1 || fmt.Sprint(f.applied[0].Cameras[1].Mail) != "[yard all@nvr]" ||
		f.applied[0].Cameras[0].Mail != nil || !w.toasts.box.Visible() {
		t.Errorf("assigned %+v", f.applied)
	}
	test.Tap(find(p.content, "Empty the list"))
	if f.dropped {
		t.Error("it did not ask")
	}
	test.Tap(find(w.win.Canvas().Overlays().Top(), "Empty the list"))
	settle(w)
	if !f.dropped {
		t.Error("the list is not emptied")
	}
	f.refuse = errors.New("no")
	a = p.assign(w.status.SMTP.Unmatched[2])
	if a.by.Selected != "Recipient" || !slices.Contains(a.by.Options, "Network address") {
		t.Errorf("%q of %v", a.by.Selected, a.by.Options)
	}
}

func TestMailSettings(t *testing.T) {
	f := &fake{settings: config.Default()}
	cam := config.DemoCamera()
	cam.ID, cam.Mail = "gate", []string{"gate", "subject: a, b"}
	f.settings.Cameras = []config.Camera{cam}
	w := rig(t, f)
	w.guide.auto = false
	w.status = demoStatus("")
	p := w.settings
	p.load()
	settle(w)
	at := func(key string) *textField {
		return p.fields[slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })]
	}
	if at("camera.mail").entry.Text != "gate\nsubject: a, b" || at("smtp.listen").entry.Text != "2525" ||
		at("camera.mail_lag").entry.Text != "" || p.lagRow.Visible() {
		t.Errorf("loaded %q, %q, %q", at("camera.mail").entry.Text, at("smtp.listen").entry.Text,
			at("camera.mail_lag").entry.Text)
	}
	for _, bad := range []struct{ key, value, says string }{
		{"smtp.listen", "2525, 2525", "only once"}, {"smtp.listen_tls", "x", "must be"},
		{"camera.mail", "gate\nto: x &", "ends with &"}, {"camera.mail_lag", "2h", "must be"},
		{"camera.mail_lag", "late", "length of time"},
	} {
		was := at(bad.key).entry.Text
		at(bad.key).entry.SetText(bad.value)
		if x := at(bad.key).fault; !x.Visible() || !strings.Contains(x.Text, bad.says) {
			t.Errorf("%s = %q: %q", bad.key, bad.value, x.Text)
		}
		at(bad.key).entry.SetText(was)
		if at(bad.key).fault.Visible() {
			t.Errorf("%s: the fault stays", bad.key)
		}
	}
	w.status.Cameras[0].MailLag = event.Seconds(8 * time.Second)
	w.status.SMTP.Ports = []status.Port{{Listen: "[::]:2525"}, {Listen: "[::]:465", TLS: true},
		{Listen: ":25",
			Error: text.Plain("this user may not listen on port 25; choose one above 1023 in smtp.listen, such as :2525")}}
	w.changed(control.Update{Status: w.status}, false)
	settle(w)
	if want := "Listening on port 2525, port 465 (TLS only).\nThis user may not listen on port 25; choose one above 1023 in smtp.listen, such as :2525."; p.smtp.Text != want {
		t.Errorf("ports: %q", p.smtp.Text)
	}
	if !p.lagRow.Visible() || !strings.Contains(p.lagText.Text, "about 8 s") {
		t.Errorf("late mails: %v %q", p.lagRow.Visible(), p.lagText.Text)
	}
	test.Tap(p.lagUse)
	if p.lagRow.Visible() {
		t.Error("it is offered again")
	}
	at("smtp.listen").entry.SetText("2525, 127.0.0.1:25 587")
	at("smtp.listen_tls").entry.SetText("465")
	at("camera.mail").entry.SetText("gate\n\n channel: 3 & to: nvr\n")
	p.oldTLS.SetChecked(true)
	p.keepMail.SetChecked(true)
	p.apply()
	settle(w)
	if len(f.applied) != 1 {
		t.Fatalf("message: %s", p.message.Text)
	}
	got := f.applied[0]
	if s := got.SMTP; s.Listen != ":2525, 127.0.0.1:25, :587" || s.ListenTLS != ":465" || !s.OldTLS || !s.KeepMail {
		t.Errorf("%+v", s)
	}
	if c := got.Cameras[0]; c.MailLag.D() != 8*time.Second ||
		fmt.Sprintf("%q", c.Mail) != `["gate" "channel: 3 & to: nvr"]` {
		t.Errorf("%+v", c)
	}
}

func TestEventViewShowsItsMail(t *testing.T) {
	w := filled(t, &fake{settings: config.Default()}, 3)
	e := ev(0, event.Saved)
	e.Mail = "x.eml"
	e.Triggers = []event.Trigger{{Time: e.Time, Source: event.Mail, Label: "motion", Channel: "Front Yard",
		Said: "2026-11-22 11:59:55", From: "192.0.2.7"}}
	if got := alarmOf(e.Triggers[0]); got != "motion  ·  Front Yard  ·  192.0.2.7  ·  by the camera's clock 2026-11-22 11:59:55" {
		t.Error(got)
	}
	w.events.openEvent(e)
	if find(w.events.detail.receipt, "Open the mail") == nil {
		t.Error("the mail cannot be opened")
	}
	e.Mail = ""
	w.events.openEvent(e)
	if find(w.events.detail.receipt, "Open the mail") != nil {
		t.Error("a mail is offered that was not kept")
	}
}

func TestMailHelp(t *testing.T) {
	for _, tc := range []struct{ name, url, want string }{
		{"Yard", "rtsp://192.0.2.9/h264Preview_01_main", "Reolink"},
		{"Yard", "rtsp://192.0.2.9/Streaming/Channels/302", "Hikvision"}, {"Dahua gate", "", "Dahua / Amcrest"},
		{"Yard", "rtsp://192.0.2.9:88/videoSub", "Foscam"}, {"Yard", "rtsp://192.0.2.9/stream1", "Other"},
		{"My Swann", "rtsp://x/ch01/0", "Swann"}, {"Yard", "%", "Other"},
		{"Yard", "rtsp://x/cam/realmonitor?channel=2&subtype=1", "Dahua / Amcrest"},
	} {
		if got := config.Brands[mailBrandOf(config.Camera{Name: tc.name, URL: tc.url}, "")].Name; got != tc.want {
			t.Errorf("%s, %s: %s", tc.name, tc.url, got)
		}
	}
	if got := config.Brands[mailBrandOf(config.Camera{Name: "Yard", URL: "rtsp://192.0.2.9/stream1"},
		"TP-Link (Tapo, VIGI)")].Name; got != "TP-Link (Tapo, VIGI)" {
		t.Errorf("a brand that is known: %s", got)
	}
	test.NewTempApp(t)
	m := newMailHelp()
	s, c := config.Default(), config.NewCamera()
	c.ID, c.Name, c.URL = "gate", "Gate", "rtsp://192.0.2.9/h264Preview_01_main"
	m.set(s, c, nil, []string{"192.0.2.1"})
	if m.brand.Selected != "Reolink" || len(m.steps.Objects) != 5 {
		t.Errorf("%q, %d steps", m.brand.Selected, len(m.steps.Objects))
	}
	m.brand.SetSelected("Axis")
	s.SMTP.Listen = ":2525, :25"
	m.set(s, c, nil, []string{"192.0.2.1"})
	if m.brand.Selected != "Axis" {
		t.Error("the chosen brand is forgotten")
	}
	c.Mail = []string{"channel: 3"}
	if got := fmt.Sprint(mailOf(s, c, nil,
		[]string{"a"})[1:3]); got != "[{Port 2525, or 25 2525} {Recipient (anything: the camera's mail names go by something else) }]" {
		t.Error(got)
	}
	s.SMTP.Listen, s.SMTP.ListenTLS = "", ":465"
	if got := mailOf(s, c, nil, nil); got[1].copy != "465" || got[4].value != "SSL/TLS" {
		t.Error(got)
	}
}

func TestVerdictOf(t *testing.T) {
	words.Use("de")
	t.Cleanup(func() { words.Use("en") })
	for _, c := range sceneTalks() {
		if got := verdictOf(c); strings.EqualFold(got, c.Verdict.String()) {
			t.Errorf("no German for %q", c.Verdict)
		}
	}
	if r := newConnectionRow(newConnections(&env{})); r.CreateRenderer() == nil ||
		r.text.Importance != widget.MediumImportance {
		t.Error("no row")
	}
}

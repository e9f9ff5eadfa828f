package health

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestConnections(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Talks: pagetest.Talks()}
	w, all := open(t, f)
	w.Changed(control.Update{Status: pagetest.Status("/a")}, true)
	p := all.doctor
	p.tick()
	p.tick()
	w.Settle()
	if len(p.list) != 0 {
		t.Error("it asks while nobody looks")
	}
	all.Show()
	w.Settle()
	row := func(i int) *connectionRow { return p.rows.Objects[i].(*connectionRow) }
	if len(p.list) != 4 || len(p.rows.Objects) != 4 ||
		row(0).text.Text != "Camera gave up in the middle of the login: choose another kind of login in the camera, or none" || !strings.Contains(row(1).detail.Text, "192.0.2.9  ·  Gate  ·  TLS 1.2") || p.empty.Visible() || p.more.Visible() {
		t.Fatalf("%d rows, %q, %q", len(p.rows.Objects), row(0).text.Text, row(1).detail.Text)
	}
	w.Status.Cameras[0].Name = "Front gate"
	w.Changed(control.Update{}, false)
	if !strings.Contains(row(1).detail.Text, "Front gate") {
		t.Errorf("a camera that is called another way: %q", row(1).detail.Text)
	}
	w.Status.Cameras[0].Name = "Gate"
	p.bad.SetChecked(true)
	if !row(2).Visible() || row(3).Visible() || row(1).c.ID != 12 {
		t.Error("the filter shows what has no problem")
	}
	f.Talks = f.Talks[1:2]
	p.ask()
	w.Settle()
	if row(0).Visible() || p.empty.Text != "None of the last 1 connections had a problem." {
		t.Errorf("nothing to repair: %q", p.empty.Text)
	}
	p.bad.SetChecked(false)
	f.Talks = nil
	p.ask()
	w.Settle()
	if !strings.HasPrefix(p.empty.Text, "None yet") {
		t.Errorf("none: %q", p.empty.Text)
	}

	// The dialogue continues while it is shown.
	f.Talks = pagetest.Talks()
	f.Talks[0].Open = true
	p.ask()
	w.Settle()
	row(0).TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	top := w.Window.Canvas().Overlays().Top()
	if top == nil || p.talk == nil || !strings.Contains(p.talk.said.String(), "EHLO IPC") || p.talk.toEvent.Visible() {
		t.Fatal("the dialogue is not shown")
	}
	f.Talks = pagetest.Talks()
	f.Talks[0].Dialogue = append(f.Talks[0].Dialogue, status.Line{Who: "camera", Text: text.Plain("one more line")})
	p.ask()
	w.Settle()
	if !strings.Contains(p.talk.said.String(), "one more line") {
		t.Error("the dialogue does not go on")
	}
	test.Tap(pagetest.Find(top, "Copy all"))
	if got := fyne.CurrentApp().Clipboard().Content(); !strings.HasPrefix(got, "Connection 14, ") ||
		!strings.Contains(got, "camera   EHLO IPC") {
		t.Errorf("copied %q", got)
	}
	test.Tap(pagetest.Find(top, "Close"))
	if p.talk != nil || w.Window.Canvas().Overlays().Top() != nil {
		t.Error("the dialogue stays")
	}
	f.Talks[1].Events = []string{"e000"}
	p.open(f.Talks[1])
	test.Tap(pagetest.Find(w.Window.Canvas().Overlays().Top(), "Show the event"))
	if want := []instance.Request{{Event: "e000"}}; !slices.Equal(w.Asked, want) {
		t.Errorf("it turns to %v, want %v", w.Asked, want)
	}

	// Many connections are shown in steps.
	for i := range 200 {
		f.Talks = append(f.Talks, status.Connection{ID: 1000 + i, Verdict: text.Plain("connected"), Good: true})
	}
	p.ask()
	w.Settle()
	if len(p.rows.Objects) != fewConnections || p.more.Text != "Show older ones (198)" {
		t.Errorf("%d rows, %q", len(p.rows.Objects), p.more.Text)
	}
	test.Tap(p.more)
	if len(p.rows.Objects) != 5*fewConnections {
		t.Errorf("%d rows", len(p.rows.Objects))
	}
}

func TestAssign(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	for _, id := range []string{"gate", "yard"} {
		c := config.DemoCamera()
		c.ID, c.Name, c.Mail = id, id, nil
		f.Config.Cameras = append(f.Config.Cameras, c)
	}
	w, all := open(t, f)
	w.Changed(control.Update{Status: pagetest.Status("/a")}, true)
	w.Status.Cameras = append(w.Status.Cameras, status.Camera{ID: "yard", Name: "Yard"})
	w.Status.SMTP.Unmatched = pagetest.Unmatched()
	w.Changed(control.Update{Status: w.Status}, false)
	p := all.mails
	if len(p.content.Objects) != 4 {
		t.Fatalf("%d rows", len(p.content.Objects))
	}
	if got := detailsOf(w.Status.SMTP.Unmatched[0]); got != "channel Back Yard (4)  ·  device NVR  ·  login admin  ·  motion" {
		t.Error(got)
	}
	a := p.assign(w.Status.SMTP.Unmatched[0])
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
	w.Settle()
	if len(f.Applied) != 1 || fmt.Sprint(f.Applied[0].Cameras[1].Mail) != "[yard all@nvr]" ||
		f.Applied[0].Cameras[0].Mail != nil || !w.Toasts.Box.Visible() {
		t.Errorf("assigned %+v", f.Applied)
	}
	test.Tap(pagetest.Find(p.content, "Empty the list"))
	if f.Dropped {
		t.Error("it did not ask")
	}
	test.Tap(pagetest.Find(w.Window.Canvas().Overlays().Top(), "Empty the list"))
	w.Settle()
	if !f.Dropped {
		t.Error("the list is not emptied")
	}
	f.Refuse = errors.New("no")
	a = p.assign(w.Status.SMTP.Unmatched[2])
	if a.by.Selected != "Recipient" || !slices.Contains(a.by.Options, "Network address") {
		t.Errorf("%q of %v", a.by.Selected, a.by.Options)
	}
}

func TestVerdictOf(t *testing.T) {
	words.Use("de")
	t.Cleanup(func() { words.Use("en") })
	for _, c := range pagetest.Talks() {
		if got := verdictOf(c); strings.EqualFold(got, c.Verdict.String()) {
			t.Errorf("no German for %q", c.Verdict)
		}
	}
	if r := newConnectionRow(newConnections(&page.Env{})); r.CreateRenderer() == nil ||
		r.text.Importance != widget.MediumImportance {
		t.Error("no row")
	}
}

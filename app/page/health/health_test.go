package health

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestMain(m *testing.M) { os.Exit(pagetest.Main(m)) }

// open returns the page on Fyne's test driver, with a fake recorder.
func open(t *testing.T, f *pagetest.Fake) (*pagetest.Rig, *Page) {
	t.Helper()
	w := pagetest.New(t, f)
	p := New(w.Env)
	w.Open(p)
	return w, p
}

func TestHealthPage(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(),
		Findings: []status.Finding{{Text: text.Plain("No mail came from this camera"),
			Hint: text.Plain("Press its test button.")}}}
	f.Config.Cameras = []config.Camera{config.DemoCamera()}
	f.Config.Cameras[0].ID, f.Config.Cameras[0].Mail = "gate", nil
	w, p := open(t, f)
	w.Changed(control.Update{Status: pagetest.Status("/a")}, true)
	w.Settle()
	p.Show()
	p.find()
	w.Settle()
	if len(p.answer.Objects) != 1 {
		t.Fatalf("%d answers", len(p.answer.Objects))
	}
	p.clock.SetText("tea time")
	p.find()
	w.Settle()
	if len(p.answer.Objects) != 1 {
		t.Error("a time that is none has no answer")
	}
	w.Status.SMTP.Unmatched = []status.Unmatched{{Time: pagetest.Noon, From: "192.0.2.7", To: []string{"nobody@nvr"},
		Subject: "Motion"}}
	w.Changed(control.Update{Status: w.Status}, false)
	test.Tap(p.mails.assign(w.Status.SMTP.Unmatched[0]).ok)
	w.Settle()
	if len(f.Applied) != 1 || fmt.Sprint(f.Applied[0].Cameras[0].Mail) != "[gate nobody@nvr]" ||
		!w.Toasts.Box.Visible() {
		t.Errorf("assigned %+v", f.Applied)
	}
	// The self-test runs with an event that exists at once.
	e := pagetest.Event(0, event.Saved)
	e.LastTrigger = time.Now().Add(time.Minute)
	f.Stored = []event.Event{e}
	f.Verdict = status.VerifyResult{Text: text.Plain("It was changed since it was saved")}
	p.selfTest()
	w.Settle()
	if len(p.result.Objects) != 3 || fmt.Sprint(f.Mailed) != "[gate]" {
		t.Errorf("self-test: %d lines, mailed %v", len(p.result.Objects), f.Mailed)
	}
}

// TestTheTimeIsThatOfTheVisit comes back to the page, before and after something was typed.
func TestTheTimeIsThatOfTheVisit(t *testing.T) {
	w, p := open(t, &pagetest.Fake{Config: config.Default()})
	now := pagetest.Noon
	w.Env.Now = func() time.Time { return now }
	visit := func() string {
		p.Hide()
		now = now.Add(25 * time.Hour)
		p.Show()
		return p.asked()
	}
	visit()
	if got, want := visit(), w.Env.NewDateField("").Words.Day(now)+" "+now.Format("15:04"); got != want {
		t.Errorf("the fields show %q, now is %q", got, want)
	}
	p.clock.SetText("9:41")
	if want := p.asked(); visit() != want {
		t.Errorf("what was typed became %q", p.asked())
	}
}

func TestCamerasOfOneName(t *testing.T) {
	w, p := open(t, &pagetest.Fake{Config: config.Default()})
	s := pagetest.Status("")
	s.Cameras = append(s.Cameras, status.Camera{ID: "gate-2", Name: "Gate"}, status.Camera{ID: "yard", Name: "Yard"})
	w.Changed(control.Update{Status: s}, true)
	w.Settle()
	if want := []string{"Gate (gate)", "Gate (gate-2)", "Yard"}; !slices.Equal(p.tested.Options, want) {
		t.Errorf("cameras %v", p.tested.Options)
	}
}

func TestWhenOf(t *testing.T) {
	day := pagetest.Noon.AddDate(0, 0, -2)
	for text, want := range map[string]string{"14:05": "2026-11-20 14:05:00", " 7:30:15 ": "2026-11-20 07:30:15",
		"9": "2026-11-20 09:00:00", "": "", "25:00": "", "now": ""} {
		got, err := whenOf(&day, text, pagetest.Noon)
		if (err != nil) != (want == "") || err == nil && got.Format("2006-01-02 15:04:05") != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

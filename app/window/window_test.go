package window

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func TestMain(m *testing.M) { os.Exit(pagetest.Main(m)) }

// open returns the window on Fyne's test driver, with a fake recorder, and a function that waits for the work off the
// main goroutine.
func open(t *testing.T, f *pagetest.Fake) (w *window, settle func()) {
	t.Helper()
	ctx, client, dir := pagetest.Serve(t, f)
	w = newWindow(ctx, test.NewTempApp(t), client)
	w.Paths.File = filepath.Join(dir, "preroll.toml")
	hands := pagetest.NewHands(t, w.Env)
	return w, func() { hands.Settle(&w.Work) }
}

// filled returns the window with n events on several days.
func filled(t *testing.T, f *pagetest.Fake, n int) (w *window, settle func()) {
	f.Config, f.State = config.Default(), pagetest.Status(t.TempDir())
	f.Config.Cameras = []config.Camera{config.DemoCamera()}
	f.Stored = append(f.Stored, pagetest.Events(n)...)
	w, settle = open(t, f)
	w.Window.Resize(fyne.NewSize(900, 600))
	w.changed(control.Update{Status: f.State}, true)
	settle()
	settle()
	return w, settle
}

// text returns the texts that are seen in the window.
func (w *window) text() string { return pagetest.Texts(w.Window.Content()) }

func TestRequests(t *testing.T) {
	f := &pagetest.Fake{}
	w, settle := filled(t, f, 20)
	for _, tc := range []struct {
		r    instance.Request
		page int
		says string
	}{
		{instance.Request{Page: "cameras"}, pageCameras, "enough for 100 s of every camera"},
		{instance.Request{Event: "e-02"}, pageEvents, "Pre-roll"},
		{instance.Request{Page: "health"}, pageHealth, "Why is there no clip?"},
		{instance.Request{Page: "nowhere"}, pageHealth, "Why is there no clip?"},
		{instance.Request{Page: "settings"}, pageSettings, "Clip length for this camera"},
	} {
		w.show(tc.r)
		settle()
		if got := w.tabs.SelectedIndex(); got != tc.page || !strings.Contains(w.text(), tc.says) {
			t.Errorf("%+v: got page %d, want %d with %q:\n%s", tc.r, got, tc.page, tc.says, w.text())
		}
	}
	w.turn(pageEvents)
	w.editCamera("")
	settle()
	if !w.guiding() {
		t.Errorf("a new camera:\n%s", w.text())
	}
}

// TestAssignShowsTheMails presses the button of a mail that fits no camera, with Health not open yet and scrolled away.
func TestAssignShowsTheMails(t *testing.T) {
	f := &pagetest.Fake{}
	w, settle := filled(t, f, 3)
	w.Window.Resize(fyne.NewSize(900, 600))
	s := pagetest.Status("")
	s.SMTP.Unmatched = pagetest.Unmatched()
	w.Status = s
	assign := w.Troubles()[0]
	if assign.Button != "Assign" {
		t.Fatalf("%+v", assign)
	}
	for range 2 {
		assign.Do()
		settle()
		c, _ := w.health.get().Content().(*container.Scroll)
		if w.tabs.SelectedIndex() != pageHealth || c.Offset.Y < 100 {
			t.Errorf("page %d, scrolled to %v", w.tabs.SelectedIndex(), c.Offset.Y)
		}
		c.ScrollToTop()
	}
}

func TestGuideCoversThePages(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Stored: pagetest.Events(1)}
	w, settle := open(t, f)
	w.changed(control.Update{Status: &status.Status{}}, true)
	settle()
	if !w.covered() || w.body.Visible() {
		t.Fatal("the guide does not open by itself")
	}
	w.typed(&fyne.KeyEvent{Name: fyne.KeyDown}) // no page gets it
	for range 20 {
		w.Window.Canvas().(interface{ FocusNext() }).FocusNext()
		if o, ok := w.Window.Canvas().Focused().(*widgets.Entry); ok {
			t.Fatalf("the keys go behind the guide, to %q", o.PlaceHolder)
		}
	}
	w.show(instance.Request{Event: "e000"})
	settle()
	if w.covered() || !w.body.Visible() {
		t.Error("the guide covers the event that was asked for")
	}
}

func TestTheRecorderGoesAndComesBack(t *testing.T) {
	f := &pagetest.Fake{}
	w, settle := filled(t, f, 3)
	for i := range w.pages {
		w.turn(i)
		w.Status, w.Gone = nil, true
		w.changed(control.Update{}, false)
		w.tick()
		settle()
		if i == pageEvents && !strings.Contains(w.text(), "Preroll is not recording") {
			t.Errorf("without a recorder:\n%s", w.text())
		}
		w.changed(control.Update{Status: pagetest.Status("")}, true)
		settle()
	}
}

func TestKeysDoNotGoBehindADialog(t *testing.T) {
	f := &pagetest.Fake{}
	w, settle := filled(t, f, 3)
	w.typed(&fyne.KeyEvent{Name: fyne.KeyDown})
	w.Fail(errors.New("no"))
	dialogs := w.Window.Canvas().Overlays()
	for _, k := range []fyne.KeyName{fyne.KeyDelete, fyne.KeyE, fyne.KeyReturn, fyne.KeyP} {
		w.typed(&fyne.KeyEvent{Name: k})
	}
	settle()
	if len(dialogs.List()) != 1 || strings.Contains(w.text(), "Pre-roll") || f.Stored[0].Protected {
		t.Errorf("%d dialogs", len(dialogs.List()))
	}
}

func TestNothingIsHandedOverAfterTheEnd(t *testing.T) {
	w, _ := open(t, &pagetest.Fake{})
	ran := 0
	w.hand(func() { ran++ })
	if ran != 1 || !w.end() || w.end() {
		t.Errorf("ran %d times", ran)
	}
	if w.hand(func() { ran++ }); ran != 1 {
		t.Error("it ran after the end")
	}
}

func TestToast(t *testing.T) {
	w, _ := filled(t, &pagetest.Fake{}, 1)
	w.Toast(strings.Repeat("/a long path", 100))
	if least, room := w.Window.Content().MinSize().Width, w.Window.Canvas().Size().Width; least > room {
		t.Errorf("a long text makes the window %f wide instead of %f", least, room)
	}
}

func TestThePageIsRemembered(t *testing.T) {
	w, _ := filled(t, &pagetest.Fake{}, 300)
	w.turn(pageHealth)
	w.remember()
	if p := w.App.Preferences(); p.String("page") != "health" || p.Float("width") != 900 {
		t.Errorf("page %q, width %v", p.String("page"), p.Float("width"))
	}
}

// TestFrame draws the frame, with the line for a desktop without tray icons and a message at its foot.
func TestFrame(t *testing.T) {
	for _, variant := range []string{"light", "dark"} {
		t.Run(variant, func(t *testing.T) {
			f := &pagetest.Fake{Stored: []event.Event{pagetest.Event(10, event.Failed)}}
			w, settle := filled(t, f, 3)
			fyne.CurrentApp().Settings().SetTheme(widgets.Appearance{Theme: theme.DefaultTheme(), Variant: variant,
				Scale: 1})
			w.Now = func() time.Time { return pagetest.Noon.Add(time.Hour) }
			w.showNoTray(true)
			w.Toast("Exported to /home/me/Desktop")
			w.changed(control.Update{Status: pagetest.Status("/a")}, true)
			settle()
			pagetest.Compare(t, "frame-"+variant, w.Window.Canvas().Capture())
		})
	}
}

// TestKeysAreShownFromTheList asks for the list of keys while the list of events, or the time line, has the focus.
func TestKeysAreShownFromTheList(t *testing.T) {
	w, settle := filled(t, &pagetest.Fake{}, 3)
	c := w.Window.Canvas()
	for _, ask := range []func(){func() { c.Focused().TypedRune('?') },
		func() { c.Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyF1}) }} {
		w.typed(&fyne.KeyEvent{Name: fyne.KeyDown}) // gives the list the focus
		ask()
		settle()
		if c.Overlays().Top() == nil {
			t.Fatal("the keys are not shown")
		}
		c.Overlays().Top().Hide()
		c.Overlays().Remove(c.Overlays().Top())
	}
}

// TestEscapeEndsADialog presses Escape in a dialog in which nothing has the focus. Afterwards the pages get the keys
// and clicks again.
func TestEscapeEndsADialog(t *testing.T) {
	w, settle := filled(t, &pagetest.Fake{}, 3)
	dialog.ShowInformation("Nothing to export", "These events have no clip.", w.Window)
	w.Window.Canvas().Unfocus()
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	settle()
	if w.covered() {
		t.Errorf("%T lies over the pages", w.Window.Canvas().Overlays().Top())
	}
}

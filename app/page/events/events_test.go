package events

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/seen"
	"github.com/preroll/preroll/app/words"
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

func TestEventsPage(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	if p.welcome.Visible() || p.save.Visible() {
		t.Error("without a recorder nothing is offered")
	}
	w.Status = &status.Status{}
	p.Update(control.Update{}, true)
	w.Settle()
	if !p.welcome.Visible() || p.nothing.Visible() {
		t.Error("a newcomer is not welcomed")
	}
	w.Status = pagetest.Status(t.TempDir())
	p.Update(control.Update{}, false)
	if p.welcome.Visible() || !p.nothing.Visible() || !p.save.Visible() || !p.alarm.Visible() ||
		p.headline.Text != "Recording Gate" {
		t.Errorf("with a camera: %q", p.headline.Text)
	}
	f.Stored = []event.Event{pagetest.Event(1, event.Recording)}
	p.Update(control.Update{Events: f.Stored}, false)
	w.Settle()
	if p.nothing.Visible() || p.book.rows != 2 {
		t.Errorf("the event is not listed: %d rows", p.book.rows)
	}
	w.Status.Problems = []status.Problem{{Text: text.Plain("The archive drive is full"),
		Hint: text.Plain("Delete something on it.")}}
	p.Update(control.Update{}, false)
	if got := pagetest.Texts(p.banner.Content); got != "The archive drive is full. Delete something on it." {
		t.Errorf("trouble: %q", got)
	}
	f.Fail = errors.New("read index: database disk image is malformed")
	p.reload()
	w.Settle()
	if !p.failed.Visible() || !strings.Contains(p.fault.Text, "malformed") {
		t.Errorf("a damaged index: %q", p.fault.Text)
	}
	f.Fail = nil
	p.reload()
	w.Settle()
	p.Tick()
	if p.failed.Visible() || !p.rows.Visible() {
		t.Error("the list is not back")
	}
}

func TestListOfEvents(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 300)
	if p.book.events != 300 || p.book.rows != 300+len(p.book.days) || len(p.book.days) != 9 {
		t.Fatalf("%d events, %d rows, %d days", p.book.events, p.book.rows, len(p.book.days))
	}
	if e, _, ok := p.book.event(1); !ok || e.ID != "e000" {
		t.Errorf("first row: %v %v", e.ID, ok)
	}
	p.rows.Jump(p.book.rows)
	w.Settle()
	last := p.book.rows - 1
	if e, _, ok := p.book.event(last); !ok || e.ID != "e-299" || p.rows.Shown[last] == nil {
		t.Errorf("last row: %v %v", e.ID, ok)
	}
	// A new event moves all rows down by one, and the place stays.
	if p.book.header(p.rows.Top) {
		p.rows.Jump(p.rows.Top - 1)
	}
	before, _, _ := p.book.event(p.rows.Top)
	fresh := pagetest.Event(10, event.Recording)
	f.Stored = append([]event.Event{fresh}, f.Stored...)
	w.Changed(control.Update{Events: []event.Event{fresh}}, false)
	w.Settle()
	if after, _, _ := p.book.event(p.rows.Top); after.ID != before.ID || p.book.events != 301 {
		t.Errorf("top is %s, was %s", after.ID, before.ID)
	}

	// Keys: pick the first event and the one below, and protect both.
	p.rows.TypedKey(&fyne.KeyEvent{Name: fyne.KeyHome})
	w.Settle()
	for _, k := range []fyne.KeyName{fyne.KeyDown, fyne.KeySpace, fyne.KeyDown, fyne.KeySpace} {
		p.rows.TypedKey(&fyne.KeyEvent{Name: k})
	}
	if len(p.picked) != 2 || !p.bar.Visible() {
		t.Errorf("picked %d", len(p.picked))
	}
	p.rows.TypedKey(&fyne.KeyEvent{Name: fyne.KeyP})
	w.Settle()
	if !f.Stored[1].Protected || !f.Stored[2].Protected || f.Stored[0].Protected {
		t.Error("not protected")
	}
	p.unpick()

	// Pick a range with Shift.
	p.tapped(2, fyne.KeyModifierControl)
	p.tapped(6, fyne.KeyModifierShift)
	if len(p.picked) != 5 {
		t.Errorf("a range of %d", len(p.picked))
	}
	p.unpick()

	// Filter by label and by text, and show all again.
	p.kind.SetSelectedIndex(kindLabels)
	w.Settle()
	if p.book.events != 150 || p.count.Text != "150 events" {
		t.Errorf("motion: %d, %q", p.book.events, p.count.Text)
	}
	p.search.SetText("nobody")
	w.Settle()
	if !p.unfound.Visible() {
		t.Error("nothing fits, and it does not say so")
	}
	p.showAll()
	w.Settle()
	if p.book.events != 301 || p.filtered() {
		t.Errorf("all: %d", p.book.events)
	}

	// What is shown in another language can be searched for, and Escape empties the field.
	words.Use("de")
	if got := p.untranslate("Bewegung tor"); got != "motion tor" {
		t.Errorf("searched for %q", got)
	}
	words.Use("en")
	if got := p.untranslate("mot"); got != "mot" {
		t.Errorf("searched for %q", got)
	}
	p.search.SetText("gate")
	p.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if p.search.Text != "" {
		t.Errorf("Escape leaves %q", p.search.Text)
	}

	// What is new stays in the list while it is looked at.
	p.seen = seen.Open("", f.Stored[4].Time)
	_ = p.seen.Add(f.Stored[2])
	p.kind.SetSelectedIndex(kindNew)
	w.Settle()
	if p.kind.Selected != "New" || p.book.events != 3 {
		t.Errorf("%q: %d events", p.kind.Selected, p.book.events)
	}
	p.see(f.Stored[1])
	p.search.SetText("a")
	w.Settle()
	if p.book.events != 3 {
		t.Errorf("after one was seen: %d events", p.book.events)
	}
	p.showAll()
	w.Settle()

	// A range of days.
	p.date.SetRange(pagetest.Noon.AddDate(0, 0, -1), pagetest.Noon.AddDate(0, 0, -2))
	w.Settle()
	if len(p.book.days) != 2 || p.book.days[0].Day != "2026-11-21" || p.book.days[1].Day != "2026-11-20" {
		t.Errorf("two days: %v", p.book.days)
	}
	if _, _, ok := p.book.event(1); !ok {
		t.Error("the events of a range are not loaded")
	}
	p.showAll()
	w.Settle()
	day := pagetest.Noon.AddDate(0, 0, -1)
	p.date.SetDate(&day)
	p.filter()
	w.Settle()
	if len(p.book.days) != 1 || p.book.days[0].Day != "2026-11-21" {
		t.Errorf("one day: %v", p.book.days)
	}
}

func TestEventView(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(),
		Verdict: status.VerifyResult{OK: true, Text: text.Plain("The clip is whole.")}}
	w, p := filled(t, f, 20)
	p.tapped(1, 0)
	w.Settle()
	v := p.detail
	if !v.content.Visible() || p.listing.Visible() || v.event.ID != "e000" {
		t.Fatalf("opened %q", v.event.ID)
	}
	if !strings.Contains(v.player.Message.Text, "FFmpeg is missing") {
		t.Errorf("without FFmpeg: %q", v.player.Message.Text)
	}
	v.typed(&fyne.KeyEvent{Name: fyne.KeyDown})
	if v.event.ID != "e-01" {
		t.Errorf("older: %s", v.event.ID)
	}
	v.typed(&fyne.KeyEvent{Name: fyne.KeyUp})
	test.Tap(v.protect)
	w.Settle()
	if !f.Stored[0].Protected {
		t.Error("not protected")
	}
	w.Changed(control.Update{Events: f.Stored[:1]}, false)
	if v.protect.Text != "Unprotect" || !v.remove.Disabled() {
		t.Errorf("protected: %q", v.protect.Text)
	}
	v.check(widget.NewButton("", nil))
	w.Settle()
	if v.verdict.Text != "The clip is whole." {
		t.Errorf("verdict %q", v.verdict.Text)
	}
	// The event is removed by somebody else.
	f.Stored = f.Stored[1:]
	w.Changed(control.Update{Removed: []string{"e000"}}, false)
	w.Settle()
	if v.content.Visible() || p.book.events != 19 {
		t.Error("a removed event is still shown")
	}
	// A failed event says why it failed and what it lacks.
	bad := pagetest.Event(50, event.Failed)
	bad.Reason = "No video came from the camera."
	p.openEvent(bad)
	if !strings.Contains(v.waiting.Text, "No video came") || !v.export.Disabled() {
		t.Errorf("failed: %q", v.waiting.Text)
	}
	p.closeEvent()
}

func TestDeleteCanBeUndone(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 3)
	f.Stored[1].Protected = true
	for i := range f.Stored {
		f.Stored[i].Stem = "x"
	}
	p.remove(f.Stored)
	w.Settle()
	if fmt.Sprint(f.Deleted) != "[e000 e-02]" {
		t.Errorf("deleted %v", f.Deleted)
	}
	said := pagetest.Texts(w.Toasts.Box)
	if !strings.Contains(said, "2 events are in the trash for 7 days. 1 stays") {
		t.Errorf("said %q", said)
	}
	test.Tap(pagetest.Find(w.Toasts.Box, "Undo"))
	w.Settle()
	p.Undo() // does it once
	w.Settle()
	if fmt.Sprint(f.Restored) != "[e000 e-02]" {
		t.Errorf("restored %v", f.Restored)
	}
}

// TestDeleteOnADriveThatIsAwayAsks checks that what cannot be undone is asked first.
func TestDeleteOnADriveThatIsAwayAsks(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 3)
	w.Status.Archive.Away = []status.Drive{{ID: "d", Path: "/away"}}
	f.Stored[0].Drive, f.Stored[0].Archive = "d", "/away"
	p.remove(f.Stored[:1])
	top := w.Window.Canvas().Overlays().Top()
	if top == nil || f.Deleted != nil {
		t.Fatal("it did not ask")
	}
	test.Tap(pagetest.Find(top, "Delete"))
	w.Settle()
	if fmt.Sprint(f.Deleted) != "[e000]" {
		t.Errorf("deleted %v", f.Deleted)
	}
}

func TestSeveralArePicked(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 30)
	p.extend(1, 2)
	p.extend(2, 3)
	if len(p.picked) != 3 || !p.bar.Visible() || p.filters.Visible() {
		t.Errorf("%d are picked", len(p.picked))
	}
	at := p.rows.Position()
	p.unpick()
	if p.rows.Position() != at || !p.filters.Visible() {
		t.Error("the list moves when something is picked")
	}
	p.PickAll()
	w.Settle()
	if len(p.picked) != 30 {
		t.Errorf("%d of 30 are picked", len(p.picked))
	}
	e, _, _ := p.book.event(1)
	e.State = event.Recording
	p.unpick()
	items := p.menu(e).Items
	for _, m := range items {
		if (m.Label == "Delete" || m.Label == "Protect") && !m.Disabled {
			t.Errorf("%s is offered for an event that is being saved", m.Label)
		}
	}
}

// TestAnEventIsWatchedWhileItIsSaved opens an event that is being saved, and then the clip takes over where it is.
func TestAnEventIsWatchedWhileItIsSaved(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), State: pagetest.Status(t.TempDir())}
	f.State.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg") // not there: nothing is decoded
	open := pagetest.Event(20, event.Recording)
	open.Triggers = []event.Trigger{{Time: open.Time}}
	f.Stored = []event.Event{open}
	w, p := filled(t, f, 0)
	f.Stored = []event.Event{open}
	w.Status = f.State
	w.Now = func() time.Time { return open.Time.Add(5 * time.Second) }
	p.openEvent(open)
	v := p.detail
	if !v.follows || v.opened || !v.player.Content.Visible() || v.waiting.Visible() {
		t.Fatal("an event that is being saved does not play")
	}
	v.player.SeekTo(open.Time.Add(2 * time.Second))
	if got := v.player.At(); got != 12*time.Second {
		t.Errorf("at %s, want 2 s after the alarm, which is 12 s after the beginning", got)
	}
	saved := pagetest.Event(20, event.Saved)
	saved.Clips[0].Start = saved.From.Add(-time.Second) // the keyframe before
	w.Changed(control.Update{Events: []event.Event{saved}}, false)
	w.Settle()
	if v.follows || !v.opened {
		t.Fatal("the clip does not take over")
	}
	if got := v.player.At(); got != 13*time.Second {
		t.Errorf("the clip goes on at %s, want 13 s", got)
	}
	p.closeEvent()
	w.Status, w.Gone = nil, true
	if text, _ := w.StateOf(open); !strings.HasPrefix(text, "Interrupted") {
		t.Errorf("without a recorder: %q", text)
	}
	p.openEvent(open)
	for _, o := range v.receipt.Objects {
		if _, ok := o.(*widget.ProgressBar); ok {
			t.Error("an interrupted event seems to be saved")
		}
	}
}

func TestPagesOfAnotherQuestionAreNotShown(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 300)
	p.rows.Jump(150) // asks for pages
	if len(p.getting) == 0 {
		t.Fatal("nothing is under way")
	}
	p.kind.SetSelectedIndex(kindLabels)
	w.Settle()
	for i := range p.rows.Shown {
		if e, _, ok := p.book.event(i); !p.book.header(i) && (!ok || e.Label != "motion") {
			t.Errorf("row %d: %q", i, e.Label)
		}
	}
}

func TestARangeBeginsWhereItWasBegun(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 30)
	p.tapped(2, fyne.KeyModifierControl)
	first, _, _ := p.book.event(2)
	fresh := pagetest.Event(10, event.Recording)
	f.Stored = append([]event.Event{fresh}, f.Stored...)
	w.Changed(control.Update{Events: []event.Event{fresh}}, false)
	w.Settle()
	p.unpick()
	p.tapped(4, fyne.KeyModifierShift)
	if _, ok := p.picked[first.ID]; !ok || len(p.picked) != 2 {
		t.Errorf("picked %d, %s among them: %v", len(p.picked), first.ID, ok)
	}
	p.kind.SetSelectedIndex(kindLabels)
	w.Settle()
	p.tapped(2, fyne.KeyModifierShift)
	if len(p.picked) != 0 {
		t.Errorf("a range goes on from another list: %d", len(p.picked))
	}
}

func TestTheRecorderGoesAndComesBack(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 3)
	open := pagetest.Event(20, event.Recording)
	f.Stored = append([]event.Event{open}, f.Stored...)
	p.openEvent(open)
	was := w.Path(f.Stored[1], "x.mp4")
	w.Status = nil
	w.Changed(control.Update{}, false)
	w.Settle()
	if got := w.Path(f.Stored[1], "x.mp4"); got != was || !filepath.IsAbs(got) {
		t.Errorf("a clip's path while no recorder answers: %q", got)
	}
	f.Stored[0] = pagetest.Event(20, event.Saved) // no message reported this change
	s := pagetest.Status(t.TempDir())
	w.Changed(control.Update{Status: s, Events: f.Stored}, true)
	w.Settle()
	if p.detail.event.State != event.Saved || !p.detail.player.Content.Visible() {
		t.Errorf("it is still shown as %s", p.detail.event.State)
	}
	f.Stored = f.Stored[1:]
	w.Changed(control.Update{Status: s, Events: f.Stored}, true)
	w.Settle()
	if p.detail.content.Visible() {
		t.Error("an event that was removed meanwhile is still shown")
	}
}

func TestAnEventIsAskedForBeforeTheFirstStatus(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), State: pagetest.Status(t.TempDir()),
		Stored: []event.Event{pagetest.Event(1, event.Saved)}}
	f.State.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg")
	w, p := open(t, f)
	p.Find("e001")
	w.Settle()
	v := p.detail
	if !v.player.IsOpen() || w.Path(v.event, "x.mp4") != filepath.Join(f.State.Archive.Path, "x.mp4") {
		t.Errorf("it is not played: %q", v.player.Message.Text)
	}
	p.closeEvent()
}

func TestFewThumbnailsAreLoadedAtOnce(t *testing.T) {
	w, _ := open(t, &pagetest.Fake{})
	var mu sync.Mutex
	var order []string
	free := make(chan bool)
	p := &thumbs{env: w.Env, cache: map[string]image.Image{}, loaded: func(string) {
	}, load: func(path string) (image.Image, error) {
		<-free
		mu.Lock()
		defer mu.Unlock()
		order = append(order, path)
		return image.NewGray(image.Rect(0, 0, 1, 1)), nil
	}, shown: func() int { return 0 }}
	for i := range 2 * keptThumbs {
		p.get(fmt.Sprint(i))
	}
	if p.loading != loaders || len(order) != 0 {
		t.Errorf("%d at once", p.loading)
	}
	close(free)
	w.Settle()
	if len(order) != keptThumbs+loaders || !slices.Contains(order[:2*loaders], fmt.Sprint(2*keptThumbs-1)) ||
		p.loading != 0 {
		t.Errorf("%d were loaded, first %v", len(order), order[:2*loaders])
	}
	p.shown = func() int { return 2 * keptThumbs } // a large screen
	for i := range 2 * keptThumbs {
		p.get(fmt.Sprint("large ", i))
	}
	w.Settle()
	for i := range 2 * keptThumbs {
		if p.cache[fmt.Sprint("large ", i)] == nil {
			t.Fatalf("picture %d of %d that are visible is not loaded", i, 2*keptThumbs)
		}
	}
}

func TestEventViewShowsItsMail(t *testing.T) {
	_, p := filled(t, &pagetest.Fake{Config: config.Default()}, 3)
	e := pagetest.Event(0, event.Saved)
	e.Mail = "x.eml"
	e.Triggers = []event.Trigger{{Time: e.Time, Source: event.Mail, Label: "motion", Channel: "Front Yard",
		Said: "2026-11-22 11:59:55", From: "192.0.2.7"}}
	const want = "motion  ·  Front Yard  ·  192.0.2.7  ·  by the camera's clock 2026-11-22 11:59:55"
	if got := alarmOf(e.Triggers[0]); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.openEvent(e)
	if pagetest.Find(p.detail.receipt, "Open the mail") == nil {
		t.Error("the mail cannot be opened")
	}
	e.Mail = ""
	p.openEvent(e)
	if pagetest.Find(p.detail.receipt, "Open the mail") != nil {
		t.Error("a mail is offered that was not kept")
	}
}

func TestThePlaceIsRemembered(t *testing.T) {
	f := &pagetest.Fake{}
	w, p := filled(t, f, 300)
	p.rows.Jump(200)
	w.Settle()
	e, _, _ := p.book.event(p.rows.Top)
	place := p.Place()
	f.Stored = append([]event.Event{pagetest.Event(5, event.Saved)}, f.Stored...) // a new event came in the meantime
	w, p = filled(t, f, 0)
	p.ReturnTo(place)
	p.reload()
	w.Settle()
	w.Settle()
	if got, _, ok := p.book.event(p.rows.Top); !ok || got.ID != e.ID {
		t.Errorf("at %q, was at %q", got.ID, e.ID)
	}
}

// filled returns the page with n events on several days.
func filled(t *testing.T, f *pagetest.Fake, n int) (*pagetest.Rig, *Page) {
	f.Stored = append(f.Stored, pagetest.Events(n)...)
	w, p := open(t, f)
	w.Changed(control.Update{Status: pagetest.Status(t.TempDir())}, true)
	w.Settle()
	w.Settle()
	return w, p
}

// TestNarrowWindow changes the width of the window. The filters, the day and the list never lie over one another.
func TestNarrowWindow(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 300)
	place := fyne.CurrentApp().Driver().AbsolutePositionForObject
	for _, width := range []float32{1300, 1000, 700, 620, 560, 500, 700, 1300, 560, 1300} {
		w.Window.Resize(fyne.NewSize(width, 700))
		p.content.Refresh() // as the desktop's driver does when a smallest size has changed
		bottom, day, list := place(p.clear).Y+p.clear.Size().Height, place(p.strip).Y, place(p.rows).Y
		if day < bottom || list < day+p.strip.Size().Height || list > bottom+p.strip.Size().Height+40 {
			t.Errorf("%v wide: the filters end at %v, the day begins at %v, the list at %v", width, bottom, day, list)
		}
	}
}

// TestAnEventThatBeginsWhileTheListIsRead comes after its day was counted and before its page was read. No event may
// be missing then.
func TestAnEventThatBeginsWhileTheListIsRead(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 3)
	fresh := pagetest.Event(10, event.Recording)
	f.Stored = append([]event.Event{fresh}, f.Stored...)
	day := dayOf(f.Stored[1])
	fresh.Time = f.Stored[1].Time.Add(time.Second)
	f.Stored[0] = fresh
	p.book.keep(pageKey{day, 0}, f.Stored)
	w.Changed(control.Update{Events: []event.Event{fresh}}, false)
	w.Settle()
	if p.book.events != 4 {
		t.Errorf("%d events, want 4", p.book.events)
	}
}

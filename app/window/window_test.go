package window

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
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
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // pictures and texts show times
	words.Use("en")
	home, err := os.MkdirTemp("", "preroll-window-")
	if err != nil {
		panic(err)
	}
	_ = os.Setenv("XDG_CONFIG_HOME", home)
	_ = os.Setenv("HOME", home)
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ev(n int, state event.State) event.Event {
	e := event.Event{ID: fmt.Sprintf("e%03d", n), Camera: "gate", CameraName: "Gate", Label: "person", State: state,
		Time: noon.Add(time.Duration(n) * time.Minute), TriggerCount: 1}
	e.From, e.Until = e.Time.Add(-10*time.Second), e.Time.Add(time.Minute)
	if state == event.Saved || state == event.Incomplete {
		e.Clips = []event.Clip{{File: "x.mp4", Bytes: 5 << 20, Length: event.Seconds(71 * time.Second), Start: e.From,
			SHA256: strings.Repeat("0f", 32)}}
		e.Receipt = event.Receipt{PreRollAsked: event.Seconds(10 * time.Second),
			PreRollGot: event.Seconds(11 * time.Second), PostRollAsked: event.Seconds(time.Minute),
			PostRollGot: event.Seconds(60 * time.Second), DurableAfter: event.Seconds(6 * time.Millisecond)}
	}
	return e
}

// fake answers the calls of the window with what a test sets.
type fake struct {
	settings config.Settings
	status   *status.Status
	applied  []config.Settings
	refuse   error
	events   []event.Event // newest first
	fail     error         // error of the index
	folder   status.Folder
	look     status.ProbeResult
	lookErr  error
	found    []status.DiscoveredCamera
	why      []status.Finding
	next     *event.Next
	verdict  status.VerifyResult
	deleted  []string
	mailed   []string
	paused   bool
	talks    []status.Connection // newest first
	dropped  bool
}

func (f *fake) Status(context.Context) status.Status {
	if f.status == nil {
		return status.Status{}
	}
	return *f.status
}
func (f *fake) Settings() config.Settings { return f.settings.Clone() }
func (f *fake) Apply(s config.Settings) error {
	if f.refuse != nil {
		return f.refuse
	}
	s.KeepSecrets(f.settings)
	f.applied = append(f.applied, s)
	f.settings = s
	return nil
}
func (f *fake) Trigger(context.Context, string, event.Trigger) (string, error) { return "", nil }
func (f *fake) MailCamera(_ context.Context, id string) error {
	f.mailed = append(f.mailed, id)
	return f.refuse
}
func (f *fake) Connections() []status.Connection { return f.talks }
func (f *fake) DropUnmatched()                   { f.dropped = true }
func (f *fake) Probe(context.Context, config.Camera) (status.ProbeResult, error) {
	return f.look, f.lookErr
}
func (f *fake) fits(q event.Query) []event.Event {
	return slices.DeleteFunc(slices.Clone(f.events), func(e event.Event) bool {
		return q.Day != "" && dayOf(e) != q.Day || q.Camera != "" && e.Camera != q.Camera ||
			q.Label != "" && e.Label != q.Label ||
			q.Text != "" && !strings.Contains(strings.ToLower(e.CameraName), strings.ToLower(q.Text))
	})
}
func (f *fake) Events(_ context.Context, q event.Query) ([]event.Event, error) {
	list := f.fits(q)
	list = list[min(q.Offset, len(list)):]
	return list[:min(max(q.Limit, 1), len(list))], f.fail
}
func (f *fake) Days(_ context.Context, q event.Query) (days []event.Day, err error) {
	for _, e := range f.fits(q) {
		if n := len(days); n > 0 && days[n-1].Day == dayOf(e) {
			days[n-1].Events++
		} else {
			days = append(days, event.Day{Day: dayOf(e), Events: 1})
		}
	}
	return days, f.fail
}
func (f *fake) Choices(context.Context) (event.Choices, error) {
	return event.Choices{Cameras: []string{"gate", "yard"}, Labels: []string{"motion", "person"}}, f.fail
}
func (f *fake) Event(_ context.Context, id string) (event.Event, error) {
	for _, e := range f.events {
		if e.ID == id {
			return e, nil
		}
	}
	return event.Event{}, errors.New("no such event")
}
func (f *fake) Protect(_ context.Context, id string, on bool) (event.Event, error) {
	for i := range f.events {
		if f.events[i].ID == id {
			f.events[i].Protected = on
			return f.events[i], nil
		}
	}
	return event.Event{}, errors.New("no such event")
}
func (f *fake) Forget(ctx context.Context, id string) error      { return f.Delete(ctx, id) }
func (f *fake) Drives(context.Context) ([]status.Drive, error)   { return nil, f.refuse }
func (f *fake) ForgetDrive(context.Context, string) (int, error) { return 0, f.refuse }

func (f *fake) Delete(_ context.Context, id string) error {
	f.deleted = append(f.deleted, id)
	return nil
}
func (f *fake) Reindex(context.Context) (int, []string, error)                { return 0, nil, nil }
func (f *fake) Next(context.Context) (*event.Next, error)                     { return f.next, nil }
func (f *fake) Verify(context.Context, string) (status.VerifyResult, error)   { return f.verdict, nil }
func (f *fake) Pause(time.Time)                                               { f.paused = true }
func (f *fake) EndPause()                                                     { f.paused = false }
func (f *fake) Still(context.Context, string, int) ([]byte, error)            { return testJPEG(), nil }
func (f *fake) Folder(context.Context, string, string) (status.Folder, error) { return f.folder, nil }
func (f *fake) Discover(context.Context) ([]status.DiscoveredCamera, error)   { return f.found, nil }
func (f *fake) Why(context.Context, string, time.Time) ([]status.Finding, error) {
	return f.why, nil
}

// rig returns a window on Fyne's test driver, connected to a control socket with a fake behind it.
func rig(t *testing.T, f *fake) *window {
	t.Helper()
	dir, err := os.MkdirTemp("", "pw") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = control.Serve(ctx, ln, f, nil)
	}()
	a := test.NewTempApp(t)
	w := newWindow(ctx, a, control.NewClient(socket))
	w.paths.File = filepath.Join(dir, "preroll.toml")
	// Fyne's test driver would run a function at once on the calling goroutine. Here the goroutine of the test runs it.
	handed := make(chan func(), 1000)
	w.do = func(f func()) { handed <- f }
	settles[w] = func() {
		for {
			w.work.Wait()
			select {
			case f := <-handed:
				f()
			default:
				return
			}
		}
	}
	t.Cleanup(func() {
		settle(w)
		delete(settles, w)
		w.client.Close()
		cancel()
		<-done
	})
	return w
}

// settles holds a function for each window. The function waits for the work off the main goroutine, and runs what the
// work passes on.
var settles = map[*window]func(){}

func settle(w *window) { settles[w]() }

func demoStatus(archive string) *status.Status {
	return &status.Status{
		Version: "1.0", FFmpeg: status.FFmpeg{Version: "5.1.9"}, Settings: "/home/me/.config/preroll/preroll.toml",
		Archive: status.Archive{Path: archive, Free: 120 << 30, Events: 35, Bytes: 3 << 30},
		RAM: status.RAM{Path: "/dev/shm/preroll", Kind: "tmpfs", IsRAM: true, Used: 60 << 20, Budget: 1 << 30,
			Need: 100 << 20, Keep: event.Seconds(100 * time.Second)},
		SMTP: status.SMTP{Listen: "[::]:2525", Mails: 12},
		Cameras: []status.Camera{{ID: "gate", Name: "Gate", State: status.Recording, Since: noon,
			PreRoll: event.Seconds(100 * time.Second), BitRate: 2.1e6, Bytes: 26 << 20,
			Streams: source.Streams{Video: "h264", Width: 1920, Height: 1080}}},
	}
}

func testPicture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 900)
		if i%4 == 3 {
			m.Pix[i] = 0xff
		}
	}
	return m
}

func testJPEG() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, testPicture(), nil)
	return b.Bytes()
}

func TestEventsPage(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := rig(t, f)
	p := w.events
	if p.welcome.Visible() || p.save.Visible() {
		t.Error("without a recorder nothing is offered")
	}
	w.guide.auto = false
	w.status = &status.Status{}
	p.Update(control.Update{}, true)
	settle(w)
	if !p.welcome.Visible() || p.nothing.Visible() {
		t.Error("a newcomer is not welcomed")
	}
	w.status = demoStatus(t.TempDir())
	p.Update(control.Update{}, false)
	if p.welcome.Visible() || !p.nothing.Visible() || !p.save.Visible() || !p.alarm.Visible() ||
		p.headline.Text != "Recording Gate" {
		t.Errorf("with a camera: %q", p.headline.Text)
	}
	f.events = []event.Event{ev(1, event.Recording)}
	p.Update(control.Update{Events: f.events}, false)
	settle(w)
	if p.nothing.Visible() || p.rows.count != 2 {
		t.Errorf("the event is not listed: %d rows", p.rows.count)
	}
	w.status.Problems = []status.Problem{{Text: text.Plain("The archive drive is full"),
		Hint: text.Plain("Delete something on it.")}}
	p.Update(control.Update{}, false)
	if !p.banner.Visible() || p.trouble.Text != "The archive drive is full. Delete something on it." {
		t.Errorf("trouble: %q", p.trouble.Text)
	}
	f.fail = errors.New("read index: database disk image is malformed")
	p.reload()
	settle(w)
	if !p.failed.Visible() || !strings.Contains(p.fault.Text, "malformed") {
		t.Errorf("a damaged index: %q", p.fault.Text)
	}
	f.fail = nil
	p.reload()
	settle(w)
	w.tick()
	if p.failed.Visible() || !p.rows.Visible() {
		t.Error("the list is not back")
	}
}

// filled returns a window with n events on several days.
func filled(t *testing.T, f *fake, n int) *window {
	w := rig(t, f)
	w.guide.auto = false
	w.status = demoStatus(t.TempDir())
	for i := range n {
		e := ev(-i, event.Saved)
		e.Time = noon.Add(-time.Duration(i) * 40 * time.Minute)
		if i%2 == 1 {
			e.Camera, e.CameraName, e.Label = "yard", "Yard", "motion"
		}
		f.events = append(f.events, e)
	}
	w.win.Resize(fyne.NewSize(900, 600))
	w.changed(control.Update{Status: w.status}, true)
	settle(w)
	settle(w)
	return w
}

func TestListOfEvents(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 300)
	p := w.events
	if p.book.events != 300 || p.rows.count != 300+len(p.book.days) || len(p.book.days) != 9 {
		t.Fatalf("%d events, %d rows, %d days", p.book.events, p.rows.count, len(p.book.days))
	}
	if e, _, ok := p.book.event(1); !ok || e.ID != "e000" {
		t.Errorf("first row: %v %v", e.ID, ok)
	}
	p.rows.jump(p.rows.count)
	settle(w)
	last := p.rows.count - 1
	if e, _, ok := p.book.event(last); !ok || e.ID != "e-299" || p.rows.shown[last] == nil {
		t.Errorf("last row: %v %v", e.ID, ok)
	}
	// A new event moves all rows down by one, and the place stays.
	if p.book.header(p.rows.top) {
		p.rows.jump(p.rows.top - 1)
	}
	before, _, _ := p.book.event(p.rows.top)
	fresh := ev(10, event.Recording)
	f.events = append([]event.Event{fresh}, f.events...)
	w.changed(control.Update{Events: []event.Event{fresh}}, false)
	settle(w)
	if after, _, _ := p.book.event(p.rows.top); after.ID != before.ID || p.book.events != 301 {
		t.Errorf("top is %s, was %s", after.ID, before.ID)
	}

	// Keys: pick the first event and the one below, and protect both.
	p.rows.TypedKey(&fyne.KeyEvent{Name: fyne.KeyHome})
	settle(w)
	for _, k := range []fyne.KeyName{fyne.KeyDown, fyne.KeySpace, fyne.KeyDown, fyne.KeySpace} {
		p.rows.TypedKey(&fyne.KeyEvent{Name: k})
	}
	if len(p.picked) != 2 || !p.bar.Visible() {
		t.Errorf("picked %d", len(p.picked))
	}
	p.rows.TypedKey(&fyne.KeyEvent{Name: fyne.KeyP})
	settle(w)
	if !f.events[1].Protected || !f.events[2].Protected || f.events[0].Protected {
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
	p.label.SetSelectedIndex(1)
	settle(w)
	if p.book.events != 150 || p.count.Text != "150 events" {
		t.Errorf("motion: %d, %q", p.book.events, p.count.Text)
	}
	p.search.SetText("nobody")
	settle(w)
	if !p.unfound.Visible() {
		t.Error("nothing fits, and it does not say so")
	}
	p.showAll()
	settle(w)
	if p.book.events != 301 || p.filtered() {
		t.Errorf("all: %d", p.book.events)
	}
	day := noon.AddDate(0, 0, -1)
	p.date.SetDate(&day)
	p.filter()
	settle(w)
	if len(p.book.days) != 1 || p.book.days[0].Day != "2026-11-21" {
		t.Errorf("one day: %v", p.book.days)
	}
}

func TestEventView(t *testing.T) {
	f := &fake{settings: config.Default(),
		verdict: status.VerifyResult{OK: true, Text: text.Plain("The clip is whole.")}}
	w := filled(t, f, 20)
	p := w.events
	p.tapped(1, 0)
	settle(w)
	v := p.detail
	if !v.content.Visible() || p.listing.Visible() || v.event.ID != "e000" {
		t.Fatalf("opened %q", v.event.ID)
	}
	if !strings.Contains(v.player.message.Text, "FFmpeg is missing") {
		t.Errorf("without FFmpeg: %q", v.player.message.Text)
	}
	v.typed(&fyne.KeyEvent{Name: fyne.KeyDown})
	if v.event.ID != "e-01" {
		t.Errorf("older: %s", v.event.ID)
	}
	v.typed(&fyne.KeyEvent{Name: fyne.KeyUp})
	test.Tap(v.protect)
	settle(w)
	if !f.events[0].Protected {
		t.Error("not protected")
	}
	w.changed(control.Update{Events: f.events[:1]}, false)
	if v.protect.Text != "End protection" || !v.remove.Disabled() {
		t.Errorf("protected: %q", v.protect.Text)
	}
	v.check(widget.NewButton("", nil))
	settle(w)
	if v.verdict.Text != "The clip is whole." {
		t.Errorf("verdict %q", v.verdict.Text)
	}
	// The event is removed by somebody else.
	f.events = f.events[1:]
	w.changed(control.Update{Removed: []string{"e000"}}, false)
	settle(w)
	if v.content.Visible() || p.book.events != 19 {
		t.Error("a removed event is still shown")
	}
	// A failed event says why it failed and what it lacks.
	bad := ev(50, event.Failed)
	bad.Reason = "No video came from the camera."
	p.openEvent(bad)
	if !strings.Contains(v.waiting.Text, "No video came") || !v.export.Disabled() {
		t.Errorf("failed: %q", v.waiting.Text)
	}
	p.closeEvent()
}

func TestDeleteAsksFirst(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 3)
	f.events[1].Protected = true
	p := w.events
	p.remove(f.events)
	top := w.win.Canvas().Overlays().Top()
	if top == nil || f.deleted != nil {
		t.Fatal("it did not ask")
	}
	test.Tap(find(top, "Delete"))
	settle(w)
	if fmt.Sprint(f.deleted) != "[e000 e-02]" {
		t.Errorf("deleted %v", f.deleted)
	}
}

// find returns the button with the given text below an object.
func find(o fyne.CanvasObject, text string) fyne.Tappable {
	var found fyne.Tappable
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		switch x := o.(type) {
		case *widget.Button:
			if x.Text == text {
				found = x
			}
		case *answer:
			if x.Text == text {
				found = x
			}
		case *fyne.Container:
			for _, c := range x.Objects {
				walk(c)
			}
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(x).Objects() {
				walk(c)
			}
		}
	}
	walk(o)
	return found
}

func TestSettingsPage(t *testing.T) {
	f := &fake{settings: config.Default()}
	cam := config.DemoCamera()
	cam.Password = "old-secret"
	f.settings.Cameras = []config.Camera{cam}
	w := rig(t, f)
	w.guide.auto = false
	w.status = demoStatus("")
	p := w.settings
	p.load()
	settle(w)
	entry := func(key string) *widget.Entry {
		i := slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })
		return &p.fields[i].entry.Entry
	}
	if entry("camera.name").Text != "Demo camera" || entry("camera.password").Text != "" ||
		!strings.Contains(entry("camera.password").PlaceHolder, "saved") || p.edited() {
		t.Fatalf("loaded %q, edited %v", entry("camera.name").Text, p.edited())
	}
	p.addCamera()
	entry("camera.name").SetText("Front Door")
	entry("camera.url").SetText("file:///etc/passwd")
	if f := p.fields[1]; !f.fault.Visible() || !strings.Contains(f.fault.Text, "must begin with rtsp") {
		t.Errorf("the engine's rule does not show: %q", f.fault.Text)
	}
	entry("camera.url").SetText("rtsp://admin:pass@192.0.2.1/x")
	if entry("camera.url").Text != "rtsp://192.0.2.1/x" || entry("camera.username").Text != "admin" ||
		entry("camera.password").Text != "pass" || p.fields[1].fault.Visible() {
		t.Errorf("a pasted login: %q %q", entry("camera.url").Text, entry("camera.username").Text)
	}
	entry("camera.pre_roll").SetText("15s")
	p.apply()
	settle(w)
	if len(f.applied) != 1 {
		t.Fatalf("message: %s", p.message.Text)
	}
	got := f.applied[0]
	if len(got.Cameras) != 2 || got.Cameras[0].Password != "old-secret" || got.Cameras[1].URL != "rtsp://192.0.2.1/x" ||
		got.Cameras[1].Password != "pass" || got.Cameras[1].ID != "camera-2" ||
		got.Cameras[1].PreRoll.D() != 15*time.Second {
		t.Errorf("applied %+v", got.Cameras)
	}
	if p.edited() || !strings.Contains(p.message.Text, "Saved") {
		t.Errorf("after saving: %q", p.message.Text)
	}
	for _, bad := range []struct{ key, value, says string }{
		{"clip.pre_roll", "5 parsecs", "length of time"}, {"ram_disk.budget", "much", "size with its unit"},
		{"archive.path", "relative", "must be"},
		{"smtp.listen", "99999", "must"}, {"smtp.allow", "private, nonsense", "network"},
		{"notify.quiet", "late", "two times of day"}, {"ram_disk.keep", "1s", "must be"},
	} {
		was := entry(bad.key).Text
		entry(bad.key).SetText(bad.value)
		i := slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == bad.key })
		if !p.fields[i].fault.Visible() || !strings.Contains(p.fields[i].fault.Text, bad.says) {
			t.Errorf("%s = %q: %q", bad.key, bad.value, p.fields[i].fault.Text)
		}
		entry(bad.key).SetText(was)
		if p.fields[i].fault.Visible() {
			t.Errorf("%s: the fault stays: %q", bad.key, p.fields[i].fault.Text)
		}
	}
	f.refuse = config.ValidationErrors{{Key: "archive.path", Rule: text.Plain("must be a folder, and it is a file")},
		{Key: "camera[2].url", Rule: text.Plain("must be right")}}
	p.alarm.SetChecked(false)
	p.apply()
	settle(w)
	if want := "Archive folder must be a folder, and it is a file.\nFront Door, Address must be right."; p.message.Text != want {
		t.Errorf("faults: %q", p.message.Text)
	}
	f.refuse = nil
	f.settings.Clip.PostRoll = config.Duration(33 * time.Second) // changed by somebody else
	p.apply()
	settle(w)
	if !strings.Contains(p.message.Text, "changed elsewhere") || f.settings.Clip.PostRoll.D() != 33*time.Second {
		t.Errorf("changed elsewhere: %q", p.message.Text)
	}
	test.Tap(p.cancel)
	settle(w)
	if p.edited() || entry("clip.post_roll").Text != "33s" || !p.alarm.Checked {
		t.Error("cancel kept the edit")
	}
	p.theme.SetSelectedIndex(2)
	if !p.edited() {
		t.Error("a new theme is no edit")
	}
	p.apply()
	settle(w)
	if w.app.Preferences().String(prefTheme) != "dark" || p.edited() {
		t.Error("the theme was not kept")
	}
}

func TestGuide(t *testing.T) {
	f := &fake{settings: config.Default(),
		folder: status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 4 << 30,
			Suggest: []string{"/dev/shm/other"}},
		look: status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 1920, Height: 1080, FPS: 15},
			Picture: testJPEG(), GOP: event.Seconds(2 * time.Second), BitRate: 4e6},
		found: []status.DiscoveredCamera{{Address: "192.0.2.9", Name: "Yard", Model: "RLC-810A", Brand: "Reolink"}}}
	w := rig(t, f)
	w.status = &status.Status{SMTP: status.SMTP{Listen: "[::]:2525"}}
	w.changed(control.Update{Status: w.status}, true)
	settle(w)
	g := w.guide
	if !g.content.Visible() || g.step != 0 {
		t.Fatal("the guide does not come by itself")
	}
	if g.next.Disabled() || !strings.Contains(g.ram.result.Text, "This is RAM: tmpfs, 4 GiB free") ||
		len(g.ram.offers.Objects) != 1 {
		t.Errorf("RAM: %q, %d offers", g.ram.result.Text, len(g.ram.offers.Objects))
	}
	f.folder.Fault = text.Plain("cannot be written: this user has no right to")
	g.ram.entry.SetText("/mnt/locked/x")
	if !g.next.Disabled() {
		t.Error("an untested folder is taken")
	}
	settle(w)
	if !g.next.Disabled() || !strings.Contains(g.ram.result.Text, "no right") {
		t.Errorf("a folder without rights: %q", g.ram.result.Text)
	}
	f.folder.Fault, f.folder.Speed = text.Plain(""), 200e6
	g.ram.entry.SetText("/dev/shm/preroll")
	g.archive.check()
	settle(w)
	test.Tap(g.next)
	if g.step != 1 || !strings.Contains(g.archive.result.Text, "200 MB a second") {
		t.Errorf("archive: step %d, %q", g.step, g.archive.result.Text)
	}
	test.Tap(g.next)
	if g.step != 2 || !g.next.Disabled() {
		t.Fatal("an untested camera is taken")
	}
	g.discover()
	settle(w)
	b := find(g.found, "192.0.2.9  ·  Yard  ·  RLC-810A")
	if b == nil {
		t.Fatal("the camera that was found is not listed")
	}
	test.Tap(b)
	if g.url.Text != "rtsp://192.0.2.9/h264Preview_01_main" && !strings.HasPrefix(g.url.Text, "rtsp://192.0.2.9") ||
		g.name.Text != "Yard" {
		t.Errorf("taken: %q %q", g.url.Text, g.name.Text)
	}
	f.lookErr = source.WrongPassword.Failure(nil)
	g.tester.run()
	settle(w)
	if !strings.Contains(g.tester.result.Text, "refuses the user name or password") || !g.next.Disabled() ||
		!g.untested.Visible() || g.tester.advice.Text == "" {
		t.Errorf("wrong password: %q", g.tester.result.Text)
	}
	f.lookErr = nil
	g.user.SetText("admin")
	g.tester.run()
	settle(w)
	if want := "It works: H264, 1920 × 1080, 15 frames a second, 4.0 Mbit/s, a keyframe every 2.0 s, no sound."; g.tester.result.Text != want || !g.tester.picture.Visible() || g.next.Disabled() {
		t.Errorf("test: %q", g.tester.result.Text)
	}
	g.password.SetText("secret")
	if !g.next.Disabled() {
		t.Error("a changed camera counts as tested")
	}
	g.tester.run()
	settle(w)
	test.Tap(g.next)
	settle(w)
	if g.step != 3 || len(f.applied) != 1 || f.applied[0].Cameras[0].ID != "yard" ||
		f.applied[0].Cameras[0].Password != "secret" {
		t.Fatalf("step %d, fault %q", g.step, g.fault.Text)
	}
	if !strings.Contains(g.arrived.Text, "Waiting") {
		t.Errorf("mail: %q", g.arrived.Text)
	}
	w.status.SMTP.Last = &status.Mail{Time: time.Now(), From: "192.0.2.9", To: []string{"yard@preroll"},
		Subject: "Test", Cameras: []string{"yard"}, Test: true}
	w.changed(control.Update{Status: w.status}, false)
	if !strings.Contains(g.arrived.Text, "The test mail of Yard is here") ||
		g.arrived.Importance != widget.SuccessImportance {
		t.Errorf("mail: %q", g.arrived.Text)
	}
	test.Tap(g.next)
	if g.content.Visible() {
		t.Error("the guide does not end")
	}
}

func TestGuideWithTheDemoCamera(t *testing.T) {
	f := &fake{settings: config.Default(), folder: status.Folder{Kind: "tmpfs", RAM: true}}
	w := rig(t, f)
	w.changed(control.Update{Status: &status.Status{}}, true)
	settle(w)
	f.refuse = config.ValidationErrors{{Key: "ram_disk.path", Value: "/dev/shm/preroll",
		Rule: text.Plain("cannot be made: this user has no right to write there")}}
	test.Tap(w.guide.demo)
	settle(w)
	if !w.guide.content.Visible() || !strings.Contains(w.guide.fault.Text, "no right") {
		t.Errorf("a folder that cannot be made: %q", w.guide.fault.Text)
	}
	f.refuse = nil
	test.Tap(w.guide.demo)
	settle(w)
	if w.guide.content.Visible() || len(f.applied) != 1 || f.applied[0].Cameras[0].URL != config.DemoURL {
		t.Error("the demo camera is not set up")
	}
}

func TestHealthPage(t *testing.T) {
	f := &fake{settings: config.Default(),
		why: []status.Finding{{Text: text.Plain("No mail came from this camera"),
			Hint: text.Plain("Press its test button.")}}}
	f.settings.Cameras = []config.Camera{config.DemoCamera()}
	f.settings.Cameras[0].ID, f.settings.Cameras[0].Mail = "gate", nil
	w := rig(t, f)
	w.guide.auto = false
	w.changed(control.Update{Status: demoStatus("/a")}, true)
	settle(w)
	w.turn(pageHealth)
	p := w.health
	p.find()
	settle(w)
	if len(p.answer.Objects) != 1 {
		t.Fatalf("%d answers", len(p.answer.Objects))
	}
	p.clock.SetText("tea time")
	p.find()
	settle(w)
	if len(p.answer.Objects) != 1 {
		t.Error("a time that is none has no answer")
	}
	w.status.SMTP.Unmatched = []status.Unmatched{{Time: noon, From: "192.0.2.7", To: []string{"nobody@nvr"},
		Subject: "Motion"}}
	w.changed(control.Update{Status: w.status}, false)
	test.Tap(p.mails.assign(w.status.SMTP.Unmatched[0]).ok)
	settle(w)
	if len(f.applied) != 1 || fmt.Sprint(f.applied[0].Cameras[0].Mail) != "[gate nobody@nvr]" {
		t.Errorf("assigned %+v", f.applied)
	}
	// The self-test runs with an event that exists at once.
	e := ev(0, event.Saved)
	e.LastTrigger = time.Now().Add(time.Minute)
	f.events = []event.Event{e}
	f.verdict = status.VerifyResult{Text: text.Plain("It was changed since it was saved")}
	p.selfTest()
	settle(w)
	if len(p.result.Objects) != 3 || fmt.Sprint(f.mailed) != "[gate]" {
		t.Errorf("self-test: %d lines, mailed %v", len(p.result.Objects), f.mailed)
	}
}

func TestCamerasPage(t *testing.T) {
	f := &fake{settings: config.Default()}
	f.settings.Cameras = []config.Camera{config.DemoCamera()}
	f.settings.Cameras[0].ID = "gate"
	w := rig(t, f)
	w.guide.auto = false
	w.win.Resize(fyne.NewSize(900, 600))
	f.status = demoStatus("/a")
	w.changed(control.Update{Status: f.status}, true)
	settle(w)
	if w.cameras.stills["gate"].image != nil {
		t.Error("a picture was taken while nobody looks")
	}
	w.turn(pageCameras)
	settle(w)
	if w.cameras.stills["gate"].image == nil {
		t.Error("no picture on the page")
	}
	w.cameras.enable("gate", false)
	settle(w)
	if len(f.applied) != 1 || f.applied[0].Cameras[0].Enabled {
		t.Error("not switched off")
	}
	w.cameras.openLive("gate")
	if !w.cameras.live.Visible() {
		t.Error("no live view")
	}
	w.turn(pageEvents)
	if w.cameras.player.p != nil {
		t.Error("the live view goes on while nobody looks")
	}
}

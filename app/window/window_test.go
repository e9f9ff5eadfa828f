package window

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

func ev(n int, state event.State) event.Event {
	e := event.Event{ID: fmt.Sprintf("e%03d", n), Camera: "gate", CameraName: "Gate", Label: "person", State: state, Time: noon.Add(time.Duration(n) * time.Minute), TriggerCount: 1}
	if state == event.Saved || state == event.Incomplete {
		e.Clips = []event.Clip{{File: "x.mp4", Bytes: 5 << 20, Length: event.Seconds(71 * time.Second)}}
		e.Receipt.PreRollGot = event.Seconds(11 * time.Second)
	}
	return e
}

func ids(list []event.Event) string {
	var s []string
	for _, e := range list {
		s = append(s, e.ID)
	}
	return strings.Join(s, " ")
}

func TestMerge(t *testing.T) {
	list := []event.Event{ev(5, event.Saved), ev(4, event.Saved), ev(3, event.Saved)}
	for _, tc := range []struct {
		name    string
		changed []event.Event
		removed []string
		whole   bool
		want    string
	}{
		{"nothing", nil, nil, false, "e005 e004 e003"},
		{"newest", []event.Event{ev(6, event.Recording)}, nil, false, "e006 e005 e004 e003"},
		{"changed", []event.Event{ev(4, event.Failed)}, nil, false, "e005 e004 e003"},
		{"removed", nil, []string{"e004", "x"}, false, "e005 e003"},
		{"of a later page", []event.Event{ev(1, event.Saved)}, nil, false, "e005 e004 e003"},
		{"oldest of all", []event.Event{ev(1, event.Saved)}, nil, true, "e005 e004 e003 e001"},
	} {
		got := merge(list, tc.changed, tc.removed, tc.whole)
		if ids(got) != tc.want {
			t.Errorf("%s: %s", tc.name, ids(got))
		}
		if tc.name == "changed" && got[1].State != event.Failed {
			t.Error("the change was not taken")
		}
	}
	if ids(list) != "e005 e004 e003" {
		t.Error("merge changed its input")
	}
}

func TestRow(t *testing.T) {
	late := ev(1, event.Incomplete)
	late.Reason, late.TriggerCount = "The first 3 s are missing.", 4
	for _, tc := range []struct {
		e             event.Event
		detail, state string
		i             widget.Importance
		playable      bool
	}{
		{ev(1, event.Saved), "person  ·  Today 12:01:00  ·  1:11  ·  5 MiB", "Saved, begins 11 s before the alarm", widget.MediumImportance, true},
		{late, "person  ·  Today 12:01:00  ·  4 triggers  ·  1:11  ·  5 MiB", "Not complete: The first 3 s are missing.", widget.WarningImportance, true},
		{ev(-1500, event.Recording), "person  ·  Yesterday 11:00:00", "Saving: recording goes on", widget.HighImportance, false},
		{ev(1, event.Failed), "person  ·  Today 12:01:00", "No clip: ", widget.DangerImportance, false},
	} {
		r := rowOf(tc.e, noon.Add(time.Hour))
		if r.detail != tc.detail || r.state != tc.state || r.importance != tc.i || r.playable != tc.playable {
			t.Errorf("%+v", r)
		}
	}
}

func TestCameraID(t *testing.T) {
	for name, want := range map[string]string{"Front Door": "front-door", "  Tür 2!": "t-r-2", "": "camera", "门": "camera", "taken": "taken-2", strings.Repeat("long ", 40): "long-long-long-long-long-long-long-long-long-long"} {
		got := cameraID(name, []string{"taken"})
		c := config.DemoCamera()
		c.ID = got
		if f := config.ValidateCamera(config.Default(), c); got != want || f != nil {
			t.Errorf("%q: %q, %v", name, got, f)
		}
	}
}

// fake answers the window's calls with what a test sets.
type fake struct {
	settings config.Settings
	applied  []config.Settings
	refuse   error
}

func (f *fake) Status(context.Context) status.Status { return status.Status{} }
func (f *fake) Settings() config.Settings            { return f.settings }
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
func (f *fake) MailCamera(context.Context, string) error                       { return nil }
func (f *fake) Look(context.Context, config.Camera) (status.Look, error)       { return status.Look{}, nil }
func (f *fake) Events(context.Context, event.Query) ([]event.Event, error)     { return nil, nil }
func (f *fake) Event(context.Context, string) (event.Event, error)             { return event.Event{}, nil }
func (f *fake) Protect(context.Context, string, bool) (event.Event, error) {
	return event.Event{}, nil
}
func (f *fake) Delete(context.Context, string) error           { return nil }
func (f *fake) Reindex(context.Context) (int, []string, error) { return 0, nil, nil }

// rig is a window on fyne's test driver, before a control socket with a fake behind it.
func rig(t *testing.T, f *fake) *window {
	t.Helper()
	dir, err := os.MkdirTemp("", "pw") // a socket's path must be short
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
	// fyne's test driver runs what it is handed at once, on the wrong goroutine; here the test's own runs it.
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

func demoStatus(archive string) *status.Status {
	return &status.Status{Archive: status.Archive{Path: archive}, SMTP: status.SMTP{Listen: "[::]:2525"}, Cameras: []status.Camera{{ID: "gate", Name: "Gate", State: status.Recording, PreRoll: event.Seconds(100 * time.Second)}}}
}

func TestEventsPage(t *testing.T) {
	w := rig(t, &fake{})
	p := w.events
	if p.welcome.Visible() || p.save.Visible() {
		t.Error("without a recorder nothing is offered")
	}
	w.status = &status.Status{}
	p.update(control.Update{}, true)
	if !p.welcome.Visible() || p.nothing.Visible() {
		t.Error("a newcomer is not welcomed")
	}
	w.status = demoStatus(t.TempDir())
	p.update(control.Update{}, false)
	if p.welcome.Visible() || !p.nothing.Visible() || !p.save.Visible() || !p.alarm.Visible() || p.headline.Text != "Recording Gate" {
		t.Errorf("with a camera: %q", p.headline.Text)
	}
	p.update(control.Update{Events: []event.Event{ev(1, event.Recording)}}, false)
	if p.nothing.Visible() || p.list.Length() != 1 {
		t.Error("the event is not listed")
	}
	w.status.Problems = []status.Problem{{Text: "The archive drive is full", Hint: "Delete something on it."}}
	p.update(control.Update{}, false)
	if !p.banner.Visible() || p.trouble.Text != "The archive drive is full. Delete something on it." {
		t.Errorf("trouble: %q", p.trouble.Text)
	}
}

// settles waits for what a window does off the main goroutine, and runs what that hands over.
var settles = map[*window]func(){}

func settle(w *window) { settles[w]() }

func TestSettingsPage(t *testing.T) {
	f := &fake{settings: config.Default()}
	cam := config.DemoCamera()
	cam.Password = "old-secret"
	f.settings.Cameras = []config.Camera{cam}
	w := rig(t, f)
	w.status = demoStatus("")
	p := w.settings
	p.load()
	settle(w)
	if p.name.Text != "Demo camera" || p.password.Text != "" || !strings.Contains(p.password.PlaceHolder, "saved") || p.edited() {
		t.Fatalf("loaded %q, password %q %q, edited %v", p.name.Text, p.password.Text, p.password.PlaceHolder, p.edited())
	}
	p.addCamera()
	p.name.SetText("Front Door")
	p.url.SetText("rtsp://admin:pass@192.0.2.1/x")
	if p.url.Text != "rtsp://192.0.2.1/x" || p.user.Text != "admin" || p.password.Text != "pass" {
		t.Errorf("a pasted login: %q %q %q", p.url.Text, p.user.Text, p.password.Text)
	}
	if !p.edited() {
		t.Error("not edited")
	}
	p.apply()
	settle(w)
	if len(f.applied) != 1 {
		t.Fatalf("message: %s", p.message.Text)
	}
	got := f.applied[0]
	if len(got.Cameras) != 2 || got.Cameras[0].Password != "old-secret" || got.Cameras[1].URL != "rtsp://192.0.2.1/x" || got.Cameras[1].Password != "pass" || got.Cameras[1].ID != "camera-2" {
		t.Errorf("applied %+v", got.Cameras)
	}
	if p.edited() || !strings.Contains(p.message.Text, "Saved") {
		t.Errorf("after saving: %q", p.message.Text)
	}
	p.pre.SetText("5 parsecs")
	f.refuse = config.Faults{{Key: "clip.pre_roll", Rule: "must be shorter"}, {Key: "camera[2].url", Rule: "must be right"}}
	p.apply()
	settle(w)
	if want := "Before the alarm must be shorter.\nCamera 2, address must be right."; strings.ReplaceAll(p.message.Text, "Front Door", "Camera 2") != want {
		t.Errorf("faults: %q", p.message.Text)
	}
	p.name.SetText("x")
	test.Tap(p.cancel)
	settle(w)
	if p.edited() || p.edit.Cameras[0].Name == "x" || p.edit.Cameras[1].Name == "x" {
		t.Error("cancel kept the edit")
	}
}

// TestPictures renders each page in both themes and two sizes. With PREROLL_SHOTS set, the pictures are kept to be
// looked at.
func TestPictures(t *testing.T) {
	archive := t.TempDir()
	if err := os.MkdirAll(filepath.Join(archive, "gate"), 0o755); err != nil {
		t.Fatal(err)
	}
	thumb, err := os.Create(filepath.Join(archive, "gate", "t.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 900)
	}
	if err := jpeg.Encode(thumb, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := thumb.Close(); err != nil {
		t.Fatal(err)
	}
	long := ev(9, event.Incomplete)
	long.CameraName = strings.Repeat("A camera with a very long name ", 5)
	long.Reason = strings.Repeat("The first 3 s are missing: there was no earlier video in RAM. ", 3)
	list := []event.Event{ev(10, event.Recording), long, ev(8, event.Saved), ev(7, event.Failed), ev(6, event.Finishing)}
	list[3].Reason = "No video came from the camera: The camera does not answer."
	for i := range 30 {
		list = append(list, ev(-i, event.Saved))
	}
	for i := range list {
		list[i].Folder = "gate"
		if len(list[i].Clips) > 0 {
			list[i].Thumbnail = "t.jpg"
		}
	}
	sizes := []fyne.Size{fyne.NewSize(900, 600)}
	if os.Getenv("PREROLL_SHOTS") != "" { // the painter is slow under the race detector
		sizes = append(sizes, fyne.NewSize(1600, 900))
	}
	for _, th := range []string{"light", "dark"} {
		for _, size := range sizes {
			for _, page := range []string{"welcome", "events", "settings", "trouble"} {
				name := fmt.Sprintf("%s-%s-%.0f", page, th, size.Width)
				t.Run(name, func(t *testing.T) {
					f := &fake{settings: config.Default()}
					f.settings.Cameras = []config.Camera{config.DemoCamera()}
					w := rig(t, f)
					variant := theme.VariantLight
					if th == "dark" {
						variant = theme.VariantDark
					}
					fyne.CurrentApp().Settings().SetTheme(fixed{theme.DefaultTheme(), variant})
					w.status = demoStatus(archive)
					w.win.Resize(size)
					switch page {
					case "welcome":
						w.status = &status.Status{}
						w.events.update(control.Update{}, true)
					case "events":
						w.events.update(control.Update{Events: list}, true)
					case "trouble":
						w.status.Problems = []status.Problem{{Text: "Gate: The camera refuses the user name or password", Hint: "Check both in the camera's own web page, then correct them in the settings."}}
						w.status.SMTP.Unmatched = []status.Unmatched{{Time: noon, From: "192.0.2.7", To: []string{"nobody@nvr"}, Subject: "Motion"}}
						w.events.update(control.Update{Events: list}, true)
					case "settings":
						w.tabs.SelectIndex(1)
					}
					settle(w)
					img := w.win.Canvas().Capture()
					if n := different(img); n < 20 {
						t.Errorf("the picture has %d colours", n)
					}
					if dir := os.Getenv("PREROLL_SHOTS"); dir != "" {
						out, err := os.Create(filepath.Join(dir, name+".png"))
						if err != nil {
							t.Fatal(err)
						}
						if err := png.Encode(out, img); err != nil {
							t.Fatal(err)
						}
						_ = out.Close()
					}
				})
			}
		}
	}
}

// fixed is a theme in one variant.
type fixed struct {
	fyne.Theme
	variant fyne.ThemeVariant
}

func (f fixed) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	return f.Theme.Color(n, f.variant)
}

func different(m image.Image) int {
	seen := map[color.Color]bool{}
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			seen[m.At(x, y)] = true
		}
	}
	return len(seen)
}

func TestOrderReadsWhatASecondStartSends(t *testing.T) {
	b, err := json.Marshal(order{"settings", "e1"})
	if err != nil || string(b) != `{"page":"settings","event":"e1"}` {
		t.Errorf("%s, %v", b, err)
	}
}

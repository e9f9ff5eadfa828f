//go:build !race

package window

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// scenes are the pages as users see them, each in a state that is hard on the layout.
var scenes = []struct {
	name string
	set  func(t *testing.T, w *window, f *fake)
}{
	{"guide-memory", func(_ *testing.T, w *window, f *fake) { f.settings.Cameras = nil; w.guide.show() }},
	{"guide-archive", func(_ *testing.T, w *window, f *fake) { guided(w, f, 1) }},
	{"guide-camera", func(_ *testing.T, w *window, f *fake) {
		guided(w, f, 2)
		w.guide.discover()
		settle(w)
		w.guide.useDiscovered(f.found[0])
		w.guide.tester.run()
	}},
	{"guide-mail", func(_ *testing.T, w *window, f *fake) {
		guided(w, f, 3)
		w.status.SMTP.Last = &status.Mail{Time: noon.Add(2 * time.Hour), From: "192.0.2.9",
			To: []string{"gate@preroll"}, Subject: "Test", Cameras: []string{w.guide.camera.ID}, Test: true}
		w.guide.drawMail()
	}},
	{"welcome", func(_ *testing.T, w *window, f *fake) {
		w.status.Cameras, f.events = nil, nil
		w.events.reload()
	}},
	{"events", func(*testing.T, *window, *fake) {}},
	{"events-picked", func(_ *testing.T, w *window, _ *fake) {
		w.events.tapped(1, fyne.KeyModifierControl)
		w.events.tapped(5, fyne.KeyModifierShift)
	}},
	{"events-trouble", func(_ *testing.T, w *window, _ *fake) {
		w.status.Problems = []status.Problem{{Code: "camera",
			Text: text.Plain("Gate: The camera refuses the user name or password"),
			Hint: text.Plain("Check both in the camera's own web page, then correct them in the settings.")}}
		w.status.SMTP.Unmatched = []status.Unmatched{{Time: noon, From: "192.0.2.7", To: []string{"nobody@nvr"},
			Subject: "Motion"}}
		w.changed(control.Update{}, false)
	}},
	{"events-rebuilt", func(_ *testing.T, w *window, _ *fake) {
		w.status.Archive.Filling = &status.Filling{Path: "/home/me/Videos/Preroll", Events: 12300, Part: 0.37}
		w.changed(control.Update{Status: w.status}, false)
	}},
	{"health-away", func(_ *testing.T, w *window, _ *fake) {
		w.status.Archive.Away = []status.Drive{{ID: "0123456789abcdef", Path: "/media/me/OLD-DRIVE/clips", Events: 1234,
			Bytes: 56 << 30, Away: true}}
		w.changed(control.Update{Status: w.status}, false)
		w.turn(pageHealth)
	}},
	{"event", func(_ *testing.T, w *window, f *fake) {
		w.events.openEvent(f.events[1])
		w.events.detail.player.showMessage("")
		w.events.detail.player.picture.Image = testPicture()
	}},
	{"cameras", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageCameras)
	}},
	{"cameras-advice", func(_ *testing.T, w *window, _ *fake) {
		k := source.RareKeyframes
		w.status.Cameras[0].Advice = []status.Advice{{Kind: string(k), Text: k.Text(80.), Hint: k.Hint()}}
		w.turn(pageCameras)
	}},
	{"health", func(_ *testing.T, w *window, f *fake) {
		mailed(w, f)
		day := noon
		w.health.date.SetDate(&day)
		w.health.clock.SetText("12:05")
		w.health.find()
	}},
	{"health-mail", func(_ *testing.T, w *window, f *fake) {
		mailed(w, f)
		w.health.scroll.ScrollToOffset(fyne.NewPos(0, 260))
	}},
	{"health-talk", func(_ *testing.T, w *window, f *fake) {
		mailed(w, f)
		w.health.doctor.open(f.talks[0])
	}},
	{"health-assign", func(_ *testing.T, w *window, f *fake) {
		mailed(w, f)
		w.health.mails.assign(w.status.SMTP.Unmatched[0]).camera.SetSelectedIndex(1)
	}},
	{"settings-camera-mail", func(_ *testing.T, w *window, f *fake) {
		w.turn(pageSettings)
		w.status.Cameras[0].MailLag = event.Seconds(8 * time.Second)
		w.settings.draw()
		w.settings.tabs.Items[0].Content.(*container.Scroll).ScrollToBottom()
	}},
	{"settings-cameras", func(_ *testing.T, w *window, _ *fake) { w.turn(pageSettings) }},
	{"settings-recording", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageSettings)
		w.settings.tabs.SelectIndex(1)
	}},
	{"settings-archive", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageSettings)
		w.settings.tabs.SelectIndex(2)
	}},
	{"settings-mail", func(_ *testing.T, w *window, _ *fake) { w.turn(pageSettings); w.settings.tabs.SelectIndex(3) }},
	{"settings-notifications", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageSettings)
		w.settings.tabs.SelectIndex(4)
	}},
	{"settings-general", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageSettings)
		w.settings.tabs.SelectIndex(5)
	}},
	{"settings-fault", func(_ *testing.T, w *window, _ *fake) {
		w.turn(pageSettings)
		w.settings.fields[1].entry.SetText("file:///etc/passwd")
		w.settings.apply()
	}},
}

func guided(w *window, f *fake, step int) {
	f.settings.Cameras = nil
	w.guide.show()
	settle(w)
	w.guide.turn(step)
}

// mailed opens the page Health with connections and unmatched mails.
func mailed(w *window, f *fake) {
	f.talks = sceneTalks()
	w.status.SMTP.Unmatched = sceneUnmatched()
	w.changed(control.Update{}, false)
	w.turn(pageHealth)
	settle(w)
}

// sizes are the sizes at which every page must be legible.
var sizes = []fyne.Size{fyne.NewSize(900, 600), fyne.NewSize(1920, 1080)}

// TestPictures draws every page in both themes and compares it with its master. PREROLL_MASTERS=1 writes the masters
// again. PREROLL_SHOTS names a folder for pictures at both sizes, to be looked at by a person, in the language of
// PREROLL_LANGUAGE.
func TestPictures(t *testing.T) {
	poll.RealTime(t)
	shots, masters := os.Getenv("PREROLL_SHOTS"), os.Getenv("PREROLL_MASTERS") != ""
	language := os.Getenv("PREROLL_LANGUAGE")
	if language != "" {
		words.Use(language)
		t.Cleanup(func() { words.Use("en") })
	}
	look := sizes[:1]
	if shots != "" {
		look = sizes
	}
	for _, sc := range scenes {
		for _, variant := range []string{"light", "dark"} {
			for _, size := range look {
				name := sc.name + "-" + variant
				t.Run(fmt.Sprintf("%s-%.0f", name, size.Width), func(t *testing.T) {
					m := drawScene(t, sc.set, variant, size)
					if shots != "" {
						writePNG(t, filepath.Join(shots, fmt.Sprintf("%s-%.0f.png", name, size.Width)), m)
					}
					if size != sizes[0] || language != "" {
						return
					}
					file := filepath.Join("testdata", name+".png")
					if masters {
						writePNG(t, file, m)
					}
					compare(t, file, m)
				})
			}
		}
	}
}

// drawScene draws one scene.
func drawScene(t *testing.T, set func(*testing.T, *window, *fake), variant string, size fyne.Size) image.Image {
	f := sceneFake()
	w := rig(t, f)
	fyne.CurrentApp().Settings().SetTheme(appearance{theme.DefaultTheme(), variant, 1})
	w.now = func() time.Time { return noon.Add(time.Hour) }
	w.hosts = func() []string { return []string{"192.0.2.50"} }
	w.events.thumbs.load = func(string) (image.Image, error) { return testPicture(), nil }
	w.guide.auto = false
	w.win.Resize(size)
	f.status = sceneStatus()
	w.changed(control.Update{Status: f.status}, true)
	settle(w)
	set(t, w, f)
	for range 3 { // pages, thumbnails, stills: each asks for the next
		settle(w)
	}
	w.guide.waiting.Stop()
	w.win.Canvas().Unfocus()
	w.win.Content().Refresh()
	return w.win.Canvas().Capture()
}

func sceneFake() *fake {
	f := &fake{settings: config.Default(),
		folder: status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 8 << 30, Speed: 180e6,
			Suggest: []string{"/dev/shm/preroll"}},
		look: status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 2560, Height: 1440, FPS: 20,
			Audio: "aac"},
			Picture: testJPEG(), GOP: event.Seconds(4 * time.Second), BitRate: 6.1e6},
		found: []status.DiscoveredCamera{{Address: "192.0.2.9", Name: "Yard", Model: "RLC-810A", Brand: "Reolink"},
			{Address: "192.0.2.10", Name: "IPC", Model: "DS-2CD2143", Brand: "Hikvision"}},
		why: []status.Finding{{About: text.Plain("Preroll"), OK: true, Text: text.Plain("It was running.")},
			{About: text.Plain("Alarm mail"),
				Text: text.Plain("No mail came from this camera between 12:03 and 12:15."),
				Hint: text.Plain("Press the test button in the camera's mail settings and watch whether it arrives.")},
			{About: text.Plain("Gate"), OK: true, Warn: true,
				Text: text.Plain("It was offline from 12:10 to 12:11: The camera ended the connection.")}},
		next: &event.Next{Event: ev(0, event.Saved), Why: "max_age", When: noon.AddDate(0, 0, 30)}}
	f.settings.RAMDisk.Path, f.settings.Archive.Path = "/dev/shm/preroll", "/home/me/Videos/Preroll"
	for i, name := range []string{"Gate", "Yard", "Shed", strings.Repeat("A camera with a very long name ", 4)} {
		c := config.NewCamera()
		c.ID, c.Name = []string{"gate", "yard", "shed", "long"}[i], name
		c.URL, c.Username, c.Password, c.Mail = "rtsp://192.0.2.1/stream1", "viewer", config.Secret("x"), []string{c.ID}
		f.settings.Cameras = append(f.settings.Cameras, c)
	}
	long := ev(9, event.Incomplete)
	long.CameraName = f.settings.Cameras[3].Name
	long.Reason = strings.Repeat("The first 3 s are missing: there was no earlier video in RAM. ", 3)
	list := []event.Event{ev(10, event.Finishing), long, ev(8, event.Saved), ev(7, event.Failed), ev(6, event.Saved)}
	list[1].Triggers = []event.Trigger{{Time: list[1].Time, Source: event.Mail, Label: "person",
		Subject: "Front door: person detected by the camera", Sender: "cam@nvr", From: "192.0.2.9"},
		{Time: list[1].Time.Add(20 * time.Second), Source: event.Mail, Label: "motion", From: "192.0.2.9"}}
	list[1].TriggerCount = 2
	list[1].Gaps = []event.Gap{{From: list[1].Time, To: list[1].Time.Add(3200 * time.Millisecond),
		Reason: "the camera sent no picture"}}
	list[2].Protected = true
	list[3].Reason = "No video came from the camera: The camera does not answer."
	for i := range 40 {
		e := ev(-i*67, event.Saved)
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
	f.events = list
	return f
}

func sceneStatus() *status.Status {
	s := demoStatus("/home/me/Videos/Preroll")
	s.Cameras[0].Since = noon.Add(-26 * time.Hour)
	s.Cameras[0].LastTrigger = noon.Add(-50 * time.Minute)
	s.Cameras = append(s.Cameras,
		status.Camera{ID: "yard", Name: "Yard", State: status.Waiting, Since: noon.Add(-3 * time.Hour),
			Text: text.Plain("The camera refuses the user name or password"),
			Hint: text.Plain("Check both in the camera's own web page, then correct them in the settings.")},
		status.Camera{ID: "shed", Name: "Shed", State: status.Off},
		status.Camera{ID: "long", Name: strings.Repeat("A camera with a very long name ", 4), State: status.Recording,
			Since: noon.Add(-4 * time.Hour), PreRoll: event.Seconds(37 * time.Second), BitRate: 8e6, Bytes: 37 << 20,
			Streams: source.Streams{Video: "hevc", Width: 3840, Height: 2160}})
	return s
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// compare compares a picture with its master. A few pixels may differ, because curves are drawn with floating point.
func compare(t *testing.T, file string, m image.Image) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatalf("no master: %v; write it with PREROLL_MASTERS=1 and look at it", err)
	}
	defer func() { _ = f.Close() }()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != m.Bounds() {
		t.Fatalf("the picture is %v, its master %v", m.Bounds(), want.Bounds())
	}
	a, b := toRGBA(want), toRGBA(m)
	different := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for c := range 3 {
			if d := int(a.Pix[i+c]) - int(b.Pix[i+c]); d > 48 || d < -48 {
				different++
				break
			}
		}
	}
	if different > len(a.Pix)/4/2000 {
		out := filepath.Join(os.TempDir(), "preroll-failed-"+filepath.Base(file))
		writePNG(t, out, m)
		t.Errorf("%d pixels differ from %s; the picture is %s", different, file, out)
	}
}

func toRGBA(m image.Image) *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
	return out
}

package guide

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestMain(m *testing.M) { os.Exit(pagetest.Main(m)) }

// open returns the page on Fyne's test driver, with a fake recorder.
func open(t *testing.T, f *pagetest.Fake) (*pagetest.Rig, *Page) {
	t.Helper()
	w := pagetest.New(t, f)
	p := New(w.Env, func(bool) {})
	w.Open(p)
	return w, p
}

func TestGuide(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(),
		Checked: status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 4 << 30,
			Suggest: []string{"/dev/shm/other"}},
		Probed: status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 1920, Height: 1080, FPS: 15},
			Picture: pagetest.JPEG(), GOP: event.Seconds(2 * time.Second), BitRate: 4e6},
		Found: []status.DiscoveredCamera{{Address: "192.0.2.9", Name: "Yard", Model: "RLC-810A", Brand: "Reolink"}}}
	w, g := open(t, f)
	w.Status = &status.Status{SMTP: status.SMTP{Listen: "[::]:2525"}, FFmpeg: status.FFmpeg{Path: "ffmpeg"}}
	w.Changed(control.Update{Status: w.Status}, true)
	g.Show()
	w.Settle()
	if !g.content.Visible() || g.step != stepWelcome {
		t.Fatal("the guide does not open")
	}
	if g.ram.row.Visible() || !g.archive.row.Visible() || g.ffmpeg.Visible() || g.next.Disabled() {
		t.Error("an archive in RAM alone must be shown: it works, but loses the clips")
	}
	f.Checked.RAM, f.Checked.Kind, f.Checked.Speed = false, "ext4", 200e6
	g.archive.check()
	w.Settle()
	if g.archive.row.Visible() || !strings.Contains(g.right.Text, "kept for 30 days") {
		t.Errorf("a good archive is shown, and not in a line: %q", g.right.Text)
	}
	test.Tap(g.change)
	f.Checked.Fault = text.Plain("cannot be written: this user has no right to")
	g.archive.entry.SetText("/mnt/locked/x")
	if !g.next.Disabled() || !g.archive.row.Visible() {
		t.Error("an untested folder is taken")
	}
	w.Settle()
	if !g.next.Disabled() || !strings.Contains(g.archive.result.Text, "no right") || g.why.Text == "" {
		t.Errorf("a folder without rights: %q, %q", g.archive.result.Text, g.why.Text)
	}
	f.Checked.Fault = text.Plain("")
	g.archive.entry.SetText("/home/me/Videos")
	w.Settle()
	test.Tap(g.next)
	if g.step != stepCamera || !g.next.Disabled() || !strings.Contains(g.why.Text, "address") {
		t.Fatalf("an untested camera is taken: step %d, %q", g.step, g.why.Text)
	}
	g.discover()
	w.Settle()
	b := pagetest.Find(g.found, "192.0.2.9  ·  Yard  ·  RLC-810A")
	if b == nil {
		t.Fatal("the camera that was found is not listed")
	}
	test.Tap(b)
	if !strings.HasPrefix(g.url.Text, "rtsp://192.0.2.9") || g.name.Text != "Yard" {
		t.Errorf("taken: %q %q", g.url.Text, g.name.Text)
	}
	f.ProbeErr = source.WrongPassword.Failure(nil)
	test.Tap(pagetest.Find(g.tester.Content, "Test camera"))
	w.Settle()
	refusal := source.WrongPassword.Hint().String()
	if said := pagetest.Texts(g.tester.Content); !strings.Contains(said, "refuses the user name or password") ||
		!strings.Contains(said, refusal) || !g.next.Disabled() || !g.untested.Visible() {
		t.Errorf("wrong password: %q", said)
	}
	f.ProbeErr = nil
	g.user.SetText("admin")
	g.user.OnSubmitted("") // Enter tests
	w.Settle()
	const want = "It works: H264, 1920 × 1080, 15 frames a second, 4.0 Mbit/s, a keyframe every 2.0 s, no sound."
	if said := pagetest.Texts(g.tester.Content); !strings.Contains(said, want) ||
		pagetest.Images(g.tester.Content) != 1 || g.next.Disabled() {
		t.Errorf("test: %q", said)
	}
	g.password.SetText("secret")
	if !g.next.Disabled() {
		t.Error("a changed camera counts as tested")
	}
	g.password.OnSubmitted("")
	w.Settle()
	g.name.OnSubmitted("") // Enter goes on with a tested camera
	w.Settle()
	if g.step != stepMail || len(f.Applied) != 1 || f.Applied[0].Cameras[0].ID != "yard" ||
		f.Applied[0].Cameras[0].Mail[0] != "yard" || f.Applied[0].Cameras[0].Password != "secret" {
		t.Fatalf("step %d, fault %q", g.step, g.fault.Text)
	}
	if !strings.Contains(g.arrived.Text, "Waiting") {
		t.Errorf("mail: %q", g.arrived.Text)
	}
	w.Status.SMTP.Last = &status.Mail{Time: time.Now(), From: "192.0.2.9", To: []string{"yard@preroll"},
		Subject: "Test", Cameras: []string{"yard"}, Test: true}
	w.Changed(control.Update{Status: w.Status}, false)
	if !strings.Contains(g.arrived.Text, "The test mail of Yard is here") ||
		g.arrived.Importance != widget.SuccessImportance {
		t.Errorf("mail: %q", g.arrived.Text)
	}
	test.Tap(g.next)
	if g.content.Visible() {
		t.Error("the guide does not end")
	}
}

// TestGuideWithoutFFmpeg says before anything else that FFmpeg is missing, and offers no demo that cannot run.
func TestGuideWithoutFFmpeg(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Checked: status.Folder{Kind: "tmpfs", RAM: true, Known: true}}
	w, g := open(t, f)
	w.Changed(control.Update{Status: &status.Status{FFmpeg: status.FFmpeg{Hint: text.Plain("Install it.")}}}, true)
	g.Show()
	w.Settle()
	if !g.ffmpeg.Visible() || g.missing.Text != "FFmpeg is missing. Install it." || !g.demo.Disabled() ||
		g.next.Disabled() {
		t.Errorf("FFmpeg is shown missing: %t, demo disabled: %t, next disabled: %t", g.ffmpeg.Visible(),
			g.demo.Disabled(), g.next.Disabled())
	}
}

func TestGuideWithTheDemoCamera(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Checked: status.Folder{Kind: "tmpfs", RAM: true}}
	w, g := open(t, f)
	w.Changed(control.Update{Status: &status.Status{FFmpeg: status.FFmpeg{Path: "ffmpeg"}}}, true)
	g.Show()
	w.Settle()
	f.Refuse = config.ValidationErrors{{Key: "ram_disk.path", Value: "/dev/shm/preroll",
		Rule: text.Plain("cannot be made: this user has no right to write there")}}
	test.Tap(g.demo)
	w.Settle()
	if !g.content.Visible() || !strings.Contains(g.fault.Text, "no right") {
		t.Errorf("a folder that cannot be made: %q", g.fault.Text)
	}
	f.Refuse = nil
	test.Tap(g.demo)
	w.Settle()
	if g.content.Visible() || len(f.Applied) != 1 || f.Applied[0].Cameras[0].URL != config.DemoURL {
		t.Error("the demo camera is not set up")
	}
}

func TestGuideGoesBack(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Checked: status.Folder{Kind: "tmpfs", RAM: true}}
	w, g := open(t, f)
	w.Changed(control.Update{Status: &status.Status{}}, true)
	g.Show()
	w.Settle()
	for _, name := range []string{"Yard", "Yard", "Garden"} {
		g.turn(stepCamera)
		g.name.SetText(name)
		g.url.SetText("rtsp://192.0.2.9/x")
		g.tested = true
		g.forth()
		w.Settle()
		if g.step != stepMail || len(f.Config.Cameras) != 1 || f.Config.Cameras[0].Name != name ||
			f.Config.Cameras[0].ID != strings.ToLower(name) || config.Validate(f.Config) != nil {
			t.Errorf("%s: step %d, %v, %q", name, g.step, f.Config.Cameras, g.fault.Text)
		}
	}
}

// TestSeveralCameras adds one camera more, and then channels of a recorder.
func TestSeveralCameras(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, g := open(t, f)
	w.Status = &status.Status{}
	g.ShowCamera()
	w.Settle()
	if g.step != stepCamera || g.back.Visible() || g.leave.Text != "Cancel" {
		t.Fatalf("step %d, %q", g.step, g.leave.Text)
	}
	test.Type(g.address, "rtsp://me:p%40ss@192.0.2.8:8554/live/main")
	if g.url.Text != "rtsp://192.0.2.8:8554/live/main" || g.user.Text != "me" || g.password.Text != "p@ss" {
		t.Errorf("a URL: %q, %q, %q", g.url.Text, g.user.Text, g.password.Text)
	}
	w.Window.Canvas().Focus(g.address)
	w.Window.Canvas().Unfocus()
	if g.address.Text != "192.0.2.8:8554" {
		t.Errorf("address %q", g.address.Text)
	}
	g.address.SetText("")
	test.Type(g.address, "192.0.2.8:8554/live/main") // without its beginning
	if g.url.Text != "rtsp://192.0.2.8:8554/live/main" || g.host() != "192.0.2.8:8554" {
		t.Errorf("an address with a path: %q at %q", g.url.Text, g.host())
	}
	shed := config.DemoCamera()
	shed.ID = "shed"
	f.Config.Cameras = append(f.Config.Cameras, shed) // by somebody else, and stays
	g.Key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if top := w.Window.Canvas().Overlays().Top(); top == nil || !g.content.Visible() {
		t.Fatal("Escape forgets what was typed")
	} else {
		w.Window.Canvas().Overlays().Remove(top)
	}
	g.tested = true
	g.forth()
	w.Settle()
	test.Tap(g.back)
	if g.step != stepCamera || g.leave.Text != "Close" || g.unsaved() { // the camera stays
		t.Errorf("step %d, %q, unsaved %v", g.step, g.leave.Text, g.unsaved())
	}
	g.forth()
	w.Settle()
	test.Tap(g.another)
	w.Settle()
	if g.step != stepCamera || g.address.Text != "" || g.tested {
		t.Fatalf("step %d, address %q", g.step, g.address.Text)
	}
	for i, b := range config.Brands {
		if b.Name == "Hikvision" {
			g.brand.SetSelectedIndex(i)
		}
	}
	g.url.SetText("rtsp://192.0.2.8:8554/live/main")
	g.tested = true
	g.draw()
	if !strings.HasSuffix(g.why.Text, " has this address already.") || g.next.Disabled() {
		t.Errorf("the same camera once more: %q", g.why.Text)
	}
	g.url.SetText("")
	g.address.SetText("192.0.2.7")
	g.name.SetText("House")
	g.channels.SetText("1-2, 4")
	if !strings.Contains(g.url.Text, "/101") || !g.channelRow.Visible() {
		t.Errorf("the first channel is %q", g.url.Text)
	}
	other := config.DemoCamera()
	other.ID = "house-1"
	f.Config.Cameras = append(f.Config.Cameras, other) // by somebody else, under the same id
	g.tested = true
	g.forth()
	w.Settle()
	if g.step != stepCamera || !strings.Contains(g.fault.Text, "changed elsewhere") {
		t.Errorf("step %d, %q", g.step, g.fault.Text)
	}
	g.forth()
	w.Settle()
	var got []string
	for _, c := range f.Config.Cameras {
		got = append(got, c.ID+" "+c.URL)
	}
	want := "[shed demo: camera-1 rtsp://192.0.2.8:8554/live/main house-1 demo: house-1-2 rtsp://192.0.2.7/Streaming/Channels/101 house-2 rtsp://192.0.2.7/Streaming/Channels/201 house-4 rtsp://192.0.2.7/Streaming/Channels/401]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %v (%s)", got, want, g.fault.Text)
	}
}

func TestFolderOf(t *testing.T) {
	s := config.Default()
	for _, tc := range []struct {
		d    status.Folder
		use  string
		says string
		ok   bool
	}{
		{status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 8 << 30}, "ram",
			"This is RAM: tmpfs, 8.6 GB free, of which Preroll uses at most 1.1 GB. That holds the last 100 s of 21 cameras", true},
		{status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 20 << 20}, "ram",
			"That holds the last 42 s of one camera", true},
		{status.Folder{Kind: "ext4", Known: true, Free: 8 << 30, Hint: text.Plain("Use /dev/shm/preroll.")}, "ram",
			"This is a disk and not RAM", true},
		{status.Folder{Kind: "hfs", Free: 8 << 30}, "ram", "Preroll cannot tell whether this is RAM", true},
		{status.Folder{Fault: text.Plain("cannot be made")}, "ram", "cannot be made.", false},
		{status.Folder{Kind: "ext4", Known: true, Free: 350 << 20, Speed: 50e6}, "archive",
			"Fast enough. There is room for about 10 clips of 70 s.", true},
		{status.Folder{Kind: "tmpfs", Known: true, RAM: true, Free: 350 << 20}, "archive", "all clips are lost", true},
	} {
		if text, _, ok := folderOf(tc.d, tc.use, s); ok != tc.ok || !strings.Contains(text, tc.says) {
			t.Errorf("%+v: %v, %q", tc.d, ok, text)
		}
	}
}

func TestLabelsFit(t *testing.T) {
	pagetest.LabelsFit(t, func(env *page.Env) page.Page { return New(env, func(bool) {}) })
}

// TestAnEditedURLIsUsed edits the RTSP address of a channel, and then chooses a brand without channels.
func TestAnEditedURLIsUsed(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, g := open(t, f)
	w.Status = &status.Status{}
	g.ShowCamera()
	w.Settle()
	choose := func(name string) {
		g.brand.SetSelectedIndex(slices.IndexFunc(config.Brands, func(b config.Brand) bool { return b.Name == name }))
	}
	choose("Hikvision")
	g.address.SetText("192.0.2.7")
	g.channels.SetText("2")
	if got := g.typedCamera().URL; got != g.url.Text || !strings.Contains(got, "/201") {
		t.Errorf("channel 2: %q, shown %q", got, g.url.Text)
	}
	g.url.SetText("rtsp://192.0.2.7/my/own/path")
	if got := g.typedCameras(g.edit); len(got) != 1 || got[0].URL != g.url.Text {
		t.Errorf("edited: %v", got)
	}
	if g.subRow.Visible() {
		t.Error("the low-resolution stream of an address of one's own is offered")
	}
	g.url.SetText("")
	if !g.subRow.Visible() {
		t.Error("Hikvision has a low-resolution stream")
	}
	g.channels.SetText("1-3")
	choose(config.Brands[len(config.Brands)-1].Name)
	if got := g.typedCameras(g.edit); len(got) != 1 {
		t.Errorf("a brand without channels: %d cameras", len(got))
	}
}

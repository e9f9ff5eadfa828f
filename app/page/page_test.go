package page

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestAnOldPlayersPicturesAreNotShown(t *testing.T) {
	test.NewTempApp(t)
	var handed []func()
	settle := func() {
		for _, f := range handed {
			f()
		}
		handed = nil
	}
	v := NewPlayer(&Env{Do: func(f func()) { handed = append(handed, f) }})
	v.p = player.New(player.Options{Show: func(player.Frame) {}, State: func(player.State) {}})
	defer v.Close()
	old, other := image.NewRGBA(image.Rect(0, 0, 2, 2)), image.NewRGBA(image.Rect(0, 0, 4, 4))
	first, show := v.turn()
	show(player.Frame{Picture: old})
	v.state(first, player.State{Err: errors.New("old")})
	_, next := v.turn()
	show(player.Frame{Picture: old})
	settle()
	if v.Picture.Image != nil || v.Message.Text != "" {
		t.Errorf("an old picture, %q", v.Message.Text)
	}
	next(player.Frame{Picture: old})
	next(player.Frame{Picture: other})
	settle()
	if v.Picture.Image != image.Image(other) {
		t.Error("the newest picture is not shown")
	}
}

// TestALoopThatIsNoLongerInRAMEnds lets a live video move on beyond its loop.
func TestALoopThatIsNoLongerInRAMEnds(t *testing.T) {
	test.NewTempApp(t)
	var handed func()
	v := NewPlayer(&Env{Do: func(f func()) { handed = f }, Window: test.NewTempWindow(t, nil)})
	v.p = player.New(player.Options{Show: func(player.Frame) {}, State: func(player.State) {}})
	defer v.Close()
	v.playing, v.from, v.to, v.first = true, time.Second, 5*time.Second, 3*time.Second
	_, show := v.turn()
	show(player.Frame{Picture: image.NewRGBA(image.Rect(0, 0, 2, 2)), At: 4 * time.Second})
	handed()
	if v.to != 5*time.Second {
		t.Error("the loop has ended too early")
	}
	v.first = 5 * time.Second
	show(player.Frame{Picture: image.NewRGBA(image.Rect(0, 0, 2, 2)), At: 6 * time.Second})
	handed()
	if v.from >= 0 || v.to >= 0 {
		t.Errorf("the loop goes on from %s to %s", v.from, v.to)
	}
}

// TestWhatIsEnlargedStaysInTheMiddle enlarges the left upper quarter, and lets the player fill the screen.
func TestWhatIsEnlargedStaysInTheMiddle(t *testing.T) {
	test.NewTempApp(t)
	v := NewPlayer(&Env{Do: func(f func()) { f() }, Window: test.NewTempWindow(t, nil)})
	s := v.stage
	s.Resize(fyne.NewSize(400, 200))
	s.zoomTo(2, fyne.NewPos(100, 50))
	s.Resize(fyne.NewSize(1200, 700))
	if s.zoom != 2 || s.off != fyne.NewPos(300, 175) {
		t.Errorf("enlarged %v, moved by %v", s.zoom, s.off)
	}
}

// TestANewVideoHasNoLoop opens a video while another one is repeated.
func TestANewVideoHasNoLoop(t *testing.T) {
	a := test.NewTempApp(t)
	v := NewPlayer(&Env{App: a, Do: func(f func()) { f() }, Window: test.NewTempWindow(t, nil)})
	v.from = time.Second
	v.showLoop()
	v.Open(Video{})
	if v.loop.Importance != widget.MediumImportance || v.from >= 0 {
		t.Errorf("from %v, the button is %v", v.from, v.loop.Importance)
	}
}

// TestStateOfAnEventWithoutVideo opens an event while its camera is away.
func TestStateOfAnEventWithoutVideo(t *testing.T) {
	env := &Env{Now: time.Now, Status: &status.Status{FFmpeg: status.FFmpeg{Path: "ffmpeg"}, Cameras: []status.Camera{
		{ID: "gate", State: status.Waiting, Text: text.Plain("Nothing answers at this address")}, {ID: "door"}}}}
	for camera, want := range map[string]string{
		"gate": "Waiting for video: Nothing answers at this address", "door": "Saving"} {
		if got, _ := env.StateOf(event.Event{Camera: camera, State: event.Recording}); got != want {
			t.Errorf("%s: %q", camera, got)
		}
	}
	if got, _ := env.StateOf(event.Event{Camera: "gate", State: event.Finishing}); got != "Saving: finishing the clip" {
		t.Errorf("all the video is there: %q", got)
	}
}

func TestReplacePort(t *testing.T) {
	s := config.SMTP{Listen: ":2525, :25,192.168.25.3:25", ListenTLS: ":25,:465"}
	ReplacePort(&s, 25, 2526)
	if s.Listen != ":2525,:2526,192.168.25.3:2526" && s.Listen != ":2525, :2526,192.168.25.3:2526" ||
		s.ListenTLS != ":2526,:465" {
		t.Errorf("got %q and %q", s.Listen, s.ListenTLS)
	}
}

func TestHeadline(t *testing.T) {
	rec, off, wait := status.Camera{Name: "Gate", State: status.Recording}, status.Camera{State: status.Off},
		status.Camera{State: status.Waiting}
	for _, tc := range []struct {
		s    *status.Status
		want string
	}{
		{nil, "Preroll is not recording."},
		{&status.Status{}, "No camera is set up yet"},
		{&status.Status{Cameras: []status.Camera{off}}, "No camera is set up yet"},
		{&status.Status{Cameras: []status.Camera{wait}}, "No camera is recording yet"},
		{&status.Status{Cameras: []status.Camera{off, rec}}, "Recording Gate"},
		{&status.Status{Cameras: []status.Camera{rec, wait}}, "Recording 1 of 2 cameras"},
		{&status.Status{Cameras: []status.Camera{rec, rec}}, "Recording 2 cameras"},
		{&status.Status{Cameras: []status.Camera{rec}, Pause: status.Pause{On: true}},
			"Paused: alarms save nothing until you resume"},
		{&status.Status{Cameras: []status.Camera{rec}, Pause: status.Pause{On: true,
			Until: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}},
			"Paused until 12:00: alarms save nothing"},
	} {
		if got := Headline(tc.s); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestRAMAgainstTheBudget(t *testing.T) {
	s := status.Status{RAM: status.RAM{Used: 1 << 30, Budget: 1 << 30, Need: 2 << 30}}
	if got := RAMOf(s, 100*time.Second); !strings.Contains(got, "would need 2.1 GB") ||
		!strings.Contains(got, "about 50 s") {
		t.Error(got)
	}
	s.RAM.Need = 1 << 29
	if got := RAMOf(s, 100*time.Second); !strings.Contains(got, "enough for 100 s") {
		t.Error(got)
	}
}

func TestMailOf(t *testing.T) {
	s := config.Default()
	c := config.NewCamera()
	c.ID, c.Mail = "gate", []string{"two words", "x"}
	if got := fmt.Sprint(mailOf(s, c, nil,
		[]string{"192.0.2.1",
			"192.0.2.2"})[:3]); got != "[{Mail server 192.0.2.1 / 192.0.2.2 192.0.2.1} {Port 2525 2525} {Recipient x@preroll x@preroll}]" {
		t.Error(got)
	}
	s.SMTP.Listen, s.SMTP.Username, c.Mail = "127.0.0.1:0", "cam", []string{"nvr@home"}
	now := &status.Status{SMTP: status.SMTP{Listen: "127.0.0.1:40025"}}
	if got := fmt.Sprint(mailOf(s, c, now,
		[]string{"a"})[:4]); got != "[{Mail server 127.0.0.1 127.0.0.1} {Port 40025 40025} {Recipient nvr@home nvr@home} {User cam cam}]" {
		t.Error(got)
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
	m := NewMailHelp()
	s, c := config.Default(), config.NewCamera()
	c.ID, c.Name, c.URL = "gate", "Gate", "rtsp://192.0.2.9/h264Preview_01_main"
	m.Set(s, c, nil, []string{"192.0.2.1"})
	if m.brand.Selected != "Reolink" || len(m.steps.Objects) != 5 {
		t.Errorf("%q, %d steps", m.brand.Selected, len(m.steps.Objects))
	}
	m.brand.SetSelected("Axis")
	s.SMTP.Listen = ":2525, :25"
	m.Set(s, c, nil, []string{"192.0.2.1"})
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

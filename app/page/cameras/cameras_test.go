package cameras

import (
	"os"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
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

func TestCamerasPage(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	f.Config.Cameras = []config.Camera{config.DemoCamera()}
	f.Config.Cameras[0].ID = "gate"
	w, p := open(t, f)
	w.Window.Resize(fyne.NewSize(900, 600))
	f.State = pagetest.Status("/a")
	w.Changed(control.Update{Status: f.State}, true)
	w.Settle()
	if p.stills["gate"] != nil {
		t.Error("a picture was taken while nobody looks")
	}
	p.Show()
	w.Settle()
	if p.stills["gate"] == nil {
		t.Error("no picture on the page")
	}
	p.enable("gate", false)
	w.Settle()
	if len(f.Applied) != 1 || f.Applied[0].Cameras[0].Enabled {
		t.Error("not switched off")
	}
	p.openLive("gate")
	if !p.live.Visible() {
		t.Error("no live view")
	}
	p.Hide()
	if p.player.IsOpen() {
		t.Error("the live view goes on while nobody looks")
	}
	// An answer comes after the recorder has gone.
	p.poll()
	w.Status, w.Gone = nil, true
	w.Changed(control.Update{}, false)
	w.Settle()
	if w.Status != nil {
		t.Error("a recorder that is gone seems to be there")
	}
	// The last pictures stay, greyed, and can neither be saved nor watched.
	p.closeLive()
	p.Show()
	w.Settle()
	if len(p.grid.Objects) == 0 {
		t.Fatal("the cameras are gone with the recorder")
	}
	c := p.grid.Objects[0].(*card)
	if says, _ := p.stateOf(c.camera); c.picture.Image == nil || c.picture.Translucency == 0 || !c.save.Disabled() ||
		says != "Not recorded" {
		t.Errorf("picture %v, translucency %v, %q", c.picture.Image != nil, c.picture.Translucency, says)
	}
	c.Tapped(nil)
	if p.live.Visible() {
		t.Error("a camera of a recorder that is gone is shown live")
	}
}

// TestACameraThatIsAwayIsShown checks that what RAM holds of a camera that is away can be watched and saved.
func TestACameraThatIsAwayIsShown(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	w.Window.Resize(fyne.NewSize(900, 600))
	f.State = pagetest.Status("/a")
	f.State.FFmpeg.Path = "/bin/false"
	c := &f.State.Cameras[0]
	c.State, c.Text, c.Newest = status.Waiting, text.Plain("The camera does not answer"), pagetest.Noon
	w.Changed(control.Update{Status: f.State}, true)
	p.Show()
	w.Settle()
	p.grid.Objects[0].(*card).Tapped(nil)
	if !p.live.Visible() || !p.player.IsOpen() || p.here.Disabled() || !strings.Contains(p.liveTitle.Text, "No video") {
		t.Errorf("live: %t, open: %t, %q", p.live.Visible(), p.player.IsOpen(), p.liveTitle.Text)
	}
	if got := p.player.Shown(); got.After(pagetest.Noon) || got.Before(pagetest.Noon.Add(-5*time.Second)) {
		t.Errorf("it begins at %s", got)
	}
	p.closeLive()
	c.PreRoll = 0 // the ring is gone
	w.Changed(control.Update{Status: f.State}, false)
	p.grid.Objects[0].(*card).Tapped(nil)
	if p.live.Visible() {
		t.Error("a camera without video is shown")
	}
}

func TestStateLine(t *testing.T) {
	at := pagetest.Noon.Add(14 * time.Second)
	for _, tc := range []struct {
		c       status.Camera
		want    string
		trouble string
	}{
		{status.Camera{State: status.Off}, "Switched off", "."},
		{status.Camera{State: status.Connecting, Since: pagetest.Noon}, "Connecting, for 14 s", "."},
		{status.Camera{State: status.Recording, Since: pagetest.Noon}, "Recording", "."},
		{status.Camera{State: status.Recording, Since: pagetest.Noon.Add(-3 * time.Hour)}, "Recording for 3 h", "."},
		{status.Camera{State: status.Waiting, Since: pagetest.Noon, Text: text.Plain("The camera sends no picture"),
			Hint:  text.Plain("Restart it."),
			Retry: at.Add(7 * time.Second)},
			"No video for 14 s, trying again in 8 s", "The camera sends no picture. Restart it."},
		{status.Camera{State: status.Waiting, Since: pagetest.Noon, Text: text.Plain("Waits for the RAM disk")},
			"No video for 14 s", "Waits for the RAM disk."},
		{status.Camera{State: status.Recording, Advice: []status.Advice{{Text: text.Plain("No sound"),
			Hint: text.Plain("Switch it on.")}}}, "No sound", "."},
	} {
		if got, _ := stateLine(tc.c, at); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
		if got := troubleOf(tc.c); got != tc.trouble {
			t.Errorf("%q, want %q", got, tc.trouble)
		}
	}
}

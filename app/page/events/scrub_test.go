package events

import (
	"image"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// TestScrub moves the mouse over the thumbnail of an event with two clips: one is red, then blue, the other is green.
func TestScrub(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	encode := func(name, filter string) {
		out, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "lavfi", "-i", filter, "-pix_fmt",
			"yuv420p", "-g", "5", filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	encode("a.mp4", "color=red:s=64x36:r=10:d=2,drawbox=c=blue:t=fill:enable='gte(t,1)'")
	encode("b.mp4", "color=lime:s=64x36:r=10:d=2")
	e := pagetest.Event(0, event.Saved)
	e.Thumbnail = "a.jpg"
	e.Folder, e.Clips = "", []event.Clip{{File: "a.mp4", Length: event.Seconds(2 * time.Second)},
		{File: "b.mp4", Length: event.Seconds(2 * time.Second)}}
	f := &pagetest.Fake{Config: config.Default(), Stored: []event.Event{e}}
	w, p := filled(t, f, 0)
	w.Env.Status.Archive.Path, w.Env.Status.FFmpeg.Path = dir, ffmpeg
	row := p.rows.Object(1).(*eventRow)
	usual := pagetest.Picture()
	p.thumbs.cache[w.Env.Path(e, e.Thumbnail)] = usual
	p.rows.RefreshRow(1)
	at := func(part float32) fyne.Position {
		return fyne.CurrentApp().Driver().AbsolutePositionForObject(row.thumb).AddXY(part*row.thumb.Size().Width, 9)
	}
	colour := func() [3]bool {
		m := row.thumb.picture.Image
		if m == usual {
			return [3]bool{}
		}
		r, g, b, _ := m.(*image.RGBA).At(9, 9).RGBA()
		return [3]bool{r > 0x8000, g > 0x8000, b > 0x8000}
	}
	sees := func(what string, want [3]bool) {
		t.Helper()
		poll.Until(t, what, 15*time.Second, func() bool {
			w.Settle()
			return colour() == want
		}, nil)
	}
	p.hover(1, at(0.1))
	sees("red", [3]bool{true, false, false})
	p.hover(1, at(0.4))
	sees("blue", [3]bool{false, false, true})
	p.hover(1, at(0.7))
	sees("green", [3]bool{false, true, false})
	if row.thumb.at < 0.69 || row.thumb.at > 0.71 {
		t.Errorf("the line is at %v", row.thumb.at)
	}
	p.hover(1, at(0.1).AddXY(0, 500)) // below the thumbnail
	if row.thumb.picture.Image != usual || row.thumb.at >= 0 || p.scrub.p != nil {
		t.Error("the thumbnail does not come back")
	}

	// A mouse that only passes starts no FFmpeg.
	p.hover(1, at(0.1))
	p.hover(-1, fyne.Position{})
	time.Sleep(2 * scrubRest)
	w.Settle()
	if p.scrub.p != nil {
		t.Error("FFmpeg runs for a mouse that has left")
	}
}

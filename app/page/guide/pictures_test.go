//go:build !race

package guide

import (
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "guide-welcome", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		f.Checked.RAM, f.Checked.Kind = false, "ext4"
		guided(w, f, p, stepWelcome)
		w.Status.FFmpeg.Path = "ffmpeg"
		p.ram.good = true
		p.draw()
	}},
	{Name: "guide-trouble", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		f.Checked.RAM, f.Checked.Kind = false, "ext4"
		f.Checked.Hint = text.Plain("Use /dev/shm/preroll.")
		w.Status.FFmpeg = status.FFmpeg{Hint: text.FFmpegMissingHint.With()}
		guided(w, f, p, stepWelcome)
	}},
	{Name: "guide-camera", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		guided(w, f, p, stepCamera)
		p.discover()
		w.Settle()
		p.useDiscovered(f.Found[0])
		test.Tap(pagetest.Find(p.tester.Content, words.L("Test camera")))
	}},
	{Name: "guide-mail", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		guided(w, f, p, stepCamera)
		p.useDiscovered(f.Found[0])
		p.tested = true
		p.forth()
		w.Settle()
		w.Status.SMTP.Last = &status.Mail{Time: pagetest.Noon.Add(2 * time.Hour), From: "192.0.2.9",
			To: []string{"gate@preroll"}, Subject: "Test", Cameras: []string{p.added[0].ID}, Test: true}
		p.drawMail()
	}},
}

func TestPictures(t *testing.T) {
	pagetest.Pictures(t, func(env *page.Env) *Page { return New(env, func(bool) {}) }, scenes)
}

// guided opens a step of the guide.
func guided(w *pagetest.Rig, f *pagetest.Fake, p *Page, step int) {
	f.Config.Cameras = nil
	p.Show()
	w.Settle()
	p.turn(step)
}

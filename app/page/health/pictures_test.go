//go:build !race

package health

import (
	"testing"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "health-away", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		w.Status.Archive.Away = []status.Drive{{ID: "0123456789abcdef", Path: "/media/me/OLD-DRIVE/clips", Events: 1234,
			Bytes: 56 << 30, Away: true}}
		w.Changed(control.Update{Status: w.Status}, false)
		p.Show()
	}},
	{Name: "health", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		mailed(w, f, p)
		day := pagetest.Noon
		p.date.SetDate(&day)
		p.clock.SetText("12:05")
		p.find()
	}},
	{Name: "health-mail", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		mailed(w, f, p)
		p.content.Refresh() // gives the content its height
		p.scroll.ScrollToOffset(fyne.NewPos(0, 260))
	}},
	{Name: "health-talk", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		mailed(w, f, p)
		p.doctor.open(f.Talks[0])
	}},
	{Name: "health-assign", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		mailed(w, f, p)
		p.mails.assign(w.Status.SMTP.Unmatched[0]).camera.SetSelectedIndex(1)
	}},
}

func TestPictures(t *testing.T) {
	pagetest.Pictures(t, New, scenes)
}

// mailed shows connections and unmatched mails.
func mailed(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
	f.Talks = pagetest.Talks()
	w.Status.SMTP.Unmatched = pagetest.Unmatched()
	w.Changed(control.Update{}, false)
	p.Show()
	w.Settle()
}

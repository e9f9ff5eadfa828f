//go:build !race

package events

import (
	"image"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "welcome", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		w.Status.Cameras, f.Stored = nil, nil
		p.reload()
	}},
	{Name: "events", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, _ *Page) {}},
	{Name: "events-tiles", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.toggleTiles()
		w.Settle()
		for i := range p.rows.Shown {
			if r, ok := p.rows.Object(i).(*eventRow); ok {
				r.thumb.set(pagetest.Picture())
			}
		}
	}},
	{Name: "events-picked", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.tapped(1, fyne.KeyModifierControl)
		p.tapped(5, fyne.KeyModifierShift)
	}},
	{Name: "events-trouble", Set: func(w *pagetest.Rig, _ *pagetest.Fake, _ *Page) {
		w.Status.Problems = []status.Problem{{Code: "camera",
			Text: text.Plain("Gate: The camera refuses the user name or password"),
			Hint: text.Plain("Check both in the camera's own web page, then correct them.")}}
		w.Status.SMTP.Unmatched = []status.Unmatched{{Time: pagetest.Noon, From: "192.0.2.7",
			To:      []string{"nobody@nvr"},
			Subject: "Motion"}}
		w.Changed(control.Update{}, false)
	}},
	{Name: "events-rebuilt", Set: func(w *pagetest.Rig, _ *pagetest.Fake, _ *Page) {
		w.Status.Archive.Filling = &status.Filling{Path: "/home/me/Videos/Preroll", Events: 12300, Part: 0.37}
		w.Changed(control.Update{Status: w.Status}, false)
	}},
	{Name: "event", Set: func(_ *pagetest.Rig, f *pagetest.Fake, p *Page) {
		p.openEvent(f.Stored[1])
		p.detail.player.ShowMessage("")
		p.detail.player.Picture.Image = pagetest.Picture()
	}},
}

func TestPictures(t *testing.T) {
	pagetest.Pictures(t, func(env *page.Env) *Page {
		p := New(env)
		p.thumbs.load = func(string) (image.Image, error) { return pagetest.Picture(), nil }
		return p
	}, scenes)
}

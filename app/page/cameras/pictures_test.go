//go:build !race

package cameras

import (
	"testing"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "cameras", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
	}},
	{Name: "cameras-advice", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		k := source.RareKeyframes
		w.Status.Cameras[0].Advice = []status.Advice{{Kind: string(k), Text: k.Text(80.), Hint: k.Hint()}}
		p.Show()
	}},
}

func TestPictures(t *testing.T) {
	pagetest.Pictures(t, New, scenes)
}

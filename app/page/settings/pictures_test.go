//go:build !race

package settings

import (
	"testing"
	"time"

	"fyne.io/fyne/v2/container"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/event"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "settings-camera-mail", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		w.Status.Cameras[0].MailLag = event.Seconds(8 * time.Second)
		p.draw()
		w.Settle()
		p.content.Refresh() // gives the content its height
		p.tabs.Items[0].Content.(*container.Scroll).ScrollToBottom()
	}},
	{Name: "settings-cameras", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) { p.Show() }},
	{Name: "settings-recording", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.tabs.SelectIndex(1)
	}},
	{Name: "settings-archive", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.tabs.SelectIndex(2)
	}},
	{Name: "settings-mail", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) { p.Show(); p.tabs.SelectIndex(3) }},
	{Name: "settings-notifications", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.tabs.SelectIndex(4)
	}},
	{Name: "settings-general", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.tabs.SelectIndex(5)
	}},
	{Name: "settings-fault", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.fields[1].entry.SetText("file:///etc/passwd")
		p.apply()
	}},
}

func TestPictures(t *testing.T) {
	pagetest.Pictures(t, New, scenes)
}

//go:build !race

package settings

import (
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/container"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
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
	{Name: "settings-calls", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		f.Calling = []status.Caller{{ID: "1", Name: "Home Assistant", Used: pagetest.Noon.Add(30 * time.Minute)},
			{ID: "2", Name: strings.Repeat("A caller with a very long name ", 4), Camera: "long"}}
		w.Status.Calls = status.Calls{Listen: "[::]:8025"}
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(3)
		p.content.Refresh() // gives the content its height
		p.tabs.Items[3].Content.(*container.Scroll).ScrollToBottom()
	}},
	{Name: "settings-caller", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(3)
		p.askCaller()
	}},
	{Name: "settings-token", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(3)
		p.showToken(control.NewCaller{Caller: status.Caller{Name: "Home Assistant"},
			Token: "4S3NSWIJ7Z2DXK7V6DHMQ5L2TA"})
	}},
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

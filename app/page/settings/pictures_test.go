//go:build !race

package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// scenes are the page as users see it, each in a state that is hard on the layout.
var scenes = []pagetest.Scene[*Page]{
	{Name: "settings-camera-mail", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		w.Status.Cameras[0].MailLag = event.Seconds(8 * time.Second)
		p.draw()
		w.Settle()
		p.content.Refresh() // gives the content its height
		p.tabs.Items[0].Content.(*widgets.Scroll).ScrollToBottom()
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
		p.tabs.Items[3].Content.(*widgets.Scroll).ScrollToBottom()
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
	{Name: "settings-targets", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		phone := config.NewTarget()
		phone.ID, phone.Name, phone.URL, phone.Token = "phone", "My phone", "https://ntfy.sh/x", "x"
		long := config.NewTarget()
		long.ID, long.Name, long.Kind = "long", strings.Repeat("A phone with a very long name ", 4), config.Telegram
		long.Token, long.User = "x", "1"
		f.Config.Targets = []config.Target{phone, long}
		w.Status.Targets = []status.Target{{ID: "phone", Sent: 12}, {ID: "long",
			Error: text.TargetAnswers.With("401 Unauthorized")}}
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(4)
		p.content.Refresh() // gives the content its height
		p.tabs.Items[4].Content.(*widgets.Scroll).ScrollToBottom()
	}},
	{Name: "settings-target", Set: func(w *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(4)
		t := config.NewTarget()
		t.ID, t.Name, t.Kind = "phone", "My phone", config.Pushover
		p.editTarget(t)
	}},
	{Name: "settings-phone", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		f.Paired = []status.Caller{{ID: "1", Name: "iPhone", Made: pagetest.Noon, Used: pagetest.Noon.Add(time.Hour)},
			{ID: "2", Name: strings.Repeat("A phone with a very long name ", 4), Made: pagetest.Noon}}
		f.Config.Web.Listen = ":8443"
		w.Status.Web = status.Web{Listen: "[::]:8443"}
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(5)
	}},
	{Name: "settings-pairing", Set: func(w *pagetest.Rig, f *pagetest.Fake, p *Page) {
		f.Config.Web.Listen = ":8443"
		w.Status.Web = status.Web{Listen: "[::]:8443"}
		p.Show()
		w.Settle()
		p.tabs.SelectIndex(5)
		p.showCode(control.Pairing{Code: "ABCD-EFGH", Until: pagetest.Noon})
	}},
	{Name: "settings-general", Set: func(_ *pagetest.Rig, _ *pagetest.Fake, p *Page) {
		p.Show()
		p.tabs.SelectIndex(6)
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

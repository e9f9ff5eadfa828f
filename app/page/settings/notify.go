package settings

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// The tab Notifications.

func (p *Page) notifyForm() fyne.CanvasObject {
	check := func(text string, of func(*config.Notify) *bool) *widget.Check {
		return widget.NewCheck(text, func(on bool) {
			if !p.filling {
				*of(&p.edit.Notify) = on
				p.check()
			}
		})
	}

	p.alarm = check(words.L("When an alarm comes and its clip is being saved"), func(n *config.Notify) *bool {
		return &n.Alarm
	})
	p.saved = check(words.L("When a clip is saved"), func(n *config.Notify) *bool { return &n.Saved })
	p.trouble = check(words.L("When something needs me: a camera is offline, the archive is full"),
		func(n *config.Notify) *bool { return &n.Trouble })
	quiet, _ := p.line("notify.quiet", words.L("Quiet hours"),
		words.L("nothing is shown then; at their end one notification tells what happened"), "", func(s *config.Settings) string {
			return s.Notify.Quiet
		}, func(s *config.Settings, v string) error { s.Notify.Quiet = v; return nil })
	p.cameras = widget.NewCheckGroup(nil, func(on []string) {
		if p.filling {
			return
		}
		for i := range p.edit.Cameras {
			p.edit.Cameras[i].Notify = slices.Contains(on, p.cameras.Options[i])
		}
		p.check()
	})
	return container.NewVBox(widgets.Heading(words.L("Tell me")), p.alarm, p.saved, p.trouble, p.withTimes(quiet),
		widgets.Heading(words.L("Of these cameras")), p.cameras, p.targetsForm())
}

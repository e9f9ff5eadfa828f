package settings

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// The tab Recording.

func (p *Page) recordingForm() fyne.CanvasObject {
	p.ramText = widget.NewLabel("")
	p.ramText.Wrapping = fyne.TextWrapWord
	_, ram := p.line("ram_disk.path", words.L("RAM disk"),
		words.L("a folder in memory; the last seconds of each camera live here"), config.DefaultRAMDisk(),
		func(s *config.Settings) string { return s.RAMDisk.Path }, func(s *config.Settings, v string) error {
			s.RAMDisk.Path = v
			return nil
		})
	return container.NewVBox(
		widgets.Heading(words.L("Clips")),
		p.value("clip.pre_roll", words.L("Before the alarm"), "", shown("10s"),
			preRolls, func(s *config.Settings) textValue { return &s.Clip.PreRoll }),
		p.value("clip.post_roll", words.L("After the alarm"), words.L("after the last alarm mail"), shown("60s"),
			postRolls, func(s *config.Settings) textValue { return &s.Clip.PostRoll }),
		p.value("clip.max_length", words.L("Longest clip"), words.L("a longer event becomes several clips that join"),
			shown("10m"), longest, func(s *config.Settings) textValue { return &s.Clip.MaxLength }),
		widgets.Heading(words.L("Memory")),
		ram,
		p.value("ram_disk.keep", words.L("Seconds kept per camera"),
			words.L("it must be longer than the pre-roll"), shown("100s"), rings, func(s *config.Settings) textValue {
				return &s.RAMDisk.Keep
			}),
		p.value("ram_disk.budget", words.L("RAM for all cameras"), "", shown("1GiB"),
			budgets, func(s *config.Settings) textValue { return &s.RAMDisk.Budget }),
		widgets.Field("", "", p.ramText))
}

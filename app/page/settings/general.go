package settings

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// The tab General.

// desktopPrefs holds the settings that belong to the desktop and not to the recorder.
type desktopPrefs struct {
	login bool
	theme string
	text  float64
}

func (p *Page) generalForm() fyne.CanvasObject {
	names := func(list []string) (out []string) {
		for _, n := range list {
			out = append(out, words.L(n))
		}
		return out
	}
	var sizes []string
	for _, s := range widgets.TextSizes {
		sizes = append(sizes, words.L(s.Name))
	}
	set := func(f func()) {
		if !p.filling {
			f()
			p.check()
		}
	}
	p.login = widget.NewCheck(words.L("Start Preroll when I log in"), func(on bool) {
		set(func() { p.wish.login = on })
	})
	p.theme = widget.NewSelect(names(themeNames), func(string) {
		set(func() { p.wish.theme = themes[p.theme.SelectedIndex()] })
	})
	p.text = widget.NewSelect(sizes, func(string) {
		set(func() { p.wish.text = widgets.TextSizes[p.text.SelectedIndex()].Scale })
	})
	p.language = widget.NewSelect(names(languageNames), func(string) {
		set(func() { p.edit.Language = languages[p.language.SelectedIndex()] })
	})
	_, ffmpeg := p.line("ffmpeg.path", "FFmpeg", words.L("empty: the one beside Preroll or on PATH"),
		words.L("detected automatically"), func(s *config.Settings) string {
			return s.FFmpeg.Path
		}, func(s *config.Settings, v string) error { s.FFmpeg.Path = v; return nil })
	p.updates = widget.NewCheck(words.L("Look for a newer Preroll once a day"),
		func(on bool) {
			set(func() { p.edit.Update.Check = on })
		})
	return container.NewVBox(
		widgets.Heading(words.L("Start")), p.login,
		widgets.Heading(words.L("Appearance")),
		widgets.Field(words.L("Colours"), "", p.theme), widgets.Field(words.L("Text size"), "", p.text),
		widgets.Field(words.L("Language"), "", p.language),
		widgets.Heading(words.L("Program")), ffmpeg, widgets.Field("", "", p.updates),
		p.helpForm())
}

package settings

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// The tab Archive.

func (p *Page) archiveForm() fyne.CanvasObject {
	path, row := p.line("archive.path", words.L("Archive folder"), words.L("clips are saved here"),
		config.DefaultArchive(), func(s *config.Settings) string {
			return s.Archive.Path
		}, func(s *config.Settings, v string) error { s.Archive.Path = v; return nil })
	choose := widget.NewButtonWithIcon(words.L("Choose"), theme.FolderOpenIcon(), func() {
		dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
			if err == nil && u != nil {
				path.entry.SetText(u.Path())
			}
		}, p.env.Window)
	})
	p.next = widget.NewLabel("")
	p.next.Wrapping = fyne.TextWrapWord
	p.group = widget.NewCheck(words.L("Let the group of the files read them"), func(on bool) {
		if !p.filling {
			p.edit.Archive.Group = on
			p.check()
		}
	})
	return container.NewVBox(
		widgets.Heading(words.L("Place")), row, widgets.Field("", "", container.NewHBox(choose)),
		widgets.Field("", words.L("for a media server on this computer; holds for clips that are saved from then on"), p.group),
		widgets.Heading(words.L("What is deleted by itself")),
		p.value("archive.max_age", words.L("Keep for"), words.L("such as 30d; empty: for ever"), words.L("for ever"),
			func(s *config.Settings) textValue { return &s.Archive.MaxAge }),
		p.value("archive.max_size", words.L("At most"), words.L("such as 200GB; empty: no limit"), words.L("no limit"),
			func(s *config.Settings) textValue { return &s.Archive.MaxSize }),
		p.value("archive.min_free", words.L("Leave free"), words.L("on the drive, such as 2GiB; empty: nothing"),
			words.L("nothing"), func(s *config.Settings) textValue { return &s.Archive.MinFree }),
		widgets.Field("", "", p.next))
}

// nextOf says which event will be deleted next, and why.
func nextOf(n *event.Next, any bool) string {
	switch {
	case !any:
		return words.L("The archive is empty.")
	case n == nil:
		return words.L("Nothing will be deleted soon.")
	}
	what := words.L("%s of %s", n.Event.Title(), n.Event.Time.Local().Format("2006-01-02 15:04"))
	if n.Why == "max_age" {
		return words.L("Next to be deleted: %s, on %s, because of its age.", what,
			n.When.Local().Format("2006-01-02 15:04"))
	}
	return words.L("Next to be deleted: %s, as soon as room is needed.", what)
}

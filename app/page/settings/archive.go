package settings

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
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
		p.env.ChooseFolder(words.L("Archive folder"), path.entry.Text, path.entry.SetText)
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
		widgets.Heading(words.L("Automatic deletion")),
		p.value("archive.max_age", words.L("Keep for"), words.L("empty: for ever"), words.L("for ever"),
			ages, func(s *config.Settings) textValue { return &s.Archive.MaxAge }),
		p.value("archive.max_size", words.L("At most"), words.L("empty: no limit"), words.L("no limit"),
			sizes, func(s *config.Settings) textValue { return &s.Archive.MaxSize }),
		p.value("archive.min_free", words.L("Leave free"), words.L("on the drive; empty: nothing"),
			words.L("nothing"), frees, func(s *config.Settings) textValue { return &s.Archive.MinFree }),
		widgets.Field("", "", p.next),
		widgets.Field(words.L("Trash"),
			words.L("what you delete can be restored for 7 days; it makes room when room is needed"),
			container.NewHBox(widget.NewButtonWithIcon(words.L("Restore"), theme.ContentUndoIcon(), p.showTrash),
				widget.NewButtonWithIcon(words.L("Empty the trash"), theme.DeleteIcon(), p.emptyTrash))),
		p.advanced(widgets.Field("",
			words.L("for a media server on this computer; holds for clips that are saved from then on"), p.group)))
}

// trashShown is how many events in the trash are listed.
const trashShown = 200

// withTrash calls do with the events in the trash, or says that there are none.
func (p *Page) withTrash(do func([]event.Event)) {
	var list []event.Event
	p.env.Try(func(ctx context.Context) (err error) {
		list, err = p.env.Client.Trash(ctx)
		if err == nil && len(list) == 0 {
			p.env.Do(func() { p.env.Toast(words.L("The trash is empty.")) })
		}
		return err
	}, func() {
		if len(list) > 0 {
			do(list)
		}
	})
}

// showTrash lists the events in the trash, each with a button that restores it.
func (p *Page) showTrash() {
	p.withTrash(func(list []event.Event) {
		box := container.NewVBox()
		for _, e := range list[:min(len(list), trashShown)] {
			text := widgets.NewLine(fyne.TextStyle{})
			text.Set(words.Date(e.Time)+"  "+e.Time.Local().Format("15:04:05")+"  "+p.env.CameraName(e.Camera)+"  "+
				page.LabelOf(e), theme.ColorNameForeground)
			var back *widget.Button
			back = widget.NewButtonWithIcon(words.L("Restore"), theme.ContentUndoIcon(), func() {
				back.Disable()
				p.env.Try(func(ctx context.Context) error {
					_, err := p.env.Client.Restore(ctx, e.ID)
					return err
				}, nil)
			})
			box.Add(container.NewBorder(nil, nil, nil, back, text))
		}
		d := dialog.NewCustom(words.L("Trash"), words.L("Close"), widgets.NewScroll(box), p.env.Window)
		size := p.env.Window.Canvas().Size()
		d.Resize(fyne.NewSize(min(620, size.Width-40), min(480, size.Height-40)))
		d.Show()
	})
}

// emptyTrash removes what was deleted for good, after the user agreed.
func (p *Page) emptyTrash() {
	p.withTrash(func(list []event.Event) {
		var size int64
		for _, e := range list {
			size += e.Bytes()
		}
		p.env.Confirm(words.N(len(list), "Delete 1 event for good?", "Delete %d events for good?"),
			words.L("What is in the trash, %s, cannot be restored then.", words.Size(size)), words.L("Empty the trash"),
			func() {
				var freed int64
				p.env.Try(func(ctx context.Context) (err error) {
					freed, err = p.env.Client.EmptyTrash(ctx)
					return err
				}, func() { p.env.Toast(words.L("%s are free again.", words.Size(freed))) })
			})
	})
}

// nextOf says which event will be deleted next, and why.
func nextOf(n *event.Next, any bool) string {
	switch {
	case !any:
		return words.L("The archive is empty.")
	case n == nil:
		return words.L("Nothing will be deleted soon.")
	}
	what := words.L("%s of %s", n.Event.Title(), words.Date(n.Event.Time)+" "+n.Event.Time.Local().Format("15:04"))
	if n.Why == "max_age" {
		return words.L("Next to be deleted: %s, on %s, because of its age.", what,
			words.Date(n.When)+" "+n.When.Local().Format("15:04"))
	}
	return words.L("Next to be deleted: %s, as soon as room is needed.", what)
}

package settings

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
)

// The help on the tab General.

func (p *Page) helpForm() fyne.CanvasObject {
	p.about = widget.NewLabel("")
	p.about.Wrapping, p.about.Selectable = fyne.TextWrapWord, true
	guide := widget.NewButtonWithIcon(words.L("Go through the guide again"), theme.HelpIcon(), p.env.OpenGuide)
	news := widget.NewButtonWithIcon(words.L("What is new"), theme.DocumentIcon(), func() {
		p.read(words.L("What is new"), p.env.Changes)
	})
	libraries := widget.NewButtonWithIcon(words.L("Licences"), theme.InfoIcon(), func() {
		p.read(words.L("Licences"), licences())
	})
	log := widget.NewButtonWithIcon(words.L("Log"), theme.ListIcon(), p.showLog)
	p.diagnostics = widget.NewButtonWithIcon(words.L("Copy diagnostics"), theme.ContentCopyIcon(), p.copyDiagnostics)
	report := widget.NewButtonWithIcon(words.L("Save a report"), theme.DocumentSaveIcon(), p.saveReport)
	return container.NewVBox(widgets.Heading(words.L("Help")), widgets.Field("", "", p.about),
		widgets.Field("", "", container.New(&widgets.Flow{}, guide, news, libraries)),
		widgets.Field("", words.L("for the makers of Preroll: settings, state and log; no password is in it"),
			container.New(&widgets.Flow{}, p.diagnostics, report, log)))
}

// showLog shows the last lines of the recorder's log.
func (p *Page) showLog() {
	var lines []string
	p.env.Try(func(ctx context.Context) (err error) {
		lines, err = p.env.Client.LogLines(ctx)
		return err
	}, func() {
		if lines == nil {
			return // Try has said why
		}
		text := strings.Join(lines, "\n")
		if text == "" {
			text = words.L("The log is empty.")
		}
		log := widget.NewLabel(text)
		log.TextStyle, log.Selectable, log.SizeName = fyne.TextStyle{Monospace: true}, true, theme.SizeNameCaptionText
		scroll := container.NewScroll(log)
		p.open(words.L("Log"), scroll, func() { fyne.CurrentApp().Clipboard().SetContent(text) })
		scroll.ScrollToBottom()
	})
}

// copyDiagnostics puts what the makers need to know on the clipboard. Collecting it takes a few seconds.
func (p *Page) copyDiagnostics() {
	p.diagnostics.Disable()
	text := ""
	p.env.Try(func(ctx context.Context) (err error) {
		text, err = host.Diagnostics(ctx, p.env.Paths.File)
		return err
	}, func() {
		p.diagnostics.Enable()
		if text != "" {
			fyne.CurrentApp().Clipboard().SetContent(text)
			p.env.Toast(words.L("The diagnostics are on the clipboard. Look at them before you publish them."))
		}
	})
}

// read shows a long text in Markdown.
func (p *Page) read(title, text string) {
	rich := widget.NewRichTextFromMarkdown(text)
	rich.Wrapping = fyne.TextWrapWord
	p.open(title, widgets.NewScroll(rich), nil)
}

// open shows something long. copies, which may be nil, puts it on the clipboard.
func (p *Page) open(title string, content fyne.CanvasObject, copies func()) {
	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	ok := widgets.NewAnswer(words.L("Close"), away, away)
	d = dialog.NewCustomWithoutButtons(title, content, p.env.Window)
	buttons := []fyne.CanvasObject{ok}
	if copies != nil {
		buttons = append([]fyne.CanvasObject{widget.NewButtonWithIcon(words.L("Copy"), theme.ContentCopyIcon(),
			copies)}, ok)
	}
	d.SetButtons(buttons)
	room := p.env.Window.Canvas().Size()
	d.Resize(fyne.NewSize(min(room.Width-60, 760*widgets.Scale()), room.Height-60))
	d.Show()
	p.env.Window.Canvas().Focus(ok)
}

// licences lists what this program is made of.
func licences() string {
	var b strings.Builder
	b.WriteString(words.L("Preroll is free software under the MIT licence. FFmpeg is a program of its own. These libraries are in this program, each under the licence in its source:"))
	b.WriteString("\n\n")
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			fmt.Fprintf(&b, "- [%s](https://pkg.go.dev/%s) %s\n", m.Path, m.Path, m.Version)
		}
	}
	return b.String()
}

// saveReport lets the recorder's program write its report where the user wants it.
func (p *Page) saveReport() {
	name := "preroll-report-" + p.env.Now().Format("2006-01-02-1504") + ".zip"
	p.env.ChooseFile(words.L("Save a report"), name, func(path string) {
		done := false
		p.env.Try(func(ctx context.Context) error {
			_ = os.Remove(path) // the dialog asked whether to replace it, or has just made it
			err := host.Report(ctx, p.env.Paths.File, path)
			done = err == nil
			return err
		}, func() {
			if done {
				p.env.ToastWith(words.L("Saved: %s", path), words.L("Show in folder"), func() {
					p.env.Try(func(context.Context) error { return opener.Reveal(path) }, nil)
				})
			}
		})
	})
}

package window

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
)

// StartError shows why Preroll could not start. It returns when the user closes the window or ctx ends.
func StartError(ctx context.Context, a fyne.App, err error) {
	a.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	words.Use("")
	widgets.Dress(a)
	w := a.NewWindow("Preroll")
	w.SetContent(startErrorOf(err, w.Close))
	w.Resize(fyne.NewSize(620, 320))
	stop := context.AfterFunc(ctx, func() { fyne.Do(a.Quit) })
	defer stop()
	showAndRun(a, w)
}

// startErrorOf returns the content of the window after a failed start.
func startErrorOf(err error, done func()) fyne.CanvasObject {
	title := widget.NewLabelWithStyle(words.L("Preroll could not start. Nothing is recorded."), fyne.TextAlignLeading,
		fyne.TextStyle{Bold: true})
	title.Wrapping = fyne.TextWrapWord
	what := widgets.Wrapped(words.Error(err))
	what.Selectable = true
	hint := widgets.Wrapped(words.L("Fix it and start Preroll again. Your clips are untouched."))
	icon := container.NewGridWrap(fyne.NewSize(40, 40), widget.NewIcon(theme.NewErrorThemedResource(theme.ErrorIcon())))
	return container.NewPadded(container.NewBorder(nil,
		container.NewHBox(layout.NewSpacer(), widgets.Important(widget.NewButton(words.L("Close"), done))),
		container.NewVBox(icon), nil,
		container.NewVScroll(container.NewVBox(title, what, hint))))
}

package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
)

// keyPart is what the keys do in one place.
type keyPart struct {
	where string
	keys  [][2]string // keys, and what they do
}

// keyList returns what the keys do.
func keyList() []keyPart {
	ctrl, shift := words.L("Ctrl")+"+", words.L("Shift")+"+"
	space, enter, del := words.L("Space"), words.L("Enter"), words.L("Del")
	return []keyPart{
		{words.L("Everywhere"), [][2]string{{ctrl + "1 … 4", words.L("Events, Cameras, Health, Settings")},
			{ctrl + "F", words.L("Search")}, {ctrl + "W", words.L("Close the window")},
			{"Esc", words.L("Back, or close a dialog")}, {"?", words.L("This list")}}},
		{words.L("List of events"), [][2]string{{"↑ ↓", words.L("Move")}, {enter, words.L("Open")},
			{space, words.L("Pick")}, {shift + "↑ ↓", words.L("Pick several")}, {ctrl + "A", words.L("Pick all")},
			{"G", words.L("List, or large pictures")}, {"P", words.L("Protect, or unprotect")}, {"E",
				words.L("Export")}, {del, words.L("Delete")},
			{ctrl + "Z", words.L("Undo")}}},
		{words.L("Player"), [][2]string{{space, words.L("Play or pause")}, {"← →", words.L("5 seconds back or on")},
			{", .", words.L("One picture back or on")}, {words.L("Home End"), words.L("Beginning, end")},
			{"+ −", words.L("Faster, slower")}, {"A", words.L("Next alarm")}, {"L", words.L("Repeat a part")},
			{"S", words.L("Save this picture")}, {"M", words.L("Sound off or on")}, {"F", words.L("Full screen")},
			{"0", words.L("Whole picture")}, {"B", words.L("Another camera beside it")},
			{"↑ ↓", words.L("Newer or older event")}}},
	}
}

// showKeys shows what the keys do.
func (w *window) showKeys() {
	room := w.Window.Canvas().Size()
	fit := int((room.Width - 60) / (280 * widgets.Scale()))
	columns := container.New(layout.NewGridLayoutWithColumns(min(max(1, fit), 3)))
	for _, part := range keyList() {
		box := container.NewVBox(widgets.Heading(part.where))
		for _, k := range part.keys {
			key := widget.NewLabelWithStyle(k[0], fyne.TextAlignTrailing, fyne.TextStyle{Monospace: true})
			key.Importance = widget.HighImportance
			box.Add(container.New(layout.NewCustomPaddedHBoxLayout(0), widgets.Fixed(104, 0, key),
				widgets.Fixed(160, 0, widgets.Wrapped(k[1]))))
		}
		columns.Add(box)
	}
	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	ok := widgets.NewAnswer(words.L("Close"), away, away)
	d = dialog.NewCustomWithoutButtons(words.L("Keys"), widgets.NewScroll(columns), w.Window)
	d.SetButtons([]fyne.CanvasObject{ok})
	d.Resize(fyne.NewSize(min(room.Width-40, 880*widgets.Scale()), min(room.Height-40, 560*widgets.Scale())))
	d.Show()
	w.Window.Canvas().Focus(ok)
}

package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// --- Widgets and layouts ---

// shown shows or hides an object.
func shown(o fyne.CanvasObject, yes bool) {
	if yes == o.Visible() {
		return
	}
	if yes {
		o.Show()
	} else {
		o.Hide()
	}
}

// answer is a button that reacts to Enter and Escape, which Fyne's button ignores.
type answer struct {
	widget.Button
	escape func() // may be nil
}

func newAnswer(text string, tapped, escape func()) *answer {
	b := &answer{Button: widget.Button{Text: text, OnTapped: tapped}, escape: escape}
	b.ExtendBaseWidget(b)
	return b
}

// TypedKey presses the button on Enter and calls escape on Escape.
func (b *answer) TypedKey(e *fyne.KeyEvent) {
	switch {
	case b.Disabled():
	case e.Name == fyne.KeyReturn, e.Name == fyne.KeyEnter:
		b.OnTapped()
	case e.Name == fyne.KeyEscape && b.escape != nil:
		b.escape()
	default:
		b.Button.TypedKey(e)
	}
}

// important makes a button stand out.
func important(b *widget.Button) *widget.Button {
	b.Importance = widget.HighImportance
	return b
}

// centred returns a text in the middle of an empty page, with buttons below it.
func centred(title, text string, buttons ...fyne.CanvasObject) *fyne.Container {
	t := widget.NewLabel(text)
	t.Wrapping, t.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	style := widget.RichTextStyleHeading
	style.Alignment = fyne.TextAlignCenter
	heading := widget.NewRichText(&widget.TextSegment{Text: title, Style: style})
	row := container.NewHBox(append(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...), layout.NewSpacer())...)
	return container.NewVBox(layout.NewSpacer(), container.New(narrow{520}, container.NewVBox(heading, t, row)),
		layout.NewSpacer())
}

// narrow centres its content and bounds its width.
type narrow struct{ width float32 }

// Layout centres the content.
func (n narrow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(size.Width, n.width)
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

// MinSize returns the min size of the content, with bounded width.
func (n narrow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, n.width), s.Height)
}

// low gives its content a height, such as for a bar that is a thin line.
type low struct{ height float32 }

// Layout gives the content the full width and the height.
func (l low) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, l.height))
	}
}

// MinSize returns the height.
func (l low) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(0, l.height) }

// heading returns the heading of a part of a page.
func heading(text string) fyne.CanvasObject {
	return container.NewVBox(widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
		widget.NewSeparator())
}

// labelWidth is the width of every field's label.
const labelWidth = 170

// field returns a field with a label, and a hint below it.
func field(label, hint string, o fyne.CanvasObject) fyne.CanvasObject {
	l := widget.NewLabelWithStyle(label, fyne.TextAlignTrailing, fyne.TextStyle{})
	l.Truncation = fyne.TextTruncateEllipsis
	rows := []fyne.CanvasObject{o}
	if hint != "" {
		h := widget.NewLabel(hint)
		h.Wrapping, h.Importance, h.SizeName = fyne.TextWrapWord, widget.LowImportance, theme.SizeNameCaptionText
		rows = append(rows, h)
	}
	box := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), rows...)
	return container.NewBorder(nil, nil,
		container.NewVBox(container.NewGridWrap(fyne.NewSize(labelWidth, l.MinSize().Height), l)), nil, box)
}

// lockIcon marks protected events.
var lockIcon = theme.NewThemedResource(fyne.NewStaticResource("lock.svg",
	[]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path fill="#000000" d="M18 8h-1V6A5 5 0 0 0 7 6v2H6a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V10a2 2 0 0 0-2-2zm-6 9a2 2 0 1 1 0-4 2 2 0 0 1 0 4zM9 8V6a3 3 0 0 1 6 0v2z"/></svg>`)))

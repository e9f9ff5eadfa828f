// Package widgets holds Preroll's own Fyne widgets, layouts and theme: among them a list that stays exact and quick
// with a million rows, the time line of a clip, and the fields of a form. A widget knows nothing of the recorder.
package widgets

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	fynetooltip "github.com/dweymouth/fyne-tooltip"
	tips "github.com/dweymouth/fyne-tooltip/widget"
)

// --- Widgets and layouts ---

// SetVisible shows or hides an object.
func SetVisible(o fyne.CanvasObject, yes bool) {
	if yes == o.Visible() {
		return
	}
	if yes {
		o.Show()
	} else {
		o.Hide()
	}
}

// Answer is a button that reacts to Enter and Escape, which Fyne's button ignores.
type Answer struct {
	widget.Button
	escape func() // may be nil
}

// NewAnswer makes the button of a dialog. Without escape, the window gets the key Escape.
func NewAnswer(text string, tapped, escape func()) *Answer {
	b := &Answer{Button: widget.Button{Text: text, OnTapped: tapped}, escape: escape}
	b.ExtendBaseWidget(b)
	return b
}

// TypedKey presses the button on Enter and calls escape on Escape.
func (b *Answer) TypedKey(e *fyne.KeyEvent) {
	switch {
	case b.Disabled():
	case e.Name == fyne.KeyReturn, e.Name == fyne.KeyEnter:
		b.OnTapped()
	case e.Name == fyne.KeyEscape && b.escape != nil:
		b.escape()
	case e.Name == fyne.KeyEscape:
		PassKey(b, e)
	default:
		b.Button.TypedKey(e)
	}
}

// Important makes a button stand out.
func Important(b *widget.Button) *widget.Button {
	b.Importance = widget.HighImportance
	return b
}

// Centred returns a text in the middle of an empty page, with buttons below it.
func Centred(title, text string, buttons ...fyne.CanvasObject) *fyne.Container {
	t := widget.NewLabel(text)
	t.Wrapping, t.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	style := widget.RichTextStyleHeading
	style.Alignment = fyne.TextAlignCenter
	heading := widget.NewRichText(&widget.TextSegment{Text: title, Style: style})
	row := container.NewHBox(append(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...), layout.NewSpacer())...)
	return container.NewVBox(layout.NewSpacer(), container.New(Narrow{520}, container.NewVBox(heading, t, row)),
		layout.NewSpacer())
}

// Narrow centres its content and bounds its width.
type Narrow struct{ Width float32 }

// Layout centres the content.
func (n Narrow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(size.Width, n.Width*Scale())
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

// MinSize returns the min size of the content, with bounded width.
func (n Narrow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, n.Width*Scale()), s.Height)
}

// Low gives its content a height, such as for a bar that is a thin line.
type Low struct{ Height float32 }

// Layout gives the content the full width and the height.
func (l Low) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, l.Height))
	}
}

// MinSize returns the height.
func (l Low) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(0, l.Height) }

// Heading returns the heading of a part of a page.
func Heading(text string) fyne.CanvasObject {
	return container.NewVBox(widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
		widget.NewSeparator())
}

// Scale returns how much larger than usual the text is. Sizes that hold text are multiplied by it.
func Scale() float32 { return theme.TextSize() / 14 }

// Fixed gives an object a size, in points at the usual text size. 0 leaves the least width or height that the object
// needs.
func Fixed(width, height float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(fixed{width, height}, o)
}

type fixed struct{ width, height float32 }

// Layout gives the objects all of the room.
func (f fixed) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
	}
}

// MinSize returns the size in the text size in use.
func (f fixed) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.NewSize(f.width*Scale(), f.height*Scale())
	for _, o := range objects {
		if f.width == 0 {
			size.Width = max(size.Width, o.MinSize().Width)
		}
		if f.height == 0 {
			size.Height = max(size.Height, o.MinSize().Height)
		}
	}
	return size
}

// LabelWidth is the width of every field's label at the usual text size.
const LabelWidth = 190

// Field returns a field with a label, and a hint below it.
func Field(label, hint string, o fyne.CanvasObject) fyne.CanvasObject {
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
		container.NewVBox(Fixed(LabelWidth, 0, l)), nil, box)
}

// LockIcon marks protected events.
var LockIcon = theme.NewThemedResource(fyne.NewStaticResource(
	"lock.svg",
	[]byte(
		`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path fill="#000000" d="M18 8h-1V6A5 5 0 0 0 7 6v2H6a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V10a2 2 0 0 0-2-2zm-6 9a2 2 0 1 1 0-4 2 2 0 0 1 0 4zM9 8V6a3 3 0 0 1 6 0v2z"/></svg>`,
	),
))

// Wrapped returns a label that wraps its text.
func Wrapped(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}

// SetEnabled enables or disables a widget.
func SetEnabled(o fyne.Disableable, yes bool) {
	if yes == !o.Disabled() {
		return
	}
	if yes {
		o.Enable()
	} else {
		o.Disable()
	}
}

// FixedHeight gives its content a fixed height.
type FixedHeight struct{ Height float32 }

// Layout gives the content the full width and centres it.
func (f FixedHeight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, f.Height))
		o.Move(fyne.NewPos(0, (size.Height-f.Height)/2))
	}
}

// plate puts an object on its own background, above everything else.
func plate(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(NewBackdrop(theme.ColorNameOverlayBackground, theme.ColorNamePrimary, 8),
		container.NewPadded(o))
}

// MinSize returns the fixed height and a small width.
func (f FixedHeight) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(40, f.Height) }

// SideBar lays out two objects side by side. The second one is as wide as Width at the text size in use, but at most 40
// % of the whole. With large text it comes below the first one if Below is set.
type SideBar struct {
	Width float32
	Below bool
}

func (b SideBar) width(whole float32) float32 { return min(b.Width*Scale(), whole*0.4) }
func (b SideBar) stacked() bool               { return b.Below && Scale() > 1.2 }

// Layout places the two objects.
func (b SideBar) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	if b.stacked() {
		layout.NewVBoxLayout().Layout(objects, size)
		return
	}
	side := b.width(size.Width)
	objects[0].Resize(fyne.NewSize(size.Width-side-theme.Padding(), size.Height))
	objects[1].Move(fyne.NewPos(size.Width-side, 0))
	objects[1].Resize(fyne.NewSize(side, size.Height))
}

// MinSize leaves room for the first object.
func (b SideBar) MinSize(objects []fyne.CanvasObject) fyne.Size {
	if b.stacked() {
		return layout.NewVBoxLayout().MinSize(objects)
	}
	least := objects[0].MinSize()
	return fyne.NewSize(least.Width/0.6+theme.Padding(), max(least.Height, objects[1].MinSize().Height))
}

// Ends lays out two objects at the two ends of a row. With large text it takes two rows.
type Ends struct{}

func (Ends) stacked() bool { return Scale() > 1.3 }

// Layout places the two objects.
func (e Ends) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	a, b := objects[0].MinSize(), objects[1].MinSize()
	objects[0].Resize(a)
	objects[1].Resize(b)
	at := fyne.NewPos(size.Width-b.Width, 0)
	if e.stacked() {
		at = fyne.NewPos(0, a.Height+theme.Padding())
	}
	objects[1].Move(at)
}

// MinSize leaves room for both.
func (e Ends) MinSize(objects []fyne.CanvasObject) fyne.Size {
	a, b := objects[0].MinSize(), objects[1].MinSize()
	if e.stacked() {
		return fyne.NewSize(max(a.Width, b.Width), a.Height+theme.Padding()+b.Height)
	}
	return fyne.NewSize(a.Width+b.Width, max(a.Height, b.Height))
}

// Turns lays out objects that take turns in one place. The place is large enough for each, so nothing moves.
type Turns struct{}

// Layout gives each the whole width and its own height.
func (Turns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, o.MinSize().Height))
	}
}

// MinSize is large enough for each, shown or not.
func (Turns) MinSize(objects []fyne.CanvasObject) (least fyne.Size) {
	for _, o := range objects {
		least = least.Max(o.MinSize())
	}
	return least
}

// Flow lays out objects side by side, in as many rows as they need. If Least is not 0, the first one takes the width
// that is left in the first row; if that is less than Least at the usual text size, or less than it needs, it has the
// row to itself. What the rows are in gets its new height before the next picture is drawn.
type Flow struct {
	Least float32

	rows int // of the last layout
}

// Layout places the objects.
func (f *Flow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o fyne.CanvasObject) bool { return !o.Visible() })
	if len(objects) == 0 {
		return
	}
	pad, height := theme.Padding(), f.height(objects)
	first := objects[0].MinSize().Width
	if f.Least > 0 {
		rest := size.Width
		for _, o := range objects[1:] {
			rest -= pad + o.MinSize().Width
		}
		if first = max(first, f.Least*Scale()); rest >= first {
			first = rest
		} else {
			first = size.Width
		}
	}

	rows, at := 1, fyne.Position{}
	for i, o := range objects {
		width := o.MinSize().Width
		if i == 0 {
			width = first
		}
		if at.X > 0 && at.X+width > size.Width+1 {
			rows++
			at = fyne.NewPos(0, at.Y+height+pad)
		}
		o.Move(at)
		o.Resize(fyne.NewSize(width, height))
		at.X += width + pad
	}
	f.rows = rows
}

func (*Flow) height(objects []fyne.CanvasObject) (height float32) {
	for _, o := range objects {
		height = max(height, o.MinSize().Height)
	}
	return height
}

// MinSize is as wide as the widest object, and as high as the rows of the last layout.
func (f *Flow) MinSize(objects []fyne.CanvasObject) (least fyne.Size) {
	rows := float32(max(1, f.rows))
	for _, o := range objects {
		least = least.Max(o.MinSize())
	}
	return fyne.NewSize(least.Width, rows*(least.Height+theme.Padding())-theme.Padding())
}

// IconButton is a button with an icon, and words for it that appear under the mouse.
type IconButton = tips.Button

// NewIcon returns a button that shows only an icon. tip says what it does.
func NewIcon(icon fyne.Resource, tip string, tapped func()) *IconButton {
	b := tips.NewButtonWithIcon("", icon, tapped)
	b.SetToolTip(tip)
	return b
}

// WithTips lets the tips of a window's buttons appear over its content.
func WithTips(content fyne.CanvasObject, c fyne.Canvas) fyne.CanvasObject {
	o := fynetooltip.AddWindowToolTipLayer(content, c)
	if box, ok := o.(*fyne.Container); ok {
		box.Layout = tipped{box.Layout}
	}
	return o
}

// tipped is the layout of a content with a layer for tips over it.
type tipped struct{ stack }

type stack = fyne.Layout // of another name than its method

// HideTip removes the tip of a button, which would stay when keys remove the button below the mouse.
func HideTip(c fyne.Canvas) {
	if c == nil {
		return
	}
	box, ok := c.Content().(*fyne.Container)
	if !ok {
		return
	}
	if _, ok := box.Layout.(tipped); !ok {
		return
	}
	if layer, ok := box.Objects[len(box.Objects)-1].(*fyne.Container); ok && len(layer.Objects) > 0 {
		layer.RemoveAll()
	}
}

// ShowMenu shows a menu at an object.
func ShowMenu(m *fyne.Menu, at fyne.CanvasObject, c fyne.Canvas) {
	p := widget.NewPopUpMenu(m, c)
	if b, ok := at.(desktop.Hoverable); ok {
		b.MouseOut() // its tip, which is about to come, would have no place over the menu
	}
	ShowNear(p, at, c)
}

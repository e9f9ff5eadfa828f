package window

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// try runs something that may take long off the main goroutine, and shows its error.
func (w *window) try(do func(context.Context) error, then func()) {
	w.work.Go(func() {
		err := do(w.ctx)
		w.do(func() {
			if err != nil && w.ctx.Err() == nil {
				w.fail(err)
			}
			if then != nil {
				then()
			}
		})
	})
}

// fail shows an error, with what to do where that is known.
func (w *window) fail(err error) {
	text := words.Error(err)
	var e *control.Error
	if errors.As(err, &e) {
		text = words.Say(e.Text)
		if !e.Hint.IsZero() {
			text += "\n\n" + words.Say(e.Hint)
		}
	}
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	body := container.NewBorder(nil, nil,
		container.NewVBox(widget.NewIcon(theme.NewErrorThemedResource(theme.ErrorIcon()))), nil, l)
	var d *dialog.CustomDialog
	done := newAnswer(words.L("Close"), func() { d.Hide() }, func() { d.Hide() })
	d = dialog.NewCustomWithoutButtons(words.L("That did not work"), body, w.win)
	d.SetButtons([]fyne.CanvasObject{done})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	w.win.Canvas().Focus(done)
}

// confirm asks before something that cannot be undone. The safe answer is the one that Enter and Escape give.
func (w *window) confirm(title, text, yes string, do func()) {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	no := newAnswer(words.L("Cancel"), away, away)
	ok := newAnswer(yes, func() { d.Hide(); do() }, away)
	ok.Importance = widget.DangerImportance
	d = dialog.NewCustomWithoutButtons(title, l, w.win)
	d.SetButtons([]fyne.CanvasObject{no, ok})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	w.win.Canvas().Focus(no)
}

// toast tells of something for some seconds.
func (w *window) toast(text string) {
	room := w.win.Canvas().Size().Width - 8*theme.Padding() // one that is wider would make the window wider
	w.toastText.SetText(cut(text, room, func(s string) float32 {
		return fyne.MeasureText(s, theme.TextSize(), w.toastText.TextStyle).Width
	}))
	w.toastEnd = time.Now().Add(4 * time.Second)
	w.toastBox.Show()
	w.toastBox.Refresh()
}

// each does something with several events, with a progress that can be stopped, and tells of the first error.
func (w *window) each(list []event.Event, do func(context.Context, event.Event) error) {
	if len(list) == 1 {
		w.try(func(ctx context.Context) error { return do(ctx, list[0]) }, nil)
		return
	}
	w.progress(len(list), func(ctx context.Context, step func(int)) error {
		var errs []error
		for i, e := range list {
			if ctx.Err() != nil {
				break
			}
			if err := do(ctx, e); err != nil {
				errs = append(errs, err)
			}
			step(i + 1)
		}
		if len(errs) > 1 {
			return fmt.Errorf("%w\n%s", errs[0], words.L("and %d more", len(errs)-1))
		}
		return errors.Join(errs...)
	})
}

// progress runs something long with a bar and a button that stops it.
func (w *window) progress(whole int, do func(ctx context.Context, step func(done int)) error) {
	ctx, cancel := context.WithCancel(w.ctx)
	bar := widget.NewProgressBar()
	bar.Max = float64(max(1, whole))
	d := dialog.NewCustomWithoutButtons(words.L("At work"), bar, w.win)
	d.SetButtons([]fyne.CanvasObject{widget.NewButton(words.L("Stop"), cancel)})
	d.Resize(fyne.NewSize(360, 0))
	d.Show()
	w.work.Go(func() {
		err := do(ctx, func(done int) { w.do(func() { bar.SetValue(float64(done)) }) })
		stopped := ctx.Err() != nil
		cancel()
		w.do(func() {
			d.Hide()
			if err != nil && !stopped {
				w.fail(err)
			}
		})
	})
}

// protect keeps an event from retention, or ends that.
func (w *window) protect(ctx context.Context, e event.Event, on bool) error {
	_, err := w.client.Protect(ctx, e.ID, on)
	return err
}

// choose does something with a camera: with the only one at once, else after the user chose one or all.
func (w *window) choose(from *widget.Button, do func(ctx context.Context, id string) error) {
	list := cameras(w.status)
	run := func(ids ...string) {
		from.Disable()
		w.try(func(ctx context.Context) error {
			var errs []error
			for _, id := range ids {
				errs = append(errs, do(ctx, id))
			}
			return errors.Join(errs...)
		}, from.Enable)
	}
	if len(list) == 1 {
		run(list[0].ID)
		return
	}
	var items []*fyne.MenuItem
	var all []string
	for _, c := range list {
		all = append(all, c.ID)
		items = append(items, fyne.NewMenuItem(c.Name, func() { run(c.ID) }))
	}
	items = append(items, fyne.NewMenuItemSeparator(), fyne.NewMenuItem(words.L("All cameras"), func() { run(all...) }))
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(from).AddXY(0, from.Size().Height)
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), w.win.Canvas(), at)
}

// path is the full path of one of an event's files.
func (w *window) path(e event.Event, file string) string {
	s := w.known()
	if s == nil {
		return ""
	}
	return e.Path(s.Archive.Path, file)
}

// known is the status, or the last one while no recorder answers: clips lie where they lay, and can be played.
func (w *window) known() *status.Status {
	if w.status == nil {
		return w.last
	}
	return w.status
}

// cameraName is a camera's name, or its id where it is no more.
func (w *window) cameraName(id string) string {
	if s := w.known(); s != nil {
		for _, c := range s.Cameras {
			if c.ID == id {
				return c.Name
			}
		}
	}
	return id
}

// shown shows or hides something.
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

// answer is a button that takes Enter and Escape, for which Fyne's has no use.
type answer struct {
	widget.Button
	escape func() // may be nil
}

func newAnswer(text string, tapped, escape func()) *answer {
	b := &answer{Button: widget.Button{Text: text, OnTapped: tapped}, escape: escape}
	b.ExtendBaseWidget(b)
	return b
}

// TypedKey presses the button, or goes away.
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

// centred is a text in the middle of an empty page, with buttons below it.
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

// narrow keeps its content in the middle and no wider than a number of units.
type narrow struct{ width float32 }

// Layout puts it there.
func (n narrow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(size.Width, n.width)
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

// MinSize is the content's, but no wider.
func (n narrow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, n.width), s.Height)
}

// low gives its content a height, as a bar that is a thin line.
type low struct{ height float32 }

// Layout puts it there.
func (l low) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, l.height))
	}
}

// MinSize is that height.
func (l low) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(0, l.height) }

// heading heads a part of a page.
func heading(text string) fyne.CanvasObject {
	return container.NewVBox(widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
		widget.NewSeparator())
}

// labelWidth is the same for every field of a page.
const labelWidth = 170

// field is a labelled field with a hint below it.
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

// lockIcon marks what is protected.
var lockIcon = theme.NewThemedResource(fyne.NewStaticResource("lock.svg",
	[]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path fill="#000000" d="M18 8h-1V6A5 5 0 0 0 7 6v2H6a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V10a2 2 0 0 0-2-2zm-6 9a2 2 0 1 1 0-4 2 2 0 0 1 0 4zM9 8V6a3 3 0 0 1 6 0v2z"/></svg>`)))

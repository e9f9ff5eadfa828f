package window

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// env is what all pages work with, and how they reach each other.
type env struct {
	ctx    context.Context
	app    fyne.App
	paths  config.Paths
	client *control.Client
	win    fyne.Window
	status *status.Status // nil while no recorder answers
	last   *status.Status // the last one, though no recorder answers any more
	now    func() time.Time
	hosts  func() []string // addresses that a camera can reach this machine at
	meter  *meter
	toasts *toast

	work sync.WaitGroup           // what runs off the main goroutine
	do   func(func())             // hands over to the main goroutine
	open func(r instance.Request) // turns to a page or an event
	edit func(camera string)      // turns to the settings of a camera, or of a new one for ""
}

// try runs a long task off the main goroutine. It shows an error of the task, and then calls then, which may be nil.
func (env *env) try(do func(context.Context) error, then func()) {
	env.work.Go(func() {
		err := do(env.ctx)
		env.do(func() {
			if err != nil && env.ctx.Err() == nil {
				env.fail(err)
			}
			if then != nil {
				then()
			}
		})
	})
}

// fail shows an error, and a hint what to do if there is one.
func (env *env) fail(err error) {
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
	d = dialog.NewCustomWithoutButtons(words.L("That did not work"), body, env.win)
	d.SetButtons([]fyne.CanvasObject{done})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	env.win.Canvas().Focus(done)
}

// confirm asks before a task that cannot be undone. Enter and Escape give the safe answer.
func (env *env) confirm(title, text, yes string, do func()) {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	no := newAnswer(words.L("Cancel"), away, away)
	ok := newAnswer(yes, func() { d.Hide(); do() }, away)
	ok.Importance = widget.DangerImportance
	d = dialog.NewCustomWithoutButtons(title, l, env.win)
	d.SetButtons([]fyne.CanvasObject{no, ok})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	env.win.Canvas().Focus(no)
}

// openGuide opens the guide over the pages.
func (env *env) openGuide() { env.open(instance.Request{Page: "guide"}) }

// toast shows a message for four seconds.
func (env *env) toast(text string) { env.toasts.show(text, env.win.Canvas().Size().Width) }

// each runs a task for several events and shows a progress bar with a stop button. It shows the first error.
func (env *env) each(list []event.Event, do func(context.Context, event.Event) error) {
	if len(list) == 1 {
		env.try(func(ctx context.Context) error { return do(ctx, list[0]) }, nil)
		return
	}
	env.progress(len(list), func(ctx context.Context, step func(int)) error {
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

// progress runs a long task and shows a bar with a button that stops it.
func (env *env) progress(whole int, do func(ctx context.Context, step func(done int)) error) {
	ctx, cancel := context.WithCancel(env.ctx)
	bar := widget.NewProgressBar()
	bar.Max = float64(max(1, whole))
	d := dialog.NewCustomWithoutButtons(words.L("At work"), bar, env.win)
	d.SetButtons([]fyne.CanvasObject{widget.NewButton(words.L("Stop"), cancel)})
	d.Resize(fyne.NewSize(360, 0))
	d.Show()
	env.work.Go(func() {
		err := do(ctx, func(done int) { env.do(func() { bar.SetValue(float64(done)) }) })
		stopped := ctx.Err() != nil
		cancel()
		env.do(func() {
			d.Hide()
			if err != nil && !stopped {
				env.fail(err)
			}
		})
	})
}

// protect protects an event from retention, or ends the protection.
func (env *env) protect(ctx context.Context, e event.Event, on bool) error {
	_, err := env.client.Protect(ctx, e.ID, on)
	return err
}

// choose runs a task for a camera: at once if there is only one, otherwise after the user chose one camera or all.
func (env *env) choose(from *widget.Button, do func(ctx context.Context, id string) error) {
	list := cameras(env.status)
	run := func(ids ...string) {
		from.Disable()
		env.try(func(ctx context.Context) error {
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
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), env.win.Canvas(), at)
}

// newSaveButton returns the button that saves a clip of a camera now.
func (env *env) newSaveButton() *widget.Button {
	var b *widget.Button
	b = important(widget.NewButtonWithIcon(words.L("Save a clip now"), theme.MediaRecordIcon(), func() {
		env.choose(b, func(ctx context.Context, id string) error {
			_, err := env.client.Trigger(ctx, id, "manual")
			return err
		})
	}))
	return b
}

// path returns the full path of a file of an event.
func (env *env) path(e event.Event, file string) string {
	s := env.known()
	if s == nil {
		return ""
	}
	return e.Path(s.Archive.Path, file)
}

// known returns the status, or the last one while no recorder answers. The clips are still in the same place and can be
// played.
func (env *env) known() *status.Status {
	if env.status == nil {
		return env.last
	}
	return env.status
}

// cameraName returns the name of a camera, or its id if the camera no longer exists.
func (env *env) cameraName(id string) string {
	if s := env.known(); s != nil {
		for _, c := range s.Cameras {
			if c.ID == id {
				return c.Name
			}
		}
	}
	return id
}

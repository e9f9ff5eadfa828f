// Package page holds what the window's pages share: the interface Page, the Env through which a page reaches the
// recorder, the dialogs and the other pages, and the parts that more than one page shows.
//
// A page is a package of its own below this one, and knows no other page. Everything runs on Fyne's main goroutine,
// except what is started in Env.Work. That work passes its results on by Env.Do.
package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Env is what all pages work with, and how they reach each other.
type Env struct {
	Ctx     context.Context
	App     fyne.App
	Paths   config.Paths
	Client  *control.Client
	Window  fyne.Window
	Status  *status.Status // nil while no recorder answers
	Last    *status.Status // the last one, though no recorder answers any more
	Gone    bool           // no recorder answers; false until that is certain
	Now     func() time.Time
	Changes string          // what is new in this version, in Markdown
	Hosts   func() []string // addresses that a camera can reach this machine at
	Meter   *Meter
	Toasts  *widgets.Toast

	Work       sync.WaitGroup           // what runs off the main goroutine
	Do         func(func())             // hands over to the main goroutine
	Go         func(r instance.Request) // turns to a page or an event
	EditCamera func(camera string)      // turns to the settings of a camera, or of a new one for ""

	OpenSettings func(t SettingsTab) // turns to a tab of the settings
	ShowMails    func()              // turns to the mails that fit no camera

	// Reopen closes the window and opens another one at a tab of the settings. It reports whether it can. It is called
	// off the main goroutine.
	Reopen func(t SettingsTab) bool

	// FillScreen lets an object fill the screen, or ends that. The object must not be elsewhere meanwhile.
	FillScreen func(o fyne.CanvasObject, on bool)
}

// Try runs a long task off the main goroutine. It shows an error of the task, and then calls then, which may be nil.
func (env *Env) Try(do func(context.Context) error, then func()) {
	env.Work.Go(func() {
		err := do(env.Ctx)
		env.Do(func() {
			if err != nil && env.Ctx.Err() == nil {
				env.Fail(err)
			}
			if then != nil {
				then()
			}
		})
	})
}

// Fail shows an error, and a hint what to do if there is one.
func (env *Env) Fail(err error) {
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
	done := widgets.NewAnswer(words.L("Close"), func() { d.Hide() }, func() { d.Hide() })
	d = dialog.NewCustomWithoutButtons(words.L("That did not work"), body, env.Window)
	d.SetButtons([]fyne.CanvasObject{done})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	env.Window.Canvas().Focus(done)
}

// Confirm asks before a task that cannot be undone. Enter and Escape give the safe answer.
func (env *Env) Confirm(title, text, yes string, do func()) {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	no := widgets.NewAnswer(words.L("Cancel"), away, away)
	ok := widgets.NewAnswer(yes, func() { d.Hide(); do() }, away)
	ok.Importance = widget.DangerImportance
	d = dialog.NewCustomWithoutButtons(title, l, env.Window)
	d.SetButtons([]fyne.CanvasObject{no, ok})
	d.Resize(fyne.NewSize(460, 0))
	d.Show()
	env.Window.Canvas().Focus(no)
}

// OpenGuide opens the guide over the pages.
func (env *Env) OpenGuide() { env.Go(instance.Request{Page: "guide"}) }

// Toast shows a message for four seconds.
func (env *Env) Toast(text string) { env.ToastWith(text, "", nil) }

// ToastWith shows a message with a button for some seconds. Without a name for the button there is none.
func (env *Env) ToastWith(text, button string, do func()) {
	env.Toasts.Show(text, button, do, env.Window.Canvas().Size().Width)
}

// ChooseFolder lets the user choose a folder in the desktop's own dialog, or in Fyne's if the desktop has none. then is
// called on the main goroutine, unless the user cancels.
func (env *Env) ChooseFolder(title, begin string, then func(path string)) {
	env.choose(func() (string, error) { return opener.ChooseFolder(title, begin) }, then, func() {
		dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
			switch {
			case err != nil:
				env.Fail(err)
			case u != nil:
				then(u.Path())
			}
		}, env.Window)
	})
}

// ChooseFile lets the user choose a file to write, as [Env.ChooseFolder].
func (env *Env) ChooseFile(title, name string, then func(path string)) {
	env.choose(func() (string, error) { return opener.ChooseFile(title, name) }, then, func() {
		d := dialog.NewFileSave(func(u fyne.URIWriteCloser, err error) {
			switch {
			case err != nil: // the folder may be read-only
				env.Fail(err)
			case u != nil:
				path := u.URI().Path()
				_ = u.Close()
				then(path)
			}
		}, env.Window)
		d.SetFileName(name)
		d.Show()
	})
}

func (env *Env) choose(ask func() (string, error), then func(string), fallback func()) {
	env.Work.Go(func() {
		path, err := ask()
		env.Do(func() {
			switch {
			case errors.Is(err, opener.ErrNoChooser):
				fallback()
			case err != nil:
				env.Fail(err)
			case path != "":
				then(path)
			}
		})
	})
}

// Each runs a task for several events, and shows a progress bar with a stop button if there are more than one. It shows
// the first error, and then calls then, which may be nil.
func (env *Env) Each(list []event.Event, do func(context.Context, event.Event) error, then func()) {
	if len(list) == 1 {
		env.Try(func(ctx context.Context) error { return do(ctx, list[0]) }, then)
		return
	}
	env.Progress(len(list), func(ctx context.Context, step func(int)) error {
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
		if then != nil {
			env.Do(then)
		}

		if len(errs) > 1 {
			return fmt.Errorf("%w\n%s", errs[0], words.L("and %d more", len(errs)-1))
		}
		return errors.Join(errs...)
	})
}

// Progress runs a long task and shows a bar with a button that stops it.
func (env *Env) Progress(whole int, do func(ctx context.Context, step func(done int)) error) {
	ctx, cancel := context.WithCancel(env.Ctx)
	bar := widget.NewProgressBar()
	bar.Max = float64(max(1, whole))
	d := dialog.NewCustomWithoutButtons(words.L("At work"), bar, env.Window)
	stop := widgets.NewAnswer(words.L("Stop"), cancel, cancel)
	d.SetButtons([]fyne.CanvasObject{stop})
	d.Resize(fyne.NewSize(360, 0))
	d.Show()
	env.Window.Canvas().Focus(stop)
	env.Work.Go(func() {
		err := do(ctx, func(done int) { env.Do(func() { bar.SetValue(float64(done)) }) })
		stopped := ctx.Err() != nil
		cancel()
		env.Do(func() {
			d.Hide()
			if err != nil && !stopped {
				env.Fail(err)
			}
		})
	})
}

// Protect protects an event from retention, or ends the protection.
func (env *Env) Protect(ctx context.Context, e event.Event, on bool) error {
	_, err := env.Client.Protect(ctx, e.ID, on)
	return err
}

// Choose runs a task for a camera: at once if there is only one, otherwise after the user chose one camera or all.
func (env *Env) Choose(from *widget.Button, do func(ctx context.Context, id string) error) {
	list := CamerasOf(env.Status)
	run := func(ids ...string) {
		from.Disable()
		env.Try(func(ctx context.Context) error {
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
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), env.Window.Canvas(), at)
}

// NewSaveButton returns the button that saves a clip of a camera now.
func (env *Env) NewSaveButton() *widget.Button {
	var b *widget.Button
	b = widgets.Important(widget.NewButtonWithIcon(words.L("Save a clip now"), theme.MediaRecordIcon(), func() {
		env.Choose(b, func(ctx context.Context, id string) error {
			_, err := env.Client.Trigger(ctx, id, "manual")
			return err
		})
	}))
	return b
}

// Path returns the full path of a file of an event.
func (env *Env) Path(e event.Event, file string) string {
	s := env.Known()
	if s == nil {
		return ""
	}
	return e.Path(s.Archive.Path, file)
}

// Known returns the status, or the last one while no recorder answers. The clips are still in the same place and can be
// played.
func (env *Env) Known() *status.Status {
	if env.Status == nil {
		return env.Last
	}
	return env.Status
}

// CameraName returns the name of a camera, or its id if the camera no longer exists.
func (env *Env) CameraName(id string) string {
	if s := env.Known(); s != nil {
		for _, c := range s.Cameras {
			if c.ID == id {
				return c.Name
			}
		}
	}

	return id
}

// Addresses returns this machine's addresses on the local network.
func Addresses() []string {
	var out []string
	list, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
				out = append(out, n.IP.String())
			}
		}
	}

	if out == nil {
		out = []string{"127.0.0.1"}
	}
	return out
}

// Page is one of the window's pages. All of it is called on the main goroutine.
type Page interface {
	Content() fyne.CanvasObject
	Show()                               // it is seen from now on
	Hide()                               // another page is seen
	Update(u control.Update, first bool) // the recorder said something, or is gone; first: of a new connection
	Tick()                               // a second has passed, while the page is seen
	Key(k *fyne.KeyEvent)                // a key that no widget has the focus for, while the page is seen
}

// Package window is the Fyne window: a client of the control socket that comes and goes. It holds no truth; what it
// shows is drawn from what the recorder says.
//
// Everything here runs on Fyne's main goroutine but what is started in window.work; that hands over by fyne.Do. The
// package never imports fyne.io/fyne/v2/app, so it compiles and is tested without a display.
package window

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"

	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// Options says which recorder's window it is, and what to show first.
type Options struct {
	Places config.Places
	Page   string // "events" or "settings"
	Event  string // id of an event to show
}

// order is what a second start tells the first.
type order struct {
	Page  string `json:"page"`
	Event string `json:"event"`
}

// window is the open window.
type window struct {
	ctx      context.Context
	client   *control.Client
	win      fyne.Window
	tabs     *container.AppTabs
	events   *eventsPage
	settings *settingsPage
	status   *status.Status // nil while no recorder answers
	work     sync.WaitGroup // what runs off the main goroutine
	do       func(func())   // hands over to the main goroutine: fyne.Do
}

// Run shows the window until it is closed. A second one raises the first instead.
func Run(ctx context.Context, a fyne.App, opt Options) error {
	ln, err := control.Listen(opt.Places.Socket + "-window")
	if errors.Is(err, control.ErrTaken) {
		c, err := control.Dial(ctx, opt.Places.Socket+"-window")
		if err != nil {
			return err
		}
		return errors.Join(json.NewEncoder(c).Encode(order{opt.Page, opt.Event}), c.Close())
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	w := newWindow(ctx, a, control.NewClient(opt.Places.Socket))
	defer w.client.Close()
	w.show(order{opt.Page, opt.Event})
	w.work.Go(func() { w.watch(ctx) })
	w.work.Go(func() { w.obey(ln) })
	w.work.Go(func() {
		<-ctx.Done()
		w.do(a.Quit)
	})
	w.win.SetOnClosed(func() {
		s := w.win.Canvas().Size()
		a.Preferences().SetFloat("width", float64(s.Width))
		a.Preferences().SetFloat("height", float64(s.Height))
	})
	w.win.ShowAndRun()
	cancel()
	_ = ln.Close()
	w.work.Wait()
	return nil
}

func newWindow(ctx context.Context, a fyne.App, client *control.Client) *window {
	w := &window{ctx: ctx, client: client, do: fyne.Do, win: a.NewWindow("Preroll")}
	w.events = newEventsPage(w)
	w.settings = newSettingsPage(w)
	w.tabs = container.NewAppTabs(
		container.NewTabItemWithIcon("Events", theme.ListIcon(), w.events.content),
		container.NewTabItemWithIcon("Settings", theme.SettingsIcon(), w.settings.content),
	)
	w.tabs.SetTabLocation(container.TabLocationLeading)
	w.tabs.OnSelected = func(t *container.TabItem) {
		if t == w.tabs.Items[1] {
			w.settings.load()
		}
	}
	w.win.SetContent(w.tabs)
	p := a.Preferences()
	w.win.Resize(fyne.NewSize(float32(p.FloatWithFallback("width", 900)), float32(p.FloatWithFallback("height", 600))))
	return w
}

// show turns to a page or an event.
func (w *window) show(o order) {
	if o.Page == "settings" {
		w.tabs.SelectIndex(1)
	} else {
		w.tabs.SelectIndex(0)
	}
	if o.Event != "" {
		w.events.find(o.Event)
	}
}

// try runs something that may take long off the main goroutine, and shows its error.
func (w *window) try(do func(context.Context) error, then func()) {
	w.work.Go(func() {
		err := do(w.ctx)
		w.do(func() {
			if err != nil && w.ctx.Err() == nil {
				dialog.ShowError(err, w.win)
			}
			if then != nil {
				then()
			}
		})
	})
}

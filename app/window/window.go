// Package window is the Fyne window, a client of the control socket that comes and goes. It holds no state of its own:
// everything that it shows comes from the recorder.
//
// The window is the frame. Each page in it implements page, and reaches the recorder, the dialogs and the other pages
// only through its env.
//
// Everything here runs on Fyne's main goroutine, except what is started in env.work. That work passes its results on
// by fyne.Do. The package never imports fyne.io/fyne/v2/app, so it compiles and is tested without a display.
package window

import (
	"context"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

// The pages, in their order.
const (
	pageEvents = iota
	pageCameras
	pageHealth
	pageSettings
)

// Options says which recorder the window belongs to, and what it shows first.
type Options struct {
	Paths config.Paths
	Page  string // one of control.Pages, or "" for the last page
	Event string // id of an event to show

	Measure string // file for measurements, or "", see Measured
}

// page is one of the window's pages. All of it is called on the main goroutine.
type page interface {
	Content() fyne.CanvasObject
	Show()                               // it is seen from now on
	Hide()                               // another page is seen
	Update(u control.Update, first bool) // the recorder said something, or is gone; first: of a new connection
	Tick()                               // a second has passed, while the page is seen
	Key(k *fyne.KeyEvent)                // a key that no widget has the focus for, while the page is seen
}

// window is the open window: the frame around the pages.
type window struct {
	*env

	body  *fyne.Container // all but the guide, hidden while it lies over them so that no key gets there
	tabs  *container.AppTabs
	pages []page // in the order of control.Pages

	events   *eventsPage
	cameras  *camerasPage
	settings *settingsPage
	health   *healthPage
	guide    *guide
	notray   *fyne.Container

	ending sync.RWMutex // guards ended
	ended  bool         // do does nothing any more
}

// Run shows the window until it is closed. If a window is open already, Run raises that window instead.
func Run(ctx context.Context, a fyne.App, opt Options) error {
	began := time.Now()
	ln, err := instance.Claim(ctx, opt.Paths, instance.Window, instance.Request{Page: opt.Page, Event: opt.Event})
	if err != nil || ln == nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	client := control.NewClient(opt.Paths.Socket)
	defer client.Close()
	words.Use(languageOf(ctx, client))
	if err := lang.AddTranslationsFS(words.Files, words.Folder); err != nil {
		return err
	}
	dress(a)
	w := newWindow(ctx, a, client)
	w.paths = opt.Paths
	if opt.Page == "" {
		opt.Page = a.Preferences().String("page")
		w.events.goTo = a.Preferences().String("place")
	}
	w.show(instance.Request{Page: opt.Page, Event: opt.Event})
	w.work.Go(func() { w.watch(ctx) })
	w.work.Go(func() { instance.Serve(ctx, ln, w.asked) })
	w.work.Go(func() { w.clock(ctx) })
	if opt.Measure != "" {
		w.meter = &meter{began: began}
		w.work.Go(func() { w.measure(ctx, opt.Measure) })
	}
	w.work.Go(func() { w.lookForTray(ctx) })
	w.work.Go(func() {
		<-ctx.Done()
		if w.end() {
			fyne.Do(a.Quit)
		}
	})
	w.win.SetOnClosed(func() {
		w.remember()
		w.end()
	})
	w.win.ShowAndRun()
	w.end()
	cancel()
	w.events.detail.leave()
	w.cameras.Hide()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.work.Wait()
	}()
	select {
	case <-done:
	case <-time.After(longest): // the work hangs in a drive that is gone, and ends with the process
	}
	return nil
}

// longest is how long the window's work may go on after the window is closed. It is longer than the desktop may take to
// open a file.
const longest = 30 * time.Second

// languageOf asks the recorder for the language. Without an answer it returns "", which means the system's language.
func languageOf(ctx context.Context, c *control.Client) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := c.Settings(ctx)
	if err != nil {
		return ""
	}
	return s.Language
}

func newWindow(ctx context.Context, a fyne.App, client *control.Client) *window {
	w := &window{}
	w.env = &env{ctx: ctx, app: a, client: client, win: a.NewWindow("Preroll"), now: time.Now, hosts: addresses,
		do: w.hand, open: w.show, edit: w.editCamera, toasts: newToast()}
	w.guide = newGuide(w.env, w.cover)
	w.events = newEventsPage(w.env)
	w.cameras = newCamerasPage(w.env)
	w.health = newHealthPage(w.env)
	w.settings = newSettingsPage(w.env)
	w.pages = []page{w.events, w.cameras, w.health, w.settings}
	w.tabs = container.NewAppTabs()
	for i, t := range []struct {
		name string
		icon fyne.Resource
	}{
		{words.L("Events"), theme.ListIcon()},
		{words.L("Cameras"), theme.MediaVideoIcon()},
		{words.L("Health"), theme.InfoIcon()},
		{words.L("Settings"), theme.SettingsIcon()},
	} {
		w.tabs.Append(container.NewTabItemWithIcon(t.name, t.icon, w.pages[i].Content()))
	}
	w.tabs.SetTabLocation(container.TabLocationLeading)
	w.tabs.OnSelected = func(*container.TabItem) { w.turned() }
	w.notray = w.newNoTray()
	w.notray.Hide()
	w.guide.content.Hide()
	w.body = container.NewBorder(w.notray, nil, nil, nil, w.tabs)
	w.win.SetContent(container.NewStack(w.body, w.guide.content, w.toasts.box))
	w.shortcuts()
	p := a.Preferences()
	w.win.Resize(fyne.NewSize(float32(p.FloatWithFallback("width", 1000)), float32(p.FloatWithFallback("height", 680))))
	return w
}

// --- Main goroutine and end ---

// hand runs a function on the main goroutine, until the window ends. After its loop has ended, Fyne would run the
// function at once on the calling goroutine, or panic.
func (w *window) hand(f func()) {
	w.ending.RLock()
	defer w.ending.RUnlock()
	if !w.ended {
		fyne.Do(f)
	}
}

// isEnded reports whether hand does nothing any more.
func (w *window) isEnded() bool {
	w.ending.RLock()
	defer w.ending.RUnlock()
	return w.ended
}

// end makes hand do nothing from now on. It reports whether this was the first call.
func (w *window) end() bool {
	w.ending.Lock()
	defer w.ending.Unlock()
	first := !w.ended
	w.ended = true
	return first
}

// remember stores the size, page and place that the next window begins with.
func (w *window) remember() {
	p, s := w.app.Preferences(), w.win.Canvas().Size()
	p.SetFloat("width", float64(s.Width))
	p.SetFloat("height", float64(s.Height))
	p.SetString("page", control.Pages[w.tabs.SelectedIndex()])
	p.SetString("place", w.events.place())
}

// --- Pages ---

// show opens a page or an event.
func (w *window) show(o instance.Request) {
	switch i := slices.Index(control.Pages, o.Page); {
	case o.Event != "":
		w.turn(pageEvents)
	case o.Page == "guide":
		w.guide.show()
	case i >= 0:
		w.turn(i)
	}
	if o.Event != "" {
		w.guide.hide()
		w.events.find(o.Event)
	}
}

// turn opens a page.
func (w *window) turn(page int) { w.tabs.SelectIndex(page) }

// turned informs the pages which of them is visible now.
func (w *window) turned() {
	for i, p := range w.pages {
		if i != w.tabs.SelectedIndex() {
			p.Hide()
		}
	}
	w.pages[w.tabs.SelectedIndex()].Show()
}

// editCamera turns to the settings of a camera, or of a new one for "".
func (w *window) editCamera(id string) {
	w.turn(pageSettings)
	if id == "" {
		w.settings.addCamera()
	} else {
		w.settings.choose(id)
	}
}

// cover hides the pages while the guide lies over them.
func (w *window) cover(on bool) {
	shown(w.body, !on)
	if !on {
		w.settings.load()
	}
}

// changed draws what the recorder reported.
func (w *window) changed(u control.Update, first bool) {
	if u.Status != nil {
		w.status, w.last = u.Status, u.Status
	}
	for _, p := range w.pages {
		p.Update(u, first)
	}
	w.guide.update(u)
}

// clock calls tick once a second for what changes by itself.
func (w *window) clock(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.do(w.tick)
		case <-ctx.Done():
			return
		}
	}
}

func (w *window) tick() {
	w.toasts.tick()
	w.pages[w.tabs.SelectedIndex()].Tick()
}

// --- Keys and the tray ---

// shortcuts adds the keys that work everywhere.
func (w *window) shortcuts() {
	c := w.win.Canvas()
	on := func(k fyne.KeyName, m fyne.KeyModifier, do func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: k, Modifier: m}, func(fyne.Shortcut) { do() })
	}
	ctrl := fyne.KeyModifierShortcutDefault
	on(fyne.KeyF, ctrl, func() {
		if w.covered() {
			return
		}
		w.turn(pageEvents)
		w.events.startSearch()
	})
	for i, k := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4} {
		on(k, ctrl, func() {
			if !w.covered() {
				w.turn(i)
			}
		})
	}
	on(fyne.KeyQ, ctrl, w.win.Close)
	on(fyne.KeyW, ctrl, w.win.Close)
	c.SetOnTypedKey(w.typed)
}

// typed handles keys while no widget has the focus.
func (w *window) typed(k *fyne.KeyEvent) {
	// Over a dialog in which nothing has the focus, or the guide, no page gets keys.
	if !w.covered() {
		w.pages[w.tabs.SelectedIndex()].Key(k)
	}
}

// covered reports whether the guide or a dialog lies over the pages.
func (w *window) covered() bool {
	return w.guide.content.Visible() || w.win.Canvas().Overlays().Top() != nil
}

// newNoTray returns the line for a desktop without tray icons. It offers what the tray would offer.
func (w *window) newNoTray() *fyne.Container {
	text := widget.NewLabel(words.L("This desktop shows no tray icon. Preroll goes on recording when this window is closed; start it again to get the window back."))
	text.Wrapping = fyne.TextWrapWord
	hide := widget.NewButtonWithIcon("", theme.ContentClearIcon(), func() {
		w.notray.Hide()
		w.win.Content().Refresh()
	})
	quit := widget.NewButton(words.L("Stop Preroll"), func() {
		w.confirm(words.L("Stop Preroll?"), words.L("No camera is recorded then, and alarms save nothing."),
			words.L("Stop"), func() {
				w.try(func(ctx context.Context) error {
					return instance.Send(ctx, w.paths, instance.Tray, instance.Request{Quit: true})
				}, nil)
			})
	})
	return container.NewVBox(container.NewBorder(nil, nil, widget.NewIcon(theme.InfoIcon()),
		container.NewVBox(container.NewHBox(quit, hide)), text), widget.NewSeparator())
}

// lookForTray shows or hides the line for a desktop without tray icons. It keeps looking, because at login the window
// may appear before the panel.
func (w *window) lookForTray(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		there := host.Tray(ctx)
		if there == !told || ctx.Err() != nil {
			continue
		}
		told = !there
		w.do(func() {
			shown(w.notray, !there)
			w.win.Content().Refresh()
		})
	}
}

// plate puts an object on its own background, above everything else.
func plate(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newBackdrop(theme.ColorNameOverlayBackground, theme.ColorNamePrimary, 8),
		container.NewPadded(o))
}

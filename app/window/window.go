// Package window is the Fyne window, a client of the control socket that comes and goes. It holds no state of its own:
// everything that it shows comes from the recorder.
//
// The window is the frame: navigation, keys, and the bridge to the recorder. The pages are packages of their own below
// app/page.
//
// Everything here runs on Fyne's main goroutine, except what is started in Env.Work. That work passes its results on by
// Env.Do. The package never imports fyne.io/fyne/v2/app, so it compiles and is tested without a display.
package window

import (
	"context"
	"image/color"
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
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/page/cameras"
	"github.com/preroll/preroll/app/page/events"
	"github.com/preroll/preroll/app/page/guide"
	"github.com/preroll/preroll/app/page/health"
	"github.com/preroll/preroll/app/page/settings"
	"github.com/preroll/preroll/app/widgets"
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

	Changes string // what is new in this version, in Markdown

	Measure string // file for measurements, or "", see Measured
}

// window is the open window: the frame around the pages.
type window struct {
	*page.Env

	body  *fyne.Container // all but the guide, hidden while it lies over them so that no key gets there
	tabs  *container.AppTabs
	pages []page.Page // in the order of control.Pages

	events   *events.Page
	health   *late[*health.Page]
	settings *late[*settings.Page]
	guide    *late[*guide.Page]
	drawn    map[int]look // of the pages that were seen
	begun    bool         // the guide does not come by itself any more
	notray   *fyne.Container
	screen   *fyne.Container // what fills the screen, above all else

	again bool // another window is to follow

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
	client := control.NewClient(opt.Paths.Sockets()...)
	defer client.Close()
	words.Use(languageOf(ctx, client))
	if err := lang.AddTranslationsFS(words.Files, words.Folder); err != nil {
		return err
	}
	widgets.Dress(a)
	w := newWindow(ctx, a, client)
	w.Paths, w.Changes = opt.Paths, opt.Changes
	if opt.Page == "" {
		opt.Page = a.Preferences().String("page")
		w.events.ReturnTo(a.Preferences().String("place"))
	}
	w.show(instance.Request{Page: opt.Page, Event: opt.Event})
	w.Work.Go(func() { w.watch(ctx) })
	w.Work.Go(func() { instance.Serve(ctx, ln, w.asked) })
	w.Work.Go(func() { w.clock(ctx) })
	if opt.Measure != "" {
		w.Meter = &page.Meter{Began: began}
		w.Work.Go(func() { w.measure(ctx, opt.Measure) })
	}
	w.Work.Go(func() { w.lookForTray(ctx) })
	w.Work.Go(func() {
		<-ctx.Done()
		if w.end() {
			fyne.Do(a.Quit)
		}
	})
	w.Window.SetCloseIntercept(w.close)
	w.Window.SetOnClosed(func() {
		w.remember()
		w.end()
	})
	showAndRun(a, w.Window)
	w.end()
	cancel()
	w.events.Leave()
	w.pages[pageCameras].Hide()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Work.Wait()
	}()
	select {
	case <-done:
	case <-time.After(longest): // the work hangs in a drive that is gone, and ends with the process
	}
	if w.again {
		return instance.Send(context.WithoutCancel(ctx), opt.Paths, instance.Tray, instance.Request{Page: "settings"})
	}
	return nil
}

// reopen closes the window, after which the tray opens another one at a tab of the settings. It reports whether there
// is a tray.
func (w *window) reopen(t page.SettingsTab) bool {
	if instance.Send(w.Ctx, w.Paths, instance.Tray, instance.Request{Seen: true}) != nil {
		return false
	}
	w.Do(func() {
		if w.settings.page.Unsaved() { // the user edits on
			return
		}
		w.App.Preferences().SetInt(prefTab, int(t))
		w.again = true
		w.Window.Close()
	})
	return true
}

// prefTab is the tab of the settings that the next window begins with.
const prefTab = "tab"

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
	w := &window{drawn: map[int]look{}}
	w.Env = &page.Env{Ctx: ctx, App: a, Client: client, Window: a.NewWindow("Preroll"), Now: time.Now,
		Hosts: page.Addresses,
		Do:    w.hand, Go: w.show, EditCamera: w.editCamera, FillScreen: w.fillScreen, OpenSettings: w.openSettings,
		ShowMails: w.showMails, Reopen: w.reopen,
		Toasts: widgets.NewToast()}
	w.events = events.New(w.Env)
	w.guide = newLate(func() *guide.Page { return guide.New(w.Env, w.cover) })
	w.settings = newLate(func() *settings.Page {
		p := settings.New(w.Env)
		p.OnEdited = w.markSettings
		p.Open(page.SettingsTab(a.Preferences().Int(prefTab)))
		a.Preferences().RemoveValue(prefTab)
		return p
	})
	w.health = newLate(func() *health.Page { return health.New(w.Env) })
	w.pages = []page.Page{w.events, newLate(func() *cameras.Page { return cameras.New(w.Env) }),
		w.health, w.settings}
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
	w.body = container.NewBorder(w.notray, nil, nil, nil, w.tabs)
	w.screen = container.NewStack()
	w.screen.Hide()
	w.Window.SetContent(widgets.WithTips(container.NewStack(w.body, w.guide.Content(), w.screen, w.Toasts.Box),
		w.Window.Canvas()))
	w.shortcuts()
	p := a.Preferences()
	w.Window.Resize(fyne.NewSize(float32(p.FloatWithFallback("width", 1000)),
		float32(p.FloatWithFallback("height", 680))))
	return w
}

// --- Main goroutine and end ---

// showAndRun shows a window until it is closed. Fyne (2.8.1, loop.go) queues its last function, which saves the
// preferences, while it closes the queue: the function is lost, or ends the process with "send on closed channel". So
// it is taken from Fyne, and called after the loop.
func showAndRun(a fyne.App, w fyne.Window) {
	save := func() {}
	if l, ok := a.Lifecycle().(interface {
		OnStopped() func()
		SetOnStoppedHookExecuted(func())
	}); ok && l.OnStopped() != nil {
		save = l.OnStopped()
		l.SetOnStoppedHookExecuted(nil)
	}
	w.ShowAndRun()
	save()
}

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
	p, s := w.App.Preferences(), w.Window.Canvas().Size()
	if !w.Window.FullScreen() {
		p.SetFloat("width", float64(s.Width))
		p.SetFloat("height", float64(s.Height))
	}
	p.SetString("page", control.Pages[w.tabs.SelectedIndex()])
	p.SetString("place", w.events.Place())
}

// --- Pages ---

// show opens a page or an event.
func (w *window) show(o instance.Request) {
	switch i := slices.Index(control.Pages, o.Page); {
	case o.Event != "":
		w.turn(pageEvents)
	case o.Page == "guide":
		w.begun = true
		if w.screen.Visible() { // leave the full screen
			w.pages[w.tabs.SelectedIndex()].Key(&fyne.KeyEvent{Name: fyne.KeyEscape})
		}
		w.guide.Show()
	case i >= 0:
		w.turn(i)
	}

	if o.Event != "" {
		w.begun = true
		w.guide.Hide()
		w.events.Find(o.Event)
	}
}

// turn opens a page.
func (w *window) turn(page int) { w.tabs.SelectIndex(page) }

// turned informs the pages which of them is visible now.
func (w *window) turned() {
	widgets.HideTip(w.Window.Canvas())
	for i, p := range w.pages {
		if i != w.tabs.SelectedIndex() {
			p.Hide()
		}
	}
	at := w.tabs.SelectedIndex()
	w.pages[at].Show()
	if look := lookOf(); w.drawn[at] != look { // Fyne draws only what is visible when the theme changes
		w.drawn[at] = look
		w.pages[at].Content().Refresh()
	}
}

// look is what a page was drawn with.
type look struct {
	ground color.Color
	size   float32
}

func lookOf() look {
	return look{theme.Color(theme.ColorNameBackground), theme.Size(theme.SizeNameText)}
}

// editCamera turns to the settings of a camera, or to the guide for a new one for "".
func (w *window) editCamera(id string) {
	if id == "" {
		w.begun = true
		w.guide.get().ShowCamera()
		return
	}
	w.turn(pageSettings)
	w.settings.get().Choose(id)
}

// markSettings marks the tab of the settings while they are not saved.
func (w *window) markSettings(edited bool) {
	name := words.L("Settings")
	if edited {
		name += " •"
	}
	if w.tabs == nil || len(w.tabs.Items) <= pageSettings || w.tabs.Items[pageSettings].Text == name {
		return
	}
	w.tabs.Items[pageSettings].Text = name
	w.tabs.Refresh()
}

// openSettings turns to a tab of the settings.
func (w *window) openSettings(t page.SettingsTab) {
	w.turn(pageSettings)
	w.settings.get().Open(t)
}

func (w *window) showMails() {
	w.turn(pageHealth)
	w.health.get().ShowMails()
}

// cover hides the pages while the guide lies over them.
func (w *window) cover(on bool) {
	widgets.SetVisible(w.body, !on)
	if !on && w.settings.built {
		w.settings.page.Load()
	}
}

// changed draws what the recorder reported.
func (w *window) changed(u control.Update, first bool) {
	if u.Status != nil {
		w.Status, w.Last, w.Gone = u.Status, u.Status, false
	}
	for _, p := range w.pages {
		p.Update(u, first)
	}
	w.guide.Update(u, first)
	if w.Status != nil && !w.begun {
		w.begun = true
		if len(w.Status.Cameras) == 0 && !w.guiding() {
			w.guide.Show()
		}
	}
}

// fillScreen lets an object fill the screen, or ends that.
func (w *window) fillScreen(o fyne.CanvasObject, on bool) {
	w.screen.RemoveAll()
	if on {
		w.screen.Add(widgets.NewBackdrop(theme.ColorNameBackground, "", 0))
		w.screen.Add(o)
	}
	widgets.SetVisible(w.body, !on)
	widgets.SetVisible(w.screen, on)
	w.Window.SetPadded(!on) // no bright rim around the picture
	w.Window.SetFullScreen(on)
	w.Window.Content().Refresh()
}

// clock calls tick once a second for what changes by itself.
func (w *window) clock(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.Do(w.tick)
		case <-ctx.Done():
			return
		}
	}
}

func (w *window) tick() {
	w.Toasts.Tick()
	w.pages[w.tabs.SelectedIndex()].Tick()
}

// --- Keys and the tray ---

// shortcuts adds the keys that work everywhere.
func (w *window) shortcuts() {
	c := w.Window.Canvas()
	on := func(k fyne.KeyName, m fyne.KeyModifier, do func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: k, Modifier: m}, func(fyne.Shortcut) { do() })
	}
	ctrl := fyne.KeyModifierShortcutDefault
	on(fyne.KeyF, ctrl, func() {
		if w.covered() {
			return
		}
		w.turn(pageEvents)
		w.events.Search()
	})
	for i, k := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4} {
		on(k, ctrl, func() {
			if !w.covered() {
				w.turn(i)
			}
		})
	}

	undo := func() {
		if !w.covered() && w.tabs.SelectedIndex() == pageEvents {
			w.events.Undo()
		}
	}
	on(fyne.KeyZ, ctrl, undo)
	c.AddShortcut(&fyne.ShortcutSelectAll{}, func(fyne.Shortcut) {
		if !w.covered() && w.tabs.SelectedIndex() == pageEvents {
			w.events.PickAll()
		}
	})
	c.AddShortcut(&fyne.ShortcutUndo{}, func(fyne.Shortcut) { undo() })
	c.SetOnTypedRune(func(r rune) {
		if r == '?' && !w.covered() {
			w.showKeys()
		}
	})
	on(fyne.KeyQ, ctrl, w.close)
	on(fyne.KeyW, ctrl, w.close)
	c.SetOnTypedKey(w.typed)
	if d, ok := c.(desktop.Canvas); ok {
		d.SetOnKeyUp(w.released)
	}
}

// typed handles keys while no widget has the focus.
func (w *window) typed(k *fyne.KeyEvent) {
	widgets.HideTip(w.Window.Canvas())
	top := w.Window.Canvas().Overlays().Top()
	switch {
	case top != nil && k.Name == fyne.KeyEscape:
		w.Window.Canvas().Overlays().Remove(top) // its Hide would leave it there, unseen, over everything
	case k.Name == fyne.KeyF1 && top == nil:
		w.showKeys()
	case top != nil: // a dialog in which nothing has the focus
	case w.guiding():
		w.guide.Key(k)
	default:
		w.pages[w.tabs.SelectedIndex()].Key(k)
	}
}

// close closes the window, unless the user wants to save the settings first.
func (w *window) close() {
	if !w.settings.built || !w.settings.page.Unsaved() {
		w.Window.Close()
		return
	}
	w.turn(pageSettings)
	w.Confirm(words.L("Close without saving?"), words.L("The settings are not saved yet."), words.L("Close"),
		w.Window.Close)
}

// released scrolls to what the Tab key has given the focus.
func (w *window) released(k *fyne.KeyEvent) {
	c := w.Window.Canvas()
	o, ok := c.Focused().(fyne.CanvasObject)
	switch {
	case k.Name != fyne.KeyTab || !ok || c.Overlays().Top() != nil:
	case w.guiding():
		w.guide.page.Reveal(o)
	case w.tabs.SelectedIndex() == pageSettings:
		w.settings.page.Reveal(o)
	}
}

// guiding reports whether the guide lies over the pages.
func (w *window) guiding() bool { return w.guide.built && w.guide.page.Content().Visible() }

// covered reports whether the guide or a dialog lies over the pages.
func (w *window) covered() bool {
	return w.guiding() || w.Window.Canvas().Overlays().Top() != nil
}

// newNoTray returns the line for a desktop without tray icons. It offers what the tray would offer.
func (w *window) newNoTray() *fyne.Container {
	text := widget.NewLabel(
		words.L(
			"This desktop shows no tray icon. Preroll goes on recording when this window is closed; start it again to get the window back."))
	text.Wrapping = fyne.TextWrapWord
	hide := widgets.NewIcon(theme.ContentClearIcon(), words.L("Close"), func() { w.showNoTray(false) })
	quit := widget.NewButton(words.L("Stop Preroll"), func() {
		w.Confirm(words.L("Stop Preroll?"), words.L("No camera is recorded then, and alarms save nothing."),
			words.L("Stop"), func() {
				w.Try(func(ctx context.Context) error {
					return instance.Send(ctx, w.Paths, instance.Tray, instance.Request{Quit: true})
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
		w.Do(func() { w.showNoTray(!there) })
	}
}

// showNoTray shows or hides the line for a desktop without tray icons.
func (w *window) showNoTray(yes bool) {
	widgets.SetVisible(w.notray, yes)
	w.Window.Content().Refresh()
	w.Window.Content().Refresh() // the first one wraps the text, and this one gives it the height
}

// Package tray is the resident part of the desktop program: the icon, its menu and the notifications. The tray is a
// client of the control socket and shows only what the recorder reports. The tray does not use Fyne. The window is a
// separate process, which the tray starts.
package tray

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"sync"
	"time"

	"fyne.io/systray"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/notify"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/picture"
	"github.com/preroll/preroll/app/seen"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Options configure the tray.
type Options struct {
	Paths   config.Paths
	Window  bool   // whether this build has a window
	Page    string // page of the window to open at the start, or ""
	Version string // of this program
	Log     *slog.Logger
}

// tray is a running tray. Run waits for all its goroutines.
type tray struct {
	opt           Options
	client        *control.Client
	notifications chan word // read by showNotifications, because the desktop may hang
	tasks         sync.WaitGroup
	redraw        chan struct{}   // the user has seen events
	ctx           context.Context // of Run; everything that the tray started ends with it
	quit          context.CancelFunc

	// The goroutine that runs follow owns the fields below.
	shown    model
	drawn    bool
	again    time.Time // when to set icon and tooltip again; zero if done
	status   *status.Status
	language string
	open     map[string]bool // events that are being saved
	ended    []event.Event   // newest first
	policy   *policy
	seen     *seen.List
	remade   bool              // the tray tried to make the RAM disk again
	other    string            // version of the recorder of which the user was told that it is another
	head     *systray.MenuItem // says how the recorder is
	menuDone context.CancelFunc
	menu     sync.WaitGroup // goroutines of the menu entries

	pictureMu sync.Mutex    // guards the two below
	pictures  *menuPictures // to be loaded next
	drawing   bool          // a goroutine loads pictures
}

// Run shows the tray until ctx ends or the user quits. On macOS the caller must call Run on the main thread.
func Run(ctx context.Context, opt Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tray{
		opt: opt, client: control.NewClient(opt.Paths.Sockets()...), notifications: make(chan word, 64),
		ctx: ctx, quit: cancel, open: map[string]bool{}, policy: newPolicy(), redraw: make(chan struct{}, 1),
		seen: seen.Open(opt.Paths.State, time.Now()),
	}
	defer t.client.Close()

	// A second start makes the first tray open its window, and ends. A start at login only ends.
	ln, err := instance.Listen(opt.Paths, instance.Tray)
	if errors.Is(err, control.ErrTaken) {
		if opt.Page == "" {
			return nil
		}
		ln, err = instance.Claim(ctx, opt.Paths, instance.Tray, instance.Request{Page: opt.Page})
	}
	if errors.Is(err, instance.ErrNoAnswer) { // such as a tray from before an update: the window needs none
		opt.Log.Warn("tray does not answer; the window is opened without it", "err", err)
		t.openWindow(opt.Page, "")
		t.tasks.Wait()
		return nil
	}
	if err != nil || ln == nil {
		return err
	}
	ready := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { instance.Serve(ctx, ln, t.asked) })
	watching.Go(t.showNotifications)
	updates := make(chan update)
	watching.Go(func() { t.watch(updates) })
	watching.Go(func() {
		<-ready
		t.follow(updates)
		systray.Quit()
	})
	watching.Go(t.findHost)
	if opt.Page != "" {
		t.openWindow(opt.Page, "")
	}
	if opt.Window {
		systray.SetOnTapped(func() { t.openWindow("events", "") })
	}
	systray.Run(func() { close(ready) }, func() {})
	cancel()
	watching.Wait()
	if t.menuDone != nil {
		t.menuDone()
	}
	t.menu.Wait()
	t.tasks.Wait()
	return nil
}

// --- Commands and the recorder ---

// asked does what a second start or the window asks for.
func (t *tray) asked(r instance.Request) bool {
	switch {
	case r.Quit:
		t.quit()
	case r.Seen:
		select {
		case t.redraw <- struct{}{}:
		default:
		}
	case t.ctx.Err() != nil:
		return false
	default:
		t.openWindow(cmp.Or(r.Page, "events"), r.Event)
	}

	return true
}

// findHost waits ten seconds, because the panel may start later than Preroll at login. Then findHost logs once if the
// desktop shows no tray icons.
func (t *tray) findHost() {
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
		return
	}
	if !host.Tray(t.ctx) && t.ctx.Err() == nil {
		t.opt.Log.Info("this desktop shows no tray icons; open the window with: preroll window")
	}
}

// watch passes on the updates of the recorder until the tray ends.
func (t *tray) watch(to chan<- update) {
	send := func(u update) {
		select {
		case to <- u:
		case <-t.ctx.Done():
		}
	}
	t.client.Follow(t.ctx, func(u control.Update, first bool) {
		send(update{status: u.Status, first: first, events: u.Events, removed: u.Removed})
	}, func() { send(update{disconnected: true}) })
}

// follow draws the tray and shows notifications until the tray ends. Its timer runs only while something is pending.
func (t *tray) follow(updates <-chan update) {
	t.again = time.Now().Add(time.Second)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		var u update
		select {
		case u = <-updates:
		case <-timer.C:
		case <-t.redraw:
		case <-t.ctx.Done():
			return
		}
		now := time.Now()
		t.update(now, u)
		timer.Stop()
		if at := t.wake(now); !at.IsZero() {
			timer.Reset(min(time.Until(at), 30*time.Minute)) // the machine may sleep meanwhile
		}
	}
}

// update takes in one update of the recorder.
func (t *tray) update(now time.Time, u update) {
	if u.status != nil {
		t.status = u.status
		if u.status.Language != t.language {
			t.language = u.status.Language
			words.Use(t.language)
		}
	}

	if v := t.status; v != nil && u.status != nil && v.Version != t.opt.Version && v.Version != t.other {
		t.other = v.Version // such as after an update, while the service still runs the old program
		t.show(notification{key: "version", title: words.L("Two versions of Preroll are running"),
			body: words.L("The recorder is version %s, and this program is %s. Start both again.", v.Version,
				t.opt.Version)})
	}
	if u.disconnected {
		t.status = nil
	}
	if u.first {
		clear(t.open)
		t.ended = nil
	}
	for _, e := range u.events {
		if e.State.Ended() {
			delete(t.open, e.ID)
		} else {
			t.open[e.ID] = true
		}
	}

	for _, id := range u.removed {
		delete(t.open, id)
	}
	t.ended = newest(t.ended, u.events, u.removed)
	for _, n := range t.policy.see(now, u) {
		t.show(n)
	}
	t.draw(now)
	if host.CanMakeRAMDisk() && !t.remade && lacksRAMDisk(t.status) {
		t.remade = true
		budget := t.status.RAM.Budget
		t.tasks.Go(func() {
			_, err := host.MakeRAMDisk(t.ctx, budget*5/4)
			t.try("RAM disk was not made again", err)
		})
	}
}

// wake returns when the tray has something to do without an update: a pending notification, the second drawing after
// the start, or midnight, when "Today" in the menu becomes "Yesterday". Zero means never.
func (t *tray) wake(now time.Time) time.Time {
	at := t.policy.next(now)
	if !t.again.IsZero() && (at.IsZero() || t.again.Before(at)) {
		at = t.again
	}
	if len(t.ended) > 0 {
		y, m, d := now.Local().Date()
		if midnight := time.Date(y, m, d+1, 0, 0, 0, 0, time.Local); at.IsZero() || midnight.Before(at) {
			at = midnight
		}
	}
	return at
}

// --- Notifications ---

// word is a notification to show, or the key of a notification to remove.
type word struct {
	notification notify.Notification
	closes       string
}

// show passes a notification to showNotifications. If the queue is full, the notification is dropped; the window shows
// everything anyway.
func (t *tray) show(n notification) {
	var list []word
	for _, key := range n.closes {
		list = append(list, word{closes: key})
	}
	if n.title != "" {
		shown := notify.Notification{Key: n.key, Title: n.title, Body: n.body, Picture: n.picture, Update: n.update}
		for _, a := range n.acts {
			shown.Actions = append(shown.Actions, notify.Action{Label: a.label, Do: func() { t.act(a.do) }})
		}
		list = append(list, word{notification: shown})
	}

	for _, w := range list {
		select {
		case t.notifications <- w:
		default:
			t.opt.Log.Debug("a notification was left out: the desktop is slow")
		}
	}
}

// showNotifications shows notifications until the tray ends. The first of several errors in succession is logged.
func (t *tray) showNotifications() {
	desktop := notify.New()
	defer desktop.Stop()
	failing := false
	for {
		var w word
		select {
		case w = <-t.notifications:
		case <-t.ctx.Done():
			return
		}
		var err error
		if w.closes != "" {
			err = desktop.Close(w.closes)
		} else {
			err = desktop.Show(w.notification)
		}
		if err != nil && !failing {
			t.opt.Log.Warn("no notification", "err", err)
		}
		failing = err != nil
	}
}

// try logs an error of something that nobody waits for.
func (t *tray) try(what string, err error) {
	if err != nil && t.ctx.Err() == nil {
		t.opt.Log.Warn("the tray could not do something", "err", fmt.Errorf("%s: %w", what, err))
	}
}

// --- Icon and menu ---

// draw shows the model if it has changed. The menu is rebuilt only if its entries changed.
func (t *tray) draw(now time.Time) {
	t.seen.Reload()
	unseen := 0
	for _, e := range t.ended {
		if !t.seen.Has(e) {
			unseen++
		}
	}
	m := modelOf(now, t.status, len(t.open), t.ended, unseen, t.opt.Window)
	old, first := t.shown, !t.drawn
	t.shown, t.drawn = m, true

	// systray loses what is set while it exports itself on D-Bus, and does not report when that is done. So icon and
	// tooltip are set twice.
	again := !t.again.IsZero() && !now.Before(t.again)
	if again {
		t.again = time.Time{}
	}
	if again || first || m.icon != old.icon {
		t.drawIcon(m.icon)
	}
	if again || first || m.tooltip != old.tooltip {
		systray.SetTooltip(m.tooltip)
		systray.SetTitle("")
	}
	switch {
	case first || !reflect.DeepEqual(m.menu, old.menu):
		t.buildMenu(m.menu)
	case m.head != old.head:
		t.head.SetTitle(label(m.head, runtime.GOOS))
	}
}

// drawIcon sets the icon. If the session bus is gone, systray panics. drawIcon recovers, because recording matters more
// than an icon.
func (t *tray) drawIcon(icon assets.Tray) {
	defer func() {
		if r := recover(); r != nil {
			t.opt.Log.Warn("the tray icon was not drawn", "err", r)
		}
	}()
	systray.SetIcon(icon.Bytes())
}

func (t *tray) buildMenu(menu []entry) {
	if t.menuDone != nil {
		t.menuDone()
		t.menu.Wait()
	}
	systray.ResetMenu()
	ctx, cancel := context.WithCancel(t.ctx)
	t.menuDone = cancel
	t.head = systray.AddMenuItem(label(t.shown.head, runtime.GOOS), "")
	t.head.Disable()
	systray.AddSeparator()
	pictures := map[*systray.MenuItem]string{}
	for _, e := range menu {
		if e.title == "" {
			systray.AddSeparator()
			continue
		}
		item := systray.AddMenuItem(label(e.title, runtime.GOOS), "")
		t.on(ctx, item, e)
		if e.picture != "" {
			pictures[item] = e.picture
		}
		for _, k := range e.kids {
			t.on(ctx, item.AddSubMenuItem(label(k.title, runtime.GOOS), ""), k)
		}
	}
	t.drawPictures(menuPictures{ctx, pictures})
}

// iconSize is the size of a picture in the menu, in pixels. Panels show it smaller.
const iconSize = 64

// menuPictures are the files of the pictures in a menu, until ctx ends.
type menuPictures struct {
	ctx   context.Context
	files map[*systray.MenuItem]string
}

// drawPictures puts pictures beside entries of the menu, where panels show them. It waits for no drive: while one
// hangs, further menus stay without pictures.
func (t *tray) drawPictures(p menuPictures) {
	if runtime.GOOS != "linux" || len(p.files) == 0 {
		return
	}
	t.pictureMu.Lock()
	defer t.pictureMu.Unlock()
	t.pictures = &p
	if t.drawing {
		return // the goroutine below takes them next
	}
	t.drawing = true
	next := func() *menuPictures {
		t.pictureMu.Lock()
		defer t.pictureMu.Unlock()
		p := t.pictures
		t.pictures, t.drawing = nil, p != nil
		return p
	}
	go func() {
		for p := next(); p != nil; p = next() {
			for item, file := range p.files {
				m, err := picture.Load(file)
				if err != nil {
					continue // the entry has its words
				}
				if icon, err := picture.Icon(m, iconSize); err == nil && p.ctx.Err() == nil {
					item.SetIcon(icon)
				}
			}
		}
	}()
}

// on runs the command of an entry at each click, until ctx ends.
func (t *tray) on(ctx context.Context, item *systray.MenuItem, e entry) {
	if e.kids != nil {
		return
	}
	t.menu.Go(func() {
		for {
			select {
			case <-item.ClickedCh:
				t.tasks.Go(func() { t.act(e.do) })
			case <-ctx.Done():
				return
			}
		}
	})
}

// --- Clicks ---

// act runs the command of a click.
func (t *tray) act(o command) {
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	switch o.do {
	case doPage:
		t.openWindow(o.id, "")
	case doEvent:
		if t.opt.Window || o.path == "" {
			t.openWindow("events", o.id)
		} else {
			t.failed(words.L("The clip was not opened"), opener.Open(o.path))
		}
	case doFile:
		t.failed(words.L("The clip was not opened"), opener.Open(o.path))
	case doReveal:
		t.failed(words.L("The folder was not opened"), opener.Reveal(o.path))
	case doFolder:
		t.failed(words.L("The archive folder was not opened"), opener.OpenFolder(o.path))
	case doProtect:
		_, err := t.client.Protect(ctx, o.id, true)
		if err == nil {
			t.show(notification{key: o.id, title: o.title, body: words.L("Protected: it is kept until you delete it"),
				acts: []act{{words.L("Play"), command{do: doEvent, id: o.id, path: o.path}}}})
		}
		t.failed(words.L("The event was not protected"), err)
	case doSave:
		_, err := t.client.Trigger(ctx, o.id, "manual")
		t.failed(words.L("No clip is being saved"), err)
	case doSaveAll:
		t.failed(words.L("Not all clips are being saved"), t.saveAll(ctx))
	case doPause:
		t.failed(words.L("Not paused"), t.client.Pause(ctx, o.last))
	case doResume:
		t.failed(words.L("Not resumed"), t.client.EndPause(ctx))
	case doQuit:
		t.quit()
	}
}

// failed logs the error of a click and shows a notification, because the user waits for the result.
func (t *tray) failed(what string, err error) {
	if err == nil || t.ctx.Err() != nil {
		return
	}
	t.opt.Log.Warn("what was chosen in the tray failed", "err", err)
	t.show(notification{key: "failed", title: what, body: words.Error(err)})
}

// saveAll triggers every camera that is switched on.
func (t *tray) saveAll(ctx context.Context) error {
	s, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range s.Cameras {
		if c.State == status.Off {
			continue
		}
		if _, err := t.client.Trigger(ctx, c.ID, "manual"); err != nil {
			errs = append(errs, err)
		}
	}

	return errors.Join(errs...)
}

// openWindow starts the process of the window. If a window is open already, the new process raises it. The window ends
// when Preroll quits.
func (t *tray) openWindow(page, id string) {
	if !t.opt.Window {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.try("window was not opened", err)
		return
	}
	cmd := exec.CommandContext(t.ctx, self, "window", "--config", t.opt.Paths.File, "--page", page, "--event", id)
	cmd.Cancel = func() error { // lets the window save its place and end its player
		if runtime.GOOS == "windows" {
			return cmd.Process.Kill()
		}
		return cmd.Process.Signal(os.Interrupt)
	}
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.try("window was not opened", err)
		return
	}
	t.tasks.Go(func() { _ = cmd.Wait() }) // the user may close the window in any way
}

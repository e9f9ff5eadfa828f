// Package tray is the resident part of the desktop: the icon, its menu and the notifications. It is a client of the
// control socket and holds no truth: what it shows is drawn from what the recorder says. It uses no Fyne; the window
// is a process of its own that it starts.
package tray

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"sync"
	"time"

	"fyne.io/systray"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/notify"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Options configures the tray.
type Options struct {
	Paths  config.Paths
	Window bool   // this build has one
	Page   string // page of it to open at the start, or "" for none
	Log    *slog.Logger
}

// tray is a running tray. Its goroutines belong to Run.
type tray struct {
	opt           Options
	client        *control.Client
	notifications chan word // for the goroutine that shows them, since the desktop may hang
	tasks         sync.WaitGroup
	ctx           context.Context // of Run: what the tray has started ends with it
	quit          context.CancelFunc

	// owned by the drawing goroutine
	shown    model
	drawn    bool
	again    time.Time // when icon and tooltip are set once more; zero: that is done
	status   *status.Status
	language string
	open     map[string]bool // events that are being saved
	ended    []event.Event   // newest first
	policy   *policy
	remade   bool // the RAM disk was made again
	menuDone context.CancelFunc
	menu     sync.WaitGroup // goroutines of the menu's entries
}

// Run shows the tray until ctx ends or the user quits. On macOS it must be called on the main thread.
func Run(ctx context.Context, opt Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tray{
		opt: opt, client: control.NewClient(opt.Paths.Socket), notifications: make(chan word, 64),
		ctx: ctx, quit: cancel, open: map[string]bool{}, policy: newPolicy(),
	}
	defer t.client.Close()

	// A second start opens the first one's window and ends; one at login just ends.
	ln, err := control.Listen(host.OrderSocket(opt.Paths))
	if errors.Is(err, control.ErrTaken) {
		if opt.Page == "" {
			return nil
		}
		return host.Open(ctx, opt.Paths)
	}
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { t.serveCommands(ln) })
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
	systray.Run(func() { close(ready) }, func() {})
	cancel()
	_ = ln.Close()
	watching.Wait()
	if t.menuDone != nil {
		t.menuDone()
	}
	t.menu.Wait()
	t.tasks.Wait()
	return nil
}

// serveCommands does what a second start or the window asks for, until the listener is closed.
func (t *tray) serveCommands(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		t.tasks.Go(func() {
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			var o host.Command
			err := json.NewDecoder(io.LimitReader(c, 4096)).Decode(&o)
			_ = c.Close()
			switch {
			case errors.Is(err, io.EOF), err == nil && o.Do == host.DoOpen:
				t.openWindow("events", "")
			case err == nil && o.Do == host.DoQuit:
				t.quit()
			default:
				t.opt.Log.Debug("order not understood", "err", err)
			}
		})
	}
}

// findHost says once that nobody can see the icon. At login the desktop's panel may start later than Preroll.
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

// watch passes on what the recorder says until the tray ends. A recorder that is gone is waited for.
func (t *tray) watch(to chan<- update) {
	send := func(u update) {
		select {
		case to <- u:
		case <-t.ctx.Done():
		}
	}
	for t.ctx.Err() == nil {
		first := true
		err := t.client.Watch(t.ctx, func(u control.Update) {
			send(update{status: u.Status, first: first, events: u.Events, removed: u.Removed})
			first = false
		})
		if t.ctx.Err() != nil {
			return
		}
		t.opt.Log.Debug("recorder is gone", "err", err)
		send(update{disconnected: true})
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			timer.Stop()
		}
	}
}

// follow draws and tells what the recorder says until the tray ends. It runs a timer only while something is pending.
func (t *tray) follow(updates <-chan update) {
	t.again = time.Now().Add(time.Second)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		var u update
		select {
		case u = <-updates:
		case <-timer.C:
		case <-t.ctx.Done():
			return
		}
		now := time.Now()
		t.update(now, u)
		timer.Stop()
		if at := t.wake(now); !at.IsZero() {
			timer.Reset(min(time.Until(at), 30*time.Minute)) // the machine may have slept in between
		}
	}
}

// update takes an update in.
func (t *tray) update(now time.Time, u update) {
	if u.status != nil {
		t.status = u.status
		if u.status.Language != t.language {
			t.language = u.status.Language
			words.Use(t.language)
		}
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

// wake is when there is something to do though the recorder says nothing: news that wait, the start, and midnight, when
// what the menu calls today is yesterday. Zero: never.
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

// word is a note to show, or the key of one to take away.
type word struct {
	notification notify.Notification
	closes       string
}

// show hands a note to the goroutine that shows them. If that is far behind, the note is lost: the window has it all.
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

// showNotifications shows the notes until the tray ends. A desktop that takes none is logged when that begins.
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

// try logs what went wrong with something that nobody waits for.
func (t *tray) try(what string, err error) {
	if err != nil && t.ctx.Err() == nil {
		t.opt.Log.Warn("the tray could not do something", "err", fmt.Errorf("%s: %w", what, err))
	}
}

// draw shows the model, if it is another one than is shown. The menu is rebuilt only if its entries changed.
func (t *tray) draw(now time.Time) {
	m := modelOf(now, t.status, len(t.open), t.ended, t.opt.Window)
	old, first := t.shown, !t.drawn
	t.shown, t.drawn = m, true
	// What is set while systray exports itself on D-Bus is lost, and it does not say when it has done so.
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
	if first || !reflect.DeepEqual(m.menu, old.menu) {
		t.buildMenu(m.menu)
	}
}

// drawIcon outlives a session bus that has gone, at which systray panics: what is recorded matters more than an icon.
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
	for _, e := range menu {
		if e.title == "" {
			systray.AddSeparator()
			continue
		}
		item := systray.AddMenuItem(label(e.title, runtime.GOOS), "")
		t.on(ctx, item, e)
		for _, k := range e.kids {
			t.on(ctx, item.AddSubMenuItem(label(k.title, runtime.GOOS), ""), k)
		}
	}
}

// on does what an entry is for whenever it is clicked, until ctx ends.
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

// act does what a click asked for.
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

// failed logs what a click could not do, and tells the user, who waits for it.
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

// openWindow starts the window's process, which raises the one that is open already. It ends when Preroll quits.
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
	cmd.Cancel = func() error { // so that it remembers its place and ends its player
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
	t.tasks.Go(func() { _ = cmd.Wait() }) // however the user closes it
}

// Package tray is the resident part of the desktop: the icon, its menu and the notifications. It is a client of the
// control socket and holds no truth: what it shows is drawn from what the recorder says. It uses no Fyne; the window
// is a process of its own that it starts.
package tray

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"time"

	"fyne.io/systray"

	"github.com/preroll/preroll/app/notify"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Options configures the tray.
type Options struct {
	Places config.Places
	Window bool   // this build has one
	Page   string // page of it to open at the start, or "" for none
	Log    *slog.Logger
}

// tray is a running tray. Its goroutines belong to Run.
type tray struct {
	opt    Options
	client *control.Client
	notes  notify.Notifier // nil where there are none
	tasks  sync.WaitGroup
	ctx    context.Context // of Run: what the tray has started ends with it
	quit   context.CancelFunc

	// owned by the watching goroutine
	shown    model
	drawn    bool
	status   *status.Status
	open     map[string]bool // events that are being saved
	menuDone context.CancelFunc
	menu     sync.WaitGroup // goroutines of the menu's entries
}

// Run shows the tray until ctx ends or the user quits. On macOS it must be called on the main thread.
func Run(ctx context.Context, opt Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tray{opt: opt, client: control.NewClient(opt.Places.Socket), ctx: ctx, quit: cancel, open: map[string]bool{}}
	defer t.client.Close()

	// A second start opens the first one's window and ends.
	ln, err := control.Listen(opt.Places.Socket + "-tray")
	if errors.Is(err, control.ErrTaken) {
		c, err := control.Dial(ctx, opt.Places.Socket+"-tray")
		if err != nil {
			return err
		}
		return c.Close()
	}
	if err != nil {
		return err
	}
	if t.notes, err = notify.New(); err != nil {
		opt.Log.Warn("no desktop notifications", "err", err)
		t.notes = nil
	}
	ready := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // whoever connects is a second start
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
			t.openWindow("events", "")
		}
	})
	watching.Go(func() {
		<-ready
		t.watch(ctx)
		systray.Quit()
	})
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
	if t.notes != nil {
		t.notes.Close()
	}
	return nil
}

// watch draws what the recorder says until ctx ends. A recorder that is gone is waited for.
func (t *tray) watch(ctx context.Context) {
	for ctx.Err() == nil {
		first := true
		err := t.client.Watch(ctx, func(u control.Update) {
			if u.Status != nil {
				if t.status != nil && u.Status.SMTP.Tests > t.status.SMTP.Tests && t.notes != nil {
					t.try("no notification", t.notes.Show(notify.Note{Key: "test mail", Title: "Test mail received", Body: u.Status.SMTP.LastTest}))
				}
				t.status = u.Status
			}
			if first {
				clear(t.open)
			}
			for _, e := range u.Events {
				t.see(e, first)
			}
			first = false
			t.draw()
		})
		if ctx.Err() != nil {
			return
		}
		t.opt.Log.Debug("recorder is gone", "err", err)
		t.status = nil
		t.draw()
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// see follows an event. What had ended before the tray was there is not news.
func (t *tray) see(e event.Event, first bool) {
	was := t.open[e.ID]
	if !e.State.Ended() {
		t.open[e.ID] = true
		return
	}
	delete(t.open, e.ID)
	if first || !was && time.Since(e.SavedAt) > time.Minute {
		return
	}
	if t.notes == nil || t.status == nil {
		return
	}
	n := noteOf(e)
	if e.Thumbnail != "" {
		n.Picture = e.Path(t.status.Archive.Path, e.Thumbnail)
	}
	if len(e.Clips) > 0 {
		clip := e.Path(t.status.Archive.Path, e.Clips[0].File)
		n.Actions = []notify.Action{
			{Label: "Play", Do: func() { t.try("clip was not opened", opener.Open(clip)) }},
			{Label: "Show in folder", Do: func() { t.try("folder was not opened", opener.Reveal(clip)) }},
		}
	} else {
		n.Actions = []notify.Action{{Label: "Open", Do: func() { t.openWindow("events", e.ID) }}}
	}
	t.try("no notification", t.notes.Show(n))
}

// try logs what went wrong with something that nobody waits for.
func (t *tray) try(what string, err error) {
	if err != nil {
		t.opt.Log.Warn(what, "err", err)
	}
}

// draw shows the model, if it is another one than is shown. The menu is rebuilt only if its entries changed.
func (t *tray) draw() {
	m := modelOf(t.status, len(t.open))
	old := t.shown
	if !t.drawn || m.icon != old.icon {
		systray.SetIcon(m.icon.Bytes())
	}
	if !t.drawn || m.tooltip != old.tooltip {
		systray.SetTooltip(m.tooltip)
		systray.SetTitle("")
	}
	if !t.drawn || m.archive != old.archive || !reflect.DeepEqual(m.cameras, old.cameras) {
		t.buildMenu(m)
	}
	t.shown, t.drawn = m, true
}

func (t *tray) buildMenu(m model) {
	if t.menuDone != nil {
		t.menuDone()
		t.menu.Wait()
	}
	systray.ResetMenu()
	ctx, cancel := context.WithCancel(context.Background())
	t.menuDone = cancel
	on := func(item *systray.MenuItem, do func()) {
		t.menu.Go(func() {
			for {
				select {
				case <-item.ClickedCh:
					t.tasks.Go(do)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	if t.opt.Window {
		on(systray.AddMenuItem("Open Preroll", ""), func() { t.openWindow("events", "") })
	}
	if len(m.cameras) > 0 {
		save := systray.AddMenuItem("Save a clip now", "")
		for _, c := range m.cameras {
			on(save.AddSubMenuItem(c.title, ""), func() { t.save(c.id) })
		}
	}
	if m.archive != "" {
		on(systray.AddMenuItem("Open archive folder", ""), func() { t.try("archive was not opened", opener.OpenFolder(m.archive)) })
	}
	if t.opt.Window {
		on(systray.AddMenuItem("Settings", ""), func() { t.openWindow("settings", "") })
	}
	systray.AddSeparator()
	on(systray.AddMenuItem("Quit", ""), t.quit)
}

func (t *tray) save(camera string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := t.client.Trigger(ctx, camera, "manual"); err != nil {
		t.opt.Log.Warn("clip was not begun", "camera", camera, "err", err)
		if t.notes != nil {
			t.try("no notification", t.notes.Show(notify.Note{Title: "No clip is being saved", Body: err.Error()}))
		}
	}
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
	cmd := exec.CommandContext(t.ctx, self, "window", "--config", t.opt.Places.File, "--page", page, "--event", id)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.try("window was not opened", err)
		return
	}
	t.tasks.Go(func() { _ = cmd.Wait() }) // however the user closes it
}

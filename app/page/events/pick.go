package events

import (
	"context"
	"reflect"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// The events that are picked in the list, and what is done with several at once.

// newPickBar returns the line with the buttons that act on the picked events.
func (p *Page) newPickBar() fyne.CanvasObject {
	p.picking = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	all := func(do func(context.Context, event.Event) error) func() {
		return func() {
			list := p.pickedList()
			p.unpick()
			p.env.Each(list, do, nil)
		}
	}

	protect := widget.NewButtonWithIcon(words.L("Protect"), theme.ConfirmIcon(),
		all(func(ctx context.Context, e event.Event) error { return p.env.Protect(ctx, e, true) }))
	release := widget.NewButton(words.L("Unprotect"),
		all(func(ctx context.Context, e event.Event) error { return p.env.Protect(ctx, e, false) }))
	exports := widget.NewButtonWithIcon(words.L("Export"), theme.DownloadIcon(),
		func() { export(p.env, p.pickedList()) })
	remove := widget.NewButtonWithIcon(words.L("Delete"), theme.DeleteIcon(), func() { p.remove(p.pickedList()) })
	remove.Importance = widget.DangerImportance
	none := widgets.NewIcon(theme.ContentClearIcon(), words.L("Pick none (Esc)"), p.unpick)
	p.bar = container.New(&widgets.Flow{Least: 90}, p.picking, protect, release, exports, remove, none)
	p.bar.Hide()
	return p.bar
}

func (p *Page) pickedList() []event.Event {
	var list []event.Event
	for _, e := range p.picked {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b event.Event) int { return b.Time.Compare(a.Time) })
	return list
}

func (p *Page) pick(e event.Event, on bool) {
	if on {
		p.picked[e.ID] = e
	} else {
		delete(p.picked, e.ID)
	}
	p.drawPicked()
}

func (p *Page) unpick() {
	clear(p.picked)
	p.drawPicked()
	p.rows.Place(true)
}

func (p *Page) drawPicked() {
	was := p.bar.Visible()
	widgets.SetVisible(p.bar, len(p.picked) > 0) // in the place of the filters, so that the list stays where it is
	widgets.SetVisible(p.filters, len(p.picked) == 0)
	p.picking.SetText(words.N(len(p.picked), "1 event", "%d events"))
	if was != p.bar.Visible() {
		p.content.Refresh()
		p.rows.Place(true) // tiles show their boxes only while something is picked
	}
}

// remove deletes events. Protected and unfinished events stay. Events on a drive that is not there only leave the list,
// which cannot be undone, so the user is asked.
func (p *Page) remove(list []event.Event) {
	var going []event.Event
	for _, e := range list {
		if !e.Protected && e.State.Ended() {
			going = append(going, e)
		}
	}
	if len(going) == 0 {
		dialog.ShowInformation(words.L("Nothing to delete"),
			words.L("What is protected or still being saved cannot be deleted."), p.env.Window)
		return
	}
	p.scrub.end() // it has the file open
	n := away(p.env, going)
	if n == 0 {
		p.delete(going, len(list)-len(going))
		return
	}
	text := words.N(n, "1 of them lies on a drive that is not there: it leaves the list, and its files stay.",
		"%d of them lie on a drive that is not there: they leave the list, and their files stay.")
	p.env.Confirm(words.N(len(going), "Delete 1 event?", "Delete %d events?"), text, words.L("Delete"), func() {
		p.delete(going, len(list)-len(going))
	})
}

// delete moves events to the trash, and offers to bring them back. kept is how many others stay.
func (p *Page) delete(list []event.Event, kept int) {
	p.unpick()
	if p.detail.content.Visible() {
		p.closeEvent()
	}
	var gone []event.Event // on the goroutine of the work, until done
	p.env.Each(list, func(ctx context.Context, e event.Event) error {
		if isAway(p.env, e) {
			return p.env.Client.Forget(ctx, e.ID)
		}
		err := p.env.Client.Delete(ctx, e.ID)
		if err == nil && e.Stem != "" {
			gone = append(gone, e)
		}
		return err
	}, func() {
		text := words.N(len(gone), "1 event is in the trash for 7 days.", "%d events are in the trash for 7 days.")
		if kept > 0 {
			text += " " + words.N(kept, "1 stays: it is protected or still being saved.",
				"%d stay: they are protected or still being saved.")
		}
		p.gone = gone
		if len(gone) > 0 {
			p.env.ToastWith(text, words.L("Undo"), p.Undo)
		}
	})
}

// Undo brings the events back that were deleted last.
func (p *Page) Undo() {
	list := p.gone
	p.gone = nil
	if len(list) > 0 {
		p.env.Toasts.Hide()
		p.undelete(list)
	}
}

// maxPicked is how many events can be picked at once by a key.
const maxPicked = 1000 // as the recorder lists at once

// PickAll picks all events that the filters let through, the newest of very many.
func (p *Page) PickAll() {
	if p.detail.content.Visible() {
		return
	}
	asked := p.query
	q := asked
	q.Limit = maxPicked
	p.env.Work.Go(func() {
		list, err := p.env.Client.Events(p.env.Ctx, q)
		p.env.Do(func() {
			if err != nil {
				p.env.Fail(err)
				return
			}
			if now := p.query; !reflect.DeepEqual(now, asked) {
				return // the filters were changed meanwhile
			}
			for _, e := range list {
				p.picked[e.ID] = e
			}
			p.drawPicked()
			p.rows.Place(true)
			if p.book.events > len(list) {
				p.env.Toast(words.L("The newest %d events are picked.", len(list)))
			}
		})
	})
}

// menu returns what can be done with an event.
func (p *Page) menu(e event.Event) *fyne.Menu {
	list := []event.Event{e}
	if _, on := p.picked[e.ID]; on {
		list = p.pickedList()
	}
	name := words.L("Protect")
	if e.Protected {
		name = words.L("Unprotect")
	}
	protect := fyne.NewMenuItem(name, func() {
		p.env.Each(list, func(ctx context.Context, o event.Event) error { return p.env.Protect(ctx, o, !e.Protected) },
			nil)
	})
	protect.Disabled = !e.State.Ended()
	remove := fyne.NewMenuItem(words.L("Delete"), func() { p.remove(list) })
	remove.Disabled = !e.State.Ended() || e.Protected
	items := []*fyne.MenuItem{fyne.NewMenuItem(words.L("Open"), func() { p.openEvent(e) })}
	if len(e.Clips) > 0 {
		path := p.env.Path(e, e.Clips[0].File)
		items = append(items, fyne.NewMenuItem(words.L("Open in another player"), func() {
			p.env.Try(func(context.Context) error { return opener.Open(path) }, nil)
		}), fyne.NewMenuItem(words.L("Show in folder"), func() {
			p.env.Try(func(context.Context) error { return opener.Reveal(path) }, nil)
		}), fyne.NewMenuItem(words.L("Copy"), func() { p.detail.copy(path) }),
			fyne.NewMenuItem(words.L("Export"), func() { export(p.env, list) }))
	}
	return fyne.NewMenu("", append(items, fyne.NewMenuItemSeparator(), protect, remove, fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(words.L("Mark all as seen"), p.seeAll))...)
}

// offer shows the menu of an event in the list.
func (p *Page) offer(i int, at fyne.Position) {
	if e, _, ok := p.book.event(i); ok {
		widget.ShowPopUpMenuAtPosition(p.menu(e), p.env.Window.Canvas(), at)
	}
}

// extend picks the event at the cursor, with those that were picked before.
func (p *Page) extend(from, to int) {
	for _, i := range []int{from, to} {
		if e, _, ok := p.book.event(i); ok {
			p.picked[e.ID] = e
		}
	}
	p.last = to
	p.drawPicked()
	p.rows.Place(true)
}

// undelete brings events back from the trash.
func (p *Page) undelete(list []event.Event) {
	p.env.Each(list, func(ctx context.Context, e event.Event) error {
		_, err := p.env.Client.Restore(ctx, e.ID)
		return err
	}, nil)
}

// isAway reports whether an event lies on a drive that was not there when it was last looked for.
func isAway(env *page.Env, e event.Event) bool {
	return env.Status != nil && slices.ContainsFunc(env.Status.Archive.Away, func(d status.Drive) bool {
		return d.ID == e.Drive && d.Path == e.Archive
	})
}

func away(env *page.Env, list []event.Event) (n int) {
	for _, e := range list {
		if isAway(env, e) {
			n++
		}
	}
	return n
}

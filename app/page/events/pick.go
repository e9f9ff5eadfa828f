package events

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

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
			p.env.Each(list, do)
		}
	}

	protect := widget.NewButtonWithIcon(words.L("Protect"), theme.ConfirmIcon(),
		all(func(ctx context.Context, e event.Event) error { return p.env.Protect(ctx, e, true) }))
	release := widget.NewButton(words.L("End protection"),
		all(func(ctx context.Context, e event.Event) error { return p.env.Protect(ctx, e, false) }))
	exports := widget.NewButtonWithIcon(words.L("Export"), theme.DownloadIcon(),
		func() { export(p.env, p.pickedList()) })
	remove := widget.NewButtonWithIcon(words.L("Delete"), theme.DeleteIcon(), func() { p.remove(p.pickedList()) })
	remove.Importance = widget.DangerImportance
	none := widget.NewButtonWithIcon("", theme.ContentClearIcon(), p.unpick)
	p.bar = container.NewBorder(nil, nil, nil, container.NewHBox(protect, release, exports, remove, none), p.picking)
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
	widgets.SetVisible(p.bar, len(p.picked) > 0)
	p.picking.SetText(words.N(len(p.picked), "1 event", "%d events"))
	if was != p.bar.Visible() {
		p.content.Refresh()
	}
}

// remove deletes events after the user agreed. Protected and unfinished events stay, and the question says so.
func (p *Page) remove(list []event.Event) {
	var going []event.Event
	for _, e := range list {
		if !e.Protected && e.State.Ended() {
			going = append(going, e)
		}
	}
	text := words.L("Their files are removed from the archive. This cannot be undone.")
	if n := away(p.env, going); n > 0 {
		text = words.N(n, "1 of them lies on a drive that is not there: it leaves the list, and its files stay.",
			"%d of them lie on a drive that is not there: they leave the list, and their files stay.") + "\n" + text
	}
	if kept := len(list) - len(going); kept > 0 {
		text = words.N(kept, "1 event stays: it is protected or still being saved.",
			"%d events stay: they are protected or still being saved.") + "\n" + text
	}
	if len(going) == 0 {
		dialog.ShowInformation(words.L("Nothing to delete"),
			words.L("What is protected or still being saved cannot be deleted."), p.env.Window)
		return
	}
	p.env.Confirm(words.N(len(going), "Delete 1 event?", "Delete %d events?"), text, words.L("Delete"), func() {
		p.unpick()
		if p.detail.content.Visible() {
			p.closeEvent()
		}
		p.env.Each(going, func(ctx context.Context, e event.Event) error {
			if isAway(p.env, e) {
				return p.env.Client.Forget(ctx, e.ID)
			}
			return p.env.Client.Delete(ctx, e.ID)
		})
	})
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

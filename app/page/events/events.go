// Package events is the page Events: the list of events, and the view of one event with its clip.
package events

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/picture"
	"github.com/preroll/preroll/app/seen"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Page lists the events, newest first, or shows one of them.
type Page struct {
	env     *page.Env
	content *fyne.Container
	wide    bool // there is room for the list and an event side by side
	listing fyne.CanvasObject
	detail  *eventView

	rows     *widgets.Rows
	headline *widget.Label
	save     *widget.Button
	alarm    *widget.Button
	resume   *widget.Button
	banner   *page.Banner
	welcome  *fyne.Container
	nothing  *fyne.Container
	unfound  *fyne.Container
	failed   *fyne.Container
	fault    *widget.Label
	thumbs   *thumbs
	scrub    *scrub
	tiles    *widgets.IconButton // shows a list or pictures
	seen     *seen.List          // nil before the first update
	strip    *strip
	filmed   string              // what filming returned last
	hovered  int                 // row below the mouse, or -1
	rest     *time.Timer         // until the strip shows the day at the top of the list
	days     *widgets.IconButton // shows or hides the strip

	search  *widgets.Entry
	filters fyne.CanvasObject
	camera  *widget.Select
	kind    *widget.Select
	date    *widgets.DateField
	clear   *widgets.IconButton
	count   *widget.Label
	choices event.Choices
	filling bool

	picked   map[string]event.Event // by id
	last     int                    // row that was picked last, for a range
	gone     []event.Event          // deleted last
	bar      fyne.CanvasObject
	rebuild  fyne.CanvasObject // shown while the index is filled from the archive
	reading  *widget.Label
	progress *widget.ProgressBar
	picking  *widget.Label

	book    *book
	query   event.Query
	asking  bool
	again   bool
	loaded  bool
	err     error
	stale   map[string]bool // days that changed since their pages were fetched
	begun   map[string]bool // events that are being saved, and whose days were asked for since
	getting map[pageKey]bool
	rebuilt int
	goTo    string // place to return to: a day and the number of events below, see place
}

// New makes the page.
func New(env *page.Env) *Page {
	p := &Page{env: env, book: newBook(nil), picked: map[string]event.Event{}, stale: map[string]bool{},
		begun:   map[string]bool{},
		getting: map[pageKey]bool{}, last: -1, hovered: -1}
	p.thumbs = &thumbs{env: env, cache: map[string]image.Image{}, loaded: p.pictured, load: picture.Load,
		shown: func() int { return len(p.rows.Shown) }}
	p.headline = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	p.headline.Truncation = fyne.TextTruncateEllipsis
	p.save = env.NewSaveButton()
	p.alarm = widget.NewButtonWithIcon(words.L("Send a test alarm"), theme.MailSendIcon(), func() {
		env.Choose(p.alarm, env.Client.Mail)
	})
	p.resume = widget.NewButtonWithIcon(words.L("Resume"), theme.MediaPlayIcon(), func() {
		env.Try(env.Client.EndPause, nil)
	})
	p.resume.Importance = widget.HighImportance
	p.banner = page.NewBanner(env)

	p.reading = widget.NewLabel("")
	p.reading.Truncation = fyne.TextTruncateEllipsis
	p.progress = widget.NewProgressBar()
	p.progress.TextFormatter = func() string { return "" }
	p.rebuild = container.NewVBox(p.reading, container.New(widgets.Low{Height: 4}, p.progress))

	p.rows = widgets.NewRows()
	p.rows.Nth = func(i int) int {
		_, n := p.book.at(i)
		return n
	}
	p.rows.Below = tileBelow
	p.rows.Create = func(header bool) fyne.CanvasObject {
		if header {
			return newDayRow()
		}
		return newEventRow(p.rows.Tile > 0)
	}
	p.rows.Update = p.updateRow
	p.rows.Tapped = p.tapped
	p.rows.Typed = p.typed
	p.rows.Secondary = p.offer
	p.rows.Extend = p.extend
	p.scrub = &scrub{env: env}
	p.rows.Hovered = p.hover

	p.strip = newStrip(env, p.openEvent, func() { p.content.Refresh() },
		func() event.Query { return p.query })
	if env.App.Preferences().Bool(prefNoStrip) {
		p.strip.Hide()
	}
	p.rows.Moved = func() {
		p.scrub.end() // the thumbnail below the mouse is another one now
		p.rest.Reset(stripRest)
	}
	p.rest = time.AfterFunc(stripRest, func() { env.Do(p.showDay) })
	p.rest.Stop() // until rows move

	p.welcome = widgets.Centred(words.L("Welcome to Preroll"),
		words.L(
			"Preroll keeps the last seconds of your cameras in memory. When a camera reports an alarm by mail, it saves a clip that begins before the alarm."),
		widgets.Important(widget.NewButtonWithIcon(words.L("Set up"), theme.NavigateNextIcon(), env.OpenGuide)))
	p.nothing = widgets.Centred(words.L("No events yet"),
		words.L(
			"As soon as a camera sends an alarm mail, its clip appears here. You need not wait for one: save a clip now, or send a test alarm, which goes the whole way that a camera's mail goes."))
	p.unfound = widgets.Centred(words.L("Nothing fits"), words.L("No event fits what is searched for."),
		widget.NewButtonWithIcon(words.L("Show all events"), theme.ContentClearIcon(), p.showAll))
	p.fault = widget.NewLabel("")
	p.fault.Wrapping, p.fault.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	p.failed = container.NewVBox(layout.NewSpacer(),
		container.New(widgets.Narrow{Width: 520},
			container.NewVBox(p.fault,
				container.NewCenter(
					widget.NewButtonWithIcon(words.L("Try again"), theme.ViewRefreshIcon(), p.reload)))),
		layout.NewSpacer())

	p.listing = container.NewBorder(container.NewPadded(container.NewVBox(
		container.NewBorder(nil, nil, nil, container.NewHBox(p.resume, p.alarm, p.save), p.headline),
		p.banner.Content, p.rebuild, container.New(widgets.Turns{}, p.newFilter(), p.newPickBar()), p.strip)),
		nil, nil, nil, container.NewStack(p.rows, p.nothing, p.unfound, p.failed, p.welcome))
	p.setTiles(env.App.Preferences().Bool(prefTiles))
	p.detail = newEventView(p)
	p.detail.content.Hide()
	p.content = container.New(&panes{p}, p.listing, p.detail.content)
	p.draw()
	return p
}

// newFilter returns the line with the filters of the list.
func (p *Page) newFilter() fyne.CanvasObject {
	p.search = widgets.NewEntry(p.env.Window, func() { // Escape
		if p.search.Text != "" {
			p.search.SetText("")
			return
		}
		p.env.Window.Canvas().Focus(p.rows)
	})
	p.search.SetPlaceHolder(words.L("Search (Ctrl+F)"))
	p.search.SetIcon(theme.SearchIcon())
	p.search.OnChanged = func(string) { p.filter() }
	p.search.OnSubmitted = func(string) { p.env.Window.Canvas().Focus(p.rows) }
	chosen := func(string) {
		p.filter()
		if !p.filling {
			p.env.Window.Canvas().Focus(p.rows) // or the selection would keep the keys
		}
	}
	p.camera, p.kind = widget.NewSelect(nil, chosen), widget.NewSelect(nil, chosen)
	p.date = p.env.NewDateField(words.L("Any day"))
	p.date.Ranges = true
	p.date.OnChanged = func(*time.Time) { p.filter() }
	p.date.Counts = p.countDays
	p.tiles = widgets.NewIcon(theme.GridIcon(), words.L("A list, or large pictures (G)"), p.toggleTiles)
	p.days = widgets.NewIcon(theme.HistoryIcon(), words.L("Show or hide the day at a glance"), p.toggleStrip)
	p.clear = widgets.NewIcon(theme.ContentClearIcon(), words.L("Show all events"), p.showAll)
	p.count = widget.NewLabelWithStyle("", fyne.TextAlignTrailing, fyne.TextStyle{})
	p.count.Hide()
	p.fillChoices()
	width := func(w float32, o fyne.CanvasObject) fyne.CanvasObject {
		return widgets.Fixed(w, 0, o)
	}
	p.filters = container.New(&widgets.Flow{Least: 140}, p.search, p.count,
		width(134, p.camera), width(134, p.kind), width(134, p.date), p.tiles, p.days, p.clear)
	return p.filters
}

// fillChoices fills the filters with the possible values, and keeps the chosen values.
func (p *Page) fillChoices() {
	p.filling = true
	defer func() { p.filling = false }()

	// The last event with the chosen value may be gone, but the filter still has this value.
	if c := p.query.Camera; c != "" && !slices.Contains(p.choices.Cameras, c) {
		p.choices.Cameras = append(slices.Clone(p.choices.Cameras), c)
	}
	if l := p.query.Label; l != "" && !slices.Contains(p.choices.Labels, l) {
		p.choices.Labels = append(slices.Clone(p.choices.Labels), l)
	}
	var names []string
	kind := []string{words.L("All events"), words.L("New"), words.L("Protected"), words.L("Not complete")}
	for _, id := range p.choices.Cameras {
		names = append(names, p.env.CameraName(id))
	}
	for _, l := range p.choices.Labels {
		kind = append(kind, words.Label(l))
	}
	names = append([]string{words.L("All cameras")}, page.Distinct(names, p.choices.Cameras)...)
	chosen := 0
	switch {
	case p.query.Label != "":
		chosen = kindLabels + slices.Index(p.choices.Labels, p.query.Label)
	case p.query.Only == event.OnlyProtected:
		chosen = kindProtected
	case p.query.Only == event.OnlyNotWhole:
		chosen = kindNotWhole
	case !p.query.After.IsZero():
		chosen = kindNew
	}
	p.camera.SetOptions(names)
	p.camera.SetSelectedIndex(max(0, 1+slices.Index(p.choices.Cameras, p.query.Camera)))
	p.kind.SetOptions(page.Distinct(kind, append(slices.Repeat([]string{"*"}, kindLabels), p.choices.Labels...)))
	p.kind.SetSelectedIndex(chosen)
}

// These are the kinds of events in the order in which they can be chosen. The labels follow. The recorder knows nothing
// of new events.
const (
	kindNew = 1 + iota
	kindProtected
	kindNotWhole
	kindLabels
)

// filter reads the filters and asks for the matching events.
func (p *Page) filter() {
	if p.filling {
		return
	}
	q := event.Query{Text: p.untranslate(p.search.Text)}
	if i := p.camera.SelectedIndex(); i > 0 {
		q.Camera = p.choices.Cameras[i-1]
	}
	switch i := p.kind.SelectedIndex(); {
	case i == kindNew && !p.query.After.IsZero(): // what is looked at meanwhile stays in the list
		q.After, q.Without = p.query.After, p.query.Without
	case i == kindNew:
		p.openSeen()
		var seen []string
		q.After, seen = p.seen.Unseen()
		q.Without = strings.Join(seen, ",")
	case i == kindProtected:
		q.Only = event.OnlyProtected
	case i == kindNotWhole:
		q.Only = event.OnlyNotWhole
	case i >= kindLabels:
		q.Label = p.choices.Labels[i-kindLabels]
	}
	if p.date.Date != nil {
		q.Day = p.date.Date.Format("2006-01-02")
	}
	if p.date.Until != nil {
		q.Until = p.date.Until.Format("2006-01-02")
	}
	if q == p.query {
		return
	}
	p.query = q
	p.book = newBook(nil)
	p.rows.Top, p.rows.Into, p.rows.Cursor, p.last = 0, 0, -1, -1
	p.rows.SetCount(0)
	p.unpick()
	p.reload()
}

// untranslate replaces words of labels, as the screen shows them, by those that the recorder knows.
func (p *Page) untranslate(text string) string {
	list := strings.Fields(text)
	for i, w := range list {
		for _, l := range p.choices.Labels {
			said := strings.ToLower(words.Label(l))
			if w := strings.ToLower(w); strings.HasPrefix(said, w) && !strings.Contains(l, w) {
				list[i] = l
			}
		}
	}
	return strings.Join(list, " ")
}

func (p *Page) filtered() bool { return p.query != event.Query{} }

// countDays asks for the number of events of each day that the other filters let through.
func (p *Page) countDays(then func(map[string]int)) {
	q := p.query
	q.Day, q.Until = "", ""
	p.env.Work.Go(func() {
		days, err := p.env.Client.Days(p.env.Ctx, q)
		p.env.Do(func() {
			if err == nil {
				counts := map[string]int{}
				for _, d := range days {
					counts[d.Day] = d.Events
				}
				then(counts)
			}
		})
	})
}

// showAll clears all filters.
func (p *Page) showAll() {
	p.filling = true
	p.search.SetText("")
	p.camera.SetSelectedIndex(0)
	p.kind.SetSelectedIndex(0)
	p.date.SetDate(nil)
	p.filling = false
	p.filter()
}

// --- Loading ---

// Update takes a message of the recorder. The first message of a connection makes the page ask for everything again.
func (p *Page) Update(u control.Update, first bool) {
	p.openSeen()
	if first {
		for _, d := range p.book.days {
			p.stale[d.Day] = true
		}
		p.reload()
		p.detail.reload()
	}

	reload := false
	if s := p.env.Status; s != nil && s.Archive.Rebuilt != p.rebuilt {
		p.rebuilt = s.Archive.Rebuilt
		for _, d := range p.book.days {
			p.stale[d.Day] = true
		}
		reload = true
	}

	if !first {
		for _, e := range u.Events {
			if row := p.book.replace(e); row < 0 {
				p.stale[dayOf(e)] = true
				reload = true
			} else {
				p.rows.RefreshRow(row)
				reload = reload || !p.begun[e.ID] // its page may have been read after its day was counted
			}
			if p.begun[e.ID] = true; e.State.Ended() {
				delete(p.begun, e.ID)
			}
			if _, ok := p.picked[e.ID]; ok {
				p.picked[e.ID] = e
			}
			p.detail.changed(e)
		}

		for _, id := range u.Removed {
			if row := p.book.find(id); row >= 0 {
				d, _ := p.book.at(row)
				p.stale[d.Day] = true
			}
			delete(p.picked, id)
			if p.detail.event.ID == id && p.detail.content.Visible() {
				p.closeEvent()
			}
			reload = true
		}
	}

	if reload {
		p.drawPicked()
		p.reload()
	}
	if filming := p.filming(); filming != p.filmed { // an outage has begun or ended
		p.filmed = filming
		p.strip.stale = true
	}
	p.draw()
}

// filming returns which cameras are recorded, as a text that can be compared.
func (p *Page) filming() string {
	var ids []string
	for _, c := range page.CamerasOf(p.env.Status) {
		if c.State == status.Recording {
			ids = append(ids, c.ID)
		}
	}
	return strings.Join(ids, ",")
}

// reload asks for the days. It asks one question at a time.
func (p *Page) reload() {
	if p.env.Status == nil {
		return
	}
	if p.asking {
		p.again = true
		return
	}
	p.asking, p.again = true, false
	p.env.Meter.Question()
	q := p.query
	p.env.Work.Go(func() {
		days, err := p.env.Client.Days(p.env.Ctx, q)
		var c event.Choices
		if err == nil {
			c, err = p.env.Client.Choices(p.env.Ctx)
		}
		p.env.Do(func() {
			p.asking = false
			if p.env.Ctx.Err() != nil || errors.Is(err, control.ErrNotRunning) {
				return // the page shows this by itself, and asks again when the recorder is back
			}
			if q != p.query || p.again {
				p.reload()
				if q != p.query {
					return
				}
			}
			p.err = err
			if err == nil {
				p.setDays(days, c)
			}
			p.draw()
		})
	})
}

// setDays shows new days and keeps the place in the list.
func (p *Page) setDays(days []event.Day, c event.Choices) {
	p.loaded = true
	old := p.book
	p.scrub.end() // other events may come below the mouse
	p.book = old.update(days, p.stale)
	clear(p.stale)
	if p.rows.Top > 0 || p.rows.Into > 0 {
		p.rows.Top = old.move(p.rows.Top, p.book)
	}
	if p.rows.Cursor >= 0 {
		p.rows.Cursor = old.move(p.rows.Cursor, p.book)
	}
	if p.last >= 0 {
		p.last = old.move(p.last, p.book)
	}
	if c.Cameras != nil || c.Labels != nil {
		if !slices.Equal(c.Cameras, p.choices.Cameras) || !slices.Equal(c.Labels, p.choices.Labels) {
			p.choices = c
			p.fillChoices()
		}
	}
	text := ""
	if p.filtered() {
		text = words.N(p.book.events, "1 event", "%d events")
	}
	p.count.SetText(text)
	widgets.SetVisible(p.count, text != "")
	p.filters.Refresh()
	p.rows.SetCount(p.book.rows)
	p.strip.stale = true
	p.showDay()
	if p.goTo != "" {
		p.restore()
	}
}

// get fetches a page that is visible and not loaded. It fetches two pages at a time, and the next ones after that.
func (p *Page) get(key pageKey) {
	if _, known := p.book.pages[key]; known || len(p.getting) >= 2 || p.getting[key] {
		return // if a known page is too short, events are gone, and the recorder will report them
	}
	p.getting[key] = true
	b, q := p.book, p.query
	q.Day, q.Until, q.Offset, q.Limit = key.day, "", key.page*pageSize, pageSize
	p.env.Work.Go(func() {
		list, err := p.env.Client.Events(p.env.Ctx, q)
		p.env.Do(func() {
			delete(p.getting, key)
			if p.env.Ctx.Err() != nil {
				return
			}
			if p.book != b { // the list has changed, so the page may hold other events now
				p.rows.Place(true)
				return
			}
			if err != nil {
				p.err = err
				p.draw()
				return
			}
			p.book.keep(key, list)
			p.rows.Place(true)
			p.env.Meter.List()
		})
	})
}

func (p *Page) draw() {
	s := p.env.Status
	p.headline.SetText(page.Headline(s))
	changed := p.banner.Draw()
	if s != nil && s.Archive.Filling != nil {
		f := s.Archive.Filling
		p.reading.SetText(words.L("The list is read from the archive: %s so far.",
			words.N(f.Events, "1 event", "%d events")))
		p.progress.SetValue(f.Part)
	}
	before := []bool{p.rebuild.Visible(), p.save.Visible(), p.resume.Visible(), p.welcome.Visible(),
		p.nothing.Visible(), p.unfound.Visible(), p.failed.Visible()}
	widgets.SetVisible(p.rebuild, s != nil && s.Archive.Filling != nil)
	active := len(page.CamerasOf(s)) > 0
	widgets.SetVisible(p.save, active)
	widgets.SetVisible(p.alarm, active && s.SMTP.Listen != "")
	widgets.SetVisible(p.resume, s != nil && s.Pause.On)
	empty := p.loaded && p.book.events == 0 && p.err == nil
	widgets.SetVisible(p.failed, p.err != nil)
	if p.err != nil {
		p.fault.SetText(words.L("The list of events cannot be read: %s", words.Error(p.err)))
	}
	widgets.SetVisible(p.unfound, empty && p.filtered())
	widgets.SetVisible(p.welcome, s != nil && len(s.Cameras) == 0 && empty && !p.filtered())
	widgets.SetVisible(p.nothing, s != nil && len(s.Cameras) > 0 && empty && !p.filtered())
	widgets.SetVisible(p.rows, !empty && p.err == nil)
	widgets.SetVisible(p.strip, p.loaded && !empty && p.err == nil && !p.env.App.Preferences().Bool(prefNoStrip))
	p.showDay()
	after := []bool{p.rebuild.Visible(), p.save.Visible(), p.resume.Visible(), p.welcome.Visible(),
		p.nothing.Visible(), p.unfound.Visible(), p.failed.Visible()}
	if changed || !slices.Equal(before, after) {
		p.content.Refresh() // what was shown or hidden moves the rest
		if changed {
			p.content.Refresh() // a wrapped text knows its height only after it has a width
		}
	}
}

// Content returns what the page shows.
func (p *Page) Content() fyne.CanvasObject { return p.content }

// Show does nothing: the list is kept up to date while it is hidden.
func (p *Page) Show() {}

// Hide stops the clip that plays.
func (p *Page) Hide() {
	p.scrub.end()
	p.detail.player.Pause()
}

// Leave ends what goes on for the event that is shown.
func (p *Page) Leave() {
	p.rest.Stop()
	p.scrub.end()
	p.detail.leave()
}

// ReturnTo makes the page begin at a place, which an earlier window stored.
func (p *Page) ReturnTo(place string) { p.goTo = place }

// Tick shows how far events have come that are being saved.
func (p *Page) Tick() {
	p.detail.tick()
	p.strip.tick()
	p.scrub.tick()
	if !p.rows.Visible() || !p.listing.Visible() {
		return
	}
	for i := range p.rows.Shown {
		if e, _, ok := p.book.event(i); ok && !e.State.Ended() {
			p.rows.RefreshRow(i)
		}
	}
}

// --- One event ---

// openEvent shows one event.
func (p *Page) openEvent(e event.Event) {
	p.scrub.end()
	p.see(e)
	p.detail.show(e)
	p.detail.content.Show()
	p.arrange()
	p.detail.focus()
}

// openSeen opens the list of what was seen, once.
func (p *Page) openSeen() {
	if p.seen == nil {
		p.seen = seen.Open(p.env.Paths.State, p.env.Now())
	}
}

// see marks an event as seen.
func (p *Page) see(e event.Event) {
	p.openSeen() // an event may be asked for before the first update
	p.saw(p.seen.Add(e))
	if row := p.book.find(e.ID); row >= 0 {
		p.rows.RefreshRow(row)
	}
}

// seeAll marks all events as seen.
func (p *Page) seeAll() {
	p.saw(p.seen.AddAll(p.env.Now()))
	p.rows.Place(true)
}

// saw lets the tray count the events that were not seen. Whether there is a tray does not matter.
func (p *Page) saw(err error) {
	if err != nil {
		p.env.Fail(err)
		return
	}
	p.env.Work.Go(func() {
		_ = instance.Send(p.env.Ctx, p.env.Paths, instance.Tray, instance.Request{Seen: true})
	})
}

// sideBySide is the width from which on the list and an event are shown side by side, at the usual text size.
const sideBySide = 1400

// arrange shows the list, an event, or both.
func (p *Page) arrange() {
	widgets.SetVisible(p.listing, p.wide || !p.detail.content.Visible())
	p.content.Refresh()
}

// panes lays out the list and the event that is open.
type panes struct{ p *Page }

// Layout places the list at the left, and the event at its right if there is room, else in its place.
func (l *panes) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	p := l.p
	if wide := size.Width >= sideBySide*widgets.Scale(); wide != p.wide {
		p.wide = wide
		p.arrange() // lays out again
		return
	}
	left := size.Width
	if p.wide && p.detail.content.Visible() {
		left = size.Width * 0.42
		objects[1].Move(fyne.NewPos(left, 0))
		objects[1].Resize(fyne.NewSize(size.Width-left, size.Height))
	} else {
		objects[1].Move(fyne.NewPos(0, 0))
		objects[1].Resize(size)
	}
	objects[0].Resize(fyne.NewSize(left, size.Height))
}

// MinSize is that of what needs more.
func (l *panes) MinSize(objects []fyne.CanvasObject) (least fyne.Size) {
	for _, o := range objects {
		if o.Visible() && !l.p.wide {
			least = least.Max(o.MinSize())
		}
	}
	return least
}

// closeEvent goes back to the list.
func (p *Page) closeEvent() {
	p.detail.leave()
	p.detail.content.Hide()
	p.arrange()
	p.env.Window.Canvas().Focus(p.rows)
}

// Find shows the event with the given id, even if it is not in the list.
func (p *Page) Find(id string) {
	var e event.Event
	var s status.Status
	p.env.Try(func(ctx context.Context) (err error) {
		if s, err = p.env.Client.Status(ctx); err == nil {
			e, err = p.env.Client.Event(ctx, id)
		}
		return err
	}, func() {
		if e.ID != "" {
			if p.env.Known() == nil { // needed for the clips' path and FFmpeg; the watch sends it only a moment later
				p.env.Last = &s
			}
			p.openEvent(e)
			p.reach(e)
		}
	})
}

// reach puts the cursor on an event, if its page is loaded.
func (p *Page) reach(e event.Event) {
	if row := p.book.find(e.ID); row >= 0 {
		p.rows.SetCursor(row)
	}
}

// neighbour opens the next newer (-1) or older (1) event.
func (p *Page) neighbour(by int) {
	at := p.book.find(p.detail.event.ID)
	if at < 0 {
		return
	}
	for at += by; at >= 0 && at < p.book.rows; at += by {
		if p.book.header(at) {
			continue
		}
		e, key, ok := p.book.event(at)
		if !ok {
			p.get(key) // once the page is loaded, the next try gets further
			return
		}
		p.rows.SetCursor(at)
		p.openEvent(e)
		return
	}
}

// neighbours returns the events above and below the one that is open, as far as they are loaded.
func (p *Page) neighbours() (list []event.Event) {
	at := p.book.find(p.detail.event.ID)
	if at < 0 {
		return nil
	}
	for _, by := range []int{1, -1} {
		for i := at + by; i >= 0 && i < p.book.rows; i += by {
			if p.book.header(i) {
				continue
			}
			if e, _, ok := p.book.event(i); ok {
				list = append(list, e)
			}
			break
		}
	}
	return list
}

// Place returns the place in the list to remember: the day at the top, and the number of its events from there on.
func (p *Page) Place() string {
	if p.rows.Top == 0 || p.rows.Top >= p.book.rows {
		return ""
	}
	d, n := p.book.at(p.rows.Top)
	return fmt.Sprintf("%s/%d", d.Day, max(0, d.Events-n))
}

// restore goes to the remembered place: a day and the number of its events that lie below.
func (p *Page) restore() {
	day, rest, _ := strings.Cut(p.goTo, "/")
	below, _ := strconv.Atoi(rest)
	p.goTo = ""
	for i, d := range p.book.days {
		if d.Day == day {
			p.rows.Jump(p.book.starts[i] + 1 + max(0, min(d.Events-below, d.Events-1)))
		}
	}
}

// --- The day at a glance ---

// prefNoStrip is the name of the window's setting that hides the strip.
const prefNoStrip = "no-strip"

// stripRest is how long the list must rest before the strip shows the day at its top: drawing the days that fly by
// would make the list stutter.
const stripRest = 120 * time.Millisecond

// toggleStrip shows or hides the strip.
func (p *Page) toggleStrip() {
	p.env.App.Preferences().SetBool(prefNoStrip, p.strip.Visible())
	widgets.SetVisible(p.strip, !p.strip.Visible())
	p.showDay()
	p.content.Refresh()
}

// showDay lets the strip show the day at the top of the list.
func (p *Page) showDay() {
	if p.rows.Top < p.book.rows {
		d, _ := p.book.at(p.rows.Top)
		p.strip.show(d.Day, false)
	}
}

// --- Rows ---

// prefTiles is the name of the window's setting for large pictures instead of a list.
const prefTiles = "tiles"

// Sizes of a tile at the usual text size: its least width, and the height of the text below its picture.
const (
	tileWidth = 230
	tileBelow = 68
)

// toggleTiles shows a list or large pictures.
func (p *Page) toggleTiles() {
	on := p.rows.Tile == 0
	p.env.App.Preferences().SetBool(prefTiles, on)
	p.scrub.end()
	p.setTiles(on)
	p.rows.Reset()
}

func (p *Page) setTiles(on bool) {
	p.rows.Tile = 0
	icon := theme.GridIcon()
	if on {
		p.rows.Tile = tileWidth
		icon = theme.ListIcon()
	}
	p.tiles.SetIcon(icon)
}

// hover shows the picture of a clip that lies where the mouse is on its thumbnail.
func (p *Page) hover(i int, at fyne.Position) {
	if was := p.hovered; was != i {
		p.hovered = i
		p.rows.RefreshRow(was)
		p.rows.RefreshRow(i)
	}
	e, _, ok := p.book.event(i)
	box := p.rows.Object(i)
	if !ok || box == nil {
		p.scrub.end()
		return
	}
	t := box.(*eventRow).thumb
	if x, in := t.part(at); in {
		p.scrub.move(e, t, x)
	} else {
		p.scrub.end()
	}
}

// pictured redraws the rows of a thumbnail that was loaded.
func (p *Page) pictured(path string) {
	for i := range p.rows.Shown {
		if e, _, ok := p.book.event(i); ok && e.Thumbnail != "" && p.env.Path(e, e.Thumbnail) == path {
			p.rows.RefreshRow(i)
		}
	}
	p.detail.pictured(path)
}

func (p *Page) tapped(i int, m fyne.KeyModifier) {
	e, _, ok := p.book.event(i)
	if !ok {
		return
	}
	switch {
	case m&fyne.KeyModifierShift != 0 && p.last >= 0:
		for n := min(p.last, i); n <= max(p.last, i); n++ {
			if o, _, ok := p.book.event(n); ok {
				p.picked[o.ID] = o
			}
		}
		p.drawPicked()
		p.rows.Place(true)
	case m&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0:
		_, on := p.picked[e.ID]
		p.pick(e, !on)
		p.rows.RefreshRow(i)
		p.last = i
	default:
		p.openEvent(e)
	}
}

// Key is for the event that is shown, or for the list.
func (p *Page) Key(k *fyne.KeyEvent) {
	if p.detail.content.Visible() {
		p.detail.typed(k)
		return
	}
	p.env.Window.Canvas().Focus(p.rows)
	p.rows.TypedKey(k)
}

// Search turns to the list and its search.
func (p *Page) Search() {
	if p.detail.content.Visible() {
		p.closeEvent()
	}
	p.env.Window.Canvas().Focus(p.search)
}

// typed handles the keys of the list.
func (p *Page) typed(k *fyne.KeyEvent, _ fyne.KeyModifier) {
	if k.Name == fyne.KeyG {
		p.toggleTiles()
		return
	}
	e, _, ok := p.book.event(p.rows.Cursor)
	if !ok {
		return
	}
	several := p.pickedList()
	if len(several) == 0 {
		several = []event.Event{e}
	}
	switch k.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		p.openEvent(e)
	case fyne.KeySpace:
		_, on := p.picked[e.ID]
		p.pick(e, !on)
		p.last = p.rows.Cursor
		p.rows.RefreshRow(p.rows.Cursor)
	case fyne.KeyP:
		on := slices.ContainsFunc(several, func(e event.Event) bool { return !e.Protected })
		p.env.Each(several, func(ctx context.Context, e event.Event) error { return p.env.Protect(ctx, e, on) }, nil)
	case fyne.KeyE:
		export(p.env, several)
	case fyne.KeyDelete:
		p.remove(several)
	case fyne.KeyEscape:
		p.unpick()
	}
}

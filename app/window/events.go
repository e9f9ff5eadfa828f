package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// eventsPage lists the events, newest first, or shows one of them.
type eventsPage struct {
	env     *env
	content *fyne.Container
	listing fyne.CanvasObject
	detail  *eventView

	rows     *rows
	headline *widget.Label
	save     *widget.Button
	alarm    *widget.Button
	resume   *widget.Button
	trouble  *widget.Label
	banner   fyne.CanvasObject
	welcome  *fyne.Container
	nothing  *fyne.Container
	unfound  *fyne.Container
	failed   *fyne.Container
	fault    *widget.Label
	thumbs   *thumbs

	search  *entry
	camera  *widget.Select
	label   *widget.Select
	date    *widget.DateEntry
	clear   *widget.Button
	count   *widget.Label
	choices event.Choices
	filling bool

	picked   map[string]event.Event // by id
	last     int                    // row that was picked last, for a range
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
	getting map[pageKey]bool
	rebuilt int
	goTo    string // place to return to: a day and the number of events below, see place
}

func newEventsPage(env *env) *eventsPage {
	p := &eventsPage{env: env, book: newBook(nil), picked: map[string]event.Event{}, stale: map[string]bool{},
		getting: map[pageKey]bool{}, last: -1}
	p.thumbs = &thumbs{env: env, cache: map[string]image.Image{}, loaded: p.pictured, load: loadPicture}
	p.headline = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	p.headline.Truncation = fyne.TextTruncateEllipsis
	p.save = env.newSaveButton()
	p.alarm = widget.NewButtonWithIcon(words.L("Send a test alarm"), theme.MailSendIcon(), func() {
		env.choose(p.alarm, env.client.Mail)
	})
	p.resume = widget.NewButtonWithIcon(words.L("Resume"), theme.MediaPlayIcon(), func() {
		env.try(env.client.EndPause, nil)
	})
	p.resume.Importance = widget.HighImportance
	p.trouble = widget.NewLabel("")
	p.trouble.Wrapping = fyne.TextWrapWord
	why := widget.NewButton(words.L("Health"), func() { env.open(instance.Request{Page: "health"}) })
	p.banner = container.NewVBox(container.NewBorder(nil, nil,
		widget.NewIcon(theme.NewWarningThemedResource(theme.WarningIcon())), container.NewVBox(why), p.trouble),
		widget.NewSeparator())

	p.reading = widget.NewLabel("")
	p.reading.Truncation = fyne.TextTruncateEllipsis
	p.progress = widget.NewProgressBar()
	p.progress.TextFormatter = func() string { return "" }
	p.rebuild = container.NewVBox(p.reading, container.New(low{4}, p.progress))

	p.rows = newRows()
	p.rows.header = func(i int) bool { return p.book.header(i) }
	p.rows.create = func(header bool) fyne.CanvasObject {
		if header {
			return newDayRow()
		}
		return newEventRow()
	}
	p.rows.update = p.updateRow
	p.rows.tapped = p.tapped
	p.rows.typed = p.typed

	p.welcome = centred(words.L("Welcome to Preroll"),
		words.L("Preroll keeps the last seconds of your cameras in memory. When a camera reports an alarm by mail, it saves a clip that begins before the alarm."),
		important(widget.NewButtonWithIcon(words.L("Set up"), theme.NavigateNextIcon(), env.openGuide)))
	p.nothing = centred(words.L("No events yet"),
		words.L("As soon as a camera sends an alarm mail, its clip appears here. You need not wait for one: save a clip now, or send a test alarm, which goes the whole way that a camera's mail goes."))
	p.unfound = centred(words.L("Nothing fits"), words.L("No event fits what is searched for."),
		widget.NewButtonWithIcon(words.L("Show all events"), theme.ContentClearIcon(), p.showAll))
	p.fault = widget.NewLabel("")
	p.fault.Wrapping, p.fault.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	p.failed = container.NewVBox(layout.NewSpacer(),
		container.New(narrow{520},
			container.NewVBox(p.fault,
				container.NewCenter(
					widget.NewButtonWithIcon(words.L("Try again"), theme.ViewRefreshIcon(), p.reload)))),
		layout.NewSpacer())

	p.listing = container.NewBorder(container.NewPadded(container.NewVBox(
		container.NewBorder(nil, nil, nil, container.NewHBox(p.resume, p.alarm, p.save), p.headline), p.banner,
		p.rebuild, p.newFilter(), p.newPickBar())),
		nil, nil, nil, container.NewStack(p.rows, p.nothing, p.unfound, p.failed, p.welcome))
	p.detail = newEventView(p)
	p.detail.content.Hide()
	p.content = container.NewStack(p.listing, p.detail.content)
	p.draw()
	return p
}

// newFilter returns the line with the filters of the list.
func (p *eventsPage) newFilter() fyne.CanvasObject {
	p.search = newEntry(p.env, func() { p.env.win.Canvas().Focus(p.rows) })
	p.search.SetPlaceHolder(words.L("Search (Ctrl+F)"))
	p.search.SetIcon(theme.SearchIcon())
	p.search.OnChanged = func(string) { p.filter() }
	p.search.OnSubmitted = func(string) { p.env.win.Canvas().Focus(p.rows) }
	p.camera = widget.NewSelect(nil, func(string) { p.filter() })
	p.label = widget.NewSelect(nil, func(string) { p.filter() })
	p.date = widget.NewDateEntry()
	p.date.SetPlaceHolder(words.L("Any day"))
	p.date.OnChanged = func(*time.Time) { p.filter() }
	p.clear = widget.NewButtonWithIcon("", theme.ContentClearIcon(), p.showAll)
	p.count = widget.NewLabelWithStyle("", fyne.TextAlignTrailing, fyne.TextStyle{})
	p.fillChoices()
	width := func(w float32, o fyne.CanvasObject) fyne.CanvasObject {
		return container.NewGridWrap(fyne.NewSize(w, o.MinSize().Height), o)
	}
	return container.NewBorder(nil, nil, nil,
		container.NewHBox(width(150, p.camera), width(130, p.label), width(150, p.date), p.clear),
		container.NewBorder(nil, nil, nil, p.count, p.search))
}

// fillChoices fills the filters with the possible values, and keeps the chosen values.
func (p *eventsPage) fillChoices() {
	p.filling = true
	defer func() { p.filling = false }()
	// The last event with the chosen value may be gone, but the filter still has this value.
	if c := p.query.Camera; c != "" && !slices.Contains(p.choices.Cameras, c) {
		p.choices.Cameras = append(slices.Clone(p.choices.Cameras), c)
	}
	if l := p.query.Label; l != "" && !slices.Contains(p.choices.Labels, l) {
		p.choices.Labels = append(slices.Clone(p.choices.Labels), l)
	}
	var names, labels []string
	for _, id := range p.choices.Cameras {
		names = append(names, p.env.cameraName(id))
	}
	for _, l := range p.choices.Labels {
		labels = append(labels, words.Label(l))
	}
	names = append([]string{words.L("All cameras")}, distinct(names, p.choices.Cameras)...)
	labels = append([]string{words.L("All labels")}, distinct(labels, p.choices.Labels)...)
	camera, label := 1+slices.Index(p.choices.Cameras, p.query.Camera), 1+slices.Index(p.choices.Labels, p.query.Label)
	p.camera.SetOptions(names)
	p.camera.SetSelectedIndex(max(0, camera))
	p.label.SetOptions(labels)
	p.label.SetSelectedIndex(max(0, label))
}

// filter reads the filters and asks for the matching events.
func (p *eventsPage) filter() {
	if p.filling {
		return
	}
	q := event.Query{Text: strings.TrimSpace(p.search.Text)}
	if i := p.camera.SelectedIndex(); i > 0 {
		q.Camera = p.choices.Cameras[i-1]
	}
	if i := p.label.SelectedIndex(); i > 0 {
		q.Label = p.choices.Labels[i-1]
	}
	if p.date.Date != nil {
		q.Day = p.date.Date.Format("2006-01-02")
	}
	if q == p.query {
		return
	}
	p.query = q
	p.book = newBook(nil)
	p.rows.top, p.rows.into, p.rows.cursor, p.last = 0, 0, -1, -1
	p.rows.setCount(0)
	p.unpick()
	p.reload()
}

func (p *eventsPage) filtered() bool { return p.query != event.Query{} }

// showAll clears all filters.
func (p *eventsPage) showAll() {
	p.filling = true
	p.search.SetText("")
	p.camera.SetSelectedIndex(0)
	p.label.SetSelectedIndex(0)
	p.date.SetDate(nil)
	p.filling = false
	p.filter()
}

// --- Picked events ---

// newPickBar returns the line with the buttons that act on the picked events.
func (p *eventsPage) newPickBar() fyne.CanvasObject {
	p.picking = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	all := func(do func(context.Context, event.Event) error) func() {
		return func() {
			list := p.pickedList()
			p.unpick()
			p.env.each(list, do)
		}
	}
	protect := widget.NewButtonWithIcon(words.L("Protect"), theme.ConfirmIcon(),
		all(func(ctx context.Context, e event.Event) error { return p.env.protect(ctx, e, true) }))
	release := widget.NewButton(words.L("End protection"),
		all(func(ctx context.Context, e event.Event) error { return p.env.protect(ctx, e, false) }))
	export := widget.NewButtonWithIcon(words.L("Export"), theme.DownloadIcon(), func() { p.env.export(p.pickedList()) })
	remove := widget.NewButtonWithIcon(words.L("Delete"), theme.DeleteIcon(), func() { p.remove(p.pickedList()) })
	remove.Importance = widget.DangerImportance
	none := widget.NewButtonWithIcon("", theme.ContentClearIcon(), p.unpick)
	p.bar = container.NewBorder(nil, nil, nil, container.NewHBox(protect, release, export, remove, none), p.picking)
	p.bar.Hide()
	return p.bar
}

func (p *eventsPage) pickedList() []event.Event {
	var list []event.Event
	for _, e := range p.picked {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b event.Event) int { return b.Time.Compare(a.Time) })
	return list
}

func (p *eventsPage) pick(e event.Event, on bool) {
	if on {
		p.picked[e.ID] = e
	} else {
		delete(p.picked, e.ID)
	}
	p.drawPicked()
}

func (p *eventsPage) unpick() {
	clear(p.picked)
	p.drawPicked()
	p.rows.place(true)
}

func (p *eventsPage) drawPicked() {
	was := p.bar.Visible()
	shown(p.bar, len(p.picked) > 0)
	p.picking.SetText(words.N(len(p.picked), "1 event", "%d events"))
	if was != p.bar.Visible() {
		p.content.Refresh()
	}
}

// remove deletes events after the user agreed. Protected and unfinished events stay, and the question says so.
func (p *eventsPage) remove(list []event.Event) {
	var going []event.Event
	for _, e := range list {
		if !e.Protected && e.State.Ended() {
			going = append(going, e)
		}
	}
	text := words.L("Their files are removed from the archive. This cannot be undone.")
	if away := p.env.away(going); away > 0 {
		text = words.N(away, "1 of them lies on a drive that is not there: it leaves the list, and its files stay.",
			"%d of them lie on a drive that is not there: they leave the list, and their files stay.") + "\n" + text
	}
	if kept := len(list) - len(going); kept > 0 {
		text = words.N(kept, "1 event stays: it is protected or still being saved.",
			"%d events stay: they are protected or still being saved.") + "\n" + text
	}
	if len(going) == 0 {
		dialog.ShowInformation(words.L("Nothing to delete"),
			words.L("What is protected or still being saved cannot be deleted."), p.env.win)
		return
	}
	p.env.confirm(words.N(len(going), "Delete 1 event?", "Delete %d events?"), text, words.L("Delete"), func() {
		p.unpick()
		if p.detail.content.Visible() {
			p.closeEvent()
		}
		p.env.each(going, func(ctx context.Context, e event.Event) error {
			if p.env.isAway(e) {
				return p.env.client.Forget(ctx, e.ID)
			}
			return p.env.client.Delete(ctx, e.ID)
		})
	})
}

// isAway reports whether an event lies on a drive that was not there when it was last looked for.
func (env *env) isAway(e event.Event) bool {
	return env.status != nil && slices.ContainsFunc(env.status.Archive.Away, func(d status.Drive) bool {
		return d.ID == e.Drive && d.Path == e.Archive
	})
}

func (env *env) away(list []event.Event) (n int) {
	for _, e := range list {
		if env.isAway(e) {
			n++
		}
	}
	return n
}

// --- Loading ---

// Update takes a message of the recorder. The first message of a connection makes the page ask for everything again.
func (p *eventsPage) Update(u control.Update, first bool) {
	if first {
		for _, d := range p.book.days {
			p.stale[d.Day] = true
		}
		p.reload()
		p.detail.reload()
	}
	reload := false
	if s := p.env.status; s != nil && s.Archive.Rebuilt != p.rebuilt {
		p.rebuilt = s.Archive.Rebuilt
		for _, d := range p.book.days {
			p.stale[d.Day] = true
		}
		reload = true
	}
	if !first {
		for _, e := range u.Events {
			if row := p.book.replace(e); row >= 0 {
				p.rows.refreshRow(row)
			} else {
				p.stale[dayOf(e)] = true
				reload = true
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
	p.draw()
}

// reload asks for the days. It asks one question at a time.
func (p *eventsPage) reload() {
	if p.env.status == nil {
		return
	}
	if p.asking {
		p.again = true
		return
	}
	p.asking, p.again = true, false
	p.env.meter.question()
	q := p.query
	p.env.work.Go(func() {
		days, err := p.env.client.Days(p.env.ctx, q)
		var c event.Choices
		if err == nil {
			c, err = p.env.client.Choices(p.env.ctx)
		}
		p.env.do(func() {
			p.asking = false
			if p.env.ctx.Err() != nil || errors.Is(err, control.ErrNotRunning) {
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
func (p *eventsPage) setDays(days []event.Day, c event.Choices) {
	p.loaded = true
	old := p.book
	p.book = old.update(days, p.stale)
	clear(p.stale)
	if p.rows.top > 0 || p.rows.into > 0 {
		p.rows.top = old.move(p.rows.top, p.book)
	}
	if p.rows.cursor >= 0 {
		p.rows.cursor = old.move(p.rows.cursor, p.book)
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
	p.rows.setCount(p.book.rows)
	if p.goTo != "" {
		p.restore()
	}
}

// get fetches a page that is visible and not loaded. It fetches two pages at a time, and the next ones after that.
func (p *eventsPage) get(key pageKey) {
	if _, known := p.book.pages[key]; known || len(p.getting) >= 2 || p.getting[key] {
		return // if a known page is too short, events are gone, and the recorder will report them
	}
	p.getting[key] = true
	b, q := p.book, p.query
	q.Day, q.Offset, q.Limit = key.day, key.page*pageSize, pageSize
	p.env.work.Go(func() {
		list, err := p.env.client.Events(p.env.ctx, q)
		p.env.do(func() {
			delete(p.getting, key)
			if p.env.ctx.Err() != nil {
				return
			}
			if p.book != b { // the list has changed, so the page may hold other events now
				p.rows.place(true)
				return
			}
			if err != nil {
				p.err = err
				p.draw()
				return
			}
			p.book.keep(key, list)
			p.rows.place(true)
			p.env.meter.list()
		})
	})
}

func (p *eventsPage) draw() {
	s := p.env.status
	p.headline.SetText(headline(s))
	text := troubles(s)
	changed := text != p.trouble.Text
	if changed {
		p.trouble.SetText(text)
	}
	if s != nil && s.Archive.Filling != nil {
		f := s.Archive.Filling
		p.reading.SetText(words.L("The list is read from the archive: %s so far.",
			words.N(f.Events, "1 event", "%d events")))
		p.progress.SetValue(f.Part)
	}
	before := []bool{p.banner.Visible(), p.rebuild.Visible(), p.save.Visible(), p.resume.Visible(), p.welcome.Visible(),
		p.nothing.Visible(), p.unfound.Visible(), p.failed.Visible()}
	shown(p.banner, text != "")
	shown(p.rebuild, s != nil && s.Archive.Filling != nil)
	active := len(cameras(s)) > 0
	shown(p.save, active)
	shown(p.alarm, active && s.SMTP.Listen != "")
	shown(p.resume, s != nil && s.Pause.On)
	empty := p.loaded && p.book.events == 0 && p.err == nil
	shown(p.failed, p.err != nil)
	if p.err != nil {
		p.fault.SetText(words.L("The list of events cannot be read: %s", words.Error(p.err)))
	}
	shown(p.unfound, empty && p.filtered())
	shown(p.welcome, s != nil && len(s.Cameras) == 0 && empty && !p.filtered())
	shown(p.nothing, s != nil && len(s.Cameras) > 0 && empty && !p.filtered())
	shown(p.rows, !empty && p.err == nil)
	after := []bool{p.banner.Visible(), p.rebuild.Visible(), p.save.Visible(), p.resume.Visible(), p.welcome.Visible(),
		p.nothing.Visible(), p.unfound.Visible(), p.failed.Visible()}
	if changed || !slices.Equal(before, after) {
		p.content.Refresh() // what was shown or hidden moves the rest
		if changed {
			p.content.Refresh() // a wrapped text knows its height only after it has a width
		}
	}
}

// Content returns what the page shows.
func (p *eventsPage) Content() fyne.CanvasObject { return p.content }

// Show does nothing: the list is kept up to date while it is hidden.
func (p *eventsPage) Show() {}

// Hide stops the clip that plays.
func (p *eventsPage) Hide() { p.detail.player.pause() }

// Tick shows how far events have come that are being saved.
func (p *eventsPage) Tick() {
	p.detail.tick()
	if !p.rows.Visible() || p.detail.content.Visible() {
		return
	}
	for i := range p.rows.shown {
		if e, _, ok := p.book.event(i); ok && !e.State.Ended() {
			p.rows.refreshRow(i)
		}
	}
}

// --- One event ---

// openEvent shows one event.
func (p *eventsPage) openEvent(e event.Event) {
	p.detail.show(e)
	p.listing.Hide()
	p.detail.content.Show()
	p.content.Refresh()
	p.detail.focus()
}

// closeEvent goes back to the list.
func (p *eventsPage) closeEvent() {
	p.detail.leave()
	p.detail.content.Hide()
	p.listing.Show()
	p.content.Refresh()
	p.env.win.Canvas().Focus(p.rows)
}

// find shows the event with the given id, even if it is not in the list.
func (p *eventsPage) find(id string) {
	var e event.Event
	var s status.Status
	p.env.try(func(ctx context.Context) (err error) {
		if s, err = p.env.client.Status(ctx); err == nil {
			e, err = p.env.client.Event(ctx, id)
		}
		return err
	}, func() {
		if e.ID != "" {
			if p.env.known() == nil { // needed for the clips' path and FFmpeg; the watch sends it only a moment later
				p.env.last = &s
			}
			p.openEvent(e)
			p.reach(e)
		}
	})
}

// reach puts the cursor on an event, if its page is loaded.
func (p *eventsPage) reach(e event.Event) {
	if row := p.book.find(e.ID); row >= 0 {
		p.rows.setCursor(row)
	}
}

// neighbour opens the next newer (-1) or older (1) event.
func (p *eventsPage) neighbour(by int) {
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
		p.rows.setCursor(at)
		p.openEvent(e)
		return
	}
}

// place returns the place in the list to remember: the day at the top, and the number of its events from there on.
func (p *eventsPage) place() string {
	if p.rows.top == 0 || p.rows.top >= p.book.rows {
		return ""
	}
	d, n := p.book.at(p.rows.top)
	return fmt.Sprintf("%s/%d", d.Day, max(0, d.Events-n))
}

// restore goes to the remembered place: a day and the number of its events that lie below.
func (p *eventsPage) restore() {
	day, rest, _ := strings.Cut(p.goTo, "/")
	below, _ := strconv.Atoi(rest)
	p.goTo = ""
	for i, d := range p.book.days {
		if d.Day == day {
			p.rows.jump(p.book.starts[i] + 1 + max(0, min(d.Events-below, d.Events-1)))
		}
	}
}

// --- Rows ---

// pictured redraws the rows of a thumbnail that was loaded.
func (p *eventsPage) pictured(path string) {
	for i := range p.rows.shown {
		if e, _, ok := p.book.event(i); ok && e.Thumbnail != "" && p.env.path(e, e.Thumbnail) == path {
			p.rows.refreshRow(i)
		}
	}
	p.detail.pictured(path)
}

func (p *eventsPage) tapped(i int, m fyne.KeyModifier) {
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
		p.rows.place(true)
	case m&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0:
		_, on := p.picked[e.ID]
		p.pick(e, !on)
		p.rows.refreshRow(i)
		p.last = i
	default:
		p.openEvent(e)
	}
}

// Key is for the event that is shown, or for the list.
func (p *eventsPage) Key(k *fyne.KeyEvent) {
	if p.detail.content.Visible() {
		p.detail.typed(k)
		return
	}
	p.env.win.Canvas().Focus(p.rows)
	p.rows.TypedKey(k)
}

// startSearch turns to the list and its search.
func (p *eventsPage) startSearch() {
	if p.detail.content.Visible() {
		p.closeEvent()
	}
	p.env.win.Canvas().Focus(p.search)
}

// typed handles the keys of the list.
func (p *eventsPage) typed(k *fyne.KeyEvent, _ fyne.KeyModifier) {
	e, _, ok := p.book.event(p.rows.cursor)
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
		p.last = p.rows.cursor
		p.rows.refreshRow(p.rows.cursor)
	case fyne.KeyP:
		on := slices.ContainsFunc(several, func(e event.Event) bool { return !e.Protected })
		p.env.each(several, func(ctx context.Context, e event.Event) error { return p.env.protect(ctx, e, on) })
	case fyne.KeyE:
		p.env.export(several)
	case fyne.KeyDelete:
		p.remove(several)
	case fyne.KeyEscape:
		p.unpick()
	}
}

func (p *eventsPage) updateRow(i int, header bool, o fyne.CanvasObject) {
	if i >= p.book.rows {
		return
	}
	if header {
		d, _ := p.book.at(i)
		o.(*dayRow).set(d, p.env.now())
		return
	}
	r := o.(*eventRow)
	e, key, ok := p.book.event(i)
	if !ok {
		r.blank()
		p.get(key)
		return
	}
	m := rowOf(e, p.env.now())
	r.title.set(m.title, theme.ColorNameForeground)
	r.detail.set(m.detail, theme.ColorNameForeground)
	r.state.set(m.state, colourOf(m.importance))
	if r.lock.Visible() != m.protected {
		shown(r.lock, m.protected)
		r.box.Refresh()
	}
	var picture image.Image
	if e.Thumbnail != "" {
		picture = p.thumbs.get(p.env.path(e, e.Thumbnail))
	}
	if r.thumb.Image != picture {
		r.thumb.Image = picture
		r.thumb.Refresh()
	}
	_, on := p.picked[e.ID]
	r.filling = true
	if r.check.Checked != on {
		r.check.SetChecked(on)
	}
	r.filling = false
	able(r.check, true)
	r.check.OnChanged = func(on bool) {
		if !r.filling {
			p.pick(e, on)
			p.last = i
		}
	}
}

// dayRow is the heading of a day.
type dayRow struct {
	widget.BaseWidget
	day, count *widget.Label
	line       *fyne.Container
}

func newDayRow() *dayRow {
	r := &dayRow{day: widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
		count: widget.NewLabel("")}
	r.count.Importance = widget.LowImportance
	r.line = container.NewHBox(r.day, r.count)
	r.ExtendBaseWidget(r)
	return r
}

func (r *dayRow) set(d event.Day, now time.Time) {
	t, err := time.ParseInLocation("2006-01-02", d.Day, time.Local)
	if err != nil {
		t = now
	}
	r.day.SetText(words.Day(t, now))
	r.count.SetText(words.N(d.Events, "1 event", "%d events"))
	r.line.Refresh()
}

// CreateRenderer shows the day and the number of its events.
func (r *dayRow) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewVBox(layout.NewSpacer(), r.line))
}

// eventRow is a reusable row of the list.
type eventRow struct {
	widget.BaseWidget
	check                *widget.Check
	thumb                *canvas.Image
	title, detail, state *line
	lock                 *widget.Icon
	box                  *fyne.Container
	filling              bool
}

func newEventRow() *eventRow {
	r := &eventRow{thumb: canvas.NewImageFromImage(nil), check: widget.NewCheck("", nil),
		lock: widget.NewIcon(lockIcon)}
	r.thumb.FillMode, r.thumb.CornerRadius = canvas.ImageFillContain, 4
	r.thumb.SetMinSize(fyne.NewSize(112, 63))
	ground := canvas.NewRectangle(color.NRGBA{0x80, 0x80, 0x80, 0x30})
	ground.CornerRadius = 4
	r.title, r.detail, r.state = newLine(fyne.TextStyle{Bold: true}), newLine(fyne.TextStyle{}),
		newLine(fyne.TextStyle{})
	text := container.New(layout.NewCustomPaddedVBoxLayout(2), layout.NewSpacer(), r.title, r.detail, r.state,
		layout.NewSpacer())
	r.box = container.NewBorder(nil, nil,
		container.NewHBox(r.check, container.NewCenter(container.NewStack(ground, r.thumb))),
		container.NewCenter(r.lock),
		container.New(layout.NewCustomPaddedLayout(0, 0, theme.Padding()*2, theme.Padding()), text))
	r.ExtendBaseWidget(r)
	return r
}

// blank shows that the event is not loaded yet.
func (r *eventRow) blank() {
	r.title.set("…", theme.ColorNameForeground)
	r.detail.set("", theme.ColorNameForeground)
	r.state.set("", theme.ColorNameForeground)
	shown(r.lock, false)
	if r.thumb.Image != nil {
		r.thumb.Image = nil
		r.thumb.Refresh()
	}
	r.check.OnChanged = nil
	if r.check.Checked {
		r.check.SetChecked(false)
	}
	able(r.check, false)
}

// colourOf returns the text colour of an importance.
func colourOf(i widget.Importance) fyne.ThemeColorName {
	switch i {
	case widget.HighImportance:
		return theme.ColorNamePrimary
	case widget.WarningImportance:
		return theme.ColorNameWarning
	case widget.DangerImportance:
		return theme.ColorNameError
	case widget.SuccessImportance:
		return theme.ColorNameSuccess
	case widget.LowImportance:
		return theme.ColorNameDisabled
	}
	return theme.ColorNameForeground
}

// CreateRenderer shows the box of the row.
func (r *eventRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.box) }

// cameras returns the cameras of which a clip can be saved.
func cameras(s *status.Status) []status.Camera {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Cameras), func(c status.Camera) bool { return c.State == status.Off })
}

// Package health is the page Health: what is wrong, why there is no clip, and what cameras said to the mail server.
package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Page shows what is wrong, and finds out why there is no clip of a time.
type Page struct {
	env     *page.Env
	content fyne.CanvasObject
	scroll  *container.Scroll

	state  *fyne.Container
	stated string

	camera *widget.Select
	date   *widgets.DateField
	clock  *widget.Entry
	preset string // what Show set the two to
	ask    *widget.Button
	answer *fyne.Container

	doctor *connections
	mails  *unmatchedList
	lost   fyne.CanvasObject // heading of mails

	tested  *widget.Select
	test    *widget.Button
	result  *fyne.Container
	testing bool
}

// New makes the page.
func New(env *page.Env) *Page {
	p := &Page{env: env, state: container.NewVBox(), answer: container.NewVBox(), doctor: newConnections(env),
		mails: newUnmatchedList(env), result: container.NewVBox()}
	p.camera = widget.NewSelect(nil, nil)
	p.date = env.NewDateField("")
	p.clock = widget.NewEntry()
	p.clock.SetPlaceHolder("14:05")
	p.preset = p.asked()
	p.clock.OnSubmitted = func(string) { p.find() }
	p.ask = widgets.Important(widget.NewButtonWithIcon(words.L("Find out"), theme.SearchIcon(), p.find))
	p.tested = widget.NewSelect(nil, nil)
	p.test = widget.NewButtonWithIcon(words.L("Run the self-test"), theme.MediaPlayIcon(), p.selfTest)
	width := func(w float32, o fyne.CanvasObject) fyne.CanvasObject {
		return widgets.Fixed(w, 0, o)
	}
	p.lost = widgets.Heading(words.L("Unassigned mail"))
	p.scroll = container.NewVScroll(container.NewPadded(container.New(widgets.Narrow{Width: 820}, container.NewVBox(
		widgets.Heading(words.L("Now")), p.state,
		widgets.Heading(words.L("Why is there no clip?")),
		widgets.Wrapped(
			words.L("Pick a camera and a time. Preroll checks every step from the alarm to the clip.")),
		container.NewHBox(width(190, p.camera), width(160, p.date), width(90, p.clock), p.ask),
		p.answer,
		widgets.Heading(words.L("Mail connections")), p.doctor.content,
		p.lost, p.mails.content,
		widgets.Heading(words.L("Self-test")),
		widgets.Wrapped(
			words.L(
				"Sends a real mail for a camera through the real port, waits for its clip, reads it back and measures its pre-roll.")),
		container.NewHBox(width(190, p.tested), p.test), p.result,
	))))
	p.content = p.scroll
	return p
}

// Content returns what the page shows.
func (p *Page) Content() fyne.CanvasObject { return p.content }

// Show follows the mail connections from now on.
func (p *Page) Show() {
	p.doctor.visible(true)
	if p.asked() == p.preset && len(p.answer.Objects) == 0 { // nobody has asked or typed
		now := p.env.Now()
		p.date.SetDate(&now)
		p.clock.SetText(now.Format("15:04"))
		p.preset = p.asked()
	}
	p.draw()
}

// asked returns the day and the time in the fields.
func (p *Page) asked() string { return p.date.Text + " " + p.clock.Text }

// ShowMails scrolls to the mails that fit no camera.
func (p *Page) ShowMails() {
	p.content.Refresh() // the page may be new, without a size
	p.scroll.ScrollToOffset(fyne.NewPos(0, p.lost.Position().Y))
}

// Hide follows the mail connections no more.
func (p *Page) Hide() { p.doctor.visible(false) }

// Update draws how the recorder is.
func (p *Page) Update(control.Update, bool) { p.draw() }

// Tick asks for the mail connections.
func (p *Page) Tick() { p.doctor.tick() }

// Key does nothing: the page has no keys.
func (p *Page) Key(*fyne.KeyEvent) {}

func (p *Page) draw() {
	s := p.env.Status
	all := []string{words.L("All cameras")}
	var names, ids []string
	if s != nil {
		for _, c := range s.Cameras {
			names, ids = append(names, c.Name), append(ids, c.ID)
		}
	}
	names = page.Distinct(names, ids)
	all = append(all, names...)
	if !slices.Equal(p.camera.Options, all) {
		p.camera.SetOptions(all)
		p.camera.SetSelectedIndex(min(max(0, p.camera.SelectedIndex()), len(all)-1))
		p.tested.SetOptions(names)
		if len(names) > 0 && p.tested.SelectedIndex() < 0 {
			p.tested.SetSelectedIndex(0)
		}
		p.doctor.draw() // it also shows the cameras' names
	}

	widgets.SetEnabled(p.test, len(names) > 0 && !p.testing)
	widgets.SetEnabled(p.ask, s != nil)
	p.drawState(s)
	p.mails.draw(s)
}

// drawState lists what is right and wrong now.
func (p *Page) drawState(s *status.Status) {
	troubles, list := p.env.Troubles(), findingsOf(s)
	key := fmt.Sprint(list)
	for _, t := range troubles {
		key += t.Text + t.Button
	}
	if key == p.stated {
		return
	}
	p.stated = key
	p.state.RemoveAll()
	for _, t := range troubles {
		p.state.Add(page.TroubleRow(t))
	}
	if s != nil && len(troubles) == 0 && len(s.Cameras) > 0 && !s.Pause.On {
		p.state.Add(finding(status.Finding{OK: true, Text: plain(words.L("All is well.") + " " + page.Headline(s) +
			".")}))
	}
	for _, f := range list {
		p.state.Add(finding(f))
	}
	p.state.Refresh()
}

// findingsOf returns what else is known of the recorder.
func findingsOf(s *status.Status) (list []status.Finding) {
	if s == nil {
		return nil
	}
	if s.Pause.On {
		list = append(list, status.Finding{OK: true, Warn: true,
			Text: plain(page.Headline(s) + ". " +
				words.N(s.Pause.Missed, "1 alarm came meanwhile.", "%d alarms came meanwhile."))})
	}
	if ports := page.PortsOf(s.SMTP); ports != "" {
		text := words.L("Alarm mail: listening on %s, %s since the start.", ports,
			words.N(s.SMTP.Mails, "1 mail", "%d mails"))
		if m := s.SMTP.Last; m != nil {
			text += " " + words.L("The last one at %s from %s.", m.Time.Local().Format("15:04:05"), m.From)
		}
		list = append(list, status.Finding{OK: true, Text: plain(text)})
	}

	if s.SMTP.Refused > 0 {
		list = append(list, status.Finding{OK: true, Warn: true,
			Text: plain(words.L("%d connections came from networks that are not allowed.", s.SMTP.Refused))})
	}
	if s.Archive.Error.IsZero() {
		list = append(list, status.Finding{OK: true,
			Text: plain(words.L("Archive: %s, %s; %s free in %s.", words.N(s.Archive.Events, "1 event", "%d events"),
				words.Size(s.Archive.Bytes), words.Size(s.Archive.Free), s.Archive.Path))})
	}
	for _, d := range s.Archive.Away {
		list = append(list, status.Finding{OK: true, Warn: true,
			Text: plain(words.L("Drive of %s is not there: %s lie on it, %s.", d.Path,
				words.N(d.Events, "1 event", "%d events"), words.Size(d.Bytes))),
			Hint: plain(words.L("Plug it in to see them. If it is gone for good, delete them: they leave the list."))})
	}
	list = append(list, status.Finding{OK: true,
		Text: plain(words.L("RAM: %s of %s used on %s (%s).", words.Size(s.RAM.Used),
			words.Size(s.RAM.Budget),
			s.RAM.Path, s.RAM.Kind))})
	return list
}

// finding shows one finding with its icon.
func finding(f status.Finding) fyne.CanvasObject {
	var icon fyne.Resource = theme.NewSuccessThemedResource(theme.ConfirmIcon())
	switch {
	case !f.OK:
		icon = theme.NewErrorThemedResource(theme.ErrorIcon())
	case f.Warn:
		icon = theme.NewWarningThemedResource(theme.WarningIcon())
	}
	text := words.Say(f.Text)
	if !f.About.IsZero() {
		text = words.L("%s: %s", words.Say(f.About), text)
	}
	box := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()*2), widgets.Wrapped(text))
	if !f.Hint.IsZero() {
		h := widgets.Wrapped(words.Say(f.Hint))
		h.Importance = widget.LowImportance
		box.Add(h)
	}
	return container.NewBorder(nil, nil,
		container.NewVBox(widgets.Fixed(28, 34, widget.NewIcon(icon))), nil, box)
}

// find asks the recorder why there is no clip.
func (p *Page) find() {
	at, err := whenOf(p.date.Date, p.clock.Text, p.env.Now())
	if err != nil {
		p.showFindings(p.answer, status.Finding{Text: text.Of(err)})
		return
	}
	camera := ""
	if i := p.camera.SelectedIndex(); i > 0 && p.env.Status != nil && i <= len(p.env.Status.Cameras) {
		camera = p.env.Status.Cameras[i-1].ID
	}
	p.ask.Disable()
	p.env.Work.Go(func() {
		list, err := p.env.Client.Why(p.env.Ctx, camera, at)
		p.env.Do(func() {
			p.ask.Enable()
			if err != nil {
				list = []status.Finding{{Text: text.Of(err)}}
			}
			p.showFindings(p.answer, list...)
		})
	})
}

// whenOf parses a day and a time of day. Without a day it uses today.
func whenOf(day *time.Time, clock string, now time.Time) (time.Time, error) {
	d := now
	if day != nil {
		d = *day
	}
	for _, form := range []string{"15:04:05", "15:04", "15"} {
		if t, err := time.Parse(form, strings.TrimSpace(clock)); err == nil {
			return time.Date(d.Year(), d.Month(), d.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s", words.L("Type the time as 14:05."))
}

func (p *Page) showFindings(box *fyne.Container, list ...status.Finding) {
	box.RemoveAll()
	for _, f := range list {
		box.Add(finding(f))
	}
	box.Refresh()
	p.content.Refresh()
}

// --- Self-test ---

// selfTest runs the whole way of an alarm and shows the result of each link.
func (p *Page) selfTest() {
	i := p.tested.SelectedIndex()
	if p.env.Status == nil || i < 0 || i >= len(p.env.Status.Cameras) {
		return
	}
	c := p.env.Status.Cameras[i]
	p.testing = true
	p.test.Disable()
	p.showFindings(p.result)
	var list []status.Finding
	say := func(f status.Finding) {
		p.env.Do(func() {
			if n := len(list); n > 0 && list[n-1].Warn {
				list = list[:n-1] // the message about waiting
			}
			list = append(list, f)
			p.showFindings(p.result, list...)
			p.scroll.ScrollToBottom() // where the result is
		})
	}

	p.env.Work.Go(func() {
		goThrough(p.env.Ctx, p.env.Client, c, say)
		p.env.Do(func() {
			p.testing = false
			p.draw()
		})
	})
}

// goThrough sends an alarm mail for a camera and follows the alarm until its clip is checked.
func goThrough(ctx context.Context, client *control.Client, c status.Camera, say func(status.Finding)) {
	began := time.Now()
	if err := client.Mail(ctx, c.ID); err != nil {
		say(status.Finding{Text: plain(words.L("The alarm mail was not accepted: %s", words.Error(err)))})
		return
	}
	say(status.Finding{OK: true, Text: plain(words.L("The alarm mail was accepted after %.2f s.",
		time.Since(began).Seconds()))})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	id := ""
	for {
		list, err := client.Events(ctx, event.Query{Camera: c.ID, Limit: 1})
		if err != nil {
			say(status.Finding{Text: text.Of(err)})
			return
		}
		if len(list) == 0 || id == "" && list[0].LastTrigger.Before(began.Add(-time.Second)) {
			say(status.Finding{Text: plain(words.L("The mail made no event.")),
				Hint: plain(words.L("Is the camera switched on, or Preroll paused?"))})
			return
		}
		e := list[0]
		if id == "" {
			id = e.ID
		}
		if e.ID != id { // another event began in the meantime
			if e, err = client.Event(ctx, id); err != nil {
				say(status.Finding{Text: text.Of(err)})
				return
			}
		}
		if e.State.Ended() {
			say(resultOf(e))
			break
		}
		text, _ := page.StateOf(e, time.Now())
		say(status.Finding{OK: true, Warn: true, Text: plain(text)})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}

	v, err := client.Verify(ctx, id)
	if err != nil {
		say(status.Finding{Text: text.Of(err)})
		return
	}
	say(status.Finding{OK: v.OK, Text: v.Text})
}

// resultOf says how the event of a self-test ended.
func resultOf(e event.Event) status.Finding {
	got, asked := e.Receipt.PreRollGot.D().Seconds(), e.Receipt.PreRollAsked.D().Seconds()
	switch {
	case e.State == event.Saved:
		return status.Finding{OK: true,
			Text: plain(words.L("The clip is saved, with %.1f s before the alarm; %.0f s were asked.", got, asked))}
	case e.State == event.Incomplete:
		return status.Finding{Text: plain(words.L("The clip is saved, but not complete: %s", words.Say(e.Why())))}
	}

	return status.Finding{Text: plain(words.L("There is no clip: %s", words.Say(e.Why())))}
}

// plain returns a finding's text that is already in the user's language.
func plain(s string) text.Text { return text.Plain(s) }

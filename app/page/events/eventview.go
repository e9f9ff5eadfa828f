package events

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// eventView shows one event: its clip in the player, and the receipt beside it.
type eventView struct {
	env     *page.Env
	list    *Page
	content *fyne.Container
	event   event.Event
	clip    int    // index of the clip that is shown
	opened  bool   // the player has the clip
	missing string // path of a clip that somebody removed
	follows bool   // the player has the video of the camera, while the event is being saved

	title    *widget.Label
	protect  *widget.Button
	remove   *widgets.IconButton
	export   *widget.Button
	player   *page.Player
	others   *others
	ahead    ahead
	parts    *widget.Select
	waiting  *widget.Label
	receipt  *fyne.Container
	snapshot *canvas.Image
	verdict  *widget.Label
}

func newEventView(p *Page) *eventView {
	v := &eventView{env: p.env, list: p, player: page.NewPlayer(p.env)}
	v.player.Line.Typed = v.typed
	v.others, v.ahead = newOthers(v), ahead{v: v}
	back := widget.NewButtonWithIcon(words.L("Events"), theme.NavigateBackIcon(), func() { p.closeEvent() })
	v.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	v.title.Truncation = fyne.TextTruncateEllipsis
	newer := widgets.NewIcon(theme.MoveUpIcon(), words.L("Newer event (arrow up)"), func() { p.neighbour(-1) })
	older := widgets.NewIcon(theme.MoveDownIcon(), words.L("Older event (arrow down)"), func() { p.neighbour(1) })
	v.protect = widget.NewButtonWithIcon(words.L("Protect"), widgets.LockIcon, v.toggleProtection)
	v.export = widget.NewButtonWithIcon(words.L("Export"), theme.DownloadIcon(), func() {
		export(v.env, []event.Event{v.event})
	})
	v.remove = widgets.NewIcon(theme.DeleteIcon(), words.L("Delete (Del)"), func() { p.remove([]event.Event{v.event}) })
	v.parts = widget.NewSelect(nil, func(string) {
		if i := v.parts.SelectedIndex(); i >= 0 && i != v.clip {
			v.clip, v.opened = i, false
			v.play()
			v.focus()
		}
	})
	v.waiting = widget.NewLabel("")
	v.waiting.Wrapping, v.waiting.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	v.receipt = container.NewVBox()
	v.snapshot = canvas.NewImageFromImage(nil)
	v.snapshot.FillMode = canvas.ImageFillContain
	v.snapshot.SetMinSize(fyne.NewSize(160, 120))
	v.verdict = widget.NewLabel("")
	v.verdict.Wrapping = fyne.TextWrapWord

	top := container.NewBorder(nil, nil, container.NewHBox(back, newer, older),
		container.NewHBox(v.protect, v.export, v.remove), v.title)
	left := container.NewBorder(v.parts, nil, nil, nil, container.NewBorder(v.others.row, nil, nil, nil,
		container.NewStack(v.player.Content, container.NewVBox(layout.NewSpacer(), v.waiting, layout.NewSpacer()))))
	right := container.NewBorder(nil, nil, widget.NewSeparator(), nil,
		container.NewVScroll(container.NewPadded(v.receipt)))
	v.content = container.NewPadded(container.NewBorder(top, nil, nil, nil,
		container.New(widgets.SideBar{Width: 320}, left, right)))
	return v
}

// show shows an event.
func (v *eventView) show(e event.Event) {
	if v.event.ID != e.ID {
		v.missing = ""
		// the player switches to the other clip, so there is never a second FFmpeg
		v.opened, v.follows, v.clip = false, false, 0
		v.others.clear()
		v.verdict.SetText("")
		v.verdict.Hide()
		v.snapshot.Image = nil
	}
	v.event = e
	v.draw()
	v.play()
	v.lookForFiles()
}

// lookForFiles finds out whether a clip is gone, although its drive is there.
func (v *eventView) lookForFiles() {
	e := v.event
	if isAway(v.env, e) {
		return
	}
	var paths []string
	for _, c := range e.Clips {
		paths = append(paths, v.env.Path(e, c.File))
	}
	v.env.Work.Go(func() {
		missing := ""
		for _, p := range paths {
			if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
				missing = p
			}
		}
		v.env.Do(func() {
			if v.event.ID == e.ID && v.missing != missing {
				v.missing = missing
				v.draw()
			}
		})
	})
}

// changed updates the event if it is shown.
func (v *eventView) changed(e event.Event) {
	switch {
	case !v.content.Visible():
	case e.ID == v.event.ID:
		v.show(e)
	case v.opened && v.others.lacks(e):
		v.others.find()
	}
}

// reload asks for the shown event again, after a time in which no changes were reported.
func (v *eventView) reload() {
	if !v.content.Visible() {
		return
	}
	id := v.event.ID
	v.env.Work.Go(func() {
		e, err := v.env.Client.Event(v.env.Ctx, id)
		v.env.Do(func() {
			var gone *control.Error
			switch {
			case v.event.ID != id || !v.content.Visible():
			case err == nil:
				v.show(e)
			case errors.As(err, &gone):
				v.list.closeEvent()
			}
		})
	})
}

// leave ends the player.
func (v *eventView) leave() {
	v.player.LeaveFull()
	v.others.clear()
	v.ahead.stop()
	v.player.Close()
	v.opened, v.follows = false, false
}

// typed handles the keys of the page. The rest goes to the player.
func (v *eventView) typed(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyEscape, fyne.KeyBackspace:
		if !v.player.LeaveFull() {
			v.list.closeEvent()
		}
	case fyne.KeyUp:
		v.list.neighbour(-1)
	case fyne.KeyDown:
		v.list.neighbour(1)
	case fyne.KeyP:
		v.toggleProtection()
	case fyne.KeyB:
		v.others.toggle(max(v.others.shown, 0))
	case fyne.KeyE:
		export(v.env, []event.Event{v.event})
	case fyne.KeyDelete:
		v.list.remove([]event.Event{v.event})
	default:
		v.player.Typed(k)
	}
}

func (v *eventView) focus() { v.env.Window.Canvas().Focus(v.player.Line) }

// play opens the clip in the player. While the event is being saved, it opens what the camera films, from the pre-roll
// on. The clip takes over where the user is.
func (v *eventView) play() {
	e := v.event
	playable := v.clip < len(e.Clips)
	follow := !playable && !e.State.Ended() && v.env.Status != nil
	widgets.SetVisible(v.player.Content, playable || follow)
	widgets.SetVisible(v.waiting, !playable && !follow)
	var names []string
	for i, c := range e.Clips {
		names = append(names, words.L("File %d of %d, from %s", i+1, len(e.Clips), c.Start.Local().Format("15:04:05")))
	}
	widgets.SetVisible(v.parts, len(names) > 1)
	v.parts.SetOptions(names)
	if follow {
		v.follow()
		return
	}
	if !playable {
		v.leave()
		text, _ := v.env.StateOf(e)
		v.waiting.SetText(text)
		return
	}

	if v.parts.SelectedIndex() != v.clip {
		v.parts.SetSelectedIndex(v.clip)
	}
	if v.opened {
		return
	}
	c := e.Clips[v.clip]
	video := page.Video{Source: player.Source{Path: v.env.Path(e, c.File), Length: c.Length.D()}, Name: e.Title(),
		Start: c.Start, Marks: marksOf(e, c.Start, c.Length.D())}
	if v.follows {
		video.At = min(max(0, v.player.Shown().Sub(c.Start)), c.Length.D())
		video.Poster = v.player.Picture.Image
	} else if m := v.ahead.pictures[e.ID]; m != nil && v.clip == 0 {
		video.Poster = m
	} else if e.Thumbnail != "" && v.clip == 0 {
		video.Poster = v.list.thumbs.get(v.env.Path(e, e.Thumbnail))
	}
	v.opened, v.follows = true, false
	v.others.clear()
	v.player.Open(video)
	v.others.find()
	v.ahead.load()
}

// follow opens what the camera films, from the beginning of the event on.
func (v *eventView) follow() {
	e := v.event
	if v.follows {
		v.player.Mark(marksOf(e, e.From, e.Until.Sub(e.From)))
		return
	}
	v.follows, v.opened = true, false
	v.player.Open(page.Video{Source: v.env.Stream(e.Camera, e.From), Name: e.Title(), Start: e.From,
		Marks: marksOf(e, e.From, e.Until.Sub(e.From)), Span: func() (from, to time.Duration) {
			to = v.env.Now().Sub(e.From)
			if s := v.env.Known(); s != nil {
				from = max(0, to-s.RAM.Keep.D())
			}
			return from, to
		}})
}

// marksOf returns the positions of an event's alarms that lie in a video.
func marksOf(e event.Event, start time.Time, length time.Duration) (marks []time.Duration) {
	for _, t := range e.Triggers {
		if at := t.Time.Sub(start); at >= 0 && at <= length {
			marks = append(marks, at)
		}
	}
	return marks
}

// tick updates an event that is being saved.
func (v *eventView) tick() {
	if v.content.Visible() && !v.event.State.Ended() {
		v.player.Tick()
		v.draw()
	}
}

// draw writes the receipt.
func (v *eventView) draw() {
	e := v.event
	now := v.env.Now()
	v.title.SetText(words.Day(e.Time, now) + " " + e.Time.Local().Format("15:04:05") + "  ·  " + page.LabelOf(e) +
		"  ·  " + e.Title())
	if e.Protected {
		v.protect.SetText(words.L("Unprotect"))
	} else {
		v.protect.SetText(words.L("Protect"))
	}
	ended := e.State.Ended()
	widgets.SetEnabled(v.protect, ended)
	widgets.SetEnabled(v.remove, ended && !e.Protected)
	widgets.SetEnabled(v.export, len(e.Clips) > 0)

	box := container.NewVBox()
	text, importance := v.env.StateOf(e)
	state := widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	state.Wrapping, state.Importance = fyne.TextWrapWord, importance
	if e.State == event.Saved {
		state.Importance = widget.SuccessImportance
	}
	if v.missing != "" {
		state.Importance = widget.DangerImportance
		state.SetText(words.L("The clip file is missing: %s", v.missing))
	}
	box.Add(state)
	if !ended && !v.env.Gone { // nothing is being saved without a recorder
		bar := widget.NewProgressBar()
		if whole := e.Until.Sub(e.From); whole > 0 {
			bar.SetValue(min(1, now.Sub(e.From).Seconds()/whole.Seconds()))
		}
		box.Add(bar)
	}

	for _, r := range receiptOf(e) {
		box.Add(fact(r[0], r[1]))
	}
	if e.Snapshot != "" {
		box.Add(caption(words.L("The camera's own picture")))
		if v.snapshot.Image == nil {
			v.snapshot.Image = v.list.thumbs.get(v.env.Path(e, e.Snapshot))
		}
		box.Add(v.snapshot)
	}

	if len(e.Triggers) > 0 {
		box.Add(caption(words.N(e.TriggerCount, "1 alarm", "%d alarms")))
		for i, t := range e.Triggers {
			if i == shownAlarms {
				box.Add(fact("", words.L("… and %d more", e.TriggerCount-i)))
				break
			}
			box.Add(link(t.Time.Local().Format("15:04:05"), alarmOf(t), func() { v.player.SeekTo(t.Time) }))
		}

		if e.Mail != "" {
			path := v.env.Path(e, e.Mail)
			box.Add(container.NewHBox(widget.NewButtonWithIcon(words.L("Open the mail"), theme.MailComposeIcon(),
				func() {
					v.env.Try(func(context.Context) error { return opener.Open(path) }, nil)
				})))
		}
	}

	if len(e.Gaps) > 0 {
		box.Add(caption(words.L("What is missing")))
		for _, g := range e.Gaps {
			box.Add(fact(g.From.Local().Format("15:04:05"),
				words.L("%.1f s: %s", g.To.Sub(g.From).Seconds(), words.Say(g.Why()))))
		}
	}

	for _, c := range e.Clips {
		v.addFile(box, c)
	}
	if len(e.Clips) > 0 {
		check := widget.NewButtonWithIcon(words.L("Check the clip"), theme.SearchIcon(), nil)
		check.OnTapped = func() { v.check(check) }
		box.Add(container.NewHBox(check))
		box.Add(v.verdict)
	}
	v.receipt.Objects = box.Objects
	v.receipt.Refresh()
}

// --- Receipt ---

// shownAlarms is how many alarms of an event are listed.
const shownAlarms = 12

// alarmOf says what is known of an alarm.
func alarmOf(t event.Trigger) string {
	if t.Source == event.Manual {
		return words.L("by hand")
	}
	parts := []string{}
	for _, s := range []string{words.Label(t.Label), t.Channel, t.Subject, t.Sender, t.From} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if t.Said != "" {
		parts = append(parts, words.L("by the camera's clock %s", t.Said))
	}
	return strings.Join(parts, "  ·  ")
}

// receiptOf returns what was asked and what was got, as pairs of name and value.
func receiptOf(e event.Event) (list [][2]string) {
	add := func(name, value string) { list = append(list, [2]string{name, value}) }
	r := e.Receipt
	if len(e.Clips) == 0 {
		return nil
	}
	add(words.L("Length"), words.Length(e.Length())+"  ·  "+words.Size(e.Bytes()))
	if e.Continues == "" {
		add(words.L("Pre-roll"), words.L("%.1f s (%.0f s requested)", r.PreRollGot.D().Seconds(),
			r.PreRollAsked.D().Seconds()))
	}
	add(words.L("Post-roll"), words.L("%.1f s (%.0f s requested)", r.PostRollGot.D().Seconds(),
		r.PostRollAsked.D().Seconds()))
	if d := r.DurableAfter.D(); d > 0 {
		add(words.L("Safe on disk"), words.L("%.2f s after the alarm", d.Seconds()))
	}
	if e.Protected {
		add(words.L("Protected"), words.L("never deleted automatically"))
	}
	return list
}

// addFile adds the file of a clip and the buttons for it.
func (v *eventView) addFile(box *fyne.Container, c event.Clip) {
	path := v.env.Path(v.event, c.File)
	box.Add(caption(words.L("File")))
	name := widget.NewLabel(path)
	name.Wrapping, name.Selectable = fyne.TextWrapBreak, true
	name.SizeName = theme.SizeNameCaptionText
	box.Add(name)
	box.Add(container.New(&widgets.Flow{},
		widgets.NewIcon(theme.FolderOpenIcon(), words.L("Show in folder"), func() {
			v.env.Try(func(context.Context) error { return opener.Reveal(path) }, nil)
		}),
		widget.NewButtonWithIcon(words.L("Open"), theme.MediaVideoIcon(), func() {
			v.env.Try(func(context.Context) error { return opener.Open(path) }, nil)
		}),
		widget.NewButtonWithIcon(words.L("Copy"), theme.ContentCopyIcon(), func() { v.copy(path) })))
	sum := widget.NewLabel("SHA-256 " + c.SHA256)
	sum.Wrapping, sum.Selectable = fyne.TextWrapBreak, true
	sum.SizeName, sum.Importance = theme.SizeNameCaptionText, widget.LowImportance
	box.Add(sum)
}

// copy copies the file to the clipboard, or its path if the desktop cannot copy files.
func (v *eventView) copy(path string) {
	v.env.Work.Go(func() {
		err := opener.CopyFile(path)
		v.env.Do(func() {
			switch {
			case err == nil:
				v.env.Toast(words.L("The file is on the clipboard."))
			case errors.Is(err, opener.ErrNoClipboard):
				fyne.CurrentApp().Clipboard().SetContent(path)
				v.env.Toast(words.L("The file's path is on the clipboard."))
			default:
				v.env.Fail(err)
			}
		})
	})
}

// check reads the clips back and shows the verdict.
func (v *eventView) check(b *widget.Button) {
	b.Disable()
	id := v.event.ID
	v.showMessage(words.L("Reading the clip …"), widget.MediumImportance)
	var verdict status.VerifyResult
	v.env.Try(func(ctx context.Context) (err error) {
		verdict, err = v.env.Client.Verify(ctx, id)
		return err
	}, func() {
		b.Enable()
		if v.event.ID != id {
			return
		}
		i := widget.SuccessImportance
		if !verdict.OK {
			i = widget.DangerImportance
		}
		v.showMessage(words.Say(verdict.Text), i)
	})
}

func (v *eventView) showMessage(text string, i widget.Importance) {
	v.verdict.Importance = i
	v.verdict.SetText(text)
	widgets.SetVisible(v.verdict, text != "")
	v.receipt.Refresh()
}

func (v *eventView) toggleProtection() {
	e, on := v.event, !v.event.Protected
	v.env.Try(func(ctx context.Context) error { return v.env.Protect(ctx, e, on) }, nil)
}

// pictured shows a picture that was loaded.
func (v *eventView) pictured(path string) {
	e := v.event
	if !v.content.Visible() {
		return
	}
	if e.Snapshot != "" && v.env.Path(e, e.Snapshot) == path && v.snapshot.Image == nil {
		v.snapshot.Image = v.list.thumbs.get(path)
		v.snapshot.Refresh()
	}
	if e.Thumbnail != "" && v.env.Path(e, e.Thumbnail) == path {
		v.player.Poster(v.list.thumbs.get(path))
	}
}

// caption returns the heading of a part of the receipt.
func caption(text string) fyne.CanvasObject {
	l := widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	l.Truncation = fyne.TextTruncateEllipsis
	return container.New(layout.NewCustomPaddedVBoxLayout(0), widget.NewSeparator(), l)
}

// link returns a fact whose name can be clicked.
func link(name, value string, do func()) fyne.CanvasObject {
	b := widget.NewButton(name, do)
	b.Importance, b.Alignment = widget.LowImportance, widget.ButtonAlignLeading
	return container.NewBorder(nil, nil, container.NewVBox(widgets.Fixed(104, 0, b)), nil, widgets.Wrapped(value))
}

// fact returns a name and a value of one or more lines.
func fact(name, value string) fyne.CanvasObject {
	v := widget.NewLabel(value)
	v.Wrapping = fyne.TextWrapWord
	if name == "" {
		return v
	}
	n := widget.NewLabel(name)
	n.Importance = widget.LowImportance
	return container.NewBorder(nil, nil,
		container.NewVBox(widgets.Fixed(104, 0, n)), nil, v)
}

// Package cameras is the page Cameras: a card for each camera, and the live view of one.
package cameras

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// Page shows a card for each camera, or one camera live.
type Page struct {
	env     *page.Env
	content *fyne.Container
	listing fyne.CanvasObject
	empty   fyne.CanvasObject
	grid    *fyne.Container // of the cards, in the order of the status
	banner  *page.Banner
	ram     *widget.ProgressBar
	ramText *widget.Label
	pause   *widget.Button
	save    *widget.Button

	live      fyne.CanvasObject
	player    *page.Player
	liveTitle *widget.Label
	liveID    string
	liveSince time.Time // when the run began that is shown; zero if none is
	here      *widget.Button

	seen   bool                   // the page is visible
	stills map[string]image.Image // the last picture of each camera
	taking bool
	polled time.Time // when the recorder was asked last
	asking bool
}

// The pictures on the cards: how often they and the state of the rings are asked for, and their width in pixels.
const (
	lookAge    = 4 * time.Second
	stillWidth = 480
)

// New makes the page.
func New(env *page.Env) *Page {
	p := &Page{env: env, stills: map[string]image.Image{}}
	grid := &widgets.Grid{Width: cardWidth, Height: cardText + cardRing, Ratio: 9.0 / 16}
	p.grid = container.New(grid)
	grid.Scroll = container.NewVScroll(container.NewPadded(p.grid))
	p.ram = widget.NewProgressBar()
	p.ram.TextFormatter = func() string { return "" }
	p.ramText = widget.NewLabel("")
	p.ramText.Wrapping = fyne.TextWrapWord
	p.save = env.NewSaveButton()
	p.pause = widget.NewButtonWithIcon(words.L("Pause"), theme.MediaPauseIcon(), p.choosePause)
	add := widget.NewButtonWithIcon(words.L("Add a camera"), theme.ContentAddIcon(), func() {
		env.EditCamera("")
	})
	p.banner = page.NewBanner(env)
	top := container.NewVBox(p.banner.Content,
		container.NewBorder(nil, nil, nil, container.NewHBox(add, p.pause, p.save),
			container.NewBorder(nil, nil,
				widget.NewLabelWithStyle("RAM", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), nil,
				container.NewVBox(layout.NewSpacer(), container.New(widgets.FixedHeight{Height: 8}, p.ram),
					layout.NewSpacer()))),
		p.ramText)
	p.empty = widgets.Centred(words.L("No camera is set up yet"),
		words.L("You need its network address, and the user and password of the camera itself."),
		widgets.Important(widget.NewButtonWithIcon(words.L("Set up"), theme.NavigateNextIcon(), env.OpenGuide)))
	p.listing = container.NewBorder(container.NewPadded(top), nil, nil, nil, container.NewStack(grid.Scroll, p.empty))

	p.player = page.NewPlayer(env)
	p.player.Line.Typed = p.Key
	p.liveTitle = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	back := widget.NewButtonWithIcon(words.L("Cameras"), theme.NavigateBackIcon(), p.closeLive)
	now := widget.NewButtonWithIcon(words.L("Save a clip now"), theme.MediaRecordIcon(), func() {
		p.saveClip(p.liveID)
	})
	now.Importance = widget.HighImportance
	p.here = widget.NewButtonWithIcon(words.L("Save from here"), theme.HistoryIcon(), p.saveFromHere)
	p.live = container.NewPadded(container.NewBorder(container.NewBorder(nil, nil, back, container.NewHBox(p.here, now),
		p.liveTitle), nil, nil, nil, p.player.Content))
	p.live.Hide()
	p.content = container.NewStack(p.listing, p.live)
	p.draw()
	return p
}

// list returns the cameras. Of a recorder that is gone it returns the last ones, none of which is recorded.
func (p *Page) list() []status.Camera {
	switch {
	case p.env.Status != nil:
		return p.env.Status.Cameras
	case !p.env.Gone || p.env.Last == nil:
		return nil
	}
	list := slices.Clone(p.env.Last.Cameras)
	for i := range list {
		c := &list[i]
		c.PreRoll, c.BitRate, c.Advice = 0, 0, nil
		if c.State != status.Off {
			c.State = status.Waiting
		}
	}
	return list
}

// keep is how long a full ring is, or 0 if that is not known.
func (p *Page) keep() time.Duration {
	if s := p.env.Known(); s != nil {
		return s.RAM.Keep.D()
	}
	return 0
}

// Content returns what the page shows.
func (p *Page) Content() fyne.CanvasObject { return p.content }

// Show takes pictures from now on.
func (p *Page) Show() {
	p.seen, p.polled = true, time.Time{}
	p.draw()
	p.Tick()
}

// Hide takes no more pictures, and ends the live view's FFmpeg.
func (p *Page) Hide() {
	p.seen = false
	p.player.LeaveFull()
	p.player.Close()
	p.liveSince = time.Time{}
}

// Update draws the cameras.
func (p *Page) Update(control.Update, bool) { p.draw() }

// Key is for the live view: Escape leaves it, and the rest goes to the player.
func (p *Page) Key(k *fyne.KeyEvent) {
	switch {
	case !p.live.Visible():
	case k.Name == fyne.KeyEscape && !p.player.LeaveFull():
		p.closeLive()
	case k.Name != fyne.KeyEscape:
		p.player.Typed(k)
	}
}

func (p *Page) draw() {
	s := p.env.Status
	if p.banner.Draw() {
		p.content.Refresh()
	}
	widgets.SetVisible(p.banner.Content, p.env.Gone) // each card tells of its own trouble
	widgets.SetVisible(p.empty, s != nil && len(s.Cameras) == 0)
	widgets.SetVisible(p.pause, s != nil && len(s.Cameras) > 0)
	widgets.SetVisible(p.save, len(page.CamerasOf(s)) > 0)
	if s != nil {
		text, icon := words.L("Pause"), theme.MediaPauseIcon()
		if s.Pause.On {
			text, icon = words.L("Resume"), theme.MediaPlayIcon()
		}
		if p.pause.Text != text {
			p.pause.SetText(text)
			p.pause.SetIcon(icon)
		}
		if s.RAM.Budget > 0 {
			setPart(p.ram, float64(s.RAM.Used)/float64(s.RAM.Budget))
		}
		if text := page.RAMOf(*s, s.RAM.Keep.D()); text != p.ramText.Text {
			before := p.ramText.MinSize().Height
			p.ramText.SetText(text)
			if p.ramText.MinSize().Height != before {
				p.content.Refresh()
			}
		}
	} else {
		p.ramText.SetText("")
	}

	if p.seen {
		p.refresh()
		p.follow()
	}
}

// setPart sets a bar to a part of its length. It draws only what can be seen to change.
func setPart(b *widget.ProgressBar, part float64) {
	if part = min(1, part); math.Abs(part-b.Value) >= 0.005 {
		b.SetValue(part)
	}
}

// refresh draws the cards.
func (p *Page) refresh() {
	list := p.list()
	for len(p.grid.Objects) < len(list) {
		p.grid.Add(newCard(p))
	}
	if len(p.grid.Objects) > len(list) {
		p.grid.Objects = p.grid.Objects[:len(list)]
		p.grid.Refresh()
	}
	for i, c := range list {
		p.grid.Objects[i].(*card).set(c)
	}
}

// Tick asks how the cameras are, and for the next picture.
func (p *Page) Tick() {
	if !p.seen {
		return
	}
	if p.live.Visible() {
		p.player.Tick()
		p.follow()
		return
	}
	p.refresh()
	if p.env.Now().Sub(p.polled) >= lookAge { // each change draws the window, which costs more than the answers
		p.polled = p.env.Now()
		p.poll()
		p.takeStills()
	}
}

// poll asks for the status, because the recorder does not report that the rings fill.
func (p *Page) poll() {
	if p.asking {
		return
	}
	p.asking = true
	p.env.Work.Go(func() {
		s, err := p.env.Client.Status(p.env.Ctx)
		p.env.Do(func() {
			p.asking = false
			if err == nil && p.env.Status != nil { // the recorder may be gone by now
				p.env.Status = &s
				p.draw()
			}
		})
	})
}

// takeStills asks for the pictures of all cameras.
func (p *Page) takeStills() {
	if p.taking {
		return
	}
	p.taking = true
	p.env.Work.Go(func() {
		list, err := p.env.Client.Stills(p.env.Ctx, stillWidth)
		stills := map[string]image.Image{}
		for id, b := range list {
			if m, err := jpeg.Decode(bytes.NewReader(b)); err == nil {
				stills[id] = m
			}
		}
		p.env.Do(func() {
			p.taking = false
			if err == nil { // without a picture the card says what the camera does
				maps.Copy(p.stills, stills)
				if p.seen {
					p.refresh()
				}
			}
		})
	})
}

// choosePause ends the pause, or asks how long a new pause lasts.
func (p *Page) choosePause() {
	if s := p.env.Status; s != nil && s.Pause.On {
		p.env.Try(p.env.Client.EndPause, nil)
		return
	}
	item := func(name string, d time.Duration) *fyne.MenuItem {
		return fyne.NewMenuItem(name, func() {
			p.env.Try(func(ctx context.Context) error { return p.env.Client.Pause(ctx, d) }, nil)
		})
	}
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(p.pause).AddXY(0, p.pause.Size().Height)
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", item(words.L("For 15 minutes"), 15*time.Minute),
		item(words.L("For 1 hour"), time.Hour), item(words.L("Until I resume"), 0)), p.env.Window.Canvas(), at)
}

func (p *Page) saveClip(id string) {
	begun := false
	p.env.Try(func(ctx context.Context) error {
		_, err := p.env.Client.Trigger(ctx, id, "manual")
		begun = err == nil
		return err
	}, func() {
		if begun {
			p.env.Toast(words.L("The clip is being saved."))
		}
	})
}

// --- Live view ---

// openLive shows a camera live.
func (p *Page) openLive(id string) {
	p.liveID, p.liveSince = id, time.Time{}
	p.liveTitle.SetText(p.env.CameraName(id))
	p.listing.Hide()
	p.live.Show()
	p.content.Refresh()
	p.follow()
	p.env.Window.Canvas().Focus(p.player.Line)
}

func (p *Page) closeLive() {
	p.player.Close()
	p.liveSince = time.Time{}
	p.live.Hide()
	p.listing.Show()
	p.env.Window.Canvas().Unfocus()
	p.content.Refresh()
}

// follow opens the video of the live camera, and again whenever the camera was away.
func (p *Page) follow() {
	if !p.live.Visible() {
		return
	}
	for _, c := range p.list() {
		if c.ID != p.liveID {
			continue
		}
		widgets.SetEnabled(p.here, canShow(c))
		text, importance := p.stateOf(c)
		title := p.env.CameraName(c.ID)
		switch {
		case p.env.Status == nil:
			title += "  ·  " + text
			text = page.Headline(nil)
		case importance == widget.DangerImportance:
			title += "  ·  " + text
			text = troubleOf(c) + " " + text + "."
		}
		p.liveTitle.SetText(title)
		switch {
		case !canShow(c):
			p.player.Close()
			p.liveSince = time.Time{}
			p.player.ShowMessage(text)
		case !c.Since.Equal(p.liveSince):
			p.liveSince = c.Since
			if c.State == status.Recording || !p.player.IsOpen() { // of one that is away, RAM holds the seconds before
				p.play(c)
			}
		}
	}
}

// stateOf says what a camera does, or that Preroll, of which the banner tells, does not record it.
func (p *Page) stateOf(c status.Camera) (string, widget.Importance) {
	if p.env.Status == nil && c.State != status.Off {
		return words.L("Not recorded"), widget.WarningImportance
	}
	return stateLine(c, p.env.Now())
}

// canShow reports whether RAM holds video of a camera.
func canShow(c status.Camera) bool {
	return c.State == status.Recording || c.State != status.Off && c.PreRoll > 0 && !c.Newest.IsZero()
}

// newest returns when the newest picture of a camera was filmed, as far as this window knows.
func (p *Page) newest(c status.Camera) time.Time {
	if c.State != status.Recording {
		return c.Newest
	}
	return p.env.Now()
}

// play shows the newest picture of a camera. The time line reaches back as far as the ring.
func (p *Page) play(c status.Camera) {
	start := p.newest(c).Add(-p.keep())
	p.player.Open(page.Video{Source: p.env.Stream(c.ID, start), Name: c.Name, Start: start,
		At: p.keep() - page.Newest, Poster: p.stills[c.ID],
		Span: func() (from, to time.Duration) {
			for _, now := range p.list() {
				if now.ID == c.ID {
					to = p.newest(now).Sub(start)
					return to - now.PreRoll.D(), to
				}
			}
			to = p.env.Now().Sub(start)
			return to - p.keep(), to
		}})
}

// saveFromHere saves a clip from the moment that is shown up to now.
func (p *Page) saveFromHere() {
	id, at := p.liveID, p.player.Shown()
	begun := false
	p.env.Try(func(ctx context.Context) error {
		_, err := p.env.Client.TriggerAt(ctx, id, "manual", at)
		begun = err == nil
		return err
	}, func() {
		if begun {
			p.env.Toast(words.L("The clip from %s on is being saved.", at.Local().Format("15:04:05")))
		}
	})
}

// enable switches a camera on or off.
func (p *Page) enable(id string, on bool) {
	p.env.Try(func(ctx context.Context) error {
		s, err := p.env.Client.Settings(ctx)
		if err != nil {
			return err
		}
		for i := range s.Cameras {
			if s.Cameras[i].ID == id {
				s.Cameras[i].Enabled = on
			}
		}
		return p.env.Client.Apply(ctx, s)
	}, nil)
}

// --- Cards ---

// adviceOf returns what can be better with a camera that records, or "".
func adviceOf(c status.Camera) string {
	if c.State != status.Recording {
		return ""
	}
	var list []string
	for _, a := range c.Advice {
		list = append(list, strings.TrimSuffix(words.Say(a.Text), ".")+". "+words.Say(a.Hint))
	}
	return strings.Join(list, "\n\n")
}

// troubleOf says why a camera is not recorded, and what to do.
func troubleOf(c status.Camera) string {
	text := strings.TrimSuffix(words.Say(c.Text), ".") + "."
	if !c.Hint.IsZero() {
		text += " " + words.Say(c.Hint)
	}
	return text
}

// stateLine says in one line what a camera does, and since when.
func stateLine(c status.Camera, now time.Time) (string, widget.Importance) {
	since := words.Ago(now.Sub(c.Since))
	switch c.State {
	case status.Off:
		return words.L("Switched off"), widget.LowImportance
	case status.Connecting:
		return words.L("Connecting, for %s", since), widget.MediumImportance
	case status.Recording:
		text := words.L("Recording for %s", since)
		if now.Sub(c.Since) < 2*time.Minute { // seconds would draw the window again each second
			text = words.L("Recording")
		}
		if len(c.Advice) > 0 { // the first advice matters most
			return words.Say(c.Advice[0].Text), widget.WarningImportance
		}
		return text, widget.SuccessImportance
	}

	text := words.L("No video for %s", since)
	if wait := c.Retry.Sub(now); !c.Retry.IsZero() && wait > 0 {
		text += words.L(", trying again in %s", words.Ago(wait+time.Second))
	}
	return text, widget.DangerImportance
}

// factsOf returns in one line the last alarm of a camera, and what is known of its stream.
func factsOf(c status.Camera, now time.Time) string {
	last := words.L("no event yet")
	if !c.LastTrigger.IsZero() {
		last = words.L("event %s", words.Moment(c.LastTrigger, now))
	}
	parts := []string{last} // what is cut off where the card is narrow comes last
	if c.PreRoll > 0 {
		parts = append(parts, words.L("%.0f s in RAM", c.PreRoll.D().Seconds()))
	}
	if s := c.Streams; s.Video != "" && c.State == status.Recording {
		parts = append(parts, fmt.Sprintf("%s %d×%d", strings.ToUpper(s.Video), s.Width, s.Height))
	}
	if c.BitRate > 0 {
		parts = append(parts, words.L("%.1f Mbit/s", c.BitRate/1e6))
	}
	return strings.Join(parts, "  ·  ")
}

// cardWidth is the least width of a card, cardText the height of what is below its picture and its ring, and cardRing
// the height that the ring takes from the picture, all at the usual text size.
const (
	cardWidth = 250
	cardText  = 70
	cardRing  = 6
)

// card is a reusable card of a camera. A click on its picture shows the camera live.
type card struct {
	widget.BaseWidget
	p       *Page
	camera  status.Camera
	picture *canvas.Image
	name    *widgets.Line
	state   *widgets.Line
	facts   *widgets.Line
	message page.Plate // what is wrong, over the picture that is not there
	advice  *widgets.IconButton
	said    string // by the advice
	bar     *widget.ProgressBar
	save    *widgets.IconButton
	more    *widgets.IconButton
	box     *fyne.Container
	drawn   color.Color // the background that it was drawn on
}

func newCard(p *Page) *card {
	c := &card{p: p, picture: canvas.NewImageFromImage(nil)}
	c.picture.FillMode, c.picture.CornerRadius = canvas.ImageFillContain, 4
	ground := canvas.NewRectangle(color.NRGBA{0x80, 0x80, 0x80, 0x30})
	ground.CornerRadius = 4
	c.name = widgets.NewLine(fyne.TextStyle{Bold: true})
	c.name.Name = true
	c.state, c.facts = widgets.NewLine(fyne.TextStyle{}), widgets.NewLine(fyne.TextStyle{})
	c.state.Small, c.facts.Small = true, true
	c.message = page.NewPlate()
	c.message.Wrapping, c.message.SizeName = fyne.TextWrapWord, theme.SizeNameCaptionText
	c.advice = widgets.NewIcon(theme.WarningIcon(), words.L("What can be better"), nil)
	c.advice.OnTapped = func() { c.advise() }
	c.bar = widget.NewProgressBar()
	c.bar.TextFormatter = func() string { return "" }
	c.save = widgets.NewIcon(theme.MediaRecordIcon(), words.L("Save a clip now"), func() { p.saveClip(c.camera.ID) })
	c.more = widgets.NewIcon(theme.MoreVerticalIcon(), words.L("More"), nil)
	c.more.OnTapped = func() { widgets.ShowMenu(c.menu(), c.more, p.env.Window.Canvas()) }
	frame := widgets.NewBackdrop(theme.ColorNameHeaderBackground, theme.ColorNameInputBorder, 6)
	lines := container.New(layout.NewCustomPaddedLayout(0, 0, theme.InnerPadding(), 0),
		container.New(layout.NewCustomPaddedVBoxLayout(0), layout.NewSpacer(), c.name, c.state, c.facts,
			layout.NewSpacer()))
	text := container.NewBorder(container.New(widgets.FixedHeight{Height: 4}, c.bar), nil, nil,
		container.NewCenter(container.New(layout.NewCustomPaddedHBoxLayout(0), c.advice, c.save, c.more)), lines)
	c.box = container.NewStack(frame, container.NewPadded(container.New(widgets.Below{Height: cardText, Pad: 2},
		container.NewStack(ground, c.picture, container.NewVBox(layout.NewSpacer(), c.message.Box)), text)))
	c.ExtendBaseWidget(c)
	return c
}

// menu returns what can be done with the camera.
func (c *card) menu() *fyne.Menu {
	p, id := c.p, c.camera.ID
	off := c.camera.State == status.Off
	live := fyne.NewMenuItem(words.L("Live"), func() { p.openLive(id) })
	live.Disabled = !canShow(c.camera)
	save := fyne.NewMenuItem(words.L("Save a clip now"), func() { p.saveClip(id) })
	save.Disabled = !c.on()
	alarm := fyne.NewMenuItem(words.L("Send a test alarm"), func() {
		p.env.Try(func(ctx context.Context) error { return p.env.Client.Mail(ctx, id) }, nil)
	})
	alarm.Disabled = !c.on() || p.env.Status.SMTP.Listen == ""
	name := words.L("Switch off")
	if off {
		name = words.L("Switch on")
	}
	change := fyne.NewMenuItem(name, func() { p.enable(id, off) })
	change.Disabled = p.env.Status == nil
	return fyne.NewMenu("", live, save, alarm, fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(words.L("Settings"), func() { p.env.EditCamera(id) }), change)
}

// on reports whether the camera can be recorded now.
func (c *card) on() bool { return c.p.env.Status != nil && c.camera.State != status.Off }

// advise shows what can be better.
func (c *card) advise() {
	text, width := widgets.Wrapped(c.said), 360*widgets.Scale()
	text.Resize(fyne.NewSize(width, 0)) // a wrapped text knows its height only after it has a width
	canvas := c.p.env.Window.Canvas()
	widgets.ShowNear(widget.NewPopUp(container.NewGridWrap(fyne.NewSize(width, text.MinSize().Height), text), canvas),
		c.advice, canvas)
}

// Tapped shows the camera live.
func (c *card) Tapped(*fyne.PointEvent) {
	if canShow(c.camera) {
		c.p.openLive(c.camera.ID)
	}
}

// TappedSecondary offers what can be done with the camera.
func (c *card) TappedSecondary(e *fyne.PointEvent) {
	widget.ShowPopUpMenuAtPosition(c.menu(), c.p.env.Window.Canvas(), e.AbsolutePosition)
}

// Cursor shows that the card can be clicked.
func (c *card) Cursor() desktop.Cursor {
	if canShow(c.camera) {
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

func (c *card) set(s status.Camera) {
	now := c.p.env.Now()
	c.camera = s

	// The theme may have changed while the card was hidden.
	if ground := theme.Color(theme.ColorNameBackground); ground != c.drawn {
		c.drawn = ground
		c.box.Refresh()
	}
	c.name.Set(s.Name, theme.ColorNameForeground)
	c.facts.Set(factsOf(s, now), theme.ColorNameDisabled)
	text, importance := c.p.stateOf(s)
	c.state.Set(text, widgets.ColourOf(importance))
	trouble := ""
	if importance == widget.DangerImportance {
		trouble = troubleOf(s)
	}
	c.message.Say(trouble)
	c.said = adviceOf(s)
	if shown := c.said != ""; shown != c.advice.Visible() {
		widgets.SetVisible(c.advice, shown)
		c.box.Refresh()
	}
	if keep := c.p.keep(); keep > 0 {
		setPart(c.bar, s.PreRoll.D().Seconds()/keep.Seconds())
	}
	widgets.SetEnabled(c.save, c.on())
	var m image.Image
	if s.State != status.Off {
		m = c.p.stills[s.ID]
	}
	gone := 0.0
	if s.State != status.Recording {
		gone = 0.6 // an old picture
	}
	if c.picture.Image != m || c.picture.Translucency != gone {
		c.picture.Image, c.picture.Translucency = m, gone
		c.picture.Refresh()
	}
}

// CreateRenderer shows the box of the card.
func (c *card) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(c.box) }

// Package cameras is the page Cameras: a card for each camera, and the live view of one.
package cameras

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// Page shows a card for each camera, or one camera live.
type Page struct {
	env     *page.Env
	content *fyne.Container
	listing fyne.CanvasObject
	empty   fyne.CanvasObject
	grid    *widget.GridWrap
	ram     *widget.ProgressBar
	ramText *widget.Label
	pause   *widget.Button
	save    *widget.Button

	live      fyne.CanvasObject
	player    *page.Player
	liveTitle *widget.Label
	liveID    string
	livePath  string

	seen   bool             // the page is visible
	stills map[string]still // by camera
	cards  map[string]bool  // cameras whose cards are visible
	taking bool
	asking bool
}

// still is a camera's last picture and the time when the window asked for it.
type still struct {
	image image.Image
	asked time.Time
}

// stillAge is the age after which the picture on a card is replaced.
const stillAge = 8 * time.Second

// New makes the page.
func New(env *page.Env) *Page {
	p := &Page{env: env, stills: map[string]still{}, cards: map[string]bool{}}
	p.grid = widget.NewGridWrap(func() int { return len(p.list()) }, func() fyne.CanvasObject {
		return newCard(p)
	}, func(i widget.GridWrapItemID, o fyne.CanvasObject) {
		if list := p.list(); i < len(list) {
			o.(*card).set(list[i])
		}
	})
	p.ram = widget.NewProgressBar()
	p.ram.TextFormatter = func() string { return "" }
	p.ramText = widget.NewLabel("")
	p.ramText.Wrapping = fyne.TextWrapWord
	p.save = env.NewSaveButton()
	p.pause = widget.NewButtonWithIcon(words.L("Pause"), theme.MediaPauseIcon(), p.choosePause)
	add := widget.NewButtonWithIcon(words.L("Add a camera"), theme.ContentAddIcon(), func() {
		env.EditCamera("")
	})
	top := container.NewVBox(
		container.NewBorder(nil, nil, nil, container.NewHBox(add, p.pause, p.save),
			container.NewBorder(nil, nil,
				widget.NewLabelWithStyle("RAM", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), nil,
				container.NewVBox(layout.NewSpacer(), container.New(widgets.FixedHeight{Height: 8}, p.ram),
					layout.NewSpacer()))),
		p.ramText)
	p.empty = widgets.Centred(words.L("No camera is set up yet"),
		words.L("You need its network address, and the user and password of the camera itself."),
		widgets.Important(widget.NewButtonWithIcon(words.L("Set up"), theme.NavigateNextIcon(), env.OpenGuide)))
	p.listing = container.NewBorder(container.NewPadded(top), nil, nil, nil, container.NewStack(p.grid, p.empty))

	p.player = page.NewPlayer(env)
	p.player.Line.Hide()
	p.liveTitle = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	back := widget.NewButtonWithIcon(words.L("Cameras"), theme.NavigateBackIcon(), p.closeLive)
	now := widget.NewButtonWithIcon(words.L("Save a clip now"), theme.MediaRecordIcon(), func() {
		p.saveClip(p.liveID)
	})
	now.Importance = widget.HighImportance
	p.live = container.NewPadded(container.NewBorder(container.NewBorder(nil, nil, back, now, p.liveTitle), nil, nil,
		nil, p.player.Content))
	p.live.Hide()
	p.content = container.NewStack(p.listing, p.live)
	p.draw()
	return p
}
func (p *Page) list() []status.Camera {
	if p.env.Status == nil {
		return nil
	}
	return p.env.Status.Cameras
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
	p.seen = true
	p.draw()
	p.Tick()
}

// Hide takes no more pictures, and ends the live view's FFmpeg.
func (p *Page) Hide() {
	p.seen = false
	p.player.Close()
	p.livePath = ""
}

// Update draws the cameras.
func (p *Page) Update(control.Update, bool) { p.draw() }

// Key leaves the live view by Escape.
func (p *Page) Key(k *fyne.KeyEvent) {
	if p.live.Visible() && k.Name == fyne.KeyEscape {
		p.closeLive()
	}
}

func (p *Page) draw() {
	s := p.env.Status
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
			p.ram.SetValue(min(1, float64(s.RAM.Used)/float64(s.RAM.Budget)))
		}
		if text := page.RAMOf(*s, s.RAM.Keep.D()); text != p.ramText.Text {
			p.ramText.SetText(text)
			p.content.Refresh()
		}
	} else {
		p.ramText.SetText(page.Headline(nil))
	}

	if p.seen {
		p.refresh()
		p.follow()
	}
}

// refresh draws the cards again and learns which of them are visible.
func (p *Page) refresh() {
	clear(p.cards)
	p.grid.Refresh()
}

// Tick asks how the cameras are, and for the next picture.
func (p *Page) Tick() {
	if !p.seen || p.live.Visible() {
		return
	}
	p.poll()
	p.refresh()
	p.nextStill()
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

// nextStill asks for the oldest picture among the visible cards. It asks for one picture at a time.
func (p *Page) nextStill() {
	if p.taking {
		return
	}
	id := ""
	for _, c := range p.list() {
		if s := p.stills[c.ID]; p.cards[c.ID] && c.State == status.Recording && time.Since(s.asked) > stillAge &&
			(id == "" || s.asked.Before(p.stills[id].asked)) {
			id = c.ID
		}
	}
	if id == "" {
		return
	}
	p.taking = true
	s := p.stills[id]
	s.asked = time.Now()
	p.stills[id] = s
	p.env.Work.Go(func() {
		b, err := p.env.Client.Still(p.env.Ctx, id, 480)
		var m image.Image
		if err == nil {
			m, err = jpeg.Decode(bytes.NewReader(b))
		}
		p.env.Do(func() {
			p.taking = false
			if err == nil { // without a picture the card says what the camera does
				s.image = m
				p.stills[id] = s
				p.refresh()
			}
			if p.seen {
				p.nextStill()
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
	p.liveID, p.livePath = id, ""
	p.liveTitle.SetText(p.env.CameraName(id))
	p.listing.Hide()
	p.live.Show()
	p.content.Refresh()
	p.follow()
}

func (p *Page) closeLive() {
	p.player.Close()
	p.live.Hide()
	p.listing.Show()
	p.content.Refresh()
}

// follow opens the current playlist of the live camera. A new playlist begins whenever the camera was away.
func (p *Page) follow() {
	if !p.live.Visible() {
		return
	}
	for _, c := range p.list() {
		if c.ID != p.liveID {
			continue
		}
		if c.State != status.Recording || c.Live == "" {
			p.player.Close()
			p.livePath = ""
			text, _ := stateLine(c, p.env.Now())
			p.player.ShowMessage(text)
		} else if c.Live != p.livePath {
			p.livePath = c.Live
			p.player.Open(player.Source{Path: c.Live, Live: true}, 0, nil, p.stills[c.ID].image)
		}
	}
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

// stateLine says in plain words what a camera does, since when, and what to do.
func stateLine(c status.Camera, now time.Time) (string, widget.Importance) {
	since := words.Ago(now.Sub(c.Since))
	switch c.State {
	case status.Off:
		return words.L("Switched off"), widget.LowImportance
	case status.Connecting:
		return words.L("Connecting, for %s", since), widget.MediumImportance
	case status.Recording:
		text := words.L("Recording for %s", since)
		if len(c.Advice) > 0 { // the first advice matters most
			a := c.Advice[0]
			return text + ". " + strings.TrimSuffix(words.Say(a.Text), ".") + ". " + words.Say(a.Hint),
				widget.WarningImportance
		}
		return text, widget.SuccessImportance
	}

	text := words.L("%s. No video for %s", strings.TrimSuffix(words.Say(c.Text), "."), since)
	if wait := c.Retry.Sub(now); !c.Retry.IsZero() && wait > 0 {
		text += words.L(", trying again in %s", words.Ago(wait+time.Second))
	}
	text += "."
	if !c.Hint.IsZero() {
		text += " " + words.Say(c.Hint)
	}
	return text, widget.DangerImportance
}

// factsOf returns two lines: what is known of a camera's stream, and its last alarm.
func factsOf(c status.Camera, now time.Time) string {
	var parts []string
	if s := c.Streams; s.Video != "" && c.State == status.Recording {
		parts = append(parts, fmt.Sprintf("%s %d×%d", strings.ToUpper(s.Video), s.Width, s.Height))
	}
	if c.BitRate > 0 {
		parts = append(parts, fmt.Sprintf("%.1f Mbit/s", c.BitRate/1e6))
	}
	if c.Bytes > 0 {
		parts = append(parts, config.ByteSize(c.Bytes).String())
	}
	last := words.L("no alarm yet")
	if !c.LastTrigger.IsZero() {
		last = words.L("alarm %s", words.Moment(c.LastTrigger, now))
	}
	return strings.Join(parts, "  ·  ") + "\n" + last
}

// cardWidth lets three cards fit side by side in a small window.
const cardWidth = 244

// card is a reusable card of a camera.
type card struct {
	widget.BaseWidget
	p            *Page
	id           string
	filling      bool
	picture      *canvas.Image
	name         *widget.Label
	state, facts *widget.Label
	bar          *widget.ProgressBar
	preroll      *widget.Label
	level        *fyne.Container
	watch, save  *widget.Button
	enabled      *widget.Check
	box          *fyne.Container
	drawn        color.Color // the background that it was drawn on
}

func newCard(p *Page) *card {
	c := &card{p: p, picture: canvas.NewImageFromImage(nil)}
	c.picture.FillMode, c.picture.CornerRadius = canvas.ImageFillContain, 4
	ground := canvas.NewRectangle(color.NRGBA{0x80, 0x80, 0x80, 0x30})
	ground.CornerRadius = 4
	ground.SetMinSize(fyne.NewSize(cardWidth, cardWidth*9/16))
	c.name = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	c.name.Truncation = fyne.TextTruncateEllipsis
	c.state = widget.NewLabel("")
	c.state.Wrapping = fyne.TextWrapWord
	c.facts = widget.NewLabel("")
	c.facts.Truncation, c.facts.SizeName, c.facts.Importance = fyne.TextTruncateEllipsis, theme.SizeNameCaptionText,
		widget.LowImportance
	c.bar = widget.NewProgressBar()
	c.bar.TextFormatter = func() string { return "" }
	c.preroll = widget.NewLabel("")
	c.preroll.SizeName = theme.SizeNameCaptionText
	c.watch = widget.NewButtonWithIcon(words.L("Live"), theme.MediaPlayIcon(), func() { p.openLive(c.id) })
	c.save = widget.NewButtonWithIcon(words.L("Save"), theme.MediaRecordIcon(), func() { p.saveClip(c.id) })
	edit := widget.NewButtonWithIcon("", theme.SettingsIcon(), func() {
		p.env.EditCamera(c.id)
	})
	c.enabled = widget.NewCheck(words.L("On"), func(on bool) {
		if !c.filling {
			p.enable(c.id, on)
		}
	})
	c.level = container.NewBorder(nil, nil, nil, c.preroll,
		container.NewVBox(layout.NewSpacer(), container.New(widgets.FixedHeight{Height: 6}, c.bar), layout.NewSpacer()))
	frame := widgets.NewBackdrop(theme.ColorNameHeaderBackground, theme.ColorNameInputBorder, 6)
	text := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), c.name, c.level, c.facts)
	foot := container.NewHBox(c.watch, c.save, edit, layout.NewSpacer(), c.enabled)
	room := canvas.NewRectangle(color.Transparent) // for what is wrong and what to do
	room.SetMinSize(fyne.NewSize(cardWidth, 124))
	c.box = container.NewStack(frame,
		container.NewPadded(container.NewBorder(container.NewVBox(container.NewStack(ground, c.picture), text), foot,
			nil, nil, container.NewStack(room, c.state))))
	c.ExtendBaseWidget(c)
	return c
}

func (c *card) set(s status.Camera) {
	now := c.p.env.Now()
	c.id = s.ID

	// The theme may have changed while the card was hidden.
	if ground := theme.Color(theme.ColorNameBackground); ground != c.drawn {
		c.drawn = ground
		c.box.Refresh()
	}
	c.p.cards[s.ID] = true
	c.name.SetText(s.Name)
	text, importance := stateLine(s, now)
	if c.state.Text != text || c.state.Importance != importance {
		c.state.Importance, c.state.SizeName = importance, theme.SizeNameText
		if s.State == status.Waiting || len(s.Advice) > 0 { // what is wrong and what to do takes some lines
			c.state.SizeName = theme.SizeNameCaptionText
		}
		c.state.SetText(text)
	}

	facts := factsOf(s, now)
	if c.facts.Text != facts {
		c.facts.SetText(facts)
	}
	if keep := c.p.keep(); keep > 0 {
		c.bar.SetValue(min(1, s.PreRoll.D().Seconds()/keep.Seconds()))
	}
	if text := words.L("%.0f s in RAM", s.PreRoll.D().Seconds()); c.preroll.Text != text {
		c.preroll.SetText(text)
		c.level.Refresh()
	}
	widgets.SetEnabled(c.watch, s.State == status.Recording)
	widgets.SetEnabled(c.save, s.State != status.Off)
	c.filling = true
	c.enabled.SetChecked(s.State != status.Off)
	c.filling = false
	var m image.Image
	if s.State != status.Off {
		m = c.p.stills[s.ID].image
	}
	if c.picture.Image != m {
		c.picture.Image = m
		c.picture.Refresh()
	}
	c.picture.Translucency = 0
	if s.State != status.Recording {
		c.picture.Translucency = 0.6 // an old picture
	}
}

// CreateRenderer shows the box of the card.
func (c *card) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(c.box) }

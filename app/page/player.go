package page

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
)

// Player shows what a player plays. The player exists from open to close.
type Player struct {
	env     *Env
	Content fyne.CanvasObject

	p       *player.Player
	stage   *stage
	Picture *canvas.Image     // the frame that is shown
	Message *widget.Label     // over the picture
	plate   fyne.CanvasObject // background of the message, which must be legible on any picture
	Line    *widgets.Timeline
	play    *widget.Button
	clock   *widget.Label
	speed   *widget.Select
	alarm   *widget.Button
	live    bool
	playing bool
	length  time.Duration
	marks   []time.Duration

	mu         sync.Mutex // guards all fields below, which the player's goroutine uses
	latest     player.Frame
	due        bool // latest waits for the main goroutine
	generation int  // number of the player; pictures and states of earlier players are dropped
}

var speeds = []float64{0.25, 0.5, 1, 2, 4, 8}

// NewPlayer makes a player that shows nothing.
func NewPlayer(env *Env) *Player {
	v := &Player{env: env}
	v.Picture = canvas.NewImageFromImage(nil)
	v.Picture.FillMode, v.Picture.ScaleMode = canvas.ImageFillContain, canvas.ImageScaleFastest
	v.Message = widget.NewLabel("")
	v.Message.Wrapping, v.Message.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	v.plate = container.NewStack(canvas.NewRectangle(color.NRGBA{0, 0, 0, 0xc0}),
		container.NewThemeOverride(v.Message, widgets.Dark{Theme: theme.DefaultTheme()}))
	v.plate.Hide()
	v.stage = newStage(v)
	v.Line = widgets.NewTimeline(func(at time.Duration) {
		if v.p != nil {
			v.p.Seek(at)
		}
		v.setClock(at)
	}, v.Typed)
	v.play = widget.NewButtonWithIcon("", theme.MediaPlayIcon(), v.toggle)
	back := widget.NewButtonWithIcon("", theme.MediaSkipPreviousIcon(), func() { v.step(-1) })
	forth := widget.NewButtonWithIcon("", theme.MediaSkipNextIcon(), func() { v.step(1) })
	v.alarm = widget.NewButtonWithIcon(words.L("Alarm"), theme.MediaFastForwardIcon(), v.toAlarm)
	v.clock = widget.NewLabelWithStyle("", fyne.TextAlignTrailing, fyne.TextStyle{Monospace: true})
	var names []string
	for _, s := range speeds {
		names = append(names, strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", s), "0"), ".")+"×")
	}
	v.speed = widget.NewSelect(names, func(string) {
		if i := v.speed.SelectedIndex(); v.p != nil && i >= 0 {
			v.p.SetSpeed(speeds[i])
		}
	})
	v.speed.SetSelectedIndex(2)
	controls := container.NewHBox(v.play, back, forth, v.alarm, layout.NewSpacer(), v.clock, v.speed)
	v.Content = container.NewBorder(nil, container.NewVBox(v.Line, controls), nil, nil, v.stage)
	return v
}

// --- What is played ---

// Open plays a source from a position. It shows the poster until the first picture has come.
func (v *Player) Open(s player.Source, at time.Duration, marks []time.Duration, poster image.Image) {
	v.live, v.length, v.marks = s.Live, s.Length, marks
	v.Picture.Image = poster
	v.Picture.Refresh()
	v.ShowMessage("")
	v.Line.Load(s.Length, marks)
	v.Line.Set(at)
	v.setClock(at)
	widgets.SetVisible(v.alarm, len(marks) > 0)
	known := v.env.Known()
	if known == nil || known.FFmpeg.Path == "" {
		v.ShowMessage(words.L("FFmpeg is missing, so nothing can be played here. Install it, or open the clip in the default player."))
		return
	}
	if v.p == nil {
		width, height := v.pixels()
		life := v.turn()
		v.p = player.New(player.Options{FFmpeg: known.FFmpeg.Path, Version: known.FFmpeg.Version, Width: width,
			Height: height,
			Show:   func(f player.Frame) { v.show(life, f) }, State: func(s player.State) { v.state(life, s) }})
		v.speed.SetSelectedIndex(2)
	}

	v.env.Meter.opened()
	v.p.Open(s, at, true)
}

// Poster sets the picture that is shown until the video begins.
func (v *Player) Poster(m image.Image) {
	if v.p != nil && v.Picture.Image == nil {
		v.Picture.Image = m
		v.Picture.Refresh()
	}
}

// IsOpen reports whether there is something to play.
func (v *Player) IsOpen() bool { return v.p != nil }

// Close ends the player and its FFmpeg.
func (v *Player) Close() {
	if v.p == nil {
		return
	}
	p := v.p
	v.p, v.playing = nil, false
	v.env.Work.Go(p.Close)
	v.Picture.Image = nil
	v.Picture.Refresh()
}

// --- Pictures and states ---

// pixels returns the size of the picture on the screen.
func (v *Player) pixels() (width, height int) {
	size, scale := v.stage.Size(), v.env.Window.Canvas().Scale()
	return max(160, int(size.Width*scale)), max(90, int(size.Height*scale))
}

// turn returns the number of a new player. What earlier players send is dropped from now on.
func (v *Player) turn() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.generation++
	v.due = false
	return v.generation
}

// show takes a picture on the player's goroutine. If pictures come faster than the screen is drawn, the newest replaces
// the others.
func (v *Player) show(life int, f player.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if life != v.generation {
		return
	}
	v.latest = f
	if v.due {
		return
	}
	v.due = true
	v.env.Do(func() {
		v.mu.Lock()
		f, old := v.latest, life != v.generation
		v.due = v.due && old // the picture of a newer player has its own call
		v.mu.Unlock()
		if v.p == nil || old {
			return
		}
		v.Picture.Image = f.Picture
		v.Picture.Refresh()
		v.env.Meter.frame()
		v.Line.Set(f.At)
		v.setClock(f.At)
	})
}

func (v *Player) state(life int, s player.State) {
	v.env.Do(func() {
		if v.p == nil || life != v.generation { // only the main goroutine changes the generation
			return
		}
		v.playing = s.Playing && !s.Ended
		if v.playing {
			v.play.SetIcon(theme.MediaPauseIcon())
		} else {
			v.play.SetIcon(theme.MediaPlayIcon())
		}
		text := ""
		if s.Err != nil {
			text = words.Error(s.Err)
		}
		v.ShowMessage(text)
	})
}

// ShowMessage shows a text over the picture, or none for "".
func (v *Player) ShowMessage(text string) {
	if v.Message.Text != text {
		v.Message.SetText(text)
	}
	widgets.SetVisible(v.plate, text != "")
}

func (v *Player) setClock(at time.Duration) {
	text := fmt.Sprintf("%d:%04.1f / %s", int(at.Minutes()), (at % time.Minute).Seconds(), words.Length(v.length))
	if v.live {
		text = words.L("live")
	}
	if v.clock.Text != text {
		v.clock.SetText(text)
	}
}

// --- Control ---

func (v *Player) toggle() {
	switch {
	case v.p == nil:
	case v.playing:
		v.p.Pause()
	default:
		v.p.Play()
	}
}

// Pause stops at the frame that is shown.
func (v *Player) Pause() {
	if v.p != nil {
		v.p.Pause()
	}
}

func (v *Player) step(n int) {
	if v.p != nil && !v.live {
		v.p.Step(n)
	}
}

func (v *Player) jump(by time.Duration) {
	if v.p != nil && !v.live {
		at := min(max(0, v.Line.At+by), v.length)
		v.Line.Set(at)
		v.p.Seek(at)
	}
}

// toAlarm goes to the next alarm, or from the last alarm to the first.
func (v *Player) toAlarm() {
	if v.p == nil || len(v.marks) == 0 {
		return
	}
	to := v.marks[0]
	for _, m := range v.marks {
		if m > v.Line.At+100*time.Millisecond {
			to = m
			break
		}
	}
	v.Line.Set(to)
	v.p.Seek(to)
}

// Typed handles the keys of the player.
func (v *Player) Typed(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace:
		v.toggle()
	case fyne.KeyLeft:
		v.jump(-5 * time.Second)
	case fyne.KeyRight:
		v.jump(5 * time.Second)
	case fyne.KeyHome:
		v.jump(-v.length)
	case fyne.KeyComma:
		v.step(-1)
	case fyne.KeyPeriod:
		v.step(1)
	case fyne.KeyA:
		v.toAlarm()
	}
}

// --- The stage ---

// stage is the black background of the picture. It reports its size to the player.
type stage struct {
	widget.BaseWidget
	v *Player
}

func newStage(v *Player) *stage {
	s := &stage{v: v}
	s.ExtendBaseWidget(s)
	return s
}

// Tapped plays or pauses.
func (s *stage) Tapped(*fyne.PointEvent) { s.v.toggle() }

// Resize reports the new size to the player.
func (s *stage) Resize(size fyne.Size) {
	if size == s.Size() {
		return
	}
	s.BaseWidget.Resize(size)
	if s.v.p != nil {
		s.v.p.Resize(s.v.pixels())
	}
}

// MinSize leaves space for a small picture.
func (s *stage) MinSize() fyne.Size { return fyne.NewSize(240, 135) }

// CreateRenderer shows the picture on black, and the message over the picture.
func (s *stage) CreateRenderer() fyne.WidgetRenderer {
	ground := canvas.NewRectangle(color.Black)
	ground.CornerRadius = 6
	return widget.NewSimpleRenderer(container.NewStack(ground, s.v.Picture,
		container.NewVBox(layout.NewSpacer(), s.v.plate, layout.NewSpacer())))
}

package page

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/adrg/xdg"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Video is what a Player plays.
type Video struct {
	Source player.Source
	Name   string          // what it shows, for the names of its pictures
	Start  time.Time       // when the picture at position 0 was filmed
	At     time.Duration   // where to begin
	Marks  []time.Duration // positions of alarms
	Poster image.Image     // shown until the first picture has come; may be nil

	// Span returns between which positions a stream can be played; the newest picture lies at the second one. Nil for a
	// file.
	Span func() (from, to time.Duration)
}

// Stream returns the video of a camera as it is filmed. Position 0 is the time start.
func (env *Env) Stream(camera string, start time.Time) player.Source {
	return player.Source{Lead: lead, Stream: func(ctx context.Context, from time.Duration) (io.ReadCloser, error) {
		resp, err := env.Client.Live(ctx, camera, false, start.Add(from), start.Add(-lead))
		if err != nil {
			return nil, err
		}
		return resp.Body, nil
	}}
}

// lead is the media time of position 0 of a stream, which begins with a keyframe that may lie before it.
const lead = time.Minute

// Player shows what a player plays. The player exists from open to close.
type Player struct {
	env      *Env
	Content  fyne.CanvasObject
	second   *second // the video of another camera beside it, or nil
	stages   *fyne.Container
	controls *fyne.Container
	stirred  time.Time     // when the mouse or a key was used last in full screen
	Full     func(on bool) // Content fills the screen from now on, or is back in its place

	p       *player.Player
	video   Video
	stage   *stage
	Picture *canvas.Image // the frame that is shown
	Message Plate         // over the picture
	name    Plate         // of the camera, while there are two
	Line    *widgets.Timeline
	play    *widgets.IconButton
	clock   *widgets.Line
	speed   *widget.Select
	alarm   *widgets.IconButton
	now     *widget.Button // goes to the newest picture of a stream
	loop    *widgets.IconButton
	full    *widgets.IconButton
	sound   *widgets.IconButton
	level   *widget.ProgressBar // how loud the sound is
	louds   *fyne.Container     // sound and level
	volume  float64             // 0 to 1
	muted   bool
	holder  *fyne.Container // of everything, while it does not fill the screen
	inner   fyne.CanvasObject
	filling bool
	playing bool
	first   time.Duration // position that can still be played; not 0 for a stream alone
	length  time.Duration
	from    time.Duration // of the loop; negative for none
	to      time.Duration // end of the loop; negative while only its beginning is set

	generation int // number of the player; pictures and states of earlier players are dropped
}

var speeds = []float64{0.25, 0.5, 1, 2, 4, 8}

// usual is the index of the usual speed.
const usual = 2

// NewPlayer makes a player that shows nothing.
func NewPlayer(env *Env) *Player {
	v := &Player{env: env, from: -1, to: -1, Full: func(bool) {}}
	v.Picture = canvas.NewImageFromImage(nil)
	v.Picture.FillMode, v.Picture.ScaleMode = canvas.ImageFillContain, canvas.ImageScaleFastest
	v.Message, v.name = NewPlate(), NewPlate()
	v.stage = newStage(v, v.Picture, over(v.name, v.Message), func() *player.Player { return v.p })
	v.stages = container.New(pair{}, v.stage)
	v.Line = widgets.NewTimeline(v.seek, v.Typed)
	v.play = widgets.NewIcon(theme.MediaPlayIcon(), words.L("Play or pause (Space)"), v.toggle)
	back := widgets.NewIcon(theme.MediaSkipPreviousIcon(), words.L("One picture back (comma)"), func() { v.step(-1) })
	forth := widgets.NewIcon(theme.MediaSkipNextIcon(), words.L("One picture on (full stop)"), func() { v.step(1) })
	v.alarm = widgets.NewIcon(theme.MediaFastForwardIcon(), words.L("To the next alarm (A)"), v.toAlarm)
	v.now = widget.NewButtonWithIcon(words.L("Live"), theme.MediaFastForwardIcon(), v.toNow)
	v.loop = widgets.NewIcon(theme.MediaReplayIcon(), words.L("Repeat from here, until here, no more (L)"), v.mark)
	shot := widgets.NewIcon(theme.MediaPhotoIcon(), words.L("Save or copy this picture (S)"), nil)
	shot.OnTapped = func() { v.askSnapshot(shot) }
	v.full = widgets.NewIcon(theme.ViewFullScreenIcon(), words.L("Full screen (F)"), v.toggleFull)
	v.volume = env.volume()
	v.sound = widgets.NewIcon(theme.VolumeUpIcon(), words.L("Volume; M mutes"), v.askVolume)
	v.level = widget.NewProgressBar()
	v.level.TextFormatter = func() string { return "" }
	v.louds = container.NewStack(v.sound, container.NewVBox(layout.NewSpacer(),
		container.New(widgets.FixedHeight{Height: 3}, v.level)))
	v.clock = widgets.NewLine(fyne.TextStyle{Monospace: true})
	v.clock.Small = true
	var names []string
	for _, s := range speeds {
		names = append(names, words.L("%g×", s))
	}
	v.speed = widget.NewSelect(names, func(string) {
		if i := v.speed.SelectedIndex(); v.p != nil && i >= 0 {
			v.p.SetSpeed(speeds[i])
			v.env.Window.Canvas().Focus(v.Line) // or the selection would keep the keys
		}
	})
	v.speed.PlaceHolder = names[0] // a longer one would make it wider
	v.speed.SetSelectedIndex(usual)
	bar := container.New(widgets.Ends{}, container.NewHBox(v.play, back, forth, v.alarm, v.now),
		container.NewHBox(widgets.Fixed(74, 0, v.speed), v.louds, v.loop, shot, v.full))
	v.controls = container.NewVBox(container.New(layout.NewCustomPaddedLayout(4, 0, 8, 8), v.clock), v.Line, bar)
	v.inner = container.NewBorder(nil, v.controls, nil, nil, v.stages)
	v.holder = container.NewStack(v.inner)
	v.Content = v.holder
	return v
}

// --- What is played ---

// Open plays a video.
func (v *Player) Open(video Video) {
	v.Beside(nil)
	v.video, v.first, v.length, v.from, v.to = video, 0, video.Source.Length, -1, -1
	v.Picture.Image = video.Poster
	v.Picture.Refresh()
	v.stage.zoomTo(1, fyne.Position{})
	v.ShowMessage("")
	v.Line.Load(v.length, video.Marks)
	v.grow()
	v.showLoop()
	v.Line.Set(video.At)
	v.setClock(video.At)
	widgets.SetVisible(v.alarm, len(video.Marks) > 0)
	widgets.SetVisible(v.now, video.Span != nil)
	known := v.env.Known()
	if known == nil || known.FFmpeg.Path == "" {
		v.ShowMessage(
			words.L(
				"FFmpeg is missing, so nothing can be played here. Install it, or open the clip in the default player."))
		return
	}
	if v.p == nil {
		width, height := v.stage.pixels()
		life, show := v.turn()
		v.p = player.New(player.Options{FFmpeg: known.FFmpeg.Path, Version: known.FFmpeg.Version, Width: width,
			Height: height,
			Show:   show, State: func(s player.State) { v.state(life, s) }})
		v.speed.SetSelectedIndex(usual)
		v.setVolume()
	}

	v.louds.Show()
	v.env.Meter.opened()
	v.p.Open(video.Source, video.At, true)
}

// Mark shows the alarms of the video.
func (v *Player) Mark(marks []time.Duration) {
	if slices.Equal(marks, v.video.Marks) {
		return
	}
	v.video.Marks = marks
	v.Line.Mark(marks)
	widgets.SetVisible(v.alarm, len(marks) > 0)
}

// At returns the position of the picture that is shown.
func (v *Player) At() time.Duration { return v.Line.At }

// Shown returns when the picture that is shown was filmed.
func (v *Player) Shown() time.Time { return v.video.Start.Add(v.Line.At) }

// Tick lets the time line of a stream grow.
func (v *Player) Tick() {
	if v.p != nil {
		v.grow()
		v.setClock(v.Line.At) // what is paused falls behind
	}
}

func (v *Player) grow() {
	if v.video.Span != nil {
		v.first, v.length = v.video.Span()
		v.Line.Grow(v.first, v.length)
	}
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
	v.Beside(nil)
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

// Box returns the size in which a picture is shown, in pixels.
func (v *Player) Box() image.Point { return image.Pt(v.stage.pixels()) }

// turn returns the number of a new player, and the function that shows its pictures. What earlier players send is
// dropped from now on.
func (v *Player) turn() (life int, show func(player.Frame)) {
	v.generation++
	life = v.generation
	return life, v.env.NewFrames(func(f player.Frame) {
		if v.p != nil && life == v.generation {
			v.show(f)
		}
	}).Put
}

// show shows a picture.
func (v *Player) show(f player.Frame) {
	v.Picture.Image = f.Picture
	v.Picture.Refresh()
	v.env.Meter.frame()
	v.Line.Set(f.At)
	v.setClock(f.At)
	v.showLevel()
	if v.second != nil {
		v.second.say()
	}
	v.hideControls()
	if v.to > 0 && v.to <= v.first {
		v.endLoop() // what it repeats is no longer in RAM
	}
	if v.playing && v.to > 0 && f.At >= v.to {
		v.seek(v.from)
	}
}

func (v *Player) state(life int, s player.State) {
	v.env.Do(func() {
		if v.p == nil || life != v.generation {
			return
		}
		v.playing = s.Playing && !s.Ended
		if v.length == 0 && s.Length > 0 {
			v.length = s.Length
			v.Line.Load(s.Length, v.video.Marks)
		}
		if v.playing {
			v.play.SetIcon(theme.MediaPauseIcon())
		} else {
			v.play.SetIcon(theme.MediaPlayIcon())
			v.stir()
		}
		text := ""
		if s.Err != nil {
			text = words.Error(s.Err)
		}
		v.ShowMessage(text)
		if s.Ended && s.Err == nil && v.to > 0 {
			v.seek(v.from)
			v.p.Play()
		}
	})
}

// ShowMessage shows a text over the picture, or none for "".
func (v *Player) ShowMessage(text string) { v.Message.Say(text) }

func (v *Player) setClock(at time.Duration) {
	text := words.L("%d:%04.1f / %s", int(at.Minutes()), (at % time.Minute).Seconds(), words.Length(v.length))
	if v.video.Span != nil {
		text = words.L("live")
		if behind := v.env.Now().Sub(v.video.Start.Add(at)); behind > nearNow {
			text = words.L("%.0f s ago", behind.Seconds())
		}
	}
	if !v.video.Start.IsZero() {
		text = v.video.Start.Add(at).Local().Format("15:04:05") + "  " + text
	}
	v.clock.Set(text, theme.ColorNameForeground)
}

// nearNow is how far behind the newest picture a stream still counts as live.
const nearNow = 4 * time.Second

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
	if v.p != nil {
		v.p.Step(n)
	}
}

// seek goes to a position.
func (v *Player) seek(at time.Duration) {
	last := v.length
	if v.video.Span != nil {
		last -= Newest
	}
	at = min(max(v.first, at), max(v.first, last))
	v.Line.Set(at)
	v.setClock(at)
	if v.p != nil {
		v.p.Seek(at)
	}
}

func (v *Player) jump(by time.Duration) { v.seek(v.Line.At + by) }

// Newest is how far before the end of a stream its newest picture lies: the rest has yet to reach this window.
const Newest = time.Second

// toNow goes to the newest picture of a stream.
func (v *Player) toNow() {
	v.Tick()
	v.seek(v.length)
	if v.p != nil {
		v.p.Play()
	}
}

// toAlarm goes to the next alarm, or from the last alarm to the first.
func (v *Player) toAlarm() {
	if len(v.video.Marks) == 0 {
		return
	}
	to := v.video.Marks[0]
	for _, m := range v.video.Marks {
		if m > v.Line.At+100*time.Millisecond {
			to = m
			break
		}
	}
	v.seek(to)
}

// SeekTo shows the picture that was filmed at a time.
func (v *Player) SeekTo(t time.Time) { v.seek(t.Sub(v.video.Start)) }

// mark sets the beginning of the loop, then its end, and then ends the loop.
func (v *Player) mark() {
	at := v.Line.At
	switch {
	case v.from < 0:
		v.from, v.to = at, -1
		v.env.Toast(words.L("Press again where the repetition ends."))
	case v.to < 0 && at > v.from+minLoop:
		v.to = at
	default:
		v.endLoop()
		return
	}
	v.showLoop()
}

func (v *Player) endLoop() {
	v.from, v.to = -1, -1
	v.showLoop()
}

func (v *Player) showLoop() {
	v.Line.Loop(v.from, v.to)
	v.loop.Importance = widget.MediumImportance
	if v.from >= 0 {
		v.loop.Importance = widget.HighImportance
	}
	v.loop.Refresh()
}

// minLoop is the length of the shortest loop.
const minLoop = 200 * time.Millisecond

// faster changes the speed by a number of steps.
func (v *Player) faster(by int) {
	v.speed.SetSelectedIndex(min(max(0, v.speed.SelectedIndex()+by), len(speeds)-1))
}

// toggleFull lets the player fill the screen, or puts it back.
func (v *Player) toggleFull() {
	v.filling = !v.filling
	v.stir()
	for _, o := range v.stages.Objects {
		o.(*stage).round(!v.filling)
	}
	if v.filling {
		v.holder.RemoveAll()
		v.full.SetIcon(theme.ViewRestoreIcon())
	} else {
		v.full.SetIcon(theme.ViewFullScreenIcon())
	}
	v.env.FillScreen(v.inner, v.filling)
	if !v.filling {
		v.holder.Add(v.inner)
	}
	v.Full(v.filling)
	v.env.Window.Canvas().Focus(v.Line)
}

// restControls is how long the controls stay in full screen.
const restControls = 3 * time.Second

// stir shows the controls.
func (v *Player) stir() {
	v.stirred = time.Now()
	if !v.controls.Visible() {
		v.controls.Show()
		v.inner.Refresh()
	}
}

// hideControls hides the controls while a video plays in full screen and nobody touches anything.
func (v *Player) hideControls() {
	if v.filling && v.playing && v.controls.Visible() && time.Since(v.stirred) > restControls {
		v.controls.Hide()
		v.inner.Refresh()
	}
}

// LeaveFull puts the player back, if it fills the screen. It reports whether it did.
func (v *Player) LeaveFull() bool {
	if !v.filling {
		return false
	}
	v.toggleFull()
	return true
}

// Typed handles the keys of the player.
func (v *Player) Typed(e *fyne.KeyEvent) {
	v.stir()
	switch e.Name {
	case fyne.KeySpace, fyne.KeyK:
		v.toggle()
	case fyne.KeyLeft:
		v.jump(-5 * time.Second)
	case fyne.KeyRight:
		v.jump(5 * time.Second)
	case fyne.KeyHome:
		v.seek(v.first)
	case fyne.KeyEnd:
		v.seek(v.length)
	case fyne.KeyComma:
		v.step(-1)
	case fyne.KeyPeriod:
		v.step(1)
	case fyne.KeyPlus, fyne.KeyEqual:
		v.faster(1)
	case fyne.KeyMinus:
		v.faster(-1)
	case fyne.KeyA:
		v.toAlarm()
	case fyne.KeyL:
		v.mark()
	case fyne.KeyF:
		v.toggleFull()
	case fyne.KeyS:
		v.snapshot(false)
	case fyne.KeyM:
		v.muted = !v.muted
		v.setVolume()
	case fyne.KeyEscape:
		v.LeaveFull()
	case fyne.Key0:
		v.stage.zoomTo(1, fyne.Position{})
	}
}

// --- Sound ---

// prefVolume is the name of the window's setting for the volume.
const prefVolume = "volume"

func (env *Env) volume() float64 {
	if env.App == nil {
		return 1
	}
	return env.App.Preferences().FloatWithFallback(prefVolume, 1)
}

// setVolume passes the volume on to the player.
func (v *Player) setVolume() {
	icon, volume := theme.VolumeUpIcon(), v.volume
	if v.muted || volume == 0 {
		icon, volume = theme.VolumeMuteIcon(), 0
	}
	v.sound.SetIcon(icon)
	if v.p != nil {
		v.p.SetVolume(volume)
	}
}

// volume is the slider of the volume. Escape puts it away.
type volume struct {
	widget.Slider
	away func()
}

func (s *volume) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape {
		s.away()
		return
	}
	s.Slider.TypedKey(k)
}

// askVolume shows a slider for the volume.
func (v *Player) askVolume() {
	slider := &volume{}
	slider.Max, slider.Step = 1, 0.05
	slider.ExtendBaseWidget(slider)
	slider.SetValue(v.volume)
	slider.OnChanged = func(to float64) {
		v.volume, v.muted = to, false
		v.env.App.Preferences().SetFloat(prefVolume, to)
		v.setVolume()
	}
	c := v.env.Window.Canvas()
	p := widget.NewPopUp(widgets.Fixed(160, 0, slider), c)
	slider.away = func() {
		p.Hide()
		c.Focus(v.Line)
	}
	v.sound.MouseOut() // its tip would lie half below
	widgets.ShowNear(p, v.sound, c)
	c.Focus(slider)
}

// showLevel shows how loud the sound is, and hides the sound of a video that has none.
func (v *Player) showLevel() {
	if v.p.Silent() == v.louds.Visible() {
		widgets.SetVisible(v.louds, !v.p.Silent())
		v.inner.Refresh()
	}
	if level := v.p.Level(); math.Abs(level-v.level.Value) > 0.02 {
		v.level.SetValue(level)
	}
}

// --- Pictures of the video ---

// askSnapshot asks what to do with the picture that is shown.
func (v *Player) askSnapshot(from fyne.CanvasObject) {
	menu := fyne.NewMenu("", fyne.NewMenuItem(words.L("Save picture"), func() { v.snapshot(false) }),
		fyne.NewMenuItem(words.L("Copy picture"), func() { v.snapshot(true) }))
	widgets.ShowMenu(menu, from, v.env.Window.Canvas())
}

// snapshot saves the picture that is shown, in the size in which it was filmed. With copies it also puts the file on
// the clipboard.
func (v *Player) snapshot(copies bool) {
	known := v.env.Known()
	if v.p == nil || known == nil {
		return
	}
	v.p.Pause()
	at, video := v.Line.At, v.video
	v.env.Work.Go(func() {
		path, err := savePicture(v.env.Ctx, known.FFmpeg, video, at)
		copied := false
		if err == nil && copies {
			copied = opener.CopyFile(path) == nil
		}
		v.env.Do(func() {
			text := words.L("Saved: %s", filepath.Base(path))
			switch {
			case err != nil:
				if v.env.Ctx.Err() == nil {
					v.env.Fail(err)
				}
				return
			case copied:
				text = words.L("The picture is on the clipboard, and in %s.", filepath.Dir(path))
			case copies:
				text = words.L("The desktop took no picture for its clipboard. Saved: %s", filepath.Base(path))
			}
			v.env.ToastWith(text, words.L("Show in folder"), func() {
				v.env.Try(func(context.Context) error { return opener.Reveal(path) }, nil)
			})
		})
	})
}

// savePicture writes the picture at a position into the folder for pictures.
func savePicture(ctx context.Context, f status.FFmpeg, v Video, at time.Duration) (path string, err error) {
	m, err := player.Grab(ctx, f.Path, f.Version, v.Source, at, image.Point{})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(xdg.UserDirs.Pictures, "Preroll")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	when := v.Start.Add(at).Local()
	name := event.FileName(v.Name) + " " + when.Format("2006-01-02 15.04.05")
	file, err := CreateFile(filepath.Join(dir, name+".png"))
	if err != nil {
		return "", err
	}
	if err := errors.Join(png.Encode(file, m), file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// CreateFile creates a file, with a number in its name if the name is taken.
func CreateFile(path string) (*os.File, error) {
	ext := filepath.Ext(path)
	name := path
	for n := 2; ; n++ {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		name = fmt.Sprintf("%s_%d%s", strings.TrimSuffix(path, ext), n, ext)
	}
}

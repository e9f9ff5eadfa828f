package page

import (
	"image/color"
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

// second is the video of another camera, which is shown beside a player's own and in step with it.
type second struct {
	v       *Player
	p       *player.Player
	video   Video
	failed  string // why nothing is shown
	picture *canvas.Image
	stage   *stage
	message Plate
}

// Beside shows the video of another camera beside the one that is open: what was filmed at the same time, as the one
// that is open plays, stops and jumps. Nil shows the one that is open alone.
func (v *Player) Beside(video *Video) {
	if s := v.second; s != nil {
		v.second = nil
		v.env.Work.Go(s.p.Close)
		v.name.Say("")
		v.stages.Objects = v.stages.Objects[:1]
		v.stages.Refresh()
	}
	known := v.env.Known()
	if video == nil || v.p == nil || known == nil || known.FFmpeg.Path == "" {
		return
	}
	s := &second{v: v, video: *video, picture: canvas.NewImageFromImage(video.Poster)}
	s.picture.FillMode, s.picture.ScaleMode = canvas.ImageFillContain, canvas.ImageScaleFastest
	name := NewPlate()
	s.message = NewPlate()
	s.stage = newStage(v, s.picture, over(name, s.message), func() *player.Player { return s.p })
	name.Say(video.Name)
	v.name.Say(v.video.Name)
	s.stage.round(!v.filling)
	v.second = s
	v.stages.Add(s.stage)
	v.stages.Refresh() // gives it a size
	width, height := s.stage.pixels()
	s.p = player.New(player.Options{FFmpeg: known.FFmpeg.Path, Version: known.FFmpeg.Version, Width: width,
		Height: height, Leader: v.p, Ahead: v.video.Start.Sub(video.Start), Show: v.env.NewFrames(s.show).Put,
		State: s.state})
	s.p.SetVolume(0) // the sound is that of the first
	s.p.Open(video.Source, v.Line.At+v.video.Start.Sub(video.Start), false)
}

// Plate is a text on a dark ground, which can be read on any picture.
type Plate struct {
	*widget.Label
	Box fyne.CanvasObject
}

// NewPlate makes an empty plate, which is hidden.
func NewPlate() Plate {
	p := Plate{Label: widget.NewLabel("")}
	p.Box = container.NewStack(canvas.NewRectangle(color.NRGBA{0, 0, 0, 0xc0}),
		container.NewThemeOverride(p.Label, widgets.Appearance{Theme: theme.DefaultTheme(), Variant: "dark",
			Scale: widgets.Scale()}))
	p.Box.Hide()
	return p
}

// Say shows a text, or nothing for "".
func (p Plate) Say(text string) {
	if p.Text != text {
		p.SetText(text)
	}
	widgets.SetVisible(p.Box, text != "")
}

// over lays a name and a message over a picture.
func over(name, message Plate) fyne.CanvasObject {
	name.SizeName = theme.SizeNameCaptionText
	message.Wrapping, message.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	return container.NewStack(container.NewVBox(layout.NewSpacer(), message.Box, layout.NewSpacer()),
		container.NewVBox(container.NewHBox(name.Box)))
}

// show shows a picture.
func (s *second) show(f player.Frame) {
	if s.v.second == s {
		s.picture.Image = f.Picture
		s.picture.Refresh()
	}
}

func (s *second) state(st player.State) {
	s.v.env.Do(func() {
		s.failed = ""
		if st.Err != nil {
			s.failed = words.Error(st.Err)
		}
		s.say()
	})
}

// beyond is how far outside of its video the time must lie before that is said.
const beyond = time.Second

// say says why the picture is not of the time that the other one shows.
func (s *second) say() {
	text, at := s.failed, s.v.Shown()
	begin, end := s.video.Start, s.video.Start.Add(s.video.Source.Length)
	switch {
	case text != "":
	case at.Before(begin.Add(-beyond)):
		text = words.L("begins at %s", begin.Local().Format("15:04:05"))
	case at.After(end.Add(beyond)):
		text = words.L("ended at %s", end.Local().Format("15:04:05"))
	}
	pale := 0.0
	if text != "" {
		pale = 0.6
	}
	s.message.Say(text)
	if s.picture.Translucency != pale {
		s.picture.Translucency = pale
		s.picture.Refresh()
	}
}

// pair lays out one object, or two beside each other, or below if that makes them larger.
type pair struct{}

func (pair) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const gap = 4
	each, by := size, fyne.NewPos(0, 0)
	if len(objects) == 2 {
		if size.Width > size.Height*16/9 {
			each.Width = (size.Width - gap) / 2
			by.X = each.Width + gap
		} else {
			each.Height = (size.Height - gap) / 2
			by.Y = each.Height + gap
		}
	}
	for i, o := range objects {
		o.Move(fyne.NewPos(by.X*float32(i), by.Y*float32(i)))
		o.Resize(each)
	}
}

func (pair) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(240, 135) }

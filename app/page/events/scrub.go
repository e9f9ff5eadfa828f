package events

import (
	"image"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/recorder/event"
)

// thumb is the picture of an event. While the mouse is over it, it shows another picture of the clip, and a line where
// in the clip that picture lies.
type thumb struct {
	widget.BaseWidget
	picture *canvas.Image
	usual   image.Image
	line    *canvas.Rectangle
	at      float32 // of the line, 0 to 1; negative for none
}

func newThumb() *thumb {
	t := &thumb{picture: canvas.NewImageFromImage(nil), line: canvas.NewRectangle(color.Transparent), at: -1}
	t.picture.FillMode, t.picture.CornerRadius = canvas.ImageFillContain, 4
	t.ExtendBaseWidget(t)
	return t
}

// set sets the usual picture.
func (t *thumb) set(m image.Image) {
	if t.usual == m {
		return
	}
	t.usual = m
	if t.at < 0 {
		t.picture.Image = m
		t.picture.Refresh()
	}
}

// show shows another picture, or the usual one for nil.
func (t *thumb) show(m image.Image) {
	if m == nil {
		m = t.usual
	}
	t.picture.Image = m
	t.picture.Refresh()
}

// mark shows the line at a part of the width, or none.
func (t *thumb) mark(at float32) {
	t.at = at
	t.line.FillColor = color.Transparent
	if at >= 0 {
		t.line.FillColor = theme.Color(theme.ColorNamePrimary)
	}
	t.line.Resize(fyne.NewSize(max(0, at)*t.Size().Width, 3))
	t.line.Move(fyne.NewPos(0, t.Size().Height-3))
	t.line.Refresh()
}

// part returns which part of the width lies left of a position in the window, and whether the position is inside.
func (t *thumb) part(at fyne.Position) (x float32, in bool) {
	p := at.Subtract(fyne.CurrentApp().Driver().AbsolutePositionForObject(t))
	size := t.Size()
	return p.X / max(1, size.Width), p.X >= 0 && p.Y >= 0 && p.X < size.Width && p.Y < size.Height
}

// CreateRenderer shows the picture on grey.
func (t *thumb) CreateRenderer() fyne.WidgetRenderer {
	ground := canvas.NewRectangle(color.NRGBA{0x80, 0x80, 0x80, 0x30})
	ground.CornerRadius = 4
	return widget.NewSimpleRenderer(container.NewStack(ground, t.picture, container.NewWithoutLayout(t.line)))
}

// scrub shows the pictures of a clip as the mouse moves over its thumbnail. It belongs to the main goroutine.
type scrub struct {
	env   *page.Env
	life  int // number of the visit of the mouse
	event event.Event
	thumb *thumb
	p     *player.Player
	clip  int         // that the player has
	want  float32     // part of the event
	moved time.Time   // when the mouse moved last
	rest  *time.Timer // until FFmpeg is started
}

// Of scrubbing: how long the mouse rests before FFmpeg is started, and the size of its pictures.
const (
	scrubRest  = 200 * time.Millisecond
	scrubIdle  = 10 * time.Second // without a move, until FFmpeg ends
	scrubWidth = 480
)

// move goes to a part of an event's clips.
func (s *scrub) move(e event.Event, t *thumb, part float32) {
	known := s.env.Known()
	if len(e.Clips) == 0 || known == nil || known.FFmpeg.Path == "" || isAway(s.env, e) {
		s.end()
		return
	}
	if s.thumb != t || s.event.ID != e.ID {
		s.end()
		s.event, s.thumb, s.clip = e, t, -1
		life := s.life
		s.rest = time.AfterFunc(scrubRest, func() {
			s.env.Do(func() {
				if s.life == life {
					s.begin(known.FFmpeg.Path, known.FFmpeg.Version)
				}
			})
		})
	}
	s.want, s.moved = part, s.env.Now()
	t.mark(part)
	s.seek()
}

// tick ends the visit of a mouse that rests: FFmpeg would hold the file, and its drive.
func (s *scrub) tick() {
	if s.thumb != nil && s.env.Now().Sub(s.moved) > scrubIdle {
		s.end()
	}
}

func (s *scrub) begin(ffmpeg, version string) {
	life := s.life
	s.p = player.New(player.Options{FFmpeg: ffmpeg, Version: version, Width: scrubWidth, Height: scrubWidth,
		Show: s.env.NewFrames(func(f player.Frame) {
			if s.life == life {
				s.thumb.show(f.Picture)
			}
		}).Put,
		State: func(player.State) {}})
	s.p.SetVolume(0)
	s.seek()
}

// seek shows the wanted part.
func (s *scrub) seek() {
	if s.p == nil {
		return
	}
	at := time.Duration(float64(s.want) * float64(s.event.Length()))
	for i, c := range s.event.Clips {
		length := c.Length.D()
		if at > length && i < len(s.event.Clips)-1 {
			at -= length
			continue
		}
		if s.clip == i {
			s.p.Seek(at)
			return
		}
		s.clip = i
		s.p.Open(player.Source{Path: s.env.Path(s.event, c.File), Length: length}, at, false)
		return
	}
}

// end shows the thumbnail again.
func (s *scrub) end() {
	s.life++
	if s.rest != nil {
		s.rest.Stop()
	}
	if s.thumb != nil {
		s.thumb.mark(-1)
		s.thumb.show(nil)
	}
	if s.p != nil {
		s.env.Work.Go(s.p.Close)
	}
	s.thumb, s.p, s.event = nil, nil, event.Event{}
}

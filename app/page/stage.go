package page

import (
	"image/color"
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/player"
)

// stage is the black background of the picture. It reports its size to the player. The wheel enlarges the picture where
// the mouse is, and dragging moves it.
type stage struct {
	widget.BaseWidget
	v       *Player
	ground  *canvas.Rectangle
	picture *canvas.Image
	over    fyne.CanvasObject     // over the picture
	player  func() *player.Player // whose pictures it shows; may return nil

	zoom float32       // 1: the whole picture
	off  fyne.Position // of the middle of the enlarged picture from the middle of the stage
	last time.Time     // of a tap
}

// maxZoom is how much a picture can be enlarged.
const maxZoom = 8

func newStage(v *Player, picture *canvas.Image, over fyne.CanvasObject, p func() *player.Player) *stage {
	s := &stage{v: v, ground: canvas.NewRectangle(color.Black), picture: picture, over: over, player: p, zoom: 1}
	s.round(true)
	s.ExtendBaseWidget(s)
	return s
}

// round gives the background round corners, or none.
func (s *stage) round(on bool) {
	s.ground.CornerRadius = 0
	if on {
		s.ground.CornerRadius = 6
	}
}

// MouseIn shows the controls.
func (s *stage) MouseIn(*desktop.MouseEvent) { s.v.stir() }

// MouseMoved shows the controls.
func (s *stage) MouseMoved(*desktop.MouseEvent) { s.v.stir() }

// MouseOut does nothing.
func (s *stage) MouseOut() {}

// Tapped plays or pauses. DoubleTapped would delay it, so a second tap soon after fills the screen.
func (s *stage) Tapped(*fyne.PointEvent) {
	s.v.toggle()
	if time.Since(s.last) < doubleTap {
		s.v.toggleFull()
		s.last = time.Time{}
		return
	}
	s.last = time.Now()
}

// doubleTap is the longest time between the taps of a double tap.
const doubleTap = 350 * time.Millisecond

// Scrolled enlarges the picture, so that the point below the mouse stays.
func (s *stage) Scrolled(e *fyne.ScrollEvent) {
	zoom := min(max(1, s.zoom*float32(math.Pow(1.005, float64(e.Scrolled.DY)))), maxZoom)
	at := e.Position.Subtract(fyne.NewPos(s.Size().Width/2, s.Size().Height/2))
	s.zoomTo(zoom, at.Subtract(fyne.NewPos((at.X-s.off.X)*zoom/s.zoom, (at.Y-s.off.Y)*zoom/s.zoom)))
}

// Dragged moves the enlarged picture.
func (s *stage) Dragged(e *fyne.DragEvent) { s.zoomTo(s.zoom, s.off.Add(e.Dragged)) }

// DragEnd does nothing.
func (s *stage) DragEnd() {}

// zoomTo shows the picture enlarged and moved, but never away from the edge.
func (s *stage) zoomTo(zoom float32, off fyne.Position) {
	room := fyne.NewPos(s.Size().Width*(zoom-1)/2, s.Size().Height*(zoom-1)/2)
	s.off = fyne.NewPos(min(max(off.X, -room.X), room.X), min(max(off.Y, -room.Y), room.Y))
	finer := s.zoom != zoom
	s.zoom = zoom
	s.place()
	if p := s.player(); finer && p != nil {
		p.Resize(s.pixels())
	}
}

// pixels returns the size of the picture on the screen.
func (s *stage) pixels() (width, height int) {
	size, scale := s.Size(), s.v.env.Window.Canvas().Scale()*s.zoom
	return max(160, int(size.Width*scale)), max(90, int(size.Height*scale))
}

func (s *stage) place() {
	size := fyne.NewSize(s.Size().Width*s.zoom, s.Size().Height*s.zoom)
	s.picture.Resize(size)
	s.picture.Move(fyne.NewPos((s.Size().Width-size.Width)/2+s.off.X, (s.Size().Height-size.Height)/2+s.off.Y))
}

// Resize reports the new size to the player.
func (s *stage) Resize(size fyne.Size) {
	old := s.Size()
	if size == old {
		return
	}
	s.BaseWidget.Resize(size)
	off := s.off
	if old.Width > 0 && old.Height > 0 { // the same part of the picture stays in the middle
		off = fyne.NewPos(off.X*size.Width/old.Width, off.Y*size.Height/old.Height)
	}
	s.zoomTo(s.zoom, off)
	if p := s.player(); p != nil {
		p.Resize(s.pixels())
	}
}

// MinSize leaves space for a small picture.
func (s *stage) MinSize() fyne.Size { return fyne.NewSize(240, 135) }

// CreateRenderer shows the picture on black, and the message over the picture.
func (s *stage) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewStack(s.ground,
		container.NewClip(container.NewWithoutLayout(s.picture)), s.over))
}

package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Story is a drawing of what Preroll does: a line of time that fades, the alarm on it, and the clip around the alarm.
type Story struct {
	widget.BaseWidget
	memory, alarm, clip string
}

// NewStory returns the drawing with its words.
func NewStory(memory, alarm, clip string) *Story {
	s := &Story{memory: memory, alarm: alarm, clip: clip}
	s.ExtendBaseWidget(s)
	return s
}

// CreateRenderer draws the story.
func (s *Story) CreateRenderer() fyne.WidgetRenderer {
	r := &storyRenderer{s: s, line: canvas.NewHorizontalGradient(color.Transparent, color.Transparent),
		clip: canvas.NewRectangle(color.Transparent), alarm: canvas.NewRectangle(color.Transparent)}
	for _, t := range []string{s.memory, s.alarm, s.clip} {
		r.words = append(r.words, canvas.NewText(t, color.Transparent))
	}
	r.Refresh()
	return r
}

type storyRenderer struct {
	s           *Story
	line        *canvas.LinearGradient
	clip, alarm *canvas.Rectangle
	words       []*canvas.Text
}

// Layout places the parts: the clip begins before the alarm.
func (r *storyRenderer) Layout(size fyne.Size) {
	text := theme.TextSize()
	y := text * 2.2
	const height = 22
	at := size.Width * 0.55
	r.line.Resize(fyne.NewSize(size.Width, height))
	r.line.Move(fyne.NewPos(0, y))
	r.clip.Resize(fyne.NewSize(size.Width*0.4, height))
	r.clip.Move(fyne.NewPos(at-size.Width*0.1, y))
	r.alarm.Resize(fyne.NewSize(4, height+16))
	r.alarm.Move(fyne.NewPos(at-2, y-8))
	for i, x := range []float32{size.Width * 0.02, at - r.words[1].MinSize().Width/2, at + size.Width*0.03} {
		top := y + (height-r.words[i].MinSize().Height)/2
		if i == 1 {
			top = 0
		}
		r.words[i].Move(fyne.NewPos(x, top))
		r.words[i].Resize(r.words[i].MinSize())
	}
}

// MinSize leaves room for the words.
func (r *storyRenderer) MinSize() fyne.Size { return fyne.NewSize(300, theme.TextSize()*2.2+22+24) }

// Refresh takes the colours of the theme.
func (r *storyRenderer) Refresh() {
	r.line.StartColor, r.line.EndColor = theme.Color(theme.ColorNameBackground),
		theme.Color(theme.ColorNameDisabledButton)
	r.clip.FillColor, r.clip.CornerRadius = theme.Color(theme.ColorNamePrimary), 4
	r.alarm.FillColor, r.alarm.CornerRadius = theme.Color(theme.ColorNameWarning), 2
	for i, w := range r.words {
		w.Color, w.TextSize = theme.Color(theme.ColorNameForeground), theme.TextSize()
		if i == 2 {
			w.Color = theme.Color(theme.ColorNameForegroundOnPrimary)
		}
		w.Refresh()
	}
	r.line.Refresh()
	r.clip.Refresh()
	r.alarm.Refresh()
}

func (r *storyRenderer) Destroy() {}

func (r *storyRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.line, r.clip, r.alarm, r.words[0], r.words[1], r.words[2]}
}

package widgets

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Line is one line of text that is cut to its width. It costs a fraction of a label, which matters while a list is
// dragged.
type Line struct {
	widget.BaseWidget
	text  *canvas.Text
	full  string
	name  fyne.ThemeColorName
	Small bool    // in the size of captions
	Name  bool    // it is cut in the middle, because names often differ only at their end
	at    float32 // width that the text was cut for
}

// NewLine makes an empty line.
func NewLine(style fyne.TextStyle) *Line {
	l := &Line{text: canvas.NewText("", color.Transparent), name: theme.ColorNameForeground}
	l.text.TextStyle = style
	l.ExtendBaseWidget(l)
	return l
}

// Set changes the text and its colour.
func (l *Line) Set(text string, name fyne.ThemeColorName) {
	if text == l.full && name == l.name {
		return
	}
	l.full, l.name, l.at = text, name, -1
	l.draw()
}

func (l *Line) textSize() float32 {
	if l.Small {
		return theme.Size(theme.SizeNameCaptionText)
	}
	return theme.TextSize()
}

func (l *Line) draw() {
	size, width := l.textSize(), l.Size().Width
	fill := theme.Color(l.name)
	if l.at == width && l.text.TextSize == size && l.text.Color == fill {
		return
	}
	l.at = width
	l.text.TextSize, l.text.Color = size, fill
	l.text.Text = cut(l.full, width, l.Name, func(s string) float32 {
		return fyne.MeasureText(s, size, l.text.TextStyle).Width
	})
	l.text.Refresh()
}

// Shorten shortens a text to a number of characters in its middle, because names often differ only at their end.
func Shorten(text string, long int) string {
	r := []rune(text)
	if len(r) <= long {
		return text
	}
	end := long / 3
	return strings.TrimRight(string(r[:long-end-1]), " ") + "…" + strings.TrimLeft(string(r[len(r)-end:]), " ")
}

// cut shortens a text to a width in a few measurements: in its middle, or at its end.
func cut(full string, width float32, middle bool, measure func(string) float32) string {
	if width <= 0 {
		return ""
	}
	text, got := full, measure(full)
	runes := []rune(full)
	for n := len(runes); got > width && n > 0; {
		n = min(n-1, int(float32(n)*width/got))
		if middle {
			text = Shorten(full, n+1)
		} else {
			text = string(runes[:n]) + "…"
		}
		got = measure(text)
	}
	return text
}

// CreateRenderer shows the text.
func (l *Line) CreateRenderer() fyne.WidgetRenderer { return &lineOfText{l} }

type lineOfText struct{ l *Line }

func (r *lineOfText) Layout(size fyne.Size) {
	r.l.text.Resize(size)
	r.l.draw()
}

func (r *lineOfText) MinSize() fyne.Size {
	return fyne.NewSize(20, fyne.MeasureText("M", r.l.textSize(), r.l.text.TextStyle).Height)
}

func (r *lineOfText) Refresh()                     { r.l.draw() }
func (r *lineOfText) Destroy()                     {}
func (r *lineOfText) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.l.text} }

// ColourOf returns the text colour of an importance.
func ColourOf(i widget.Importance) fyne.ThemeColorName {
	switch i {
	case widget.HighImportance:
		return theme.ColorNamePrimary
	case widget.WarningImportance:
		return theme.ColorNameWarning
	case widget.DangerImportance:
		return theme.ColorNameError
	case widget.SuccessImportance:
		return theme.ColorNameSuccess
	case widget.LowImportance:
		return theme.ColorNameDisabled
	}

	return theme.ColorNameForeground
}

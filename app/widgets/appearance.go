package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Appearance is the look that the user chose for the window. It belongs to the window and not to the recorder's
// settings.
type Appearance struct {
	fyne.Theme
	Variant string  // "light", "dark", or "" for the desktop's
	Scale   float32 // of text and everything around it
}

// Color returns a colour of the chosen variant. Disabled text and hints stay legible.
func (l Appearance) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	switch l.Variant {
	case "light":
		v = theme.VariantLight
	case "dark":
		v = theme.VariantDark
	}
	switch {
	case n == theme.ColorNameDisabled && v == theme.VariantLight:
		return color.NRGBA{0x7a, 0x7a, 0x7a, 0xff}
	case n == theme.ColorNameDisabled:
		return color.NRGBA{0x96, 0x96, 0x96, 0xff}
	case n == theme.ColorNameSuccess && v == theme.VariantLight:
		return color.NRGBA{0x1b, 0x8a, 0x2f, 0xff}
	case n == theme.ColorNameWarning && v == theme.VariantLight:
		return color.NRGBA{0xb8, 0x62, 0x00, 0xff}
	}

	return l.Theme.Color(n, v)
}

// Size returns the usual size, scaled.
func (l Appearance) Size(n fyne.ThemeSizeName) float32 { return l.Theme.Size(n) * l.Scale }

// Keys of the preferences.
const (
	PrefTheme = "theme"
	PrefText  = "text"
)

// TextSizes are the sizes of text to choose from.
var TextSizes = []struct {
	Name  string
	Scale float64
}{{"Normal", 1}, {"Large", 1.25}, {"Very large", 1.5}}

// Dress gives the program the look that the user chose.
func Dress(a fyne.App) {
	p := a.Preferences()
	a.Settings().SetTheme(Appearance{theme.DefaultTheme(), p.String(PrefTheme),
		float32(p.FloatWithFallback(PrefText, 1))})
}

// backdrop is a background in a colour of the theme.
type backdrop struct {
	widget.BaseWidget
	name   fyne.ThemeColorName
	border fyne.ThemeColorName
	radius float32
}

// NewBackdrop makes a background in a colour of the theme, with a border in another colour unless that is "".
func NewBackdrop(name, border fyne.ThemeColorName, radius float32) *backdrop {
	b := &backdrop{name: name, border: border, radius: radius}
	b.ExtendBaseWidget(b)
	return b
}

// CreateRenderer draws the background.
func (b *backdrop) CreateRenderer() fyne.WidgetRenderer {
	r := &backdropRenderer{b: b, rect: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type backdropRenderer struct {
	b    *backdrop
	rect *canvas.Rectangle
}

func (r *backdropRenderer) Layout(size fyne.Size)        { r.rect.Resize(size) }
func (r *backdropRenderer) MinSize() fyne.Size           { return fyne.Size{} }
func (r *backdropRenderer) Destroy()                     {}
func (r *backdropRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.rect} }
func (r *backdropRenderer) Refresh() {
	r.rect.FillColor, r.rect.CornerRadius = theme.Color(r.b.name), r.b.radius
	if r.b.border != "" {
		r.rect.StrokeWidth, r.rect.StrokeColor = 1, theme.Color(r.b.border)
	}
	r.rect.Refresh()
}

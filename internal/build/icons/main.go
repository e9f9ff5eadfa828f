// Command icons draws the pictures under assets: a record dot inside an arrow that runs back in time.
//
//	go run ./internal/build/icons
package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
)

type shape func(x, y float64) bool

var (
	grey  = color.NRGBA{0x8b, 0x93, 0x9e, 0xff} // legible on light and dark panels
	red   = color.NRGBA{0xe5, 0x39, 0x35, 0xff}
	blue  = color.NRGBA{0x1e, 0x88, 0xe5, 0xff}
	amber = color.NRGBA{0xfb, 0x8c, 0x00, 0xff}
	white = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	night = color.NRGBA{0x1c, 0x24, 0x30, 0xff}
)

type layer struct {
	in  shape
	col color.NRGBA
}

func disc(cx, cy, r float64) shape {
	return func(x, y float64) bool { return math.Hypot(x-cx, y-cy) <= r }
}

// arc is a ring around the middle, open from the top to the upper left, where the arrow head is.
func arc(r, w float64) shape {
	return func(x, y float64) bool {
		d := math.Hypot(x-.5, y-.5)
		a := math.Mod(math.Atan2(x-.5, .5-y)*180/math.Pi+360, 360) // clockwise from the top
		return math.Abs(d-r) <= w/2 && (a < 300)
	}
}

// head is the arrow head at the arc's beginning, pointing anticlockwise: back in time.
func head(r, size float64) shape {
	cx, cy := .5, .5-r
	return func(x, y float64) bool {
		dx, dy := cx+size*.15-x, math.Abs(y-cy)
		return dx >= 0 && dx <= size && dy <= (size-dx)*.75
	}
}

func rounded(r float64) shape {
	return func(x, y float64) bool {
		dx, dy := math.Max(math.Abs(x-.5)-(.5-r), 0), math.Max(math.Abs(y-.5)-(.5-r), 0)
		return math.Hypot(dx, dy) <= r
	}
}

func down(x, y float64) bool { // an arrow onto a line
	x, y = math.Abs(x-.5), y-.5
	return x <= .08 && y >= -.32 && y <= -.05 || y >= -.06 && y <= .16 && x <= .24-(y+.06)*1.1 ||
		x <= .25 && y >= .20 && y <= .30
}

func exclamation(x, y float64) bool {
	return math.Abs(x-.5) <= .08 && y >= .18 && y <= .58 || math.Hypot(x-.5, y-.74) <= .09
}

func bars(x, y float64) bool { // the sign of a pause
	x, y = math.Abs(x-.5), math.Abs(y-.5)
	return x >= .06 && x <= .18 && y <= .20
}

func draw(size int, layers []layer) image.Image {
	const n = 6 // samples a side of each pixel
	m := image.NewNRGBA(image.Rect(0, 0, size, size))
	for py := range size {
		for px := range size {
			var r, g, b, a float64
			for s := range n * n {
				x := (float64(px) + (float64(s%n)+.5)/n) / float64(size)
				y := (float64(py) + (float64(s/n)+.5)/n) / float64(size)
				for i := len(layers) - 1; i >= 0; i-- {
					if layers[i].in(x, y) {
						c := layers[i].col
						r, g, b, a = r+float64(c.R), g+float64(c.G), b+float64(c.B), a+1
						break
					}
				}
			}
			if a > 0 {
				m.SetNRGBA(px, py, color.NRGBA{uint8(r / a), uint8(g / a), uint8(b / a), uint8(a / (n * n) * 255)})
			}
		}
	}
	return m
}

func main() {
	ring := []layer{{lower(arc(.40, .12)), grey}, {lower(head(.40, .26)), grey}}
	for name, p := range map[string]struct {
		size   int
		layers []layer
	}{
		"icon": {512, []layer{{rounded(.22), night}, {shrink(arc(.40, .085)), white},
			{shrink(head(.40, .24)), white}, {shrink(disc(.5, .5, .21)), red}}},
		"tray-recording": {64, append(ring, layer{lower(disc(.5, .5, .22)), red})},
		// no ring: at 16 pixels a sign needs the room
		"tray-saving":    {64, []layer{{disc(.5, .5, .48), blue}, {down, white}}},
		"tray-attention": {64, []layer{{disc(.5, .5, .48), amber}, {exclamation, white}}},
		"tray-paused":    {64, append(ring, layer{lower(bars), grey})},
		"tray-idle":      {64, append(ring, layer{lower(disc(.5, .5, .22)), grey})},
	} {
		if err := write(filepath.Join("assets", name+".png"), draw(p.size, p.layers)); err != nil {
			fmt.Fprintln(os.Stderr, "icons:", err)
			os.Exit(1)
		}
	}
}

// shrink leaves a margin for the icon's ground.
func shrink(s shape) shape {
	return func(x, y float64) bool { return s((x-.5)/.72+.5, (y-.5)/.72+.5) }
}

// lower leaves room for the arrow head above the ring.
func lower(s shape) shape {
	return func(x, y float64) bool { return s((x-.5)/.9+.5, (y-.545)/.9+.5) }
}

func write(path string, m image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, m); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

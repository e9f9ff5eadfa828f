// Package picture reads the pictures of events: thumbnails, and what cameras send.
package picture

import (
	"bytes"
	"errors"
	"image"
	_ "image/jpeg" // for thumbnails
	"image/png"    // also for cameras' own pictures
	"io"
	"os"

	"golang.org/x/image/draw"
)

// maxSide is the max length of a side of a picture, in pixels.
const maxSide = 8192

// Load reads a picture from a file. It checks the dimensions first, because a picture from outside may be a small file
// and a huge image.
func Load(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, err
	}
	if c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > maxSide*maxSide/4 {
		return nil, errors.New("the picture is too large")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, _, err := image.Decode(f)
	return m, err
}

// Icon returns a picture as a PNG that is a square of a size in pixels. What is left and right of the middle square is
// cut off.
func Icon(m image.Image, size int) ([]byte, error) {
	b := m.Bounds()
	side := min(b.Dx(), b.Dy())
	from := image.Rect(0, 0, side, side).Add(b.Min).Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	small := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.BiLinear.Scale(small, small.Bounds(), m, from, draw.Src, nil)
	var out bytes.Buffer
	if err := png.Encode(&out, small); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

package window

import (
	"errors"
	"image"
	_ "image/jpeg" // thumbnails
	_ "image/png"  // cameras' own pictures
	"io"
	"os"
)

// thumbs loads thumbnails off the main goroutine and keeps the last ones. Its fields belong to the main goroutine.
type thumbs struct {
	w      *window
	cache  map[string]image.Image // nil while it is loaded, or if it cannot be
	order  []string
	loaded func(path string)
	load   func(path string) (image.Image, error)
}

// keptThumbs is how many thumbnails are kept in memory, about 500 KB each.
const keptThumbs = 100

// get returns a picture that is there, and loads one that is not.
func (t *thumbs) get(path string) image.Image {
	if m, known := t.cache[path]; known {
		return m
	}
	t.cache[path] = nil
	if t.order = append(t.order, path); len(t.order) > keptThumbs {
		delete(t.cache, t.order[0])
		t.order = t.order[1:]
	}
	t.w.work.Go(func() {
		m, err := t.load(path)
		if err != nil {
			return // the row shows that there is none
		}
		t.w.do(func() {
			if _, wanted := t.cache[path]; wanted {
				t.cache[path] = m
				t.loaded(path)
			}
		})
	})
	return nil
}

// loadPicture reads a thumbnail, or the picture that came with a mail. Its size is looked at first: a picture from
// outside may be a small file and a huge image.
func loadPicture(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, err
	}
	if c.Width > maxPicture || c.Height > maxPicture || c.Width*c.Height > maxPicture*maxPicture/4 {
		return nil, errors.New("the picture is too large")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, _, err := image.Decode(f)
	return m, err
}

// maxPicture bounds a side of a picture, in pixels.
const maxPicture = 8192

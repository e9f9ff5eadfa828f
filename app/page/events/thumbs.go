package events

import (
	"errors"
	"image"
	_ "image/jpeg" // for thumbnails
	_ "image/png"  // for cameras' own pictures
	"io"
	"os"

	"github.com/preroll/preroll/app/page"
)

// thumbs loads thumbnails off the main goroutine and keeps the last ones. Its fields belong to the main goroutine.
type thumbs struct {
	env    *page.Env
	cache  map[string]image.Image // nil while the picture is loading, or if it cannot be loaded
	order  []string
	loaded func(path string)
	load   func(path string) (image.Image, error)

	waiting []string // to be loaded, the last one first
	loading int
}

// loaders is how many thumbnails are loaded at once, even from a drive that hangs.
const loaders = 4

// keptThumbs is how many thumbnails are kept in memory, about 500 KB each.
const keptThumbs = 100

// get returns a picture if it is loaded. Otherwise it starts to load the picture and returns nil.
func (t *thumbs) get(path string) image.Image {
	if m, known := t.cache[path]; known {
		return m
	}
	t.cache[path] = nil
	if t.order = append(t.order, path); len(t.order) > keptThumbs {
		delete(t.cache, t.order[0])
		t.order = t.order[1:]
	}
	t.waiting = append(t.waiting, path)
	t.next()
	return nil
}

// next loads the picture that was asked for last, if it is still wanted.
func (t *thumbs) next() {
	for t.loading < loaders && len(t.waiting) > 0 {
		path := t.waiting[len(t.waiting)-1]
		t.waiting = t.waiting[:len(t.waiting)-1]
		if m, wanted := t.cache[path]; !wanted || m != nil {
			continue
		}
		t.loading++
		t.env.Work.Go(func() {
			m, err := t.load(path)
			t.env.Do(func() {
				t.loading--
				if _, wanted := t.cache[path]; wanted && err == nil { // without a picture the row shows none
					t.cache[path] = m
					t.loaded(path)
				}
				t.next()
			})
		})
	}
}

// loadPicture reads a thumbnail, or the picture that came with a mail. It checks the dimensions first, because a
// picture from outside may be a small file and a huge image.
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

// maxPicture is the max length of a side of a picture, in pixels.
const maxPicture = 8192

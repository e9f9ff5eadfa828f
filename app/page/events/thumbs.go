package events

import (
	"image"
	_ "image/jpeg" // for thumbnails
	_ "image/png"  // for cameras' own pictures

	"github.com/preroll/preroll/app/page"
)

// thumbs loads thumbnails off the main goroutine and keeps the last ones. Its fields belong to the main goroutine.
type thumbs struct {
	env    *page.Env
	cache  map[string]image.Image // nil while the picture is loading, or if it cannot be loaded
	order  []string
	loaded func(path string)
	shown  func() int // how many rows are visible
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
	if t.order = append(t.order, path); len(t.order) > max(keptThumbs, 2*t.shown()) {
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

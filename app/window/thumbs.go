package window

import (
	"image"
	"image/jpeg"
	"os"
)

// thumbs loads thumbnails off the main goroutine and keeps the last ones. Its fields belong to the main goroutine.
type thumbs struct {
	w      *window
	cache  map[string]image.Image // nil while it is loaded, or if it cannot be
	order  []string
	loaded func(path string)
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
		m, err := loadJPEG(path)
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

func loadJPEG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return jpeg.Decode(f)
}

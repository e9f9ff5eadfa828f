package page

import (
	"net/url"
	"slices"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/text"
)

// mailBrandOf guesses the brand of a camera and returns its index in config.Brands. It uses the name of the camera,
// then the known brand, then the path of the stream.
func mailBrandOf(c config.Camera, known string) int {
	name := config.GuessBrand(c.Name)
	if name == "" && known != config.Other {
		name = known
	}
	if u, err := url.Parse(c.URL); err == nil && name == "" {
		name = brandOfPath(u)
	}
	i := slices.IndexFunc(config.Brands, func(b config.Brand) bool { return b.Name == name })
	if i < 0 {
		return len(config.Brands) - 1
	}
	return i
}

// brandOfPath returns the first brand whose cameras have a stream at this path, or "".
func brandOfPath(u *url.URL) string {
	for _, b := range config.Brands[:len(config.Brands)-1] {
		for channel := 1; channel <= 16; channel++ {
			for _, sub := range []bool{false, true} {
				if of, err := url.Parse(b.URL(u.Hostname(), sub, channel)); err == nil &&
					of.RequestURI() == u.RequestURI() && len(u.Path) > len("/stream1") {
					return b.Name
				}
			}
		}
	}

	return ""
}

// BrandName returns the name of a brand. The name for all other brands is translated.
func BrandName(b config.Brand) string {
	if b.Name == config.Other {
		return words.Say(text.BrandOtherName.With())
	}
	return b.Name
}

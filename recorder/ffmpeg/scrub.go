package ffmpeg

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/preroll/preroll/recorder/config"
)

// address matches the URLs in a text.
var address = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s]*`)

// Scrub returns text without the password in its plain and escaped spellings. Of each URL in text, only the scheme and
// the host stay; see [config.RedactURL].
func Scrub(text, password string) string {
	mask := func(text string) string {
		return address.ReplaceAllStringFunc(text, func(u string) string {
			plain := strings.TrimRight(u, `'":,.;)`)
			return strings.Replace(config.RedactURL(plain), "…@", "", 1) + u[len(plain):]
		})
	}

	// A password of three letters would blank out ordinary words. In URLs it is gone without this.
	if len(password) < 4 {
		return mask(text)
	}
	user := url.UserPassword("", password).String()
	forms := []string{password, strings.TrimPrefix(user, ":"), url.QueryEscape(password), url.PathEscape(password)}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, f := range forms {
		text = strings.ReplaceAll(text, f, "…")
	}
	return mask(text)
}

package ffmpeg

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// userinfo matches the user and password of any URL in a text.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@]*(?:@[^\s/@]*)*@`)

// query matches the query of a URL, where some cameras want the password.
var query = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s?']*)\?[^\s']*`)

// Scrub returns a text without the user, password and query of any URL in it, and without the given password in its
// plain and escaped spellings.
func Scrub(text, password string) string {
	text = userinfo.ReplaceAllString(text, "${1}")
	text = query.ReplaceAllString(text, "${1}")
	// A password of three letters would blank out ordinary words; in a URL it is gone already.
	if len(password) < 4 {
		return text
	}
	user := url.UserPassword("", password).String()
	forms := []string{password, strings.TrimPrefix(user, ":"), url.QueryEscape(password), url.PathEscape(password)}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, f := range forms {
		text = strings.ReplaceAll(text, f, "…")
	}
	return text
}

package config

import (
	"strings"
	"time"
)

var errQuiet = rule(`two times of day such as "22:00-07:00", or empty`)

// quiet returns the quiet hours as times since midnight; both are 0 where there are none.
func (n Notify) quiet() (from, to time.Duration, err error) {
	if n.Quiet == "" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(n.Quiet, "-")
	f, ferr := time.Parse("15:04", strings.TrimSpace(a))
	t, terr := time.Parse("15:04", strings.TrimSpace(b))
	if !ok || ferr != nil || terr != nil || f.Equal(t) {
		return 0, 0, errQuiet
	}
	return sinceMidnight(f), sinceMidnight(t), nil
}

func sinceMidnight(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// IsQuiet tells whether a moment lies in the quiet hours, by its own clock. Hours that begin later than they end run
// over midnight.
func (n Notify) IsQuiet(at time.Time) bool {
	from, to, err := n.quiet()
	now := sinceMidnight(at)
	switch {
	case err != nil || from == to:
		return false
	case from < to:
		return now >= from && now < to
	}
	return now >= from || now < to
}

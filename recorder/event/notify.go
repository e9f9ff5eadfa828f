package event

import (
	"errors"
	"strings"
	"time"
)

// Notify says which notifications the desktop shows.
type Notify struct {
	Alarm   bool   `toml:"alarm" json:"alarm"`     // an alarm came, and its clip is being saved
	Saved   bool   `toml:"saved" json:"saved"`     // a clip was saved
	Trouble bool   `toml:"trouble" json:"trouble"` // something needs a person
	Quiet   string `toml:"quiet" json:"quiet"`     // such as "22:00-07:00": nothing is shown then; "": never quiet
}

// errQuiet is the error of QuietHours. The check of the settings explains what is allowed.
var errQuiet = errors.New("no quiet hours")

// QuietHours returns the start and end of the quiet hours as times since midnight. Both are 0 if there are none.
func (n Notify) QuietHours() (from, to time.Duration, err error) {
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

// IsQuiet reports whether at lies in the quiet hours, by the clock of its own time zone. Quiet hours whose start is
// later than their end run over midnight.
func (n Notify) IsQuiet(at time.Time) bool {
	from, to, err := n.QuietHours()
	now := sinceMidnight(at)
	switch {
	case err != nil || from == to:
		return false
	case from < to:
		return now >= from && now < to
	}
	return now >= from || now < to
}

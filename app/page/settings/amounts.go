package settings

import (
	"regexp"
	"strings"
	"time"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// Lengths of time and sizes, as the settings write them ("1m40s", "30d", "1GiB") and as people do ("100 s", "30 days",
// "1 GiB").

const day = 24 * time.Hour

var sizeForm = regexp.MustCompile(`^([\d.]+)([A-Za-z]+)$`)

// shown returns an amount of the settings as people write it.
func shown(v string) string {
	var l config.Duration
	if v == "" || l.UnmarshalText([]byte(v)) != nil {
		return sizeForm.ReplaceAllString(v, "$1 $2")
	}
	switch d := l.D(); {
	case d == day:
		return words.L("1 day")
	case d > 0 && d%day == 0:
		return words.L("%d days", int(d/day))
	case d >= 2*time.Hour && d%time.Hour == 0, d == time.Hour:
		return words.L("%d h", int(d/time.Hour))
	case d >= 2*time.Minute && d%time.Minute == 0, d == time.Minute:
		return words.L("%d min", int(d/time.Minute))
	case d < time.Hour && d%time.Second == 0:
		return words.L("%d s", int(d/time.Second))
	}
	return v
}

var part = regexp.MustCompile(`([\d.,]+)\s*([^\d\s.,]*)\s*`)

// units are the units of time that people write and the settings do not.
var units = map[string]string{"day": "d", "days": "d", "tag": "d", "tage": "d", "tagen": "d", "jour": "d", "jours": "d",
	"j": "d", "hours": "h", "hour": "h", "std": "h", "min": "m", "sec": "s", "sek": "s", "seconds": "s"}

// thousands matches a number that is a thousand times another one to some readers, such as 1,000 or 1.000.
var thousands = regexp.MustCompile(`\d[.,]\d{3}(\D|$)`)

// bare matches a number without a unit, and seconds an amount in seconds.
var (
	bare    = regexp.MustCompile(`^\d+([.,]\d+)?$`)
	seconds = regexp.MustCompile(`^[\d.]+\s*s$`)
)

// typed returns an amount that somebody typed as the settings write it. A number alone means seconds, if those were
// there before; any other unit may be one that nobody saw. What can be read in two ways is no amount: a limit of the
// archive that is a thousand times too small would remove clips.
func typed(v, before string) string {
	if thousands.MatchString(v) {
		return strings.ReplaceAll(v, ".", ",")
	}
	if bare.MatchString(v) && seconds.MatchString(before) {
		v += "s"
	}
	return part.ReplaceAllStringFunc(v, func(s string) string {
		m := part.FindStringSubmatch(s)
		unit := m[2]
		if u, ok := units[strings.ToLower(strings.TrimSuffix(unit, "."))]; ok {
			unit = u
		}
		return strings.ReplaceAll(m[1], ",", ".") + unit
	})
}

package message

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	datePattern  = `(\d{4}|\d{1,2})\s?[-/._年]\s?(\d{1,2})\s?[-/._月]\s?(\d{4}|\d{1,2})`
	clockPattern = `(\d{1,2})[:h時点时](\d{2})(?:[:m分](\d{2})(?:[.,]\d{1,9})?)?[秒s]?(?:\s?([AaPp])\.?[Mm]\.?)?`
	zonePattern  = `\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?`
)

var (
	dateFirst = regexp.MustCompile(`^(?:\pL{2,10}\.?,?\s)?` + datePattern +
		`(?:日\s?|(?:\s*\(?\pL{1,9}\)?)?[,;T\s]{1,3}\s*)` + clockPattern + zonePattern)
	clockFirst = regexp.MustCompile(`^` + clockPattern + `[,;\s]{1,3}` + datePattern)
	compact    = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})[-_T ]?(\d{2})(\d{2})(\d{2})(Z?)`)
	dashes     = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})[-_ ](\d{2})-(\d{2})-(\d{2})`)

	// spokenTime finds a date and a time in a sentence.
	spokenTime = regexp.MustCompile(`\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[,T\s]{1,2}\d{1,2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}[,\s]{1,2}\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp][Mm])?|\d{4}年\d{1,2}月\d{1,2}日\s?\d{1,2}[:時点时]\d{2}(?:[:分]\d{2}秒?)?`)

	// The order of day and month in a key: "Alarm Start Time(D/M/Y H:M:S)".
	dayOrder = regexp.MustCompile(`(?i)\b(?:(d{1,2}[-/. ]m{1,3}[-/. ]y)|(m{1,3}[-/. ]d{1,2}[-/. ]y))`)
)

// worded are the formats with the name of a month.
var worded = []string{
	"Jan 2 2006 15:04:05", "Jan 2 2006 3:04:05 PM", "2 Jan 2006 15:04:05", "2 Jan 2006 3:04:05 PM",
	"Jan 2 15:04:05 2006", "2006 Jan 2 15:04:05", "Jan 2 15:04:05 MST 2006",
	"January 2 2006 15:04:05", "January 2 2006 3:04:05 PM", "2 January 2006 15:04:05", "Jan 2 2006 15:04",
	"Jan 2 2006 3:04 PM", "2 Jan 2006 15:04", "January 2 2006 3:04 PM", "2 January 2006 15:04",
	"2 January 2006 3:04 PM",
}

// parseTime reads a camera's time, which is local time if it names no zone. The result is zero for an unknown format
// and for a date that does not exist. It is also zero if day and month could be exchanged and the key of the field does
// not tell their order.
func parseTime(s, key string) time.Time {
	s = strings.TrimSpace(s)
	if m := dateFirst.FindStringSubmatch(s); m != nil {
		return moment(m[1:4], m[4:8], m[8], key, s)
	}
	if m := clockFirst.FindStringSubmatch(s); m != nil {
		return moment(m[5:8], m[1:5], "", key, s)
	}
	for _, r := range []*regexp.Regexp{compact, dashes} {
		if m := r.FindStringSubmatch(s); m != nil {
			zone := ""
			if len(m) > 7 {
				zone = m[7]
			}
			return moment(m[1:4], []string{m[4], m[5], m[6], ""}, zone, key, s)
		}
	}

	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '-' })
	if len(words) > 0 && len(words) < 9 {
		if d := strings.ToLower(words[0]); len(d) >= 3 &&
			strings.Contains("sunday monday tuesday wednesday thursday friday saturday", d) {
			words = words[1:]
		}
		plain := strings.Join(words, " ")
		for _, layout := range worded {
			if t, err := time.ParseInLocation(layout, plain, time.Local); err == nil {
				return t
			}
		}
	}

	return time.Time{}
}

// moment makes a time from the digits of a date in the order written, of a clock (hour, minute, second, a or p), and of
// a zone.
func moment(date, clock []string, zone, key, text string) time.Time {
	a, b, c := atoi(date[0]), atoi(date[1]), atoi(date[2])
	var year, month, day int
	order := dayOrder.FindStringSubmatch(key)
	switch {
	case len(date[0]) == 4:
		year, month, day = a, b, c
	case len(date[2]) != 4:
		return time.Time{}
	case order != nil && order[1] != "", order == nil &&
		(a > 12 || a == b || strings.Contains(text[:min(len(text), 10)], ".")):
		// 31.01.2024 is German: the day comes first.
		year, month, day = c, b, a
	case order != nil && order[2] != "", order == nil && b > 12:
		year, month, day = c, a, b
	default:
		return time.Time{}
	}

	hour := atoi(clock[0])
	switch strings.ToLower(clock[3]) {
	case "p":
		if hour < 12 {
			hour += 12
		}
	case "a":
		if hour == 12 {
			hour = 0
		}
	}

	minute, second := atoi(clock[1]), atoi(clock[2])
	where := time.Local
	if zone != "" {
		where = time.UTC
		if digits := strings.ReplaceAll(zone[1:], ":", ""); len(digits) == 4 && (zone[0] == '+' || zone[0] == '-') {
			offset := (atoi(digits[:2])*60 + atoi(digits[2:])) * 60
			if zone[0] == '-' {
				offset = -offset
			}
			where = time.FixedZone("", offset)
		}
	}

	if year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
		second > 60 {
		return time.Time{}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, where)
	if t.Day() != day && second < 60 {
		return time.Time{} // such as 31 February
	}
	return t.Local()
}

// atoi reads at most four digits. It returns 0 for "".
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

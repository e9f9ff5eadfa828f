package words

import (
	"fmt"
	"time"
)

var (
	weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	months   = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"}
)

// Day formats a day in full: "Today", "Yesterday", "Friday, 20 November 2026".
func Day(t, at time.Time) string { return now().Day(t, at) }

// Day is [Day] in this language.
func (l *Language) Day(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	y, d := t.Year(), t.YearDay()
	yesterday := now.AddDate(0, 0, -1)
	switch {
	case y == now.Year() && d == now.YearDay():
		return l.L("Today")
	case y == yesterday.Year() && d == yesterday.YearDay():
		return l.L("Yesterday")
	}
	return l.L("%[1]s, %[2]d %[3]s %[4]d", l.L(weekdays[t.Weekday()]), t.Day(), l.L(months[t.Month()-1]), y)
}

// Date formats a day in numbers, as the language writes it: "20.11.2026", "20/11/2026", and "2026-11-20" in English, of
// which the order of day and month would be a guess.
func Date(t time.Time) string { return now().Date(t) }

// Date is [Date] in this language.
func (l *Language) Date(t time.Time) string {
	switch l.code {
	case "de":
		return t.Local().Format("02.01.2006")
	case "fr":
		return t.Local().Format("02/01/2006")
	}
	return t.Local().Format("2006-01-02")
}

// Range formats the days between two as shortly as possible: "20 – 27 Nov", "28 Oct – 3 Nov", "20 – 27 Nov '25".
func Range(from, to, at time.Time) string { return now().Range(from, to, at) }

// Range is [Range] in this language.
func (l *Language) Range(from, to, now time.Time) string {
	from, to = from.Local(), to.Local()
	year := ""
	if to.Year() != now.Local().Year() {
		year = to.Format(" '06")
	}
	short := func(t time.Time) string {
		m := []rune(l.L(months[t.Month()-1]))
		if l.code == "fr" { // juin, juillet
			return string(m[:min(len(m), 4)])
		}
		return string(m[:min(len(m), 3)])
	}
	if from.Month() == to.Month() && from.Year() == to.Year() {
		return fmt.Sprintf("%d – %d %s", from.Day(), to.Day(), short(to)) + year
	}
	return fmt.Sprintf("%d %s – %d %s", from.Day(), short(from), to.Day(), short(to)) + year
}

// Moment formats a time of day, with the day if it is not today.
func Moment(t, at time.Time) string { return now().Moment(t, at) }

// Moment is [Moment] in this language.
func (l *Language) Moment(t, now time.Time) string {
	if day := l.Day(t, now); day != l.L("Today") {
		return day + " " + t.Local().Format("15:04")
	}
	return t.Local().Format("15:04:05")
}

// Ago formats roughly how long something took or how long ago it was: "5 s", "12 min", "3 h", "4 days".
func Ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return L("%d s", 0)
	case d < 2*time.Minute:
		return L("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return L("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return L("%d h", int(d.Hours()))
	}

	return L("%d days", int(d.Hours()/24))
}

// Length formats the length of a clip as m:ss, or h:mm:ss.
func Length(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Month is [Language.Month] in the language in use.
func Month(t time.Time) string { return now().Month(t) }

// Weekdays is [Language.Weekdays] in the language in use.
func Weekdays() []string { return now().Weekdays() }

// Month formats a month: "November 2026".
func (l *Language) Month(t time.Time) string {
	return fmt.Sprintf("%s %d", l.L(months[t.Month()-1]), t.Year())
}

// Weekdays returns the first two letters of the days of the week, from Monday.
func (l *Language) Weekdays() (list []string) {
	for i := range weekdays {
		list = append(list, string([]rune(l.L(weekdays[(i+1)%len(weekdays)]))[:2]))
	}
	return list
}

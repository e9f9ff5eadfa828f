package event

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max lengths of the texts of an event, in characters.
const (
	maxText   = 200
	maxReason = 4000
)

var (
	cameraID = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

	// reserved matches file names that Windows keeps for devices.
	reserved = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])$`)
	id       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:_-]{0,63}$`)
)

// CameraID reports whether a text can be the id of a camera, and so the name of its folders.
func CameraID(s string) bool { return cameraID.MatchString(s) && !reserved.MatchString(s) }

// ValidID reports whether a text can be the id of an event, and so the name of a folder in RAM.
func ValidID(s string) bool { return id.MatchString(s) }

// Clean makes the texts of an event from outside safe to show.
func (e *Event) Clean() {
	e.CameraName, e.Label, e.Reason = Clean(e.CameraName, maxText), Clean(e.Label, maxText), Clean(e.Reason, maxReason)
	e.Cause = e.Cause.Clean(func(s string) string { return Clean(s, maxReason) })
	e.Triggers = slices.Clone(e.Triggers)
	for i := range e.Triggers {
		e.Triggers[i].Clean()
	}
	e.Gaps = slices.Clone(e.Gaps)
	for i := range e.Gaps {
		g := &e.Gaps[i]
		g.Reason = Clean(g.Reason, maxText)
		g.Cause = g.Cause.Clean(func(s string) string { return Clean(s, maxText) })
	}
}

// Clean makes what a trigger says safe to show.
func (t *Trigger) Clean() {
	for _, s := range []*string{&t.Label, &t.Sender, &t.Subject, &t.From, &t.Channel, &t.Said} {
		*s = Clean(*s, maxText)
	}
}

// Clean makes a stranger's words safe to show: valid UTF-8 on one line, without control characters or marks that change
// the direction of writing, and at most maxRunes characters.
func Clean(s string, maxRunes int) string {
	if bytes := maxRunes * utf8.UTFMax * 4; len(s) > bytes {
		s = s[:bytes]
	}
	s = strings.TrimSpace(strings.Map(Shown, strings.ToValidUTF8(s, "")))
	if utf8.RuneCountInString(s) > maxRunes {
		s = string([]rune(s)[:maxRunes-1]) + "…"
	}
	return s
}

// Shown maps a character to what is shown of it: white space to a blank, an invisible character to nothing (-1).
func Shown(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029 ||
		unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.IsControl(r) || r == utf8.RuneError || r == 0xfeff || r == 0x200b || r == 0x61c || r == 0x200e ||
		r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		return -1
	}

	return r
}

package trigger

import (
	"regexp"
	"strings"
)

// labels are the words by which cameras say what they saw, the more telling ones first: "Motion Detection: Person" is
// a person.
var labels = []struct {
	label string
	words *regexp.Regexp
}{
	{"doorbell", regexp.MustCompile(`(?i)\b(doorbell|visitor|bell ?ring|button pressed)`)},
	{"person", regexp.MustCompile(`(?i)\b(person|people|human|pedestrian|face)s?\b`)},
	{"vehicle", regexp.MustCompile(`(?i)\b(vehicle|car|truck|licen[cs]e plate)s?\b`)},
	{"animal", regexp.MustCompile(`(?i)\b(animal|pet|dog|cat)s?\b`)},
	{"line crossing", regexp.MustCompile(`(?i)\b(line ?-?cross(ing)?|cross ?-?line|trip ?-?wire|linedetection)`)},
	{"intrusion", regexp.MustCompile(`(?i)\b(intrusion|field ?detection|region ?(entrance|exiting)|cross ?region|loitering)`)},
	{"tamper", regexp.MustCompile(`(?i)\b(tamper(ing)?|video ?(mask|blind|loss)|scene ?change)`)},
	{"sound", regexp.MustCompile(`(?i)\b(audio|sound|scream|baby cry)`)},
	{"motion", regexp.MustCompile(`(?i)\b(motion|movement|vmd|md alarm)`)},
}

// eventLine is a line of a mail's body that names the event: "EVENT TYPE: Motion Detected".
var eventLine = regexp.MustCompile(`(?im)^[ \t]*[a-z ]*(?:event|alarm ?type|type)[a-z ]*[:=][ \t]*(.+)$`)

// Label says what a mail tells of, or "" where it does not say: first by the lines of the body that name the event,
// then by the subject, then by any word of the body.
func Label(m Mail) string {
	var named []string
	for _, l := range eventLine.FindAllStringSubmatch(m.Body, 20) {
		named = append(named, l[1])
	}
	for _, text := range []string{strings.Join(named, "\n"), m.Subject, m.Body} {
		for _, l := range labels {
			if l.words.MatchString(text) {
				return l.label
			}
		}
	}
	return ""
}

// testMail are the words of the mail that a camera sends when its "test" button is pressed.
var testMail = regexp.MustCompile(`(?i)successfully set up and tested|\b(e-?mail|mail|smtp)[ -]test\b|\btest (e-?mail|mail|message)\b`)

// IsTest tells whether a mail is a camera's test mail, which is no incident.
func IsTest(m Mail) bool { return testMail.MatchString(m.Subject) || testMail.MatchString(m.Body) }

package archive

import (
	"regexp"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// Role is what a file is to its event.
type Role int

// The roles of files.
const (
	Stranger     Role = iota // not made by Preroll
	ClipFile                 // finished video
	PartialFile              // a clip that is not finished
	TmpFile                  // a clip that is not checked yet
	SidecarFile              // the event as JSON
	ThumbFile                // the clip's picture
	SnapshotFile             // the picture that came with the mail
	MailFile                 // the mail itself
	ScrapFile                // a small file that was being written
	AsideFile                // a damaged sidecar that was kept
)

// StemTime is the format of a stem's beginning: the local time with its UTC offset.
const StemTime = "2006-01-02_15-04-05-0700"

// ours matches the names that Preroll makes: an optional dot, the stem, an optional part for the file of the event, and
// the ending.
var ours = regexp.MustCompile(`^(\.?)(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d[+-]\d{4}_[\p{L}\p{N}\p{M}-]+(?:_\d+)?)(_part\d+(?:_\d+)?|_snapshot|_mail)?\.([\w.-]+)$`)

var (
	partial = regexp.MustCompile(`^(?:\d+\.)?partial\.mp4$`)
	scrap   = regexp.MustCompile(`\.tmp(-\d+)?$`)
	aside   = regexp.MustCompile(`^json\.damaged(\.\d+)?$`)
)

// RoleOf returns the stem and the role of a file name. The stem is "" if Preroll does not make such names.
func RoleOf(name string) (stem string, r Role) {
	m := ours.FindStringSubmatch(name)
	if m == nil {
		return "", Stranger
	}
	hidden, which, end := m[1] != "", m[3], m[4]
	switch {
	case hidden && end == "tmp" && which != "_snapshot" && which != "_mail":
		r = TmpFile
	case hidden && scrap.MatchString(end):
		r = ScrapFile
	case hidden:
	case which == "_snapshot":
		if end == "jpg" || end == "png" {
			r = SnapshotFile
		}
	case which == "_mail":
		if end == "eml" {
			r = MailFile
		}
	case end == "mp4":
		r = ClipFile
	case which != "":
	case partial.MatchString(end):
		r = PartialFile
	case end == "json":
		r = SidecarFile
	case end == "jpg":
		r = ThumbFile
	case aside.MatchString(end):
		r = AsideFile
	}

	if r == Stranger {
		return "", r
	}
	if _, err := time.Parse(StemTime, m[2][:len(StemTime)]); err != nil {
		return "", Stranger
	}
	return m[2], r
}

// owns reports whether every file that an event names has exactly a name of this event. No event may name files of
// another event, or files that Preroll did not make.
func owns(e event.Event) bool {
	is := func(name string, roles ...Role) bool {
		stem, r := RoleOf(name)
		for _, want := range roles {
			if stem == e.Stem && r == want {
				return true
			}
		}
		return false
	}

	if !is(e.Stem+".json", SidecarFile) ||
		e.Thumbnail != "" && !is(e.Thumbnail, ThumbFile) || e.Snapshot != "" && !is(e.Snapshot, SnapshotFile) ||
		e.Mail != "" && !is(e.Mail, MailFile) {
		return false
	}
	for _, c := range e.Clips {
		if !is(c.File, ClipFile, PartialFile) {
			return false
		}
	}
	for _, p := range e.Parts {
		if !is(p.File, PartialFile) || !is(p.Clip, ClipFile) {
			return false
		}
	}
	return true
}

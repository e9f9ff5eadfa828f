package window

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// merge takes changed and removed events into a list that is sorted newest first, and returns the new list. An event
// older than all of a full list belongs to a later page and is left out, unless the list holds it.
func merge(list, changed []event.Event, removed []string, whole bool) []event.Event {
	out := slices.DeleteFunc(slices.Clone(list), func(e event.Event) bool { return slices.Contains(removed, e.ID) })
	for _, e := range changed {
		if i := slices.IndexFunc(out, func(o event.Event) bool { return o.ID == e.ID }); i >= 0 {
			out[i] = e
			continue
		}
		at, _ := slices.BinarySearchFunc(out, e, newestFirst)
		if at == len(out) && !whole && len(out) > 0 {
			continue
		}
		out = slices.Insert(out, at, e)
	}
	return out
}

func newestFirst(a, b event.Event) int {
	if c := b.Time.Compare(a.Time); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

// row is all that the list shows of an event.
type row struct {
	title, detail, state string
	importance           widget.Importance
	playable             bool
}

func rowOf(e event.Event, now time.Time) row {
	r := row{title: e.Title(), playable: len(e.Clips) > 0}
	when := e.Time.Local()
	day := when.Format("Mon 2 Jan 2006")
	switch {
	case sameDay(when, now):
		day = "Today"
	case sameDay(when, now.AddDate(0, 0, -1)):
		day = "Yesterday"
	}
	parts := []string{e.Label, day + " " + when.Format("15:04:05")}
	if e.Continues != "" {
		parts[0] += " (continued)"
	}
	if e.TriggerCount > 1 {
		parts = append(parts, fmt.Sprintf("%d triggers", e.TriggerCount))
	}
	if len(e.Clips) > 0 {
		parts = append(parts, length(e.Length()), config.ByteSize(e.Bytes()).String())
	}
	r.detail = strings.Join(parts, "  ·  ")
	switch e.State {
	case event.Recording:
		r.state, r.importance = "Saving: recording goes on", widget.HighImportance
	case event.Finishing:
		r.state, r.importance = "Saving: finishing the clip", widget.HighImportance
	case event.Saved:
		r.state = "Saved"
		if got := e.Receipt.PreRollGot.D(); got > 0 {
			r.state = fmt.Sprintf("Saved, begins %.0f s before the alarm", got.Seconds())
		}
	case event.Incomplete:
		r.state, r.importance = "Not complete: "+e.Reason, widget.WarningImportance
	case event.Failed:
		r.state, r.importance = "No clip: "+e.Reason, widget.DangerImportance
	}
	return r
}

func sameDay(a, b time.Time) bool {
	b = b.In(a.Location())
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// length is a clip's length as m:ss.
func length(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// headline is the one line above the list.
func headline(s *status.Status) string {
	if s == nil {
		return "The recorder does not run. Start it with: preroll"
	}
	recording, enabled := 0, 0
	var least time.Duration = -1
	for _, c := range s.Cameras {
		if c.State == status.Off {
			continue
		}
		enabled++
		if c.State == status.Recording {
			recording++
			if least < 0 || c.PreRoll.D() < least {
				least = c.PreRoll.D()
			}
		}
	}
	switch {
	case enabled == 0:
		return "No camera is set up yet"
	case recording == 0:
		return "No camera is recording yet"
	case recording < enabled:
		return fmt.Sprintf("Recording %d of %d cameras", recording, enabled)
	case enabled == 1:
		return "Recording " + s.Cameras[0].Name
	}
	return fmt.Sprintf("Recording %d cameras", enabled)
}

// troubles is what needs a person, as text; "" when all is well.
func troubles(s *status.Status) string {
	if s == nil {
		return ""
	}
	var lines []string
	for i, p := range s.Problems {
		if i == 3 && len(s.Problems) > 4 {
			lines = append(lines, fmt.Sprintf("… and %d more", len(s.Problems)-i))
			break
		}
		lines = append(lines, strings.TrimSuffix(p.Text, ".")+". "+p.Hint)
	}
	for i, u := range s.SMTP.Unmatched {
		if i == 2 {
			break
		}
		lines = append(lines, fmt.Sprintf("A mail at %s from %s to %s with the subject %q fits no camera. Add its recipient to a camera's mail names in the settings.", u.Time.Local().Format("15:04:05"), u.From, strings.Join(u.To, ", "), u.Subject))
	}
	return strings.Join(lines, "\n")
}

// cameraID makes an id from a name that is free among the others.
func cameraID(name string, taken []string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	base := strings.Trim(b.String(), "-")
	if len(base) > 50 {
		base = strings.TrimRight(base[:50], "-")
	}
	if base == "" {
		base = "camera"
	}
	id := base
	for n := 2; slices.Contains(taken, id); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}

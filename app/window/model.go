package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"fyne.io/fyne/v2/widget"
	"golang.org/x/text/unicode/norm"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// row is everything that the list shows of an event.
type row struct {
	title, detail, state string
	importance           widget.Importance
	protected            bool
}

// rowOf returns the content of a row. The day is in the heading above it.
func rowOf(e event.Event, now time.Time) row {
	r := row{title: e.Time.Local().Format("15:04:05") + "   " + e.Title(), protected: e.Protected}
	parts := []string{labelOf(e)}
	if e.TriggerCount > 1 {
		parts = append(parts, words.L("%d alarms", e.TriggerCount))
	}
	if len(e.Clips) > 0 {
		parts = append(parts, words.Length(e.Length()), config.ByteSize(e.Bytes()).String())
	}
	if len(e.Clips) > 1 {
		parts = append(parts, words.L("%d files", len(e.Clips)))
	}
	r.detail = strings.Join(parts, "  ·  ")
	r.state, r.importance = stateOf(e, now)
	return r
}

// labelOf returns the label of an event as it is shown.
func labelOf(e event.Event) string {
	l := words.Label(e.Label)
	if e.Continues != "" {
		l = words.L("%s (continued)", l)
	}
	return l
}

// stateOf says how far an event has come.
func stateOf(e event.Event, now time.Time) (string, widget.Importance) {
	switch e.State {
	case event.Recording:
		whole := e.Until.Sub(e.From)
		if so := min(max(0, now.Sub(e.From)), whole); whole > 0 {
			return words.L("Saving: %.0f of %.0f s", so.Seconds(), whole.Seconds()), widget.HighImportance
		}
		return words.L("Saving"), widget.HighImportance
	case event.Finishing:
		return words.L("Saving: finishing the clip"), widget.HighImportance
	case event.Saved:
		if got := e.Receipt.PreRollGot.D(); got > 0 {
			return words.L("Saved, begins %.0f s before the alarm", got.Seconds()), widget.LowImportance
		}
		return words.L("Saved"), widget.LowImportance
	case event.Incomplete:
		return words.L("Not complete: %s", words.Say(e.Why())), widget.WarningImportance
	}
	return words.L("No clip: %s", words.Say(e.Why())), widget.DangerImportance
}

// headline returns the one line above the list.
func headline(s *status.Status) string {
	if s == nil {
		return words.L("The recorder does not run. Start it with: preroll")
	}
	recording, enabled := 0, 0
	only := ""
	for _, c := range s.Cameras {
		if c.State == status.Off {
			continue
		}
		enabled++
		only = c.Name
		if c.State == status.Recording {
			recording++
		}
	}
	switch {
	case s.Pause.On && s.Pause.Until.IsZero():
		return words.L("Paused: alarms save nothing until you resume")
	case s.Pause.On:
		return words.L("Paused until %s: alarms save nothing", s.Pause.Until.Local().Format("15:04"))
	case enabled == 0:
		return words.L("No camera is set up yet")
	case recording == 0:
		return words.L("No camera is recording yet")
	case recording < enabled:
		return words.L("Recording %d of %d cameras", recording, enabled)
	case enabled == 1:
		return words.L("Recording %s", only)
	}
	return words.L("Recording %d cameras", enabled)
}

// troubles returns what needs a person as a text, or "" if all is well.
func troubles(s *status.Status) string {
	if s == nil {
		return ""
	}
	var lines []string
	for i, p := range s.Problems {
		if i == 3 && len(s.Problems) > 4 {
			lines = append(lines, words.L("… and %d more", len(s.Problems)-i))
			break
		}
		lines = append(lines, problemOf(s, p))
	}
	if n := len(s.SMTP.Unmatched); n > 0 {
		lines = append(lines, words.N(n, "A mail came that fits no camera. Assign it on the page Health.",
			"%d mails came that fit no camera. Assign them on the page Health."))
	}
	return strings.Join(lines, "\n")
}

// problemOf describes a problem and what to do about it.
func problemOf(s *status.Status, p status.Problem) string {
	said := sentence(words.Say(p.Text)) + " " + words.Say(p.Hint)
	if p.Code != "mail-storm" {
		return said
	}
	name := p.About
	for _, c := range s.Cameras {
		if c.ID == p.About {
			name = c.Name
		}
	}
	return words.L("%s: %s", name, said)
}

// distinct adds the id to names that occur more than once, because a selection recognizes its options by their text.
func distinct(names, ids []string) []string {
	count := map[string]int{}
	for _, n := range names {
		count[n]++
	}
	out := slices.Clone(names)
	for i, n := range names {
		if count[n] > 1 {
			out[i] = fmt.Sprintf("%s (%s)", n, ids[i])
		}
	}
	return out
}

// cameraID makes a camera id from a name, different from the taken ids. Letters lose their accents.
func cameraID(name string, taken []string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ReplaceAll(strings.ToLower(name), "ß", "ss")) {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
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

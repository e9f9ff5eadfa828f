package page

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// LabelOf returns the label of an event as it is shown.
func LabelOf(e event.Event) string {
	l := words.Label(e.Label)
	if e.Continues != "" {
		l = words.L("%s (continued)", l)
	}
	return l
}

// StateOf says how far an event has come, as far as a recorder answers.
func (env *Env) StateOf(e event.Event) (string, widget.Importance) {
	if env.Gone && !e.State.Ended() {
		return words.L("Interrupted: Preroll finishes it when it records again"), widget.WarningImportance
	}
	if s := env.Status; s != nil && !e.State.Ended() {
		switch {
		case !s.Archive.Error.IsZero():
			return words.L("Saving; waits for the archive: %s", words.Say(s.Archive.Error)), widget.WarningImportance
		case s.FFmpeg.Path == "" && e.State == event.Finishing:
			return words.L("Saving; waits for FFmpeg"), widget.WarningImportance
		}
		if i := slices.IndexFunc(s.Cameras, func(c status.Camera) bool { return c.ID == e.Camera }); i >= 0 &&
			e.State == event.Recording && s.Cameras[i].State == status.Waiting {
			return words.L("Waiting for video: %s", words.Say(s.Cameras[i].Text)), widget.WarningImportance
		}
	}
	return StateOf(e, env.Now())
}

// StateOf says how far an event has come.
func StateOf(e event.Event, now time.Time) (string, widget.Importance) {
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

// Headline returns the one line above the list.
func Headline(s *status.Status) string {
	if s == nil {
		return words.L("Preroll is not recording.")
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

// ProblemOf describes a problem and what to do about it.
func ProblemOf(s *status.Status, p status.Problem) string {
	said := Sentence(words.Say(p.Text)) + " " + words.Say(p.Hint)
	if taken, free, ok := TakenPort(s.SMTP.Ports); ok && p.Code == "smtp" {
		return Sentence(words.Say(p.Text)) + " " + PortIsTaken(taken, free)
	}
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

// Distinct shortens names for a selection, and adds the id to names that then occur more than once, because a selection
// recognizes its options by their text.
func Distinct(names, ids []string) []string {
	count := map[string]int{}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = widgets.Shorten(n, longName)
		count[out[i]]++
	}
	for i, n := range out {
		if count[n] > 1 {
			out[i] = fmt.Sprintf("%s (%s)", n, ids[i])
		}
	}
	return out
}

// longName is the length in characters of the longest name that a selection shows whole.
const longName = 30

// Sentence adds a full stop to a text, unless the text ends with one or with a question mark.
func Sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// Capital makes the first letter of a text a capital.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(string(first)) + text[size:]
}

// PortsOf returns the ports on which the mail server listens.
func PortsOf(s status.SMTP) string {
	var list []string
	for _, p := range s.Ports {
		switch {
		case !p.Error.IsZero():
		case p.TLS:
			list = append(list, words.L("%s (TLS only)", PortOf(p.Listen)))
		default:
			list = append(list, PortOf(p.Listen))
		}
	}

	if list == nil && s.Listen != "" {
		return PortOf(s.Listen)
	}
	return strings.Join(list, ", ")
}

// PortOf returns the number of a port, or the whole address if it is not open on every address of this machine.
func PortOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return listen
	}
	return words.L("port %s", port)
}

// RAMOf says how much of the RAM budget is used, and what happens if full rings do not fit.
func RAMOf(s status.Status, keep time.Duration) string {
	text := words.L("%s of %s used", words.Size(s.RAM.Used), words.Size(s.RAM.Budget))
	if s.RAM.Need == 0 || keep == 0 {
		return text
	}
	if s.RAM.Need <= s.RAM.Budget {
		return text + ". " + words.L("Memory: enough for %.0f s of every camera (%s).", keep.Seconds(),
			words.Size(s.RAM.Need))
	}
	fits := float64(s.RAM.Budget) / float64(s.RAM.Need) * keep.Seconds()
	return text + ". " +
		words.L(
			"Full rings of %.0f s would need %s. They do not fit: the longest rings are shortened first, to about %.0f s each; what an alarm needs is kept. Raise the RAM budget, or lower the cameras' bit rates.", keep.Seconds(), words.Size(s.RAM.Need), fits)
}

// CamerasOf returns the cameras of which a clip can be saved.
func CamerasOf(s *status.Status) []status.Camera {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Cameras), func(c status.Camera) bool { return c.State == status.Off })
}

// NewCamera returns a camera with an unused id. Without a name, the camera is named by its number.
func NewCamera(s config.Settings, name string) config.Camera {
	c := config.NewCamera()
	var taken []string
	for _, o := range s.Cameras {
		taken = append(taken, o.ID)
	}
	if name == "" {
		name = words.L("Camera %d", len(s.Cameras)+1)
	}
	c.Name, c.ID = name, config.NewID(name, taken)
	c.Mail = []string{c.ID}
	return c
}

// NewDateField returns a field for a day. none is what it shows without a day, or "" if there is always one.
func (env *Env) NewDateField(none string) *widgets.DateField {
	d := widgets.NewDateField(widgets.DateWords{Day: words.Date, Month: words.Month, Weekdays: words.Weekdays(),
		None:  none,
		Today: words.L("Today"), Range: func(a, b time.Time) string { return words.Range(a, b, env.Now()) },
		Last: func(days int) string { return words.L("%d days", days) }})
	d.Now = func() time.Time { return env.Now() }
	return d
}

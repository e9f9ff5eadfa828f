// Package event holds the plain types of what happened: triggers, events and their clips. Every stage from the trigger
// to the screen uses them. The sidecar in the archive is an Event as JSON.
package event

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// State says how far an event has come.
type State string

// The states, in order. An event ends in one of the last three.
const (
	Recording  State = "recording"  // segments are still coming
	Finishing  State = "finishing"  // all segments are on the archive drive; the clip is being made
	Saved      State = "saved"      // the clip is whole and holds everything that was asked
	Incomplete State = "incomplete" // the clip is whole but lacks something, see Reason
	Failed     State = "failed"     // there is no clip, see Reason
)

// Ended reports whether the event has ended, so that nothing more happens to it by itself.
func (s State) Ended() bool { return s == Saved || s == Incomplete || s == Failed }

// Known reports whether s is one of the states.
func (s State) Known() bool { return s == Recording || s == Finishing || s.Ended() }

// Source says where a trigger came from.
type Source string

// The sources.
const (
	Mail   Source = "mail"
	Manual Source = "manual"
	Call   Source = "call" // by HTTP
)

// Trigger is one signal that something happened.
type Trigger struct {
	Time    time.Time `json:"time"` // when the camera's SMTP session began
	Source  Source    `json:"source"`
	Label   string    `json:"label,omitempty"`   // such as "motion"
	Sender  string    `json:"sender,omitempty"`  // of a mail, or the name of a caller
	Subject string    `json:"subject,omitempty"` // of a mail, or what a call says of the event
	From    string    `json:"from,omitempty"`    // network address that it came from
	Channel string    `json:"channel,omitempty"` // name of the camera or channel, as the mail gives it
	Said    string    `json:"said,omitempty"`    // the camera's own time of the alarm, as the mail gives it

	// Until is set if somebody looked back: the video is saved up to then, even if the post-roll ends before.
	Until time.Time `json:"-"`
}

// Seconds is a duration that JSON shows as seconds with a fraction.
type Seconds time.Duration

// D returns the plain duration.
func (s Seconds) D() time.Duration { return time.Duration(s) }

// MarshalJSON writes seconds with three decimals.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// longest is more than any duration that means something, and far below the limits of time.Duration.
const longest = 100 * 365 * 24 * time.Hour

// UnmarshalJSON reads seconds. Beyond a hundred years, either way, it takes a hundred years.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds(max(-longest.Seconds(), min(f, longest.Seconds())) * float64(time.Second))
	return nil
}

// --- Clips, gaps and parts ---

// Clip is one finished video file of an event.
type Clip struct {
	File   string    `json:"file"` // name in the folder of the event
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Length Seconds   `json:"length"`
	Frames int       `json:"frames"`
	Bytes  int64     `json:"bytes"`
	SHA256 string    `json:"sha256"`
}

// Gap is a time that the event asked for and holds no video of. Make one with NewGap.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`         // in English, for people who read a sidecar and for earlier versions
	Cause  text.Text `json:"cause,omitzero"` // the same as a text; earlier versions wrote none
}

// NewGap returns a gap with its cause.
func NewGap(from, to time.Time, cause text.Text) Gap {
	return Gap{From: from, To: to, Reason: cause.String(), Cause: cause}
}

// Why returns why the time is missing.
func (g Gap) Why() text.Text { return said(g.Cause, g.Reason) }

// Equal reports whether two gaps are the same.
func (g Gap) Equal(o Gap) bool {
	return g.From.Equal(o.From) && g.To.Equal(o.To) && g.Reason == o.Reason
}

// said returns the text, or the English that an earlier version wrote instead.
func said(t text.Text, english string) text.Text {
	if t.IsZero() {
		return text.Plain(english)
	}
	return t
}

// Part is a partial file of an open event. It holds segments of one run.
type Part struct {
	File   string    `json:"file"` // name in the folder of the event
	Clip   string    `json:"clip"` // name of the clip that it becomes, maybe with other parts of equal parameters
	Run    int64     `json:"run"`
	Params string    `json:"params"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end,omitzero"`     // of its video, once no more comes
	Frames int       `json:"frames,omitempty"` // once no more comes

	// Good is the number of bytes that count, if an earlier version wrote it. 0 means all bytes that are whole.
	Good int64 `json:"good,omitempty"`
}

// Receipt says how much was asked and how much was got.
type Receipt struct {
	PreRollAsked  Seconds `json:"pre_roll_asked"`
	PreRollGot    Seconds `json:"pre_roll_got"`
	PostRollAsked Seconds `json:"post_roll_asked"`
	PostRollGot   Seconds `json:"post_roll_got"`
	DurableAfter  Seconds `json:"durable_after"` // from the first trigger until its pre-roll was fsynced on the archive
}

// KeptTriggers is how many triggers an event lists. Further triggers are only counted.
const KeptTriggers = 100

// --- Events ---

// Event is the record of one incident.
type Event struct {
	ID         string    `json:"id"`
	Camera     string    `json:"camera"`
	CameraName string    `json:"camera_name"`
	Time       time.Time `json:"time"` // of its first trigger, or where it continues another event
	Label      string    `json:"label"`
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // why it is incomplete or failed, in English, as in [Gap]
	Cause      text.Text `json:"cause,omitzero"`   // the same as a text

	From         time.Time `json:"from"`  // first trigger - pre-roll
	Until        time.Time `json:"until"` // last trigger + post-roll
	Triggers     []Trigger `json:"triggers"`
	TriggerCount int       `json:"trigger_count"`
	LastTrigger  time.Time `json:"last_trigger"`
	Continues    string    `json:"continues,omitempty"` // id of the event that this event continues without a gap
	Continued    bool      `json:"continued,omitempty"` // another event continues this event without a gap

	Drive     string    `json:"drive,omitempty"`   // id of the archive drive; "" until the event has a place
	Archive   string    `json:"archive,omitempty"` // where that drive was last seen; "" means the current archive
	Folder    string    `json:"folder"`            // below the archive, with slashes
	Stem      string    `json:"stem"`              // beginning of its file names; "" until the first byte is written
	Clips     []Clip    `json:"clips,omitempty"`
	Gaps      []Gap     `json:"gaps,omitempty"`
	Receipt   Receipt   `json:"receipt"`
	Thumbnail string    `json:"thumbnail,omitempty"` // file name
	Snapshot  string    `json:"snapshot,omitempty"`  // file name of the picture that came with the mail
	Mail      string    `json:"mail,omitempty"`      // file name of the first mail, if mails are kept
	Protected bool      `json:"protected,omitempty"`
	SavedAt   time.Time `json:"saved_at,omitzero"`

	Hold  string `json:"hold,omitempty"`  // while open
	Parts []Part `json:"parts,omitempty"` // while open
}

// Explain sets why the event is incomplete or failed.
func (e *Event) Explain(cause text.Text) { e.Reason, e.Cause = cause.String(), cause }

// Why returns why the event is incomplete or failed. It is zero for other events.
func (e Event) Why() text.Text { return said(e.Cause, e.Reason) }

// Bytes returns the size of the event's clips in bytes.
func (e Event) Bytes() (n int64) {
	for _, c := range e.Clips {
		n += c.Bytes
	}
	return n
}

// Length returns the length of the event's clips.
func (e Event) Length() (d time.Duration) {
	for _, c := range e.Clips {
		d += c.Length.D()
	}
	return d
}

// Path returns the full path of a file of the event. root is the current archive.
func (e Event) Path(root, file string) string {
	if e.Archive != "" {
		root = e.Archive
	}
	return filepath.Join(root, filepath.FromSlash(e.Folder), file)
}

// Title returns the name of the camera, or its id if it has no name.
func (e Event) Title() string {
	if e.CameraName != "" {
		return e.CameraName
	}
	return e.Camera
}

// Add counts a trigger. It also keeps the trigger if there is room.
func (e *Event) Add(t Trigger) {
	if len(e.Triggers) < KeptTriggers {
		e.Triggers = append(e.Triggers, t)
	}
	e.TriggerCount++
	if t.Time.After(e.LastTrigger) {
		e.LastTrigger = t.Time
	}
	e.name(t)
}

// name takes the label of the trigger if the event has no better one.
func (e *Event) name(t Trigger) {
	if t.Label != "" && (e.Label == "" || e.Label == DefaultLabel) {
		e.Label = t.Label
	}
}

// Move shifts all times of an open event by d, because this machine's clock was set.
func (e *Event) Move(d time.Duration) {
	e.Time, e.From, e.Until = e.Time.Add(d), e.From.Add(d), e.Until.Add(d)
	if !e.LastTrigger.IsZero() {
		e.LastTrigger = e.LastTrigger.Add(d)
	}
	e.Triggers = slices.Clone(e.Triggers)
	for i := range e.Triggers {
		e.Triggers[i].Time = e.Triggers[i].Time.Add(d)
	}
	e.Gaps = slices.Clone(e.Gaps)
	for i, g := range e.Gaps {
		e.Gaps[i].From, e.Gaps[i].To = g.From.Add(d), g.To.Add(d)
	}
	e.Parts = slices.Clone(e.Parts)
	for i, p := range e.Parts {
		e.Parts[i].Start = p.Start.Add(d)
		if !p.End.IsZero() {
			e.Parts[i].End = p.End.Add(d)
		}
	}
}

// DefaultLabel is the label of a trigger that names none.
const DefaultLabel = "alarm"

// --- Queries ---

// Query says which events to list, newest first. Empty fields exclude nothing.
type Query struct {
	Camera   string
	Label    string
	Text     string    // words; each must be in the camera's name, the label, a subject, a sender or the reason
	Only     Only      // one kind of events
	Day      string    // such as "2026-11-22": the day by the clock of the machine that recorded
	Until    string    // with Day: all days from Day to this one
	After    time.Time // only later events
	Without  string    // ids of events to leave out, with commas between them
	Before   time.Time // only older events
	BeforeID string    // with Before: also events of exactly that time with a lower id, so that no page skips one
	Offset   int       // leaves out this many of the newest events
	Limit    int       // max number of events; 0 means 100
}

// Only is a kind of events.
type Only string

// The kinds of events.
const (
	OnlyProtected Only = "protected"
	OnlyNotWhole  Only = "not-whole" // with an incomplete clip, or none
)

// Day is the number of events on a day.
type Day struct {
	Day    string `json:"day"` // such as "2026-11-22"
	Events int    `json:"events"`
}

// Choices are the values by which events can be filtered: all cameras and labels in the index.
type Choices struct {
	Cameras []string `json:"cameras"` // ids
	Labels  []string `json:"labels"`
}

// Next is the event that retention will remove next.
type Next struct {
	Event Event     `json:"event"`
	When  time.Time `json:"when,omitzero"` // when it gets too old; zero: as soon as space is needed
	Why   string    `json:"why"`           // the limit: "max_age", "max_size" or "min_free"
}

// Package event holds the plain types of what happened: triggers, events and their clips. Every stage from the trigger
// to the screen speaks in them; the archive's sidecar is an Event as JSON.
package event

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// State is how far an event has come.
type State string

// The states, in order. An event ends in one of the last three.
const (
	Recording  State = "recording"  // segments are still coming
	Finishing  State = "finishing"  // all segments are on the archive drive; the clip is being made
	Saved      State = "saved"      // the clip is whole and holds all that was asked
	Incomplete State = "incomplete" // the clip is whole but lacks something, see Reason
	Failed     State = "failed"     // there is no clip, see Reason
)

// Ended reports whether nothing more will happen to the event by itself.
func (s State) Ended() bool { return s == Saved || s == Incomplete || s == Failed }

// Known reports whether it is one of the states.
func (s State) Known() bool { return s == Recording || s == Finishing || s.Ended() }

// Source is where a trigger came from.
type Source string

// The sources.
const (
	Mail   Source = "mail"
	Manual Source = "manual"
)

// Trigger is one signal that something happened.
type Trigger struct {
	Time    time.Time `json:"time"` // when the camera's SMTP session began
	Source  Source    `json:"source"`
	Label   string    `json:"label,omitempty"`   // such as "motion"
	Sender  string    `json:"sender,omitempty"`  // of a mail
	Subject string    `json:"subject,omitempty"` // of a mail
	From    string    `json:"from,omitempty"`    // network address it came from
	Channel string    `json:"channel,omitempty"` // the camera's or channel's name, as the mail gives it
	Said    string    `json:"said,omitempty"`    // the camera's own time of the alarm, as the mail gives it
}

// Seconds is a duration that JSON shows as seconds with a fraction.
type Seconds time.Duration

// D returns the plain duration.
func (s Seconds) D() time.Duration { return time.Duration(s) }

// MarshalJSON writes seconds with milliseconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// UnmarshalJSON reads seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds(f * float64(time.Second))
	return nil
}

// Clip is one finished video file of an event.
type Clip struct {
	File   string    `json:"file"` // name in the event's folder
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Length Seconds   `json:"length"`
	Frames int       `json:"frames"`
	Bytes  int64     `json:"bytes"`
	SHA256 string    `json:"sha256"`
}

// Gap is a stretch of time that the event asked for and does not hold. Make one with NewGap.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`         // in English, for people who read a sidecar and for earlier versions
	Cause  text.Text `json:"cause,omitzero"` // the same as a text; an earlier version wrote none
}

// NewGap returns a gap with its cause.
func NewGap(from, to time.Time, cause text.Text) Gap {
	return Gap{From: from, To: to, Reason: cause.String(), Cause: cause}
}

// Why says why the time is missing.
func (g Gap) Why() text.Text { return said(g.Cause, g.Reason) }

// Equal reports whether two gaps are the same.
func (g Gap) Equal(o Gap) bool {
	return g.From.Equal(o.From) && g.To.Equal(o.To) && g.Reason == o.Reason
}

// said returns a text, or what an earlier version wrote in its place.
func said(t text.Text, english string) text.Text {
	if t.IsZero() {
		return text.Plain(english)
	}
	return t
}

// Part is a partial file, while the event is open: the segments of one run.
type Part struct {
	File   string    `json:"file"` // name in the event's folder
	Clip   string    `json:"clip"` // name of the clip that it becomes, with its neighbours of the same parameters
	Run    int64     `json:"run"`
	Params string    `json:"params"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end,omitzero"`     // of its video, once no more comes
	Frames int       `json:"frames,omitempty"` // likewise
	// bytes that count, where an earlier version told; 0: as many as are whole
	Good int64 `json:"good,omitempty"`
}

// Receipt says what was asked and what was got.
type Receipt struct {
	PreRollAsked  Seconds `json:"pre_roll_asked"`
	PreRollGot    Seconds `json:"pre_roll_got"`
	PostRollAsked Seconds `json:"post_roll_asked"`
	PostRollGot   Seconds `json:"post_roll_got"`
	DurableAfter  Seconds `json:"durable_after"` // from the first trigger until its pre-roll was fsynced on the archive
}

// KeptTriggers is how many triggers an event lists; further ones are counted.
const KeptTriggers = 100

// Event is the record of one incident.
type Event struct {
	ID         string    `json:"id"`
	Camera     string    `json:"camera"`
	CameraName string    `json:"camera_name"`
	Time       time.Time `json:"time"` // of its first trigger, or where it continues another event
	Label      string    `json:"label"`
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // why incomplete or failed, in English, as in [Gap]
	Cause      text.Text `json:"cause,omitzero"`   // the same as a text

	From         time.Time `json:"from"`  // first trigger - pre-roll
	Until        time.Time `json:"until"` // last trigger + post-roll
	Triggers     []Trigger `json:"triggers"`
	TriggerCount int       `json:"trigger_count"`
	LastTrigger  time.Time `json:"last_trigger"`
	Continues    string    `json:"continues,omitempty"` // the event that this one follows without a gap
	Continued    bool      `json:"continued,omitempty"` // another one follows without a gap

	Drive     string    `json:"drive,omitempty"`   // id of the archive drive; "" until the event has a place
	Archive   string    `json:"archive,omitempty"` // where that drive was seen last; "": where the archive is now
	Folder    string    `json:"folder"`            // below the archive, with slashes
	Stem      string    `json:"stem"`              // what its file names begin with; "" until the first byte is written
	Clips     []Clip    `json:"clips,omitempty"`
	Gaps      []Gap     `json:"gaps,omitempty"`
	Receipt   Receipt   `json:"receipt"`
	Thumbnail string    `json:"thumbnail,omitempty"` // file name
	Snapshot  string    `json:"snapshot,omitempty"`  // file name of the picture that came with the mail
	Mail      string    `json:"mail,omitempty"`      // file name of the first mail, where mails are kept
	Protected bool      `json:"protected,omitempty"`
	SavedAt   time.Time `json:"saved_at,omitzero"`

	Hold  string `json:"hold,omitempty"`  // while open
	Parts []Part `json:"parts,omitempty"` // while open
}

// Explain sets why the event is incomplete or failed.
func (e *Event) Explain(cause text.Text) { e.Reason, e.Cause = cause.String(), cause }

// Why says why the event is incomplete or failed; it is zero for another event.
func (e Event) Why() text.Text { return said(e.Cause, e.Reason) }

// Bytes is the size of the event's clips.
func (e Event) Bytes() (n int64) {
	for _, c := range e.Clips {
		n += c.Bytes
	}
	return n
}

// Length is the length of the event's clips.
func (e Event) Length() (d time.Duration) {
	for _, c := range e.Clips {
		d += c.Length.D()
	}
	return d
}

// Path returns the full path of one of the event's files; root is the archive as it is set now.
func (e Event) Path(root, file string) string {
	if e.Archive != "" {
		root = e.Archive
	}
	return filepath.Join(root, filepath.FromSlash(e.Folder), file)
}

// Title is the camera's name, or its id.
func (e Event) Title() string {
	if e.CameraName != "" {
		return e.CameraName
	}
	return e.Camera
}

// Add counts a trigger and keeps it, if there is room.
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

// name takes the label of a trigger, if it has a better one.
func (e *Event) name(t Trigger) {
	if t.Label != "" && (e.Label == "" || e.Label == DefaultLabel) {
		e.Label = t.Label
	}
}

// Move moves the times of an open event, since this machine's clock was set.
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

// Query says which events to list, newest first. Empty fields leave nothing out.
type Query struct {
	Camera   string
	Label    string
	Text     string    // words, each of which the camera's name, the label, a subject, a sender or the reason holds
	Day      string    // such as "2026-11-22": the day on the clock of the machine that recorded
	Before   time.Time // only older ones
	BeforeID string    // with Before: events of that very time with a lower id too, so that no page skips one
	Offset   int       // leaves out so many of the newest
	Limit    int       // 0: 100
}

// Day is how many events a day has.
type Day struct {
	Day    string `json:"day"` // such as "2026-11-22"
	Events int    `json:"events"`
}

// Choices are what events can be filtered by: the cameras and labels that there are.
type Choices struct {
	Cameras []string `json:"cameras"` // ids
	Labels  []string `json:"labels"`
}

// Next is the event that retention will remove next.
type Next struct {
	Event Event     `json:"event"`
	When  time.Time `json:"when,omitzero"` // when it gets too old; zero: as soon as there is need for room
	Why   string    `json:"why"`           // the limit: "max_age", "max_size" or "min_free"
}

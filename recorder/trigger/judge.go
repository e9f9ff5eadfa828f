package trigger

import (
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/message"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// Kind says what a mail is taken for.
type Kind string

// The kinds of mails.
const (
	Alarm     Kind = "alarm"
	Test      Kind = "test"      // the camera's test mail
	Notice    Kind = "notice"    // news about the device itself, such as a full disk
	Unmatched Kind = "unmatched" // the mail fits no camera
	Off       Kind = "off"       // an alarm of a camera that is switched off
	Paused    Kind = "paused"    // an alarm during a pause
)

// Outcome says what a mail is taken for.
type Outcome struct {
	Kind    Kind            // of the mail
	Cameras []string        // ids of the cameras that the mail is about
	Quiet   map[string]Kind // cameras whose alarm saves nothing, and why: Off or Paused
	Notice  string          // what a notice is about: disk, network, login, power, system
	Why     text.Text       // a sentence for a person
}

// judge decides what a mail is. whole reports whether everything that matters has arrived; until then, a picture may
// follow. quiet returns Off or Paused for a camera whose alarms save nothing now, and Alarm for other cameras.
//
// A mail that fits a camera is an alarm, unless it is a test mail or nothing but news about the device. News has no
// picture, was chosen by no rule of the user's, and its words do not contain the camera's own name.
func judge(m message.Message, about rule.Mail, cameras *rule.Set, quiet func(id string) Kind, whole bool) Outcome {
	r := cameras.Match(about)
	o := Outcome{Kind: Alarm, Cameras: r.IDs}
	switch {
	case m.Test:
		o.Kind, o.Why = Test, text.IsTest.With()
	case m.Notice != "" && whole && !m.Picture && r.By != "rule" && !cameras.Names(r.IDs, m.Noticed):
		o.Kind, o.Notice, o.Why = Notice, m.Notice,
			text.IsNotice.With(text.Notice(m.Notice))
	case len(r.IDs) == 0:
		o.Kind, o.Why = Unmatched, r.Why
	default:
		var why []text.Text
		for _, id := range r.IDs {
			k := quiet(id)
			switch k {
			case Off:
				why = append(why, text.IsOff.With(id))
			case Paused:
				why = append(why, text.IsPaused.With(id))
			default:
				why = append(why, text.IsAlarm.With(id, r.Why))
				continue
			}
			if o.Quiet == nil {
				o.Quiet = map[string]Kind{}
			}
			o.Quiet[id] = k
		}

		o.Why = text.Join("; ", why...)
	}

	return o
}

package trigger

import (
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/message"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// Kind is what a mail is taken for.
type Kind string

// What a mail can be.
const (
	Alarm     Kind = "alarm"
	Test      Kind = "test"      // the camera's test mail
	Notice    Kind = "notice"    // news of the device itself, such as of its full disk
	Unmatched Kind = "unmatched" // it fits no camera
	Off       Kind = "off"       // an alarm of a camera that is switched off
	Paused    Kind = "paused"    // an alarm in a pause
)

// Outcome is what a mail is taken for.
type Outcome struct {
	Kind    Kind            // of the mail
	Cameras []string        // that it is about
	Quiet   map[string]Kind // of these, those whose alarm saves nothing: Off or Paused
	Notice  string          // what a notice tells of: disk, network, login, power, system
	Why     text.Text       // for a person
}

// judge says what a mail is. Whole says that all of it that counts has come: else a picture may yet follow. Quiet is
// Off or Paused for a camera whose alarms save nothing now, and else Alarm.
//
// A mail that fits a camera is an alarm, unless it is the camera's test mail or nothing but news of the device: without
// a picture, chosen by no rule of the user's, and in words that do not hold the camera's own name.
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

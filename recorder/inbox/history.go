package inbox

import (
	"fmt"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of the entries about mails from one camera or address, so that repeated mails do not fill the history.
const (
	repeatTime   = time.Minute
	maxNoted     = 1000
	maxPerMinute = 60 // of mails that are no alarm
)

// entryLimiter remembers which mails recently got an entry in the history.
type entryLimiter struct {
	last   map[mailKey]time.Time
	minute time.Time // start of the minute in which others are counted
	others int
}

type mailKey struct {
	kind                history.Kind
	camera, from, event string
}

// isNew reports whether a mail gets an entry: the first mail of each event, every test mail, and otherwise one mail per
// minute for each camera and sender. Mails that are no alarm get at most maxPerMinute entries, as many as a person
// reads.
func (n *entryLimiter) isNew(k mailKey, now time.Time) bool {
	last, ok := n.last[k]
	if ok && k.kind != history.MailTest && (k.event != "" || now.Sub(last) < repeatTime) {
		return false
	}
	if k.event == "" {
		if now.Sub(n.minute) > time.Minute {
			n.minute, n.others = now, 0
		}
		if n.others++; n.others > maxPerMinute {
			return false
		}
	}

	if n.last == nil || len(n.last) >= maxNoted {
		n.last = map[mailKey]time.Time{}
	}
	n.last[k] = now
	return true
}

// Signal adds to the history and to the log what became of a signal that is no mail: the id of its event, or why it was
// not saved.
func (in *Inbox) Signal(kind history.Kind, camera string, t event.Trigger, id string, why text.Text) {
	if t.Sender != "" {
		t.From = fmt.Sprintf("%s (%s)", t.Sender, t.From)
	}
	if !in.record(kind, camera, t, id, why) {
		return
	}
	log := in.opt.Log.With("camera", camera, "event", id, "label", t.Label, "source", t.Source, "from", t.From)
	switch kind {
	case history.SignalFailed:
		log.Error("alarm not saved", "err", why)
	case history.SignalPaused:
		log.Info("alarm in a pause")
	case history.SignalOff:
		log.Info("alarm of a camera that is switched off")
	case history.SignalEnd:
		log.Info("end of an alarm, which saves nothing")
	default:
		log.Info("alarm")
	}
}

// record adds to the history what became of a mail: the id of its event, or why the mail was not saved. It reports
// whether the mail got an entry.
func (in *Inbox) record(kind history.Kind, camera string, t event.Trigger, id string, why text.Text) bool {
	e := history.Entry{Time: t.Time, Kind: kind, Camera: camera, Text: why, From: t.From, Event: id}
	if why.IsZero() {
		e.Text = text.Plain(t.Subject)
	}
	in.mu.Lock()
	isNew := in.limiter.isNew(mailKey{kind, camera, t.From, id}, time.Now())
	in.mu.Unlock()
	if isNew {
		in.opt.Add(e)
	}
	return isNew
}

// recordAll calls record for each camera, or once with camera "" if there is none.
func (in *Inbox) recordAll(kind history.Kind, cameras []string, t event.Trigger, why text.Text) (isNew bool) {
	if len(cameras) == 0 {
		cameras = []string{""}
	}
	for _, id := range cameras {
		isNew = in.record(kind, id, t, "", why) || isNew
	}
	return isNew
}

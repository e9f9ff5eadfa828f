package inbox

import (
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

// Bounds of the entries about mails of one camera or address: the history is for things that differ.
const (
	repeatTime   = time.Minute
	maxNoted     = 1000
	maxPerMinute = 60 // of mails that are no alarm
)

// entryLimiter remembers which mails got an entry in the history lately.
type entryLimiter struct {
	last   map[mailKey]time.Time
	minute time.Time // begin of the minute that others are counted in
	others int
}

type mailKey struct {
	kind                history.Kind
	camera, from, event string
}

// isNew reports whether a mail deserves an entry: the first mail of each event, every test mail, and otherwise one a
// minute per camera and sender. Of mails that are no alarm there are no more entries than a person reads.
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

// record adds what became of a mail to the history: the event's id, or why the mail was not saved. It reports whether
// the mail deserved an entry.
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

// recordAll is record for each of some cameras, or for none.
func (in *Inbox) recordAll(kind history.Kind, cameras []string, t event.Trigger, why text.Text) (isNew bool) {
	if len(cameras) == 0 {
		cameras = []string{""}
	}
	for _, id := range cameras {
		isNew = in.record(kind, id, t, "", why) || isNew
	}
	return isNew
}

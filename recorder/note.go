package recorder

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
)

// Bounds of what is noted of the mails of one camera or address: the history is for things that differ.
const (
	sameMail  = time.Minute
	keptNotes = 1000
	mostNotes = 60 // a minute, of mails that are no alarm
)

// notes remembers which mails were noted lately.
type notes struct {
	mu     sync.Mutex // guards all
	mail   map[mailKey]time.Time
	minute time.Time // begin of the minute that others are counted in
	others int
}

type mailKey struct {
	kind                history.Kind
	camera, from, event string
}

// fresh tells whether a mail is worth a note: each event's first one, every test, and of others one a minute; of those
// that are no alarm not more in all than a person reads.
func (n *notes) fresh(k mailKey, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, ok := n.mail[k]
	if ok && k.kind != history.MailTest && (k.event != "" || now.Sub(last) < sameMail) {
		return false
	}
	if k.event == "" {
		if now.Sub(n.minute) > time.Minute {
			n.minute, n.others = now, 0
		}
		if n.others++; n.others > mostNotes {
			return false
		}
	}
	if n.mail == nil || len(n.mail) >= keptNotes {
		n.mail = map[mailKey]time.Time{}
	}
	n.mail[k] = now
	return true
}

// note tells the history that something happened; camera and text may be empty. It never waits.
func (r *Recorder) note(kind history.Kind, camera, text string) {
	r.history.Add(history.Entry{Kind: kind, Camera: camera, Text: text})
}

// noteMail tells the history what became of a mail: the event's id, or for a mail that was not taken why. It reports
// whether that was worth a note.
func (r *Recorder) noteMail(kind history.Kind, camera string, t event.Trigger, id, why string) bool {
	e := history.Entry{Time: t.Time, Kind: kind, Camera: camera, Text: why, From: t.From, Event: id}
	if why == "" {
		e.Text = t.Subject
	}
	fresh := r.notes.fresh(mailKey{kind, camera, t.From, id}, time.Now())
	if fresh {
		r.history.Add(e)
	}
	return fresh
}

// noteRemoved tells the history that an event is gone.
func (r *Recorder) noteRemoved(e event.Event, why string) {
	r.history.Add(history.Entry{Kind: history.Removed, Camera: e.Camera, Text: why, Event: e.ID, About: e.Time})
}

// refused counts a connection to the mail server from a network that is not allowed.
func (r *Recorder) refused(from netip.Addr) {
	r.mu.Lock()
	r.smtp.Refused++
	r.mu.Unlock()
	r.noteMail(history.MailRefused, "", event.Trigger{Time: time.Now(), From: from.String()}, "", "")
}

// Why an event is gone.
const (
	byLimits = "It was removed to keep the limits of the archive"
	byHand   = "It was removed by hand"
)

// keepHistory writes the history until the function that it returns is called, which notes the end and waits.
func (r *Recorder) keepHistory(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var writing sync.WaitGroup
	writing.Go(func() { r.history.Run(ctx) })
	r.history.Add(history.Entry{Time: r.started, Kind: history.Started})
	return func() {
		r.note(history.Stopped, "", "")
		cancel()
		writing.Wait()
	}
}

package clip

import (
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ring"
)

// phase is how far an event has come.
type phase int

const (
	recording phase = iota // it takes triggers, and segments are copied
	draining               // it takes no trigger any more; what belongs to it is copied
	finishing              // all its segments are durable
	done
)

// course decides of one event: whether a trigger extends it, which segments belong to it, and when it is over. It
// touches no file and asks no clock; all that it is told of comes in as values.
type course struct {
	phase     phase
	ev        event.Event
	post      time.Duration           // post-roll
	maxLength time.Duration           // length at which it is cut
	last      ring.Segment            // that was copied
	any       bool                    // last is set
	length    time.Duration           // of what was copied
	usual     time.Duration           // length of a segment; 0: not known
	ended     time.Time               // when its camera was told to end; zero: it goes on
	had       map[int64]time.Duration // what an earlier process copied: to which media time of each run
}

// Waiting for segments.
const (
	// slack is by how much a clip may lack of what was asked, or between two segments, without a word: less than a
	// frame.
	slack = 5 * time.Millisecond
	// arrival is how much later than asked a clip ends at least: frames count from when they arrive.
	arrival = 20 * time.Millisecond
	// segmentTimeout is how long beyond an asked end a camera's next segment is waited for, beside twice its usual
	// length.
	segmentTimeout = 5 * time.Second
	// longestSegment is how long that is if pictures come all the while.
	longestSegment = time.Minute
	// unknownGOP is the length of a segment of a camera of which nothing is known.
	unknownGOP = 10 * time.Second
)

// takes reports whether a trigger of a time extends the event.
func (c *course) takes(t time.Time) bool { return c.phase == recording && !t.After(c.ev.Until) }

// trigger extends the event, if it takes the trigger.
func (c *course) trigger(t event.Trigger) bool {
	if !c.takes(t.Time) {
		return false
	}
	c.ev.Triggers = slices.Clone(c.ev.Triggers)
	c.ev.Add(t)
	if until := t.Time.Add(c.post); until.After(c.ev.Until) {
		c.ev.Until = until
	}
	return true
}

// action is what becomes of a segment.
type action int

const (
	belongs action = iota
	known          // it is copied already, since before a crash
	splits         // the event is long enough: another one begins with it
	late           // it begins after all that is asked for: the camera was away meanwhile
)

// judge says what becomes of the next segment. An event that is over by it takes no trigger any more.
func (c *course) judge(s ring.Segment) action {
	switch {
	case c.copiedBefore(s):
		return known
	case s.Start.After(c.ev.Until):
		c.drain()
		return late
	case c.full(s) && s.Start.After(c.ev.Time) && s.Start.Before(c.ev.Until):
		// What happened is in the clip, not the pre-roll alone; and there is more for another one than a margin. It
		// begins with a keyframe, else nothing of it could be seen until one comes.
		return splits
	}
	return belongs
}

// copiedBefore reports whether an earlier process has copied a segment.
func (c *course) copiedBefore(s ring.Segment) bool {
	until, had := c.had[s.Run]
	return had && s.Media[0] < until-time.Millisecond
}

// full reports whether a segment would make the event too long.
func (c *course) full(s ring.Segment) bool {
	return s.Key && c.length > 0 && c.length+s.Length() > c.maxLength
}

// joins reports whether a segment is copied together with those before it, of which the last and the length are told.
func (c *course) joins(last, s ring.Segment, length time.Duration) bool {
	return s.Follows(last) && length+s.Length() <= c.maxLength && last.End.Before(c.ev.Until)
}

// copied counts a segment that is durable. missing tells that there is a gap before it.
func (c *course) copied(s ring.Segment) (gap event.Gap, missing bool) {
	if missing = c.any && !follows(c.last, s); missing {
		gap = event.Gap{From: s.Start.Add(-ring.Between(c.last, s)), To: s.Start}
	}
	c.last, c.any, c.usual = s, true, s.Length()
	c.length += s.Length()
	return gap, missing
}

// follows reports whether no frame is missing between two segments.
func follows(a, b ring.Segment) bool { return ring.Between(a, b) < slack }

// reaches reports whether a segment that is copied is the last of what was asked for; then the event takes no trigger
// any more.
func (c *course) reaches(s ring.Segment) bool {
	if s.End.Before(c.ev.Until.Add(arrival)) {
		return false
	}
	c.drain()
	return true
}

// deadline is until when the next segment is waited for, from a camera whose segments come late by a lag.
func (c *course) deadline(lag time.Duration) time.Time {
	if !c.ended.IsZero() { // all that came is complete
		return c.ended
	}
	usual := c.usual
	if usual == 0 {
		usual = unknownGOP
	}
	return c.ev.Until.Add(segmentTimeout + 2*usual + lag)
}

// patient reports whether to wait beyond the deadline, since pictures come that may be in the next segment.
func (c *course) patient(now time.Time, receiving bool, lag time.Duration) bool {
	return c.ended.IsZero() && receiving && now.Sub(c.ev.Until) < longestSegment+lag
}

// expired ends the event since nothing more came until a time, unless a trigger has extended it meanwhile.
func (c *course) expired(until time.Time) bool {
	if c.ev.Until.After(until) {
		return false
	}
	c.drain()
	return true
}

// end lets the event end now, because its camera is switched off. What came already is still copied.
func (c *course) end(now time.Time) (changed bool) {
	c.ended = now
	if now = now.Round(0); c.phase == recording && c.ev.Until.After(now) {
		c.ev.Until, changed = now, true
	}
	return changed
}

func (c *course) drain() { c.phase = max(c.phase, draining) }

// conclude says that all segments are durable.
func (c *course) conclude() {
	c.phase = max(c.phase, finishing)
	c.ev.State, c.ev.Hold = event.Finishing, ""
}

// move moves the event's times, since this machine's clock was set.
func (c *course) move(d time.Duration) {
	c.ev.Move(d)
	c.last.Start, c.last.End = c.last.Start.Add(d), c.last.End.Add(d)
}

// cut returns the event as it ends at a segment, and the one with an id that goes on from there.
func (c *course) cut(id string, at ring.Segment) (old, next event.Event) {
	old = c.ev
	next = event.Event{
		ID: id, Camera: old.Camera, CameraName: old.CameraName, Time: at.Start, Label: old.Label,
		State: event.Recording,
		From:  at.Start, Until: old.Until, LastTrigger: old.LastTrigger, Continues: old.ID, Hold: old.Hold}
	old.State, old.Hold, old.Continued = event.Finishing, "", true
	if at.Start.Before(old.Until) {
		old.Until = at.Start
	}
	hand(&old, &next, at.Start)
	return old, next
}

// hand gives the triggers from a time on to the next event: a segment comes when triggers in it are long noted.
func hand(old, next *event.Event, from time.Time) {
	var kept []event.Trigger
	for _, t := range old.Triggers {
		if t.Time.Before(from) {
			kept = append(kept, t)
		} else {
			next.Add(t)
		}
	}
	if next.TriggerCount == 0 {
		return
	}
	old.TriggerCount -= next.TriggerCount
	old.Triggers, old.LastTrigger = kept, time.Time{}
	for _, t := range kept {
		if t.Time.After(old.LastTrigger) {
			old.LastTrigger = t.Time
		}
	}
}

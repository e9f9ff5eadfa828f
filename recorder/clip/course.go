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
	recording phase = iota // the event takes triggers, and segments are copied
	draining               // the event takes no triggers; its last segments are copied
	finishing              // all segments of the event are durable
	done
)

// course decides about one event: whether a trigger extends the event, which segments belong to it, and when it is
// over. A course touches no file and reads no clock; its whole input is values.
type course struct {
	phase     phase
	ev        event.Event
	post      time.Duration           // post-roll
	maxLength time.Duration           // length at which the event is cut
	last      ring.Segment            // the last segment that was copied
	any       bool                    // last is set
	length    time.Duration           // length of the copied segments
	usual     time.Duration           // length of a segment; 0: not known
	ended     time.Time               // when End was called for the camera; zero: not called
	had       map[int64]time.Duration // what an earlier process copied: the end of each run in media time
}

// Limits for waiting and comparing.
const (
	// slack is less than a frame. A clip may be shorter than asked by slack, and a pause of slack between two segments
	// is no gap.
	slack = 5 * time.Millisecond

	// arrival is how much longer than asked a clip is at least, because frames are timed by their arrival.
	arrival = 20 * time.Millisecond

	// segmentTimeout is how long the course waits for the next segment after the end of the window, in addition to
	// twice the usual length of a segment.
	segmentTimeout = 5 * time.Second

	// longestSegment is how long the course waits if frames come all the while.
	longestSegment = time.Minute

	// unknownGOP is the assumed length of a segment while nothing is known of the camera.
	unknownGOP = 10 * time.Second
)

// takes reports whether a trigger at time t extends the event.
func (c *course) takes(t time.Time) bool { return c.phase == recording && !t.After(c.ev.Until) }

// trigger extends the event, and reports whether the event takes the trigger.
func (c *course) trigger(t event.Trigger) bool {
	if !c.takes(t.Time) {
		return false
	}
	c.ev.Triggers = slices.Clone(c.ev.Triggers)
	c.ev.Add(t)
	return c.extend(t.Time.Add(c.post)) && c.extend(t.Until)
}

// extend makes the event go on up to a time at least, and reports whether the event can.
func (c *course) extend(until time.Time) bool {
	if c.phase == recording && until.After(c.ev.Until) {
		c.ev.Until = until
	}
	return c.phase == recording
}

// action is what becomes of a segment.
type action int

const (
	belongs action = iota
	known          // the segment was copied before a crash
	splits         // the event is long enough: another event begins with the segment
	late           // the segment begins after the window: the camera was away meanwhile
)

// judge returns what becomes of the next segment. If the segment shows that the event is over, the event takes no
// further triggers.
func (c *course) judge(s ring.Segment) action {
	switch {
	case c.copiedBefore(s):
		return known
	case s.Start.After(c.ev.Until):
		c.drain()
		return late
	case c.full(s) && s.Start.After(c.ev.Time) && s.Start.Before(c.ev.Until):
		// The clip has what happened and not only the pre-roll, and enough is left for another event. The next event
		// begins with a keyframe; otherwise it could not be shown before the next keyframe.
		return splits
	}

	return belongs
}

// copiedBefore reports whether an earlier process has copied the segment.
func (c *course) copiedBefore(s ring.Segment) bool {
	until, had := c.had[s.Run]
	return had && s.Media[0] < until-time.Millisecond
}

// full reports whether the segment would make the event too long.
func (c *course) full(s ring.Segment) bool {
	return s.Key && c.length > 0 && c.length+s.Length() > c.maxLength
}

// joins reports whether s is copied together with the segments before it. last is the last of them, and length is the
// length of the event with them.
func (c *course) joins(last, s ring.Segment, length time.Duration) bool {
	return s.Follows(last) && length+s.Length() <= c.maxLength && last.End.Before(c.ev.Until)
}

// copied counts a segment that is durable, and reports whether there is a gap before it.
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

// reaches reports whether a copied segment is the last segment of the window. If it is, the event takes no further
// triggers.
func (c *course) reaches(s ring.Segment) bool {
	if s.End.Before(c.ev.Until.Add(arrival)) {
		return false
	}
	c.drain()
	return true
}

// deadline returns until when to wait for the next segment. lag is the delay of the camera's segments.
func (c *course) deadline(lag time.Duration) time.Time {
	if !c.ended.IsZero() { // everything that came is complete
		return c.ended
	}
	usual := c.usual
	if usual == 0 {
		usual = unknownGOP
	}
	return c.ev.Until.Add(segmentTimeout + 2*usual + lag)
}

// patient reports whether to wait beyond the deadline, because frames come that may be in the next segment.
func (c *course) patient(now time.Time, receiving bool, lag time.Duration) bool {
	return c.ended.IsZero() && receiving && now.Sub(c.ev.Until) < longestSegment+lag
}

// expired reports whether the event is over because nothing more came until the given end of its window. It drains the
// event then. An event that a trigger has extended meanwhile is not over.
func (c *course) expired(until time.Time) bool {
	if c.ev.Until.After(until) {
		return false
	}
	c.drain()
	return true
}

// end ends the event now because its camera is switched off, and reports whether that made the window shorter. Video
// that came already is still copied.
func (c *course) end(now time.Time) (changed bool) {
	c.ended = now
	if now = now.Round(0); c.phase == recording && c.ev.Until.After(now) {
		c.ev.Until, changed = now, true
	}
	return changed
}

// drain begins the phase draining, unless a later phase has begun.
func (c *course) drain() { c.phase = max(c.phase, draining) }

// conclude records that all segments are durable.
func (c *course) conclude() {
	c.phase = max(c.phase, finishing)
	c.ev.State, c.ev.Hold = event.Finishing, ""
}

// move moves the event's times because this machine's clock was set.
func (c *course) move(d time.Duration) {
	c.ev.Move(d)
	c.last.Start, c.last.End = c.last.Start.Add(d), c.last.End.Add(d)
}

// cut returns the event as it ends before segment at, and the event with the given id that continues from there.
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

// hand moves the triggers from a time on to the next event. A segment comes long after the triggers in it.
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

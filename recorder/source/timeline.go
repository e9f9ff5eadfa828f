package source

import (
	"math"
	"time"
)

// Limits of a Timeline.
const (
	// settleTime is how long samples wait at the first stamp, and after a timestamp discontinuity.
	settleTime = time.Second

	// A larger difference between stamp and arrival, from one sample to the next, is examined as a discontinuity.
	maxStep = time.Second

	// After a discontinuity the old relation still holds if by it the samples come early by less than early, or late by
	// less than late. Sources that send in bursts, like HLS, are late now and then.
	early = 700 * time.Millisecond
	late  = 3 * time.Second

	bucket  = time.Second
	buckets = 15    // number of buckets over which the smallest lateness is taken
	minRate = 0.003 // a smaller rate error is followed by small steps
	maxRate = 0.6   // a clock with a larger rate error is no clock
	clearly = 0.25  // a new rate must leave less than this part of the spread that the old rate leaves

	// Stamps that rise by less than standing stand still. After a discontinuity, FFmpeg makes stamps rise by one tick.
	standing = time.Millisecond

	// A stamp may repeat the previous stamp if it is wrong by less than repeat, and if no more than maxRepeats of the
	// last repeatSpan stamps do so.
	repeat     = 200 * time.Millisecond
	repeatSpan = 20
	maxRepeats = 6

	// After more than maxDoubts discontinuities in doubtTime, stamps are not believed for followTime. This time doubles
	// with each repetition, up to maxFollow.
	maxDoubts  = 4
	followTime = time.Minute
	maxFollow  = time.Hour
	doubtTime  = 30 * time.Second

	maxSettling = 1024 // maximum number of samples that wait

	// The lateness of samples that come one by one differs by less than steadySpread.
	steadySpread = 300 * time.Millisecond

	minStep = 200 * time.Microsecond // at least a tick of any track

	// Media time that is wrong moves by 1/slowSlew of the time that passes, or by 1/quickSlew if media time is wrong
	// by more than slewLimit.
	quickSlew = 4
	slewLimit = 250 * time.Millisecond
	slowSlew  = 20
)

// --- Video ---

// Timeline turns the stamps and arrival times of a video track into media times. A Timeline is a pure function of its
// input: it reads no clock.
//
// Media time lies on the arrival clock. Media time follows the camera's stamps at their real rate, such that the
// smallest lateness (arrival - media time) of the last 15 s is zero. So frames play smoothly, and a late packet moves
// nothing.
//
// Where stamps and arrival suddenly part, samples wait for a second until it is known which of the two is right. The
// reason may be a change of the camera's clock, a silence, or a burst after a silence. Stamps that part again and again
// are not believed for a minute; then media time is arrival. Media times rise strictly, and each sample gets exactly
// one.
type Timeline struct {
	begun  bool
	last   time.Duration // the last media time that was given
	stamp  time.Duration // stamp of the previous sample
	arrive time.Duration
	step   time.Duration // the last step from stamp to stamp that was no discontinuity
	shift  time.Duration // added to all stamps, because stamps jumped while samples waited

	anchor  moment               // media time = anchor.media + (stamp - anchor.stamp) * rate
	rate    float64              // rate of arrival to stamps
	owed    time.Duration        // by how much media time is wrong
	seen    [buckets]earlySample // the earliest sample of each second, newest last
	waiting []moment             // stamps and arrivals (as media) of the samples that wait
	leaps   []leap               // of the stamps of the samples that wait, ahead of their arrival
	doubts  []time.Duration
	follow  time.Duration // stamps are not believed until this arrival time
	again   time.Duration // how long stamps were not believed the last time; the next time is twice as long
	repeats float64       // how many of the last stamps repeated the previous one
	out     []time.Duration
}

// moment is a stamp with its media time or its arrival time.
type moment struct{ stamp, media time.Duration }

// leap is a place among the waiting samples where stamps leap ahead within a burst, and what to add to all stamps from
// there on if the clock was changed.
type leap struct {
	at int
	by time.Duration
}

// earlySample is the sample of a second that came earliest by its stamp.
type earlySample struct {
	moment
	second int64
	any    bool
}

// Add takes the next sample and returns the media times that are known now. They belong to the oldest samples that have
// no media time yet, in order. The result is valid until the next call.
func (t *Timeline) Add(stamp, arrival time.Duration) []time.Duration {
	t.out = t.out[:0]
	if t.begun {
		arrival = max(arrival, t.arrive)
	}
	stamp += t.shift
	ds, da := stamp-t.stamp, arrival-t.arrive
	if ds >= standing && (da-ds).Abs() <= maxStep {
		t.step = ds
	}
	first := !t.begun
	t.begun, t.stamp, t.arrive = true, stamp, arrival
	switch {
	case first:
		t.rate, t.last = 1, arrival-time.Hour
		t.waiting = append(t.waiting, moment{stamp, arrival})
	case arrival < t.follow:
		t.settle()
		t.give(arrival)
	case len(t.waiting) > 0:
		if t.repeated(ds) {
			t.stamp -= ds
			stamp = t.stamp
		} else if by := max(t.step, da) - ds; ds < standing { // the clock leaps back within a burst
			t.shift += by
			stamp += by
			t.stamp = stamp
		} else if time.Duration(float64(ds)*t.rate)-da > maxStep+t.step {
			t.leaps = append(t.leaps, leap{len(t.waiting), by})
		}

		t.waiting = append(t.waiting, moment{stamp, arrival})
		if arrival-t.waiting[0].media >= settleTime || len(t.waiting) >= maxSettling {
			t.settle()
		}
	case t.follow > 0:
		t.follow = 0
		t.forget()
		t.waiting = append(t.waiting, moment{stamp, arrival})
	default:
		behind := arrival - t.at(stamp)
		if behind.Abs() < repeat && t.repeated(ds) {
			t.stamp -= ds
			t.give(t.at(t.stamp))
			break
		}
		if step := time.Duration(float64(ds) * t.rate); ds < standing || (da-step).Abs() > maxStep ||
			behind < -maxStep {
			t.waiting = append(t.waiting, moment{stamp, arrival})
			break
		}
		t.observe(stamp, arrival, ds)
		t.give(t.at(stamp))
	}

	return t.out
}

// repeated reports whether a stamp that does not rise is a single wrong stamp, rounded by a program that repacked the
// stream. ds is the step from the previous stamp.
func (t *Timeline) repeated(ds time.Duration) bool {
	t.repeats -= t.repeats / repeatSpan
	if ds >= standing || ds <= -repeat {
		return false
	}
	if t.repeats++; t.repeats > maxRepeats {
		t.repeats = 0
		t.disbelieve()
	}
	return true
}

// Flush returns the media times of the samples that still wait. It is called when the session ends or memory is short.
func (t *Timeline) Flush() []time.Duration {
	t.out = t.out[:0]
	t.settle()
	return t.out
}

// Believed reports whether media time follows the camera's stamps.
func (t *Timeline) Believed() bool { return t.follow == 0 }

// Rate returns the rate error of the stamps: arrival time per stamp time, minus 1. The result is 0 if the stamps are
// right.
func (t *Timeline) Rate() float64 {
	if !t.begun {
		return 0
	}
	return t.rate - 1
}

// at returns the media time of a stamp.
func (t *Timeline) at(stamp time.Duration) time.Duration {
	return t.anchor.media + time.Duration(float64(stamp-t.anchor.stamp)*t.rate)
}

// give appends a media time to the result, moved behind the last one if necessary.
func (t *Timeline) give(media time.Duration) {
	t.last = max(media, t.last+minStep)
	t.out = append(t.out, t.last)
}

// --- Discontinuities ---

// settle decides what the waiting samples mean, and gives their media times.
func (t *Timeline) settle() {
	w := t.waiting
	if len(w) == 0 {
		return
	}
	t.waiting = w[:0]
	if t.follow > t.arrive {
		t.leaps = t.leaps[:0]
		for _, m := range w {
			t.give(m.media)
		}
		return
	}

	// If the earliest waiting sample fits the old relation, the relation goes on: the samples were late, or the camera
	// had nothing to send. If it fits, stamps that leap ahead are of samples that were dropped on the way. Otherwise
	// the clock was changed between two samples.
	old := t.leastLate(w)
	if len(t.leaps) > 0 && !t.fits(w, old) {
		t.undoLeaps(w)
		old = t.leastLate(w)
	}
	t.leaps = t.leaps[:0]
	base := w[0].media
	for _, m := range w {
		base = min(base, m.media-time.Duration(float64(m.stamp-w[0].stamp)*t.rate))
	}
	stood := old > maxStep && t.isSteady(w) // the stamps stood still during a silence, as when an encoder restarts
	if t.fits(w, old) && !stood {
		t.owed = min(old, 0) // lateness need not stay
	} else {
		if t.countDiscontinuity() {
			for _, m := range w {
				t.give(m.media)
			}
			return
		}
		t.forget()
		t.anchor = moment{w[0].stamp, base}
	}

	for _, m := range w {
		t.keepEarliest(m.stamp, m.media)
		t.give(t.at(m.stamp))
	}
}

// fits reports whether the old relation goes on with the waiting samples, of which the earliest is late by old.
func (t *Timeline) fits(w []moment, old time.Duration) bool {
	return t.anchor != (moment{}) && old > -early && old < late && t.at(w[0].stamp) > t.last-repeat
}

// leastLate returns by how much the earliest waiting sample is late by the old relation.
func (t *Timeline) leastLate(w []moment) time.Duration {
	least := w[0].media - t.at(w[0].stamp)
	for _, m := range w {
		least = min(least, m.media-t.at(m.stamp))
	}
	return least
}

// undoLeaps lets the stamps go on where they leap ahead.
func (t *Timeline) undoLeaps(w []moment) {
	for _, l := range t.leaps {
		for i := range w[l.at:] {
			w[l.at+i].stamp += l.by
		}
		t.shift += l.by
		t.stamp += l.by
	}
}

// isSteady reports whether the waiting samples are all about equally late, so that their lateness will stay. Samples
// that were held up on the way come in a burst.
func (t *Timeline) isSteady(w []moment) bool {
	if w[len(w)-1].media-w[0].media < settleTime/2 {
		return false
	}
	least, most := w[0].media-t.at(w[0].stamp), w[0].media-t.at(w[0].stamp)
	for _, m := range w {
		least, most = min(least, m.media-t.at(m.stamp)), max(most, m.media-t.at(m.stamp))
	}
	return most-least < steadySpread
}

// countDiscontinuity counts a timestamp discontinuity, and reports whether the stamps are no longer believed.
func (t *Timeline) countDiscontinuity() bool {
	if t.anchor == (moment{}) { // the first stamps are no discontinuity
		return false
	}
	t.doubts = append(t.doubts, t.arrive)
	for t.arrive-t.doubts[0] > doubtTime {
		t.doubts = t.doubts[1:]
	}
	if len(t.doubts) <= maxDoubts {
		return false
	}
	t.doubts = t.doubts[:0]
	t.disbelieve()
	return true
}

// disbelieve makes media time follow arrival for a while, which is longer each time.
func (t *Timeline) disbelieve() {
	t.again = min(max(2*t.again, followTime), maxFollow)
	t.follow = t.arrive + t.again
}

// forget drops the samples seen before a discontinuity.
func (t *Timeline) forget() {
	t.seen, t.owed = [buckets]earlySample{}, 0
}

// --- Lateness and rate ---

// keepEarliest keeps the earliest sample of each second, and reports whether a new second began.
func (t *Timeline) keepEarliest(stamp, arrival time.Duration) (newSecond bool) {
	now := &t.seen[buckets-1]
	second := int64(arrival / bucket)
	if !now.any || second != now.second {
		newSecond = now.any
		copy(t.seen[:], t.seen[1:])
		*now = earlySample{moment{stamp, arrival}, second, true}
	} else if arrival-stamp < now.media-now.stamp {
		now.moment = moment{stamp, arrival}
	}

	return newSecond
}

// observe learns from a sample how late samples are and how fast stamps run, and moves media time by a part of owed. ds
// is the step from the previous stamp.
func (t *Timeline) observe(stamp, arrival, ds time.Duration) {
	if t.keepEarliest(stamp, arrival) {
		t.learnRate(stamp)
		t.owed = t.lateness()
	}
	if late := arrival - t.at(stamp); late < t.owed && late < 0 {
		t.owed = late
	}
	slew := ds / slowSlew
	if t.owed.Abs() > slewLimit {
		slew = ds / quickSlew
	}
	step := min(max(t.owed, -slew), slew)
	t.anchor.media += step
	t.owed -= step
}

// lateness returns the smallest lateness of the last seconds.
func (t *Timeline) lateness() (minimum time.Duration) {
	any := false
	for _, b := range t.seen {
		if late := b.media - t.at(b.stamp); b.any && (!any || late < minimum) {
			minimum, any = late, true
		}
	}
	return minimum
}

// learnRate compares the earliest samples of the last seconds with those of the first seconds in seen. Lateness that
// grows or shrinks steadily means that a clock or a frame rate is not what the stamps say.
func (t *Timeline) learnRate(stamp time.Duration) {
	first := 0
	for first < buckets && !t.seen[first].any {
		first++
	}
	n := (buckets - first) / 3
	if n < 3 {
		return
	}
	a, b := earliest(t.seen[first:first+n]), earliest(t.seen[buckets-n:])
	if b.media-a.media < 2*bucket || b.stamp <= a.stamp {
		return
	}
	rate := float64(b.media-a.media) / float64(b.stamp-a.stamp)
	switch off := rate - 1; {
	case off > maxRate || off < -maxRate:
		t.disbelieve()
		return
	case off < minRate && off > -minRate:
		rate = 1
	}

	if t.spread(rate) > t.spread(t.rate)*clearly { // a machine that gets busy is late, but unsteadily
		return
	}
	t.anchor = moment{stamp, t.at(stamp)}
	t.rate = rate
}

// spread returns by how much the smallest latenesses of the last seconds differ at the given rate of stamps, in
// seconds.
func (t *Timeline) spread(rate float64) float64 {
	least, most := math.Inf(1), math.Inf(-1)
	for _, b := range t.seen[:buckets-1] { // the newest second has just begun
		if b.any {
			late := b.media.Seconds() - b.stamp.Seconds()*rate
			least, most = min(least, late), max(most, late)
		}
	}
	return most - least
}

// earliest returns the sample that came earliest by its stamp.
func earliest(list []earlySample) (e earlySample) {
	for _, b := range list {
		if b.any && (!e.any || b.media-b.stamp < e.media-e.stamp) {
			e = b
		}
	}
	return e
}

// --- Sound ---

// Limits of a Counter.
const (
	soundWindow = 2 * time.Second
	soundSlack  = 120 * time.Millisecond
	soundPause  = time.Second
)

// Counter turns the lengths and arrival times of a sound track into media times on the arrival clock. A Counter is a
// pure function of its input. Stamps do not matter: a sample lies where it arrived, directly behind the sample before
// it.
type Counter struct {
	begun    bool
	next     time.Duration // media time of the next sample
	from     time.Duration // late is the smallest lateness since this arrival
	late     time.Duration
	skipping bool
}

// Add takes the next sample and returns its media time. The result is false if the sample is left out because there is
// more sound than time.
func (c *Counter) Add(length, arrival time.Duration) (time.Duration, bool) {
	late := arrival - length - c.next
	if !c.begun || late > soundPause {
		*c = Counter{begun: true, next: arrival - length, from: arrival}
		late = 0
	}
	if c.from == arrival || late < c.late {
		c.late = late
	}
	if arrival-c.from >= soundWindow {
		switch {
		case c.late > soundSlack:
			c.next += c.late
		case c.late < -soundSlack:
			c.skipping = true
		}
		c.from, c.late = arrival, late
	}

	if c.skipping && late < 0 {
		return 0, false
	}
	c.skipping = false
	at := c.next
	c.next += length
	return at, true
}

package source

import (
	"math"
	"time"
)

// Limits of a Timeline.
const (
	// for which samples wait where the camera's stamps begin, or leave their course
	settleTime = time.Second
	// by which stamp and arrival must part from one sample to the next to be looked at
	maxStep = time.Second
	early   = 700 * time.Millisecond // by which stamps that left their course may be ahead of it to be believed on,
	late    = 3 * time.Second        // and behind it: what comes in heaps, as HLS does, comes late now and then
	bucket  = time.Second
	buckets = 15    // over which the smallest lateness is taken
	minRate = 0.003 // a rate error that is smaller is followed by small steps
	maxRate = 0.6   // one that is larger is no clock
	clearly = 0.25  // of the spread that the old rate leaves: a new one must leave less
	// stamps that rise by less, and after a leap FFmpeg lets them rise by a tick, stand still
	standing    = time.Millisecond
	repeat      = 200 * time.Millisecond // by which a single stamp may be wrong and repeat the one before it,
	repeatSpan  = 20                     // of the last so many
	maxRepeats  = 6                      // no more than so many
	maxDoubts   = 4                      // in doubtTime, after which
	followTime  = time.Minute            // stamps are not believed, longer each time
	maxFollow   = time.Hour
	doubtTime   = 30 * time.Second
	maxSettling = 1024 // samples
	// by which the lateness of samples may differ that come one by one
	steadySpread = 300 * time.Millisecond
	minStep      = 200 * time.Microsecond // which is a tick of any track or more
	quickSlew    = 4                      // a quarter of the time that passes, where times are wrong by more than
	slewLimit    = 250 * time.Millisecond
	slowSlew     = 20
)

// Timeline turns the stamps and arrival times of a video track into media times. It is a pure function of what it was
// told: it never asks a clock.
//
// Media time lies on the arrival clock. It follows the camera's stamps, at the rate that they really have, such that
// the smallest lateness (arrival - media time) of the last 15 s is zero: frames play smoothly, and a late packet moves
// nothing. Where stamps and arrival part at once (a leap of the camera's clock, a silence, a burst after one), samples
// wait for a second, until it is known which of the two is right. Stamps that part again and again are not believed for
// a minute; then media time is arrival. Media times rise strictly, and each sample gets exactly one.
type Timeline struct {
	begun  bool
	last   time.Duration // media time that was given last
	stamp  time.Duration // of the sample before
	arrive time.Duration
	step   time.Duration // the last one from stamp to stamp that was no leap
	shift  time.Duration // which is added to stamps since some leapt while samples waited

	anchor  moment  // media time = anchor.media + (stamp - anchor.stamp) * rate
	rate    float64 // of arrival to stamps
	owed    time.Duration
	seen    [buckets]earlySample // the earliest sample of each second, newest last
	waiting []moment             // stamps, and as media arrivals, of samples that settle
	doubts  []time.Duration
	follow  time.Duration // until then, in arrival time, stamps are not believed
	again   time.Duration // for how long they will not be believed the next time
	repeats float64       // of the last stamps, those that repeated
	out     []time.Duration
}

// moment is a stamp with the media time, or the arrival time, that belongs to it.
type moment struct{ stamp, media time.Duration }

// least is the sample of a second that came earliest by its stamp.
type earlySample struct {
	moment
	second int64
	any    bool
}

// Add takes the next sample and returns the media times that are known now: of the oldest samples that have none yet,
// in their order. The result is valid until the next call.
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
		} else if ds < standing || time.Duration(float64(ds)*t.rate)-da > maxStep+t.step {
			// between two frames of a heap
			t.shift += max(t.step, da) - ds
			stamp += max(t.step, da) - ds
			t.stamp = stamp
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

// repeated reports whether a stamp that does not rise is a single wrong one: what repacked the stream has rounded it.
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

// Flush returns the media times of the samples that still wait, because the session ends or memory is short.
func (t *Timeline) Flush() []time.Duration {
	t.out = t.out[:0]
	t.settle()
	return t.out
}

// Believed reports whether media time follows the camera's stamps.
func (t *Timeline) Believed() bool { return t.follow == 0 }

// Rate is by how much faster than its stamps the camera really is, 0 if they are right.
func (t *Timeline) Rate() float64 {
	if !t.begun {
		return 0
	}
	return t.rate - 1
}

func (t *Timeline) at(stamp time.Duration) time.Duration {
	return t.anchor.media + time.Duration(float64(stamp-t.anchor.stamp)*t.rate)
}

func (t *Timeline) give(media time.Duration) {
	t.last = max(media, t.last+minStep)
	t.out = append(t.out, t.last)
}

// settle decides what the samples that wait mean, and gives their media times.
func (t *Timeline) settle() {
	w := t.waiting
	if len(w) == 0 {
		return
	}
	t.waiting = w[:0]
	if t.follow > t.arrive {
		for _, m := range w {
			t.give(m.media)
		}
		return
	}
	// As before, if the earliest of them fits what was known: they were late, or there was nothing to send.
	old := w[0].media - t.at(w[0].stamp)
	base := w[0].media
	for _, m := range w {
		old = min(old, m.media-t.at(m.stamp))
		base = min(base, m.media-time.Duration(float64(m.stamp-w[0].stamp)*t.rate))
	}
	fits := old > -early && old < late && t.at(w[0].stamp) > t.last-repeat
	stood := old > maxStep && t.isSteady(w) // the stamps, in a silence, as when an encoder starts again
	if t.anchor != (moment{}) && fits && !stood {
		t.owed = min(old, 0) // what is late now need not stay so
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

// isSteady reports whether the samples that wait are all as late as each other, so that their lateness will stay.
// Samples that were held up on the way come in a heap.
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

// countDiscontinuity counts that stamps took another course, and reports whether they are not believed any more.
func (t *Timeline) countDiscontinuity() bool {
	if t.anchor == (moment{}) { // they take their first one
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

// forget drops what was seen of stamps on another course.
func (t *Timeline) forget() {
	t.seen, t.owed = [buckets]earlySample{}, 0
}

// note keeps the earliest sample of each second.
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

// observe learns from a sample how late samples are, and how fast stamps run, and moves media time by what it owes.
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

// lateness is the smallest lateness of the last seconds.
func (t *Timeline) lateness() (minimum time.Duration) {
	any := false
	for _, b := range t.seen {
		if late := b.media - t.at(b.stamp); b.any && (!any || late < minimum) {
			minimum, any = late, true
		}
	}
	return minimum
}

// learnRate compares the earliest samples of the last seconds with those of the first: lateness that grows or shrinks
// steadily is a clock, or a frame rate, that is not what the stamps say.
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
	if t.spread(rate) > t.spread(t.rate)*clearly { // what gets busy is late, but unsteadily
		return
	}
	t.anchor = moment{stamp, t.at(stamp)}
	t.rate = rate
}

// spread is by how much the smallest latenesses of the last seconds differ if stamps run at a rate, in seconds.
func (t *Timeline) spread(rate float64) float64 {
	least, most := math.Inf(1), math.Inf(-1)
	for _, b := range t.seen[:buckets-1] { // the newest has just begun
		if b.any {
			late := b.media.Seconds() - b.stamp.Seconds()*rate
			least, most = min(least, late), max(most, late)
		}
	}
	return most - least
}

func earliest(list []earlySample) (e earlySample) {
	for _, b := range list {
		if b.any && (!e.any || b.media-b.stamp < e.media-e.stamp) {
			e = b
		}
	}
	return e
}

// Limits of a Counter.
const (
	soundWindow = 2 * time.Second
	soundSlack  = 120 * time.Millisecond
	soundPause  = time.Second
)

// Counter turns the lengths and arrival times of a sound track into media times on the arrival clock. It is a pure
// function of what it was told. Stamps are not asked: sound is put where it arrived, one sample behind the other.
type Counter struct {
	begun    bool
	next     time.Duration // media time of the next sample
	from     time.Duration // arrival from which on late is the smallest lateness
	late     time.Duration
	skipping bool
}

// Add takes the next sample and returns its media time. false means that it is left out: there is more sound than time.
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

// Package clip is the copier: it turns the segments that a hold keeps into a finished clip on the archive drive.
//
// In come triggers and a [ring.Hold]; out come files and events. While an incident is open its segments are appended to
// a partial file as they complete, and fsynced; only then does the hold let them go. At the end the partial file is
// remuxed, checked, fsynced and renamed. Everything that a crash could interrupt is written down before it is done, so
// that [Copier.Resume] can go on from there; the partial file is its own journal. An incident's Run owns its goroutines
// and waits for them.
package clip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/crash"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
)

// Copier makes clips for all cameras.
type Copier struct {
	Archive *archive.Archive
	FFmpeg  func() (*ffmpeg.Tool, error)
	Log     *slog.Logger
	Changed func(event.Event) // called after every durable change of an event; must not block
	Trouble func(error)       // the archive drive cannot be written (error) or can again (nil); must not block

	jobs chan struct{} // bounds the FFmpegs at work on clips and pictures

	mu      *sync.Mutex             // guards all below
	working map[string]bool         // ids of the events at work
	waiting map[*Incident]time.Time // who waits for the archive drive, and since when
	trouble map[*Incident]error     // whom the archive drive gives trouble
}

// New returns a copier. It runs at most two FFmpegs at once, however many cameras were triggered.
func New(c Copier) *Copier {
	c.jobs = make(chan struct{}, 2)
	c.mu, c.working, c.waiting, c.trouble = &sync.Mutex{}, map[string]bool{}, map[*Incident]time.Time{}, map[*Incident]error{}
	return &c
}

// Working tells whether an event is at work: an open one that is not must be taken up by Resume.
func (c *Copier) Working(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.working[id]
}

func (c *Copier) work(id string, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.working[id] = true
	} else {
		delete(c.working, id)
	}
}

// Waiting is for how long the archive drive has not answered; 0 if nothing waits for it.
func (c *Copier) Waiting() (longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, since := range c.waiting {
		longest = max(longest, time.Since(since))
	}
	return longest
}

// tell notes how an incident fares with the archive drive, and tells of trouble until nobody has any.
func (c *Copier) tell(in *Incident, err error) {
	c.mu.Lock()
	had := len(c.trouble) > 0
	if err != nil {
		c.trouble[in] = err
	} else {
		delete(c.trouble, in)
	}
	has := len(c.trouble) > 0
	c.mu.Unlock()
	if err != nil || had && !has {
		c.Trouble(err)
	}
}

// wait notes that an incident waits for the drive to take a few segments, until done is called.
func (c *Copier) wait(in *Incident) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[in] = time.Now()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, in)
	}
}

// job waits for a place among the FFmpegs at work; done gives it back.
func (c *Copier) job(ctx context.Context) (done func(), err error) {
	select {
	case c.jobs <- struct{}{}:
		return func() { <-c.jobs }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Camera is what the copier needs to know of a camera.
type Camera struct {
	ID      string
	Name    string
	Lengths config.Clip
	Why     func() string // says why there was no video lately; "" if it does not know
	Since   time.Time     // when Preroll was started
}

const (
	// slack is by how much a clip may lack of what was asked, or between two segments, without a word: less than a frame.
	slack = 5 * time.Millisecond
	// arrival is how much later than asked a clip ends at least: frames count from when they arrive.
	arrival = 20 * time.Millisecond
	// segmentTimeout is how long beyond an asked end a camera's next segment is waited for, beside twice its usual length.
	segmentTimeout = 5 * time.Second
	// longestSegment is how long that is if pictures come all the while.
	longestSegment = time.Minute
)

// Incident is one camera's open event, or a chain of them where the maximum length cut it.
type Incident struct {
	c    *Copier
	cam  Camera
	hold *ring.Hold

	noting sync.Mutex    // held while an event is written to the index: each change in its order; taken before mu
	mu     sync.Mutex    // guards closed, and the event of every work
	closed bool          // takes no trigger any more
	ended  time.Time     // when its camera was told to end; zero: it goes on
	now    *work         // the event that is being recorded; replaced by Run only
	moved  time.Duration // by which the event's times were moved since next looked, because the clock was set

	resumed   bool
	usual     time.Duration // length of a segment
	finishing sync.WaitGroup
}

// work is one event of an incident and its files.
type work struct {
	ev       event.Event // guarded by Incident.mu
	parts    []*part     // used by Run, then by finish
	length   time.Duration
	last     ring.Segment
	any      bool // last is set
	pictured bool
	picture  sync.WaitGroup
	began    time.Time
	next     string // id of the event that goes on where the maximum length cuts this one

	// guarded by Incident.mu
	version  int          // counts the event's changes
	noted    int          // the version that is in the index
	tried    int          // the version that could not be written,
	failed   error        // and why
	beside   int          // the version that the sidecar on the archive has
	enclosed []*Enclosure // of its mails, until they are written
	sealed   bool         // no work on pictures and enclosures begins any more
}

// newID returns an event id: the time in UTC and a random tail.
func newID(t time.Time) string {
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return t.UTC().Format("20060102T150405.000Z-") + hex.EncodeToString(b)
}

// Begin opens an event for a trigger: it pins the pre-roll, then writes the event to the index. When it returns without
// an error the trigger may be acknowledged. The caller then calls Run; also if there is an incident and an error: the
// event could not be noted, but what it asks for is in RAM now, and is saved if the index can be written in time.
func (c *Copier) Begin(ctx context.Context, cam Camera, r *ring.Ring, t event.Trigger) (*Incident, error) {
	began := t.Time
	t.Time = t.Time.Round(0) // with the clock's reading alone, so that it can be moved when the clock is set
	id := newID(t.Time)
	from := t.Time.Add(-cam.Lengths.PreRoll.D())
	hold, err := r.Hold(id, from)
	if err != nil {
		return nil, err
	}
	crash.Here("pinned")
	w := &work{began: began, version: 1, ev: event.Event{
		ID: id, Camera: cam.ID, CameraName: cam.Name, Time: t.Time, State: event.Recording,
		From: from, Until: t.Time.Add(cam.Lengths.PostRoll.D()), Hold: id}}
	w.ev.Label = event.DefaultLabel
	w.ev.Add(t)
	in := &Incident{c: c, cam: cam, hold: hold, now: w}
	hold.Limit(w.ev.Until)
	c.work(id, true)
	err = in.inIndex(ctx, w, w.version)
	crash.Here("indexed")
	return in, err
}

// Resume takes up an event that an earlier process left open. The caller then calls Run.
func (c *Copier) Resume(cam Camera, r *ring.Ring, ev event.Event) (*Incident, error) {
	in := &Incident{c: c, cam: cam, resumed: true, now: &work{ev: ev, began: ev.Time, pictured: ev.Thumbnail != ""}}
	in.closed = ev.State != event.Recording
	if !in.closed {
		var err error
		if in.hold, err = r.Resume(ev.Hold, ev.From); err != nil {
			return nil, err
		}
		in.hold.Limit(ev.Until)
	}
	c.work(ev.ID, true)
	return in, nil
}

// Takes tells whether the incident is extended by a trigger; else a new one is due.
func (in *Incident) Takes(t event.Trigger) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.followClock()
	return !in.closed && !t.Time.Round(0).After(in.now.ev.Until)
}

// Holds tells whether a time lies in what the last event of the incident asked for.
func (in *Incident) Holds(t time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !t.Before(in.now.ev.From) && !t.After(in.now.ev.Until)
}

// Add extends the incident by a trigger, durably. ok is false if the incident ended before: then a new one is due. Of
// many triggers at once, the first that comes to it writes the index for all. A trigger that could not be noted extends
// the event all the same, in case that it still can be. id is that of the event that holds the trigger.
func (in *Incident) Add(ctx context.Context, t event.Trigger) (id string, ok bool, err error) {
	in.mu.Lock()
	in.followClock()
	w := in.now
	t.Time = t.Time.Round(0)
	if in.closed || t.Time.After(w.ev.Until) {
		in.mu.Unlock()
		return "", false, nil
	}
	w.ev.Triggers = append([]event.Trigger(nil), w.ev.Triggers...)
	w.ev.Add(t)
	if until := t.Time.Add(in.cam.Lengths.PostRoll.D()); until.After(w.ev.Until) {
		w.ev.Until = until
	}
	if in.hold != nil {
		in.hold.Limit(w.ev.Until)
	}
	w.version++
	version := w.version
	id = w.ev.ID
	in.mu.Unlock()
	if err := in.inIndex(ctx, w, version); err != nil {
		return "", false, err
	}
	crash.Here("extended")
	in.mu.Lock()
	if in.now != w && !t.Time.Before(in.now.ev.From) { // it was split meanwhile
		id = in.now.ev.ID
	}
	in.mu.Unlock()
	return id, true, nil
}

// note writes an event's change to the index.
func (in *Incident) note(ctx context.Context, w *work) error {
	in.mu.Lock()
	w.version++
	version := w.version
	in.mu.Unlock()
	return in.inIndex(ctx, w, version)
}

// inIndex returns when a version of an event, or a later one, is in the index. It is noted in RAM too, from where an open
// event is taken up if the index is lost.
func (in *Incident) inIndex(ctx context.Context, w *work, version int) error {
	in.noting.Lock()
	defer in.noting.Unlock()
	in.mu.Lock()
	ev, now := w.ev, w.version
	noted, tried, failed := w.noted, w.tried, w.failed
	in.mu.Unlock()
	switch {
	case noted >= version:
		return nil
	case failed != nil && tried >= version:
		return failed
	}
	if in.hold != nil && ev.Hold == in.hold.ID {
		b, err := json.Marshal(ev)
		if err == nil {
			err = in.hold.Note(b)
		}
		if err != nil {
			in.c.Log.Warn("event was not noted in RAM", "event", ev.ID, "err", err)
		}
	}
	err := in.c.Archive.Put(ctx, ev)
	in.mu.Lock()
	if w.failed = err; err == nil {
		w.noted = now
	} else {
		w.tried = now
	}
	in.mu.Unlock()
	in.c.Changed(ev)
	return err
}

// followClock moves the event's times by what this machine's clock was set since. in.mu is held.
func (in *Incident) followClock() {
	if in.hold == nil {
		return
	}
	d := in.hold.Stepped()
	if d == 0 {
		return
	}
	w := in.now
	w.ev.Move(d)
	w.last.Start, w.last.End = w.last.Start.Add(d), w.last.End.Add(d)
	for _, p := range w.parts {
		p.Start = p.Start.Add(d)
		if !p.end.IsZero() {
			p.end = p.end.Add(d)
		}
	}
	in.hold.Limit(w.ev.Until)
	in.moved += d
	w.version++ // written with the next change
}

// Begun is the time of the event that is being recorded.
func (in *Incident) Begun() time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.now.ev.Time
}

// ID is the id of the event that is being recorded.
func (in *Incident) ID() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.now.ev.ID
}

// Open tells whether the incident still takes triggers.
func (in *Incident) Open() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.closed
}

// Run copies until the incident is over and its clips are finished, or ctx ends; then all is left so that Resume can
// go on.
func (in *Incident) Run(ctx context.Context) {
	defer in.finishing.Wait()
	defer func() {
		in.c.work(in.now.ev.ID, false)
		in.c.tell(in, nil)
	}()
	if in.resumed {
		if !in.retry(ctx, "read partial files of", in.reload) {
			in.detach()
			return
		}
	}
	if in.hold == nil { // resumed when all was copied already
		in.finish(ctx, in.now)
		return
	}
	for {
		segments, err := in.next(ctx)
		if err != nil {
			in.detach()
			return
		}
		if segments == nil { // the camera sends nothing, and the asked end is past
			break
		}
		if !in.store(ctx, segments) {
			in.detach()
			return
		}
		if in.over(segments[len(segments)-1]) {
			break
		}
	}
	if !in.conclude(ctx) {
		in.detach()
		return
	}
	in.mu.Lock()
	placed := in.now.ev.Stem != ""
	in.mu.Unlock()
	if !placed { // nothing of the event is on the archive yet: until then its note in RAM stays
		in.finish(ctx, in.now)
		if ctx.Err() == nil {
			in.hold.Close()
		} else {
			in.hold.Detach()
		}
		return
	}
	in.hold.Close()
	crash.Here("hold-closed")
	in.finish(ctx, in.now)
}

// conclude writes down that all segments of the last event are durable, after which the hold may go.
func (in *Incident) conclude(ctx context.Context) bool {
	w := in.now
	in.mu.Lock()
	w.ev.State, w.ev.Hold = event.Finishing, ""
	in.mu.Unlock()
	if !in.retry(ctx, "note the end of", func(ctx context.Context) error { return in.note(ctx, w) }) {
		return false
	}
	in.openSidecar(w)
	crash.Here("concluded")
	return true
}

func (in *Incident) detach() {
	in.seal(in.now)
	for _, p := range in.now.parts {
		p.close()
	}
	if in.hold != nil {
		in.hold.Detach()
	}
}

// over closes the incident if a segment is the last of what was asked for.
func (in *Incident) over(s ring.Segment) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.followClock()
	if in.hold.Timed(s).End.Before(in.now.ev.Until.Add(arrival)) {
		return false
	}
	in.closed = true
	return true
}

// next returns the segments that wait and belong together, or nil when no more will come.
func (in *Incident) next(ctx context.Context) ([]ring.Segment, error) {
	var more time.Time // until when the next segment is waited for beyond the usual, since it is being written
	for {
		in.mu.Lock()
		until, ended := in.now.ev.Until, in.ended
		in.moved = 0
		in.mu.Unlock()
		usual := in.usual
		if usual == 0 {
			usual = 10 * time.Second // an unknown camera may have long GOPs
		}
		deadline := until.Add(segmentTimeout + 2*usual + in.hold.Lag())
		switch {
		case !ended.IsZero():
			deadline = ended // all that came is complete
		case deadline.Before(more):
			deadline = more
		}
		wait, cancel := context.WithDeadline(ctx, deadline)
		s, err := in.hold.Next(wait)
		cancel()
		in.mu.Lock()
		in.followClock()
		until = until.Add(in.moved)
		if err == nil {
			s = in.hold.Timed(s)
		}
		in.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, ring.ErrWoken):
			continue
		case err != nil:
			if !errors.Is(err, ring.ErrPast) && ended.IsZero() && in.hold.Receiving() && time.Since(until) < longestSegment+in.hold.Lag() {
				more = time.Now().Add(time.Second)
				continue
			}
			if in.expired(until) {
				return nil, nil
			}
			continue
		case in.have(s):
			in.hold.Done(s)
			continue
		}
		if in.late(s) {
			return nil, nil
		}
		in.usual = s.Length()
		last, length := s, in.now.length+s.Length()
		more := in.hold.More(func(n ring.Segment) bool { // the ring is locked here: nothing of in may be
			if !n.Follows(last) || length+n.Length() > in.cam.Lengths.MaxLength.D() || !last.End.Before(until) {
				return false
			}
			last, length = n, length+n.Length()
			return true
		})
		return append([]ring.Segment{s}, more...), nil
	}
}

// late closes the incident if a segment begins after all that is asked for: the camera was away meanwhile.
func (in *Incident) late(s ring.Segment) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !s.Start.After(in.now.ev.Until) {
		return false
	}
	in.closed = true
	return true
}

// expired closes the incident unless a trigger has extended it meanwhile.
func (in *Incident) expired(until time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.now.ev.Until.After(until) {
		return false
	}
	in.closed = true
	return true
}

// have tells whether a segment is in the partial files already, after a crash.
func (in *Incident) have(s ring.Segment) bool {
	if !in.resumed || !in.now.any {
		return false
	}
	last := in.now.last
	return s.Run < last.Run || s.Run == last.Run && s.Media[0] < last.Media[1]-time.Millisecond
}

// split ends the event at a segment that would make it too long, and opens the one that begins with that segment. Both
// go to the index together, so a crash finds either the one or both. Triggers that come meanwhile go with them.
func (in *Incident) split(ctx context.Context, at ring.Segment) error {
	in.noting.Lock()
	defer in.noting.Unlock()
	done := in.now
	if done.next == "" {
		done.next = newID(at.Start)
	}
	in.c.work(done.next, true) // before anybody can find it in the index
	why := in.cam.Why()
	for {
		in.mu.Lock()
		version := done.version
		old, next := cut(done.ev, done.next, at.Start)
		if g, missing := in.gap(done, at, why); missing {
			old.Gaps = append(slices.Clip(old.Gaps), g)
		}
		in.mu.Unlock()
		if err := in.c.Archive.Put(ctx, old, next); err != nil {
			return err
		}
		crash.Here("split")
		in.c.Changed(old)
		in.c.Changed(next)
		in.mu.Lock()
		if done.version != version {
			in.mu.Unlock()
			continue
		}
		done.ev = old
		done.version++
		done.noted = done.version
		in.now = &work{ev: next, began: time.Now()}
		in.mu.Unlock()
		in.finishing.Go(func() {
			defer in.c.work(old.ID, false)
			in.openSidecar(done)
			in.finish(ctx, done)
		})
		return nil
	}
}

// cut returns an event that ends at a time, and the one with an id that goes on from there.
func cut(old event.Event, id string, at time.Time) (event.Event, event.Event) {
	next := event.Event{
		ID: id, Camera: old.Camera, CameraName: old.CameraName, Time: at, Label: old.Label, State: event.Recording,
		From: at, Until: old.Until, LastTrigger: old.LastTrigger, Continues: old.ID, Hold: old.Hold}
	old.State, old.Hold, old.Continued = event.Finishing, "", true
	if at.Before(old.Until) {
		old.Until = at
	}
	hand(&old, &next, at)
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

// retry does something with the archive drive until it works. It tells of the trouble when it begins and when it ends.
// false means that ctx ended.
func (in *Incident) retry(ctx context.Context, what string, do func(context.Context) error) bool {
	const longest = 15 * time.Second
	wait := time.Second
	said := ""
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			in.c.tell(in, nil)
			if said != "" {
				in.c.Log.Info("clip goes on", "event", in.ID(), "camera", in.cam.ID)
			}
			return true
		}
		var missing *source.Failure
		var index *archive.IndexError
		if !errors.As(err, &missing) && !errors.As(err, &index) { // which are told of elsewhere
			in.c.tell(in, err)
		}
		level := slog.LevelDebug
		if text := err.Error(); text != said {
			level, said = slog.LevelError, text
		}
		in.c.Log.Log(ctx, level, "clip waits", "event", in.ID(), "camera", in.cam.ID, "err", fmt.Errorf("%s clip: %w", what, err), "took", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		wait = min(2*wait, longest)
	}
}

// End lets the incident end now, because its camera is switched off. What is in RAM already is still saved.
func (in *Incident) End() {
	in.mu.Lock()
	in.ended = time.Now()
	if now := time.Now().Round(0); !in.closed && in.now.ev.Until.After(now) {
		in.now.ev.Until = now
		in.now.version++
	}
	in.mu.Unlock()
	if in.hold != nil {
		in.hold.Wake()
	}
}

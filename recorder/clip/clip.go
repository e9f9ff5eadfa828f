// Package clip is the copier: it turns the segments that a hold keeps into a finished clip on the archive drive.
//
// In come triggers and a hold of segments; out come files and events. An event goes through four phases: recording,
// while segments are appended to a growing file as they complete, and fsynced, before the hold lets them go; draining,
// when no trigger extends it any more; finishing, when the growing file becomes a plain MP4 in place and gets its name;
// done. What a phase does is decided by a course, which touches no file; where it is written down is a journal.
// Everything that a crash could interrupt is written down before it is done, so that [Copier.Resume] can go on from
// there; the growing file tells itself what is whole of it. An incident's Run owns its goroutines and waits for them.
package clip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Copier makes clips for all cameras.
type Copier struct {
	Archive    Store
	FFmpeg     func() (*ffmpeg.Tool, error)
	Log        *slog.Logger
	Changed    func(event.Event) // called after every durable change of an event; must not block
	DriveError func(error)       // the archive drive cannot be written (error) or can again (nil); must not block

	jobs chan struct{} // bounds the FFmpegs at work on clips and pictures

	mu          *sync.Mutex             // guards all below
	working     map[string]bool         // ids of the events at work
	waiting     map[*Incident]time.Time // who waits for the archive drive, and since when
	driveErrors map[*work]error         // events that cannot be written to the archive drive, and why
}

// New returns a copier. It runs at most two FFmpegs at once, however many cameras were triggered.
func New(c Copier) *Copier {
	c.jobs = make(chan struct{}, 2)
	c.mu, c.working, c.waiting, c.driveErrors = &sync.Mutex{}, map[string]bool{}, map[*Incident]time.Time{},
		map[*work]error{}
	return &c
}

// Working reports whether an event is at work: an open one that is not must be taken up by Resume.
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

// reportDrive records whether an event can be written to the archive drive. Trouble is called with the error, and with
// nil once every event can be written again.
func (c *Copier) reportDrive(w *work, err error) {
	c.mu.Lock()
	had := len(c.driveErrors) > 0
	if err != nil {
		c.driveErrors[w] = err
	} else {
		delete(c.driveErrors, w)
	}
	has := len(c.driveErrors) > 0
	c.mu.Unlock()
	if err != nil || had && !has {
		c.DriveError(err)
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
	Why     func() text.Text // says why there was no video lately; zero if it does not know
	Since   time.Time        // when Preroll was started
}

// Hold is what an incident needs of a [ring.Hold].
type Hold interface {
	Next(ctx context.Context) (ring.Segment, error)
	More(accept func(ring.Segment) bool) []ring.Segment
	Done(s ring.Segment)
	Limit(until time.Time)
	Stepped() time.Duration
	Timed(s ring.Segment) ring.Segment
	Missed(from, to time.Time) bool
	Lag() time.Duration
	Receiving() bool
	SaveNote(b []byte) error
	Wake()
	Close()
	Detach()
}

// Incident is one camera's open event, or a chain of them where the maximum length cut it.
type Incident struct {
	c    *Copier
	cam  Camera
	hold Hold

	mu  sync.Mutex // guards now
	now *work      // the event that is being recorded; replaced by Run only

	resumed   bool
	finishing sync.WaitGroup
}

// work is one event of an incident and its files.
type work struct {
	*journal
	parts   []*part // used by Run, then by finish
	began   time.Time
	next    string      // id of the event that goes on where the maximum length cuts this one
	snapped atomic.Bool // its thumbnail is made, or being made
	snaps   int         // how often that was tried; used by Run

	picture  sync.WaitGroup
	enclosed []*Attachment // of its mails, until they are written; guarded by journal.mu
	sealed   bool          // no work on pictures and attachments begins any more; guarded by journal.mu
}

func (in *Incident) newWork(ev event.Event, began time.Time) *work {
	w := &work{began: began, journal: &journal{store: in.c.Archive, changed: in.c.Changed, log: in.c.Log, version: 1,
		course: course{
			ev: ev, post: in.cam.Lengths.PostRoll.D(), maxLength: in.cam.Lengths.MaxLength.D()}}}
	w.snapped.Store(ev.Thumbnail != "")
	if in.hold != nil {
		w.saveNote = in.hold.SaveNote
	}
	return w
}

// current is the work of the event that is being recorded.
func (in *Incident) current() *work {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.now
}

// newID returns an event id: the time in UTC and a random tail.
func newID(t time.Time) string {
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return t.UTC().Format("20060102T150405.000Z-") + hex.EncodeToString(b)
}

// Open opens an event for a trigger: it pins the pre-roll, then writes the event to the index. When it returns without
// an error the trigger may be acknowledged. The caller then calls Run; also if there is an incident and an error: the
// event could not be noted, but what it asks for is in RAM now, and is saved if the index can be written in time.
func (c *Copier) Open(ctx context.Context, cam Camera, r *ring.Ring, t event.Trigger) (*Incident, error) {
	began := t.Time
	t.Time = t.Time.Round(0) // with the clock's reading alone, so that it can be moved when the clock is set
	id := newID(t.Time)
	from := t.Time.Add(-cam.Lengths.PreRoll.D())
	hold, err := r.Hold(id, from)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("pinned")
	ev := event.Event{
		ID: id, Camera: cam.ID, CameraName: cam.Name, Time: t.Time, State: event.Recording, Label: event.DefaultLabel,
		From: from, Until: t.Time.Add(cam.Lengths.PostRoll.D()), Hold: id}
	ev.Add(t)
	in := &Incident{c: c, cam: cam, hold: hold}
	in.now = in.newWork(ev, began)
	hold.Limit(ev.Until)
	c.work(id, true)
	err = in.now.commit(ctx, 1)
	failpoint.Hit("indexed")
	return in, err
}

// Resume takes up an event that an earlier process left open. The caller then calls Run.
func (c *Copier) Resume(cam Camera, r *ring.Ring, ev event.Event) (*Incident, error) {
	in := &Incident{c: c, cam: cam, resumed: true}
	if ev.State == event.Recording {
		hold, err := r.Resume(ev.Hold, ev.From)
		if err != nil {
			return nil, err
		}
		hold.Limit(ev.Until)
		in.hold = hold
	}
	in.now = in.newWork(ev, ev.Time)
	in.now.indexedVersion = 1
	if in.hold == nil {
		in.now.conclude()
	}
	c.work(ev.ID, true)
	return in, nil
}

// Takes reports whether the incident is extended by a trigger; else a new one is due.
func (in *Incident) Takes(t event.Trigger) bool {
	w := in.current()
	in.followClock(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.takes(t.Time.Round(0))
}

// Holds reports whether a time lies in what the last event of the incident asked for.
func (in *Incident) Holds(t time.Time) bool {
	ev := in.current().event()
	return !t.Before(ev.From) && !t.After(ev.Until)
}

// Add extends the incident by a trigger, durably. ok is false if the incident ended before: then a new one is due. A
// trigger that could not be noted extends the event all the same, in case that it still can be. id is that of the event
// that holds the trigger.
func (in *Incident) Add(ctx context.Context, t event.Trigger) (id string, ok bool, err error) {
	t.Time = t.Time.Round(0)
	var w *work
	var version int
	for {
		w = in.current()
		in.followClock(w)
		var until time.Time
		version = w.edit(func(c *course) {
			ok, until = c.trigger(t), c.ev.Until
		})
		if !ok && in.current() != w { // it was split just now
			continue
		}
		if !ok {
			return "", false, nil
		}
		if in.hold != nil {
			in.hold.Limit(until)
		}
		break
	}
	if err := w.commit(ctx, version); err != nil {
		return "", false, err
	}
	failpoint.Hit("extended")
	id = w.event().ID
	if now := in.current().event(); now.ID != id && !t.Time.Before(now.From) { // it was split meanwhile
		id = now.ID
	}
	return id, true, nil
}

// followClock moves an event's times by what this machine's clock was set since.
func (in *Incident) followClock(w *work) (moved time.Duration) {
	if in.hold == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	moved = in.hold.Stepped()
	if moved == 0 {
		return 0
	}
	w.move(moved)
	for _, p := range w.parts {
		p.move(moved)
	}
	in.hold.Limit(w.ev.Until)
	w.version++ // written with the next change
	return moved
}

// EventTime is the time of the event that is being recorded.
func (in *Incident) EventTime() time.Time { return in.current().event().Time }

// ID is the id of the event that is being recorded.
func (in *Incident) ID() string { return in.current().event().ID }

// Open reports whether the incident still takes triggers.
func (in *Incident) Open() bool {
	w := in.current()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase == recording
}

// End lets the incident end now, because its camera is switched off. What is in RAM already is still saved.
func (in *Incident) End() {
	for w := in.current(); ; w = in.current() {
		w.edit(func(c *course) { c.end(time.Now()) })
		if in.current() == w { // else it was split just now
			break
		}
	}
	if in.hold != nil {
		in.hold.Wake()
	}
}

// Run copies until the incident is over and its clips are finished, or ctx ends; then all is left so that Resume can
// go on.
func (in *Incident) Run(ctx context.Context) {
	defer func() {
		in.c.work(in.ID(), false)
		in.c.reportDrive(in.current(), nil)
	}()
	defer in.finishing.Wait()
	if !in.run(ctx) {
		w := in.current()
		w.seal()
		for _, p := range w.parts {
			p.close()
		}
		if in.hold != nil {
			in.hold.Detach()
		}
	}
}

// run goes through the phases. false means that ctx ended before the last event's segments were durable.
func (in *Incident) run(ctx context.Context) bool {
	if in.resumed && !in.retry(ctx, in.current(), "read partial files of", in.reload) {
		return false
	}
	if in.hold == nil { // all was copied already
		in.finish(ctx, in.now)
		return true
	}
	for {
		segments, err := in.next(ctx)
		if err != nil {
			return false
		}
		if segments == nil { // the camera sends nothing, and the asked end is past
			break
		}
		if !in.store(ctx, segments) {
			return false
		}
		w := in.current()
		in.followClock(w)
		last := in.hold.Timed(segments[len(segments)-1])
		w.mu.Lock()
		over := w.reaches(last)
		w.mu.Unlock()
		if over {
			break
		}
	}
	w := in.current()
	if !in.retry(ctx, w, "note the end of", func(ctx context.Context) error {
		return w.record(ctx, func(c *course) {
			c.conclude()
			w.total()
		})
	}) {
		return false
	}
	w.sidecar()
	failpoint.Hit("concluded")
	if w.event().Stem == "" { // nothing of the event is on the archive yet: until then its note in RAM stays
		in.finish(ctx, w)
		if ctx.Err() != nil {
			in.hold.Detach()
			return true
		}
		in.hold.Close()
		return true
	}
	in.hold.Close()
	failpoint.Hit("hold-closed")
	in.finish(ctx, w)
	return true
}

// next returns the segments that wait and belong together, or nil when no more will come.
func (in *Incident) next(ctx context.Context) ([]ring.Segment, error) {
	var more time.Time // until when the next segment is waited for beyond the usual, since it is being written
	w := in.current()
	for {
		lag := in.hold.Lag()
		w.mu.Lock()
		until, deadline := w.ev.Until, w.deadline(lag)
		if w.ended.IsZero() && deadline.Before(more) {
			deadline = more
		}
		w.mu.Unlock()
		wait, cancel := context.WithDeadline(ctx, deadline)
		s, err := in.hold.Next(wait)
		cancel()
		until = until.Add(in.followClock(w))
		receiving := in.hold.Receiving()
		w.mu.Lock()
		switch {
		case ctx.Err() != nil:
			w.mu.Unlock()
			return nil, context.Cause(ctx)
		case errors.Is(err, ring.ErrWoken):
			w.mu.Unlock()
			continue
		case err != nil:
			if !errors.Is(err, ring.ErrPast) && w.patient(time.Now(), receiving, lag) {
				more = time.Now().Add(time.Second)
			} else if w.expired(until) {
				w.mu.Unlock()
				return nil, nil
			}
			w.mu.Unlock()
			continue
		}
		w.mu.Unlock()
		s = in.hold.Timed(s)
		w.mu.Lock()
		verdict := w.judge(s)
		c := w.course // what follows is decided while the ring is locked, where the journal's lock must not be taken
		w.mu.Unlock()
		switch verdict {
		case known:
			in.hold.Done(s)
			continue
		case late:
			return nil, nil
		}
		last, length := s, c.length+s.Length()
		if verdict == splits {
			length = s.Length()
		}
		return append([]ring.Segment{s}, in.hold.More(func(n ring.Segment) bool {
			if !c.joins(last, n, length) {
				return false
			}
			last, length = n, length+n.Length()
			return true
		})...), nil
	}
}

// store appends segments that follow each other, and lets the hold go of them when they are durable. It does not give
// up before ctx ends: meanwhile they are safe in RAM.
func (in *Incident) store(ctx context.Context, segments []ring.Segment) bool {
	w := in.current()
	w.mu.Lock()
	verdict := w.judge(segments[0])
	w.mu.Unlock()
	if verdict == splits {
		if !in.retry(ctx, w, "split", func(ctx context.Context) error { return in.split(ctx, segments[0]) }) {
			return false
		}
		w = in.current()
	}
	taken := segments
	if !in.retry(ctx, w, "append to", func(ctx context.Context) error {
		defer in.c.wait(in)()
		if segments = in.there(segments); len(segments) == 0 {
			return nil
		}
		return in.append(ctx, w, segments)
	}) {
		return false
	}
	in.account(w, segments)
	w.commitLater(ctx)
	w.sidecar()
	in.snap(ctx, w, segments)
	in.flushAttachments(ctx, w)
	for _, s := range taken {
		in.hold.Done(s)
	}
	failpoint.Hit("released")
	return true
}

// there leaves out segments that somebody has removed from the RAM disk: no waiting brings them back.
func (in *Incident) there(segments []ring.Segment) []ring.Segment {
	return slices.DeleteFunc(slices.Clone(segments), func(s ring.Segment) bool {
		for _, path := range []string{s.Init, s.Path} {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				in.c.Log.Error("a held segment was removed from the RAM disk", "event", in.ID(), "camera", in.cam.ID,
					"segment", filepath.Base(s.Path))
				return true
			}
		}
		return false
	})
}

// append appends segments to the growing file of their parameters. A file is written to the index before it is made, so
// that none is ever without an owner.
func (in *Incident) append(ctx context.Context, w *work, segments []ring.Segment) error {
	ev := w.event()
	first := segments[0]
	if n := len(w.parts); n == 0 || w.parts[n-1].file == nil { // else its folder is made, durably
		if err := in.c.Archive.Reserve(&ev); err != nil {
			return err
		}
		failpoint.Hit("reserved")
	}
	folder, err := in.c.Archive.Folder(ev)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	for {
		p, err := in.partFor(ctx, w, folder, ev, first)
		if err != nil {
			return err
		}
		w.mu.Lock()
		whole := fmp4.Whole{Good: p.whole.Good, Stretches: slices.Clone(p.whole.Stretches)}
		w.mu.Unlock()
		stretch, good, err := p.append(folder, whole, segments, in.longest())
		if errors.Is(err, errShut) {
			in.c.Log.Error("nothing more can be written to the file that a clip grows in; another one is begun",
				"event", ev.ID, "camera", ev.Camera, "path", p.File, "err", err)
			p.shut = true
			continue
		}
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		p.whole.Good, p.whole.Stretches = good, append(p.whole.Stretches, stretch)
		if len(p.whole.Stretches) == 1 && !p.Start.Equal(stretch.Wall[0]) {
			p.Run, p.Start = first.Run, stretch.Wall[0]
			w.list()
			w.version++
		}
		return nil
	}
}

// partFor returns the part to append a segment to, and begins one for other parameters. It is in the index before its
// file is made, so that no file is ever without an owner.
func (in *Incident) partFor(ctx context.Context, w *work, folder *os.Root, ev event.Event,
	s ring.Segment) (*part, error) {
	n := len(w.parts)
	if n > 0 {
		if p := w.parts[n-1]; p.Params == s.Params && !p.shut {
			return p, nil
		}
		w.parts[n-1].close()
	}
	p := &part{mine: true, Part: event.Part{File: ev.Stem + ".partial.mp4", Clip: ev.Stem + ".mp4", Run: s.Run,
		Params: s.Params, Start: s.Start}}
	for number := n + 1; number > 1; number++ {
		p.File, p.Clip = fmt.Sprintf("%s.%d.partial.mp4", ev.Stem, number),
			fmt.Sprintf("%s_part%d.mp4", ev.Stem, number)
		_, err := folder.Lstat(p.File)
		if errors.Is(err, fs.ErrNotExist) &&
			!slices.ContainsFunc(w.parts, func(o *part) bool { return o.File == p.File }) {
			break
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	version := w.edit(func(c *course) {
		c.ev.Drive, c.ev.Archive, c.ev.Folder, c.ev.Stem = ev.Drive, ev.Archive, ev.Folder, ev.Stem
		w.parts = append(w.parts, p)
		w.list()
	})
	if err := w.commit(ctx, version); err != nil {
		w.mu.Lock()
		w.parts = w.parts[:n]
		w.mu.Unlock()
		return nil, err
	}
	failpoint.Hit("part-noted")
	if n > 0 { // the sidecar beside the first one names the others, too
		w.sidecar()
	}
	return p, nil
}

// list puts the parts into the event. w.mu is held.
func (w *work) list() {
	w.ev.Parts = nil
	for _, p := range w.parts {
		w.ev.Parts = append(w.ev.Parts, p.Part)
	}
}

// total notes what the parts hold, once no more comes. w.mu is held.
func (w *work) total() {
	for _, p := range w.parts {
		p.End, p.Frames = p.end(), p.frames()
	}
	w.list()
}

// longest is for how long a clip there is room for its index: what most come to. That of a longer one goes behind.
func (in *Incident) longest() time.Duration {
	l := in.cam.Lengths
	return min(l.MaxLength.D(), max(3*(l.PreRoll.D()+l.PostRoll.D()), 2*time.Minute))
}

// account notes what the event holds now: lengths, gaps, and when its pre-roll became durable.
func (in *Incident) account(w *work, segments []ring.Segment) {
	why := in.cam.Why() // not under the lock
	in.followClock(w)
	for _, s := range segments {
		s = in.hold.Timed(s)
		w.mu.Lock()
		if !w.any && w.ev.Continues == "" {
			w.ev.Receipt.DurableAfter = event.Seconds(time.Since(w.began))
		}
		gap, missing := w.copied(s)
		w.mu.Unlock()
		if missing {
			gap = event.NewGap(gap.From, gap.To, in.why(gap.From, gap.To, why))
			w.edit(func(c *course) { c.ev.Gaps = append(slices.Clip(c.ev.Gaps), gap) })
		}
	}
}

// why says why video of a time is missing. Camera is the reason that the camera gives, zero for none.
func (in *Incident) why(from, to time.Time, camera text.Text) text.Text {
	switch {
	case in.resumed && from.Before(in.cam.Since):
		return text.NotRunning.With()
	case in.hold != nil && in.hold.Missed(from, to):
		return text.RAMWasFull.With()
	case !camera.IsZero():
		return camera
	}
	return text.NoPictureSent.With()
}

// split ends the event at a segment that would make it too long, and opens the one that begins with that segment. Both
// go to the index together, so a crash finds either the one or both. Triggers that come meanwhile go with them.
func (in *Incident) split(ctx context.Context, at ring.Segment) error {
	w := in.current()
	w.writing.Lock()
	defer w.writing.Unlock()
	if w.next == "" {
		w.next = newID(at.Start)
	}
	in.c.work(w.next, true) // before anybody can find it in the index
	why := in.cam.Why()
	for {
		w.mu.Lock()
		version := w.version
		old, next := w.cut(w.next, at)
		c := w.course
		w.mu.Unlock()
		if c.any && !follows(c.last, at) {
			from := at.Start.Add(-ring.Between(c.last, at))
			old.Gaps = append(slices.Clip(old.Gaps), event.NewGap(from, at.Start, in.why(from, at.Start, why)))
		}
		if err := in.c.Archive.Put(ctx, old, next); err != nil {
			return err
		}
		failpoint.Hit("split")
		in.c.Changed(old)
		in.c.Changed(next)
		in.mu.Lock()
		w.mu.Lock()
		if w.version != version {
			w.mu.Unlock()
			in.mu.Unlock()
			continue
		}
		w.ev, w.phase, w.saveNote = old, finishing, nil
		w.total()
		w.version++
		w.indexedVersion = w.version
		in.now = in.newWork(next, time.Now())
		in.now.indexedVersion, in.now.usual, in.now.ended, in.now.had = 1, c.usual, c.ended, c.had
		w.mu.Unlock()
		in.mu.Unlock()
		in.finishing.Go(func() {
			defer in.c.work(old.ID, false)
			defer in.c.reportDrive(w, nil)
			w.sidecar()
			in.finish(ctx, w)
		})
		return nil
	}
}

// reload takes up the growing files that an earlier process left, up to what is whole in them.
func (in *Incident) reload(context.Context) error {
	w := in.current()
	ev := w.event()
	if ev.Stem == "" {
		return nil
	}
	if err := in.c.Archive.Reserve(&ev); err != nil {
		return err
	}
	folder, err := in.c.Archive.Folder(ev)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	var parts []*part
	for i, e := range ev.Parts {
		if i > 0 && e.Clip == ev.Parts[i-1].Clip { // an earlier version joined runs when it finished
			e.Clip = fmt.Sprintf("%s_part%d.mp4", ev.Stem, i+1)
		}
		p, err := inspect(folder, e, true)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	w.edit(func(c *course) {
		w.parts, c.any, c.length = parts, false, 0
		w.list()
		c.recall(parts)
	})
	return nil
}

// recall counts what an earlier process copied, and adds the gaps in it that were not noted: the crash came before.
func (c *course) recall(parts []*part) {
	c.had = map[int64]time.Duration{}
	for _, p := range parts {
		for _, s := range p.whole.Stretches {
			c.had[s.Run] = max(c.had[s.Run], s.Media[1])
			last, any := c.last, c.any
			gap, missing := c.copied(ring.Segment{Run: s.Run, Number: -1, Params: p.Params, Media: s.Media,
				Start: s.Wall[0], End: s.Wall[1]})
			if any && s.Run == last.Run && s.Run != 0 { // this machine's clock may have been set in between
				missing = s.Media[0]-last.Media[1] >= slack
			}
			gap = event.NewGap(gap.From, gap.To, text.Interrupted.With())
			if missing && !slices.ContainsFunc(c.ev.Gaps, func(o event.Gap) bool { return touch(gap, o) }) {
				c.ev.Gaps = append(slices.Clip(c.ev.Gaps), gap)
			}
		}
	}
	c.usual = 0
	c.ev.Gaps = slices.SortedStableFunc(slices.Values(c.ev.Gaps), func(a, b event.Gap) int {
		return a.From.Compare(b.From)
	})
}

// touch reports whether two gaps may be the same one: their times are known to a delay only.
func touch(a, b event.Gap) bool {
	const delay = 500 * time.Millisecond
	return !a.From.After(b.To.Add(delay)) && !b.From.After(a.To.Add(delay))
}

// retry does something with the archive drive until it works. It tells of the trouble when it begins and when it ends.
// false means that ctx ended.
func (in *Incident) retry(ctx context.Context, w *work, what string, do func(context.Context) error) bool {
	const longest = 15 * time.Second
	wait := time.Second
	said := ""
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			in.c.reportDrive(w, nil)
			if said != "" {
				in.c.Log.Info("clip goes on", "event", w.event().ID, "camera", in.cam.ID)
			}
			return true
		}
		var missing *source.Failure
		var index *archive.IndexError
		if !errors.As(err, &missing) && !errors.As(err, &index) { // which are told of elsewhere
			in.c.reportDrive(w, err)
		}
		level := slog.LevelDebug
		if text := err.Error(); text != said {
			level, said = slog.LevelError, text
		}
		in.c.Log.Log(ctx, level, "clip waits", "event", w.event().ID, "camera", in.cam.ID,
			"err", fmt.Errorf("%s clip: %w", what, err), "retry_in", wait)
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

// Package clip is the copier: it turns the segments of a hold into a finished clip on the archive drive.
//
// The input is triggers and a hold of segments; the output is files and events. An event goes through four phases.
// While recording, the copier appends complete segments to a growing file and fsyncs the file; only then does the hold
// release the segments. While draining, no trigger extends the event any more. While finishing, the growing file
// becomes a plain MP4 in place and gets its final name. Then the event is done.
//
// A course decides what happens in each phase, and touches no file. A journal writes the event down. Every step that a
// crash could interrupt is written down before it is done, so that [Copier.Resume] can continue from there. A growing
// file itself shows what part of it is whole. An incident's Run owns its goroutines and waits for them.
package clip

import (
	"cmp"
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
	"github.com/preroll/preroll/recorder/archive/index"
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
	Archive Store
	FFmpeg  func() (*ffmpeg.Tool, error)
	Log     *slog.Logger
	Changed func(event.Event) // called after every durable change of an event; must not block

	// DriveError is called with the error when an event cannot be written to the archive drive, and with nil once every
	// event can be written again. It must not block.
	DriveError func(error)

	jobs chan struct{} // bounds the number of FFmpegs that work on clips and pictures

	mu          *sync.Mutex             // guards all fields below
	working     map[string]bool         // ids of the events at work
	waiting     map[*Incident]time.Time // incidents that wait for the archive drive, and since when
	driveErrors map[*work]error         // events that cannot be written to the archive drive, and why
}

// New returns a copier. The copier runs at most two FFmpegs at once, however many cameras were triggered.
func New(c Copier) *Copier {
	c.jobs = make(chan struct{}, 2)
	c.mu, c.working, c.waiting, c.driveErrors = &sync.Mutex{}, map[string]bool{}, map[*Incident]time.Time{},
		map[*work]error{}
	return &c
}

// Working reports whether an event is at work. An open event that is not at work must be taken up by Resume.
func (c *Copier) Working(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.working[id]
}

// work sets whether an event is at work.
func (c *Copier) work(id string, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.working[id] = true
	} else {
		delete(c.working, id)
	}
}

// Waiting returns how long the archive drive has not answered; 0 if nothing waits for the drive.
func (c *Copier) Waiting() (longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, since := range c.waiting {
		longest = max(longest, time.Since(since))
	}
	return longest
}

// reportDrive records whether an event can be written to the archive drive. DriveError is called with the error, and
// with nil once every event can be written again.
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

// wait records that an incident waits for the drive to take a few segments. The caller calls done when the drive has
// taken them.
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

// job waits until another FFmpeg may start. done must be called when that FFmpeg has ended.
func (c *Copier) job(ctx context.Context) (done func(), err error) {
	select {
	case c.jobs <- struct{}{}:
		return func() { <-c.jobs }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// --- Incidents ---

// Camera is what the copier needs to know of a camera.
type Camera struct {
	ID      string
	Name    string
	Lengths config.Clip
	Why     func() text.Text // returns why there was no video lately; "" if the reason is not known
	Since   time.Time        // when Preroll was started
}

// Hold is the part of [ring.Hold] that an incident needs.
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

// Incident is the open event of one camera, or a chain of events if the maximum length cut the first one.
type Incident struct {
	c    *Copier
	cam  Camera
	hold Hold

	mu  sync.Mutex // guards now
	now *work      // the event that is being recorded; only Run replaces it

	resumed   bool
	finishing sync.WaitGroup
}

// work is one event of an incident and its files.
type work struct {
	*journal
	parts   []*part // used by Run, then by finish
	began   time.Time
	next    string       // id of the event that continues this one after a cut at the maximum length
	snapped atomic.Bool  // the thumbnail is made, or being made
	snaps   atomic.Int32 // number of tries to make the thumbnail

	picture     sync.WaitGroup
	attachments []*Attachment // attachments of the event's mails that are not written yet; guarded by journal.mu
	sealed      bool          // no further work on pictures and attachments may begin; guarded by journal.mu
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

// current returns the work of the event that is being recorded.
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

// Open opens an event for a trigger. Open pins the pre-roll, then writes the event to the index. If Open returns no
// error, the trigger may be acknowledged. The caller must call Run on the incident, even if Open returns an incident
// and an error. In that case the event could not be written to the index, but its video is pinned in RAM and is saved
// if the index can be written in time.
func (c *Copier) Open(ctx context.Context, cam Camera, r *ring.Ring, t event.Trigger) (*Incident, error) {
	began := t.Time
	if !t.Until.IsZero() { // somebody looked back, and asks only now
		began = time.Now()
	}
	// Only the wall clock's readings, so that the times can be moved when the clock is set.
	t.Time, t.Until = t.Time.Round(0), t.Until.Round(0)
	id := newID(t.Time)
	from := t.Time.Add(-cam.Lengths.PreRoll.D())
	hold, err := r.Hold(id, from)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("pinned")
	ev := event.Event{
		ID: id, Camera: cam.ID, CameraName: cam.Name, Time: t.Time, State: event.Recording, Label: event.DefaultLabel,
		From: from, Until: cmp.Or(t.Until, t.Time.Add(cam.Lengths.PostRoll.D())), Hold: id}
	ev.Add(t)
	in := &Incident{c: c, cam: cam, hold: hold}
	in.now = in.newWork(ev, began)
	hold.Limit(ev.Until)
	c.work(id, true)
	err = in.now.commit(ctx, 1)
	failpoint.Hit("indexed")
	return in, err
}

// Resume takes up an event that an earlier process left open. The caller must call Run on the incident.
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

// --- Triggers ---

// Takes reports whether a trigger extends the incident. Otherwise the trigger needs a new incident.
func (in *Incident) Takes(t event.Trigger) bool {
	w := in.current()
	in.followClock(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.takes(t.Time.Round(0))
}

// Holds reports whether t lies in the window of the incident's last event.
func (in *Incident) Holds(t time.Time) bool {
	ev := in.current().event()
	return !t.Before(ev.From) && !t.After(ev.Until)
}

// Add extends the incident by a trigger, and returns when that is durable. ok is false if the incident has ended; then
// the trigger needs a new incident. If Add returns an error, the trigger extends the event all the same, because the
// index may still be written later. id is the id of the event that holds the trigger.
func (in *Incident) Add(ctx context.Context, t event.Trigger) (id string, ok bool, err error) {
	t.Time, t.Until = t.Time.Round(0), t.Until.Round(0)
	w, err := in.change(ctx, func(c *course) bool { return c.trigger(t) })
	if w == nil || err != nil {
		return "", false, err
	}
	failpoint.Hit("extended")
	id = w.event().ID
	if now := in.current().event(); now.ID != id && !t.Time.Before(now.From) { // the event was split meanwhile
		id = now.ID
	}
	return id, true, nil
}

// Extend makes the incident save the video up to a time at least, and returns when that is durable. from is when the
// video of the event begins. ok is false if the incident has ended. If Extend returns an error, the incident goes on to
// that time all the same.
func (in *Incident) Extend(ctx context.Context, until time.Time) (from time.Time, ok bool, err error) {
	w, err := in.change(ctx, func(c *course) bool { return c.extend(until.Round(0)) })
	if w == nil {
		return time.Time{}, false, nil
	}
	return w.event().From, true, err
}

// change changes the event that is being recorded, and returns its work when that is durable, or with an error if it
// could not be written. do reports whether it could; if it could not, the result is nil.
func (in *Incident) change(ctx context.Context, do func(*course) bool) (*work, error) {
	for {
		w := in.current()
		in.followClock(w)
		ok, until := false, time.Time{}
		version := w.edit(func(c *course) {
			ok, until = do(c), c.ev.Until
		})
		switch {
		case ok:
			if in.hold != nil {
				in.hold.Limit(until)
			}
			return w, w.commit(ctx, version)
		case in.current() == w: // else the event was split just now
			return nil, nil
		}
	}
}

// followClock moves the times of an event by the step of this machine's clock since the last call, and returns the
// step.
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

// Begins returns when the video of the event that is being recorded begins.
func (in *Incident) Begins() time.Time { return in.current().event().From }

// EventTime returns the time of the event that is being recorded.
func (in *Incident) EventTime() time.Time { return in.current().event().Time }

// ID returns the id of the event that is being recorded.
func (in *Incident) ID() string { return in.current().event().ID }

// Open reports whether the incident still takes triggers.
func (in *Incident) Open() bool {
	w := in.current()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase == recording
}

// End ends the incident now because its camera is switched off. Video that is in RAM already is still saved.
func (in *Incident) End() {
	for w := in.current(); ; w = in.current() {
		w.edit(func(c *course) { c.end(time.Now()) })
		if in.current() == w { // otherwise the event was split just now
			break
		}
	}
	if in.hold != nil {
		in.hold.Wake()
	}
}

// --- Running ---

// Run copies until the incident is over and its clips are finished. If ctx ends first, Run leaves everything in a state
// from which Resume can continue.
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

// run goes through the phases. The result is false if ctx ended before the segments of the last event were durable.
func (in *Incident) run(ctx context.Context) bool {
	if in.resumed && !in.retry(ctx, in.current(), "read partial files of", in.reload) {
		return false
	}
	if in.hold == nil { // everything was copied already
		in.finish(ctx, in.now)
		return true
	}
	for {
		segments, err := in.next(ctx)
		if err != nil {
			return false
		}
		if segments == nil { // the camera sends nothing, and the window is over
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

	// Until the archive has something of the event, the note in RAM must stay.
	if w.event().Stem == "" {
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

// next returns the next segments that are ready and belong together, or nil if no more will come.
func (in *Incident) next(ctx context.Context) ([]ring.Segment, error) {
	var more time.Time // how long to wait beyond the deadline, because the next segment is being written
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

		// A copy, because More calls its function while the ring is locked, where the journal's lock must not be taken.
		c := w.course
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

// store appends consecutive segments, and releases them from the hold when they are durable. store tries until ctx
// ends; meanwhile the segments are safe in RAM. The result is false if ctx ended.
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

// there drops segments that somebody has removed from the RAM disk: waiting would not bring them back.
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

// --- Growing files ---

// append appends segments to the growing file for their parameters. The name of a file is written to the index before
// the file is made, so that no file is ever without an owner.
func (in *Incident) append(ctx context.Context, w *work, segments []ring.Segment) error {
	ev := w.event()
	first := segments[0]
	if n := len(w.parts); n == 0 || w.parts[n-1].file == nil { // otherwise its folder is durable already
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

// partFor returns the part for a segment, and begins another part if the parameters differ. The part is in the index
// before its file is made, so that no file is ever without an owner.
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
	if n > 0 { // the sidecar beside the first file names the others, too
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

// total puts the contents of the parts into the event, once no more segments come. w.mu is held.
func (w *work) total() {
	for _, p := range w.parts {
		p.End, p.Frames = p.end(), p.frames()
	}
	w.list()
}

// longest returns the length of clip for which a growing file has room for an index. Most clips are no longer. The
// index of a longer clip goes to the end of the file.
func (in *Incident) longest() time.Duration {
	l := in.cam.Lengths
	return min(l.MaxLength.D(), max(3*(l.PreRoll.D()+l.PostRoll.D()), 2*time.Minute))
}

// --- Gaps ---

// account records durable segments in the event: their lengths, the gaps, and when the pre-roll became durable.
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

// --- Splitting ---

// split ends the event at a segment that would make the event too long, and opens the event that begins with this
// segment. Both events go to the index together, so a crash leaves either the old event alone or both. Triggers that
// come meanwhile are included.
func (in *Incident) split(ctx context.Context, at ring.Segment) error {
	w := in.current()
	w.writing.Lock()
	defer w.writing.Unlock()
	if w.next == "" {
		w.next = newID(at.Start)
	}
	in.c.work(w.next, true) // before anybody can find the event in the index
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

// --- Resuming and retrying ---

// reload takes up the whole parts of the growing files that an earlier process left.
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
		if i > 0 && e.Clip == ev.Parts[i-1].Clip { // an earlier version joined runs when it finished a clip
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

// recall counts what an earlier process copied, and adds gaps that this process could not record before the crash.
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

// touch reports whether two gaps may be the same gap. Their times may differ by a delay.
func touch(a, b event.Gap) bool {
	const delay = 500 * time.Millisecond
	return !a.From.After(b.To.Add(delay)) && !b.From.After(a.To.Add(delay))
}

// retry calls do until do succeeds, and reports drive errors when they begin and when they end. The result is false if
// ctx ended.
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
		var index *index.Error
		if !errors.As(err, &missing) && !errors.As(err, &index) { // these are reported elsewhere
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

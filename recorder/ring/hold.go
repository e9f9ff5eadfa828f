package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
)

// Hold keeps the segments of one open event: the segments in the ring from the start of the event on, and each new
// segment. A segment is kept until Done is called for it. The files of a hold are hard links in a folder of their own,
// so they survive pruning of the ring and a crash of Preroll.
type Hold struct {
	ID   string
	ring *Ring
	dir  string

	// ring.mu guards all fields below.
	queue  []*entry
	pinned map[string]*entry // by path of the link

	// start times of segments that could not be held, one per second at most; steady time
	missed  []time.Duration
	from    time.Duration // segments that end earlier are not held; steady time
	until   time.Duration // segments that start later are not held; steady time; 0: no limit
	past    bool          // a segment that starts after until has come
	needKey bool          // the next pinned segment must begin with a keyframe
	newest  *entry        // the newest segment that was pinned
	stepped time.Duration // how far the wall times were moved since the last call of Stepped
	woken   bool
	arrived chan struct{} // closed and replaced when Next has something to return
}

// HoldID matches the valid ids of holds. An id becomes a folder name.
var HoldID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// early is how much too early the times of a segment may be. A timeline looks back over some seconds, so it follows the
// drift of a camera's clock with that delay.
const early = 20 * time.Millisecond

// --- Opening ---

// Hold pins the GOP that contains the time from, and all newer segments. Hold takes well under a millisecond on tmpfs.
// The segment that is being written is pinned when it is complete.
func (r *Ring) Hold(id string, from time.Time) (*Hold, error) {
	h, err := r.newHold(id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checkClock()
	h.from = r.clock.of(from) - early

	// Segments that ended before from are of no use, unless nothing newer came. Then the last GOP is better than
	// nothing.
	i := slices.IndexFunc(r.entries, func(e *entry) bool { return e.end > h.from })
	if n := len(r.entries); i < 0 && n > 0 {
		writing := r.w != nil && r.w.f != nil
		if writing && !r.w.seg.Key && !r.w.lost || !writing && h.from-r.entries[n-1].end < stale {
			i = n - 1
		}
	}
	if i >= 0 {
		r.catchUp(h, r.keyBefore(i))
	}
	r.holds[id] = h
	return h, nil
}

// keyBefore returns the index of the entry that begins the GOP of entry i, or i if the ring has no such entry. r.mu is
// held.
func (r *Ring) keyBefore(i int) int {
	for k := i; k >= 0; k-- {
		if r.entries[k].Key {
			return k
		}
	}
	return i
}

// stale bounds how long before the start of an event the last video of a silent camera may have ended. Older video is
// not held.
const stale = 15 * time.Second

// Resume returns the hold that a crash interrupted. The hold begins with the segments that are still pinned and
// continues with the newer segments in the ring. If nothing is pinned, the hold begins with the GOP in the ring that
// contains from. The bytes of the first segments may be durable elsewhere already.
func (r *Ring) Resume(id string, from time.Time) (*Hold, error) {
	h, err := r.newHold(id)
	if err != nil {
		return nil, err
	}
	list, err := os.ReadDir(h.dir)
	if err != nil {
		return nil, fmt.Errorf("resume hold: %w", err)
	}
	var last *entry
	for _, f := range list {
		m := segmentName.FindStringSubmatch(f.Name())
		if m == nil || m[3] != "" {
			continue
		}
		run, _ := strconv.ParseInt(m[1], 10, 64)
		number, _ := strconv.Atoi(m[2])
		path := filepath.Join(h.dir, f.Name())
		e, err := r.read(path, run, number)
		if err != nil {
			r.opt.Log.Warn("pinned segment is not usable", "segment", f.Name(), "err", err)
			continue
		}
		r.mu.Lock()
		r.lastRun = max(r.lastRun, run)
		h.queue = append(h.queue, e)
		if i, found := slices.BinarySearchFunc(r.entries, e, compareEntries); found {
			e = r.entries[i] // its bytes are counted already
		} else {
			r.bytes += e.Bytes
		}
		e.pins++
		h.pinned[path], h.newest, h.needKey = e, e, false
		r.mu.Unlock()
		last = e
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	h.from = r.clock.of(from) - early
	for i, e := range r.entries {
		if last != nil && compareEntries(e, last) > 0 {
			r.catchUp(h, i)
			break
		} else if last == nil && e.end > h.from {
			r.catchUp(h, r.keyBefore(i))
			break
		}
	}

	r.holds[id] = h
	return h, nil
}

// Holds lists the ids of the holds on the RAM disk: open holds, and holds that an earlier process left.
func (r *Ring) Holds() ([]string, error) {
	list, err := os.ReadDir(r.pins())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range list {
		if e.IsDir() && HoldID.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

func (r *Ring) newHold(id string) (*Hold, error) {
	if !HoldID.MatchString(id) {
		return nil, fmt.Errorf("hold %q: not a name", id)
	}
	h := &Hold{ID: id, ring: r, dir: filepath.Join(r.pins(), id), pinned: map[string]*entry{}, needKey: true,
		arrived: make(chan struct{})}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make hold: %w", err)
	}
	return h, nil
}

// catchUp pins the entries of the ring from index i on. r.mu is held.
func (r *Ring) catchUp(h *Hold, i int) {
	for _, e := range r.entries[i:] {
		h.pin(e)
	}
}

// --- Pinning ---

// Limit sets the time after which no segment may start. The limit can be moved: a segment that started too late before
// is pinned now if the ring still has it.
func (h *Hold) Limit(until time.Time) {
	r := h.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	h.until = r.clock.of(until)
	if !h.past {
		return
	}
	h.past = false
	for _, e := range r.entries {
		if !h.holds(e) && e.end > h.from && !h.past {
			h.pinIfWanted(e)
		}
	}
}

// holds reports whether e or a later entry was pinned already. ring.mu is held.
func (h *Hold) holds(e *entry) bool { return h.newest != nil && compareEntries(e, h.newest) <= 0 }

// pinIfWanted pins a new segment if the segment lies in the window. ring.mu is held.
func (h *Hold) pinIfWanted(e *entry) {
	switch {
	case h.holds(e): // Limit pinned it meanwhile
	case h.until != 0 && e.start > h.until:
		h.past = true
		h.stir()
	case h.newest == nil && e.end <= h.from: // before the window: the segments of this source come late
	case h.newest == nil && !e.Key:
		if i, found := slices.BinarySearchFunc(h.ring.entries, e, compareEntries); found {
			h.ring.catchUp(h, h.ring.keyBefore(i))
		}
	default:
		h.pin(e)
	}
}

// pin links a segment into the hold. A segment that cannot be decoded or linked counts as missed. ring.mu is held.
func (h *Hold) pin(e *entry) {
	if h.needKey && !e.Key {
		h.miss(e.start)
		return
	}
	path := h.linkOf(e.Path)
	err := link(e.Init, h.linkOf(e.Init))
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = link(e.Path, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if h.needKey = err != nil; err != nil {
		h.miss(e.start)
		h.ring.opt.Log.Error("segment was not held", "event", h.ID, "segment", filepath.Base(e.Path), "err", err)
		return
	}
	e.pins++
	h.pinned[path], h.newest = e, e
	h.queue = append(h.queue, e)
	h.stir()
}

func (h *Hold) linkOf(path string) string { return filepath.Join(h.dir, filepath.Base(path)) }

// segment returns the segment of an entry with the paths of the hold's links. ring.mu is held.
func (h *Hold) segment(e *entry) Segment {
	s := h.ring.at(e)
	s.Path, s.Init = h.linkOf(e.Path), h.linkOf(e.Init)
	return s
}

// stir wakes a waiting Next. ring.mu is held.
func (h *Hold) stir() {
	close(h.arrived)
	h.arrived = make(chan struct{})
}

// link makes a hard link, or a copy where the file system has no hard links.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(to, fi.ModTime(), fi.ModTime())
	}
	if err != nil {
		_ = os.Remove(to)
	}
	return err
}

// --- Notes ---

// noteName is the file in a hold that describes the hold's event.
const noteName = "event.json"

// SaveNote keeps a note with the hold, in RAM. The note holds what Preroll needs to continue the event if the index is
// lost.
func (h *Hold) SaveNote(b []byte) error {
	tmp := filepath.Join(h.dir, noteName+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, filepath.Join(h.dir, noteName))
}

// ReadNote returns the note that an earlier process saved with a hold.
func (r *Ring) ReadNote(id string) ([]byte, error) {
	f, fi, err := openPlain(filepath.Join(r.pins(), id, noteName))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if fi.Size() > fmp4.MaxBox {
		return nil, fmp4.ErrBox
	}
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// --- Reading ---

var (
	// ErrWoken is returned by Next after Wake.
	ErrWoken = errors.New("woken")

	// ErrPast is returned by Next when the camera has sent a segment that starts after the hold's limit.
	ErrPast = errors.New("no later segment is wanted")
)

// Wake makes a waiting Next return ErrWoken, so that the caller looks at the time again.
func (h *Hold) Wake() {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.woken = true
	h.stir()
}

// Next returns the next segment. Next waits until there is one, and returns the cause of ctx when ctx ends first. Next
// also returns ErrWoken and ErrPast.
func (h *Hold) Next(ctx context.Context) (Segment, error) {
	for {
		h.ring.mu.Lock()
		if len(h.queue) > 0 {
			s := h.segment(h.queue[0])
			h.queue = h.queue[1:]
			h.ring.mu.Unlock()
			return s, nil
		}
		if h.woken {
			h.woken = false
			h.ring.mu.Unlock()
			return Segment{}, ErrWoken
		}
		if h.past {
			h.ring.mu.Unlock()
			return Segment{}, ErrPast
		}
		arrived := h.arrived
		h.ring.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return Segment{}, context.Cause(ctx)
		}
	}
}

// More returns the segments that are ready, up to the first segment for which accept returns false. accept is called
// with the lock of the ring held.
func (h *Hold) More(accept func(Segment) bool) []Segment {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	var more []Segment
	for _, e := range h.queue {
		s := h.segment(e)
		if !accept(s) {
			break
		}
		more = append(more, s)
	}

	h.queue = h.queue[len(more):]
	return more
}

// Done releases a segment whose bytes are durable elsewhere.
func (h *Hold) Done(s Segment) {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.unpin(s.Path)
}

// --- Releasing ---

// unpin removes one link. ring.mu is held.
func (h *Hold) unpin(path string) {
	e, ok := h.pinned[path]
	if !ok {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.ring.opt.Log.Warn("pin was not removed", "path", path, "err", err)
	}
	delete(h.pinned, path)
	e.pins--
	h.ring.forget(e)
}

// Receiving reports whether frames arrive now that may be in the next segment.
func (h *Hold) Receiving() bool { return h.ring.Receiving() }

// Lag is the delay between the end of a segment and its arrival in the ring.
func (h *Hold) Lag() time.Duration { return h.ring.Lag() }

// maxMissed bounds how many times of missed segments are kept.
const maxMissed = 1000

// miss records that a segment which begins at the given time cannot be held, in most cases because RAM ran out. ring.mu
// is held.
func (h *Hold) miss(at time.Duration) {
	if n := len(h.missed); n > 0 && (at-h.missed[n-1]).Abs() < time.Second || n >= maxMissed {
		return
	}
	h.missed = append(h.missed, at)
}

// lose removes from the hold a segment that Next and More have not returned yet. ring.mu is held.
func (h *Hold) lose(e *entry) {
	h.queue = slices.DeleteFunc(h.queue, func(o *entry) bool { return o == e })
	h.unpin(h.linkOf(e.Path))
	h.miss(e.start)
}

// Missed reports whether a segment that begins between from and to, or within a second of them, could not be held. In
// most cases RAM ran out.
func (h *Hold) Missed(from, to time.Time) bool {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	a, b := h.ring.clock.of(from)-time.Second, h.ring.clock.of(to)+time.Second
	return slices.ContainsFunc(h.missed, func(at time.Duration) bool { return a <= at && at <= b })
}

// Timed returns the segment with wall times by the present offset of this machine's clock.
func (h *Hold) Timed(s Segment) Segment {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	return h.ring.timed(s)
}

// --- Closing ---

// Detach ends the hold and leaves its files for Resume in a later process.
func (h *Hold) Detach() {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	delete(h.ring.holds, h.ID)
}

// Close ends the hold and removes its files.
func (h *Hold) Close() {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	delete(h.ring.holds, h.ID)
	for path := range h.pinned {
		h.unpin(path)
	}
	list, _ := os.ReadDir(h.dir)
	for _, f := range list {
		if (ownName.MatchString(f.Name()) || f.Name() == noteName || f.Name() == noteName+".tmp") &&
			f.Type().IsRegular() {
			_ = os.Remove(filepath.Join(h.dir, f.Name()))
		}
	}
	if err := os.Remove(h.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.ring.opt.Log.Warn("hold was not removed", "path", h.dir, "err", err)
	}
}

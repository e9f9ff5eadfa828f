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
)

// Hold keeps the segments of one open event: those from its start that were in the ring, and each new one, until Done
// is called for it. Its files are hard links in a folder of their own, so they outlive FFmpeg's deletion, the ring's,
// and a crash of Preroll.
type Hold struct {
	ID   string
	ring *Ring
	dir  string

	// guarded by ring.mu
	queue   []Segment
	pinned  map[string]*entry // by path of the link
	missed  int               // segments that could not be held since RAM ran out
	from    time.Time         // earlier ones are not held
	until   time.Time         // later segments are not held; zero: all are
	past    bool              // one came that is later
	newest  *entry            // that is pinned
	unsure  bool              // the one pinned last was not settled: the next one tells its time
	stepped time.Duration     // by which its times were moved, and nobody was told yet
	woken   bool
	arrived chan struct{} // closed and replaced when Next has something to return
}

// HoldID is what the id of a hold may be; it becomes a folder name.
var HoldID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Hold pins the segment that holds the time from, and all that are newer. It takes well under a millisecond on tmpfs.
func (r *Ring) Hold(id string, from time.Time) (*Hold, error) {
	h, err := r.newHold(id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.from = from
	r.lookAtClock()
	// What ended before is of no use, unless nothing came since: then the last of it is better than nothing.
	for i, s := range r.timed(0) {
		if !s.End.Before(from.Add(-margin)) || i == len(r.entries)-1 && from.Sub(s.End) < stale {
			r.catchUp(h, i)
			break
		}
	}
	r.holds[id] = h
	return h, nil
}

// stale is how long before the asked time a camera's last video may have ended to be worth keeping.
const stale = 15 * time.Second

// margin is taken in front, for the part of a segment's delay that is always there.
const margin = 250 * time.Millisecond

// Resume returns the hold that a crash interrupted: first what it had pinned and was not done with, then what the ring
// holds since; with nothing pinned, what the ring holds since from. The first segments may be ones whose bytes are
// durable elsewhere already.
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
		if m == nil {
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
		e.Settled = true // nothing comes that would tell more
		h.queue = append(h.queue, e.Segment)
		if i, found := slices.BinarySearchFunc(r.entries, e, order); found {
			e = r.entries[i] // its bytes are counted already
		} else {
			r.bytes += e.Bytes
		}
		e.pins++
		h.pinned[path], h.newest = e, e
		r.mu.Unlock()
		last = e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.from = from
	for i, s := range r.timed(0) {
		if last != nil && order(r.entries[i], last) > 0 || last == nil && !s.End.Before(from) {
			r.catchUp(h, i)
			break
		}
	}
	r.holds[id] = h
	return h, nil
}

// Holds lists the ids of holds that are on the RAM disk, open or left by an earlier life.
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
	h := &Hold{ID: id, ring: r, dir: filepath.Join(r.pins(), id), pinned: map[string]*entry{}, arrived: make(chan struct{})}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make hold: %w", err)
	}
	return h, nil
}

// catchUp pins the ring's entries from i on. r.mu is held.
func (r *Ring) catchUp(h *Hold, i int) {
	if i >= len(r.entries) {
		return
	}
	for k, s := range r.timed(i) {
		h.pin(r.entries[i+k], s)
	}
}

// Limit says from when on no segment is wanted. It can be moved: segments that were too late before are taken if the ring
// still has them.
func (h *Hold) Limit(until time.Time) {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.until = until
	if !h.past {
		return
	}
	h.past = false
	for i, s := range h.ring.timed(0) {
		e := h.ring.entries[i]
		if h.holds(e) || s.End.Before(h.from.Add(-margin)) {
			continue
		}
		if h.past = s.Start.After(until); h.past {
			return
		}
		h.pin(e, s)
	}
}

// holds tells whether an entry or a later one was pinned already. ring.mu is held.
func (h *Hold) holds(e *entry) bool { return h.newest != nil && order(e, h.newest) <= 0 }

// take pins a new segment, with the times that the ring gives it now. full means that the RAM budget is used up, by
// pins alone: then the event goes without the segment, since a full RAM disk would stop every camera. ring.mu is held.
func (h *Hold) take(e *entry, full bool) {
	for i, o := range h.ring.entries {
		if o != e {
			continue
		}
		s := h.ring.timed(i)[0]
		switch {
		case h.holds(e): // by Limit, meanwhile
		case !h.until.IsZero() && s.Start.After(h.until) && !h.unsure:
			h.past = true
			h.stir()
		case full:
			h.missed++
		default:
			h.pin(e, s)
		}
		return
	}
	h.missed++ // the budget dropped it at once
}

// pin links one segment into the hold. ring.mu is held.
func (h *Hold) pin(e *entry, s Segment) {
	s.Path = filepath.Join(h.dir, filepath.Base(e.Path))
	s.Init = filepath.Join(h.dir, filepath.Base(e.Init))
	err := link(e.Init, s.Init)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = link(e.Path, s.Path)
	}
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err != nil {
		h.missed++
		h.ring.opt.Log.Error("segment was not held", "event", h.ID, "segment", filepath.Base(e.Path), "err", err)
		return
	}
	if !e.silent[1].IsZero() {
		_ = link(silentName(e.Path), silentName(s.Path)) // for the next life
	}
	e.pins++
	h.pinned[s.Path], h.newest = e, e
	h.queue = append(h.queue, s)
	h.unsure = !s.Settled
	h.stir()
}

// stir makes a waiting Next look again. ring.mu is held.
func (h *Hold) stir() {
	close(h.arrived)
	h.arrived = make(chan struct{})
}

// link makes a hard link, or a copy where the file system has none.
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

// noteName is the file in a hold that tells what event it is for.
const noteName = "event.json"

// Note keeps a note with the hold, in RAM: what is needed to go on should the index be lost.
func (h *Hold) Note(b []byte) error {
	tmp := filepath.Join(h.dir, noteName+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, filepath.Join(h.dir, noteName))
}

// ReadNote returns what was noted with a hold of an earlier life.
func (r *Ring) ReadNote(id string) ([]byte, error) {
	f, fi, err := openPlain(filepath.Join(r.pins(), id, noteName))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if fi.Size() > maxBox {
		return nil, errBox
	}
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

var (
	// ErrWoken is what Next returns after Wake.
	ErrWoken = errors.New("woken")
	// ErrPast is what Next returns when the camera has come to segments that are later than the hold's limit.
	ErrPast = errors.New("no later segment is wanted")
)

// Wake makes a waiting Next return, so that its caller looks at the time again.
func (h *Hold) Wake() {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.woken = true
	h.stir()
}

// Next returns the next segment, waiting for it until ctx ends.
func (h *Hold) Next(ctx context.Context) (Segment, error) {
	for {
		h.ring.mu.Lock()
		if len(h.queue) > 0 {
			s := h.queue[0]
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

// More takes the segments that wait already, as long as take says so.
func (h *Hold) More(take func(Segment) bool) []Segment {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	n := 0
	for n < len(h.queue) && take(h.queue[n]) {
		n++
	}
	more := h.queue[:n:n]
	h.queue = h.queue[n:]
	return more
}

// Done lets a segment go whose bytes are durable elsewhere.
func (h *Hold) Done(s Segment) {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	h.unpin(s.Path)
}

// unpin removes one link. ring.mu is held.
func (h *Hold) unpin(path string) {
	e, ok := h.pinned[path]
	if !ok {
		return
	}
	if !e.silent[1].IsZero() {
		_ = os.Remove(silentName(path))
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.ring.opt.Log.Warn("pin was not removed", "path", path, "err", err)
	}
	delete(h.pinned, path)
	e.pins--
	h.ring.forget(e)
}

// Growing tells whether pictures come that may be in the next segment.
func (h *Hold) Growing() bool { return h.ring.Growing() }

// Missed is the number of segments that could not be held, because RAM ran out.
func (h *Hold) Missed() int {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	return h.missed
}

// Detach ends the hold and leaves its files for Resume in a later life.
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
		if (ownName.MatchString(f.Name()) || f.Name() == noteName || f.Name() == noteName+".tmp") && f.Type().IsRegular() {
			_ = os.Remove(filepath.Join(h.dir, f.Name()))
		}
	}
	if err := os.Remove(h.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.ring.opt.Log.Warn("hold was not removed", "path", h.dir, "err", err)
	}
}

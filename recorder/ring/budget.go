package ring

import (
	"slices"
	"sync"
)

// Budget bounds the bytes that all rings and holds together use on the RAM disk. Bytes are asked of the budget before
// they are written.
//
// Each ring has a share: the budget divided by the number of rings. A ring may borrow what other rings leave unused.
// When room is short, the ring that is furthest beyond its share loses its oldest GOP, until there is room. So a ring
// within its share loses nothing, whatever another camera sends. Segments that an open event holds stay, with one
// exception: if their ring is beyond its share and another ring needs its own share, the newest segment that was not
// copied yet is dropped.
type Budget struct {
	mu    sync.Mutex // guards all fields below; taken before the mu of any ring
	limit int64
	rings map[*Ring]bool
}

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit, rings: map[*Ring]bool{}} }

// SetLimit changes the budget, in bytes, and shortens rings if necessary. SetLimit also drops segments that are too old
// and follows this machine's clock, so it should be called every few seconds.
func (b *Budget) SetLimit(limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = limit
	for r := range b.rings {
		r.mu.Lock()
		r.checkClock()
		r.prune()
		r.mu.Unlock()
	}
	b.makeRoom(nil, 0)
}

func (b *Budget) join(r *Ring) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rings[r] = true
}

func (b *Budget) leave(r *Ring) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.rings, r)
}

// Used returns the bytes in use and the limit.
func (b *Budget) Used() (used, limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.rings {
		bytes, _ := r.spare()
		used += bytes
	}
	return used, b.limit
}

// reserve reserves n bytes for r, and reports whether there is room.
func (b *Budget) reserve(r *Ring, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.makeRoom(r, n) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes += n
	return true
}

// makeRoom shortens rings until n more bytes for r fit, and reports whether they fit. b.mu is held.
func (b *Budget) makeRoom(r *Ring, n int64) bool {
	share := b.limit / int64(max(1, len(b.rings)))
	stuck := map[*Ring]bool{} // rings that have nothing more to give
	for {
		used := n

		// The rings furthest beyond their shares: worst has an oldest GOP to lose, greedy may give any segment.
		var worst, greedy *Ring
		var over, greed int64
		within := false
		for o := range b.rings {
			bytes, whole := o.spare()
			used += bytes
			if o == r {
				within = bytes+n <= share
				bytes += n
			}
			if d := bytes - share; whole && d > over {
				worst, over = o, d
			} else if o != r && d > greed && !stuck[o] {
				greedy, greed = o, d
			}
		}

		switch {
		case used <= b.limit:
			return true
		case worst != nil:
			worst.shorten()
		case within && greedy != nil:
			stuck[greedy] = !greedy.cede()
		default:
			return false
		}
	}
}

// spare returns the ring's bytes, and whether the oldest GOP can be dropped: no open event holds a segment of it.
func (r *Ring) spare() (bytes int64, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.firstGOP()
	return r.bytes, n > 0 && !slices.ContainsFunc(r.entries[:n], func(e *entry) bool { return e.pins > 0 })
}

// firstGOP returns the number of entries in the oldest GOP, 0 if the oldest GOP is still being written. r.mu is held.
func (r *Ring) firstGOP() int {
	for i := 1; i < len(r.entries); i++ {
		if r.entries[i].Key {
			return i
		}
	}

	// A single newest segment stays.
	if writing := r.w != nil && r.w.f != nil; writing && r.w.seg.Key || !writing && len(r.entries) > 1 {
		return len(r.entries)
	}
	return 0
}

// shorten drops the oldest GOP.
func (r *Ring) shorten() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.firstGOP() {
		r.drop()
	}
	r.isShort()
}

// cede gives up the newest segment that can be given up, and reports whether there was one: the segment that is being
// written, or else a segment that no open event holds or whose copying has not begun.
func (r *Ring) cede() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isShort()
	if r.w.abandon() {
		return true
	}
	for i := len(r.entries) - 1; i >= 0; i-- {
		if e := r.entries[i]; r.unpin(e) {
			r.remove(i)
			return true
		}
	}
	var newest *entry
	for _, h := range r.holds { // segments that the ring has dropped
		if n := len(h.queue); n > 0 && (newest == nil || compareEntries(h.queue[n-1], newest) > 0) {
			newest = h.queue[n-1]
		}
	}
	return newest != nil && r.unpin(newest)
}

// unpin removes a segment from all holds, and reports whether that was possible. It is not possible if a hold has
// returned the segment already. r.mu is held.
func (r *Ring) unpin(e *entry) bool {
	var of []*Hold
	for _, h := range r.holds {
		if slices.Contains(h.queue, e) {
			of = append(of, h)
		}
	}
	if len(of) < e.pins {
		return false
	}
	for _, h := range of {
		h.lose(e)
	}
	return true
}

// isShort logs once that RAM is short. r.mu is held.
func (r *Ring) isShort() {
	if !r.short {
		r.short = true
		r.opt.Log.Warn("RAM is short: the ring loses its oldest segments early")
	}
}

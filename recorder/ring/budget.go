package ring

import (
	"slices"
	"sync"
)

// Budget bounds what all rings and holds together may use of the RAM disk. Bytes are asked of it before they are
// written.
//
// Each ring has a share, the budget divided by the rings; what others leave unused may be borrowed. When room is short,
// the ring that is furthest beyond its share loses its oldest GOP, and so on: a ring within its share loses nothing,
// whatever another camera sends. What an open event holds stays, unless it is beyond the share and another ring needs
// its own: then the newest of it goes that was not copied yet.
type Budget struct {
	mu    sync.Mutex // guards all below; taken before any ring's
	limit int64
	rings map[*Ring]bool
}

// NewBudget returns a budget of a number of bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit, rings: map[*Ring]bool{}} }

// SetLimit changes the budget and shortens rings where that is needed now. It also drops what is too old, and follows
// this machine's clock, so it wants to be called every few seconds.
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

// reserve gives a ring room for a number of bytes, and reports whether there is any.
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

// makeRoom shortens rings until n bytes more for r fit, and reports whether they do. b.mu is held.
func (b *Budget) makeRoom(r *Ring, n int64) bool {
	share := b.limit / int64(max(1, len(b.rings)))
	stuck := map[*Ring]bool{} // nothing more can be taken from them
	for {
		used := n
		var worst, greedy *Ring // beyond its share the most: with an oldest GOP to lose, or with anything
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

// spare returns the ring's bytes, and whether it has an oldest GOP that could be dropped: such as no open event holds.
func (r *Ring) spare() (bytes int64, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.firstGOP()
	return r.bytes, n > 0 && !slices.ContainsFunc(r.entries[:n], func(e *entry) bool { return e.pins > 0 })
}

// firstGOP is how many entries the oldest GOP has, 0 if it is the one that is being written. r.mu is held.
func (r *Ring) firstGOP() int {
	for i := 1; i < len(r.entries); i++ {
		if r.entries[i].Key {
			return i
		}
	}
	// a newest one alone stays
	if writing := r.w != nil && r.w.f != nil; writing && r.w.seg.Key || !writing && len(r.entries) > 1 {
		return len(r.entries)
	}
	return 0
}

func (r *Ring) shorten() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.firstGOP() {
		r.drop()
	}
	r.isShort()
}

// cede gives up the newest segment that can be: the one that is being written, or else one that no open event holds or
// whose copying has not begun. It reports whether there was one.
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
	for _, h := range r.holds { // what the ring has no more
		if n := len(h.queue); n > 0 && (newest == nil || compareEntries(h.queue[n-1], newest) > 0) {
			newest = h.queue[n-1]
		}
	}
	return newest != nil && r.unpin(newest)
}

// unpin takes a segment from the holds that were not given it yet; false means that one was. r.mu is held.
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

// isShort says once that RAM is short. r.mu is held.
func (r *Ring) isShort() {
	if !r.short {
		r.short = true
		r.opt.Log.Warn("RAM is short: the ring loses its oldest segments early")
	}
}

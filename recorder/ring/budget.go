package ring

import (
	"sync"
	"time"
)

// Budget bounds what all rings and holds together may use of the RAM disk. When it is used up the ring with the most
// video that no event holds loses its oldest segment, and so on: idle rings are shortened first, and evenly. What an
// open event holds stays; when that alone fills the budget, events get no further segments until some are durable.
type Budget struct {
	mu    sync.Mutex // guards all below; taken before any ring's
	limit int64
	rings map[*Ring]bool
}

// NewBudget returns a budget of a number of bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit, rings: map[*Ring]bool{}} }

// SetLimit changes the budget and shortens rings where that is needed now.
func (b *Budget) SetLimit(limit int64) {
	b.mu.Lock()
	b.limit = limit
	b.mu.Unlock()
	b.fit()
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

// fit shortens rings until all fits the budget, or nothing more can go; then it returns true.
func (b *Budget) fit() (full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		var used int64
		var longest *Ring
		var length time.Duration
		for r := range b.rings {
			bytes, free := r.spare()
			used += bytes
			if free > length {
				longest, length = r, free
			}
		}
		if used <= b.limit || longest == nil {
			return used > b.limit
		}
		longest.shorten()
	}
}

// spare returns the ring's bytes, and how much of its video could be dropped from its front: all but the newest segment,
// up to what an open event holds, which would free nothing.
func (r *Ring) spare() (bytes int64, free time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.entries {
		if e.pins > 0 || i == len(r.entries)-1 {
			break
		}
		free += max(e.Length(), 1)
	}
	return r.bytes, free
}

func (r *Ring) shorten() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) < 2 {
		return
	}
	r.drop()
	if !r.short {
		r.short = true
		r.opt.Log.Warn("RAM is short: the ring loses its oldest segments early")
	}
}

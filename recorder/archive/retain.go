package archive

import (
	"context"
	"errors"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// Limits says when events may be deleted. A zero limit is none. Sizes are bytes.
type Limits struct {
	MaxAge  time.Duration
	MaxSize int64
	MinFree int64
	Free    func() (int64, error) // free bytes of the archive drive
}

// batch is how many events are looked at in one step.
const batch = 100

// Retain deletes the oldest events until the limits are kept, and returns those that went. Protected and open events stay, and
// so does every file that Preroll did not write.
func (a *Archive) Retain(ctx context.Context, l Limits, now time.Time) (removed []event.Event, err error) {
	// Measured once: some file systems free space only seconds after a file was removed, and looking again at once
	// would take that for a reason to remove more.
	over, err := a.over(ctx, l)
	if err != nil {
		return nil, err
	}
	for {
		var list []event.Event
		switch {
		case over > 0:
			list, err = a.query(ctx, `SELECT event FROM events WHERE protected = 0 AND state NOT IN ('recording', 'finishing') AND bytes > 0 ORDER BY time, id LIMIT ?`, batch)
		case l.MaxAge > 0:
			list, err = a.query(ctx, `SELECT event FROM events WHERE protected = 0 AND state NOT IN ('recording', 'finishing') AND time < ? ORDER BY time, id LIMIT ?`, now.Add(-l.MaxAge).UnixMilli(), batch)
		}
		if err != nil || len(list) == 0 {
			return removed, err
		}
		for _, e := range list {
			if over <= 0 && (l.MaxAge <= 0 || now.Sub(e.Time) <= l.MaxAge) {
				break
			}
			gone, err := a.retire(ctx, e.ID)
			if err != nil {
				return removed, err
			}
			if gone {
				over -= e.Bytes()
				removed = append(removed, e)
			}
		}
	}
}

// retire removes an event unless it was protected or removed since it was listed, and tells whether it did.
func (a *Archive) retire(ctx context.Context, id string) (bool, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && e.Protected {
		return false, nil
	}
	if err == nil {
		err = a.remove(ctx, e)
	}
	return err == nil, err
}

// over returns by how many bytes the archive is too large, or the drive too full.
func (a *Archive) over(ctx context.Context, l Limits) (int64, error) {
	var over int64
	if l.MaxSize > 0 {
		_, bytes, err := a.Totals(ctx)
		if err != nil {
			return 0, err
		}
		over = max(over, bytes-l.MaxSize)
	}
	if l.MinFree > 0 && l.Free != nil {
		free, err := l.Free()
		if err != nil {
			return 0, err
		}
		over = max(over, l.MinFree-free)
	}
	return over, nil
}

// near is how close to a limit of size an archive counts as full, in parts of the limit.
const near = 20

// Next returns the event that Retain will delete next, and why; nil where there is none, or no limit. An archive that
// is over a limit of size, or close to it, comes first, then what gets too old at a certain time. A drive whose free
// space nobody can tell counts as one with enough of it.
func (a *Archive) Next(ctx context.Context, l Limits, now time.Time) (*event.Next, error) {
	full, limit := "", ""
	if l.MinFree > 0 && l.Free != nil {
		limit = "min_free"
		if free, err := l.Free(); err == nil && free < l.MinFree+l.MinFree/near {
			full = limit
		}
	}
	if l.MaxSize > 0 {
		limit = "max_size"
		_, bytes, err := a.Totals(ctx)
		if err != nil {
			return nil, err
		}
		if bytes > l.MaxSize-l.MaxSize/near {
			full = limit
		}
	}
	var aged *event.Next
	if l.MaxAge > 0 {
		e, err := a.oldest(ctx, "")
		if err != nil || e == nil {
			return nil, err
		}
		aged = &event.Next{Event: *e, When: e.Time.Add(l.MaxAge), Why: "max_age"}
		if full == "" || !aged.When.After(now) {
			return aged, nil
		}
	}
	if full != "" {
		limit = full
	}
	if limit == "" {
		return nil, nil
	}
	e, err := a.oldest(ctx, "AND bytes > 0")
	if err != nil || e == nil {
		return aged, err
	}
	return &event.Next{Event: *e, Why: limit}, nil
}

// oldest returns the oldest event that may be deleted, or nil.
func (a *Archive) oldest(ctx context.Context, and string) (*event.Event, error) {
	list, err := a.scan(ctx, `SELECT event FROM events WHERE protected = 0 AND state NOT IN ('recording', 'finishing') `+and+` ORDER BY time, id LIMIT 1`)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

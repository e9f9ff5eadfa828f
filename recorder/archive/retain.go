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

// Retain deletes the oldest events until the limits are kept, and returns the ids of those that went. Protected and open events
// stay, and so does every file that Preroll did not write.
func (a *Archive) Retain(ctx context.Context, l Limits, now time.Time) (removed []string, err error) {
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
			if err := a.retire(ctx, e.ID); err != nil {
				return removed, err
			}
			over -= e.Bytes()
			removed = append(removed, e.ID)
		}
	}
}

// retire removes an event unless it was protected or removed since it was listed.
func (a *Archive) retire(ctx context.Context, id string) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && e.Protected {
		return nil
	}
	if err != nil {
		return err
	}
	return a.remove(ctx, e)
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

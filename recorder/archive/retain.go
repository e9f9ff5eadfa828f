package archive

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

// Limits says when events may be deleted. The limits hold for each drive. Zero means no limit. Sizes are in bytes.
type Limits struct {
	MaxAge  time.Duration
	MaxSize int64
	MinFree int64
	Free    func(path string) (int64, error) // returns the free bytes of the drive that holds path
}

// Retain deletes the oldest events of each drive until the drive keeps its limits, and returns the deleted events. It
// never deletes a protected or open event, or a file that Preroll did not write. It skips drives that it cannot reach
// and events that it cannot remove, and logs each such drive once.
func (a *Archive) Retain(ctx context.Context, l Limits, now time.Time) (removed []event.Event, err error) {
	root, drives := a.Root(), a.Drives()
	slices.SortStableFunc(drives, func(x, y index.Drive) int { // the current drive first
		return cmp.Compare(btoi(y.Path == root), btoi(x.Path == root))
	})
	var errs []error
	for _, d := range append(drives, index.Drive{}) { // the last one is for events that never got a place
		gone, err := a.retainOn(ctx, d, l, now)
		removed = append(removed, gone...)
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// retainOn is Retain for one drive.
func (a *Archive) retainOn(ctx context.Context, d index.Drive, l Limits,
	now time.Time) (removed []event.Event, err error) {
	bytes, err := a.BytesOn(ctx, d)
	idle := l.MaxAge <= 0 && (bytes == 0 || l.MaxSize <= 0 && l.MinFree <= 0)
	if current := d.Key != 0 && d.Path == a.Root(); err != nil || idle && !current {
		a.mu.Lock()
		delete(a.away, d.Key) // no limit can be exceeded, so nobody needs the drive
		a.mu.Unlock()
		return nil, err
	}
	root, err := (*os.Root)(nil), error(nil)
	if d.Key != 0 {
		root, err = a.reach(ctx, d)
	}
	a.mu.Lock()
	told := a.away[d.Key]
	a.away[d.Key] = err != nil
	a.mu.Unlock()
	if err != nil {
		if !told && !idle && ctx.Err() == nil {
			a.log.Warn("a drive with events is not there, so its limits are not kept", "path", d.Path, "err", err)
		}
		return nil, nil
	}
	failed := 0
	empty := func(need int64) (left, freed int64) {
		left, freed, terr := a.emptyTrash(ctx, root, now.Add(-trashAge), need)
		if terr != nil {
			failed++
			a.tellOnce(d, terr)
		}
		return left, freed
	}
	if root != nil {
		defer func() { _ = root.Close() }()
		left, _ := empty(0)
		bytes += left
	}

	// Measure once. Some file systems free space only seconds after a file was removed; measuring again at once would
	// remove more than needed.
	over := int64(0)
	if l.MaxSize > 0 {
		over = max(over, bytes-l.MaxSize)
	}
	if l.MinFree > 0 && l.Free != nil && root != nil {
		free, ferr := l.Free(root.Name()) // at its current path
		if ferr == nil {
			over = max(over, l.MinFree-free)
		} else {
			defer func() { err = errors.Join(err, ferr) }() // the other limits are kept all the same
		}
	}

	if over > 0 && root != nil { // the trash goes before anything else
		_, freed := empty(over)
		over -= freed
	}
	for old := (index.Old{Bytes: 1, Limit: batch}); ; {
		if over <= 0 {
			if l.MaxAge <= 0 {
				break
			}
			old.Until, old.Bytes = now.Add(-l.MaxAge), 0
		}
		list, err := a.Oldest(ctx, d, old)
		if err != nil {
			return removed, err
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			if over <= 0 && (l.MaxAge <= 0 || now.Sub(e.Time) <= l.MaxAge) {
				break
			}
			old.After = e
			gone, rerr := a.retire(ctx, root, e.ID)
			switch {
			case ctx.Err() != nil:
				return removed, context.Cause(ctx)
			case rerr != nil:
				if failed++; failed == 1 {
					a.tellOnce(d, rerr)
				}
			case gone:
				over -= e.Bytes()
				removed = append(removed, e)
			}
		}
	}

	if failed == 0 {
		a.tellOnce(d, nil)
	}
	return removed, nil
}

// tellOnce logs that events of a drive cannot be removed, once until err is nil again.
func (a *Archive) tellOnce(d index.Drive, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	a.mu.Lock()
	told := a.stuck[d.Key]
	a.stuck[d.Key] = text
	a.mu.Unlock()
	if err != nil && told == "" {
		a.log.Error("old events cannot be removed and are passed over", "path", d.Path, "err", err)
	}
}

// retire removes an event, unless it was protected or removed since it was listed. It reports whether it removed the
// event.
func (a *Archive) retire(ctx context.Context, root *os.Root, id string) (bool, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e, err := a.Get(ctx, id)
	if errors.Is(err, index.ErrNotFound) || err == nil && e.Protected {
		return false, nil
	}
	if err == nil {
		err = a.remove(ctx, root, e)
	}
	return err == nil, err
}

// Away returns the drives with events that retention could not reach at its last attempt.
func (a *Archive) Away(ctx context.Context) []index.Usage {
	list, err := a.Usage(ctx)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(list, func(u index.Usage) bool { return !a.away[u.Key] })
}

// near says when a drive counts as full: within 1/near of a limit of size.
const near = 20

// Next returns the event that Retain will delete next from the current archive drive, and why. It returns nil if there
// is no such event or no limit. If the drive exceeds a limit of size, or is close to it, the limit of size comes first;
// otherwise the limit of age, with the time at which the event gets too old. If the free space is unknown, it counts as
// enough.
func (a *Archive) Next(ctx context.Context, l Limits, now time.Time) (*event.Next, error) {
	path := a.Root()
	var d index.Drive // the reachable drive that was registered last, if any is
	drives := a.Drives()
	a.mu.Lock()
	for _, o := range drives {
		if o.Path == path && (d.Key == 0 || a.away[d.Key] || !a.away[o.Key]) {
			d = o
		}
	}
	a.mu.Unlock()
	if d.Key == 0 {
		return nil, nil
	}
	full, limit := "", ""
	if l.MinFree > 0 && l.Free != nil {
		limit = "min_free"
		if free, err := l.Free(path); err == nil && free < l.MinFree+l.MinFree/near {
			full = limit
		}
	}
	if l.MaxSize > 0 {
		limit = "max_size"
		bytes, err := a.BytesOn(ctx, d)
		if err != nil {
			return nil, err
		}
		if bytes > l.MaxSize-l.MaxSize/near {
			full = limit
		}
	}

	var aged *event.Next
	if l.MaxAge > 0 {
		e, err := a.oldest(ctx, d, 0)
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
	e, err := a.oldest(ctx, d, 1)
	if err != nil || e == nil {
		return aged, err
	}
	return &event.Next{Event: *e, Why: limit}, nil
}

// oldest returns the oldest event of a drive that may be deleted and has at least the given bytes, or nil.
func (a *Archive) oldest(ctx context.Context, d index.Drive, bytes int64) (*event.Event, error) {
	list, err := a.Oldest(ctx, d, index.Old{Bytes: bytes, Limit: 1})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

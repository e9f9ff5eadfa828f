package recorder

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Events lists events, newest first. It drops events whose clips were removed by hand from the list and from the index.
func (r *Recorder) Events(ctx context.Context, q event.Query) ([]event.Event, error) {
	list, err := r.archive.List(ctx, q)
	if err != nil {
		return nil, err
	}
	list, removed := r.seen(func() (kept, removed []event.Event) {
		return r.archive.DropDeleted(ctx, slices.Clone(list))
	}, list)
	for _, e := range removed {
		r.hub.eventRemoved(e.ID)
		r.noteRemoved(e, text.RemovedByHand)
		r.hub.statusChanged()
	}
	return list, nil
}

// Days returns the days with events that match a query, newest first.
func (r *Recorder) Days(ctx context.Context, q event.Query) ([]event.Day, error) {
	return r.archive.Days(ctx, q)
}

// Choices returns the values by which events can be filtered.
func (r *Recorder) Choices(ctx context.Context) (event.Choices, error) {
	return r.archive.Choices(ctx)
}

// Next returns the event that the retention limits will remove next, or nil.
func (r *Recorder) Next(ctx context.Context) (*event.Next, error) {
	return r.archive.Next(ctx, limits(r.Settings()), time.Now())
}

// Event returns one event.
func (r *Recorder) Event(ctx context.Context, id string) (event.Event, error) {
	return r.archive.Get(ctx, id)
}

// Protect protects an event from retention, or ends the protection.
func (r *Recorder) Protect(ctx context.Context, id string, on bool) (event.Event, error) {
	e, err := r.archive.Protect(ctx, id, on)
	if err == nil {
		r.hub.eventChanged(e)
	}
	return e, err
}

// Delete moves an event and its files to the trash.
func (r *Recorder) Delete(ctx context.Context, id string) error {
	e, err := r.archive.Get(ctx, id)
	if err == nil {
		err = r.archive.Delete(ctx, id, time.Now())
	}
	if err == nil {
		r.hub.eventRemoved(id)
		r.noteRemoved(e, text.RemovedByHand)
		r.hub.statusChanged()
	}
	return err
}

// Restore brings an event back from the trash.
func (r *Recorder) Restore(ctx context.Context, id string) (event.Event, error) {
	e, err := r.archive.Restore(ctx, id)
	if errors.Is(err, index.ErrNotFound) {
		return e, text.NotInTrash.Error()
	}
	if err == nil {
		r.hub.eventChanged(e)
		r.hub.statusChanged()
		wake(r.retentionWake)
	}
	return e, err
}

// Trash returns the events in the trash.
func (r *Recorder) Trash(ctx context.Context) []event.Event { return r.archive.Trash(ctx) }

// EmptyTrash removes for good what was deleted. It returns how many bytes that freed.
func (r *Recorder) EmptyTrash(ctx context.Context) (int64, error) {
	n, err := r.archive.EmptyTrash(ctx)
	r.hub.statusChanged()
	return n, err
}

// Forget removes an event from the list only. Its files stay where they are.
func (r *Recorder) Forget(ctx context.Context, id string) error {
	e, err := r.archive.Get(ctx, id)
	if err == nil {
		err = r.archive.Forget(ctx, id)
	}
	if err == nil {
		r.hub.eventRemoved(id)
		r.noteRemoved(e, text.RemovedByHand)
		r.hub.statusChanged()
	}
	return err
}

// Drives returns the archive drives in the index. Away is as it was last seen, not checked now.
func (r *Recorder) Drives(ctx context.Context) (list []status.Drive, err error) {
	drives, err := r.archive.Usage(ctx)
	away := r.archive.Away(ctx)
	for _, d := range drives {
		list = append(list, status.Drive{ID: d.ID, Path: d.Path, Events: d.Events, Bytes: d.Bytes,
			Away: slices.ContainsFunc(away, func(a index.Usage) bool { return a.Key == d.Key })})
	}
	return list, err
}

// ForgetDrive removes the events of a drive from the list, for example of a drive that is gone for good. Their files
// stay where they are. It returns the number of removed events.
func (r *Recorder) ForgetDrive(ctx context.Context, id string) (int, error) {
	n, err := r.archive.ForgetDrive(ctx, id)
	r.indexRebuilt()
	r.hub.statusChanged()
	return int(n), err
}

// Reindex rebuilds the index from the archive. It returns the number of events found, and the faults of what could not
// be read.
func (r *Recorder) Reindex(ctx context.Context) (found int, faults []string, err error) {
	found, errs, err := r.reindex(ctx)
	for _, e := range errs {
		faults = append(faults, e.Error())
	}
	return found, faults, err
}

func (r *Recorder) reindex(ctx context.Context) (found int, faults []error, err error) {
	began := time.Now()
	found, faults, err = r.archive.Reindex(ctx)
	r.indexRebuilt()
	if err == nil {
		r.log.Info("index rebuilt", "events", found, "elapsed", time.Since(began).Round(time.Millisecond))
	}
	r.hub.statusChanged()
	return found, faults, err
}

// indexRebuilt makes clients that list events ask again. It is called after a failure too, which may come halfway.
func (r *Recorder) indexRebuilt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rebuilt++
}

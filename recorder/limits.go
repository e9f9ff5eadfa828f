package recorder

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

// keepLimits deletes old events every ten minutes and after each event that ends. It has its own goroutine, because an
// archive drive may hang.
func (r *Recorder) keepLimits(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		r.retain(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.retentionWake:
		case <-tick.C:
		}
	}
}

// limits returns the archive's limits from the settings.
func limits(s config.Settings) archive.Limits {
	return archive.Limits{
		MaxAge: s.Archive.MaxAge.D(), MaxSize: int64(s.Archive.MaxSize), MinFree: int64(s.Archive.MinFree),
		Free: func(path string) (int64, error) {
			d, err := disk.Of(path)
			return d.Free, err
		},
	}
}

func (r *Recorder) retain(ctx context.Context) {
	removed, err := r.archive.Retain(ctx, limits(r.Settings()), time.Now())
	for _, e := range removed {
		r.hub.eventRemoved(e.ID)
		r.noteRemoved(e, text.RemovedByLimits)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrNotExist) {
		r.log.Error("old events were not removed", "err", err)
	}
}

// indexTrouble records whether events can be written to the index; err is nil if they can.
func (r *Recorder) indexTrouble(err error) {
	r.indexMu.Lock()
	changed := (err == nil) != (r.indexErr == nil)
	r.indexErr = err
	r.indexMu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		r.log.Error("alarms cannot be noted, so their mails are not accepted", "err", err)
	} else {
		r.log.Info("alarms can be noted again")
	}
	r.hub.statusChanged()
}

// archiveTrouble records whether the archive drive can be written; err is nil if it can.
func (r *Recorder) archiveTrouble(err error) {
	r.mu.Lock()
	changed := (err == nil) != (r.archiveErr == nil)
	r.archiveErr = err
	r.mu.Unlock()
	if disk.Full(err) {
		wake(r.retentionWake) // removes old events to make room, if the settings allow it
	}
	if changed {
		if err == nil {
			r.log.Info("the archive drive can be written again")
			r.recordHistory(history.ArchiveBack, "", text.Text{})
		} else {
			what, _ := archive.Explain(err)
			r.recordHistory(history.ArchiveLost, "", what)
		}

		r.hub.statusChanged()
	}
}

// eventChanged passes an event to all subscribers, and wakes retention if the event has ended.
func (r *Recorder) eventChanged(e event.Event) {
	r.hub.eventChanged(e)
	r.outbox.Event(e)
	if e.State.Ended() {
		r.counters.Ended(e)
		wake(r.retentionWake)
	}
}

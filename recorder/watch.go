package recorder

import (
	"context"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

// watchArchive tells of events that are removed or copied back by hand, until ctx ends. A drive that hangs then is not
// waited for, against the rule that whoever starts a goroutine waits for it: no call can end a system call.
func (r *Recorder) watchArchive(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.archive.WatchFiles(ctx, func(removed, added []event.Event) {
			for _, e := range removed {
				r.hub.eventRemoved(e.ID)
				r.noteRemoved(e, text.RemovedByHand)
			}
			for _, e := range added {
				r.hub.eventChanged(e)
			}
			r.hub.statusChanged()
		})
	}()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// seen drops the events of a list whose clips were removed by hand, if the drive tells in time.
func (r *Recorder) seen(find func() (kept, removed []event.Event), list []event.Event) (kept, removed []event.Event) {
	select {
	case r.looking <- struct{}{}:
	default:
		return list, nil
	}
	type result struct{ kept, removed []event.Event }
	done := make(chan result, 1)
	go func() {
		defer func() { <-r.looking }()
		kept, removed := find()
		done <- result{kept, removed}
	}()
	timer := time.NewTimer(health.DriveTime * 5)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.kept, got.removed
	case <-timer.C:
		return list, nil
	}
}

// recordHistory adds to the history that something happened; camera and why may be empty. It never waits.
func (r *Recorder) recordHistory(kind history.Kind, camera string, why text.Text) {
	r.history.Add(history.Entry{Kind: kind, Camera: camera, Text: why})
}

// noteRemoved adds to the history that an event is gone.
func (r *Recorder) noteRemoved(e event.Event, why text.Message) {
	r.history.Add(history.Entry{Kind: history.Removed, Camera: e.Camera, Text: why.With(), Event: e.ID, About: e.Time})
}

// keepHistory writes the history until the function that it returns is called, which notes the end and waits.
func (r *Recorder) keepHistory(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var writing sync.WaitGroup
	writing.Go(func() { r.history.Run(ctx) })
	r.history.Add(history.Entry{Time: r.started, Kind: history.Started})
	return func() {
		r.recordHistory(history.Stopped, "", text.Text{})
		cancel()
		writing.Wait()
	}
}

// condition is what no event tells of and a person wants to know.
type condition struct {
	short int  // cameras whose ring is shortened
	hangs bool // the archive drive
}

// checkCondition reports a condition that began or ended.
func (r *Recorder) checkCondition(before condition) condition {
	now := condition{short: r.cameras.Short(), hangs: r.copier.Waiting() > health.DriveHangs}
	switch {
	case now.hangs && !before.hangs:
		r.log.Error("the archive drive does not answer")
	case before.hangs && !now.hangs:
		r.log.Info("the archive drive answers again")
	}
	if now != before {
		r.hub.statusChanged()
	}
	return now
}

package recorder

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

// watchArchive reports events that are removed or copied back by hand, until ctx ends. It breaks the rule that whoever
// starts a goroutine waits for it: if the drive hangs when ctx ends, watchArchive returns after a second, because
// nothing can end a system call.
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

// seen calls find, which drops the events whose clips were removed by hand. If the drive does not answer in time, or
// another check still runs, seen returns the list unchanged.
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

// recordHistory adds an entry to the history. camera and why may be empty. It never waits.
func (r *Recorder) recordHistory(kind history.Kind, camera string, why text.Text) {
	r.history.Add(history.Entry{Kind: kind, Camera: camera, Text: why})
}

// noteRemoved adds to the history that an event was removed.
func (r *Recorder) noteRemoved(e event.Event, why text.Message) {
	r.history.Add(history.Entry{Kind: history.Removed, Camera: e.Camera, Text: why.With(), Event: e.ID, About: e.Time})
}

// keepHistory starts to write the history. The function that it returns records the stop, ends the writing and waits
// for it.
func (r *Recorder) keepHistory(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var writing sync.WaitGroup
	writing.Go(func() { r.history.Run(ctx) })
	if fi, err := os.Lstat(r.ram.in(alive)); err == nil && fi.ModTime().Before(r.started) {
		r.history.Add(history.Entry{Time: fi.ModTime(), Kind: history.Stopped}) // the previous process was killed then
		r.log.Warn("the previous process was killed", "elapsed", r.started.Sub(fi.ModTime()))
	}
	r.history.Add(history.Entry{Time: r.started, Kind: history.Started})
	return func() {
		_ = os.Remove(r.ram.in(alive)) // this process records its end itself
		why := text.Text{}
		select {
		case <-r.succession.over:
			why = text.HandedOver.With() // recording goes on
		default:
		}
		r.recordHistory(history.Stopped, "", why)
		cancel()
		writing.Wait()
	}
}

// alive is the file on the RAM disk whose time says when a recorder last ran. It costs no disk, and outlives a process
// that is killed.
const alive = ".alive"

// keepAlive records that this process runs.
func (r *Recorder) keepAlive() {
	if path, now := r.ram.in(alive), time.Now(); path != "" && os.Chtimes(path, now, now) != nil {
		_ = os.WriteFile(path, nil, 0o600)
	}
}

// condition is a state that no notification reports and that a person wants to know.
type condition struct {
	short int  // number of cameras whose ring is shortened
	hangs bool // the archive drive hangs
}

// checkCondition returns the current condition and reports what began or ended since before.
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

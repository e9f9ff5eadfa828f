package recorder

import (
	"context"
	"time"

	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Pause makes alarm mails save nothing until a time (zero: until EndPause), beginning now, or changes when a pause
// ends. Triggers by hand still save, and events that are open end as they would have. A restart ends a pause.
func (r *Recorder) Pause(until time.Time) {
	now := time.Now()
	if !until.IsZero() && !until.After(now) {
		r.EndPause()
		return
	}
	r.mu.Lock()
	began := !r.pause.On
	if began {
		r.pause = status.Pause{On: true, Since: now}
	}
	r.pause.Until = until
	r.mu.Unlock()
	if began {
		r.log.Info("paused: alarm mails save nothing")
		r.recordHistory(history.Paused, "", text.Text{})
	}
	wake(r.pausing)
	r.hub.statusChanged()
}

// EndPause ends a pause, if there is one.
func (r *Recorder) EndPause() { r.endPause(func(status.Pause) bool { return true }) }

// endPause ends a pause for which a condition holds.
func (r *Recorder) endPause(due func(status.Pause) bool) {
	r.mu.Lock()
	p := r.pause
	end := p.On && due(p)
	if end {
		r.pause = status.Pause{}
	}
	r.mu.Unlock()
	if !end {
		return
	}
	r.log.Info("pause ended", "mails", p.Missed, "elapsed", time.Since(p.Since).Round(time.Second))
	r.recordHistory(history.Resumed, "", text.Text{})
	wake(r.pausing)
	r.hub.statusChanged()
}

// keepPause ends a pause when its time has come, until ctx ends.
func (r *Recorder) keepPause(ctx context.Context) {
	for {
		r.endPause(pauseExpired)
		r.mu.Lock()
		until := r.pause.Until
		r.mu.Unlock()
		var due <-chan time.Time
		timer := time.NewTimer(min(time.Until(until), time.Minute)) // a machine that slept wakes late
		if !until.IsZero() {
			due = timer.C
		}
		select {
		case <-due:
		case <-r.pausing:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// pauseExpired reports whether a pause's time has come.
func pauseExpired(p status.Pause) bool { return !p.Until.IsZero() && !time.Now().Before(p.Until) }

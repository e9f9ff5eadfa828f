package recorder

import (
	"context"
	"time"

	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Pause makes alarm mails save nothing from now until the given time, or until EndPause if the time is zero. During a
// pause it changes when the pause ends. Triggers by hand still save, and open events end as they would without a pause.
// A restart ends a pause.
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

// EndPause ends the pause, if there is one.
func (r *Recorder) EndPause() { r.endPause(func(status.Pause) bool { return true }) }

// endPause ends the pause if due returns true for it.
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

// keepPause ends each pause when its time has come. It returns when ctx ends.
func (r *Recorder) keepPause(ctx context.Context) {
	for {
		r.endPause(pauseExpired)
		r.mu.Lock()
		until := r.pause.Until
		r.mu.Unlock()
		var due <-chan time.Time

		// At most a minute, because a timer fires late on a machine that slept.
		timer := time.NewTimer(min(time.Until(until), time.Minute))
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

// pauseExpired reports whether the end of a pause has passed.
func pauseExpired(p status.Pause) bool { return !p.Until.IsZero() && !time.Now().Before(p.Until) }

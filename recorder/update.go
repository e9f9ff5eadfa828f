package recorder

import (
	"context"

	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/update"
)

// lookForUpdates tells of a newer version if the settings ask for it. It returns when ctx ends.
func (r *Recorder) lookForUpdates(ctx context.Context) {
	update.Watch(ctx, func() bool { return r.Settings().Update.Check }, func(newest update.Release, err error) {
		if err != nil {
			r.log.Warn("updates cannot be looked for", "err", err)
			return
		}
		var is *status.Update
		if update.Newer(newest.Version, Version()) {
			is = &status.Update{Version: newest.Version, URL: newest.URL}
			r.log.Info("there is a newer version", "version", newest.Version)
		}
		r.update.Store(is)
		r.hub.statusChanged()
	})
}

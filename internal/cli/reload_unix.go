//go:build !windows

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/preroll/preroll/recorder"
)

// reloadOnSignal reads the settings again at each SIGHUP until ctx ends. A terminal sends that signal when it closes,
// so it has this meaning only under a service manager or in a container.
func reloadOnSignal(ctx context.Context, r *recorder.Recorder) {
	if !managed() {
		return
	}
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	for {
		select {
		case <-hups:
			r.Reload()
		case <-ctx.Done():
			return
		}
	}
}

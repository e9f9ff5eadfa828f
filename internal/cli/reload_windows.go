package cli

import (
	"context"

	"github.com/preroll/preroll/recorder"
)

// reloadOnSignal does nothing, because Windows has no signal for it. A change of the settings file is noticed anyway.
func reloadOnSignal(context.Context, *recorder.Recorder) {}

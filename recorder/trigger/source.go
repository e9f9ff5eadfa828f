package trigger

import (
	"context"

	"github.com/preroll/preroll/recorder/event"
)

// Source is where alarms come from. The mail [Server] is one; a program around the recorder may add others, see
// recorder.Options. The package triggertest checks that a source keeps the contract.
type Source interface {
	// Name is what events say about where an alarm came from.
	Name() event.Source

	// Run takes alarms until ctx ends, waits for the goroutines that it started, and returns nil. It calls emit for
	// each alarm, and says yes to the sender only after emit has returned without an error. If Run returns earlier, the
	// recorder logs its error and runs it again after a pause.
	Run(ctx context.Context, emit Emit) error
}

// Emit triggers a camera. It returns the event's id when the event is durable. The id is "" and the error nil for an
// alarm that the user wants to save nothing: the camera is switched off, or Preroll is paused. t.Time is when the
// signal began; if it is zero, the recorder takes the present time. Any number of goroutines may call Emit at once.
type Emit func(ctx context.Context, camera string, t event.Trigger) (id string, err error)

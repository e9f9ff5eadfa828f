// Package control is the local socket by which tray, window and commands talk to a running recorder: HTTP and JSON on a
// unix socket or a named pipe that only its owner may open. There is one way in, whether the recorder runs in the same
// process, in another, or as a service.
package control

import (
	"context"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Recorder is what the control socket offers of a recorder.
type Recorder interface {
	Status(context.Context) status.Status
	Settings() config.Settings
	Apply(config.Settings) error
	Trigger(ctx context.Context, camera string, t event.Trigger) (string, error)
	MailCamera(ctx context.Context, camera string) error
	Connections() []status.Connection
	DropUnmatched()
	Probe(context.Context, config.Camera) (status.ProbeResult, error)
	Events(context.Context, event.Query) ([]event.Event, error)
	Event(ctx context.Context, id string) (event.Event, error)
	Protect(ctx context.Context, id string, on bool) (event.Event, error)
	Delete(ctx context.Context, id string) error
	Forget(ctx context.Context, id string) error
	Drives(ctx context.Context) ([]status.Drive, error)
	ForgetDrive(ctx context.Context, id string) (int, error)
	Reindex(context.Context) (found int, faults []string, err error)
	Days(context.Context, event.Query) ([]event.Day, error)
	Choices(context.Context) (event.Choices, error)
	Next(context.Context) (*event.Next, error)
	Verify(ctx context.Context, id string) (status.VerifyResult, error)
	Pause(until time.Time)
	EndPause()
	Still(ctx context.Context, camera string, width int) ([]byte, error)
	Folder(ctx context.Context, path, use string) (status.Folder, error)
	Discover(context.Context) ([]status.DiscoveredCamera, error)
	Why(ctx context.Context, camera string, at time.Time) ([]status.Finding, error)
}

// Watcher tells that something changed: wait on the channel, then take.
type Watcher interface {
	Changes() <-chan struct{}
	Drain() (status bool, events []event.Event, removed []string)
	Close()
}

// Update is one message of a watch. The first carries the status and the newest events; each later one what changed.
type Update struct {
	Status  *status.Status `json:"status,omitempty"`
	Events  []event.Event  `json:"events,omitempty"`
	Removed []string       `json:"removed,omitempty"`
}

// Error is a refusal by the recorder, in plain words.
type Error struct {
	Text   string        `json:"error"`
	Hint   string        `json:"hint,omitempty"`
	Faults config.Faults `json:"faults,omitempty"` // of settings
}

func (e *Error) Error() string {
	if e.Hint != "" {
		return e.Text + ". " + e.Hint
	}
	return e.Text
}

// requests and answers of the calls that are no plain type.
type (
	triggerCall struct {
		Camera string `json:"camera"`
		Label  string `json:"label"`
	}
	triggerAnswer struct {
		Event string `json:"event"`
	}
	protectCall struct {
		On bool `json:"on"`
	}
	pauseCall struct {
		For event.Seconds `json:"for"` // 0: until it is ended
	}
	folderCall struct {
		Path string `json:"path"`
		Use  string `json:"use"`
	}
	forgetAnswer struct {
		Events int `json:"events"`
	}
	reindexAnswer struct {
		Found  int      `json:"found"`
		Faults []string `json:"faults"`
	}
)

// firstEvents is how many events a watch begins with.
const firstEvents = 50

// requestTimeout is how long a watcher may take to read a message.
const requestTimeout = 5 * time.Second

// minInterval is the least time between two messages of a watch, so that a storm of changes becomes a few messages.
const minInterval = 100 * time.Millisecond

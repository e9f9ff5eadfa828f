// Package control is the local socket by which tray, window and commands talk to a running recorder: HTTP and JSON on a
// unix socket or a named pipe that only its owner may open. There is one way in, whether the recorder runs in the same
// process, in another, or as a service.
package control

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
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

// Pages are the names by which a page of the window is asked for, in the order of its tabs. The guide is no page of its
// own but lies over them all.
var Pages = []string{"events", "cameras", "health", "settings", "guide"}

// Update is one message of a watch. The first carries the status and the newest events; each later one what changed.
type Update struct {
	Status  *status.Status `json:"status,omitempty"`
	Events  []event.Event  `json:"events,omitempty"`
	Removed []string       `json:"removed,omitempty"`
}

// Error is a refusal by the recorder. errors.Is finds the engine's errors in it, such as [archive.ErrNotFound].
type Error struct {
	Code   string                  `json:"code,omitempty"` // of the message that decided, see [text.Message]
	Text   text.Text               `json:"error"`
	Hint   text.Text               `json:"hint,omitzero"`
	Faults config.ValidationErrors `json:"faults,omitempty"` // of settings
}

func (e *Error) Error() string { return e.Said().String() }

// Said says what happened and what to do.
func (e *Error) Said() text.Text {
	if e.Hint.IsZero() {
		return e.Text
	}
	return text.Join(". ", e.Text, e.Hint)
}

// Is reports whether the recorder refused for that error of the engine.
func (e *Error) Is(target error) bool {
	t, ok := target.(*text.Error)
	return ok && e.Code != "" && e.Code == t.Text.Code
}

// errorOf is what a caller is told of an error, with the status of HTTP.
func errorOf(err error) (*Error, int) {
	e := &Error{Text: text.Of(err)}
	var said *text.Error
	if errors.As(err, &said) {
		e.Code = said.Text.Code
	}
	var fail failure
	if errors.As(err, &e.Faults) {
		return e, http.StatusUnprocessableEntity
	}
	if errors.As(err, &fail) {
		e.Hint = fail.Hint()
		// FFmpeg's own words, which the log has
		if strings.Contains(e.Text.English, "[error]") || strings.Contains(e.Text.English, "[fatal]") {
			e.Text = fail.Text()
		}
		e.Code = fail.Text().Code
	}
	switch e.Code {
	case text.NoSuchEvent.Code, text.NoSuchCamera.Code:
		return e, http.StatusNotFound
	case text.StillSaving.Code, text.StillSavingProtect.Code, text.EventProtected.Code, text.CameraIsOff.Code,
		text.CameraIsEnding.Code, text.CameraNotRecording.Code:
		return e, http.StatusConflict
	case text.CallUnreadable.Code:
		return e, http.StatusBadRequest
	case text.Stopping.Code, text.Stopped.Code, text.NoStill.Code, text.DriveIsSilent.Code:
		return e, http.StatusServiceUnavailable
	}
	return e, http.StatusUnprocessableEntity
}

// failure is an error that says what happened to a camera and what to do, as those of package source do.
type failure interface {
	error
	Text() text.Text
	Hint() text.Text
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

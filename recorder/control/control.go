// Package control is the local socket by which the tray, the window and the commands talk to a running recorder. It
// speaks HTTP and JSON on a unix socket or a named pipe that only its owner can open. Clients use it in the same way
// whether the recorder runs in the same process, in another process or as a service.
package control

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Recorder is the part of a recorder that the control socket offers.
type Recorder interface {
	Status(context.Context) status.Status
	Settings() config.Settings
	Apply(config.Settings) error
	Trigger(ctx context.Context, camera string, t event.Trigger) (string, error)
	MailCamera(ctx context.Context, camera string) error
	LogLines() []string
	Connections() []status.Connection
	DropUnmatched()
	Callers() []status.Caller
	AddCaller(status.Caller) (added status.Caller, token string, err error)
	RemoveCaller(id string) error
	TryTarget(ctx context.Context, id string) error
	Probe(context.Context, config.Camera) (status.ProbeResult, error)
	Events(context.Context, event.Query) ([]event.Event, error)
	Event(ctx context.Context, id string) (event.Event, error)
	Protect(ctx context.Context, id string, on bool) (event.Event, error)
	Delete(ctx context.Context, id string) error
	Restore(ctx context.Context, id string) (event.Event, error)
	Trash(context.Context) []event.Event
	EmptyTrash(ctx context.Context) (freed int64, err error)
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
	SetAway(on bool) error
	Still(ctx context.Context, camera string, width int) ([]byte, error)
	Stills(ctx context.Context, width int) (map[string][]byte, error)
	Folder(ctx context.Context, path, use string) (status.Folder, error)
	Discover(context.Context) ([]status.DiscoveredCamera, error)
	Why(ctx context.Context, camera string, at time.Time) ([]status.Finding, error)
	Outages(ctx context.Context, from, to time.Time) ([]status.Outage, error)
	Devices() []status.Caller
	PairingCode() (code string, until time.Time, err error)
	RemoveDevice(id string) error
	Live(ctx context.Context, camera string, small bool, from, origin time.Time, sink live.Sink) error
	Spans(camera string, small bool) ([]status.Span, error)
	HLS(ctx context.Context, camera string, small bool, name string, w live.Wish) (live.File, error)
	Open(ctx context.Context, id, file string) (*os.File, error)
	HandOver(ctx context.Context, state string) ([]status.Cut, error)
	StandBy(ctx context.Context, come func() error) error
}

// WebHost is what the web pages get from the recorder beside its calls: who may open them, and how to listen.
type WebHost struct {
	Settings    config.Web
	Language    func() string                            // from the settings
	Certificate func() (*tls.Certificate, error)         // of this installation
	Device      func(token string) (status.Caller, bool) // the paired device with a token
	Pair        func(code, name string) (d status.Caller, token string, err error)
	CodeMade    func() time.Time                          // when the pairing code was made
	PushKey     func() (string, error)                    // by which push services know this recorder
	SetWord     func(device string, p *status.Push) error // where word for a device goes; nil: nowhere
	Remove      func(id string) error                     // shuts a device out
	Allowed     func(netip.Addr) bool                     // may connect
	Trusted     func(netip.Addr) bool                     // is a proxy whose headers are believed
	Listening   func(listen string)                       // called when the pages can be opened
	Log         *slog.Logger
}

// Watcher reports changes. Wait on the channel, then call Drain.
type Watcher interface {
	Changes() <-chan struct{}
	Drain() (status bool, events []event.Event, removed []string)
	Close()
}

// Pages are the names of the window's pages, in the order of the tabs. The guide is not a tab; it covers all pages.
var Pages = []string{"events", "cameras", "health", "settings", "guide"}

// Update is one message of a watch. The first one holds the status and the newest events, each later one what changed.
type Update struct {
	Status  *status.Status `json:"status,omitempty"`
	Events  []event.Event  `json:"events,omitempty"`
	Removed []string       `json:"removed,omitempty"`
}

// Error is a refusal by the recorder. errors.Is finds the engine's errors in it, such as [index.ErrNotFound].
type Error struct {
	Code   string                  `json:"code,omitempty"` // of the deciding message, see [text.Message]
	Text   text.Text               `json:"error"`
	Hint   text.Text               `json:"hint,omitzero"`
	Faults config.ValidationErrors `json:"faults,omitempty"` // of settings
	Status int                     `json:"-"`                // of HTTP, in a client
}

func (e *Error) Error() string { return e.Said().String() }

// Said returns what happened and what to do.
func (e *Error) Said() text.Text {
	if e.Hint.IsZero() {
		return e.Text
	}
	return text.Join(". ", e.Text, e.Hint)
}

// Is reports whether the recorder refused because of the error target of the engine.
func (e *Error) Is(target error) bool {
	t, ok := target.(*text.Error)
	return ok && e.Code != "" && e.Code == t.Text.Code
}

// errorOf returns the answer for an error, and its HTTP status.
func errorOf(err error) (*Error, int) {
	e := &Error{Text: text.Of(err)}
	var said interface{ Said() text.Text }
	if errors.As(err, &said) {
		e.Code = said.Said().Code
	}
	var fail failure
	if errors.As(err, &e.Faults) {
		return e, http.StatusUnprocessableEntity
	}
	if errors.As(err, &fail) {
		e.Hint = fail.Hint()

		// FFmpeg's own words are in the log.
		if strings.Contains(e.Text.English, "[error]") || strings.Contains(e.Text.English, "[fatal]") {
			e.Text = fail.Text()
		}
		e.Code = fail.Text().Code
	}

	switch e.Code {
	case text.NoSuchEvent.Code, text.NoSuchCamera.Code, text.NoSuchCaller.Code, text.NoSuchTarget.Code,
		text.NoSuchDevice.Code, text.NoSmallStream.Code, text.NoSuchVideo.Code, text.NoSuchFile.Code:
		return e, http.StatusNotFound
	case text.StillSaving.Code, text.StillSavingProtect.Code, text.EventProtected.Code, text.CameraIsOff.Code,
		text.CameraIsEnding.Code, text.CameraNotRecording.Code, text.WebIsOff.Code:
		return e, http.StatusConflict
	case text.NotForBrowsers.Code:
		return e, http.StatusUnsupportedMediaType
	case text.CallUnreadable.Code:
		return e, http.StatusBadRequest
	case text.Stopping.Code, text.Stopped.Code, text.NoStill.Code, text.MailNotListening.Code, text.IndexOpen.Code,
		text.IndexRead.Code, text.IndexWrite.Code, text.DriveIsSilent.Code, text.DriveIsOther.Code,
		text.FolderIsEmpty.Code:
		return e, http.StatusServiceUnavailable
	}

	return e, http.StatusUnprocessableEntity
}

// failure is an error with a text of what happened to a camera and a hint what to do, like those of package source.
type failure interface {
	error
	Text() text.Text
	Hint() text.Text
}

// Pairing is the code that lets a device in.
type Pairing struct {
	Code  string    `json:"code"`
	Until time.Time `json:"until"`
}

// NewCaller is a caller that was just added, with its token. The token cannot be asked for again.
type NewCaller struct {
	status.Caller
	Token string `json:"token"`
}

// These are the requests and answers that are not plain values.
type (
	triggerCall struct {
		Camera string    `json:"camera"`
		Label  string    `json:"label"`
		Time   time.Time `json:"time,omitzero"` // zero: now
	}
	triggerAnswer struct {
		Event string `json:"event"`
	}
	protectCall struct {
		On bool `json:"on"`
	}
	handOverCall struct {
		State string `json:"state"` // state folder of the process that takes over
	}
	pauseCall struct {
		For event.Seconds `json:"for"` // 0: until EndPause
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

// firstEvents is the number of events in the first message of a watch.
const firstEvents = 50

// requestTimeout is how long a watcher may take to read one message.
const requestTimeout = 5 * time.Second

// minInterval is the min time between two messages of a watch. It turns a storm of changes into a few messages.
const minInterval = 100 * time.Millisecond

package pagetest

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/status"
)

// Fake answers the calls of a page with what a test sets, and keeps what it was asked to do.
type Fake struct {
	Config   config.Settings
	State    *status.Status
	Stored   []event.Event // newest first
	Fail     error         // of the index
	Checked  status.Folder
	Probed   status.ProbeResult
	ProbeErr error
	Found    []status.DiscoveredCamera
	Findings []status.Finding
	Away     []status.Outage
	Logged   []string // lines
	Due      *event.Next
	Verdict  status.VerifyResult
	Talks    []status.Connection // newest first
	Paired   []status.Caller     // devices
	Calling  []status.Caller
	Refuse   error // of changes

	Applied  []config.Settings
	Deleted  []string
	Restored []string
	InTrash  []event.Event // in the trash
	Mailed   []string
	Tried    []string // targets of word
	Paused   bool
	Dropped  bool
}

// Status implements control.Recorder.
func (f *Fake) Status(context.Context) status.Status {
	if f.State == nil {
		return status.Status{}
	}
	return *f.State
}

// Settings implements control.Recorder.
func (f *Fake) Settings() config.Settings { return f.Config.Clone() }

// Apply implements control.Recorder.
func (f *Fake) Apply(s config.Settings) error {
	if f.Refuse != nil {
		return f.Refuse
	}
	s.KeepSecrets(f.Config)
	f.Applied = append(f.Applied, s)
	f.Config = s
	return nil
}

// Trigger implements control.Recorder.
func (f *Fake) Trigger(context.Context, string, event.Trigger) (string, error) { return "", nil }

// MailCamera implements control.Recorder.
func (f *Fake) MailCamera(_ context.Context, id string) error {
	f.Mailed = append(f.Mailed, id)
	return f.Refuse
}

// LogLines implements control.Recorder.
func (f *Fake) LogLines() []string { return f.Logged }

// Connections implements control.Recorder.
func (f *Fake) Connections() []status.Connection { return f.Talks }

// DropUnmatched implements control.Recorder.
func (f *Fake) DropUnmatched() { f.Dropped = true }

// Callers implements control.Recorder.
func (f *Fake) Callers() []status.Caller { return f.Calling }

// AddCaller implements control.Recorder.
func (f *Fake) AddCaller(c status.Caller) (added status.Caller, token string, err error) {
	c.ID, c.Made = "id-"+c.Name, Noon
	f.Calling = append(f.Calling, c)
	return c, "TOKEN", f.Refuse
}

// RemoveCaller implements control.Recorder.
func (f *Fake) RemoveCaller(id string) error {
	f.Calling = slices.DeleteFunc(f.Calling, func(c status.Caller) bool { return c.ID == id })
	return f.Refuse
}

// TryTarget implements control.Recorder.
func (f *Fake) TryTarget(_ context.Context, id string) error {
	f.Tried = append(f.Tried, id)
	return f.Refuse
}

// Probe implements control.Recorder.
func (f *Fake) Probe(context.Context, config.Camera) (status.ProbeResult, error) {
	return f.Probed, f.ProbeErr
}
func (f *Fake) fits(q event.Query) []event.Event {
	return slices.DeleteFunc(slices.Clone(f.Stored), func(e event.Event) bool {
		return q.Day != "" && (day(e) < q.Day || day(e) > cmp.Or(q.Until, q.Day)) || !e.Time.After(q.After) ||
			slices.Contains(strings.Split(q.Without, ","), e.ID) || q.Camera != "" && e.Camera != q.Camera ||
			q.Label != "" && e.Label != q.Label || q.Only == event.OnlyProtected && !e.Protected ||
			!q.Before.IsZero() && !e.Time.Before(q.Before) ||
			q.Text != "" && !strings.Contains(strings.ToLower(e.CameraName), strings.ToLower(q.Text))
	})
}

// Events implements control.Recorder.
func (f *Fake) Events(_ context.Context, q event.Query) ([]event.Event, error) {
	list := f.fits(q)
	list = list[min(q.Offset, len(list)):]
	return list[:min(cmp.Or(q.Limit, 100), len(list))], f.Fail
}

// Days implements control.Recorder.
func (f *Fake) Days(_ context.Context, q event.Query) (days []event.Day, err error) {
	for _, e := range f.fits(q) {
		if n := len(days); n > 0 && days[n-1].Day == day(e) {
			days[n-1].Events++
		} else {
			days = append(days, event.Day{Day: day(e), Events: 1})
		}
	}
	return days, f.Fail
}

// Choices implements control.Recorder.
func (f *Fake) Choices(context.Context) (event.Choices, error) {
	return event.Choices{Cameras: []string{"gate", "yard"}, Labels: []string{"motion", "person"}}, f.Fail
}

// Event implements control.Recorder.
func (f *Fake) Event(_ context.Context, id string) (event.Event, error) {
	for _, e := range f.Stored {
		if e.ID == id {
			return e, nil
		}
	}
	return event.Event{}, errors.New("no such event")
}

// Protect implements control.Recorder.
func (f *Fake) Protect(_ context.Context, id string, on bool) (event.Event, error) {
	for i := range f.Stored {
		if f.Stored[i].ID == id {
			f.Stored[i].Protected = on
			return f.Stored[i], nil
		}
	}
	return event.Event{}, errors.New("no such event")
}

// Forget implements control.Recorder.
func (f *Fake) Forget(ctx context.Context, id string) error { return f.Delete(ctx, id) }

// Drives implements control.Recorder.
func (f *Fake) Drives(context.Context) ([]status.Drive, error) { return nil, f.Refuse }

// ForgetDrive implements control.Recorder.
func (f *Fake) ForgetDrive(context.Context, string) (int, error) { return 0, f.Refuse }

// Delete implements control.Recorder.
func (f *Fake) Delete(_ context.Context, id string) error {
	f.Deleted = append(f.Deleted, id)
	return nil
}

// Reindex implements control.Recorder.
func (f *Fake) Reindex(context.Context) (int, []string, error) { return 0, nil, nil }

// Next implements control.Recorder.
func (f *Fake) Next(context.Context) (*event.Next, error) { return f.Due, nil }

// Verify implements control.Recorder.
func (f *Fake) Verify(context.Context, string) (status.VerifyResult, error) { return f.Verdict, nil }

// Pause implements control.Recorder.
func (f *Fake) Pause(time.Time) { f.Paused = true }

// EndPause implements control.Recorder.
func (f *Fake) EndPause() { f.Paused = false }

// Still implements control.Recorder.
func (f *Fake) Still(context.Context, string, int) ([]byte, error) { return JPEG(), nil }

// Folder implements control.Recorder.
func (f *Fake) Folder(context.Context, string, string) (status.Folder, error) { return f.Checked, nil }

// Discover implements control.Recorder.
func (f *Fake) Discover(context.Context) ([]status.DiscoveredCamera, error) { return f.Found, nil }

// Stills implements control.Recorder.
func (f *Fake) Stills(context.Context, int) (map[string][]byte, error) {
	list := map[string][]byte{}
	if f.State != nil {
		for _, c := range f.State.Cameras {
			if c.State == status.Recording {
				list[c.ID] = JPEG()
			}
		}
	}
	return list, nil
}

// Outages implements control.Recorder.
func (f *Fake) Outages(context.Context, time.Time, time.Time) ([]status.Outage, error) {
	return f.Away, f.Fail
}

// Why implements control.Recorder.
func (f *Fake) Why(context.Context, string, time.Time) ([]status.Finding, error) {
	return f.Findings, nil
}

func day(e event.Event) string { return e.Time.Local().Format(time.DateOnly) }

// Devices returns the paired devices.
func (f *Fake) Devices() []status.Caller { return f.Paired }

// PairingCode returns a code.
func (f *Fake) PairingCode() (string, time.Time, error) {
	return "ABCD-EFGH", time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC), f.Refuse
}

// RemoveDevice removes a paired device.
func (f *Fake) RemoveDevice(id string) error {
	f.Paired = slices.DeleteFunc(f.Paired, func(c status.Caller) bool { return c.ID == id })
	return nil
}

// Live plays nothing.
func (f *Fake) Live(context.Context, string, bool, time.Time, time.Time, live.Sink) error {
	return f.Refuse
}

// Spans returns no spans.
func (f *Fake) Spans(string, bool) ([]status.Span, error) { return nil, f.Refuse }

// HLS returns no file.
func (f *Fake) HLS(context.Context, string, bool, string, live.Wish) (live.File, error) {
	return live.File{}, f.Refuse
}

// Open opens no file.
func (f *Fake) Open(context.Context, string, string) (*os.File, error) { return nil, os.ErrNotExist }

// HandOver hands nothing over.
func (f *Fake) HandOver(context.Context, string) ([]status.Cut, error) { return nil, f.Refuse }

// StandBy never leaves.
func (f *Fake) StandBy(ctx context.Context, _ func() error) error {
	<-ctx.Done()
	return nil
}

// SetAway keeps whether the user is away.
func (f *Fake) SetAway(on bool) error {
	f.State.Away = on
	return f.Refuse
}

// Restore brings an event back that was deleted.
func (f *Fake) Restore(_ context.Context, id string) (event.Event, error) {
	f.Restored = append(f.Restored, id)
	return event.Event{ID: id}, f.Refuse
}

// Trash returns the events that a test has put into the trash.
func (f *Fake) Trash(context.Context) []event.Event { return f.InTrash }

// EmptyTrash empties nothing.
func (f *Fake) EmptyTrash(context.Context) (int64, error) { return 0, f.Refuse }

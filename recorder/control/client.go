package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// ErrNotRunning means that no recorder listens on the socket.
var ErrNotRunning = text.NoRecorder.Error()

// ErrNoAccess means that a recorder listens and this user may not use it.
var ErrNoAccess = text.NoRecorderAccess.Error()

// Client talks to a running recorder. Every call returns [ErrNotRunning] if there is none.
type Client struct {
	http http.Client
}

// NewClient returns a client of the recorder that listens on one of the sockets. If several do, it is the first one's.
// The client does not connect yet, and looks for it with each connection.
func NewClient(sockets ...string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var failed error
		for _, s := range sockets {
			c, err := Dial(ctx, s)
			if err == nil {
				return c, nil
			}
			denied := errors.Is(err, fs.ErrPermission)
			switch {
			case denied && s == config.ServicePaths().Socket:
				return nil, fmt.Errorf("%w: %w", ErrNoAccess, err)
			case denied: // the runtime folder of another user, as with su: this user has no recorder there
				err = &net.OpError{Op: "dial", Net: "unix", Err: os.ErrNotExist}
			}
			failed = err
		}
		return nil, failed
	}
	return &Client{http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext: dial, MaxIdleConns: 1, IdleConnTimeout: 10 * time.Second}}}
}

// noRedirect follows no redirect: the recorder sends one only for a path that is not clean, and so no path that
// somebody made up leads to another call.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do sends a call and decodes its answer into out. out may be nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// send sends a call. Any answer but 200 is an error.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	resp, err := c.ask(ctx, method, path, nil, in)
	if err == nil && resp.StatusCode != http.StatusOK {
		return nil, refusal(resp)
	}
	return resp, err
}

// refusal returns the error in an answer, and closes the answer.
func refusal(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	e := Error{Status: resp.StatusCode}
	if json.NewDecoder(resp.Body).Decode(&e) != nil || e.Text.IsZero() {
		return text.RecorderAnswered.Error(resp.Status)
	}
	return &e
}

// ask sends a call and returns whatever is answered.
func (c *Client) ask(ctx context.Context, method, path string, header http.Header, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}

	req, err := http.NewRequestWithContext(ctx, method, "http://preroll"+path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		switch {
		case errors.Is(err, ErrNoAccess):
			return nil, ErrNoAccess
		case errors.As(err, &op) && op.Op == "dial":
			return nil, ErrNotRunning
		}
		return nil, text.AskRecorder.Error(err)
	}
	return resp, nil
}

// --- Calls ---

// Status returns the state of the recorder.
func (c *Client) Status(ctx context.Context) (s status.Status, err error) {
	return s, c.do(ctx, "GET", "/v1/status", nil, &s)
}

// Settings returns the settings in force. A password that is set appears as [config.Unchanged].
func (c *Client) Settings(ctx context.Context) (s config.Settings, err error) {
	return s, c.do(ctx, "GET", "/v1/settings", nil, &s)
}

// Apply saves settings and puts them in force. If they are wrong, the error is an [*Error] with the faults.
func (c *Client) Apply(ctx context.Context, s config.Settings) error {
	return c.do(ctx, "PUT", "/v1/settings", settingsCall(s), nil)
}

// Trigger triggers a camera by hand and returns the id of the event.
func (c *Client) Trigger(ctx context.Context, camera, label string) (string, error) {
	var a triggerAnswer
	return a.Event, c.do(ctx, "POST", "/v1/trigger", triggerCall{camera, label, time.Time{}}, &a)
}

// TriggerAt triggers a camera by hand as if that had happened at a time which is still in RAM. The clip goes on up to
// now at least.
func (c *Client) TriggerAt(ctx context.Context, camera, label string, at time.Time) (string, error) {
	var a triggerAnswer
	return a.Event, c.do(ctx, "POST", "/v1/trigger", triggerCall{camera, label, at}, &a)
}

// Mail makes the recorder send itself an alarm mail for a camera.
func (c *Client) Mail(ctx context.Context, camera string) error {
	return c.do(ctx, "POST", "/v1/mail", triggerCall{Camera: camera}, nil)
}

// LogLines returns the last lines of the recorder's log, oldest first.
func (c *Client) LogLines(ctx context.Context) (list []string, err error) {
	return list, c.do(ctx, "GET", "/v1/log", nil, &list)
}

// Connections returns the last connections to the mail server, newest first.
func (c *Client) Connections(ctx context.Context) (list []status.Connection, err error) {
	return list, c.do(ctx, "GET", "/v1/connections", nil, &list)
}

// DropUnmatched empties the list of mails that fit no camera.
func (c *Client) DropUnmatched(ctx context.Context) error {
	return c.do(ctx, "DELETE", "/v1/unmatched", nil, nil)
}

// Callers returns who may trigger cameras by a call, the oldest first.
func (c *Client) Callers(ctx context.Context) (list []status.Caller, err error) {
	return list, c.do(ctx, "GET", "/v1/callers", nil, &list)
}

// AddCaller lets somebody call, with the name and the rights of a caller, and returns the token for it.
func (c *Client) AddCaller(ctx context.Context, add status.Caller) (n NewCaller, err error) {
	return n, c.do(ctx, "POST", "/v1/callers", add, &n)
}

// RemoveCaller takes a caller's right away.
func (c *Client) RemoveCaller(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", "/v1/callers/"+url.PathEscape(id), nil, nil)
}

// TryTarget sends a test to a target of word, and returns what became of it.
func (c *Client) TryTarget(ctx context.Context, id string) error {
	return c.do(ctx, "POST", "/v1/targets/"+url.PathEscape(id)+"/try", nil, nil)
}

// Probe tries a camera and returns its streams and a picture.
func (c *Client) Probe(ctx context.Context, cam config.Camera) (l status.ProbeResult, err error) {
	return l, c.do(ctx, "POST", "/v1/look", cameraCall(cam), &l)
}

// Events lists events, newest first.
func (c *Client) Events(ctx context.Context, q event.Query) (list []event.Event, err error) {
	v := valuesOf(q)
	if !q.Before.IsZero() {
		v.Set("before", q.Before.Format(time.RFC3339Nano))
		v.Set("before_id", q.BeforeID)
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Offset > 0 {
		v.Set("offset", strconv.Itoa(q.Offset))
	}
	return list, c.do(ctx, "GET", "/v1/events?"+v.Encode(), nil, &list)
}

func valuesOf(q event.Query) url.Values {
	v := url.Values{}
	for key, value := range map[string]string{"camera": q.Camera, "label": q.Label, "text": q.Text, "day": q.Day,
		"until": q.Until, "without": q.Without, "only": string(q.Only)} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if !q.After.IsZero() {
		v.Set("after", q.After.Format(time.RFC3339Nano))
	}
	return v
}

// Days lists the days with events that match a query, newest first.
func (c *Client) Days(ctx context.Context, q event.Query) (list []event.Day, err error) {
	return list, c.do(ctx, "GET", "/v1/days?"+valuesOf(q).Encode(), nil, &list)
}

// Choices returns the values by which events can be filtered.
func (c *Client) Choices(ctx context.Context) (v event.Choices, err error) {
	return v, c.do(ctx, "GET", "/v1/choices", nil, &v)
}

// Next returns the event that retention will remove next, or nil.
func (c *Client) Next(ctx context.Context) (n *event.Next, err error) {
	return n, c.do(ctx, "GET", "/v1/next", nil, &n)
}

// Verify reads the clips of an event back.
func (c *Client) Verify(ctx context.Context, id string) (v status.VerifyResult, err error) {
	return v, c.do(ctx, "POST", "/v1/events/"+url.PathEscape(id)+"/verify", nil, &v)
}

// Pause makes alarms save nothing for the duration d. 0 means until EndPause.
func (c *Client) Pause(ctx context.Context, d time.Duration) error {
	return c.do(ctx, "POST", "/v1/pause", pauseCall{event.Seconds(d)}, nil)
}

// EndPause ends a pause.
func (c *Client) EndPause(ctx context.Context) error {
	return c.do(ctx, "DELETE", "/v1/pause", nil, nil)
}

// SetAway says whether the user is away.
func (c *Client) SetAway(ctx context.Context, on bool) error {
	return c.do(ctx, "PUT", "/v1/away", protectCall{on}, nil)
}

// Still returns the newest picture of a camera as a JPEG, at most width pixels wide.
func (c *Client) Still(ctx context.Context, camera string, width int) (jpeg []byte, err error) {
	return jpeg, c.do(ctx, "GET", "/v1/cameras/"+url.PathEscape(camera)+"/still?width="+strconv.Itoa(width), nil, &jpeg)
}

// Stills returns a still of each camera that records, by id, as JPEGs at most width pixels wide.
func (c *Client) Stills(ctx context.Context, width int) (list map[string][]byte, err error) {
	return list, c.do(ctx, "GET", "/v1/stills?width="+strconv.Itoa(width), nil, &list)
}

// Folder checks a folder that somebody wants to use as "ram" or "archive".
func (c *Client) Folder(ctx context.Context, path, use string) (f status.Folder, err error) {
	return f, c.do(ctx, "POST", "/v1/folder", folderCall{path, use}, &f)
}

// Discover searches the local network for cameras, which takes some seconds.
func (c *Client) Discover(ctx context.Context) (list []status.DiscoveredCamera, err error) {
	return list, c.do(ctx, "POST", "/v1/discover", nil, &list)
}

// Why explains link by link why a camera has a clip of a time, or has none. camera "" means any camera.
func (c *Client) Why(ctx context.Context, camera string, at time.Time) (list []status.Finding, err error) {
	return list, c.do(ctx, "GET", "/v1/why?"+url.Values{"camera": {camera}, "time": {at.Format(time.RFC3339)}}.Encode(),
		nil, &list)
}

// Outages returns when cameras were not recorded between two times.
func (c *Client) Outages(ctx context.Context, from, to time.Time) (list []status.Outage, err error) {
	return list, c.do(ctx, "GET", "/v1/outages?"+url.Values{"from": {from.Format(time.RFC3339)},
		"to": {to.Format(time.RFC3339)}}.Encode(), nil, &list)
}

// Event returns one event.
func (c *Client) Event(ctx context.Context, id string) (e event.Event, err error) {
	return e, c.do(ctx, "GET", "/v1/events/"+url.PathEscape(id), nil, &e)
}

// Protect protects an event from retention, or ends the protection.
func (c *Client) Protect(ctx context.Context, id string, on bool) (e event.Event, err error) {
	return e, c.do(ctx, "POST", "/v1/events/"+url.PathEscape(id)+"/protect", protectCall{on}, &e)
}

// Restore brings an event back from the trash.
func (c *Client) Restore(ctx context.Context, id string) (e event.Event, err error) {
	return e, c.do(ctx, "POST", "/v1/events/"+url.PathEscape(id)+"/restore", nil, &e)
}

// Trash returns the events in the trash, newest deletion first on each drive.
func (c *Client) Trash(ctx context.Context) (list []event.Event, err error) {
	return list, c.do(ctx, "GET", "/v1/trash", nil, &list)
}

// EmptyTrash removes for good what was deleted. It returns how many bytes that freed.
func (c *Client) EmptyTrash(ctx context.Context) (int64, error) {
	var f freed
	err := c.do(ctx, "DELETE", "/v1/trash", nil, &f)
	return f.Bytes, err
}

// Delete moves an event and its files to the trash.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", "/v1/events/"+url.PathEscape(id), nil, nil)
}

// Forget removes an event from the list only. Its files stay where they are.
func (c *Client) Forget(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", "/v1/events/"+url.PathEscape(id)+"?files=stay", nil, nil)
}

// Drives returns the archive drives in the index.
func (c *Client) Drives(ctx context.Context) (list []status.Drive, err error) {
	return list, c.do(ctx, "GET", "/v1/drives", nil, &list)
}

// ForgetDrive removes the events of a drive from the list. Their files stay where they are. It returns the number of
// removed events.
func (c *Client) ForgetDrive(ctx context.Context, id string) (int, error) {
	var a forgetAnswer
	err := c.do(ctx, "DELETE", "/v1/drives/"+url.PathEscape(id), nil, &a)
	return a.Events, err
}

// Reindex rebuilds the index. It returns the number of events found, and the faults of sidecars that could not be used.
func (c *Client) Reindex(ctx context.Context) (found int, faults []string, err error) {
	var a reindexAnswer
	err = c.do(ctx, "POST", "/v1/reindex", nil, &a)
	return a.Found, a.Faults, err
}

// HandOver has the recorder end in favour of this process, whose state folder is given. It returns where the rings of
// the cameras end.
func (c *Client) HandOver(ctx context.Context, state string) (list []status.Cut, err error) {
	return list, c.do(ctx, "POST", "/v1/handover", handOverCall{state}, &list)
}

// StandBy returns when the recorder is about to end and waits for this process to take over, or with an error when the
// recorder is gone. The recorder waits no longer once stop was called.
func (c *Client) StandBy(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := c.send(ctx, "GET", "/v1/standby", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	end := func() {
		cancel()
		_ = resp.Body.Close()
	}
	if err := json.NewDecoder(resp.Body).Decode(&struct{}{}); err != nil {
		end()
		return nil, text.AskRecorder.Error(err)
	}
	return end, nil
}

// Times of [Client.Follow].
const (
	againSoon = 200 * time.Millisecond
	againOnce = time.Second // once the recorder counts as gone
	goneTime  = time.Second // a recorder that hands over to another one is away for less
)

// Follow calls f with what Watch gives, of whichever recorder runs, until ctx ends. first is set for the first update
// of each watch. When no recorder has answered for a moment, Follow calls gone.
func (c *Client) Follow(ctx context.Context, f func(u Update, first bool), gone func()) {
	seen, told := time.Now(), false
	for ctx.Err() == nil {
		first := true
		_ = c.Watch(ctx, func(u Update) {
			f(u, first)
			first = false
		})
		if !first {
			seen, told = time.Now(), false
		}
		if ctx.Err() == nil && !told && time.Since(seen) >= goneTime {
			told = true
			gone()
		}
		wait := againSoon
		if told {
			wait = againOnce
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// Watch calls f with the whole state and then with every change, until ctx ends or the recorder ends. It returns the
// error of ctx, [ErrNotRunning], or how the connection ended.
func (c *Client) Watch(ctx context.Context, f func(Update)) error {
	resp, err := c.send(ctx, "GET", "/v1/watch", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	d := json.NewDecoder(resp.Body)
	for {
		var u Update
		if err := d.Decode(&u); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("watch the recorder: %w", err)
		}
		f(u)
	}
}

// settingsCall and cameraCall send new passwords and tokens in plain text. A Secret would hide them, and only its owner
// can open the socket.
func settingsCall(s config.Settings) any {
	type plainSMTP struct {
		config.SMTP
		Password string `json:"password"`
	}
	type plain struct {
		config.Settings
		SMTP    plainSMTP `json:"smtp"`
		Cameras []any     `json:"camera"`
		Targets []any     `json:"target,omitempty"`
	}
	p := plain{Settings: s, SMTP: plainSMTP{s.SMTP, s.SMTP.Password.Reveal()}, Cameras: []any{}}
	for _, c := range s.Cameras {
		p.Cameras = append(p.Cameras, cameraCall(c))
	}
	for _, t := range s.Targets {
		p.Targets = append(p.Targets, struct {
			config.Target
			Token string `json:"token"`
		}{t, t.Token.Reveal()})
	}
	return p
}

func cameraCall(c config.Camera) any {
	return struct {
		config.Camera
		Password string `json:"password"`
	}{c, c.Password.Reveal()}
}

package recorder

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// TestCalls calls a running recorder as home automation does: the event is in the index before the answer. Settings
// switch the port on and off, and a port that is taken is a problem that says what to do.
func TestCalls(t *testing.T) {
	state := t.TempDir()
	gate := config.NewCamera()
	gate.ID, gate.Name, gate.URL = "gate", "Gate", "rtsp://127.0.0.1:1/x"
	s := testSettings(t, gate)
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, _, err := r.AddCaller(status.Caller{Name: "Bell", Camera: "attic"}); err == nil {
		t.Error("a caller of a camera that there is not was added")
	}
	_, token, err := r.AddCaller(status.Caller{Name: "Bell", Camera: "gate"})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Status(ctx).Calls; c.Listen != "" || !c.Error.IsZero() {
		t.Errorf("calls are off: got %+v", c)
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Calls.Listen = taken.Addr().String()
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the problem of a taken port", 10*time.Second, func() bool {
		for _, p := range r.Status(ctx).Problems {
			if p.Code == "calls" && strings.Contains(p.Hint.String(), "calls.listen") {
				return true
			}
		}
		return false
	}, nil)
	_ = taken.Close()
	s.Calls.Listen = "127.0.0.1:0"
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "a port for calls", 10*time.Second, func() bool { return r.Status(ctx).Calls.Listen != "" }, nil)
	call := func(token string) int {
		t.Helper()
		resp, err := http.Get("http://" + r.Status(ctx).Calls.Listen + "/api/trigger/gate?label=doorbell&token=" +
			token)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}

	if got := call("wrong"); got != http.StatusUnauthorized || r.Status(ctx).Calls.Refused != 1 {
		t.Errorf("a wrong token: got %d, %+v", got, r.Status(ctx).Calls)
	}
	r.Pause(time.Time{})
	if got := call(token); got != http.StatusOK || r.Status(ctx).Pause.Missed != 1 {
		t.Errorf("in a pause: got %d", got)
	}
	r.EndPause()
	if got := call(token); got != http.StatusAccepted {
		t.Errorf("got %d, want 202", got)
	}
	list, err := r.Events(ctx, event.Query{})
	if err != nil || len(list) != 1 || len(list[0].Triggers) != 1 {
		t.Fatalf("got %+v, %v, want one event", list, err)
	}
	if got := list[0].Triggers[0]; got.Source != event.Call || got.Label != "doorbell" || got.Sender != "Bell" {
		t.Errorf("got the trigger %+v", got)
	}
	poll.Until(t, "the answer why", 10*time.Second, func() bool { // the history is written a little later
		why, err := r.Why(ctx, "gate", time.Now())
		said := ""
		for _, f := range why {
			said += f.Text.String() + "\n"
		}
		return err == nil && strings.Contains(said, "from Bell (127.0.0.1)") &&
			strings.Contains(said, "but Preroll was paused")
	}, nil)

	_, measures, err := r.AddCaller(status.Caller{Name: "Prometheus", Metrics: true})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + r.Status(ctx).Calls.Listen + "/metrics?token=" + measures)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(b), "preroll_camera_recording{camera=\"gate\"} 0\n") ||
		!strings.Contains(string(b), "preroll_calls_refused_total 1\n") {
		t.Errorf("the measures: %v\n%s", err, b)
	}

	if err := r.RemoveCaller(r.Callers()[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := call(token); got != http.StatusUnauthorized {
		t.Errorf("a removed caller: got %d, want 401", got)
	}
	s.Calls.Listen = ""
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the end of the port", 10*time.Second, func() bool { return r.Status(ctx).Calls.Listen == "" }, nil)
}

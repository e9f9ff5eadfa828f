package recorder

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/outbox"
	"github.com/preroll/preroll/recorder/text"
)

// TestWord checks that a running recorder tells a target of an alarm, of its end, and of a test, in the user's
// language.
func TestWord(t *testing.T) {
	poll.RealTime(t)
	var mu sync.Mutex
	var got []outbox.Word
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var w outbox.Word
		if err := json.NewDecoder(r.Body).Decode(&w); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, w)
	}))
	t.Cleanup(s.Close)
	words := func() []outbox.Word {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}

	state := t.TempDir()
	gate := config.NewCamera()
	gate.ID, gate.Name, gate.URL = "gate", "Gate", "rtsp://127.0.0.1:1/x"
	set := testSettings(t, gate)
	set.Language = "de"
	set.Clip.PostRoll = config.Duration(time.Second)
	target := config.NewTarget()
	target.ID, target.Kind, target.URL, target.Token, target.Saved = "phone", config.Webhook, s.URL, "x", true
	set.Targets = []config.Target{target}
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: set, Log: slog.New(slog.DiscardHandler),
		Say: func(language string, t text.Text) string { return language + " " + t.String() }})
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
	if err := r.TryTarget(ctx, "phone"); err != nil || len(words()) != 1 || words()[0].Kind != outbox.Test {
		t.Fatalf("a test: got %+v, %v", words(), err)
	}
	id, err := r.Trigger(ctx, "gate", event.Trigger{Time: time.Now(), Source: event.Manual, Label: "person"})
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "word of the alarm and of its end", 30*time.Second, func() bool { return len(words()) == 3 }, nil)
	alarm, end := words()[1], words()[2]
	if alarm.Kind != outbox.Alarm || alarm.Event != id || alarm.Title != "de Alarm: Gate" || alarm.Camera != "gate" {
		t.Errorf("got %+v", alarm)
	}
	if end.Kind != outbox.Saved || end.Event != id || end.State != "failed" ||
		!strings.HasPrefix(end.Title, "de No clip") {
		t.Errorf("got %+v", end)
	}
	poll.Until(t, "both to count as sent", 10*time.Second, func() bool { // which is after the receiver has them
		st := r.Status(ctx).Targets
		return len(st) == 1 && st[0].Sent == 2 && st[0].Waiting == 0
	}, nil)
}

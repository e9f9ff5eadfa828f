package recorder

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/triggertest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/trigger"
)

// button is a source that the test presses.
type button struct {
	pressed chan chan error
	camera  string
	trigger event.Trigger
}

func (b *button) Name() event.Source { return "button" }

func (b *button) Run(ctx context.Context, emit trigger.Emit) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-b.pressed:
			_, err := emit(ctx, b.camera, b.trigger)
			answer <- err
		}
	}
}

func (b *button) press(ctx context.Context) error {
	answer := make(chan error, 1)
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	select {
	case b.pressed <- answer:
		return <-answer
	case <-limited.Done():
		return limited.Err()
	}
}

func TestButtonIsASource(t *testing.T) {
	b := &button{make(chan chan error), "gate", event.Trigger{}}
	triggertest.Test(t, b, "gate", func() { b.trigger.Time = time.Now() }, b.press)
}

// broken is a source that ends at once.
type broken struct{ ran chan struct{} }

func (broken) Name() event.Source { return "broken" }

func (b broken) Run(context.Context, trigger.Emit) error {
	b.ran <- struct{}{}
	return errors.New("the broker is gone")
}

// TestSources checks what a program's own source gets: an error for an unknown camera, and no error in a pause. Another
// source that ends does not end the recorder.
func TestSources(t *testing.T) {
	b, other := &button{pressed: make(chan chan error)}, broken{make(chan struct{}, 10)}
	state := t.TempDir()
	gate := config.NewCamera()
	gate.ID, gate.URL = "gate", "rtsp://127.0.0.1:1/x"
	s := testSettings(t, gate)
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: s, Log: slog.New(slog.DiscardHandler), Sources: []trigger.Source{other, b}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-other.ran
	press := func(camera string, tr event.Trigger) error {
		b.camera, b.trigger = camera, tr
		return b.press(ctx)
	}
	r.Pause(time.Time{})
	if err := press("nobody", event.Trigger{}); !errors.Is(err, ErrNoCamera) {
		t.Errorf("got %v, want %v", err, ErrNoCamera)
	}
	if err := press("gate", event.Trigger{}); err != nil {
		t.Errorf("in a pause: %v", err)
	}
	if p := r.Status(ctx).Pause; p.Missed != 1 {
		t.Errorf("%d alarms missed, want 1", p.Missed)
	}
	r.EndPause()
	if err := press("gate", event.Trigger{Label: " motion\n", From: "a\x1b[31m"}); err != nil {
		t.Fatal(err)
	}
	list, err := r.Events(ctx, event.Query{})
	if err != nil || len(list) != 1 || len(list[0].Triggers) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	got := list[0].Triggers[0]
	if got.Time.IsZero() || got.Source != "button" || got.Label != "motion" || got.From != "a[31m" {
		t.Errorf("got the trigger %+v", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

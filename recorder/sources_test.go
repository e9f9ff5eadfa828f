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
type button struct{ pressed chan chan error }

func (b *button) Name() event.Source { return "button" }

func (b *button) Run(ctx context.Context, emit trigger.Emit) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-b.pressed:
			_, err := emit(ctx, "gate", event.Trigger{Time: time.Now()})
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
	b := &button{make(chan chan error)}
	triggertest.Test(t, b, "gate", func() {}, b.press)
}

// TestSources checks what a program's own source gets: an error for an unknown camera, and no error in a pause.
func TestSources(t *testing.T) {
	b := &button{make(chan chan error)}
	state := t.TempDir()
	s := testSettings(t)
	r, err := New(t.Context(), Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state},
		Settings: s, Log: slog.New(slog.DiscardHandler), Sources: []trigger.Source{b}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	if err := b.press(ctx); !errors.Is(err, ErrNoCamera) {
		t.Errorf("got %v, want %v", err, ErrNoCamera)
	}
	r.Pause(time.Time{})
	if err := b.press(ctx); err != nil {
		t.Errorf("in a pause: %v", err)
	}
	if p := r.Status(ctx).Pause; p.Missed != 1 {
		t.Errorf("%d alarms missed, want 1", p.Missed)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Package triggertest holds the contract of a trigger.Source, as a test that each source runs.
package triggertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/trigger"
)

// call is one call of emit, which waits for its answer.
type call struct {
	camera string
	t      event.Trigger
	answer chan error
}

// limit is how long a source may take for a step.
const limit = 20 * time.Second

// Test checks that a source keeps the contract. ready waits until it takes signals. send gives it the signal of a
// camera as a sender would, and returns nil once the source has said yes.
func Test(t *testing.T, s trigger.Source, camera string, ready func(), send func(context.Context) error) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := make(chan call)
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(ctx context.Context, camera string, tr event.Trigger) (string, error) {
			c := call{camera, tr, make(chan error)}
			select {
			case calls <- c:
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			select {
			case err := <-c.answer:
				return "event", err
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		})
	}()
	ready()
	sent := func() (call, chan error) {
		t.Helper()
		said := make(chan error, 1)
		go func() { said <- send(ctx) }()
		select {
		case c := <-calls:
			return c, said
		case err := <-said:
			t.Fatalf("the sender was answered (%v) before emit was called", err)
		case <-time.After(limit):
			t.Fatal("emit was not called")
		}
		panic("unreachable")
	}

	before := time.Now()
	c, said := sent()
	if c.camera != camera {
		t.Errorf("emit got the camera %q, want %q", c.camera, camera)
	}
	if c.t.Time.Before(before.Add(-time.Second)) || c.t.Time.After(time.Now()) {
		t.Errorf("the signal began at %s, want a time after %s", c.t.Time, before)
	}
	if c.t.Source != s.Name() && c.t.Source != "" {
		t.Errorf("the alarm came from %q, want %q", c.t.Source, s.Name())
	}
	select {
	case err := <-said:
		t.Errorf("the sender was answered (%v) while the event was not durable", err)
	case <-time.After(200 * time.Millisecond):
	}
	c.answer <- nil
	if err := answerOf(t, said); err != nil {
		t.Errorf("the sender got %v, want yes", err)
	}

	c, said = sent()
	c.answer <- errors.New("the index is away")
	if answerOf(t, said) == nil {
		t.Error("the sender got yes for an alarm that is not durable")
	}

	_, said = sent() // is never answered: the source ends all the same
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run returned %v, want nil", err)
		}
	case <-time.After(limit):
		t.Fatal("Run does not end with its context")
	}
	if answerOf(t, said) == nil {
		t.Error("the sender got yes from a source that ended")
	}
	poll.Until(t, "the end of the source", limit, func() bool { return send(context.Background()) != nil }, nil)
}

func answerOf(t *testing.T, said chan error) error {
	t.Helper()
	select {
	case err := <-said:
		return err
	case <-time.After(limit):
		t.Fatal("the sender was not answered")
		return nil
	}
}

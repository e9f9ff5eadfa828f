package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/control"
)

// Times of the keeper.
const (
	lookEvery  = time.Second      // how often it looks for the service of this machine while it records itself
	returnTime = 15 * time.Second // how long it waits for a recorder that takes over, or that ended without a word
	againTime  = 5 * time.Second  // after its own recorder failed
)

// keeper has a recorder run as long as the desktop program does. If the user has a service, or the machine has one,
// that is the recorder, and the keeper stands by. Else the keeper records. Two never record at once for longer than
// open events take to end.
type keeper struct {
	e    *env
	demo bool
	log  *slog.Logger
	said string // what was last printed about whom it joined

	until time.Time // when to wait no longer for another recorder to appear
}

// run keeps a recorder running until ctx ends. It returns an error if the first one cannot start.
func (k *keeper) run(ctx context.Context) error {
	for first := true; ctx.Err() == nil; first = false {
		stop, err := k.join(ctx)
		if ctx.Err() != nil { // a second start of the tray ends while it stands by
			return nil
		}
		if err == nil {
			err = k.record(ctx, stop)
		}
		switch {
		case errors.Is(err, recorder.ErrHandedOver):
			k.log.Info("another recorder has taken over")
			k.until = time.Now().Add(returnTime)
		case errors.Is(err, errRunning): // it began in this moment
		case ctx.Err() != nil || first:
			return err
		case err != nil:
			k.log.Error("no recorder runs", "err", err, "retry_in", againTime)
			waitFor(ctx, againTime)
		}
	}
	return nil
}

// record records until ctx ends or another process takes over. If there is a recorder that stands to be replaced, stop
// tells it that nobody comes any more. When the service of this machine runs, the recorder finishes its open events and
// ends.
func (k *keeper) record(ctx context.Context, stop func()) error {
	var at seat
	s, err := startSettings(k.e, k.demo)
	if err == nil {
		at, err = listen(ctx, k.e, s, k.log, stop != nil)
	}
	if stop != nil {
		stop()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	joins := make(chan struct{})
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	looking.Go(func() {
		for k.e.paths.Service != "" {
			select {
			case <-time.After(lookEvery):
			case <-ctx.Done():
				return
			}
			if listens(ctx, k.e.paths.Service) {
				close(joins)
				return
			}
		}
	})
	return serve(ctx, k.e, s, at, k.log, joins)
}

// listens reports whether a recorder listens on a socket.
func listens(ctx context.Context, socket string) bool {
	c, err := control.Dial(ctx, socket)
	return err == nil && c.Close() == nil
}

// join stands by as long as another recorder runs. It returns when this process shall record: nobody does, or the
// recorder with the same settings is about to end and waits to be replaced until stop is called; else stop is nil. The
// error says why the recorder that runs cannot be used.
func (k *keeper) join(ctx context.Context) (stop func(), err error) {
	for ctx.Err() == nil {
		socket := k.running(ctx)
		if socket == "" {
			if _, err := k.e.client.Status(ctx); errors.Is(err, control.ErrNoAccess) {
				return nil, err
			}
			if time.Now().After(k.until) {
				return nil, nil
			}
			waitFor(ctx, 100*time.Millisecond)
			continue
		}
		c := control.NewClient(socket)
		k.say(ctx, c)
		stop, err := c.StandBy(ctx)
		k.until = time.Now().Add(returnTime)
		switch {
		case err != nil: // it is gone, or of a version that does not know the call
			waitFor(ctx, time.Second)
		case socket == k.e.paths.Socket:
			return func() { stop(); c.Close() }, nil
		default:
			if _, err = c.HandOver(ctx, k.e.paths.State); err == nil {
				k.until = time.Now()
				for ctx.Err() == nil && listens(ctx, socket) {
					waitFor(ctx, 20*time.Millisecond)
				}
			}
			stop()
		}
		c.Close()
	}
	return nil, nil
}

// running returns the socket of the recorder that runs, or "".
func (k *keeper) running(ctx context.Context) string {
	for _, s := range k.e.paths.Sockets() {
		if listens(ctx, s) {
			return s
		}
	}
	return ""
}

// waitFor waits, but no longer than until ctx ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// say prints whose recorder is joined.
func (k *keeper) say(ctx context.Context, c *control.Client) {
	s, err := c.Status(ctx)
	if err != nil {
		return
	}
	text := fmt.Sprintf("Joining the recorder that is running already, with %s.", s.Settings)
	if s.Version != recorder.Version() {
		text += fmt.Sprintf(" It is version %s, and this is %s: start both again.", s.Version, recorder.Version())
	}
	if text != k.said {
		k.said = text
		fmt.Fprintln(k.e.out, text)
	}
}

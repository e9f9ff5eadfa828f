// Package instance allows only one tray and one window per settings file. A second start sends its request to the first
// process and ends. The tray and the window each answer POST /v1/ui on their own socket beside the recorder's socket,
// so they can be asked while no recorder runs.
package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

// Kind is one of the desktop programs.
type Kind string

// The desktop programs.
const (
	Tray   Kind = "tray"
	Window Kind = "window"
)

// Request is what a second start or the other program asks for.
type Request struct {
	Quit  bool   `json:"quit"`  // end Preroll, and the recording that the tray started
	Page  string `json:"page"`  // if not Quit, show this page, one of control.Pages; "" is the last one
	Event string `json:"event"` // id of an event to show
	Seen  bool   `json:"seen"`  // the user has seen events; nothing else is asked
}

const (
	maxBody = 4 << 10         // max bytes of a request
	limit   = 5 * time.Second // max time for a request and its answer
)

// Listen makes this process the only one of its kind. If another one runs, the error is [control.ErrTaken].
func Listen(p config.Paths, k Kind) (net.Listener, error) { return control.Listen(socket(p, k), "") }

func socket(p config.Paths, k Kind) string { return p.Socket + "-" + string(k) }

// Claim makes this process the only one of its kind, or has the process that is it already do what is asked; then it
// returns nil for both. While that process ends, Claim waits for its place. It returns [ErrNoAnswer] if the other
// process is there and does not answer: it hangs, or is of another version.
func Claim(ctx context.Context, p config.Paths, k Kind, asked Request) (net.Listener, error) {
	for began := time.Now(); ; {
		ln, err := Listen(p, k)
		if !errors.Is(err, control.ErrTaken) {
			return ln, err
		}
		if err = Send(ctx, p, k, asked); err == nil {
			return nil, nil
		}
		if ctx.Err() != nil || time.Since(began) > limit {
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// ErrNoAnswer is the error for a program that runs already and does not answer.
var ErrNoAnswer = errors.New("it runs already and does not answer")

// Serve calls do for each request, one at a time, until ctx ends. do reports whether it did what was asked; it does
// nothing once its program ends. Serve returns when all requests are answered.
func Serve(ctx context.Context, ln net.Listener, do func(Request) bool) {
	turn := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/ui", func(w http.ResponseWriter, r *http.Request) {
		var asked Request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		turn <- struct{}{}
		defer func() { <-turn }()
		if !do(asked) {
			http.Error(w, "it ends", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	srv := &http.Server{Handler: mux, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(end) // waits for the answer to the request to quit
		_ = srv.Close()
	}()
	_ = srv.Serve(ln) // returns when ctx ends
	<-answered
}

// Send sends a request to the running program of kind k. It returns an error if none runs.
func Send(ctx context.Context, p config.Paths, k Kind, asked Request) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return control.Dial(ctx, socket(p, k))
		}}}
	b, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://preroll/v1/ui", bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("ask the %s: %w", k, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("ask the %s: it answered %s", k, resp.Status)
	}
	return nil
}

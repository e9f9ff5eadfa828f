package instance

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

func TestSecondStart(t *testing.T) {
	t.Parallel()
	p := config.Paths{Socket: filepath.Join(t.TempDir(), "s")}
	for _, k := range []Kind{Tray, Window} {
		if err := Send(t.Context(), p, k, Request{}); err == nil {
			t.Errorf("the %s answers before it was started", k)
		}
		ln, err := Listen(p, k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(p, k); !errors.Is(err, control.ErrTaken) {
			t.Errorf("a second %s: got %v, want %v", k, err, control.ErrTaken)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got, ended := make(chan Request, 10), make(chan struct{})
		go func() {
			Serve(ctx, ln, func(r Request) bool { got <- r; return true })
			close(ended)
		}()
		for _, want := range []Request{{}, {Quit: true}, {Page: "settings", Event: "e1"}} {
			if err := Send(t.Context(), p, k, want); err != nil {
				t.Fatal(err)
			}
			if r := <-got; r != want {
				t.Errorf("the %s got %+v, want %+v", k, r, want)
			}
		}
		if err := Send(t.Context(), p, k, Request{Page: strings.Repeat("x", 2*maxBody)}); err == nil || len(got) != 0 {
			t.Errorf("a request without end: %v", err)
		}
		c, err := control.Dial(t.Context(), socket(p, k)) // sends nothing, which must block nobody
		if err != nil {
			t.Fatal(err)
		}
		defer func(c net.Conn) { _ = c.Close() }(c)
		if err := Send(t.Context(), p, k, Request{}); err != nil {
			t.Error(err)
		}
		cancel()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("the %s does not end", k)
		}
	}
}

// TestQuitIsAnswered: the server that a request ends answers it first.
func TestQuitIsAnswered(t *testing.T) {
	t.Parallel()
	p := config.Paths{Socket: filepath.Join(t.TempDir(), "s")}
	for i := range 100 {
		ln, err := Listen(p, Tray)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			Serve(ctx, ln, func(Request) bool { cancel(); return true })
			close(ended)
		}()
		if err := Send(t.Context(), p, Tray, Request{Quit: true}); err != nil {
			t.Errorf("the request %d to quit was not answered: %v", i, err)
		}
		<-ended
	}
}

// TestClaim: a second start waits for the place of a program that ends, and says so if the program never answers.
func TestClaim(t *testing.T) {
	t.Parallel()
	p := config.Paths{Socket: filepath.Join(t.TempDir(), "s")}
	first, err := Claim(t.Context(), p, Window, Request{})
	if err != nil || first == nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan Request, 100), make(chan struct{})
	ending := false
	go func() {
		Serve(ctx, first, func(r Request) bool {
			asked <- r
			if ending {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			return !ending
		})
		close(ended)
	}()
	if ln, err := Claim(t.Context(), p, Window, Request{Page: "health"}); ln != nil || err != nil {
		t.Errorf("beside a program that runs: got %v, %v", ln, err)
	}
	if r := <-asked; r.Page != "health" {
		t.Errorf("got %+v", r)
	}
	ending = true // no request is under way
	ln, err := Claim(t.Context(), p, Window, Request{Event: "e1"})
	if err != nil || ln == nil {
		t.Fatalf("after a program that ends: got %v, %v", ln, err)
	}
	<-ended

	go func() { // a version that speaks otherwise
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	if other, err := Claim(t.Context(), p, Window, Request{}); !errors.Is(err, ErrNoAnswer) || other != nil {
		t.Errorf("beside a program of another version: got %v, %v, want %v", other, err, ErrNoAnswer)
	}
	_ = ln.Close()
}

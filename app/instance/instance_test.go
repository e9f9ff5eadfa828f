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
			Serve(ctx, ln, func(r Request) { got <- r })
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

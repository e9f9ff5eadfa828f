package tray

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/recorder/config"
)

// TestTrayOfAnotherVersion checks that a second start beside a tray that does not answer, such as one from before an
// update, is no failed start.
func TestTrayOfAnotherVersion(t *testing.T) {
	t.Parallel()
	places := config.Paths{Socket: filepath.Join(t.TempDir(), "s")}
	ln, err := instance.Listen(places, instance.Tray)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	if err := Run(t.Context(), Options{Paths: places, Page: "events", Log: log}); err != nil {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(said.String(), "tray does not answer") {
		t.Errorf("the log says %q", said.String())
	}
	_ = ln.Close()
	<-closed
}

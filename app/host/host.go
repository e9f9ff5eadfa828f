// Package host does what Preroll needs from the desktop: it finds out whether the desktop shows tray icons, makes
// Preroll start at login, and makes a RAM disk. It also passes commands from a second start or from the window to a
// running tray.
package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

// Command is what a running tray is asked to do, sent as one line of JSON. A connection without data means "open".
type Command struct {
	Do string `json:"do"`
}

// The commands.
const (
	DoOpen = "open" // open the window
	DoQuit = "quit" // end Preroll, including the recording that the tray started
)

// OrderSocket returns the path of the socket on which the tray of a settings file listens.
func OrderSocket(p config.Paths) string { return p.Socket + "-tray" }

// Open makes the tray of a settings file open its window. Open returns an error if no tray runs.
func Open(ctx context.Context, p config.Paths) error { return send(ctx, p, DoOpen) }

// Quit ends the tray of a settings file. Desktops without tray icons need it. Quit returns an error if no tray runs.
func Quit(ctx context.Context, p config.Paths) error { return send(ctx, p, DoQuit) }

func send(ctx context.Context, p config.Paths, do string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, OrderSocket(p))
	if err != nil {
		return fmt.Errorf("tell the tray to %s: %w", do, err)
	}
	defer func() { _ = c.Close() }()
	end, _ := ctx.Deadline()
	_ = c.SetDeadline(end)
	if err := json.NewEncoder(c).Encode(Command{do}); err != nil {
		return fmt.Errorf("tell the tray to %s: %w", do, err)
	}
	_, _ = io.Copy(io.Discard, c) // the tray closes the connection when it has read the command
	return nil
}

// startCommand returns the command that the desktop runs at login.
func startCommand(configFile string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := []string{self, "--background"}
	if configFile != "" && configFile != config.DefaultFile() {
		c = append(c, "--config", configFile)
	}
	return c, nil
}

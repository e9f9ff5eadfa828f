// Package host is what Preroll asks of the desktop that it runs on: whether it shows tray icons, to start Preroll at
// login, and to make a RAM disk. It also tells a running tray what a second start or the window wants of it.
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

// Command is what a running tray is told, one line of JSON. An empty connection means "open".
type Command struct {
	Do string `json:"do"`
}

// The orders.
const (
	DoOpen = "open" // open the window
	DoQuit = "quit" // end Preroll, and with it the recording that the tray began
)

// OrderSocket is where the tray of a settings file listens.
func OrderSocket(p config.Paths) string { return p.Socket + "-tray" }

// Open makes the tray of a settings file open its window.
func Open(ctx context.Context, p config.Paths) error { return send(ctx, p, DoOpen) }

// Quit ends the tray of a settings file, for desktops that show no tray icon to quit by. It is an error if none runs.
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
	_, _ = io.Copy(io.Discard, c) // the tray closes when it has read the order
	return nil
}

// startCommand is what the desktop is to run at login.
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

package notify

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// script shows notifications through osascript: title and text, without picture and actions. No notification replaces
// another. The text of a notification is passed as arguments, never inside the script.
type script struct{}

// New returns the notifier of this platform.
func New() Notifier { return script{} }

func (script) Close(string) error { return nil }

func (script) Stop() {}

func (script) Show(n Notification) error {
	if n.Update {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := exec.CommandContext(ctx, "osascript", "-e", "on run argv", "-e",
		"display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", n.Title, n.Body).Run()
	if err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	return nil
}

package notify

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// script shows notes by the system's own scripting: title and text, with no picture and no actions, and none replaces
// another. What a note says travels by arguments, never inside the script.
type script struct{}

// New returns the platform's notifier.
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

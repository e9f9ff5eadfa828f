//go:build windows || darwin

package notify

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// script shows notes by the system's own scripting, without pictures' actions: what a note says travels by environment
// and arguments, never inside the script.
type script struct{}

// New returns the platform's notifier.
func New() (Notifier, error) { return script{}, nil }

func (script) Close() {}

const toast = `
[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
$x = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$t = $x.GetElementsByTagName('text')
[void]$t.Item(0).AppendChild($x.CreateTextNode($env:PREROLL_TITLE))
[void]$t.Item(1).AppendChild($x.CreateTextNode($env:PREROLL_BODY))
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('Preroll').Show([Windows.UI.Notifications.ToastNotification]::new($x))`

func (script) Show(n Note) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "osascript", "-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", n.Title, n.Body)
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, "powershell", "-NoProfile", "-NonInteractive", "-WindowStyle", "Hidden", "-Command", toast)
		cmd.Env = append(os.Environ(), "PREROLL_TITLE="+n.Title, "PREROLL_BODY="+n.Body)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	return nil
}

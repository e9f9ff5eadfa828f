package notify

import (
	"context"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// script shows toasts through PowerShell and under PowerShell's identity, because a program that is not registered has
// no identity. A toast has a title, a text and a picture. A click does nothing and there are no buttons, because both
// need a registered program. The text of a notification is passed in the environment, never inside the script.
type script struct{}

// New returns the notifier of this platform.
func New() Notifier { return script{} }

func (script) Close(string) error { return nil }

func (script) Stop() {}

const show = `
[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
[void][Windows.Data.Xml.Dom.XmlDocument, Windows.Data.Xml.Dom, ContentType = WindowsRuntime]
$x = New-Object Windows.Data.Xml.Dom.XmlDocument
$x.LoadXml($env:PREROLL_TOAST)
$t = New-Object Windows.UI.Notifications.ToastNotification $x
$t.Tag = $env:PREROLL_TAG
$t.Group = 'preroll'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe').Show($t)`

func (script) Show(n Notification) error {
	if n.Update {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // PowerShell may start slowly
	defer cancel()
	key := fnv.New64a()
	_, _ = key.Write([]byte(n.Key))
	if n.Key == "" {
		_, _ = fmt.Fprint(key, time.Now().UnixNano())
	}
	cmd := exec.CommandContext(ctx, "powershell", "-NoProfile", "-NonInteractive", "-Command", show)
	cmd.Env = append(os.Environ(), "PREROLL_TOAST="+toast(n), fmt.Sprintf("PREROLL_TAG=%x", key.Sum64()))
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	return nil
}

// toast encodes a notification in the toast schema.
func toast(n Notification) string {
	var b strings.Builder
	text := func(s string) {
		b.WriteString("<text>")
		_ = xml.EscapeText(&b, []byte(s)) // a write to a builder never fails
		b.WriteString("</text>")
	}
	b.WriteString(`<toast><visual><binding template="ToastGeneric">`)
	text(n.Title)
	text(n.Body)
	if n.Picture != "" {
		b.WriteString(`<image src="`)
		_ = xml.EscapeText(&b, []byte((&url.URL{Scheme: "file", Path: "/" + filepath.ToSlash(n.Picture)}).String()))
		b.WriteString(`"/>`)
	}
	b.WriteString(`</binding></visual></toast>`)
	return b.String()
}

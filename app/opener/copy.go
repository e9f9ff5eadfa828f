package opener

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrNoClipboard means that no tool was found that puts files on the clipboard.
var ErrNoClipboard = errors.New("no tool for the clipboard; install wl-clipboard (Wayland) or xclip (X11)")

// CopyFile puts the file itself on the clipboard, so that it can be pasted into a file manager, a mail or a chat.
func CopyFile(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	switch runtime.GOOS {
	case "windows":
		return runWith([]string{"PREROLL_FILE=" + path}, "", "powershell", "-NoProfile", "-NonInteractive", "-Command",
			"Set-Clipboard -LiteralPath $env:PREROLL_FILE")
	case "darwin":
		return run("osascript", "-e", "on run argv", "-e", "set the clipboard to (POSIX file (item 1 of argv))", "-e",
			"end run", path)
	}

	tool := clipboardTool()
	if tool == nil {
		return ErrNoClipboard
	}
	return runWith(nil, fileURI(path)+"\r\n", tool[0], tool[1:]...) // text/uri-list, RFC 2483
}

// clipboardTool returns the command that takes a text/uri-list, or nil. Both tools leave a process behind that serves
// the clipboard.
func clipboardTool() []string {
	for _, t := range []struct {
		display string
		command []string
	}{
		{"WAYLAND_DISPLAY", []string{"wl-copy", "-t", "text/uri-list"}},
		{"DISPLAY", []string{"xclip", "-selection", "clipboard", "-t", "text/uri-list"}},
	} {
		if os.Getenv(t.display) == "" {
			continue
		}
		if _, err := exec.LookPath(t.command[0]); err == nil {
			return t.command
		}
	}

	return nil
}

func fileURI(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

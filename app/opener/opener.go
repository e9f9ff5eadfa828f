// Package opener hands files and folders to the desktop: the default player, the file manager.
package opener

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// limit is how long the desktop may take to accept.
const limit = 20 * time.Second

// Open opens a file or folder in the desktop's own program for it. It waits until the desktop has accepted.
func Open(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	switch runtime.GOOS {
	case "windows":
		return run("rundll32", "url.dll,FileProtocolHandler", path)
	case "darwin":
		return run("open", path)
	}
	return run("xdg-open", path)
}

// OpenFolder opens a folder, or where it is not there yet, the nearest one above it.
func OpenFolder(path string) error {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return Open(path)
		}
		path = filepath.Dir(path)
	}
}

// Reveal shows a file in the file manager, selected where that can be asked for.
func Reveal(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("show in folder: %w", err)
	}
	switch runtime.GOOS {
	case "windows":
		_ = run("explorer", "/select,"+path) // explorer's exit code says nothing
		return nil
	case "darwin":
		return run("open", "-R", path)
	}
	if showItem(path) == nil {
		return nil
	}
	return Open(filepath.Dir(path))
}

func run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := exec.CommandContext(ctx, name, args...).Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

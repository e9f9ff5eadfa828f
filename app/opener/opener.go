// Package opener hands files and folders to the desktop: the default player, the file manager.
package opener

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// limit is how long the desktop may take to accept.
const limit = 20 * time.Second

var errSlow = errors.New("the desktop does not answer")

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
	err := run("xdg-open", path)
	if errors.Is(err, errSlow) { // with no desktop environment it waits until the player ends; the player goes on
		return nil
	}
	return err
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

func run(name string, args ...string) error { return runWith(nil, "", name, args...) }

// runWith runs a command with more in its environment and an input.
func runWith(env []string, input, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	if env != nil {
		cmd.Env = append(os.Environ(), env...)
	}
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	hide(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errSlow
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

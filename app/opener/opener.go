// Package opener opens files and folders in the programs of the desktop, such as the default player and the file
// manager.
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

// limit is the max time in which the desktop must accept a request.
const limit = 20 * time.Second

var errSlow = errors.New("the desktop does not answer")

// Open opens a file or folder in the desktop's program for it. Open waits until the desktop has accepted the request.
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
	if errors.Is(err, errSlow) { // without a desktop environment, xdg-open waits for the player; the player goes on
		return nil
	}
	return err
}

// OpenFolder opens a folder. If the folder does not exist, OpenFolder opens the nearest existing folder above it.
func OpenFolder(path string) error {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return Open(path)
		}
		path = filepath.Dir(path)
	}
}

// Reveal shows a file in the file manager, and selects the file where the platform can.
func Reveal(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("show in folder: %w", err)
	}
	switch runtime.GOOS {
	case "windows":
		_ = run("explorer", "/select,"+path) // the exit code of explorer says nothing
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

// runWith runs a command with additional environment variables and an input.
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

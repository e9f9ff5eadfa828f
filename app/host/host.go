// Package host does what Preroll needs from the desktop: it finds out whether the desktop shows tray icons, makes
// Preroll start at login and now, has it write a report, and makes a RAM disk.
package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/preroll/preroll/recorder/config"
)

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

// Start starts Preroll with a settings file, apart from this process. It does not open a window.
func Start(configFile string) error {
	command, err := startCommand(configFile)
	if err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Preroll: %w", err)
	}
	go func() { _ = cmd.Wait() }() // so that no zombie is left
	return nil
}

// Diagnostics returns what the makers of Preroll need to know, as text without passwords.
func Diagnostics(ctx context.Context, configFile string) (string, error) {
	return diagnose(ctx, configFile, "-")
}

// Report writes the report for the makers of Preroll to a new file.
func Report(ctx context.Context, configFile, path string) error {
	_, err := diagnose(ctx, configFile, path)
	return err
}

// diagnose runs the command diagnose, and returns what it prints.
func diagnose(ctx context.Context, configFile, to string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, self, "diagnose", "--config", configFile, to)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("report: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return string(out), nil
}

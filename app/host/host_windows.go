package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/preroll/preroll/app/words"
)

const (
	runKey = `Software\Microsoft\Windows\CurrentVersion\Run`

	// approvedKey is where the task manager stores which entries of runKey the user switched off: their first byte is
	// odd.
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
	runName     = "Preroll"
)

// Tray reports whether the desktop shows tray icons now.
func Tray(context.Context) bool { return true }

// StartsAtLogin reports whether Preroll starts at login. An entry that the task manager switched off counts as off.
func StartsAtLogin() (bool, error) {
	k, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start at login: %w", err)
	}
	defer func() { _ = k.Close() }()
	if _, _, err := k.GetStringValue(runName); err != nil {
		if errors.Is(err, registry.ErrNotExist) {
			return false, nil
		}
		return false, fmt.Errorf("start at login: %w", err)
	}
	a, err := registry.OpenKey(registry.CURRENT_USER, approvedKey, registry.QUERY_VALUE)
	if err != nil {
		return true, nil
	}
	defer func() { _ = a.Close() }()
	b, _, err := a.GetBinaryValue(runName)
	return err != nil || len(b) == 0 || b[0]&1 == 0, nil
}

// StartAtLogin makes Preroll start at login in the background, or ends that. The settings file is named in the command
// only if it is not the default file.
func StartAtLogin(on bool, configFile string) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	defer func() { _ = k.Close() }()
	if !on {
		if err := k.DeleteValue(runName); err != nil && !errors.Is(err, registry.ErrNotExist) {
			return fmt.Errorf("do not start at login: %w", err)
		}
		return nil
	}
	command, err := startCommand(configFile)
	if err != nil {
		return err
	}
	for i, arg := range command {
		command[i] = windows.EscapeArg(arg)
	}
	if err := k.SetStringValue(runName, strings.Join(command, " ")); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	if a, err := registry.OpenKey(registry.CURRENT_USER, approvedKey, registry.SET_VALUE); err == nil {
		_ = a.DeleteValue(runName) // the value may be missing
		_ = a.Close()
	}
	return nil
}

// CanMakeRAMDisk reports whether MakeRAMDisk works on this platform.
func CanMakeRAMDisk() bool { return false }

// MakeRAMDisk returns an error that says what to do: on this platform Preroll makes no RAM disk.
func MakeRAMDisk(context.Context, int64) (string, error) {
	return "",
		errors.New(words.L("Windows has no RAM disk of its own: install a program for it, such as ImDisk, make a drive R: with it, and choose a folder there."))
}

//go:build !windows && !darwin

package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/preroll/preroll/app/words"
)

// Tray reports whether the desktop shows tray icons now. Stock GNOME does not.
func Tray(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	var has bool
	err = c.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0,
		"org.kde.StatusNotifierWatcher").Store(&has)
	return err == nil && has
}

// autostart returns the path of Preroll's desktop entry in the user's autostart folder (Desktop Application Autostart
// Specification).
func autostart() (string, error) {
	dir, err := os.UserConfigDir() // XDG_CONFIG_HOME
	return filepath.Join(dir, "autostart", "preroll.desktop"), err
}

// StartsAtLogin reports whether Preroll starts at login. An entry that the desktop's settings switched off counts as
// off.
func StartsAtLogin() (bool, error) {
	path, err := autostart()
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	on := true
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, "=")
		switch key, value = strings.TrimSpace(key), strings.TrimSpace(value); {
		case key == "Hidden" && value == "true", key == "X-GNOME-Autostart-enabled" && value == "false":
			on = false
		}
	}

	return on, nil
}

// StartAtLogin makes Preroll start at login in the background, or ends that. The settings file is named in the command
// only if it is not the default file.
func StartAtLogin(on bool, configFile string) error {
	path, err := autostart()
	if err != nil {
		return err
	}
	return atLogin(on, path, configFile, entry)
}

func entry(command []string) string {
	var exec []string
	for _, arg := range command {
		exec = append(exec, quote(arg))
	}
	return `[Desktop Entry]
Type=Application
Name=Preroll
Comment=Saves the seconds before something happened in front of a camera
Exec=` + strings.Join(exec, " ") + `
Icon=io.github.preroll.Preroll
Terminal=false
X-GNOME-Autostart-enabled=true
`
}

var (
	inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`, `%`, `%%`)
	inValue  = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
)

// quote encodes an argument for the key Exec. The argument is quoted first, then escaped like every value of a desktop
// entry (Desktop Entry Specification, "The Exec key").
func quote(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\r\n\"'\\><~|&;$*?#()`%") {
		return arg
	}
	return inValue.Replace(`"` + inQuotes.Replace(arg) + `"`)
}

// CanMakeRAMDisk reports whether MakeRAMDisk works on this platform.
func CanMakeRAMDisk() bool { return false }

// MakeRAMDisk returns an error that says what to do: on this platform Preroll makes no RAM disk.
func MakeRAMDisk(context.Context, int64) (string, error) {
	return "", errors.New(words.L("This system has RAM disks already: choose a folder below /dev/shm."))
}

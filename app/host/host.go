// Package host does what Preroll needs from the desktop: it finds out whether the desktop shows tray icons, makes
// Preroll start at login, and makes a RAM disk.
package host

import (
	"os"

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

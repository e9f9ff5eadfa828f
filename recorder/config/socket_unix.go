//go:build !windows

package config

import (
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
)

// socketPath prefers the runtime folder, which is the user's own and gone after a reboot. A path beyond 100 bytes does
// not fit a socket address, so the state folder is the second choice only.
func socketPath(name, state string) string {
	if fi, err := os.Stat(xdg.RuntimeDir); err == nil && fi.IsDir() {
		return filepath.Join(xdg.RuntimeDir, name+".sock")
	}
	return filepath.Join(state, "control.sock")
}

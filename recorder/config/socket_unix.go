//go:build !windows

package config

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/adrg/xdg"
)

// socketPath returns a path in the runtime folder, which belongs to the user and is emptied at a reboot. If there is no
// runtime folder, the path lies in the state folder. The state folder is only the second choice, because a path longer
// than 100 bytes does not fit into a socket address.
func socketPath(name, state string) string {
	if fi, err := os.Stat(xdg.RuntimeDir); err == nil && fi.IsDir() {
		return filepath.Join(xdg.RuntimeDir, name+".sock")
	}
	return filepath.Join(state, "control.sock")
}

// servicePlaces returns the state folder and the socket of this machine's service.
func servicePlaces() (state, socket string) {
	if runtime.GOOS == "darwin" {
		return "/Library/Application Support/Preroll", "/var/run/preroll/preroll.sock"
	}
	return "/var/lib/preroll", filepath.Join(cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run/preroll"), "preroll.sock")
}

// ofOther reports whether a folder belongs to another user.
func ofOther(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil {
		return false
	}
	s, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) != os.Getuid()
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/adrg/xdg"
)

// DefaultFile is where the settings file lies unless --config names another.
func DefaultFile() string { return filepath.Join(xdg.ConfigHome, "preroll", "preroll.toml") }

// DefaultArchive is a folder in the user's videos.
func DefaultArchive() string {
	videos := xdg.UserDirs.Videos
	if videos == "" {
		videos = filepath.Join(xdg.Home, "Videos")
	}
	return filepath.Join(videos, "Preroll")
}

// DefaultRAMDisk is a place that is RAM on this platform; where the platform has none ready, the usual name of one.
func DefaultRAMDisk() string {
	switch runtime.GOOS {
	case "windows":
		return `R:\Preroll`
	case "darwin":
		return "/Volumes/PrerollRAM/preroll"
	}
	return "/dev/shm/preroll"
}

// Paths are the folders and addresses that belong to one settings file. Two settings files never share one.
type Paths struct {
	File   string // the settings file
	State  string // folder: index, certificate
	Socket string // the control socket's path, or the pipe's name on Windows
}

// PathsOf returns the paths of a settings file; an empty path means [DefaultFile]. The default file has the plain
// state folder; any other one has a folder of its own, named after the file's full path.
func PathsOf(file string) (Paths, error) {
	if _, err := os.UserHomeDir(); err != nil { // a service, or a container
		if file == "" && os.Getenv("XDG_CONFIG_HOME") == "" {
			return Paths{},
				errors.New("this user has no home folder (HOME is not set), so nobody knows where the settings are: name the file with --config")
		}
		if os.Getenv("STATE_DIRECTORY") == "" && os.Getenv("XDG_STATE_HOME") == "" {
			return Paths{},
				errors.New("this user has no home folder (HOME is not set): name a folder for the list of events in STATE_DIRECTORY")
		}
	}
	if file == "" {
		file = DefaultFile()
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return Paths{}, err
	}
	name := "preroll"
	if abs != DefaultFile() {
		h := sha256.Sum256([]byte(abs))
		name += "-" + hex.EncodeToString(h[:4])
	}
	state := filepath.Join(xdg.StateHome, name)
	if d := os.Getenv("STATE_DIRECTORY"); d != "" { // systemd's StateDirectory=
		state = d
	}
	return Paths{File: abs, State: state, Socket: socketPath(name, state)}, nil
}

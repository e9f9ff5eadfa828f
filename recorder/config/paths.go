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

// DefaultFile returns the path of the settings file that is used without --config.
func DefaultFile() string { return filepath.Join(xdg.ConfigHome, "preroll", "preroll.toml") }

// DefaultArchive returns a folder in the user's folder for videos.
func DefaultArchive() string {
	videos := xdg.UserDirs.Videos
	if videos == "" {
		videos = filepath.Join(xdg.Home, "Videos")
	}
	return filepath.Join(videos, "Preroll")
}

// DefaultRAMDisk returns a folder that is in RAM on this platform. If the platform has no RAM disk, it returns the
// usual path of a RAM disk that the user makes.
func DefaultRAMDisk() string {
	switch runtime.GOOS {
	case "windows":
		return `R:\Preroll`
	case "darwin":
		return "/Volumes/PrerollRAM/preroll"
	}
	return "/dev/shm/preroll"
}

// Paths are the folders and addresses that belong to one settings file. Two settings files never share them.
type Paths struct {
	File   string // the settings file
	State  string // folder with the index and the certificate
	Socket string // path of the control socket; on Windows, name of the pipe
}

// PathsOf returns the paths of a settings file. An empty path means [DefaultFile]. The default file uses the plain
// state folder. Any other file has its own state folder, named after a hash of the file's full path. STATE_DIRECTORY
// overrides the state folder.
func PathsOf(file string) (Paths, error) {
	if _, err := os.UserHomeDir(); err != nil { // as in a service or a container
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
	if d := os.Getenv("STATE_DIRECTORY"); d != "" { // set by systemd's StateDirectory=
		state = d
	}
	return Paths{File: abs, State: state, Socket: socketPath(name, state)}, nil
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/adrg/xdg"
)

// DefaultFile returns the path of the settings file that is used without --config.
func DefaultFile() string { return filepath.Join(xdg.ConfigHome, "preroll", "preroll.toml") }

// DefaultArchive returns a folder in the user's folder for videos, or in the state folder of a service.
func DefaultArchive() string {
	if d := serviceState(); d != "" {
		return filepath.Join(d, "clips")
	}
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
	if serviceState() != "" { // so that the recorder of a user can have its own
		return "/dev/shm/preroll-service"
	}
	const usual = "/dev/shm/preroll"
	if ofOther(usual) {
		return fmt.Sprintf("%s-%d", usual, os.Getuid())
	}
	return usual
}

// serviceState returns the folder that a service manager or a container gives for everything that is kept, or "".
// systemd sets it with StateDirectory=.
func serviceState() string { return os.Getenv("STATE_DIRECTORY") }

// Paths are the folders and addresses that belong to one settings file. Two settings files never share them.
type Paths struct {
	File    string // the settings file
	State   string // folder with the index and the certificate
	Socket  string // path of the control socket; on Windows, name of the pipe
	Service string // as Socket, of the service of this machine that serves whoever runs no recorder; "": none does
	Shared  string // who else may use Socket: "" nobody, "group" the group of the service, on Windows the ids of users
}

// Sockets returns where a recorder may listen, the preferred one first.
func (p Paths) Sockets() []string {
	if p.Service == "" {
		return []string{p.Socket}
	}
	return []string{p.Socket, p.Service}
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
		if serviceState() == "" && os.Getenv("XDG_STATE_HOME") == "" {
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
	name, service := "preroll", ServicePaths().Socket
	if abs != DefaultFile() {
		h := sha256.Sum256([]byte(abs))
		name, service = name+"-"+hex.EncodeToString(h[:4]), ""
	}
	state := filepath.Join(xdg.StateHome, name)
	if d := serviceState(); d != "" {
		state = d
	}
	return Paths{File: abs, State: state, Socket: socketPath(name, state), Service: service}, nil
}

// ServicePaths returns the paths of the service of this machine, which belongs to no user. STATE_DIRECTORY and
// RUNTIME_DIRECTORY, which systemd sets, override them.
func ServicePaths() Paths {
	state, socket := servicePlaces()
	if d := serviceState(); d != "" {
		state = d
	}
	return Paths{File: filepath.Join(state, "preroll.toml"), State: state, Socket: socket, Shared: "group"}
}

// Package service has the service manager of the operating system run Preroll: systemd on Linux, launchd on macOS and
// the service control manager on Windows.
package service

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Service is Preroll as a service, of one user or of the whole machine.
type Service struct {
	System   bool     // of the whole machine
	Config   string   // settings file; "" for the usual one
	Writable []string // folders outside the usual ones that the service may write
}

// Status is how a service is.
type Status struct {
	Installed bool // it starts by itself: when the user logs in, or with the machine
	Running   bool
	Said      string // what the recorder last said of itself, or ""
}

// Actions are what can be done with a service.
var Actions = []string{"install", "uninstall", "start", "stop", "restart", "status", "logs"}

// ErrNoManager means that this machine has no service manager that Preroll knows.
var ErrNoManager = errors.New("systemd does not run here; have your own service manager run: preroll record")

// ErrNoRights means that only an administrator can do this.
var ErrNoRights = errors.New("this needs the rights of an administrator")

// ErrNotInstalled means that the service is not installed.
var ErrNotInstalled = errors.New("the service is not installed; install it with: preroll service install")

// program returns the path of this program. A service of the whole machine cannot use a program in a folder of a user.
func (s Service) program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	if !s.System {
		return self, nil
	}
	for _, own := range []string{"/home/", "/root/", "/tmp/", "/Users/", "/var/tmp/"} {
		if strings.HasPrefix(self, own) {
			return "", errors.New("a service of the whole machine cannot use the program in " + filepath.Dir(self) +
				"; run: sudo install " + self +
				" /usr/local/bin/preroll && sudo /usr/local/bin/preroll service install --system")
		}
	}
	return self, nil
}

// Manager does what the service manager of a platform can do with a service.
type Manager interface {
	// Install installs the service and starts it, now and from now on by itself.
	Install(ctx context.Context) error

	// Uninstall stops the service and removes what Install made. Settings and clips stay.
	Uninstall(ctx context.Context) error

	// Start starts the service. Where the manager can tell, it returns when the service records.
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Status(ctx context.Context) (Status, error)

	// Logs writes the last lines that the service wrote. With follow it goes on until ctx ends.
	Logs(ctx context.Context, follow bool, to io.Writer) error
}

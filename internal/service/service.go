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

// manager does what the service manager of a platform can.
type manager interface {
	install(ctx context.Context) error
	uninstall(ctx context.Context) error
	start(ctx context.Context) error
	stop(ctx context.Context) error
	restart(ctx context.Context) error
	status(ctx context.Context) (Status, error)
	logs(ctx context.Context, follow bool, to io.Writer) error
}

// Install installs the service and starts it, now and from now on by itself.
func (s Service) Install(ctx context.Context) error { return s.manager().install(ctx) }

// Uninstall stops the service and removes what Install made. Settings and clips stay.
func (s Service) Uninstall(ctx context.Context) error { return s.manager().uninstall(ctx) }

// Start starts the service, and returns when it records.
func (s Service) Start(ctx context.Context) error { return s.manager().start(ctx) }

// Stop stops the service.
func (s Service) Stop(ctx context.Context) error { return s.manager().stop(ctx) }

// Restart stops and starts the service.
func (s Service) Restart(ctx context.Context) error { return s.manager().restart(ctx) }

// Status returns how the service is.
func (s Service) Status(ctx context.Context) (Status, error) { return s.manager().status(ctx) }

// Logs writes the last lines that the service wrote. With follow it goes on until ctx ends.
func (s Service) Logs(ctx context.Context, follow bool, to io.Writer) error {
	return s.manager().logs(ctx, follow, to)
}

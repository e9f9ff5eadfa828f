package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/preroll/preroll/internal/durable"
)

// packaged is where a package puts the unit of the whole machine.
var packaged = []string{"/usr/lib/systemd/system/" + unit, "/lib/systemd/system/" + unit}

// sysusers describes the user of the service (sysusers.d(5)).
const sysusers = `u preroll - "Preroll recorder" /var/lib/preroll` + "\n"

// systemd is a service that systemd runs.
type systemd struct{ Service }

// Manager returns the manager of this platform for the service.
func (s Service) Manager() Manager { return systemd{s} }

// systemctl runs systemctl, and returns what it printed. Its error says what systemctl said.
func (s systemd) systemctl(ctx context.Context, args ...string) (string, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return "", ErrNoManager
	}
	if !s.System {
		args = append([]string{"--user"}, args...)
	}
	return run(ctx, nil, "systemctl", args...)
}

func run(ctx context.Context, in io.Reader, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", ErrNoManager
	case errors.As(err, &exit):
		said := cmp.Or(strings.TrimSpace(errs.String()), strings.TrimSpace(out.String()), err.Error())
		return out.String(), fmt.Errorf("%s: %s: %w", name, said, err)
	}
	return out.String(), err
}

// file returns the path of the unit that Install writes.
func (s systemd) file() (string, error) {
	if s.System {
		return "/etc/systemd/system/" + unit, nil
	}
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "systemd", "user", unit), err
}

// fromPackage reports whether a package brought the unit for this very program.
func (s systemd) fromPackage(program string) bool {
	if !s.System || len(s.Writable) > 0 || program != "/usr/bin/preroll" {
		return false
	}
	for _, p := range packaged {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}

func (s systemd) Install(ctx context.Context) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ErrNoManager
	}
	program, err := s.program()
	if err != nil {
		return err
	}
	path, err := s.file()
	if err != nil {
		return err
	}
	if s.System {
		if _, err := run(ctx, strings.NewReader(sysusers), "systemd-sysusers", "-"); err != nil {
			return err
		}
	}
	if !s.fromPackage(program) {
		text := UserUnit(program)
		switch {
		case s.System:
			text = SystemUnit(program, s.Writable...)
		case s.Config != "":
			text = UserUnit(program, "--config", s.Config)
		}
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = durable.WriteFile(path, []byte(text), 0o644)
		}
		if err == nil {
			err = os.Chmod(path, 0o644) // whatever the umask is
		}
		if err != nil {
			return fmt.Errorf("write the unit: %w", err)
		}
	}
	if _, err := s.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	if _, err := s.systemctl(ctx, "enable", unit); err != nil {
		return err
	}
	if !s.System { // so that it records before the user logs in, and after he logged out
		if u, err := user.Current(); err == nil {
			if _, err := run(ctx, nil, "loginctl", "enable-linger", u.Username); err != nil {
				defer func() { fmt.Fprintf(os.Stderr, "preroll: it records only while you are logged in: %s\n", err) }()
			}
		}
	}
	return s.Restart(ctx)
}

func (s systemd) Uninstall(ctx context.Context) error {
	if is, err := s.Status(ctx); err != nil {
		return err
	} else if !is.Installed && !is.Running {
		return ErrNotInstalled
	}
	if _, err := s.systemctl(ctx, "disable", "--now", unit); err != nil {
		return err
	}
	path, err := s.file()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the unit: %w", err)
	}
	_, err = s.systemctl(ctx, "daemon-reload")
	return err
}

func (s systemd) Start(ctx context.Context) error   { return s.do(ctx, "start") }
func (s systemd) Restart(ctx context.Context) error { return s.do(ctx, "restart") }
func (s systemd) Stop(ctx context.Context) error    { return s.do(ctx, "stop") }

func (s systemd) do(ctx context.Context, action string) error {
	is, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if !is.Installed && !is.Running {
		return ErrNotInstalled
	}
	if _, err = s.systemctl(ctx, action, unit); err != nil {
		return fmt.Errorf("%w\nWhat it said: %s", err, s.journal())
	}
	return nil
}

// journal returns the command that shows what the service said.
func (s systemd) journal() string {
	if s.System {
		return "preroll service logs --system"
	}
	return "preroll service logs"
}

func (s systemd) Status(ctx context.Context) (is Status, err error) {
	out, err := s.systemctl(ctx, "show", unit, "--property=ActiveState,UnitFileState,StatusText")
	if err != nil {
		return is, err
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "ActiveState":
			is.Running = value == "active" || value == "reloading"
		case "UnitFileState":
			is.Installed = value == "enabled" || value == "enabled-runtime"
		case "StatusText":
			is.Said = value
		}
	}
	return is, nil
}

func (s systemd) Logs(ctx context.Context, follow bool, to io.Writer) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ErrNoManager
	}
	args := []string{"--no-pager", "--output=cat", "--lines=200"}
	if follow {
		args = append(args, "--follow")
	}
	of := "--unit="
	if !s.System {
		of = "--user-unit="
	}
	cmd := exec.CommandContext(ctx, "journalctl", append(args, of+unit)...)
	cmd.Stdout, cmd.Stderr = to, os.Stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return ErrNoManager
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

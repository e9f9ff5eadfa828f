//go:build !linux

package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kardianos/service"

	"github.com/preroll/preroll/recorder/config"
)

// program lets the service manager of the platform start and stop the recorder.
type program struct {
	run    func(context.Context) error
	stop   context.CancelFunc
	done   chan error
	failed chan error // receives if run ended by itself
}

func (p *program) Start(service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.done = cancel, make(chan error, 1)
	go func() {
		err := p.run(ctx)
		p.done <- err
		if ctx.Err() == nil {
			p.failed <- cmp.Or(err, errors.New("the recorder ended"))
		}
	}()
	return nil
}

func (p *program) Stop(service.Service) error {
	p.stop()
	return <-p.done
}

// Shutdown is called when Windows ends.
func (p *program) Shutdown(s service.Service) error { return p.Stop(s) }

// platform is a service of launchd or of the service control manager.
type platform struct{ Service }

// Manager returns the manager of this platform for the service.
func (s Service) Manager() Manager {
	s.System = s.System || runtime.GOOS == "windows" // Windows has no services of users
	return platform{s}
}

// Managed reports whether a service manager that needs a protocol of its own started this process.
func Managed() bool { return runtime.GOOS == "windows" && !service.Interactive() }

// Run runs run as a service of this process's manager, until the manager stops it.
func (s Service) Run(run func(context.Context) error) error {
	p := &program{run: run, failed: make(chan error, 1)}
	sv, err := platform{s}.service(p)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- sv.Run() }()
	select {
	case err := <-ended:
		return err
	case err := <-p.failed: // the manager starts a service again only if its process ends without telling
		return err
	}
}

// logFile returns the file for what a service writes, where no manager keeps it, or "".
func logFile(system bool) string {
	switch {
	case system:
		return filepath.Join(config.ServicePaths().State, "preroll.log")
	case runtime.GOOS == "darwin":
		home, _ := os.UserHomeDir()
		return filepath.Join(home, "Library", "Logs", "preroll.log")
	}
	return ""
}

func (s platform) service(p *program) (service.Service, error) {
	path, err := s.program()
	if err != nil {
		return nil, err
	}
	c := &service.Config{Name: "preroll", DisplayName: "Preroll", Executable: path,
		Description: "Saves the seconds before something happened in front of a camera.",
		Arguments:   []string{"record", "--take-over", "--log-file", logFile(s.System)},
		Option: service.KeyValue{
			"UserService": !s.System, "RunAtLoad": true, "KeepAlive": true}} // launchd
	if s.System {
		c.Arguments = append(c.Arguments, "--system")
	}
	if s.Config != "" {
		c.Arguments = append(c.Arguments, "--config", s.Config)
	}
	configure(c)
	return service.New(p, c)
}

// act does something with the service, and explains what the manager says.
func (s platform) act(do func(service.Service) error) error {
	sv, err := s.service(&program{})
	if err != nil {
		return err
	}
	err = do(sv)
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return ErrNotInstalled
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: %w", ErrNoRights, err)
	}
	return err
}

func (s platform) Install(context.Context) error {
	if s.System {
		if err := prepare(config.ServicePaths().State); err != nil {
			return err
		}
	}
	if err := s.act(service.Service.Install); err != nil {
		return err
	}
	return s.act(service.Service.Start)
}

func (s platform) Uninstall(context.Context) error {
	_ = s.act(service.Service.Stop) // it may not run
	return s.act(service.Service.Uninstall)
}

func (s platform) Start(context.Context) error   { return s.act(service.Service.Start) }
func (s platform) Stop(context.Context) error    { return s.act(service.Service.Stop) }
func (s platform) Restart(context.Context) error { return s.act(service.Service.Restart) }

func (s platform) Status(context.Context) (is Status, err error) {
	err = s.act(func(sv service.Service) error {
		st, err := sv.Status()
		is.Installed, is.Running = err == nil, st == service.StatusRunning
		return err
	})
	if errors.Is(err, ErrNotInstalled) {
		return is, nil
	}
	return is, err
}

// logBytes is how much of the log file is shown, in bytes.
const logBytes = 32 << 10

func (s platform) Logs(ctx context.Context, follow bool, to io.Writer) error {
	f, err := os.Open(logFile(s.System))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the service has written nothing yet")
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err == nil && fi.Size() > logBytes {
		_, _ = f.Seek(-logBytes, io.SeekEnd)
		b := make([]byte, 4<<10) // begins with a whole line
		n, _ := f.Read(b)
		i := bytes.IndexByte(b[:n], '\n')
		_, _ = f.Seek(int64(i+1-n), io.SeekCurrent)
	}
	for {
		if _, err := io.Copy(to, f); err != nil || !follow {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/kardianos/service"

	"github.com/preroll/preroll/recorder/config"
)

// program lets the service manager of the platform start and stop the recorder.
type program struct {
	run  func(context.Context) error
	stop context.CancelFunc
	done chan error
}

func (p *program) Start(service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.done = cancel, make(chan error, 1)
	go func() { p.done <- p.run(ctx) }()
	return nil
}

func (p *program) Stop(service.Service) error {
	p.stop()
	return <-p.done
}

// underService runs run as a service if the service manager started it, and otherwise directly. Only Windows needs a
// protocol; systemd and launchd send signals.
func underService(e *env, run func(context.Context) error) error {
	if runtime.GOOS != "windows" || service.Interactive() {
		return run(e.ctx)
	}
	s, err := newService(e.paths, true, &program{run: run})
	if err != nil {
		return err
	}
	return s.Run()
}

func newService(p config.Paths, system bool, prg service.Interface) (service.Service, error) {
	c := &service.Config{
		Name:        "preroll",
		DisplayName: "Preroll",
		Description: "Saves the seconds before something happened in front of a camera.",
		Arguments:   []string{"record"},
		Option:      service.KeyValue{"UserService": !system, "RunAtLoad": true, "KeepAlive": true},
	}

	if p.File != config.DefaultFile() {
		c.Arguments = append(c.Arguments, "--config", p.File)
	}
	return service.New(prg, c)
}

func serviceCommand() command {
	var system bool
	return command{
		args:  [2]int{1, 1},
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&system, "system", false, "") },
		run: func(e *env) error {
			if system && runtime.GOOS != "windows" && os.Geteuid() != 0 {
				return errors.New("a service of the whole system needs administrator rights; use sudo, or leave --system away")
			}
			s, err := newService(e.paths, system || runtime.GOOS == "windows", &program{})
			if err != nil {
				return err
			}
			action := e.args[0]
			switch action {
			case "status":
				st, err := s.Status()
				switch {
				case errors.Is(err, service.ErrNotInstalled):
					fmt.Fprintln(e.out, "not installed")
					return errSilent
				case err != nil:
					return fmt.Errorf("service status (%s): %w", service.Platform(), err)
				case st == service.StatusRunning:
					fmt.Fprintln(e.out, "running")
					return nil
				}
				fmt.Fprintln(e.out, "installed, not running")
				return nil
			case "install", "uninstall", "start", "stop":
				if err := service.Control(s, action); err != nil {
					return fmt.Errorf("service %s (%s): %w", action, service.Platform(), err)
				}
				fmt.Fprintln(e.out, map[string]string{"install": "installed; start it with: preroll service start",
					"uninstall": "removed", "start": "started", "stop": "stopped"}[action])
				return nil
			}
			return errUsage(fmt.Sprintf("there is no service action %q; there are install, uninstall, start, stop and status", action))
		},
	}
}

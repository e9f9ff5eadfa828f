package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/preroll/preroll/internal/service"
	"github.com/preroll/preroll/recorder/config"
)

func serviceCommand() command {
	var writable string
	var follow bool
	return command{
		args: [2]int{1, 1},
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&writable, "writable", "", "")
			fs.BoolVar(&follow, "follow", false, "")
		},
		run: func(e *env) error {
			action := e.args[0]
			if !slices.Contains(service.Actions, action) {
				return errUsage(fmt.Sprintf("there is no service action %q; there are %s", action,
					strings.Join(service.Actions, ", ")))
			}
			s := service.Service{System: e.system}
			if !e.system && e.paths.File != config.DefaultFile() {
				s.Config = e.paths.File
			}
			if writable != "" {
				if !filepath.IsAbs(writable) {
					return errUsage("--writable takes a folder from the root on")
				}
				s.Writable = []string{writable}
			}
			if changes := action != "status" && action != "logs"; changes && e.system && runtime.GOOS != "windows" &&
				os.Geteuid() != 0 {
				return fmt.Errorf("%w; use sudo, or leave --system away for a service of your own", service.ErrNoRights)
			}
			return act(e, s.Manager(), action, follow)
		},
	}
}

// act does what is asked with a service, and says what came of it.
func act(e *env, s service.Manager, action string, follow bool) error {
	said := ""
	var err error
	switch action {
	case "install":
		said, err = "installed and started; it records from now on, also before anyone logs in", s.Install(e.ctx)
	case "uninstall":
		said, err = "removed; settings, events and clips stay", s.Uninstall(e.ctx)
	case "start":
		said, err = "started", s.Start(e.ctx)
	case "stop":
		said, err = "stopped", s.Stop(e.ctx)
	case "restart":
		said, err = "started again", s.Restart(e.ctx)
	case "logs":
		return s.Logs(e.ctx, follow, e.out)
	case "status":
		is, err := s.Status(e.ctx)
		if err != nil {
			return err
		}
		return tellService(e.out, is)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(e.out, said)
	if action == "install" && e.system {
		fmt.Fprintf(e.out, "Its settings are in %s. Who may use it: sudo usermod -aG preroll USER\n", e.paths.File)
	}
	return nil
}

func tellService(out io.Writer, is service.Status) error {
	switch {
	case is.Running:
		fmt.Fprintln(out, "running")
		if is.Said != "" {
			fmt.Fprintln(out, is.Said)
		}
		if !is.Installed {
			fmt.Fprintln(out, "It does not start by itself; install it with: preroll service install")
		}
		return nil
	case is.Installed:
		fmt.Fprintln(out, "installed, not running")
	default:
		fmt.Fprintln(out, "not installed")
	}
	return errSilent
}

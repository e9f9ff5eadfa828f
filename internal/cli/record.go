package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/text"
)

func record() command {
	var demo, verbose, wait bool
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&demo, "demo", false, "")
			fs.BoolVar(&verbose, "verbose", false, "")
			fs.BoolVar(&wait, "wait", false, "")
		},
		run: func(e *env) error {
			return underService(e, func(ctx context.Context) error {
				said := ""
				for {
					err := foreground(ctx, e, demo, verbose)
					var taken *lockfile.InUseError
					if !wait || !errors.As(err, &taken) && !errors.Is(err, errRunning) {
						return err
					}
					if text := err.Error(); text != said {
						fmt.Fprintf(e.errs, "preroll: waits: %s\n", text)
						said = text
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(time.Second):
					}
				}
			})
		},
	}
}

// foreground records until ctx ends.
func foreground(ctx context.Context, e *env, demo, verbose bool) error {
	log := slog.New(newLines(e.out, verbose))
	s, err := startSettings(e, demo)
	if err != nil {
		return err
	}
	ln, err := listenControl(e.paths)
	if err != nil {
		return err
	}
	return serve(ctx, e, s, ln, log)
}

// archiveTime is how long the start waits for a check of the archive folder.
const archiveTime = 500 * time.Millisecond

// startSettings loads the settings. With demo and no camera in the settings, it adds the demo camera without saving it.
func startSettings(e *env, demo bool) (config.Settings, error) {
	s, _, err := config.Load(e.paths.File)
	if err != nil {
		return config.Settings{}, err
	}
	if demo && len(s.Cameras) == 0 {
		s.Cameras = []config.Camera{config.DemoCamera()}
	}
	faults := config.CheckFolders(s, config.Settings{Archive: config.Archive{Path: s.Archive.Path}})

	// An archive path that is a file will never become a folder by itself, so it is an error. A missing archive may be
	// plugged in later, and the start does not wait for an archive that hangs.
	made := make(chan bool, 1)
	go func() {
		rule := config.CheckFolder(s, "archive.path")
		fi, err := os.Stat(s.Archive.Path)
		made <- rule.IsZero() || err != nil || fi.IsDir()
	}()
	select {
	case ok := <-made:
		if !ok {
			faults = append(faults, config.ValidationError{Key: "archive.path", Value: s.Archive.Path,
				Rule: text.RuleIsFile.With()})
		}
	case <-time.After(archiveTime):
	}

	for _, f := range faults {
		return config.Settings{}, fmt.Errorf("%s\nChange it in %s", f, e.paths.File)
	}
	return s, nil
}

// gcPercent is the growth of the heap in percent that starts a garbage collection. Most of what a recorder allocates
// are packets, which are garbage at once, so a small heap costs little.
const gcPercent = 40

var errRunning = errors.New("a recorder is running already with these settings; see: preroll status")

func listenControl(p config.Paths) (net.Listener, error) {
	ln, err := control.Listen(p.Socket)
	if errors.Is(err, control.ErrTaken) {
		return nil, errRunning
	}
	return ln, err
}

// serve runs the engine and its control socket until ctx ends.
func serve(ctx context.Context, e *env, s config.Settings, ln net.Listener, log *slog.Logger) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	o := recorder.Options{Paths: e.paths, Settings: s, Log: log, Say: e.say}
	if e.web != nil {
		o.Web = func(ctx context.Context, host control.WebHost) error {
			c := control.NewClient(e.paths.Socket)
			defer c.Close()
			return e.web(ctx, c, host)
		}
	}
	r, err := recorder.New(ctx, o)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	hello(e, s)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.Run(ctx) })
	g.Go(func() error { return control.Serve(ctx, ln, r, func() control.Watcher { return r.Subscribe() }) })
	return inTime(ctx, g.Wait)
}

// endTime is how long the engine may take to end. Service managers wait only little longer.
const endTime = 9 * time.Second

// inTime waits for the engine, but no longer than endTime after ctx has ended. A drive that hangs blocks the goroutines
// that wait for it, and only the end of the process can end them. The index holds their open work for the next start.
func inTime(ctx context.Context, wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return text.EndedWhileWaiting.Error()
	}
}

// hello prints what is about to happen, and what a new user can do next.
func hello(e *env, s config.Settings) {
	fmt.Fprintf(e.out, "Preroll %s\n  settings  %s\n  RAM disk  %s (last %s of each camera)\n  archive   %s\n",
		recorder.Version(), e.paths.File, s.RAMDisk.Path, s.RAMDisk.Keep, s.Archive.Path)
	if d, err := disk.Of(s.RAMDisk.Path); err == nil && !d.RAM {
		fmt.Fprintf(e.out, "  warning   %s is not known to be RAM (%s)\n", s.RAMDisk.Path, d.Kind)
	}
	for _, c := range s.Cameras {
		fmt.Fprintf(e.out, "  camera    %s (%s)\n", c.ID, c.Title())
	}
	if len(s.Cameras) == 0 {
		fmt.Fprintln(e.out, "  camera    none yet: add one in the settings, or try: preroll record --demo")
	} else {
		fmt.Fprintf(e.out, "Save a clip by hand with: %s trigger %s\n", os.Args[0], s.Cameras[0].ID)
	}
}

func tray(d Desktop) command {
	var background, demo, verbose bool
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&background, "background", false, "") // at login, without the window
			fs.BoolVar(&demo, "demo", false, "")
			fs.BoolVar(&verbose, "verbose", false, "")
		},
		run: func(e *env) error {
			if d.Tray == nil || !hasDisplay() {
				fmt.Fprintln(e.out, "No display here: recording without a tray and a window.")
				return foreground(e.ctx, e, demo, verbose)
			}
			err := resident(e, d, !background, demo, verbose)
			if err != nil && d.StartError != nil && e.ctx.Err() == nil {
				fmt.Fprintf(e.errs, "preroll: %s\n", err)
				d.StartError(e.ctx, err) // nobody sees printed errors of a start at login
				return errSilent
			}
			return err
		},
	}
}

func hasDisplay() bool {
	return runtime.GOOS == "windows" || runtime.GOOS == "darwin" || os.Getenv("DISPLAY") != "" ||
		os.Getenv("WAYLAND_DISPLAY") != ""
}

// resident shows the tray of the running recorder, or of its own recorder if none runs. Recording goes on if the
// desktop shows no tray icon.
func resident(e *env, d Desktop, byHand, demo, verbose bool) error {
	log := slog.New(newLines(e.out, verbose))
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	ln, err := control.Listen(e.paths.Socket)
	switch {
	case errors.Is(err, control.ErrTaken):
		fmt.Fprintln(e.out, "Joining the recorder that is running already.")
	case err != nil:
		return err
	default:
		s, err := startSettings(e, demo)
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		g.Go(func() error { return serve(ctx, e, s, ln, log) })
	}

	err = waitRunning(ctx, e.client)
	if err == nil {
		err = d.Tray(ctx, TrayOptions{Paths: e.paths, ByHand: byHand, Log: log})
	}
	cancel()
	if werr := g.Wait(); werr != nil {
		return werr
	}
	return err
}

// waitRunning waits until the recorder answers.
func waitRunning(ctx context.Context, c *control.Client) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := c.Status(ctx); !errors.Is(err, control.ErrNotRunning) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func window(d Desktop) command {
	var page, id, measure string
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&page, "page", "", "")
			fs.StringVar(&id, "event", "", "")
			fs.StringVar(&measure, "measure", "", "") // for `make bench`
		},
		run: func(e *env) error {
			switch {
			case page != "" && !slices.Contains(control.Pages, page):
				return errUsage(fmt.Sprintf("there is no page %q; there are %s", page,
					strings.Join(control.Pages, ", ")))
			case d.Window == nil:
				return errors.New("this build has no window; see: preroll events, preroll status")
			case !hasDisplay():
				return errors.New("no display here; see: preroll events, preroll status")
			}
			return d.Window(e.ctx, WindowOptions{Paths: e.paths, Page: page, Event: id, Measure: measure})
		},
	}
}

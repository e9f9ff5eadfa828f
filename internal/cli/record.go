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
	"github.com/preroll/preroll/internal/service"
	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/text"
)

func record() command {
	var demo, takeOver bool
	var logFile, allow string
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&demo, "demo", false, "")
			fs.BoolVar(&takeOver, "take-over", false, "")
			fs.StringVar(&logFile, "log-file", "", "") // for service managers that keep no log
			fs.StringVar(&allow, "allow", "", "")      // for Windows: who may use the service beside the administrators
		},
		run: func(e *env) error {
			if allow != "" && e.system {
				e.paths.Shared = allow
			}
			if logFile != "" {
				l, err := openLog(logFile)
				if err != nil {
					return err
				}
				defer func() { _ = l.Close() }()
				e.out, e.errs = l, l
			}
			if service.Managed() {
				return service.Service{System: e.system}.Run(func(ctx context.Context) error {
					return foreground(ctx, e, demo, takeOver)
				})
			}
			return foreground(e.ctx, e, demo, takeOver)
		},
	}
}

// foreground records until ctx ends.
func foreground(ctx context.Context, e *env, demo, takeOver bool) error {
	s, err := startSettings(e, demo)
	if err != nil {
		return err
	}
	log := e.log()
	at, err := listen(ctx, e, s, log, takeOver)
	if err != nil {
		return err
	}
	err = serve(ctx, e, s, at, log, nil)
	if errors.Is(err, recorder.ErrHandedOver) {
		log.Info("another recorder has taken over")
		return nil
	}
	return err
}

// archiveTime is how long the start waits for a check of the archive folder.
const archiveTime = 500 * time.Millisecond

// startSettings loads the settings. With demo and no camera in the settings, it adds the demo camera without saving it.
func startSettings(e *env, demo bool) (config.Settings, error) {
	s, found, err := config.Load(e.paths.File)
	if err != nil {
		return config.Settings{}, err
	}
	if demo && len(s.Cameras) == 0 {
		s.Cameras = []config.Camera{config.DemoCamera()}
	}
	recorder.OpenTo(s.Archive.Group) // the check makes folders
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
		if !found && f.Key == "ram_disk.path" { // Windows has no RAM disk at the first start; the guide asks for one
			continue
		}
		return config.Settings{}, &config.FileError{Path: e.paths.File, Err: config.ValidationErrors{f}}
	}
	return s, nil
}

// gcPercent is the growth of the heap in percent that starts a garbage collection. Most of what a recorder allocates
// are packets, which are garbage at once, so a small heap costs little.
const gcPercent = 40

var errRunning = errors.New("a recorder is running already with these settings; see: preroll status")

// handOverTime is how long another process may take to end after it has handed over.
const handOverTime = 20 * time.Second

// seat is the place of the only recorder of some settings.
type seat struct {
	net.Listener
	early     *camera.Early // cameras that are read already; may be nil
	takenOver bool          // from another process, which may hold its locks for a moment more
}

// leave gives the seat up before a recorder has it.
func (s seat) leave() {
	s.early.End()
	_ = s.Close()
}

// listen makes this process the recorder of its settings. With takeOver it takes the place of the recorder that is
// running; else that is an error.
func listen(ctx context.Context, e *env, s config.Settings, log *slog.Logger, takeOver bool) (seat, error) {
	ln, err := control.Listen(e.paths.Socket, e.paths.Shared)
	switch {
	case !errors.Is(err, control.ErrTaken):
		return seat{Listener: ln}, err
	case !takeOver:
		return seat{}, errRunning
	}
	log.Info("taking over from the recorder that is running")
	c := control.NewClient(e.paths.Socket)
	defer c.Close()
	early, err := recorder.TakeOver(ctx, recorder.Options{Paths: e.paths, Settings: s, Log: log}, c)
	var refused *control.Error
	if errors.As(err, &refused) {
		early.End()
		return seat{}, fmt.Errorf("%w: %w", errRunning, err)
	}
	if err != nil {
		log.Warn("the recorder that is running does not answer; it is replaced when it is gone", "err", err)
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	for {
		ln, err := control.Listen(e.paths.Socket, e.paths.Shared)
		if err == nil {
			return seat{ln, early, true}, nil
		}
		if errors.Is(err, control.ErrTaken) {
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-ctx.Done():
				err = errRunning
			}
		}
		early.End()
		return seat{}, err
	}
}

// yieldTime is how long a recorder that is asked to end waits for a desktop that takes over.
const yieldTime = 140 * time.Second

// serve runs the engine and its control socket until ctx ends, or until another process takes over; then the error is
// [recorder.ErrHandedOver]. joins may be nil; else the recorder finishes its open events and ends when joins is closed.
func serve(ctx context.Context, e *env, s config.Settings, at seat, log *slog.Logger, joins <-chan struct{}) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	o := recorder.Options{Paths: e.paths, Settings: s, Log: log, Tail: e.tail, Say: e.say, Early: at.early}
	if e.web != nil {
		o.Web = func(ctx context.Context, host control.WebHost) error {
			c := control.NewClient(e.paths.Socket)
			defer c.Close()
			return e.web(ctx, c, host)
		}
	}
	r, err := newRecorder(ctx, o, at.takenOver)
	if err != nil {
		at.leave()
		if ctx.Err() != nil { // it was to end before it began
			return nil
		}
		return err
	}
	if !e.json {
		hello(e, s)
	}

	// The recorder goes on after ctx has ended until whoever stands by has taken over.
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	g, running := errgroup.WithContext(running)
	g.Go(func() error { return r.Run(running) })
	g.Go(func() error { return control.Serve(running, at, r, func() control.Watcher { return r.Subscribe() }) })
	g.Go(func() error { service.Tell(running, r.Status); return nil })
	g.Go(func() error { reloadOnSignal(running, r); return nil })
	g.Go(func() error {
		select {
		case <-running.Done():
		case <-joins:
			if _, err := r.HandOver(running, ""); err != nil { // it is being handed over already
				<-running.Done()
			}
		case <-ctx.Done():
			limited, cancel := context.WithTimeout(running, yieldTime)
			defer cancel()
			r.Yield(limited)
			end()
		}
		return nil
	})
	return inTime(running, g.Wait)
}

// newRecorder makes the recorder. If it has taken the cameras over, the process that ends may hold its locks for a
// moment more.
func newRecorder(ctx context.Context, o recorder.Options, takenOver bool) (*recorder.Recorder, error) {
	for began := time.Now(); ; {
		r, err := recorder.New(ctx, o)
		var used *lockfile.InUseError
		if !takenOver || !errors.As(err, &used) || time.Since(began) > handOverTime {
			return r, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
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
	var background, demo bool
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&background, "background", false, "") // at login, without the window
			fs.BoolVar(&demo, "demo", false, "")
		},
		run: func(e *env) error {
			if d.Tray == nil || !hasDisplay() {
				fmt.Fprintln(e.out, "No display here: recording without a tray and a window.")
				return foreground(e.ctx, e, demo, false)
			}
			err := resident(e, d, !background, demo)
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

// resident shows the tray of whichever recorder runs, and records while none does. Recording goes on if the desktop
// shows no tray icon.
func resident(e *env, d Desktop, byHand, demo bool) error {
	log := e.log()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	k := &keeper{e: e, demo: demo, log: log}
	kept := make(chan error, 1)
	go func() {
		err := k.run(ctx)
		if err != nil {
			cancel()
		}
		kept <- err
	}()
	err := waitRunning(ctx, e.client)
	if err == nil {
		err = d.Tray(ctx, TrayOptions{Paths: e.paths, ByHand: byHand, Version: recorder.Version(),
			Log: log})
	}
	cancel()
	if kerr := <-kept; kerr != nil {
		return kerr
	}
	if e.ctx.Err() != nil { // asked to end, maybe before the recorder answered
		return nil
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

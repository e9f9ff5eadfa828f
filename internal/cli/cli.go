// Package cli is the command line. It reads the arguments, connects the parts and prints for people.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/text"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Preroll saves the seconds before something happened in front of a camera.

  preroll                       the tray: records, or joins a running recorder
  preroll window                the window of a running recorder
      --page PAGE                 events, cameras, health, settings or guide
      --event ID                  open at this event
  preroll record                record in the foreground, with no screen
      --demo                      with no camera set up: use the demo camera
      --verbose                   print every segment, too
      --wait                      wait while another Preroll uses the RAM disk's folder or the archive
  preroll service ACTION        install, uninstall, start, stop or status of the OS service
      --system                    for the whole system instead of this user
  preroll trigger CAMERA        save a clip of a camera now
      --label TEXT                what the event is called
      --mail                      by a real alarm mail through the mail server, as for the demo camera
  preroll events [--json]       what was saved, newest first
      --camera ID                 of this camera only
      --limit N                   at most N (default 20)
  preroll status [--json]       how the recorder is
  preroll health                what needs a person; exit 1 if anything does, or if no camera records
  preroll mail [NO.]            the last connections of cameras, newest first, and mails that fit no camera;
                                with a number: all that was said in that one
      -n N                        at most N (default 20)
      --from ADDRESS              of this network address only
      --bad                       only those with problems
      --json                      all of it as JSON
  preroll why [CAMERA]          why there is or is no clip of a time, link by link
      --at TIME                   14:05, or 2026-11-22 14:05 (default now)
  preroll pause [LENGTH]        let alarms save nothing for 15m, 1h or the like; without a length until resumed
  preroll resume                end a pause
  preroll check [CAMERA]        test FFmpeg, RAM disk, archive, port and cameras
  preroll check --archive       read every event of the archive and compare it with what was saved
      --repair                    finish partial files, make lost thumbnails and sidecars again; no video is deleted
      --again                     from the front, where an earlier check was interrupted
      --json                      the result as JSON
  preroll caller [--json]       who may save clips by opening a web address
  preroll caller add NAME       let somebody call, and print the address with its token
      --camera ID                 for this camera only
      --metrics                   to read the measures, for Prometheus, and nothing else
  preroll caller remove NAME    take the right away
  preroll web [--json]          the web pages for phones, and the devices that may open them
  preroll web on [ADDRESS]      switch them on, on port 8443 or another
  preroll web off               switch them off
  preroll web pair              show the code that lets one phone or browser in
  preroll web remove NAME       shut a device out
  preroll target [--json]       where word of alarms goes, such as to a phone
  preroll target try ID         send a test there
  preroll away [on|off]         whether you are away: targets with away = true get word only then
  preroll reindex               rebuild the index from the archive; a drive that took another one's place is used from now on
  preroll drives [--json]       the archive drives that there are events on
  preroll forget EVENT...       take events off the list, such as those on a drive that is gone for good; their files stay
      --drive ID                  all events on this drive
  preroll version

All take --config FILE. Exit: 0 done, 1 it failed, 2 wrong use.
`

// errUsage is an error in the arguments. Run prints it in front of a hint to the help.
type errUsage string

func (e errUsage) Error() string { return string(e) }

// errSilent is a failure that was already printed.
var errSilent = errors.New("failed")

// env holds what a command needs.
type env struct {
	ctx    context.Context
	out    io.Writer
	errs   io.Writer
	paths  config.Paths
	client *control.Client
	args   []string
	say    func(language string, t text.Text) string
	web    func(ctx context.Context, c *control.Client, host control.WebHost) error
}

// command is one command of the program.
type command struct {
	flags func(*flag.FlagSet)
	args  [2]int // min and max number of arguments
	run   func(*env) error
}

// Desktop holds what a build with a screen adds. It is empty in a headless build.
type Desktop struct {
	// Say says a text in a language, or in the system's for "".
	Say func(language string, t text.Text) string

	// Tray shows the tray of the recorder behind a socket. It returns when ctx ends or the user quits.
	Tray func(ctx context.Context, o TrayOptions) error

	// Window shows the window and returns when it is closed.
	Window func(ctx context.Context, o WindowOptions) error

	// Web serves the web pages until ctx ends. It is a client of the recorder.
	Web func(ctx context.Context, c *control.Client, host control.WebHost) error

	// StartError shows why Preroll could not start, and returns when the user has closed it.
	StartError func(ctx context.Context, err error)
}

// TrayOptions are the options of the tray.
type TrayOptions struct {
	Paths  config.Paths
	ByHand bool // a person started it, so the window opens too
	Log    *slog.Logger
}

// WindowOptions are the options of the window.
type WindowOptions struct {
	Paths   config.Paths
	Page    string
	Event   string
	Measure string
}

// Main runs a command line (without the program's name) and returns its exit code.
func Main(args []string, d Desktop) int {
	private()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, args, os.Stdout, os.Stderr, d)
}

// Run is Main with a context and its own outputs, for tests.
func Run(ctx context.Context, args []string, out, errs io.Writer, d Desktop) int {
	err := run(ctx, args, out, errs, d)
	var wrong errUsage
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &wrong):
		fmt.Fprintf(errs, "preroll: %s\nSee: preroll help\n", err)
		return exitUsage
	case errors.Is(err, errSilent):
		return exitFailed
	}

	fmt.Fprintf(errs, "preroll: %s\n", err)
	return exitFailed
}

func run(ctx context.Context, args []string, out, errs io.Writer, d Desktop) error {
	name := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		name = "help"
	}
	if name == "help" {
		fmt.Fprint(out, usage)
		return nil
	}
	c, ok := commands(d)[name]
	if !ok {
		return errUsage(fmt.Sprintf("there is no command %q", name))
	}
	fs := flag.NewFlagSet("preroll "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	file := fs.String("config", "", "")
	if c.flags != nil {
		c.flags(fs)
	}
	rest, err := parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		return nil
	}
	if err != nil {
		return errUsage(strings.ReplaceAll(err.Error(), "flag provided but not defined: -", "no such option: --"))
	}
	if len(rest) < c.args[0] || len(rest) > c.args[1] {
		return errUsage(fmt.Sprintf("%q takes %s", strings.TrimSpace("preroll "+name), count(c.args)))
	}
	places, err := config.PathsOf(*file)
	if err != nil {
		return err
	}
	e := &env{ctx: ctx, out: out, errs: errs, paths: places, client: control.NewClient(places.Socket), args: rest,
		say: d.Say, web: d.Web}
	defer e.client.Close()
	return c.run(e)
}

func count(n [2]int) string {
	switch {
	case n[1] == 0:
		return "no argument"
	case n[0] == n[1]:
		return plural(n[0], "argument")
	}
	return "at most " + plural(n[1], "argument")
}

// parse parses options at any position among the arguments.
func parse(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

func commands(d Desktop) map[string]command {
	return map[string]command{
		"":        tray(d),
		"window":  window(d),
		"record":  record(),
		"service": serviceCommand(),
		"trigger": triggerCommand(),
		"events":  events(),
		"status":  statusCommand(),
		"mail":    mailCommand(),
		"why":     why(),
		"pause":   {args: [2]int{0, 1}, run: pause},
		"resume":  {run: func(e *env) error { return e.client.EndPause(e.ctx) }},
		"check":   check(),
		"reindex": {run: reindex},
		"drives":  drives(),
		"caller":  caller(),
		"target":  targets(),
		"away":    away(),
		"web":     webCommand(),
		"health":  health(),
		"forget":  forget(),
		"version": {run: func(e *env) error {
			_, err := fmt.Fprintln(e.out, "preroll", recorder.Version())
			return err
		}},
	}
}

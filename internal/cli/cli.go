// Package cli is the command line. It reads the arguments, connects the parts and prints for people.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/internal/service"
	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/logtail"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/update"
)

// Exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitStopped  = 3 // no recorder is running
	exitSettings = 4 // the settings are wrong or cannot be read
	exitInUse    = 5 // another Preroll records with these settings, or uses the RAM disk's folder or the archive
	exitRights   = 6 // the rights of this user do not suffice
)

const usage = `Preroll saves the seconds before something happened in front of a camera.

  preroll                       the tray: records, or joins a running recorder
  preroll window                the window of a running recorder
      --page PAGE                 events, cameras, health, settings or guide
      --event ID                  open at this event
  preroll record                record in the foreground, with no screen
      --demo                      with no camera set up: use the demo camera
      --take-over                 from a recorder that is running with these settings, which then ends; no frame is lost
  preroll service ACTION        install, uninstall, start, stop, restart, status or logs of the OS service; installed,
                                it records before anyone logs in. With --system it is one of the whole machine, with a
                                user of its own; else it is this user's
      --writable FOLDER           with install --system: where an archive outside /srv, /mnt and /media lies
      --follow                    with logs: go on until interrupted
  preroll trigger CAMERA        save a clip of a camera now
      --label TEXT                what the event is called
      --mail                      by a real alarm mail through the mail server, as for the demo camera
  preroll events [--json]       what was saved, newest first
      --camera ID                 of this camera only
      --limit N                   at most N (default 20)
  preroll status [--json]       how the recorder is doing
  preroll health                what needs a person; exit 1 if anything does, or if no camera records
  preroll mail [NO.]            the last connections of cameras, newest first, and mails that fit no camera;
                                with a number: all that was said in that one
      -n N                        at most N (default 20)
      --from ADDRESS              of this network address only
      --bad                       only those with problems
      --json                      all of it as JSON
  preroll why [CAMERA]          why there is a clip of a time, or none, step by step
      --at TIME                   14:05, or 2026-11-22 14:05 (default now)
  preroll pause [LENGTH]        save no clips for 15m, 1h or the like; without a length until resumed
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
  preroll target [--json]       where notifications go, such as a phone
  preroll target try ID         send a test there
  preroll away [on|off]         whether you are away: targets with away = true are notified only then
  preroll reindex               rebuild the index from the archive; a drive that took another one's place is used from
                                now on
  preroll drives [--json]       the archive drives that there are events on
  preroll forget EVENT...       take events off the list, such as those on a drive that is gone for good; their files
                                stay
      --drive ID                  all events on this drive
  preroll settings [--json]     the settings in force, without passwords
  preroll settings get KEY      one of them, such as archive.path or camera.front.url
  preroll settings set KEY VALUE...
                                change some; a camera that is named first is added. The value - is read from standard
                                input, as is best for passwords
  preroll settings unset KEY... take some back to their defaults; camera.front removes that camera
  preroll settings check [FILE] look for faults; exit 4 if there are any
  preroll settings schema       the JSON Schema of the settings file
  preroll backup FILE           settings and list of events in one file; clips are not in it
      --passphrase-file FILE      with passwords, certificate and paired devices, too, encrypted; - is standard input
  preroll restore FILE          put a backup back; what is there is set aside. No recorder may run
      --passphrase-file FILE      the passphrase of the backup
  preroll import FILE           add the cameras of Frigate, go2rtc, MediaMTX or a table (CSV)
      --from KIND                 frigate, go2rtc, mediamtx or csv (default: find out)
      --dry-run                   say what would be added
  preroll diagnose [FILE]       write one file for a bug report, without passwords; - prints its short parts
  preroll completion SHELL      a script that completes commands: bash, zsh, fish or powershell
  preroll update                look whether there is a newer version; it only tells
  preroll version               this version, and the FFmpeg that is used

All take
      --config FILE               other settings, with a recorder of their own
      --system                    the settings of the service of this machine
      --log-level LEVEL           debug, info, warn or error (default info); debug prints every segment
      --log-format FORMAT         text or json (default text)
and PREROLL_CONFIG, PREROLL_LOG_LEVEL and PREROLL_LOG_FORMAT in the environment. Without a recorder of this user,
commands ask that of the service. preroll help COMMAND shows one of them.

Exit: 0 done, 1 it failed, 2 wrong use, 3 no recorder is running, 4 the settings are wrong or cannot be read, 5 another
Preroll is using them, the RAM disk or the archive, 6 this user may not.
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
	level  slog.Level
	json   bool          // log as JSON
	system bool          // the service of this machine is meant
	tail   *logtail.Tail // of what log returns
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
	Paths   config.Paths
	ByHand  bool   // a person started it, so the window opens too
	Version string // of this program
	Log     *slog.Logger
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
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !managed() && !signal.Ignored(syscall.SIGHUP) { // the terminal is gone; nohup ignores that
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return Run(ctx, args, os.Stdout, os.Stderr, d)
}

// managed reports whether a service manager or a container runs this process. SIGHUP then means to read the settings
// again.
func managed() bool { return os.Getenv("INVOCATION_ID") != "" || os.Getpid() == 1 }

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
	return exitCode(err)
}

// exitCode returns the exit code for an error that is no wrong use.
func exitCode(err error) int {
	var settings *config.FileError
	var used *lockfile.InUseError
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return exitStopped
	case errors.As(err, &settings):
		return exitSettings
	case errors.As(err, &used), errors.Is(err, errRunning):
		return exitInUse
	case errors.Is(err, control.ErrNoAccess), errors.Is(err, service.ErrNoRights), errors.Is(err, fs.ErrPermission):
		return exitRights
	}
	return exitFailed
}

func run(ctx context.Context, args []string, out, errs io.Writer, d Desktop) error {
	name := ""
	args = commandFirst(args)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) == 1 {
		switch args[0] {
		case "-h", "--help":
			name, args = "help", nil
		case "-V", "--version":
			name, args = "version", nil
		}
	}
	if name == "help" {
		return help(out, d, args)
	}
	c, ok := commands(d)[name]
	if !ok {
		return errUsage(fmt.Sprintf("there is no command %q", name))
	}
	fs := flag.NewFlagSet("preroll "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	e := &env{ctx: ctx, out: out, errs: errs, say: d.Say, web: d.Web}
	file := fs.String("config", os.Getenv("PREROLL_CONFIG"), "")
	level := fs.String("log-level", os.Getenv("PREROLL_LOG_LEVEL"), "")
	format := fs.String("log-format", os.Getenv("PREROLL_LOG_FORMAT"), "")
	fs.BoolVar(&e.system, "system", false, "")
	if c.flags != nil {
		c.flags(fs)
	}
	rest, err := parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return help(out, d, []string{name})
	}
	if err != nil {
		return errUsage(strings.ReplaceAll(err.Error(), "flag provided but not defined: -", "no such option: --"))
	}
	if len(rest) < c.args[0] || len(rest) > c.args[1] {
		return errUsage(fmt.Sprintf("%q takes %s", strings.TrimSpace("preroll "+name), count(c.args)))
	}
	e.args = rest
	if err := e.setLog(*level, *format); err != nil {
		return err
	}
	if err := e.setPaths(*file); err != nil {
		return err
	}
	defer e.client.Close()
	return c.run(e)
}

// commandFirst moves the options that all commands take behind the command.
func commandFirst(args []string) []string {
	i := 0
	for i < len(args) && strings.HasPrefix(args[i], "-") {
		name, _, whole := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case name == "system":
			i++
		case whole && slices.Contains([]string{"config", "log-level", "log-format"}, name):
			i++
		case slices.Contains([]string{"config", "log-level", "log-format"}, name):
			i += 2
		default:
			return args
		}
	}
	if i == 0 || i >= len(args) {
		return args
	}
	return slices.Concat(args[i:i+1], args[:i], args[i+1:])
}

// setLog sets what is logged, and how.
func (e *env) setLog(level, format string) error {
	switch format {
	case "json":
		e.json = true
	case "", "text":
	default:
		return errUsage(fmt.Sprintf("--log-format %q: there are text and json", format))
	}
	if level == "" {
		return nil
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, level) {
		return errUsage(fmt.Sprintf("--log-level %q: there are debug, info, warn and error", level))
	}
	return e.level.UnmarshalText([]byte(level))
}

// setPaths sets the paths of a settings file, and the client.
func (e *env) setPaths(file string) (err error) {
	switch {
	case e.system && file != "":
		return errUsage("--system and --config exclude each other")
	case e.system:
		e.paths = config.ServicePaths()
		err = os.Setenv("STATE_DIRECTORY", e.paths.State) // the defaults of the settings follow it
	default:
		e.paths, err = config.PathsOf(file)
	}
	if err != nil {
		return err
	}
	e.client = control.NewClient(e.paths.Sockets()...)
	return nil
}

// log returns the log for people or for programs.
func (e *env) log() *slog.Logger {
	if e.tail == nil {
		e.tail = &logtail.Tail{}
	}
	if e.json {
		return e.tail.Tee(slog.New(slog.NewJSONHandler(e.out, &slog.HandlerOptions{Level: e.level})))
	}
	return e.tail.Tee(slog.New(newLines(e.out, e.level)))
}

// help prints how all commands are used, or one of them.
func help(out io.Writer, d Desktop, of []string) error {
	if len(of) == 0 || of[0] == "" {
		_, err := fmt.Fprint(out, usage)
		return err
	}
	if _, ok := commands(d)[of[0]]; !ok {
		return errUsage(fmt.Sprintf("there is no command %q", of[0]))
	}
	on := false
	for line := range strings.Lines(usage) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "  preroll "):
			on = len(words) > 1 && words[1] == of[0]
		case !strings.HasPrefix(line, "   "):
			on = false
		}
		if on {
			fmt.Fprint(out, line)
		}
	}
	return nil
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
		"":           tray(d),
		"window":     window(d),
		"record":     record(),
		"service":    serviceCommand(),
		"trigger":    triggerCommand(),
		"events":     events(),
		"status":     statusCommand(),
		"mail":       mailCommand(),
		"why":        why(),
		"pause":      {args: [2]int{0, 1}, run: pause},
		"resume":     {run: func(e *env) error { return e.client.EndPause(e.ctx) }},
		"check":      check(),
		"reindex":    {run: reindex},
		"drives":     drives(),
		"caller":     caller(),
		"target":     targets(),
		"away":       away(),
		"web":        webCommand(),
		"completion": completion(d),
		"backup":     backupCommand(),
		"restore":    restoreCommand(),
		"import":     importCommand(),
		"diagnose":   diagnoseCommand(),
		"update":     {run: updateCommand},
		"settings":   settingsCommand(),
		"health":     health(),
		"forget":     forget(),
		"version":    {run: version},
	}
}

// version prints the version of this program and of the FFmpeg that it would use.
func version(e *env) error {
	fmt.Fprintf(e.out, "preroll %s (%s, %s/%s)\n", recorder.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	path := ""
	if s, _, err := config.Load(e.paths.File); err == nil {
		path = s.FFmpeg.Path
	}
	tool, err := ffmpeg.Find(e.ctx, path)
	if err != nil {
		fmt.Fprintf(e.out, "FFmpeg: %s\n", err)
		return nil
	}
	fmt.Fprintf(e.out, "FFmpeg %s (%s)\n", tool.Version, tool.Path)
	return nil
}

// updateCommand looks for a newer version now.
func updateCommand(e *env) error {
	r, err := update.Look(e.ctx, http.DefaultClient)
	if err != nil {
		return err
	}
	if update.Newer(r.Version, recorder.Version()) {
		fmt.Fprintf(e.out, "There is a newer version, %s: %s\n", r.Version, r.URL)
		return nil
	}
	fmt.Fprintf(e.out, "%s is the newest version.\n", recorder.Version())
	return nil
}

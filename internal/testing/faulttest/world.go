//go:build linux

// Package faulttest injects faults around a running Preroll and then checks whether Preroll kept its promises.
//
// A [World] is the real program as a child process, with real FFmpegs, test cameras, real alarm mails, its own RAM disk
// and its own archive drive. Faults strike at random moments by a plan that is the same for the same seed ([NewPlan],
// [World.Carry]). The world keeps a ledger of what happened: which frame left which camera when, and which mail was
// answered when. In the end [World.Check] reads the archive, the index and every frame, and compares them with the
// ledger. Every difference is a fault of Preroll. The only excuse is what an event itself names.
//
// Close ends everything that a world started.
package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// mark is an environment variable that all processes of a world inherit, so that leftover processes can be found.
const mark = "PREROLL_FAULTS_WORLD"

// Options configure a World.
type Options struct {
	Program string // path of a Preroll built with the tags headless and faults
	Dir     string // an empty folder
	Seed    uint64 // appears in the subject of each mail and in the password of the cameras

	Cameras  []CameraOptions
	PreRoll  time.Duration
	PostRoll time.Duration
	Longest  time.Duration // the setting clip.max_length
	RAM      int64         // size of the RAM disk in bytes
	Drive    bool          // the archive lies on a disk that can fail
	Power    bool          // archive and index lie on disks that know what a power cut leaves
}

// World is a running Preroll with everything around it.
type World struct {
	Cameras []*Camera
	Mails   Mails
	Faults  Injected
	Drive   *faultfs.Disk // the archive's disk; nil if the archive lies in a plain folder
	State   *faultfs.Disk // the index's disk; nil if the index lies on a RAM disk

	opt      Options
	settings config.Settings
	file     string // path of the settings file
	drive    string // where the archive drive is mounted
	state    string
	run      string // XDG_RUNTIME_DIR
	log      *os.File
	client   *control.Client
	stranger map[string]bool // files that faults put into the archive and the rings
	undo     []func() error  // what Close does, last first
	records  sync.RWMutex    // see record
	hanging  atomic.Int32    // faults by which the archive drive or the index does not answer
	answered atomic.Int64    // when the last of them ended, Unix nanoseconds

	mu      sync.Mutex // guards the fields below
	process *instance  // the current process
	starts  int
	cuts    int
	wrong   []string // faults that were found while the world ran
}

// instance is one process of Preroll.
type instance struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	err   error         // how the process ended; read it only after ended is closed

	mu    sync.Mutex // guards meant
	meant bool       // the end of the process is intended or expected
}

func (l *instance) mean() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meant = true
}

func (l *instance) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.meant
}

// NewWorld makes the folders, disks and cameras. Recording begins with [World.Start].
func NewWorld(ctx context.Context, opt Options) (_ *World, err error) {
	w := &World{opt: opt, stranger: map[string]bool{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if err := adopt(); err != nil {
		return nil, err
	}
	path := func(name string) string { return filepath.Join(opt.Dir, name) }
	w.drive, w.state, w.run, w.file = path("drive"), path("state"), path("run"), path("preroll.toml")
	for _, dir := range []string{w.drive, w.state, w.run, path("ram"), path("backing")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if w.log, err = os.OpenFile(path("preroll.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	w.undo = append(w.undo, w.log.Close)
	if err := w.tmpfs(path("ram"), opt.RAM); err != nil {
		return nil, err
	}
	if opt.Power {
		for at, disk := range map[string]**faultfs.Disk{w.drive: &w.Drive, w.state: &w.State} {
			if *disk, err = w.mountDisk(at, faultfs.Strict); err != nil {
				return nil, err
			}
			w.undo = append(w.undo, func() error { return (*disk).Close() })
		}
	} else if err := w.tmpfs(w.state, 64<<20); err != nil {
		return nil, err
	}
	if opt.Drive {
		if w.Drive, err = faultfs.Mount(path("backing"), w.drive, faultfs.Journal); err != nil {
			return nil, err
		}
		w.undo = append(w.undo, w.Drive.Close)
	}
	if err := w.wrapper(path("ffmpeg")); err != nil {
		return nil, err
	}
	for _, address := range []*string{&w.Mails.Address, &w.Mails.Calls} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		*address = fmt.Sprintf("127.0.0.1:%d", port)
	}
	w.Mails.seed = opt.Seed
	callers := access.Open(w.state, access.Callers)
	if _, w.Mails.token, err = callers.Add(status.Caller{Name: "the harness"}); err != nil {
		return nil, err
	}

	s := config.Default()
	s.RAMDisk.Path, s.RAMDisk.Keep = path("ram/rings"), config.Duration(opt.PreRoll+20*time.Second)
	s.RAMDisk.Budget = max(16*config.MiB, config.ByteSize(opt.RAM/2))
	s.Archive.Path, s.Archive.MinFree = filepath.Join(w.drive, "clips"), 0
	s.Clip = config.Clip{PreRoll: config.Duration(opt.PreRoll), PostRoll: config.Duration(opt.PostRoll),
		MaxLength: config.Duration(opt.Longest)}
	s.SMTP.Listen, s.Calls.Listen = w.Mails.Address, w.Mails.Calls
	s.FFmpeg.Path = path("ffmpeg")
	for i, o := range opt.Cameras {
		c, err := newCamera(ctx, fmt.Sprintf("cam%d", i+1), o, canary(opt.Seed))
		if err != nil {
			return nil, err
		}
		w.undo = append(w.undo, func() error { c.Close(); return nil })
		w.Cameras = append(w.Cameras, c)
		cfg := config.NewCamera()
		cfg.ID, cfg.URL, cfg.Username, cfg.Password = c.ID, c.URL(), "viewer", config.Secret(canary(opt.Seed))
		if o.FFmpeg {
			cfg.Ingest = config.IngestFFmpeg
		}
		s.Cameras = append(s.Cameras, cfg)
	}
	if faults := config.Validate(s); faults != nil {
		return nil, faults
	}
	w.settings = s
	return w, config.Save(w.file, s)
}

// canary returns a password that must appear only in the settings.
func canary(seed uint64) string { return fmt.Sprintf("canary%016x", seed) }

// tmpfs mounts a RAM disk. The mount exists only in the mount namespace of the tests, see [faultfs.Private].
func (w *World) tmpfs(dir string, size int64) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		return fmt.Errorf("mount a RAM disk at %s (needs root, or user namespaces): %w", dir, err)
	}
	w.undo = append(w.undo, func() error { return unix.Unmount(dir, unix.MNT_DETACH) })
	return nil
}

// nextPort is the last port that was tried. It stays below the ports that the system assigns to cameras and
// connections.
var nextPort atomic.Int64

func init() { nextPort.Store(20_000 + rand.Int64N(10_000)) }

func freePort() (int, error) {
	for {
		port := int(nextPort.Add(1))
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, ln.Close()
		}
		if port > 32_000 {
			return 0, err
		}
	}
}

// Archive returns the folder of the archive.
func (w *World) Archive() string { return w.settings.Archive.Path }

// Log returns the last lines that the processes of Preroll logged.
func (w *World) Log(lines int) string {
	b, err := os.ReadFile(w.log.Name())
	if err != nil {
		return err.Error()
	}
	all := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(b)), "\n"), func(line string) bool {
		return strings.Contains(line, " for writing") || strings.Contains(line, " segment camera=")
	})
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// blame records something that is wrong in any case.
func (w *World) blame(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *World) present() *instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.process
}

// pid returns the id of the current process, or 0 if no process runs.
func (w *World) pid() int {
	l := w.present()
	if l == nil {
		return 0
	}
	select {
	case <-l.ended:
		return 0
	default:
		return l.cmd.Process.Pid
	}
}

func (w *World) command(args ...string) *exec.Cmd {
	c := exec.Command(w.opt.Program, append(args, "--config", w.file)...)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != failpoint.Environment && name != "NOTIFY_SOCKET" {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, mark+"="+w.opt.Dir, "XDG_RUNTIME_DIR="+w.run, "STATE_DIRECTORY="+w.state, "HOME="+w.opt.Dir,
		"XDG_CONFIG_HOME="+w.opt.Dir, "GOTRACEBACK=all", failpoint.Count+"="+w.count())
	c.Stdout, c.Stderr = w.log, w.log
	return c
}

// count returns the path of the file to which Preroll writes its goroutines and heap.
func (w *World) count() string { return filepath.Join(w.opt.Dir, "count") }

// --- Start and status ---

// busyTimeout is the max time that Preroll may take to start or to stop on a busy machine.
const busyTimeout = 60 * time.Second

// Start starts Preroll. point is a failpoint (see [failpoint.Points]) or "". Start returns when Preroll answers or,
// with a failpoint, when Preroll answers or has ended.
func (w *World) Start(ctx context.Context, point string) error {
	l := &instance{cmd: w.command("record", "--log-level", "debug"), ended: make(chan struct{}), meant: point != ""}
	if point != "" {
		l.cmd.Env = append(l.cmd.Env, failpoint.Environment+"="+point)
	}
	w.mu.Lock()
	w.starts++
	_, _ = fmt.Fprintf(w.log, "=== %s life %d %s\n", time.Now().Format("15:04:05.000"), w.starts, point)
	w.mu.Unlock()
	if err := l.cmd.Start(); err != nil {
		return err
	}
	go func() {
		l.err = l.cmd.Wait()
		close(l.ended)
		if !l.wanted() {
			w.blame("Preroll ended by itself at %s: %v", time.Now().Format("15:04:05.000"), l.err)
		}
	}()
	w.mu.Lock()
	w.process = l
	w.mu.Unlock()
	err := wait(ctx, busyTimeout, "Preroll to answer after its start", func() (bool, error) {
		select {
		case <-l.ended:
			if point != "" {
				return true, nil
			}
			return false, fmt.Errorf("preroll ended at its start: %w", l.err)
		default:
		}
		s, err := w.Status(ctx)
		return err == nil && s.Settings == w.file && s.SMTP.Listen != "", nil
	})
	return err
}

// wait waits until a condition holds.
func wait(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	return waitEvery(ctx, 100*time.Millisecond, limit, what, ok)
}

// waitEvery is like wait, for a condition that is costly to check.
func waitEvery(ctx context.Context, every, limit time.Duration, what string, ok func() (bool, error)) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("waited %s in vain for %s", limit, what)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Client returns a client of the running recorder.
func (w *World) Client() (*control.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client == nil {
		list, _ := filepath.Glob(filepath.Join(w.run, "preroll-*.sock"))
		if len(list) != 1 {
			return nil, control.ErrNotRunning
		}
		w.client = control.NewClient(list[0])
		w.undo = append(w.undo, func() error { w.forgetClient(); return nil })
	}
	return w.client, nil
}

// Status returns the status of Preroll.
func (w *World) Status(ctx context.Context) (status.Status, error) {
	c, err := w.Client()
	if err != nil {
		return status.Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Status(ctx)
}

// Filled waits until the ring of each camera holds at least length of video.
func (w *World) Filled(ctx context.Context, length time.Duration) error {
	return wait(ctx, length+busyTimeout, "rings to fill", func() (bool, error) {
		s, err := w.Status(ctx)
		if err != nil {
			return false, nil
		}
		for _, c := range s.Cameras {
			if c.PreRoll.D() < length {
				return false, nil
			}
		}
		return true, nil
	})
}

// hang notes that the archive drive or the index does not answer, until the function that it returns is called.
func (w *World) hang() (answers func()) {
	w.hanging.Add(1)
	return func() {
		w.answered.Store(time.Now().UnixNano())
		w.hanging.Add(-1)
	}
}

// hung reports whether the archive drive or the index does not answer, or did not when Preroll was asked to end.
func (w *World) hung() bool {
	return w.hanging.Load() > 0 || time.Since(time.Unix(0, w.answered.Load())) < 15*time.Second
}

// Kill kills Preroll and waits for its end.
func (w *World) Kill(ctx context.Context) error { return w.end(ctx, syscall.SIGKILL) }

// Stop asks Preroll to end, like a service manager, and waits for the end.
func (w *World) Stop(ctx context.Context) error { return w.end(ctx, syscall.SIGTERM) }

func (w *World) end(ctx context.Context, s syscall.Signal) error {
	l := w.present()
	if l == nil {
		return nil
	}
	l.mean()
	_ = l.cmd.Process.Signal(s)
	if err := w.Ended(ctx, busyTimeout); err != nil {
		w.blame("Preroll does not end within %s of %s", busyTimeout, s)
		_ = l.cmd.Process.Signal(syscall.SIGQUIT) // writes the stacks to the log
		_ = wait(ctx, 5*time.Second, "it", func() (bool, error) { return w.pid() == 0, nil })
		_ = l.cmd.Process.Kill()
		return w.Ended(ctx, busyTimeout)
	}
	if s == syscall.SIGTERM && l.err != nil && !w.hung() { // with a hanging drive an error is right
		w.blame("Preroll was asked to end and did with %v", l.err)
	}
	return nil
}

// Ended waits until the current process has ended.
func (w *World) Ended(ctx context.Context, limit time.Duration) error {
	l := w.present()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-l.ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("preroll still runs after %s", limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close ends everything and removes the mounts. The files stay.
func (w *World) Close() error {
	if l := w.present(); l != nil {
		l.mean()
		_ = l.cmd.Process.Kill()
		<-l.ended
	}
	var errs []error
	for i := len(w.undo) - 1; i >= 0; i-- {
		errs = append(errs, w.undo[i]())
	}
	w.undo = nil
	return errors.Join(errs...)
}

// --- Programs ---

// wrapper writes the program that Preroll uses as FFmpeg. The program follows the mode in the file beside it, then
// becomes FFmpeg.
func (w *World) wrapper(path string) error {
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		return err
	}
	script := `#!/bin/sh
read -r mode 2>/dev/null <"` + path + `.mode"
case "$mode" in
noisy) head -c 200000 /dev/urandom >&2 ;;
chatty) i=0; while [ $i -lt 300 ]; do echo "[info] [warning] frame= 0 Opening 'x.m4s' for writing" >&2; i=$((i+1)); done ;;
broken) echo "$0: cannot open shared object file" >&2; exit 127 ;;
deadly) case "$*" in *"-progress pipe:1 -f null"*) kill -9 $$ ;; esac ;;
old) case "$*" in *-version*) echo "ffmpeg version 2.8.15"; exit 0 ;; esac ;;
esac
exec ` + real + ` "$@"
`
	if err := os.WriteFile(path+".mode", []byte("\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(script), 0o700)
}

// mode sets the mode of the wrapper.
func (w *World) mode(m string) error {
	path := w.settings.FFmpeg.Path + ".mode"
	if err := os.WriteFile(path+".new", []byte(m+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Build builds the program with its failpoints in a folder, and returns the path of the program.
func Build(ctx context.Context, dir string, args ...string) (string, error) {
	program := filepath.Join(dir, "preroll")
	cmd := exec.CommandContext(ctx, "go",
		slices.Concat([]string{"build"}, args,
			[]string{"-tags", "headless faults", "-o", program, "github.com/preroll/preroll"})...)
	cmd.Dir = "../../.." // the product is a separate module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out.Bytes())
	}
	return program, nil
}

//go:build linux

package faulttest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/archive/index"
)

// areas are the areas in which faults strike.
var areas = []string{"camera", "ffmpeg", "preroll", "archive", "ram", "index", "load"}

// rest is the average time between two faults in an area.
var rest = map[string]time.Duration{
	"camera": 20 * time.Second, "ffmpeg": 16 * time.Second, "preroll": 30 * time.Second, "archive": 20 * time.Second,
	"ram": 20 * time.Second, "index": 24 * time.Second, "load": 30 * time.Second,
}

// record says what a fault does to the places that record an open event: the index, the note in RAM, and the sidecar
// beside the video. An event is in at least two of these places. A fault that takes one place strikes only while the
// other places are intact. No promise can hold if all places are lost at once.
type record int

const (
	apart record = iota
	needs        // Preroll ends or cannot write the index, so it may be unable to restore a lost place
	takes        // one of the places is lost
)

// loss says what an event lacks after a fault.
type loss int

const (
	perhaps loss = iota // nothing, or something that the event names
	nothing
	something // something that the event names
)

// Kind is a kind of fault.
type Kind struct {
	Name     string
	Area     string
	Weight   int
	Min, Max time.Duration // how long the fault lasts
	Long     bool          // used only in plans that are long enough
	Record   record        // what it does to the places that record an open event
	Lacks    loss          // what an event that is open during the fault lacks
	Expect   string        // what Preroll must do

	// Do injects the fault and returns the function that ends it, or nil if the fault ends by itself. Do is not called
	// while what it breaks is already broken.
	Do func(context.Context, *Fault) (end func() error, err error)
}

// Kinds are all kinds of faults.
var Kinds = slices.Concat(cameraKinds, ffmpegKinds, prerollKinds, driveKinds, ramKinds, indexKinds, loadKinds)

const second = time.Second

// switching returns a fault that is switched on and off.
func switching(f func(c *Camera, on bool)) func(context.Context, *Fault) (func() error, error) {
	return func(_ context.Context, t *Fault) (func() error, error) {
		f(t.Camera, true)
		return func() error { f(t.Camera, false); return nil }, nil
	}
}

// atOnce returns a fault without an end.
func atOnce(f func(*Fault)) func(context.Context, *Fault) (func() error, error) {
	return func(_ context.Context, t *Fault) (func() error, error) { f(t); return nil, nil }
}

// other returns a fault that gives a camera other media for a while.
func other(how func(*Camera, string, float64) error,
	set func(*CameraOptions)) func(context.Context, *Fault) (func() error, error) {
	return func(ctx context.Context, t *Fault) (func() error, error) {
		now := t.Camera.usual
		set(&now)
		file, err := now.media().File(ctx)
		if err != nil {
			return nil, err
		}
		usual, err := t.Camera.usual.media().File(ctx)
		if err != nil {
			return nil, err
		}
		return func() error { return how(t.Camera, usual, fps) }, how(t.Camera, file, fps)
	}
}

func restart(c *Camera, file string, fps float64) error { return c.Restart(file, fps) }
func swap(c *Camera, file string, fps float64) error    { return c.Switch(file, fps) }

// --- Cameras ---

var cameraKinds = []Kind{
	{Name: "camera loses its power", Lacks: something, Area: "camera", Weight: 3, Min: second, Max: 12 * second,
		Expect: "the gap is named; it is recorded again within seconds of its return",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			t.Camera.Down()
			return t.Camera.Up, nil
		}},
	{Name: "camera freezes", Lacks: something, Area: "camera", Weight: 2, Min: 3 * second, Max: 12 * second,
		Expect: "the read time-out or the watchdog ends the session; the gap is named",
		Do:     switching(func(c *Camera, on bool) { c.Freeze(on) })},
	{Name: "camera is mute", Lacks: something, Area: "camera", Weight: 2, Min: 2 * second, Max: 15 * second,
		Expect: "as if it froze; a short silence inside a session is named too",
		Do:     switching(func(c *Camera, on bool) { c.Mute(on) })},
	{Name: "cable out for a moment", Lacks: nothing, Area: "camera", Weight: 2, Min: second, Max: 4 * second,
		Expect: "nothing is lost: the frames arrive late",
		Do:     atOnce(func(t *Fault) { t.Camera.Stall(t.For) })},
	{Name: "cable out for long", Area: "camera", Weight: 2, Min: 8 * second, Max: 30 * second,
		Expect: "what arrives late is kept; else a new session, and the gap is named",
		Do:     atOnce(func(t *Fault) { t.Camera.Stall(t.For) })},
	{Name: "camera drops its connections", Lacks: something, Area: "camera", Weight: 3,
		Expect: "a new session after a second; the gap is named",
		Do:     atOnce(func(t *Fault) { t.Camera.Drop() })},
	{Name: "packets are lost", Area: "camera", Weight: 2, Min: 2 * second, Max: 10 * second,
		Expect: "what arrives is kept; the files are whole",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			t.Camera.Lose(0.01 + t.Rand.Float64()*0.2)
			return func() error { t.Camera.Lose(0); return nil }, nil
		}},
	{Name: "packets are damaged", Area: "camera", Weight: 2, Min: 2 * second, Max: 10 * second,
		Expect: "what arrives is kept; the files are whole",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			t.Camera.Corrupt(0.01 + t.Rand.Float64()*0.2)
			return func() error { t.Camera.Corrupt(0); return nil }, nil
		}},
	{Name: "camera's clock is set forward a little", Area: "camera", Weight: 1,
		Expect: "no frame is lost, or a gap is named",
		Do:     atOnce(func(t *Fault) { t.Camera.Jump(between(t.Rand, second/2, 29*second)) })},
	{Name: "camera's clock is set forward by hours", Area: "camera", Weight: 1,
		Expect: "no frame is lost, or a gap is named",
		Do:     atOnce(func(t *Fault) { t.Camera.Jump(between(t.Rand, 40*second, 10*time.Hour)) })},
	{Name: "camera's clock is set back", Area: "camera", Weight: 2,
		Expect: "no frame is lost, or a gap is named",
		Do:     atOnce(func(t *Fault) { t.Camera.Jump(-between(t.Rand, second/2, 3*time.Hour)) })},
	{Name: "time stamps repeat", Lacks: nothing, Area: "camera", Weight: 1, Min: 2 * second, Max: 8 * second,
		Expect: "no frame is lost",
		Do:     switching(func(c *Camera, on bool) { c.Repeat(on) })},
	{Name: "time stamps stand still", Area: "camera", Weight: 1, Min: 2 * second, Max: 6 * second,
		Expect: "no frame is lost, or a gap is named",
		Do:     switching(func(c *Camera, on bool) { c.Still(on) })},
	{Name: "camera restarts with another resolution", Lacks: something, Area: "camera", Weight: 1, Min: 8 * second,
		Max:    15 * second,
		Expect: "the event has a clip of each resolution; the gap is named",
		Do:     other(restart, func(o *CameraOptions) { o.Large = !o.Large })},
	{Name: "camera restarts with another codec", Lacks: something, Area: "camera", Weight: 1, Min: 8 * second,
		Max:    15 * second,
		Expect: "the event has a clip of each codec; the gap is named",
		Do:     other(restart, func(o *CameraOptions) { o.H265 = !o.H265 })},
	{Name: "resolution changes inside the session", Area: "camera", Weight: 1, Min: 8 * second, Max: 15 * second,
		Expect: "no clip mixes both, or it plays all the same",
		Do:     other(swap, func(o *CameraOptions) { o.Large = !o.Large })},
	{Name: "keyframes come every 20 s", Lacks: nothing, Area: "camera", Weight: 1, Min: 25 * second,
		Max: 45 * second, Long: true,
		Expect: "clips begin up to 20 s early and miss nothing",
		Do:     other(swap, func(o *CameraOptions) { o.GOP = 200 })},
	{Name: "camera flaps", Lacks: something, Area: "camera", Weight: 1, Min: 10 * second, Max: 30 * second,
		Long:   true,
		Expect: "each gap is named; Preroll does not storm the camera",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			for end := time.Now().Add(t.For); time.Now().Before(end); {
				t.Camera.Down()
				sleep(ctx, between(t.Rand, second/5, 2*second))
				if err := t.Camera.Up(); err != nil {
					return nil, err
				}
				sleep(ctx, between(t.Rand, second/2, 4*second))
			}
			return nil, nil
		}},
}

// --- FFmpeg ---

// signalFFmpeg returns a fault that sends a signal to one of the FFmpegs.
func signalFFmpeg(recording bool, s syscall.Signal) func(context.Context, *Fault) (func() error, error) {
	return func(ctx context.Context, t *Fault) (func() error, error) {
		sent := false
		// An FFmpeg that makes a thumbnail may live for 50 ms only.
		err := waitEvery(ctx, 5*time.Millisecond, 15*second, "an FFmpeg", func() (bool, error) {
			list := t.World.ffmpegs(recording)
			if !recording {
				list = slices.DeleteFunc(list, process.records)
			}
			if len(list) == 0 {
				return false, nil
			}
			err := syscall.Kill(list[t.Rand.IntN(len(list))].pid, s)
			if errors.Is(err, syscall.ESRCH) {
				return false, nil // it ended before the signal: wait for the next
			}
			sent = true
			return true, err
		})
		if !sent {
			return nil, errNothing
		}
		return nil, err
	}
}

func wrapped(mode string) func(context.Context, *Fault) (func() error, error) {
	return func(_ context.Context, t *Fault) (func() error, error) {
		// An FFmpeg that records notices the mode only at its next start, so half of them are killed.
		for _, p := range t.World.ffmpegs(true) {
			if t.Rand.IntN(2) == 0 {
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
		return func() error { return t.World.mode("") }, t.World.mode(mode)
	}
}

var ffmpegKinds = []Kind{
	{Name: "a recording FFmpeg is killed", Lacks: something, Area: "ffmpeg", Weight: 3,
		Expect: "a new one within seconds; the gap is named",
		Do:     signalFFmpeg(true, syscall.SIGKILL)},
	{Name: "a recording FFmpeg is stopped for ever", Lacks: something, Area: "ffmpeg", Weight: 2,
		Expect: "the watchdog kills it; the gap is named",
		Do:     signalFFmpeg(true, syscall.SIGSTOP)},
	{Name: "an FFmpeg at work on a clip is killed", Lacks: nothing, Area: "ffmpeg", Weight: 2,
		Expect: "the clip is finished at the next try",
		Do:     signalFFmpeg(false, syscall.SIGKILL)},
	{Name: "an FFmpeg at work on a clip is stopped for ever", Lacks: nothing, Area: "ffmpeg", Weight: 2,
		Expect: "it is killed after a while, and the clip is finished at the next try",
		Do:     signalFFmpeg(false, syscall.SIGSTOP)},
	{Name: "FFmpeg writes garbage to its log", Area: "ffmpeg", Weight: 1, Min: 4 * second, Max: 10 * second,
		Expect: "nothing is lost by it", Do: wrapped("noisy")},
	{Name: "FFmpeg writes lines that look like others", Area: "ffmpeg", Weight: 1, Min: 4 * second, Max: 10 * second,
		Expect: "nothing is lost by it", Do: wrapped("chatty")},
	{Name: "FFmpeg cannot load its libraries", Area: "ffmpeg", Weight: 1, Min: 3 * second, Max: 10 * second,
		Expect: "the gap is named; clips are finished when it can again", Do: wrapped("broken")},
	{Name: "FFmpeg is replaced by an old one", Area: "ffmpeg", Weight: 1, Min: 4 * second, Max: 10 * second,
		Expect: "clips are finished when the right one is back", Do: wrapped("old")},
	{Name: "FFmpeg is uninstalled", Lacks: nothing, Area: "ffmpeg", Weight: 1, Min: 3 * second, Max: 10 * second,
		Expect: "the gap is named; clips are finished when it is back",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			path := t.World.settings.FFmpeg.Path
			return func() error { return os.Rename(path+".gone", path) }, os.Rename(path, path+".gone")
		}},
}

// --- Preroll ---

var prerollKinds = []Kind{
	{Name: "Preroll is killed", Lacks: something, Area: "preroll", Record: needs, Weight: 3, Max: 4 * second,
		Expect: "the next start finishes all open events",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			return func() error { return t.World.Start(ctx, "") }, t.World.Kill(ctx)
		}},
	{Name: "Preroll crashes at a point", Area: "preroll", Record: needs, Weight: 4, Max: 20 * second,
		Min: 20 * second, Expect: "the next start finishes all open events",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			point := failpoint.Points[t.Rand.IntN(len(failpoint.Points))]
			if err := t.World.Kill(ctx); err != nil {
				return nil, err
			}
			if err := t.World.Start(ctx, fmt.Sprintf("%s:%d", point, 1+t.Rand.IntN(3))); err != nil {
				return nil, err
			}
			_ = t.World.Ended(ctx, t.For) // or the failpoint is not reached
			if err := t.World.Kill(ctx); err != nil {
				return nil, err
			}
			return nil, t.World.Start(ctx, "")
		}},
	{Name: "Preroll is stopped and started", Lacks: something, Area: "preroll", Record: needs, Weight: 2,
		Max: 3 * second, Expect: "as if it were killed, and it ends within seconds",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			return func() error { return t.World.Start(ctx, "") }, t.World.Stop(ctx)
		}},
	{Name: "Preroll is started twice", Lacks: nothing, Area: "preroll", Weight: 1,
		Expect: "the second says so and exits with 5; the first does not notice",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			w := t.World
			before := w.pid()
			second := w.command("record")
			done := make(chan error, 1)
			if err := second.Start(); err != nil {
				return nil, err
			}
			go func() { done <- second.Wait() }()
			select {
			case err := <-done:
				if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 5 {
					w.blame("a second Preroll ended with %v, not with exit code 5", err)
				}
			case <-time.After(busyTimeout):
				_ = second.Process.Kill()
				<-done
				w.blame("a second Preroll went on beside the first")
			}
			if w.pid() != before {
				w.blame("the first Preroll ended when a second was started")
			}
			return nil, nil
		}},
	{Name: "bytes of the index are flipped while Preroll is down", Lacks: something, Area: "preroll", Record: takes,
		Weight: 2, Expect: "the index is rebuilt from the archive; no event is lost",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			if err := t.World.end(ctx, []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[t.Rand.IntN(2)]); err != nil {
				return nil, err
			}
			// The index may be gone through an earlier fault.
			if err := flip(t, filepath.Join(t.World.state, index.Name)); err != nil &&
				!errors.Is(err, fs.ErrNotExist) {
				return nil, errors.Join(err, t.World.Start(ctx, ""))
			}
			return nil, t.World.Start(ctx, "")
		}},
}

// flip overwrites up to five places of a file with random bytes.
func flip(t *Fault, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	for range 1 + t.Rand.IntN(5) {
		b := make([]byte, 1+t.Rand.IntN(300))
		for i := range b {
			b[i] = byte(t.Rand.Uint32())
		}
		if _, err := f.WriteAt(b, t.Rand.Int64N(max(1, fi.Size()-300))); err != nil {
			return err
		}
	}
	return f.Sync()
}

// --- RAM disk ---

// fill uses all space of a RAM disk except for leave bytes, and returns a function that frees the space.
func fill(dir string, leave int64) (func() error, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "stranger.bin")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	remove := func() error { return os.Remove(path) }
	if size := int64(st.Bavail)*st.Bsize - leave; size > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil && !errors.Is(err, unix.ENOSPC) {
			return nil, errors.Join(err, remove())
		}
	}
	return remove, nil
}

// resize changes the size of a RAM disk. The size cannot fall below the used space.
func resize(dir string, size int64) error {
	return unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

// ramMount returns where the RAM disk is mounted.
func (w *World) ramMount() string { return filepath.Dir(w.settings.RAMDisk.Path) }

// foreign records a file that a fault put into the archive.
func (w *World) foreign(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stranger[path] = true
}

var ramKinds = []Kind{
	{Name: "the RAM disk is full", Area: "ram", Weight: 3, Min: 3 * second, Max: 15 * second,
		Expect: "what is missing is named; recording goes on when there is room",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			return fill(t.World.ramMount(), t.Rand.Int64N(200_000))
		}},
	{Name: "the RAM disk shrinks", Area: "ram", Weight: 1, Min: 3 * second, Max: 15 * second,
		Expect: "as if it were full",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			var st unix.Statfs_t
			if err := unix.Statfs(t.World.ramMount(), &st); err != nil {
				return nil, err
			}
			used := int64(st.Blocks-st.Bfree) * st.Bsize
			return func() error { return resize(t.World.ramMount(), t.World.opt.RAM) },
				resize(t.World.ramMount(), used+1<<20)
		}},
	{Name: "foreign files lie in a ring", Lacks: nothing, Area: "ram", Weight: 2, Max: 5 * second,
		Expect: "they do no harm, and none is done to them",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			ring := filepath.Join(t.World.settings.RAMDisk.Path, t.World.Cameras[t.Rand.IntN(len(t.World.Cameras))].ID,
				"ring")
			run := time.Now().UnixMilli() + t.Rand.Int64N(2_000_000) - 1_000_000
			for _, err := range []error{
				os.Symlink("/etc/passwd", filepath.Join(ring, fmt.Sprintf("r%013d-000001.m4s", run))),
				os.Mkdir(filepath.Join(ring, fmt.Sprintf("r%013d-000002.m4s", run)), 0o700),
				os.WriteFile(filepath.Join(ring, fmt.Sprintf("r%013d-000003.m4s", run)),
					[]byte(strings.Repeat("garbage", 999)), 0o600),
				os.WriteFile(filepath.Join(ring, fmt.Sprintf("r%013d-init.mp4", run)),
					[]byte(strings.Repeat("\x00\x00\x00\x08free", 999)), 0o600),
				os.WriteFile(filepath.Join(ring, "holiday.jpg"), []byte("a stranger's"), 0o600),
			} {
				if errors.Is(err, fs.ErrNotExist) {
					return nil, errNothing // the ring does not exist at the moment
				}
				if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOSPC) {
					return nil, err
				}
			}
			return nil, nil
		}},
	{Name: "a camera's ring is removed", Lacks: something, Area: "ram", Record: takes, Weight: 1,
		Expect: "it is recreated; what is missing is named",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			return nil, clear(filepath.Join(t.World.settings.RAMDisk.Path,
				t.World.Cameras[t.Rand.IntN(len(t.World.Cameras))].ID))
		}},
	{Name: "all rings are removed", Lacks: something, Area: "ram", Record: takes, Weight: 1,
		Expect: "they are recreated; what is missing is named",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			return nil, clear(t.World.settings.RAMDisk.Path)
		}},
}

// clear removes a folder to which others write.
func clear(dir string) (err error) {
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
	}
	return err
}

// --- Index and load ---

var indexKinds = []Kind{
	{Name: "another program locks the index", Lacks: nothing, Area: "index", Weight: 2, Min: 3 * second,
		Max: 10 * second, Expect: "alarm mails wait for it, or are not accepted",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			db, err := sqlfile.Open(filepath.Join(t.World.state, index.Name),
				"mode=rw&_pragma=busy_timeout(5000)", 1)
			if err != nil {
				return nil, err
			}
			if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
				_ = db.Close() // the index is missing, or Preroll repairs it
				return nil, errNothing
			}
			answers := t.World.hang()
			return func() error {
				defer answers()
				return db.Close()
			}, nil
		}},
	{Name: "the index is removed", Lacks: nothing, Area: "index", Record: takes, Weight: 2,
		Expect: "it is written again; no event is lost",
		Do: func(_ context.Context, t *Fault) (func() error, error) {
			path := filepath.Join(t.World.state, index.Name)
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return nil, err
				}
			}
			return nil, nil
		}},
	{Name: "the disk of the index is full", Lacks: nothing, Area: "index", Record: needs, Weight: 2, Min: 2 * second,
		Max: 10 * second, Expect: "alarm mails are not accepted meanwhile; nothing that was is lost",
		Do: func(_ context.Context, t *Fault) (func() error, error) { return fill(t.World.state, 0) }},
}

var loadKinds = []Kind{
	{Name: "all cameras send a mail at once", Lacks: nothing, Area: "load", Weight: 3, Expect: "each has its event",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			var wg sync.WaitGroup
			for _, c := range t.World.Cameras {
				wg.Go(func() { t.World.Mails.Send(c.ID, false) })
			}
			wg.Wait()
			return nil, nil
		}},
	{Name: "a storm of 300 mails", Lacks: nothing, Area: "load", Weight: 1, Expect: "all that are accepted count",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			c := t.World.Cameras[t.Rand.IntN(len(t.World.Cameras))]
			jobs := make(chan struct{}, 300)
			for range cap(jobs) {
				jobs <- struct{}{}
			}
			close(jobs)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range jobs {
						if ctx.Err() == nil {
							t.World.Mails.Send(c.ID, true)
						}
					}
				})
			}
			wg.Wait()
			return nil, nil
		}},
	{Name: "connections that say nothing", Lacks: nothing, Area: "load", Weight: 1, Min: 2 * second, Max: 8 * second,
		Expect: "mails of others get through",
		Do: func(ctx context.Context, t *Fault) (func() error, error) {
			var open []func() error
			for range 10 {
				if c, err := dial(t.World.Mails.Address); err == nil {
					open = append(open, c.Close)
				}
			}
			return func() error {
				for _, end := range open {
					_ = end()
				}
				return nil
			}, nil
		}},
}

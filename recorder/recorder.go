// Package recorder is the engine of Preroll. A Recorder owns the cameras with their rings, the alarm mail server, the
// copier and the archive. It knows nothing about screens.
//
// Data flows one way: camera, ring, trigger, clip, archive, and from there as status and events to the subscribers. Run
// owns every goroutine and returns when all of them have ended.
package recorder

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/inbox"
	"github.com/preroll/preroll/recorder/logtail"
	"github.com/preroll/preroll/recorder/metrics"
	"github.com/preroll/preroll/recorder/outbox"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// Options holds what New needs to make a recorder.
type Options struct {
	Paths    config.Paths    // the settings file and the state folder
	Settings config.Settings // must be valid
	Log      *slog.Logger
	Tail     *logtail.Tail    // the last lines of Log, for the window and reports; may be nil
	Sources  []trigger.Source // of alarms, in addition to the mail server and Trigger; may be nil

	// Say says a text in a language, or in the system's for "". Word for phones is in English without it.
	Say func(language string, t text.Text) string

	// Web serves the web pages until ctx ends, or fails to. It may be nil.
	Web func(ctx context.Context, host control.WebHost) error

	Early *camera.Early // cameras that are read already, from [TakeOver]; may be nil
}

// Recorder is the engine. Make one with New.
type Recorder struct {
	paths   config.Paths
	sources []trigger.Source
	log     *slog.Logger
	tail    *logtail.Tail
	started time.Time

	archive     *archive.Archive
	budget      *ring.Budget
	cameras     *camera.Set
	copier      *clip.Copier
	drive       health.Drive // the archive drive
	ffmpeg      *ffmpeg.Finder
	folders     *health.Folders
	history     *history.History
	hub         hub
	inbox       *inbox.Inbox
	ram         ramFolder
	connections trigger.ConnectionLog // connections to the mail server
	calls       calls
	web         web
	away        atomic.Bool // the user is away
	counters    metrics.Counters
	outbox      *outbox.Outbox
	succession  succession
	early       *camera.Early
	update      atomic.Pointer[status.Update] // the newer version that there is, or nil

	mailed        chan struct{} // the mail server's settings changed, so it restarts
	retentionWake chan struct{} // an event ended, so retention looks at the limits
	pausing       chan struct{} // a pause began or ended, or its end was changed
	looking       chan struct{} // slot for one check of the files of listed events, which may hang

	applying sync.Mutex // one Apply at a time

	indexMu  sync.Mutex // guards indexErr
	indexErr error      // why events cannot be written to the index, or nil

	mu         sync.Mutex // guards all fields below
	phase      phase
	ctx        context.Context // of Run; nil before Run
	settings   config.Settings
	fileErr    error // why the settings file's current content is not in force, or nil
	archiveErr error
	rebuilt    int // how often the index was rebuilt
	pause      status.Pause
}

// phase says whether a recorder is new, runs or has ended.
type phase int

const (
	fresh phase = iota
	running
	closed
)

// ErrClosed is the error of Run if the recorder ran before or was closed.
var ErrClosed = errors.New("this recorder has ended; make a new one")

// New opens the index of the archive. If the index cannot be opened for a reason that may pass, the recorder works
// without it until it can. The caller then calls Run or Close. The error is a [*lockfile.InUseError] if another
// recorder uses the RAM folder or the archive.
func New(ctx context.Context, o Options) (*Recorder, error) {
	s, state := o.Settings.Clone(), o.Paths.State
	r := &Recorder{
		paths: o.Paths, settings: s, sources: o.Sources, log: o.Log, tail: o.Tail, started: time.Now(),
		budget: ring.NewBudget(int64(s.RAMDisk.Budget)), folders: health.NewFolders(),
		history: history.New(state, o.Log),
		mailed:  make(chan struct{}, 1), retentionWake: make(chan struct{}, 1), pausing: make(chan struct{}, 1),
		looking: make(chan struct{}, 1),
		calls:   calls{list: access.Open(state, access.Callers), changed: make(chan struct{}, 1)},
		web:     web{devices: access.Open(state, access.Devices), changed: make(chan struct{}, 1)},

		succession: newSuccession(), early: o.Early,
	}

	OpenTo(s.Archive.Group)
	var err error
	if r.archive, err = archive.OpenOrWait(ctx, state, s.Archive.Path, o.Log, r.indexTrouble); err != nil {
		return nil, err
	}
	if err := r.claim(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.ffmpeg = ffmpeg.NewFinder(func() string { return r.Settings().FFmpeg.Path }, r.hub.statusChanged, o.Log)
	r.inbox = inbox.New(inbox.Options{
		State: state, Add: r.history.Add, Changed: r.hub.statusChanged, Log: o.Log,
		Camera: func(id string) (config.Camera, bool) { return r.Settings().Camera(id) }})
	r.copier = clip.New(clip.Copier{
		Archive: r.archive, FFmpeg: r.ffmpeg.Tool, Log: o.Log, Changed: r.eventChanged, DriveError: r.archiveTrouble})
	r.cameras = camera.NewSet(camera.Options{
		Archive: r.archive, Copier: r.copier, Budget: r.budget, FFmpeg: r.ffmpeg.Tool, RecordHistory: r.recordHistory,
		Changed: r.hub.statusChanged, Started: r.started, Early: o.Early, Log: o.Log}, s)
	r.outbox = r.newOutbox(o.Say)
	r.web.serve = o.Web
	if err := r.connections.Restore(r.connectionsPath()); err != nil {
		r.log.Warn("earlier connections of cameras cannot be read", "err", err)
	}
	r.loadAway()
	return r, nil
}

// Close releases the RAM folder and the archive if Run was not called. Run releases them itself.
func (r *Recorder) Close() error {
	r.mu.Lock()
	done := r.phase != fresh
	if !done {
		r.phase = closed
	}
	r.mu.Unlock()
	if done {
		return nil
	}
	return r.release()
}

func (r *Recorder) release() error {
	r.ram.release()
	return r.archive.Close()
}

// Run records until ctx ends. The next process resumes events that are open then. Run works only once. The error is
// [ErrHandedOver] if another process has taken over.
func (r *Recorder) Run(ctx context.Context) (err error) {
	g, ctx := errgroup.WithContext(ctx)
	r.mu.Lock()
	if r.phase != fresh {
		r.mu.Unlock()
		return ErrClosed
	}
	r.phase, r.ctx = running, ctx
	r.mu.Unlock()

	defer func() { err = errors.Join(err, r.release()) }()
	defer r.early.End()
	defer r.keepHistory(ctx)()
	r.cameras.Start(ctx)
	if err := ffmpeg.EndOrphans(ctx, filepath.Join(r.paths.State, "ffmpeg")); err != nil {
		r.log.Warn("FFmpegs that an earlier process left are not looked for", "err", err)
	}
	r.ffmpeg.Expect()
	g.Go(func() error { r.ffmpeg.Search(ctx); return nil }) // may take a while; mails are accepted meanwhile
	r.cameras.Apply(r.prepareRAM())
	r.early.Stop()
	r.log.Info("recorder started", "cameras", len(r.Settings().Cameras), "path", r.archive.Root())
	g.Go(func() error { return r.awaitSuccessor(ctx) })
	g.Go(func() error { return r.receiveMail(ctx) })
	for _, s := range r.sources {
		g.Go(func() error { r.runSource(ctx, s); return nil })
	}
	for _, keep := range []func(context.Context){
		r.receiveCalls, r.serveWeb, r.takeUp, r.housekeeping, r.keepLimits, r.keepPause, r.watchSettings,
		r.watchArchive, r.archive.Keep, r.fillIndex, r.outbox.Run, r.tellOfProblems,
		r.lookForUpdates} {
		g.Go(func() error { keep(ctx); return nil })
	}
	<-ctx.Done()
	err = g.Wait()

	r.mu.Lock()
	r.phase = closed
	r.mu.Unlock()
	r.cameras.Stop()
	r.saveMailState()
	r.log.Info("recorder stopped")
	return err
}

// takeUp resumes the events that an earlier process left open, and removes what else it left in RAM.
func (r *Recorder) takeUp(ctx context.Context) {
	if err := r.cameras.Resume(ctx); err != nil {
		r.log.Error("open events wait until the index can be used", "err", err) // housekeeping tries again
	}
	r.eraseMoved()
	r.cameras.EraseUnused()
	r.rememberTriggers(ctx)
}

// rememberTriggers takes from the index when each camera was last triggered, before this process.
func (r *Recorder) rememberTriggers(ctx context.Context) {
	for _, c := range r.Settings().Cameras {
		list, err := r.archive.List(ctx, event.Query{Camera: c.ID, Limit: 1})
		if err == nil && len(list) > 0 {
			r.cameras.Remember(c.ID, list[0].LastTrigger)
		}
	}
	r.hub.statusChanged()
}

// fillIndex adds the events to the index that the archive holds and the index lacks. It returns when ctx ends.
func (r *Recorder) fillIndex(ctx context.Context) {
	select { // first the open events that RAM holds
	case <-r.cameras.Resumed():
	case <-ctx.Done():
		return
	}
	r.archive.Refill(ctx, func(open bool) {
		if open {
			if err := r.cameras.Resume(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("open events were not taken up", "err", err)
			}
		}
		if r.archive.Filling() == nil {
			r.indexRebuilt()
		}
		r.hub.statusChanged()
	})
}

// housekeeping checks every few seconds what no notification reports: the space on the RAM disk, a missing FFmpeg or
// RAM disk, and cameras that could not start.
func (r *Recorder) housekeeping(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	var seen condition
	for n := 1; ; n++ {
		r.fitRAM()
		r.keepAlive()
		if n%15 == 1 {
			r.saveMailState()
		}
		seen = r.checkCondition(seen)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%5 != 0 {
			continue
		}
		r.ffmpeg.Refresh(ctx)
		if due := r.cameras.DropLost(); due || r.ram.usable() != nil {
			usable := r.prepareRAM()
			if err := r.cameras.Resume(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("open events were not taken up", "err", err)
			}
			r.cameras.Apply(usable)
			r.hub.statusChanged()
		}
	}
}

// --- Settings ---

// Settings returns the settings in force.
func (r *Recorder) Settings() config.Settings {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings.Clone()
}

// Apply checks new settings, saves them and puts them in force. Cameras that did not change go on recording. If the
// settings are wrong, the error is [config.ValidationErrors] and nothing has changed.
func (r *Recorder) Apply(s config.Settings) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	s.KeepSecrets(r.Settings())
	faults := append(config.Validate(s), config.CheckFolders(s, r.Settings())...)
	if err := append(faults, config.EnvironmentFaults(s)...).Err(); err != nil {
		return err
	}
	if err := config.Save(r.paths.File, s); err != nil {
		return err
	}
	r.putInForce(s)
	return nil
}

// putInForce replaces the settings. r.applying is held.
func (r *Recorder) putInForce(s config.Settings) {
	r.mu.Lock()
	old := r.settings
	r.settings, r.fileErr = s.Clone(), nil
	ctx, isRunning := r.ctx, r.phase == running
	r.mu.Unlock()
	r.log.Info("settings changed", "cameras", len(s.Cameras))
	OpenTo(s.Archive.Group)
	r.archive.SetRoot(s.Archive.Path)
	r.cameras.Configure(s.Clone())
	if !isRunning {
		return
	}
	if s.FFmpeg != old.FFmpeg {
		r.ffmpeg.Search(ctx)
	}
	if s.Archive != old.Archive {
		r.archiveTrouble(nil)
		wake(r.retentionWake)
	}
	r.cameras.Apply(r.prepareRAM())
	if s.RAMDisk.Path != old.RAMDisk.Path {
		r.writeRAMPath(s.RAMDisk.Path)
	}
	if !reflect.DeepEqual(s.SMTP, old.SMTP) {
		wake(r.mailed)
	}
	if !reflect.DeepEqual(s.Calls, old.Calls) {
		wake(r.calls.changed)
	}
	if !reflect.DeepEqual(s.Web, old.Web) {
		r.noteWeb("", nil) // whoever asks next learns of the new ones alone
		wake(r.web.changed)
	}
	r.hub.statusChanged()
}

// --- Triggers ---

// Trigger triggers a camera. It returns the id of the event once the event is durable. Callers check for the errors
// [ErrNoCamera] and [ErrOff].
func (r *Recorder) Trigger(ctx context.Context, id string, t event.Trigger) (string, error) {
	return r.cameras.Trigger(ctx, id, t)
}

// These are the errors that callers check for.
var (
	ErrNoCamera  = camera.ErrNoCamera
	ErrOff       = camera.ErrOff
	ErrNoPicture = camera.ErrNoPicture
)

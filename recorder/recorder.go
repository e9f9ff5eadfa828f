// Package recorder is the engine of Preroll. A Recorder owns the cameras with their rings, the alarm mail server, the
// copier and the archive; it knows nothing of screens.
//
// Data flows one way: camera, ring, trigger, clip, archive, and from there as status and events to whoever subscribed.
// Run owns every goroutine and returns when all have ended.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/trigger"
)

// Version is this program's version.
const Version = "0.1.0"

// Recorder is the engine. Make one with New.
type Recorder struct {
	places  config.Places
	log     *slog.Logger
	started time.Time
	hub     hub
	archive *archive.Archive
	history *history.History
	notes   notes
	copier  *clip.Copier
	budget  *ring.Budget
	mailed  chan struct{}  // the mail server's settings changed; it starts again
	kept    chan struct{}  // an event ended: look at the retention limits
	pausing chan struct{}  // a pause began, ended, or ends at another time
	drawing chan struct{}  // a place for the one FFmpeg that makes stills
	probing chan struct{}  // places for looks at folders, which may hang
	looking chan struct{}  // a place for a look at the files of listed events, which may hang
	drive   drive          // the archive's
	visits  trigger.Visits // connections to the mail server

	applying sync.Mutex    // one Apply at a time
	resuming sync.Mutex    // one resume at a time; taken before mu
	recalled chan struct{} // closed when the events of an earlier life were taken up

	trouble  sync.Mutex // guards indexErr
	indexErr error      // an event could not be noted

	finding sync.Mutex    // held while FFmpeg is looked for: who begins last finds what is set
	looked  chan struct{} // closed when it was looked for once

	mu         sync.Mutex // guards all below
	settings   config.Settings
	tool       *ffmpeg.Tool
	toolErr    error
	ramErr     error
	ramLock    *lockfile.Lock
	archiveErr error
	rebuilt    int // how often the index was rebuilt
	smtp       status.SMTP
	lags       map[string][]time.Duration // by which the last mails of a camera came late, newest last
	storms     map[string]*storm          // of mails, by camera
	pause      status.Pause
	cameras    map[string]*camera
	retiring   map[string]chan struct{} // cameras that are ending; closed when they have, and record again if they shall
	lacking    bool                     // a camera could not be started
	fileErr    error                    // why the settings file, as it is now, is not in force
	waiting    bool                     // open events could not be taken up
	unsaved    bool                     // the mails that fitted no camera changed since they were written
	ctx        context.Context          // of Run; nil before and after it
	work       *sync.WaitGroup          // incidents
}

// New opens the archive's index; while that cannot be opened for a reason that may pass, Run goes on without it. Close is not needed when Run was called.
func New(ctx context.Context, places config.Places, s config.Settings, log *slog.Logger) (*Recorder, error) {
	r := &Recorder{
		places: places, settings: s.Clone(), log: log, started: time.Now(), history: history.New(places.State, log),
		budget: ring.NewBudget(int64(s.RAMDisk.Budget)), mailed: make(chan struct{}, 1), kept: make(chan struct{}, 1),
		pausing: make(chan struct{}, 1), drawing: make(chan struct{}, 1), probing: make(chan struct{}, 2), looking: make(chan struct{}, 1),
		cameras: map[string]*camera{}, retiring: map[string]chan struct{}{}, looked: make(chan struct{}), recalled: make(chan struct{}),
	}
	var err error
	if r.archive, err = archive.OpenOrWait(ctx, places.State, s.Archive.Path, log, r.indexTrouble); err != nil {
		return nil, err
	}
	openTo(s.Archive.Group)
	if err := r.claim(); err != nil {
		r.ramLock.Release()
		return nil, errors.Join(err, r.archive.Close())
	}
	r.readUnmatched()
	r.copier = clip.New(clip.Copier{Archive: r.archive, FFmpeg: r.ffmpeg, Log: log, Changed: r.eventChanged, Trouble: r.archiveTrouble})
	return r, nil
}

// Run records until ctx ends. Events that are open then are taken up by the next Run.
func (r *Recorder) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.archive.Close()) }()
	defer r.keepHistory(ctx)()
	g, ctx := errgroup.WithContext(ctx)
	var work sync.WaitGroup
	r.mu.Lock()
	r.ctx, r.work = ctx, &work
	r.mu.Unlock()
	if err := ffmpeg.EndOrphans(ctx, filepath.Join(r.places.State, "ffmpeg")); err != nil {
		r.log.Warn("FFmpegs that an earlier process left are not looked for", "err", err)
	}
	g.Go(func() error { // which may take a while, on a machine that just starts: mails are accepted meanwhile
		r.findFFmpeg(ctx)
		close(r.looked)
		return nil
	})
	r.prepareRAM()
	r.reconcile()
	r.log.Info("recorder started", "cameras", len(r.Settings().Cameras), "path", r.archive.Root())
	g.Go(func() error { return r.receiveMail(ctx) })
	g.Go(func() error {
		if err := r.resume(ctx); err != nil {
			r.log.Error("open events wait until the index can be used", "err", err) // see housekeeping
		}
		close(r.recalled)
		r.eraseMoved()
		r.eraseUnused()
		return nil
	})
	g.Go(func() error { r.housekeeping(ctx); return nil })
	g.Go(func() error { r.keepLimits(ctx); return nil })
	g.Go(func() error { r.keepPause(ctx); return nil })
	g.Go(func() error { r.watchSettings(ctx); return nil })
	g.Go(func() error { r.watchArchive(ctx); return nil })
	g.Go(func() error { r.archive.Keep(ctx); return nil })
	g.Go(func() error { r.fillIndex(ctx); return nil })
	<-ctx.Done()
	err = g.Wait()

	r.mu.Lock()
	r.ctx = nil // no trigger is accepted any more
	cameras := make([]*camera, 0, len(r.cameras))
	for _, c := range r.cameras {
		cameras = append(cameras, c)
	}
	r.mu.Unlock()
	for _, c := range cameras {
		c.stop()
	}
	work.Wait()
	r.saveUnmatched()
	r.ramLock.Release()
	r.log.Info("recorder stopped")
	return err
}

// fillIndex puts into the index what the archive holds and it lacks, until ctx ends.
func (r *Recorder) fillIndex(ctx context.Context) {
	select { // what RAM holds of open events comes first
	case <-r.recalled:
	case <-ctx.Done():
		return
	}
	r.archive.Refill(ctx, func(open bool) {
		if open {
			if err := r.resume(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("open events were not taken up", "err", err)
			}
		}
		if r.archive.Filling() == nil {
			r.mu.Lock()
			r.rebuilt++
			r.mu.Unlock()
		}
		r.hub.statusChanged()
	})
}

// reconcile makes the cameras those of the settings: new ones start, removed ones end, changed ones connect anew.
func (r *Recorder) reconcile() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil || r.ramErr != nil {
		return
	}
	for id, c := range r.cameras {
		if cfg, ok := r.settings.Camera(id); !ok || !cfg.Enabled || c.dir != r.cameraDir(id) {
			delete(r.cameras, id)
			r.note(history.Off, id, "")
			r.retire(id, c)
		}
	}
	r.lacking = false
	for _, cfg := range r.settings.Cameras {
		if !cfg.Enabled {
			continue
		}
		if c, ok := r.cameras[cfg.ID]; ok {
			c.configure(cfg, r.settings.Lengths(cfg), r.settings.RAMDisk.Keep.D())
			continue
		}
		if r.retiring[cfg.ID] != nil { // it comes back when its old self has ended
			continue
		}
		c, err := newCamera(r, cfg, r.cameraDir(cfg.ID), r.settings)
		if err != nil {
			r.log.Error("camera does not start", "camera", cfg.ID, "err", err)
			r.lacking = true
			continue
		}
		r.cameras[cfg.ID] = c
		c.start(r.ctx)
	}
}

// retire stops a camera, which may take until its open event is saved. Two selves of one camera never share a folder.
// r.mu is held.
func (r *Recorder) retire(id string, c *camera) {
	ended := make(chan struct{})
	r.retiring[id] = ended
	r.work.Go(func() {
		c.stop()
		r.mu.Lock()
		if cfg, ok := r.settings.Camera(id); (!ok || !cfg.Enabled || c.dir != r.cameraDir(id)) && r.ctx != nil {
			c.ring.Erase()
		}
		delete(r.retiring, id)
		r.mu.Unlock()
		r.reconcile()
		close(ended)
		r.hub.statusChanged()
	})
}

// keep is the length of the rings.
func (r *Recorder) keep() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings.RAMDisk.Keep.D()
}

// cameraDir is a camera's folder on the RAM disk. r.mu is held.
func (r *Recorder) cameraDir(id string) string { return filepath.Join(r.settings.RAMDisk.Path, id) }

// resume takes up the events that nobody works on: those that an earlier life left open, and later those that were found
// again when the index was rebuilt. Pins that belong to none are dropped. Cameras that are not in the settings any more
// are opened for as long as that takes. Mails are taken meanwhile.
func (r *Recorder) resume(ctx context.Context) error {
	r.resuming.Lock()
	defer r.resuming.Unlock()
	r.mu.Lock()
	path, usable := r.settings.RAMDisk.Path, r.ramErr == nil
	r.mu.Unlock()
	if !usable { // with no RAM disk they wait, and no camera records either
		return nil
	}
	rings := map[string]*camera{} // those that are opened for this
	err := r.recall(ctx, path, rings)
	var open []event.Event
	if err == nil {
		open, err = r.archive.Unfinished(ctx)
	}
	waiting := err != nil
	for _, ev := range open {
		if ctx.Err() != nil {
			break
		}
		if r.copier.Working(ev.ID) {
			continue
		}
		c, oerr := r.openCamera(ev.Camera, ev.CameraName, rings)
		if oerr == nil {
			oerr = c.resume(ctx, ev)
		} else {
			waiting = true
		}
		if oerr != nil {
			r.log.Error("open event is not resumed", "event", ev.ID, "camera", ev.Camera, "err", oerr)
		}
	}
	r.mu.Lock()
	r.waiting = waiting
	cameras := maps.Clone(r.cameras)
	r.mu.Unlock()
	maps.Copy(cameras, rings)
	for _, c := range cameras {
		c.dropOrphans(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range rings {
		if cfg, known := r.settings.Camera(id); known && cfg.Enabled && r.cameras[id] == nil && r.retiring[id] == nil {
			r.cameras[id] = c
			c.start(ctx)
		} else {
			r.retire(id, c)
		}
	}
	return err
}

// openCamera returns a camera, or opens its ring and keeps it in rings if it does not record.
func (r *Recorder) openCamera(id, name string, rings map[string]*camera) (*camera, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cameras[id]; c != nil {
		return c, nil
	}
	if c := rings[id]; c != nil {
		return c, nil
	}
	if r.retiring[id] != nil { // it is followed up until it has ended
		return nil, errEnding
	}
	if !event.CameraID(id) {
		return nil, fmt.Errorf("%q: %w", id, ErrNoCamera)
	}
	cfg, known := r.settings.Camera(id)
	if !known {
		cfg = config.NewCamera()
		cfg.ID, cfg.Name, cfg.Enabled = id, name, false
	}
	c, err := newCamera(r, cfg, r.cameraDir(id), r.settings)
	if err == nil {
		rings[id] = c
	}
	return c, err
}

// recall puts events into the index that RAM knows and the index does not.
func (r *Recorder) recall(ctx context.Context, path string, rings map[string]*camera) error {
	holds, err := filepath.Glob(filepath.Join(path, "*", "pins"))
	if err != nil {
		return err
	}
	for _, pins := range holds {
		id := filepath.Base(filepath.Dir(pins))
		if list, err := os.ReadDir(pins); err != nil || len(list) == 0 || !config.CameraID(id) {
			continue
		}
		c, err := r.openCamera(id, "", rings)
		if errors.Is(err, errEnding) {
			continue
		} else if err != nil {
			r.log.Error("what RAM holds of a camera is not usable", "camera", id, "err", err)
			continue
		}
		lost := c.lostEvents(ctx)
		if len(lost) == 0 {
			continue
		}
		r.log.Warn("events were found in RAM that the index does not hold", "camera", id, "events", len(lost))
		if err := r.archive.Put(ctx, lost...); err != nil {
			return err
		}
	}
	return nil
}

// recallTime is how long a trigger waits for what an earlier life left, so that it can extend an event that is still open.
const recallTime = time.Second

// recalledSoon waits until the events of an earlier life are taken up, but not for long.
func (r *Recorder) recalledSoon(ctx context.Context) {
	select {
	case <-r.recalled:
		return
	default:
	}
	timer := time.NewTimer(recallTime)
	defer timer.Stop()
	select {
	case <-r.recalled:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Trigger triggers a camera and returns the event's id, when the event is durable. A camera that begins anew, since its RAM
// was lost, is waited for. Errors that a caller decides by are [ErrNoCamera] and [ErrOff].
func (r *Recorder) Trigger(ctx context.Context, id string, t event.Trigger) (string, error) {
	patience, cancel := context.WithTimeout(ctx, anewTime)
	defer cancel()
	r.recalledSoon(ctx)
	var ended *camera
	for {
		r.mu.Lock()
		c, running, ending := r.cameras[id], r.ctx != nil, r.retiring[id]
		cfg, known := r.settings.Camera(id)
		r.mu.Unlock()
		switch {
		case !running:
			return "", errors.New("the recorder is stopping")
		case !known:
			return "", fmt.Errorf("%q: %w", id, ErrNoCamera)
		case !cfg.Enabled:
			return "", fmt.Errorf("%q: %w", id, ErrOff)
		case c != nil && c != ended:
			event, err := c.trigger(ctx, t)
			if !errors.Is(err, errEnding) {
				return event, err
			}
			ended = c
			continue
		case ending == nil:
			return "", fmt.Errorf("camera %q does not record", id)
		}
		select {
		case <-ending:
		case <-patience.Done():
			return "", fmt.Errorf("camera %q: %w", id, errEnding)
		}
	}
}

// anewTime is how long a trigger waits for a camera that begins anew. Few cameras wait longer for the answer to their mail.
const anewTime = 20 * time.Second

// Errors of Trigger.
var (
	ErrNoCamera = errors.New("there is no camera with this id")
	ErrOff      = errors.New("this camera is switched off")
)

// ffmpeg returns the FFmpeg in use.
func (r *Recorder) ffmpeg() (*ffmpeg.Tool, error) {
	r.mu.Lock()
	wait := r.work != nil && r.tool == nil
	r.mu.Unlock()
	if wait {
		<-r.looked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tool == nil && r.toolErr == nil {
		return nil, &source.Failure{Kind: source.Missing}
	}
	return r.tool, r.toolErr
}

func (r *Recorder) findFFmpeg(ctx context.Context) {
	r.finding.Lock()
	defer r.finding.Unlock()
	tool, err := ffmpeg.Find(ctx, r.Settings().FFmpeg.Path)
	r.mu.Lock()
	changed := (err == nil) != (r.toolErr == nil)
	r.tool, r.toolErr = tool, err
	r.mu.Unlock()
	switch {
	case err != nil && changed:
		r.log.Error("no usable FFmpeg", "err", err)
	case err == nil:
		r.log.Info("FFmpeg found", "path", tool.Path, "version", tool.Version)
	}
	r.hub.statusChanged()
}

// prepareRAM makes the RAM disk's folder and says why if that fails.
func (r *Recorder) prepareRAM() {
	path := r.Settings().RAMDisk.Path
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		err = nil
		if fi, serr := os.Stat(path); serr != nil || !fi.IsDir() {
			err = fmt.Errorf("%s is not a folder", path)
		}
	}
	if err == nil {
		err = own(path)
	}
	if err == nil {
		err = durable.Try(path)
	}
	if err == nil {
		err = r.lockRAM(path)
	}
	r.mu.Lock()
	changed := fmt.Sprint(err) != fmt.Sprint(r.ramErr)
	r.ramErr = err
	r.mu.Unlock()
	switch {
	case changed && err != nil:
		r.note(history.RAMLost, "", err.Error())
	case changed:
		r.note(history.RAMBack, "", "")
	}
	if err != nil && changed {
		r.log.Error("the RAM disk cannot be used", "err", err)
	}
}

// lockRAM makes sure that no other recorder uses the folder on the RAM disk: it would take this one's events for its own.
func (r *Recorder) lockRAM(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	r.mu.Lock()
	held := r.ramLock
	r.mu.Unlock()
	if held.Holds(root) {
		return nil
	}
	lock, err := lockfile.Take(root)
	if err != nil {
		return err
	}
	held.Release()
	r.mu.Lock()
	r.ramLock = lock
	r.mu.Unlock()
	return nil
}

// claimTime is how long the archive drive is waited for at the start, to tell whether another recorder uses it.
const claimTime = time.Second

// claim returns a [*lockfile.Taken] if another recorder uses the folder on the RAM disk or the archive. Nothing else is an
// error here: what is missing may come.
func (r *Recorder) claim() error {
	r.prepareRAM()
	var taken *lockfile.Taken
	if errors.As(r.ramErr, &taken) {
		return taken
	}
	claimed := make(chan error, 1)
	go func() { claimed <- r.archive.Claim() }() // which a drive that hangs keeps for ever
	timer := time.NewTimer(claimTime)
	defer timer.Stop()
	select {
	case err := <-claimed:
		return err
	case <-timer.C:
		return nil
	}
}

// housekeeping looks every few seconds after what no event tells of: the RAM disk's room, a missing FFmpeg or RAM disk,
// and cameras that could not start.
func (r *Recorder) housekeeping(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	var seen condition
	for n := 1; ; n++ {
		r.fitRAM()
		if n%15 == 1 {
			r.saveUnmatched()
		}
		seen = r.lookAtCondition(seen)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%5 != 0 {
			continue
		}
		if tool, err := r.ffmpeg(); err != nil || tool.Changed() {
			r.findFFmpeg(ctx)
		}
		lost := r.dropLost()
		r.mu.Lock()
		broken := r.ramErr != nil || r.lacking || r.waiting || lost
		r.mu.Unlock()
		if broken {
			r.prepareRAM()
			if err := r.resume(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("open events were not taken up", "err", err)
			}
			r.reconcile()
			r.hub.statusChanged()
		}
	}
}

// condition is what no event tells of and a person wants to know.
type condition struct {
	short int  // cameras whose ring is shortened
	hangs bool // the archive drive
}

// lookAtCondition tells of a condition that began or ended.
func (r *Recorder) lookAtCondition(before condition) condition {
	now := condition{hangs: r.copier.Waiting() > driveHangs}
	r.mu.Lock()
	for _, c := range r.cameras {
		if c.ring.Status().Short {
			now.short++
		}
	}
	r.mu.Unlock()
	switch {
	case now.hangs && !before.hangs:
		r.log.Error("the archive drive does not answer")
	case before.hangs && !now.hangs:
		r.log.Info("the archive drive answers again")
	}
	if now != before {
		r.hub.statusChanged()
	}
	return now
}

// dropLost ends the cameras whose folder on the RAM disk was removed, and tells whether there were any. They begin anew
// in a new folder.
func (r *Recorder) dropLost() (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.cameras {
		if c.ring.Gone() {
			r.log.Error("the folder on the RAM disk is gone; the camera begins anew", "camera", id, "path", c.dir)
			delete(r.cameras, id)
			r.retire(id, c)
			lost = true
		}
	}
	return lost
}

// keepLimits deletes old events every ten minutes and after each new one. It has a goroutine of its own, since an
// archive drive may hang.
func (r *Recorder) keepLimits(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		r.retain(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.kept:
		case <-tick.C:
		}
	}
}

// ramReserve is what is left free on the RAM disk, so that FFmpeg never meets a full one: it says nothing then.
const ramReserve = 24 << 20

// fitRAM lowers the budget to what the RAM disk really has.
func (r *Recorder) fitRAM() {
	s := r.Settings()
	limit := int64(s.RAMDisk.Budget)
	if d, err := ring.DiskOf(s.RAMDisk.Path); err == nil {
		if used, _ := r.budget.Used(); d.Free < limit {
			limit = min(limit, used+d.Free-ramReserve)
		}
	}
	r.budget.SetLimit(limit)
}

func (r *Recorder) lookAtLimits() {
	select {
	case r.kept <- struct{}{}:
	default:
	}
}

// limits are the archive's limits as they are set.
func limits(s config.Settings) archive.Limits {
	return archive.Limits{
		MaxAge: s.Archive.MaxAge.D(), MaxSize: int64(s.Archive.MaxSize), MinFree: int64(s.Archive.MinFree),
		Free: func(path string) (int64, error) {
			d, err := ring.DiskOf(path)
			return d.Free, err
		},
	}
}

func (r *Recorder) retain(ctx context.Context) {
	removed, err := r.archive.Retain(ctx, limits(r.Settings()), time.Now())
	for _, e := range removed {
		r.hub.eventRemoved(e.ID)
		r.noteRemoved(e, byLimits)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrNotExist) {
		r.log.Error("old events were not removed", "err", err)
	}
}

// indexTrouble notes whether events can be noted.
func (r *Recorder) indexTrouble(err error) {
	r.trouble.Lock()
	changed := (err == nil) != (r.indexErr == nil)
	r.indexErr = err
	r.trouble.Unlock()
	if !changed {
		return
	}
	if err != nil {
		r.log.Error("alarms cannot be noted, so their mails are not accepted", "err", err)
	} else {
		r.log.Info("alarms can be noted again")
	}
	r.hub.statusChanged()
}

// archiveTrouble notes that the archive drive cannot be written, or can again.
func (r *Recorder) archiveTrouble(err error) {
	r.mu.Lock()
	changed := (err == nil) != (r.archiveErr == nil)
	r.archiveErr = err
	r.mu.Unlock()
	if archive.Full(err) {
		r.lookAtLimits() // old events make room for new ones, if the settings want that
	}
	if changed {
		if err == nil {
			r.log.Info("the archive drive can be written again")
			r.note(history.ArchiveBack, "", "")
		} else {
			text, _ := archive.Explain(err)
			r.note(history.ArchiveLost, "", text)
		}
		r.hub.statusChanged()
	}
}

// eventChanged passes an event on to all who watch.
func (r *Recorder) eventChanged(e event.Event) {
	r.hub.eventChanged(e)
	if e.State.Ended() {
		r.lookAtLimits()
	}
}

package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
)

// Status returns how the recorder is now.
func (r *Recorder) Status(ctx context.Context) status.Status {
	r.mu.Lock()
	s := status.Status{Version: Version, Started: r.started, Settings: r.places.File, SMTP: r.smtp, Pause: r.pause}
	s.SMTP.Unmatched, s.SMTP.Ports = slices.Clone(r.smtp.Unmatched), slices.Clone(r.smtp.Ports)
	set := r.settings.Clone()
	s.Notify, s.Language = set.Notify, set.Language
	if r.tool != nil {
		s.FFmpeg = status.FFmpeg{Path: r.tool.Path, Version: r.tool.Version}
	}
	toolErr, ramErr, archiveErr, fileErr, rebuilt := r.toolErr, r.ramErr, r.archiveErr, r.fileErr, r.rebuilt
	cameras := map[string]*camera{}
	for id, c := range r.cameras {
		cameras[id] = c
	}
	r.mu.Unlock()

	r.trouble.Lock()
	indexErr := r.indexErr
	r.trouble.Unlock()
	s.RAM = status.RAM{Path: set.RAMDisk.Path}
	s.RAM.Used, s.RAM.Budget = r.budget.Used()
	if d, err := ring.DiskOf(set.RAMDisk.Path); err == nil {
		s.RAM.Kind, s.RAM.IsRAM, s.RAM.Free, s.RAM.Total = d.Kind, d.RAM, d.Free, d.Total
		if !d.RAM {
			s.Problems = append(s.Problems, notRAM(set.RAMDisk.Path, d))
		}
	}
	s.Archive = status.Archive{Path: set.Archive.Path}
	disk, driveErr := r.drive.look(set.Archive.Path)
	s.Archive.Free, s.Archive.Total = disk.Free, disk.Total
	s.Archive.Events, s.Archive.Bytes, _ = r.archive.Totals(ctx)
	s.Archive.Rebuilt = rebuilt
	if f := r.archive.Filling(); f != nil {
		s.Archive.Filling = &status.Filling{Path: f.Path, Events: f.Events, Part: f.Part}
	}
	for _, d := range r.archive.Away(ctx) {
		s.Archive.Away = append(s.Archive.Away, status.Drive{ID: d.ID, Path: d.Path, Events: d.Events, Bytes: d.Bytes, Away: true})
	}
	for _, cfg := range set.Cameras {
		c, ok := cameras[cfg.ID]
		if !ok {
			cs := status.Camera{ID: cfg.ID, Name: cfg.Title(), State: status.Off, Text: "Switched off", Notify: cfg.Notify}
			if cfg.Enabled {
				cs.State, cs.Text = status.Waiting, "Waits for the RAM disk"
			}
			s.Cameras = append(s.Cameras, cs)
			continue
		}
		cs := c.status()
		cs.Notify = cfg.Notify
		r.mu.Lock()
		cs.MailLag = event.Seconds(r.mailLag(cfg.ID))
		r.mu.Unlock()
		s.RAM.Need += int64(cs.BitRate / 8 * set.RAMDisk.Keep.D().Seconds())
		s.Cameras = append(s.Cameras, cs)
		if cs.State == status.Waiting {
			s.Problems = append(s.Problems, status.Problem{Key: "camera", About: cs.ID, Text: cs.Name + ": " + cs.Text, Hint: cs.Hint})
		}
		if cs.Short {
			s.Problems = append(s.Problems, status.Problem{Key: "ram-short", About: "ram", Text: fmt.Sprintf("%s: only %.0f s of %.0f s of video fit into the RAM budget", cs.Name, cs.PreRoll.D().Seconds(), set.RAMDisk.Keep.D().Seconds()), Hint: "Raise ram_disk.budget, or lower the camera's bit rate."})
		}
	}
	var worst []status.Problem
	if toolErr != nil {
		f := failureOf(toolErr)
		worst = append(worst, status.Problem{Key: "ffmpeg", About: "ffmpeg", Text: f.Error(), Hint: f.Hint()})
	}
	if fileErr != nil {
		worst = append(worst, status.Problem{Key: "settings", About: "settings", Text: "The settings file was changed, and is not in force", Hint: "Correct it: " + fileErr.Error()})
	}
	if ramErr != nil {
		worst = append(worst, status.Problem{Key: "ram-gone", About: "ram", Text: "The RAM disk cannot be used: " + ramErr.Error(), Hint: "Choose a folder that this user may write in ram_disk.path."})
	}
	if r.copier.Waiting() > driveHangs {
		driveErr = archive.ErrSilent
	}
	if archiveErr == nil || errors.Is(driveErr, archive.ErrSilent) {
		archiveErr = driveErr
	}
	if archiveErr != nil {
		text, hint := archive.Explain(archiveErr)
		s.Archive.Error = text
		worst = append(worst, status.Problem{Key: archiveKey(archiveErr), About: "archive", Text: text, Hint: hint})
	}
	if indexErr != nil {
		worst = append(worst, status.Problem{Key: "index", About: "index", Text: "Alarms cannot be noted, so their mails are not accepted",
			Hint: "Most cameras send them again. Does another program use Preroll's state folder, or is its disk full? The system says: " + indexErr.Error()})
	}
	if s.SMTP.Error != "" {
		p := status.Problem{Key: "smtp", About: "smtp", Text: "No alarm mail can come in", Hint: s.SMTP.Error}
		if slices.ContainsFunc(s.SMTP.Ports, func(p status.Port) bool { return p.Error == "" }) {
			p.Text = "On one of its ports no alarm mail can come in"
		}
		worst = append(worst, p)
	}
	r.mu.Lock()
	worst = append(worst, r.stormProblems()...)
	r.mu.Unlock()
	s.Problems = append(worst, s.Problems...)
	return s
}

func archiveKey(err error) string {
	switch {
	case archive.Full(err):
		return "archive-full"
	case errors.Is(err, archive.ErrSilent):
		return "archive-hangs"
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, archive.ErrEmpty) || errors.Is(err, archive.ErrOther):
		return "archive-gone"
	}
	return "archive"
}

func notRAM(path string, d ring.Disk) status.Problem {
	text := fmt.Sprintf("%s is not RAM but a disk (%s)", path, d.Kind)
	if !d.Known {
		text = fmt.Sprintf("Nobody can tell whether %s is RAM (%s)", path, d.Kind)
	}
	return status.Problem{Key: "ram-disk", About: "ram", Text: text, Hint: "Every second of video would be written to it, all day. " + ramHint}
}

// Events lists events, newest first; those whose clips were removed by hand leave the list.
func (r *Recorder) Events(ctx context.Context, q event.Query) ([]event.Event, error) {
	list, err := r.archive.List(ctx, q)
	if err != nil {
		return nil, err
	}
	list, removed := r.seen(func() (kept, removed []event.Event) { return r.archive.Look(ctx, slices.Clone(list)) }, list)
	for _, e := range removed {
		r.hub.eventRemoved(e.ID)
		r.noteRemoved(e, byHand)
		r.hub.statusChanged()
	}
	return list, nil
}

// Days returns the days that have events which fit a query, newest first.
func (r *Recorder) Days(ctx context.Context, q event.Query) ([]event.Day, error) {
	return r.archive.Days(ctx, q)
}

// Choices returns what events can be filtered by.
func (r *Recorder) Choices(ctx context.Context) (event.Choices, error) {
	return r.archive.Choices(ctx)
}

// Next returns the event that the retention limits will remove next, or nil.
func (r *Recorder) Next(ctx context.Context) (*event.Next, error) {
	return r.archive.Next(ctx, limits(r.Settings()), time.Now())
}

// Event returns one event.
func (r *Recorder) Event(ctx context.Context, id string) (event.Event, error) {
	return r.archive.Get(ctx, id)
}

// Protect keeps an event from retention, or ends that.
func (r *Recorder) Protect(ctx context.Context, id string, on bool) (event.Event, error) {
	e, err := r.archive.Protect(ctx, id, on)
	if err == nil {
		r.hub.eventChanged(e)
	}
	return e, err
}

// Delete removes an event and its files.
func (r *Recorder) Delete(ctx context.Context, id string) error {
	e, err := r.archive.Get(ctx, id)
	if err == nil {
		err = r.archive.Delete(ctx, id)
	}
	if err == nil {
		r.hub.eventRemoved(id)
		r.noteRemoved(e, byHand)
		r.hub.statusChanged()
	}
	return err
}

// Forget removes an event from the list alone; its files stay where they are.
func (r *Recorder) Forget(ctx context.Context, id string) error {
	e, err := r.archive.Get(ctx, id)
	if err == nil {
		err = r.archive.Forget(ctx, id)
	}
	if err == nil {
		r.hub.eventRemoved(id)
		r.noteRemoved(e, byHand)
		r.hub.statusChanged()
	}
	return err
}

// Drives returns the archive drives that the list of events knows. Whether they are there is told as it was seen last.
func (r *Recorder) Drives(ctx context.Context) (list []status.Drive, err error) {
	drives, err := r.archive.Drives(ctx)
	away := r.archive.Away(ctx)
	for _, d := range drives {
		list = append(list, status.Drive{ID: d.ID, Path: d.Path, Events: d.Events, Bytes: d.Bytes, Away: slices.Contains(away, d)})
	}
	return list, err
}

// ForgetDrive removes the events on a drive from the list, such as one that is gone for good; their files stay where they
// are. It returns how many they were.
func (r *Recorder) ForgetDrive(ctx context.Context, id string) (int, error) {
	n, err := r.archive.ForgetDrive(ctx, id)
	r.mu.Lock()
	r.rebuilt++
	r.mu.Unlock()
	r.hub.statusChanged()
	return int(n), err
}

// Reindex rebuilds the index from the archive and returns the number of events found, and what could not be read.
func (r *Recorder) Reindex(ctx context.Context) (found int, faults []string, err error) {
	found, errs, err := r.reindex(ctx)
	for _, e := range errs {
		faults = append(faults, e.Error())
	}
	return found, faults, err
}

func (r *Recorder) reindex(ctx context.Context) (found int, faults []error, err error) {
	began := time.Now()
	found, faults, err = r.archive.Reindex(ctx)
	r.mu.Lock()
	r.rebuilt++
	r.mu.Unlock()
	r.log.Info("index rebuilt", "events", found, "took", time.Since(began).Round(time.Millisecond))
	r.hub.statusChanged()
	return found, faults, err
}

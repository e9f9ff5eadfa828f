package recorder

import (
	"context"
	"errors"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// Status returns the current state of the recorder.
func (r *Recorder) Status(ctx context.Context) status.Status {
	set := r.Settings()
	f := health.Facts{Settings: set, SMTP: r.inbox.Status(), Calls: r.calls.status(), Web: r.web.status(),
		Storms: r.inbox.Storms(set.Cameras), RAM: r.ram.usable()}
	r.mu.Lock()
	s := status.Status{Version: Version(), Started: r.started, Settings: r.paths.File, State: r.paths.State,
		SMTP: f.SMTP, Calls: f.Calls,
		Web: f.Web, Pause: r.pause, Away: r.away.Load(), Update: r.update.Load()}
	s.Notify, s.Language, s.Archive.Rebuilt = set.Notify, set.Language, r.rebuilt
	f.SettingsFile, f.Archive = r.fileErr, r.archiveErr
	r.mu.Unlock()
	r.indexMu.Lock()
	f.Index = r.indexErr
	r.indexMu.Unlock()

	tool, err := r.ffmpeg.Result()
	if f.FFmpeg = err; tool != nil {
		s.FFmpeg = status.FFmpeg{Path: tool.Path, Version: tool.Version}
	} else {
		s.FFmpeg.Hint = source.FFmpegHint().With()
	}
	s.Cameras = r.cameras.Status()
	for i := range s.Cameras {
		s.Cameras[i].MailLag = event.Seconds(r.inbox.Lag(s.Cameras[i].ID))
		s.RAM.Need += int64(s.Cameras[i].BitRate / 8 * set.RAMDisk.Keep.D().Seconds())
	}
	f.Cameras = s.Cameras
	s.Targets = r.outbox.Status()
	f.Targets = s.Targets

	s.RAM.Path, s.RAM.Keep = set.RAMDisk.Path, event.Seconds(set.RAMDisk.Keep)
	s.RAM.Used, s.RAM.Budget = r.budget.Used()
	if d, err := disk.Of(set.RAMDisk.Path); err == nil {
		f.RAMDisk = &d
		s.RAM.Kind, s.RAM.IsRAM, s.RAM.Free, s.RAM.Total = d.Kind, d.RAM, d.Free, d.Total
	}
	f.Archive = r.archiveStatus(ctx, &s.Archive, f.Archive)
	s.Problems = health.Problems(f)
	return s
}

// archiveStatus fills in the state of the archive. It returns why the archive cannot be written, or nil. err is the
// last error of the copier.
func (r *Recorder) archiveStatus(ctx context.Context, s *status.Archive, err error) error {
	s.Path = r.Settings().Archive.Path
	d, driveErr := r.drive.Check(s.Path)
	s.Free, s.Total = d.Free, d.Total
	s.Events, s.Bytes, _ = r.archive.Totals(ctx)
	if f := r.archive.Filling(); f != nil {
		s.Filling = &status.Filling{Path: f.Path, Events: f.Events, Part: f.Part}
	}
	for _, d := range r.archive.Away(ctx) {
		s.Away = append(s.Away, status.Drive{ID: d.ID, Path: d.Path, Events: d.Events, Bytes: d.Bytes, Away: true})
	}
	if r.copier.Waiting() > health.DriveHangs {
		driveErr = archive.ErrSilent
	}
	if err == nil || errors.Is(driveErr, archive.ErrSilent) {
		err = driveErr
	}
	if err != nil {
		s.Error, _ = archive.Explain(err)
	}
	return err
}

package recorder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/diagnose"
	"github.com/preroll/preroll/recorder/discover"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Why checks every link in the chain that leads to a clip at the given time, and reports of each link whether it held.
// camera "" means any camera. Broken links come first. If every link held, the event comes first.
func (r *Recorder) Why(ctx context.Context, camera string, at time.Time) ([]status.Finding, error) {
	s := r.Settings()
	e := diagnose.Evidence{Now: time.Now(), At: at, Camera: camera, Cameras: s.Cameras, MaxAge: s.Archive.MaxAge.D(),
		Started: r.started}
	if _, ok := s.Camera(camera); camera != "" && !ok {
		return nil, fmt.Errorf("%q: %w", camera, ErrNoCamera)
	}
	longest := s.Clip.MaxLength.D()
	for _, c := range s.Cameras {
		longest = max(longest, s.Lengths(c).MaxLength.D())
	}
	var err error
	if e.Entries, err = r.history.All(ctx); err != nil {
		return nil, err
	}
	from, to := at.Add(-diagnose.MailEarly), at.Add(diagnose.MailLate)
	if e.Events, err = r.archive.Around(ctx, camera, from, to, longest); err != nil {
		return nil, err
	}
	e.Longest = longest
	e.Entries = slices.DeleteFunc(e.Entries, func(n history.Entry) bool {
		if n.Kind != history.Removed || n.About.Before(from.Add(-longest)) || n.About.After(to) {
			return false
		}
		if _, err := r.archive.Get(ctx, n.Event); err == nil { // it was taken back
			return true
		}
		if n.Text.Is(text.RemovedByHand) && e.Trash == nil {
			e.Trash = r.inTrash(ctx)
		}
		return false
	})
	newest, err := r.archive.List(ctx, event.Query{Camera: camera, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 && len(newest[0].Triggers) > 0 && newest[0].Triggers[0].Source == event.Mail {
		e.LastMail = newest[0].LastTrigger
	}
	return diagnose.Why(e), nil
}

// trashTime is how long Why waits for drives that sleep or hang.
const trashTime = 5 * time.Second

// inTrash returns the ids of the events in the trash, as far as their drives answer.
func (r *Recorder) inTrash(ctx context.Context) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, trashTime)
	defer cancel()
	ids := map[string]bool{}
	for _, e := range r.archive.Trash(ctx) {
		ids[e.ID] = true
	}
	return ids
}

// Outages returns when cameras were not recorded between two times.
func (r *Recorder) Outages(ctx context.Context, from, to time.Time) ([]status.Outage, error) {
	entries, err := r.history.All(ctx)
	if err != nil {
		return nil, err
	}
	if now := time.Now(); to.After(now) {
		to = now
	}
	return diagnose.Outages(entries, from, to), nil
}

// Verify reads the clips of an event back and compares them with the record of the event. The verdict says what is
// wrong. An error means that the clips could not be checked.
func (r *Recorder) Verify(ctx context.Context, id string) (status.VerifyResult, error) {
	e, err := r.archive.Get(ctx, id)
	if err != nil {
		return status.VerifyResult{}, err
	}
	if !e.State.Ended() {
		return status.VerifyResult{}, text.StillSaving.Error(id)
	}
	tool, err := r.ffmpeg.Tool()
	if err != nil {
		return status.VerifyResult{}, err
	}
	if len(e.Clips) == 0 {
		return status.VerifyResult{Text: text.NoClip.With(e.Why())}, nil
	}
	folder, err := r.archive.Folder(e)
	if err != nil {
		text, _ := archive.Explain(err)
		return status.VerifyResult{Text: text}, nil
	}
	defer func() { _ = folder.Close() }()
	return diagnose.Verify(ctx, tool, folder, e)
}

// Probe tries a camera that may not be saved yet. See [diagnose.Probe].
func (r *Recorder) Probe(ctx context.Context, c config.Camera) (status.ProbeResult, error) {
	s := config.Settings{Cameras: []config.Camera{c}}
	s.KeepSecrets(r.Settings())
	return diagnose.Probe(ctx, r.ffmpeg.Tool, s.Cameras[0], r.log)
}

// Discover searches the local network for cameras. It takes three seconds.
func (r *Recorder) Discover(ctx context.Context) ([]status.DiscoveredCamera, error) {
	return discover.Search(ctx, discover.Multicast)
}

// Folder checks a folder that somebody wants to use as "ram" or "archive". It answers within ten seconds.
func (r *Recorder) Folder(ctx context.Context, path, use string) (status.Folder, error) {
	return r.folders.Check(ctx, r.Settings(), path, use)
}

// Stills returns a still of each camera that records, by id, as JPEGs of at most the given width.
func (r *Recorder) Stills(ctx context.Context, width int) (map[string][]byte, error) {
	return r.cameras.Stills(ctx, width)
}

// Still returns the keyframe of the camera's newest complete segment as a JPEG, at most width pixels wide. Callers
// check for the errors [ErrNoCamera], [ErrOff] and [ErrNoPicture].
func (r *Recorder) Still(ctx context.Context, id string, width int) ([]byte, error) {
	return r.cameras.Still(ctx, id, width)
}

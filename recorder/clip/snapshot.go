package clip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/ring"
)

// Attachment is a picture of an event's mail, or the mail itself. It is kept as a file beside the clip.
type Attachment struct {
	Data []byte
	End  string // end of the file name, behind the event's stem: one of Suffixes

	writing bool
}

// Suffixes are the ends of the file names of attachments: pictures, and the mail itself.
var Suffixes = []string{"_snapshot.jpg", "_snapshot.png", "_mail.eml"}

// field returns the field of an event that names the attachment.
func (e *Attachment) field(ev *event.Event) *string {
	if e.End == Suffixes[2] {
		return &ev.Mail
	}
	return &ev.Snapshot
}

// Attach keeps an attachment of an event's mail, and writes it once the event has a place on the archive. An event
// keeps the first picture and the first mail. Attach does not wait for the archive. An error does not affect the clip.
func (in *Incident) Attach(ctx context.Context, id string, e Attachment) {
	w := in.current()
	w.mu.Lock()
	if w.ev.ID != id && w.ev.Continues != id || w.sealed || *e.field(&w.ev) != "" ||
		slices.ContainsFunc(w.attachments, func(o *Attachment) bool { return o.field(&w.ev) == e.field(&w.ev) }) {
		w.mu.Unlock()
		return
	}
	w.attachments = append(w.attachments, &e)
	w.mu.Unlock()
	in.flushAttachments(ctx, w)
}

// flushAttachments writes the waiting attachments if the event has a place for them.
func (in *Incident) flushAttachments(ctx context.Context, w *work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealed || w.ev.Stem == "" {
		return
	}
	ctx = context.WithoutCancel(ctx) // the mail session may end
	for _, e := range w.attachments {
		if e.writing {
			continue
		}
		e.writing = true
		ev := w.ev
		w.picture.Go(func() {
			err := in.writeAttachment(ev, e)
			w.edit(func(c *course) {
				if e.writing = false; err == nil {
					w.attachments = slices.DeleteFunc(w.attachments, func(o *Attachment) bool { return o == e })
					*e.field(&c.ev) = ev.Stem + e.End
				}
			})
			if err == nil { // after an error, the next segments and the end of the event try again
				w.commitLater(ctx)
			}
		})
	}
}

func (in *Incident) writeAttachment(ev event.Event, e *Attachment) error {
	err := in.write(ev, ev.Stem+e.End, e.Data)
	if err != nil {
		in.c.Log.Warn("what came with the mail was not written", "event", ev.ID, "camera", ev.Camera, "err", err)
	}
	return err
}

// write writes a small file beside an event's clip.
func (in *Incident) write(ev event.Event, name string, b []byte) error {
	folder, err := in.c.Archive.Folder(ev)
	if err != nil {
		return err
	}
	return errors.Join(durable.WriteIn(folder, name, b, archive.FileMode), folder.Close())
}

// seal waits for the work on an event's pictures and attachments. No further work can begin afterwards.
func (w *work) seal() {
	w.mu.Lock()
	w.sealed = true
	w.mu.Unlock()
	w.picture.Wait()
}

// lastAttachments writes the attachments that still wait, and names them in the event. Each is tried once.
func (in *Incident) lastAttachments(w *work, ev *event.Event) {
	for _, e := range w.attachments {
		if ev.Stem != "" && *e.field(ev) == "" && in.writeAttachment(*ev, e) == nil {
			*e.field(ev) = ev.Stem + e.End
		}
	}
	w.attachments = nil
}

// maxSnap is the maximum size of the video that is read into memory for a picture, in bytes.
const maxSnap = 32 << 20

// maxSnaps is how often a thumbnail is tried.
const maxSnaps = 3

// snap makes the thumbnail from the first of segments that reaches the trigger. If that fails, the next call tries
// again.
func (in *Incident) snap(ctx context.Context, w *work, segments []ring.Segment) {
	ev := w.event()
	for _, s := range segments {
		if w.snapped.Load() || w.snaps.Load() >= maxSnaps || s.End.Before(ev.Time) {
			continue
		}
		w.snapped.Store(true)
		var video bytes.Buffer
		for _, file := range []string{s.Init, s.Path} {
			b, err := os.ReadFile(file)
			if err != nil || video.Len()+len(b) > maxSnap {
				in.c.Log.Warn("no thumbnail", "event", ev.ID, "err", err)
				return
			}
			video.Write(b)
		}

		w.picture.Go(func() {
			tool, err := in.c.FFmpeg()
			if err != nil {
				w.snapped.Store(false) // it may be there later; no try is lost
				return
			}
			w.snaps.Add(1)
			if err := in.thumbnail(ctx, w, tool, ev, &video); err != nil && ctx.Err() == nil {
				in.c.Log.Warn("no thumbnail", "event", ev.ID, "err", err)
				w.snapped.Store(false)
			}
		})
		return
	}
}

// lastSnap makes the thumbnail of an event that has none from its clip: there was no picture of the alarm, or no
// FFmpeg. It is tried once.
func (in *Incident) lastSnap(ctx context.Context, w *work, ev *event.Event) {
	if ev.Thumbnail != "" || len(ev.Clips) == 0 {
		return
	}
	err := func() error {
		tool, err := in.c.FFmpeg()
		if err != nil {
			return err
		}
		folder, err := in.c.Archive.Folder(*ev)
		if err != nil {
			return err
		}
		defer func() { _ = folder.Close() }()
		f, _, err := durable.OpenPlain(folder, ev.Clips[0].File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return in.thumbnail(ctx, w, tool, *ev, f)
	}()
	if err != nil {
		in.c.Log.Warn("no thumbnail", "event", ev.ID, "err", err)
		return
	}
	ev.Thumbnail = w.event().Thumbnail
}

// thumbnail makes a thumbnail from a video, writes it beside the clip and names it in the event.
func (in *Incident) thumbnail(ctx context.Context, w *work, tool *ffmpeg.Tool, ev event.Event,
	video io.Reader) error {
	free, err := in.c.job(ctx)
	if err != nil {
		return err
	}
	defer free()
	jpeg, err := tool.Picture(ctx, video, 480)
	if err != nil {
		return err
	}
	name := ev.Stem + ".jpg"
	if err := in.write(ev, name, jpeg); err != nil {
		return err
	}
	return w.record(ctx, func(c *course) { c.ev.Thumbnail = name })
}

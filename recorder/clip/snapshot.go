package clip

import (
	"context"
	"slices"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
)

// Enclosure is what came with an event's mail and is kept as a file beside the clip.
type Enclosure struct {
	Data []byte
	End  string // of the file name, behind the event's stem: one of Ends

	writing bool
}

// Ends are what the file names of enclosures end with: of a picture and of the mail itself.
var Ends = []string{"_snapshot.jpg", "_snapshot.png", "_mail.eml"}

// field is where an event names the enclosure.
func (e *Enclosure) field(ev *event.Event) *string {
	if e.End == Ends[2] {
		return &ev.Mail
	}
	return &ev.Snapshot
}

// Enclose keeps what came with an event's mail, once the event has a place on the archive. An event keeps the first
// picture and the first mail. It does not wait for the archive, and whatever happens to it, the clip is not touched.
func (in *Incident) Enclose(ctx context.Context, id string, e Enclosure) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.now
	if w.ev.ID != id || w.sealed || *e.field(&w.ev) != "" || slices.ContainsFunc(w.enclosed, func(o *Enclosure) bool { return o.field(&w.ev) == e.field(&w.ev) }) {
		return
	}
	w.enclosed = append(w.enclosed, &e)
	in.shoot(ctx, w)
}

// shoot writes the enclosures that wait, if there is a place for them. in.mu is held.
func (in *Incident) shoot(ctx context.Context, w *work) {
	if w.sealed || w.ev.Stem == "" {
		return
	}
	ctx = context.WithoutCancel(ctx) // the mail's session may end
	for _, e := range w.enclosed {
		if e.writing {
			continue
		}
		e.writing = true
		ev := w.ev
		w.picture.Go(func() {
			err := in.writeEnclosure(ev, e)
			in.mu.Lock()
			e.writing = false
			if err == nil {
				w.enclosed = slices.DeleteFunc(w.enclosed, func(o *Enclosure) bool { return o == e })
				*e.field(&w.ev) = ev.Stem + e.End
				w.version++
			}
			in.mu.Unlock()
			if err != nil {
				return // tried again with the next segments, and at the end
			}
			if err := in.note(ctx, w); err != nil { // noted again with the next change
				in.c.Log.Warn("what came with the mail was not written to the index yet", "event", ev.ID, "err", err)
			}
		})
	}
}

func (in *Incident) writeEnclosure(ev event.Event, e *Enclosure) error {
	err := durable.WriteFile(in.c.Archive.Path(ev, ev.Stem+e.End), e.Data, archive.FileMode)
	if err != nil {
		in.c.Log.Warn("what came with the mail was not written", "event", ev.ID, "camera", ev.Camera, "err", err)
	}
	return err
}

// seal ends the work on an event's pictures and waits for it. None can begin afterwards.
func (in *Incident) seal(w *work) {
	in.mu.Lock()
	w.sealed = true
	in.mu.Unlock()
	w.picture.Wait()
}

// lastEnclosures writes what still waits beside the finished clips, and names it in the event. It is tried once.
func (in *Incident) lastEnclosures(w *work, ev *event.Event) {
	for _, e := range w.enclosed {
		if ev.Stem != "" && *e.field(ev) == "" && in.writeEnclosure(*ev, e) == nil {
			*e.field(ev) = ev.Stem + e.End
		}
	}
	w.enclosed = nil
}

package clip

import (
	"context"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
)

// Snapshot keeps the picture that came with an event's mail: as a file beside the clip, once the event has a place on
// the archive. ext is the file name's ending, such as ".jpg". An event keeps its first picture. It does not wait for the
// archive, and whatever happens to the picture, the clip is not touched by it.
func (in *Incident) Snapshot(ctx context.Context, id string, data []byte, ext string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.now
	if w.ev.ID != id || w.sealed || w.ev.Snapshot != "" || w.snapshot != nil {
		return
	}
	w.snapshot, w.snapshotExt = data, ext
	in.shoot(ctx, w)
}

// shoot writes the picture that waits, if there is one and a place for it. in.mu is held.
func (in *Incident) shoot(ctx context.Context, w *work) {
	if w.snapshot == nil || w.shooting || w.sealed || w.ev.Stem == "" {
		return
	}
	w.shooting = true
	ev, data, name := w.ev, w.snapshot, w.ev.Stem+"_snapshot"+w.snapshotExt
	ctx = context.WithoutCancel(ctx) // the mail's session may end
	w.picture.Go(func() {
		err := in.writeSnapshot(ev, name, data)
		in.mu.Lock()
		w.shooting = false
		if err == nil {
			w.snapshot, w.ev.Snapshot = nil, name
		}
		in.mu.Unlock()
		if err != nil {
			return // tried again with the next segments, and at the end
		}
		if err := in.note(ctx, w); err != nil { // noted again with the next change
			in.c.Log.Warn("snapshot was not written to the index yet", "event", ev.ID, "err", err)
		}
	})
}

func (in *Incident) writeSnapshot(ev event.Event, name string, data []byte) error {
	err := durable.WriteFile(in.c.Archive.Path(ev, name), data, 0o644)
	if err != nil {
		in.c.Log.Warn("snapshot was not written", "event", ev.ID, "camera", ev.Camera, "err", err)
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

// lastSnapshot writes a picture that still waits beside the finished clips, and names it in the event. It is tried once.
func (in *Incident) lastSnapshot(w *work, ev *event.Event) {
	if w.snapshot == nil || ev.Stem == "" || ev.Snapshot != "" {
		return
	}
	data, name := w.snapshot, ev.Stem+"_snapshot"+w.snapshotExt
	w.snapshot = nil
	if in.writeSnapshot(*ev, name, data) == nil {
		ev.Snapshot = name
	}
}

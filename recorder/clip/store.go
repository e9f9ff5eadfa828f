package clip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/internal/crash"
	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
)

// part is a partial file: an init section and the segments of one run.
type part struct {
	event.Part
	file   *os.File         // nil when nothing more is written to it
	made   bool             // the file is Preroll's own
	good   int64            // bytes that are durable
	frames int              // of these
	media  [2]time.Duration // start and end of these, by the run's time
	end    time.Time        // of its last segment, if that was stored by this process
}

// length is how long it plays.
func (p *part) length() time.Duration { return p.media[1] - p.media[0] }

// until is when its video ends.
func (p *part) until() time.Time {
	if !p.end.IsZero() {
		return p.end
	}
	return p.Start.Add(p.length())
}

func (p *part) close() {
	if p.file != nil {
		_ = p.file.Close() // what matters was fsynced
		p.file = nil
	}
}

// store appends segments that follow each other, and lets the hold go of them when they are durable. It does not give
// up before ctx ends: meanwhile they are safe in RAM.
func (in *Incident) store(ctx context.Context, segments []ring.Segment) bool {
	w := in.now
	in.mu.Lock()
	told := segments[0].Start.After(w.ev.Time)    // what happened is in the clip: not the pre-roll alone
	asked := segments[0].Start.Before(w.ev.Until) // else there is nothing for another event but a margin
	in.mu.Unlock()
	// The next event begins with a keyframe, else nothing of it could be seen until one comes.
	if told && asked && segments[0].Key && w.length > 0 && w.length+segments[0].Length() > in.cam.Lengths.MaxLength.D() {
		if !in.retry(ctx, "split", func(ctx context.Context) error { return in.split(ctx, segments[0]) }) {
			return false
		}
		w = in.now
	}
	taken := segments
	if !in.retry(ctx, "append to", func(ctx context.Context) error {
		defer in.c.wait(in)()
		if segments = in.there(segments); len(segments) == 0 {
			return nil
		}
		return in.append(ctx, w, segments)
	}) {
		return false
	}
	in.account(ctx, w, segments)
	in.openSidecar(w)
	in.snap(ctx, w, segments)
	in.mu.Lock()
	in.shoot(ctx, w)
	in.mu.Unlock()
	for _, s := range taken {
		in.hold.Done(s)
	}
	crash.Here("released")
	return true
}

// there leaves out segments that somebody has removed from the RAM disk: no waiting brings them back.
func (in *Incident) there(segments []ring.Segment) []ring.Segment {
	return slices.DeleteFunc(slices.Clone(segments), func(s ring.Segment) bool {
		for _, path := range []string{s.Init, s.Path} {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				in.c.Log.Error("a held segment was removed from the RAM disk", "event", in.ID(), "camera", in.cam.ID, "segment", filepath.Base(s.Path))
				return true
			}
		}
		return false
	})
}

// openSidecar writes the open event beside its partial file, if it changed since: should the index be lost, it is found
// there. What goes wrong with it is no trouble, for the index has it.
func (in *Incident) openSidecar(w *work) {
	in.mu.Lock()
	ev, version, beside := w.ev, w.version, w.beside
	in.mu.Unlock()
	if ev.Stem == "" || beside == version {
		return
	}
	if err := in.c.Archive.WriteSidecar(ev); err != nil {
		in.c.Log.Warn("open event was not written beside its video", "event", ev.ID, "err", err)
		return
	}
	crash.Here("open-sidecar")
	in.mu.Lock()
	w.beside = version
	in.mu.Unlock()
}

// append writes the segments and makes them durable, or gives the partial file up: after a failed write or fsync
// nobody knows what is in it beyond what was durable before, so the next attempt begins a new one.
func (in *Incident) append(ctx context.Context, w *work, segments []ring.Segment) (err error) {
	p, err := in.partFor(ctx, w, segments[0])
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	sum := fmp4.Sum()
	to := io.MultiWriter(p.file, sum)
	size := int64(0)
	if p.good == 0 {
		if size, err = appendFile(to, segments[0].Init); err != nil {
			return err
		}
	}
	frames := 0
	for _, s := range segments {
		n, err := appendFile(to, s.Path)
		if err != nil {
			return err
		}
		if n != s.Bytes {
			return fmt.Errorf("segment %s changed its size from %d to %d", filepath.Base(s.Path), s.Bytes, n)
		}
		size += n
		frames += s.Frames
	}
	seal := fmp4.Seal(size, sum.Sum32())
	if _, err := p.file.Write(seal); err != nil {
		return err
	}
	crash.Here("part-written")
	if err := p.file.Sync(); err != nil {
		return err
	}
	crash.Here("part-synced")
	if p.frames == 0 {
		p.media[0] = segments[0].Media[0]
	}
	p.media[1] = segments[len(segments)-1].Media[1]
	p.good, p.frames = p.good+size+int64(len(seal)), p.frames+frames
	return nil
}

func appendFile(to io.Writer, from string) (int64, error) {
	f, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return io.Copy(to, f)
}

// partFor returns the partial file to append a segment to, and begins a new one for a new run, or after trouble. It is
// written to the index before it is made, so that no file is ever without an owner.
func (in *Incident) partFor(ctx context.Context, w *work, s ring.Segment) (*part, error) {
	if n := len(w.parts); n > 0 {
		if p := w.parts[n-1]; p.file != nil && p.Run == s.Run {
			return p, nil
		}
		w.parts[n-1].close()
	}
	in.mu.Lock()
	ev := w.ev
	in.mu.Unlock()
	if err := in.c.Archive.Reserve(&ev); err != nil {
		return nil, err
	}
	crash.Here("reserved")
	in.mu.Lock()
	w.ev.Drive, w.ev.Archive, w.ev.Folder, w.ev.Stem = ev.Drive, ev.Archive, ev.Folder, ev.Stem
	in.mu.Unlock()
	// A part that never got a byte on the drive is begun again under its own name.
	kept := w.parts[:0:0]
	for _, p := range w.parts {
		if p.good > 0 {
			kept = append(kept, p)
		} else if p.made {
			if err := remove(in.c.Archive.Path(ev, p.File)); err != nil {
				return nil, err
			}
		}
	}
	p := &part{Part: event.Part{File: ev.Stem + ".partial.mp4", Clip: ev.Stem + ".mp4", Run: s.Run, Params: s.Params, Start: s.Start}}
	if n := len(kept); n > 0 {
		last := kept[n-1]
		p.File = fmt.Sprintf("%s.%d.partial.mp4", ev.Stem, n+1)
		p.Clip = last.Clip
		if last.Params != p.Params {
			p.Clip = fmt.Sprintf("%s_part%d.mp4", ev.Stem, n+1)
		}
	}
	in.mu.Lock()
	w.parts = append(kept, p)
	w.ev.Parts = nil
	for _, p := range w.parts {
		p.Good = p.good // 0 for the new one: as much as is whole
		w.ev.Parts = append(w.ev.Parts, p.Part)
	}
	in.mu.Unlock()
	if err := in.note(ctx, w); err != nil {
		return nil, err
	}
	crash.Here("part-noted")
	if len(kept) > 0 { // the sidecar beside the first part names the others, too
		in.openSidecar(w)
	}
	path := in.c.Archive.Path(ev, p.File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, archive.FileMode)
	if err != nil {
		return nil, err
	}
	p.made = true
	crash.Here("part-made")
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		_ = f.Close()
		return nil, err
	}
	crash.Here("part-named")
	p.file = f
	return p, nil
}

// account notes what the event holds now: lengths, gaps, and when its pre-roll became durable.
func (in *Incident) account(ctx context.Context, w *work, segments []ring.Segment) {
	why := in.cam.Why() // not under the lock
	in.mu.Lock()
	in.followClock()
	for _, s := range segments {
		s = in.hold.Timed(s)
		if !w.any && w.ev.Continues == "" {
			w.ev.Receipt.DurableAfter = event.Seconds(time.Since(w.began))
		}
		if g, missing := in.gap(w, s, why); missing {
			w.ev.Gaps = append(w.ev.Gaps, g)
			w.version++
		}
		w.any = true
		w.last = s
		w.length += s.Length()
		if n := len(w.parts); n > 0 {
			w.parts[n-1].end = s.End
		}
	}
	version := w.version
	changed := version != w.noted // what the next life cannot find out itself
	in.mu.Unlock()
	if !changed {
		return
	}
	if err := in.inIndex(ctx, w, version); err != nil { // noted again at the end
		in.c.Log.Warn("gap was not written to the index yet", "event", in.ID(), "err", err)
	}
}

// joins reports whether no frame is missing between two segments.
func joins(a, b ring.Segment) bool { return ring.Between(a, b) < slack }

// gap returns the gap between the last segment of an event and the next one, if there is one. Why is the reason that the
// camera gives.
func (in *Incident) gap(w *work, next ring.Segment, why string) (event.Gap, bool) {
	if !w.any || joins(w.last, next) {
		return event.Gap{}, false
	}
	g := gapBetween(w.last, next, interrupted)
	if w.last.Number >= 0 && !(g.From.Before(in.cam.Since) && g.To.After(in.cam.Since)) { // else it was an earlier process, whose end is what is missing
		g.Reason = in.why(g.From, g.To, why)
	}
	return g, true
}

// interrupted is why video is missing that an earlier process did not save.
const interrupted = "recording was interrupted"

// gapBetween is the gap between two segments.
func gapBetween(a, b ring.Segment, reason string) event.Gap {
	return event.Gap{From: b.Start.Add(-ring.Between(a, b)), To: b.Start, Reason: reason}
}

// why says why video of a time is missing. Camera is the reason that the camera gives, "" for none.
func (in *Incident) why(from, to time.Time, camera string) string {
	switch {
	case in.hold != nil && in.hold.Missed(from, to):
		return "the RAM disk was full"
	case camera != "":
		return camera
	}
	return "the camera sent no picture"
}

// maxSnap bounds what is read into memory for a picture, in bytes.
const maxSnap = 32 << 20

// snap makes the thumbnail from the first segment that reaches the trigger, once.
func (in *Incident) snap(ctx context.Context, w *work, segments []ring.Segment) {
	if w.pictured {
		return
	}
	in.mu.Lock()
	ev := w.ev
	in.mu.Unlock()
	for _, s := range segments {
		if s.End.Before(ev.Time) {
			continue
		}
		w.pictured = true
		var video bytes.Buffer
		for _, file := range []string{s.Init, s.Path} {
			if _, err := appendFile(&video, file); err != nil || video.Len() > maxSnap {
				in.c.Log.Warn("no thumbnail", "event", ev.ID, "err", err)
				return
			}
		}
		w.picture.Go(func() {
			if err := in.thumbnail(ctx, w, ev, &video); err != nil && ctx.Err() == nil {
				in.c.Log.Warn("no thumbnail", "event", ev.ID, "err", err)
			}
		})
		return
	}
}

func (in *Incident) thumbnail(ctx context.Context, w *work, ev event.Event, video io.Reader) error {
	tool, err := in.c.FFmpeg()
	if err != nil {
		return err
	}
	done, err := in.c.job(ctx)
	if err != nil {
		return err
	}
	defer done()
	jpeg, err := tool.Picture(ctx, video, 480)
	if err != nil {
		return err
	}
	name := ev.Stem + ".jpg"
	if err := durable.WriteFile(in.c.Archive.Path(ev, name), jpeg, archive.FileMode); err != nil {
		return err
	}
	in.mu.Lock()
	w.ev.Thumbnail = name
	w.version++
	in.mu.Unlock()
	return in.note(ctx, w)
}

// reload takes up the partial files that an earlier process left, up to what is whole in them.
func (in *Incident) reload(context.Context) error {
	w := in.now
	in.mu.Lock()
	ev := w.ev
	in.mu.Unlock()
	if err := in.c.Archive.Reachable(ev); err != nil {
		return err
	}
	if ev.Stem != "" {
		if err := in.c.Archive.Reserve(&ev); err != nil {
			return err
		}
	}
	w.parts, w.length, w.any = nil, 0, false
	var gaps []event.Gap
	for _, p := range ev.Parts {
		c, err := fmp4.Inspect(in.c.Archive.Path(ev, p.File), p.Good, true)
		made := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		part := &part{Part: p, made: made, good: c.Good, frames: c.Frames, media: c.Media}
		w.parts = append(w.parts, part)
		if c.Frames == 0 {
			part.good = 0
			continue
		}
		s := ring.Segment{Run: p.Run, Number: -1, Params: p.Params, Media: c.Media, Start: p.Start, End: part.until()}
		if w.any && !joins(w.last, s) {
			gaps = append(gaps, gapBetween(w.last, s, interrupted))
		}
		for _, g := range c.Gaps {
			gaps = append(gaps, event.Gap{From: p.Start.Add(g[0] - c.Media[0]), To: p.Start.Add(g[1] - c.Media[0]), Reason: interrupted})
		}
		w.last, w.any = s, true
		w.length += part.length()
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, g := range gaps {
		if !slices.ContainsFunc(w.ev.Gaps, func(o event.Gap) bool { return touch(g, o) }) { // the crash came before it was noted
			w.ev.Gaps = append(slices.Clip(w.ev.Gaps), g)
			w.version++
		}
	}
	w.ev.Gaps = slices.SortedStableFunc(slices.Values(w.ev.Gaps), func(a, b event.Gap) int { return a.From.Compare(b.From) })
	return nil
}

// touch tells whether two gaps may be the same one: their times are known to a delay only.
func touch(a, b event.Gap) bool {
	const delay = 500 * time.Millisecond
	return !a.From.After(b.To.Add(delay)) && !b.From.After(a.To.Add(delay))
}

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
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ring"
)

// part is a partial file: an init section and the segments of one run.
type part struct {
	event.Part
	file   *os.File // nil when nothing more is written to it
	made   bool     // the file is Preroll's own
	good   int64    // bytes that are durable
	frames int      // of these
	length time.Duration
	end    time.Time // of its last segment, if that was stored in this life
}

// until is when its video ends.
func (p *part) until() time.Time {
	if !p.end.IsZero() {
		return p.end
	}
	return p.Start.Add(p.length - p.Jump.D())
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
	if told && asked && w.length > 0 && w.length+segments[0].Length() > in.cam.Lengths.MaxLength.D() {
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
	sum := ring.Sum()
	to := io.MultiWriter(p.file, sum)
	size := int64(0)
	if p.good == 0 {
		if size, err = appendFile(to, segments[0].Init); err != nil {
			return err
		}
	}
	frames, length := 0, time.Duration(0)
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
		length += s.Media[1] - s.Media[0]
	}
	seal := ring.Seal(size, sum.Sum32())
	if _, err := p.file.Write(seal); err != nil {
		return err
	}
	crash.Here("part-written")
	if err := p.file.Sync(); err != nil {
		return err
	}
	crash.Here("part-synced")
	p.good, p.frames, p.length = p.good+size+int64(len(seal)), p.frames+frames, p.length+length
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
	w.ev.Archive, w.ev.Folder, w.ev.Stem = ev.Archive, ev.Folder, ev.Stem
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
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
	why := in.why() // which asks the camera: not under the lock
	in.mu.Lock()
	for _, s := range segments {
		in.retime(w, s)
		if !w.any && w.ev.Continues == "" {
			w.ev.Receipt.DurableAfter = event.Seconds(time.Since(w.began))
		}
		if g, missing := in.gap(w, s, why); missing {
			w.ev.Gaps = append(w.ev.Gaps, g)
			w.version++
		}
		w.any = true
		for _, h := range s.Holes {
			w.ev.Gaps = append(w.ev.Gaps, event.Gap{From: h[0], To: h[1], Reason: why})
			w.version++
		}
		w.last = s
		w.length += s.Length()
		if n := len(w.parts); n > 0 {
			p := w.parts[n-1]
			p.end = s.End
			if s.Jump != 0 {
				p.Jump += event.Seconds(s.Jump)
				in.renote(w)
				w.version++
			}
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

// renote gives the event what is known now of the part that is being written. in.mu is held.
func (in *Incident) renote(w *work) {
	if n := len(w.parts); len(w.ev.Parts) == n {
		w.ev.Parts = slices.Clone(w.ev.Parts)
		w.ev.Parts[n-1].Start, w.ev.Parts[n-1].Jump = w.parts[n-1].Start, w.parts[n-1].Jump
	}
}

// retime moves the part that is being written, if a segment shows that the times of those before it were wrong: FFmpeg
// keeps the first seconds back while it looks at a stream, so they are written late. in.mu is held.
func (in *Incident) retime(w *work, s ring.Segment) {
	n := len(w.parts)
	if n == 0 || !w.any || w.last.Run != s.Run || w.last.Epoch != s.Epoch || s.Epoch == 0 {
		return
	}
	late := w.last.End.Add(s.Media[0] - w.last.Media[1]).Sub(s.Start)
	if late < 50*time.Millisecond && (late > -50*time.Millisecond || w.last.Number != 0) { // the first one's may have been a guess
		return
	}
	p := w.parts[n-1]
	for i, g := range w.ev.Gaps {
		if g.To.Equal(p.Start) {
			w.ev.Gaps = slices.Clone(w.ev.Gaps)
			w.ev.Gaps[i].To = g.To.Add(-late)
		}
	}
	p.Start = p.Start.Add(-late)
	if !p.end.IsZero() {
		p.end = p.end.Add(-late)
	}
	w.last.Start, w.last.End = w.last.Start.Add(-late), w.last.End.Add(-late)
	in.renote(w)
	w.version++ // account writes it
}

// joins tells whether no frame is missing between two segments. Media time alone may leap because the camera's clock was
// set, wall time because it is known to a delay. After a crash only the media time of the first is known.
func joins(a, b ring.Segment) bool {
	return b.Follows(a) && min(b.Media[0]-a.Media[1], b.Start.Sub(a.End)) < hole || a.Number < 0 && a.Run == b.Run && (b.Media[0]-a.Media[1]).Abs() < 50*time.Millisecond
}

// gap returns the gap between the last segment of an event and the next one, if there is one, with the reason that the camera
// gives.
func (in *Incident) gap(w *work, next ring.Segment, why string) (event.Gap, bool) {
	if !w.any || joins(w.last, next) {
		return event.Gap{}, false
	}
	if w.last.Number < 0 || w.last.End.Before(in.cam.Since) && next.Start.After(in.cam.Since) { // of an earlier life, whose end is what is missing
		why = interrupted
	}
	return gapBetween(w.last, next, why), true
}

// interrupted is why video is missing that an earlier life did not save.
const interrupted = "recording was interrupted"

// gapBetween is the gap between two segments. Their times are known to a delay only, so it may come out as nothing.
func gapBetween(a, b ring.Segment, reason string) event.Gap {
	g := event.Gap{From: a.End, To: b.Start, Reason: reason}
	if g.To.Before(g.From) {
		g.To = g.From
	}
	return g
}

// why says why video is missing.
func (in *Incident) why() string {
	if in.hold != nil && in.hold.Missed() > 0 {
		return "the RAM disk was full"
	}
	if why := in.cam.Why(); why != "" {
		return why
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
	if err := durable.WriteFile(in.c.Archive.Path(ev, name), jpeg, 0o644); err != nil {
		return err
	}
	in.mu.Lock()
	w.ev.Thumbnail = name
	w.version++
	in.mu.Unlock()
	return in.note(ctx, w)
}

// reload takes up the partial files that an earlier life left, up to what is whole in them.
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
		c, err := ring.Inspect(in.c.Archive.Path(ev, p.File), p.Good, true)
		made := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		length := c.Media[1] - c.Media[0]
		part := &part{Part: p, made: made, good: c.Good, frames: c.Frames, length: length}
		w.parts = append(w.parts, part)
		if c.Frames == 0 {
			part.good = 0
			continue
		}
		s := ring.Segment{Run: p.Run, Number: -1, Params: p.Params, Media: c.Media, Start: p.Start, End: part.until()}
		if w.any && !joins(w.last, s) {
			gaps = append(gaps, gapBetween(w.last, s, interrupted))
		}
		if p.Jump == 0 { // else a hole may be the time by which the camera's clock was set
			for _, h := range c.Holes {
				if h[1]-h[0] < hole {
					continue
				}
				gaps = append(gaps, event.Gap{From: p.Start.Add(h[0] - c.Media[0]), To: p.Start.Add(h[1] - c.Media[0]), Reason: interrupted})
			}
		}
		w.last, w.any = s, true
		w.length += length
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

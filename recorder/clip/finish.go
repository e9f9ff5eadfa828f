package clip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// contentTries is how many times finishing a clip is tried. The last try keeps the video or the sound as it was
// recorded. Drive errors do not count.
const contentTries = 3

// finish turns the growing files of an event into its clips. The end of the event is in the index already. After a
// crash during finish, the event is finished again from the start: a clip that has its final name already is whole.
func (in *Incident) finish(ctx context.Context, w *work) {
	for _, p := range w.parts {
		p.close()
	}
	w.seal()
	tries := 0
	var clips []event.Clip
	var reason text.Text
	if !in.retry(ctx, w, "finish", func(ctx context.Context) (err error) {
		var bad *contentError
		clips, reason, err = in.clips(ctx, w, tries+1 >= contentTries)
		if errors.As(err, &bad) {
			tries++
		}
		return err
	}) {
		return
	}

	ev := w.event()
	ev.Clips = clips
	ev.Explain(reason)
	in.conclude(&ev)
	if ev.Stem == "" { // even if there is no clip, the event and its reason must survive the loss of the index
		if !in.retry(ctx, w, "name", func(ctx context.Context) error {
			if err := in.c.Archive.Reserve(&ev); err != nil {
				return err
			}
			return w.record(ctx, func(c *course) {
				c.ev.Drive, c.ev.Archive, c.ev.Folder, c.ev.Stem = ev.Drive, ev.Archive, ev.Folder, ev.Stem
			})
		}) {
			return
		}
	}
	in.lastAttachments(w, &ev)
	in.lastSnap(ctx, w, &ev)
	if !in.retry(ctx, w, "record", func(ctx context.Context) error {
		if err := in.c.Archive.WriteSidecar(ev); err != nil {
			return err
		}
		failpoint.Hit("sidecar")
		if err := in.tidy(w, ev); err != nil {
			return err
		}
		failpoint.Hit("parts-removed")
		return w.record(ctx, func(c *course) {
			ev.Hold, ev.Parts = "", nil
			c.ev, c.phase = ev, done
		})
	}) {
		return
	}

	failpoint.Hit("ended")
	in.c.Archive.Release(ev)
	in.c.Log.Info("event ended", "event", ev.ID, "camera", ev.Camera, "state", ev.State, "bytes", ev.Bytes(),
		"duration", ev.Length())
}

// clips makes the clips of an event, one from each growing file. If lastTry is set, sound that cannot be encoded, or
// video that cannot be finished, is kept as it was recorded.
func (in *Incident) clips(ctx context.Context, w *work,
	lastTry bool) (clips []event.Clip, reason text.Text, err error) {
	ev := w.event()
	if len(w.parts) == 0 {
		return nil, reason, nil
	}
	folder, err := in.c.Archive.Folder(ev)
	if err != nil {
		return nil, reason, err
	}
	defer func() { _ = folder.Close() }()
	for _, p := range w.parts {
		f := Finisher{Folder: folder, Sound: in.encode, LastTry: lastTry, Log: in.c.Log,
			Rename: func(name string) error {
				version := w.edit(func(*course) {
					p.Clip = name
					w.list()
				})
				return w.commit(ctx, version)
			}}
		c, err := f.finish(ctx, p)
		var bad *contentError
		if errors.As(err, &bad) && lastTry {
			reason = text.ClipUnfinished.With(bad.err)
			c, err = f.raw(ctx, p)
		}
		if err != nil {
			return nil, reason, err
		}
		switch {
		case c != nil:
			clips = append(clips, *c)
		case p.frames() > 0: // somebody removed the file
			w.edit(func(c *course) {
				gap := event.NewGap(p.Start, p.end(), text.FileRemoved.With())
				if !slices.ContainsFunc(c.ev.Gaps, gap.Equal) {
					c.ev.Gaps = append(slices.Clip(c.ev.Gaps), gap)
				}
			})
		}
	}

	return clips, reason, nil
}

// raw describes a growing file that is kept as it was recorded.
func (f Finisher) raw(ctx context.Context, p *part) (*event.Clip, error) {
	file, err := openOwn(f.Folder, p.File)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	c := &event.Clip{File: p.File, Start: p.Start, End: p.end(), Frames: p.frames()}
	for _, s := range p.whole.Stretches {
		c.Length += event.Seconds(s.Length())
	}
	c.SHA256, c.Bytes, err = Sum(ctx, file, nil)
	return c, err
}

// encode lets FFmpeg encode a clip's sound, as soon as another FFmpeg may start.
func (in *Incident) encode(ctx context.Context, from, to *os.File) (ffmpeg.Totals, error) {
	tool, err := in.c.FFmpeg()
	if err != nil {
		return ffmpeg.Totals{}, err
	}
	free, err := in.c.job(ctx)
	if err != nil {
		return ffmpeg.Totals{}, err
	}
	defer free()
	got, err := tool.EncodeSound(ctx, from, to)
	return got, checked(ctx, tool, err)
}

// --- Clips ---

// Finisher makes clips from growing files in one folder.
type Finisher struct {
	Folder *os.Root
	Sound  func(ctx context.Context, from, to *os.File) (ffmpeg.Totals, error) // encodes the sound

	// Rename records the name that a clip gets because its name was taken.
	Rename func(name string) error

	// LastTry keeps sound that cannot be encoded as it was recorded.
	LastTry bool

	// Cut allows that a growing file lacks frames that its clip has.
	Cut bool
	Log logger
}

type logger interface {
	Warn(text string, args ...any)
}

// Finish makes a clip from the whole part of a growing file that belongs to no open event. The result is nil if the
// file holds no frame; then the file stays as it is.
func (f Finisher) Finish(ctx context.Context, e event.Part) (*event.Clip, error) {
	p, err := inspect(f.Folder, e, false)
	if err != nil || p.frames() == 0 {
		return nil, err
	}
	if p.whole.Behind {
		return nil, text.DamagedKept.Error()
	}
	return f.finish(ctx, p)
}

// finish makes the clip of a part, unless the clip has its final name already. The result is nil if there is no clip.
func (f Finisher) finish(ctx context.Context, p *part) (*event.Clip, error) {
	file, err := openOwn(f.Folder, p.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		return f.named(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if p.frames() == 0 {
		return f.named(ctx, p)
	}
	if p.whole.Behind {
		return nil, &contentError{text.DamagedMiddle.Error()}
	}
	got, err := fmp4.Finish(file, p.whole.Good)
	if err == nil && got.Frames != p.frames() {
		err = text.FramesReadBack.Error(fmp4.ErrBox, p.frames(), got.Frames)
	}
	failpoint.Hit("index-written")
	if err == nil {
		var read fmp4.Contents
		if read, err = fmp4.Check(file); err == nil && read != got {
			err = text.FramesReadBack.Error(fmp4.ErrBox, got.Frames, read.Frames)
		}
	}
	if errors.Is(err, fmp4.ErrBox) {
		err = &contentError{err}
	}
	if err != nil {
		return nil, err
	}
	failpoint.Hit("checked")
	if err := file.Sync(); err != nil {
		return nil, err
	}
	failpoint.Hit("clip-synced")
	if ours, err := f.place(ctx, p, file, got.Bytes); err != nil {
		return nil, err
	} else if ours {
		if err := durable.RemoveIn(f.Folder, p.File); err != nil {
			return nil, err
		}
		return f.named(ctx, p)
	}

	from := p.File
	if got.Sound != "" && got.Sound != "mp4a" && got.Sound != "Opus" {
		encoded, err := f.encode(ctx, p, file, got)
		if err != nil {
			return nil, err
		}
		if encoded {
			from = TmpName(p.Clip)
		}
	}

	if err := durable.PublishIn(f.Folder, from, p.Clip); err != nil {
		return nil, err
	}
	failpoint.Hit("published")
	if from != p.File {
		if err := durable.RemoveIn(f.Folder, p.File); err != nil {
			return nil, err
		}
	}
	return f.named(ctx, p)
}

// encode makes a second file of the clip, with sound that players know. The result is false if the sound is kept as it
// was recorded.
func (f Finisher) encode(ctx context.Context, p *part, file *os.File, want fmp4.Contents) (bool, error) {
	tmp := TmpName(p.Clip)
	if err := durable.RemoveIn(f.Folder, tmp); err != nil {
		return false, err
	}
	out, err := f.Folder.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, archive.FileMode)
	if err != nil {
		return false, err
	}
	defer func() { _ = out.Close() }()
	_, err = f.Sound(ctx, file, out)
	var got fmp4.Contents
	if err == nil {
		if got, err = fmp4.Check(out); err == nil &&
			(got.Frames != want.Frames || (got.Length-want.Length).Abs() > time.Second) {
			err = text.VideoReadBack.Error(want.Frames, want.Length,
				got.Frames, got.Length)
		}
		if err != nil {
			err = &contentError{err}
		}
	}

	if err == nil {
		return true, out.Sync()
	}
	err = errors.Join(err, durable.RemoveIn(f.Folder, tmp))
	var bad *contentError
	if !errors.As(err, &bad) || !f.LastTry {
		return false, err
	}
	f.Log.Warn("the sound of a clip cannot be encoded and is kept as it came", "path", p.Clip, "err", err)
	return false, nil
}

// place finds a free name for the clip. ours reports whether the clip itself has a name already, given before a crash.
// A foreign file with the clip's name is neither taken for the clip nor replaced.
func (f Finisher) place(ctx context.Context, p *part, file *os.File, size int64) (ours bool, err error) {
	stem := strings.TrimSuffix(p.Clip, ".mp4")
	if !strings.Contains(stem, "_part") {
		stem += "_part1"
	}
	for n := 2; ; n++ {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		there, _, err := durable.OpenPlain(f.Folder, p.Clip)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil && !errors.Is(err, durable.ErrNotPlain) {
			return false, err
		}
		if err == nil {
			holds, err := fmp4.Holds(there, file, size, f.Cut)
			if err := errors.Join(err, there.Close()); err != nil || holds {
				return holds, err
			}
		}
		name := fmt.Sprintf("%s_%d.mp4", stem, n)
		if err := f.Rename(name); err != nil {
			return false, err
		}
		p.Clip = name
	}
}

// named describes the clip that has its final name, nil if there is none.
func (f Finisher) named(ctx context.Context, p *part) (*event.Clip, error) {
	file, _, err := durable.OpenPlain(f.Folder, p.Clip)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	got, err := fmp4.Check(file)
	if errors.Is(err, fmp4.ErrBox) || errors.Is(err, fmp4.ErrNotPlain) ||
		err == nil && p.Frames > 0 && got.Frames != p.Frames {
		return nil, nil // a foreign file
	}
	if err != nil {
		return nil, err
	}
	c := &event.Clip{File: p.Clip, Start: p.Start, End: p.end(), Length: event.Seconds(got.Length), Frames: got.Frames}
	if !c.End.After(c.Start) {
		c.End = c.Start.Add(got.Length)
	}
	c.SHA256, c.Bytes, err = Sum(ctx, file, nil)
	return c, err
}

// contentError is an error that another try on a healthy drive does not cure.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// TmpName returns the name of a clip while its sound is being encoded.
func TmpName(clip string) string { return "." + strings.TrimSuffix(clip, ".mp4") + ".tmp" }

// checked turns an error of FFmpeg into a contentError, unless the drive or FFmpeg itself is to blame.
func checked(ctx context.Context, tool *ffmpeg.Tool, err error) error {
	var broken *source.Failure
	if err == nil || ffmpeg.DiskTrouble(err) || ctx.Err() != nil || errors.As(err, &broken) {
		return err
	}
	if err := tool.Works(ctx); err != nil {
		return err
	}
	return &contentError{err}
}

// --- The end of an event ---

// tidy removes files that a crash left unfinished. Their removal is durable before the event ends in the index, so no
// file is ever forgotten.
func (in *Incident) tidy(w *work, ev event.Event) error {
	folder, err := in.c.Archive.Folder(ev)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	var names []string
	for _, p := range w.parts {
		names = append(names, TmpName(p.Clip))
		if !p.shut { // a shut file may hold video that no clip has
			names = append(names, p.File)
		}
	}
	for _, end := range append([]string{".json", ".jpg"}, Suffixes...) {
		names = append(names, durable.Temporary(ev.Stem+end))

		// written, but never named in the event
		if name := ev.Stem + end; end != ".json" && name != ev.Thumbnail && name != ev.Snapshot && name != ev.Mail {
			names = append(names, name)
		}
	}

	for _, name := range names {
		if slices.ContainsFunc(ev.Clips, func(c event.Clip) bool { return c.File == name }) {
			continue
		}
		if err := durable.RemoveIn(folder, name); err != nil {
			return err
		}
	}

	return durable.SyncDirIn(folder, ".")
}

// conclude writes the receipt and decides how the event ended.
// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (in *Incident) conclude(ev *event.Event) {
	ev.SavedAt = time.Now()
	if len(ev.Clips) == 0 {
		ev.State = event.Failed
		ev.Explain(text.NoVideoCame.With(in.why(ev.From, ev.Until, in.cam.Why())))
		return
	}
	first, last := ev.Clips[0], ev.Clips[len(ev.Clips)-1]
	r := &ev.Receipt
	if ev.Continues == "" {
		r.PreRollAsked = event.Seconds(ev.Time.Sub(ev.From))
		r.PreRollGot = event.Seconds(max(0, earlier(ev.Time, last.End).Sub(first.Start)))
	}
	if !ev.LastTrigger.IsZero() {
		r.PostRollAsked = event.Seconds(max(0, ev.Until.Sub(ev.LastTrigger)))
		r.PostRollGot = event.Seconds(max(0, last.End.Sub(ev.LastTrigger)))
	}
	if first.Start.Sub(ev.From) > slack && ev.Continues != "" { // a crash came between the previous event and this one
		gap := event.NewGap(ev.From, first.Start, in.why(ev.From, first.Start, in.cam.Why()))
		ev.Gaps = append([]event.Gap{gap}, ev.Gaps...)
	}
	var lacks []text.Text
	if why := ev.Why(); !why.IsZero() {
		lacks = append(lacks, why)
	}
	if late := first.Start.Sub(ev.From); late > slack && ev.Continues == "" {
		lacks = append(lacks, text.FirstMissing.With(seconds(late)))
	}
	if n := len(ev.Gaps); n > manyGaps {
		var sum time.Duration
		for _, g := range ev.Gaps {
			sum += g.To.Sub(g.From)
		}
		lacks = append(lacks, text.GapsMissing.With(seconds(sum), n,
			ev.Gaps[0].From.Local().Format("15:04:05"), ev.Gaps[0].Why()))
	}

	for _, g := range ev.Gaps {
		if len(ev.Gaps) > manyGaps {
			break
		}
		lacks = append(lacks, text.GapMissing.With(seconds(g.To.Sub(g.From)),
			g.From.Local().Format("15:04:05"), g.Why()))
	}

	if early := ev.Until.Sub(last.End); early > slack && !ev.Continued {
		lacks = append(lacks, text.LastMissing.With(seconds(early), in.why(last.End, ev.Until, in.cam.Why())))
	}
	ev.State = event.Saved
	if lacks != nil {
		ev.State = event.Incomplete
		ev.Explain(text.Join(" ", lacks...))
	}
}

// manyGaps is the number of gaps above which the reason has one sentence for all gaps.
const manyGaps = 4

// seconds returns a length as a sentence says it.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.0f s", max(1, d.Seconds()))
}

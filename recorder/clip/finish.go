package clip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/crash"
	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
)

// contentTries is how often a clip is tried to be finished before the partial file is kept as it is. Trouble with the
// drive does not count.
const contentTries = 3

// finish turns the partial files of an event, whose end is noted, into its clips. A crash anywhere in it leaves an event
// that is finished again from the start: clips that have their final name already are whole.
func (in *Incident) finish(ctx context.Context, w *work) {
	for _, p := range w.parts {
		p.close()
	}
	in.seal(w)
	in.mu.Lock()
	ev := w.ev
	in.mu.Unlock()

	tries := 0
	ok := in.retry(ctx, "finish", func(ctx context.Context) error {
		clips, reason, err := in.clips(ctx, w, ev, tries+1 >= contentTries)
		var bad *contentError
		if errors.As(err, &bad) {
			tries++
		}
		ev.Clips, ev.Reason = clips, reason
		return err
	})
	if !ok {
		return
	}
	in.settle(&ev)
	in.lastEnclosures(w, &ev)
	if ev.Stem == "" && !in.retry(ctx, "name", func(ctx context.Context) error { return in.name(ctx, w, &ev) }) {
		return // that there is no clip, and why, must survive the index too
	}
	if !in.retry(ctx, "record", func(ctx context.Context) error {
		if ev.Stem != "" {
			if err := in.c.Archive.WriteSidecar(ev); err != nil {
				return err
			}
		}
		crash.Here("sidecar")
		if err := in.tidy(w, ev); err != nil {
			return err
		}
		crash.Here("parts-removed")
		ev.Hold, ev.Parts = "", nil
		in.mu.Lock()
		w.ev = ev
		in.mu.Unlock()
		return in.note(ctx, w)
	}) {
		return
	}
	crash.Here("ended")
	in.c.Archive.Release(ev)
	in.c.Log.Info("event ended", "event", ev.ID, "camera", ev.Camera, "state", ev.State, "bytes", ev.Bytes(), "took", ev.Length())
}

// name gives an event without a clip its place in the archive, which is in the index before anything is written there.
func (in *Incident) name(ctx context.Context, w *work, ev *event.Event) error {
	named := *ev
	if err := in.c.Archive.Reserve(&named); err != nil {
		return err
	}
	in.mu.Lock()
	w.ev.Drive, w.ev.Archive, w.ev.Folder, w.ev.Stem = named.Drive, named.Archive, named.Folder, named.Stem
	in.mu.Unlock()
	ev.Drive, ev.Archive, ev.Folder, ev.Stem = named.Drive, named.Archive, named.Folder, named.Stem
	return in.note(ctx, w)
}

// contentError is an error that trying again on a healthy drive does not cure.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// clips makes the clips of an event: one for each stretch of parts with the same parameters. At the last try, parts that
// cannot be made into a clip are kept as they are, and the reason is returned.
func (in *Incident) clips(ctx context.Context, w *work, ev event.Event, last bool) (clips []event.Clip, reason string, err error) {
	for i := 0; i < len(w.parts); {
		j := i + 1
		for j < len(w.parts) && w.parts[j].Clip == w.parts[i].Clip {
			j++
		}
		c, err := in.clip(ctx, ev, w.parts[i:j], last)
		var bad *contentError
		if errors.As(err, &bad) && last {
			kept, rerr := in.raw(ctx, w.parts[i:j], ev)
			if rerr != nil {
				return nil, "", rerr
			}
			clips, err = append(clips, kept...), nil
			reason = fmt.Sprintf("The clip could not be finished (%s). Its video is kept as it was recorded; most players play it.", bad.err)
		}
		if err != nil {
			return nil, "", err
		}
		if c != nil {
			clips = append(clips, *c)
		}
		i = j
	}
	return clips, reason, nil
}

// clip makes one clip from parts of the same parameters, unless it has its final name already. nil means that the parts
// hold no picture.
func (in *Incident) clip(ctx context.Context, ev event.Event, parts []*part, last bool) (*event.Clip, error) {
	c := &event.Clip{File: parts[0].Clip, Start: parts[0].Start}
	var want ffmpeg.Totals
	var inputs []string
	var lengths []time.Duration
	for _, p := range parts {
		if p.good == 0 || p.frames == 0 {
			continue
		}
		path := in.c.Archive.Path(ev, p.File)
		if fi, err := os.Stat(path); err == nil && fi.Size() > p.good { // what was not fsynced is not known
			if err := os.Truncate(path, p.good); err != nil {
				return nil, err
			}
		}
		// The last frame of a run has no successor to tell its duration; one frame more keeps the next run behind it.
		inputs, lengths = append(inputs, path), append(lengths, p.length()+p.length()/time.Duration(p.frames))
		want.Frames += p.frames
		want.Duration += p.length()
		c.End = p.until()
	}
	whole := len(inputs) == len(parts) // no part was removed already
	if !whole {
		if done := in.recorded(ctx, ev, c.File); done != nil {
			return done, nil
		}
	}
	tool, err := in.c.FFmpeg()
	if err != nil {
		return nil, err
	}
	done, err := in.c.job(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	final, got, err := in.made(ctx, tool, ev, c, want, whole, last)
	if err != nil {
		return nil, err
	}
	if got.Frames > 0 {
		if want = (ffmpeg.Totals{}); !whole { // then the clip itself says how long it is
			c.End = c.Start.Add(got.Duration)
		}
		if err := remove(tmpName(final)); err != nil {
			return nil, err
		}
	} else {
		if want.Frames == 0 {
			return nil, nil
		}
		if got, err = in.make(ctx, tool, ev, inputs, lengths, final, want, last); err != nil {
			return nil, err
		}
	}
	c.Frames, c.Length = got.Frames, event.Seconds(want.Duration)
	if want.Duration == 0 {
		c.Length = event.Seconds(got.Duration)
	}
	if c.SHA256, c.Bytes, err = Sum(ctx, final, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// make is Make with the sound that the files hold. Sound never decides about video: if it cannot be kept, it is left out at
// the last try, for an FFmpeg may be killed.
func (in *Incident) make(ctx context.Context, tool *ffmpeg.Tool, ev event.Event, inputs []string, lengths []time.Duration, final string, want ffmpeg.Totals, last bool) (ffmpeg.Totals, error) {
	sound, err := SoundOf(inputs[0])
	if err != nil {
		return ffmpeg.Totals{}, err
	}
	got, err := Make(ctx, tool, inputs, lengths, final, want, sound)
	var bad *contentError
	if sound == ffmpeg.NoSound || !last || !errors.As(err, &bad) {
		return got, err
	}
	in.c.Log.Warn("sound cannot be kept and is left out of the clip", "event", ev.ID, "camera", ev.Camera, "err", err)
	return Make(ctx, tool, inputs, lengths, final, want, ffmpeg.NoSound)
}

// SoundOf says what is to be done with the sound of a partial file.
func SoundOf(path string) (ffmpeg.Sound, error) {
	kind, err := fmp4.SoundOf(path)
	switch {
	case err != nil || kind == "":
		return ffmpeg.NoSound, err
	case kind == "mp4a" || kind == "Opus":
		return ffmpeg.CopyAAC, nil
	}
	return ffmpeg.MakeAAC, nil
}

// recorded is a clip as the event's sidecar has it, if its file is what that says. The sidecar is written before parts are
// removed.
func (in *Incident) recorded(ctx context.Context, ev event.Event, file string) *event.Clip {
	root, err := in.c.Archive.On(ev)
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }()
	s, err := archive.ReadSidecar(root, archive.In(ev, archive.Sidecar(ev)))
	if err != nil || s.ID != ev.ID {
		return nil
	}
	for _, c := range s.Clips {
		if c.File != file {
			continue
		}
		if sum, size, err := Sum(ctx, in.c.Archive.Path(ev, c.File), nil); err == nil && sum == c.SHA256 && size == c.Bytes {
			return &c
		}
	}
	return nil
}

// made looks for a clip that has its final name already, since before a crash, and returns what it holds. Where there is
// none it returns a name that is free: what a stranger put at the clip's name is neither taken for it nor replaced. That a
// file cannot be verified says so at the last try only, since an FFmpeg may be killed.
func (in *Incident) made(ctx context.Context, tool *ffmpeg.Tool, ev event.Event, c *event.Clip, want ffmpeg.Totals, whole, last bool) (final string, got ffmpeg.Totals, err error) {
	stem := strings.TrimSuffix(c.File, ".mp4")
	if stem == ev.Stem {
		stem += "_part1"
	}
	for n := 2; ; n++ {
		final = in.c.Archive.Path(ev, c.File)
		fi, err := os.Lstat(final)
		if errors.Is(err, fs.ErrNotExist) {
			return final, ffmpeg.Totals{}, nil
		}
		if err != nil {
			return "", ffmpeg.Totals{}, err
		}
		if fi.Mode().IsRegular() {
			got, err := tool.Verify(ctx, final)
			if err != nil {
				cerr := checked(ctx, tool, err)
				var bad *contentError
				if !errors.As(cerr, &bad) || !last {
					return "", ffmpeg.Totals{}, cerr
				}
			}
			if err == nil && got.Frames > 0 && (got.Frames == want.Frames || !whole && got.Frames > want.Frames) {
				return final, got, nil
			}
			if _, _, err := Sum(ctx, final, nil); err != nil { // FFmpeg takes what the drive does not give it for the end
				return "", ffmpeg.Totals{}, err
			}
		}
		c.File = fmt.Sprintf("%s_%d.mp4", stem, n)
	}
}

// Make makes the final file from partial files of the same parameters, whose lengths are told: under a temporary name,
// checked against what was recorded, and only then named. It never replaces a file, and leaves the partial files alone.
func Make(ctx context.Context, tool *ffmpeg.Tool, inputs []string, lengths []time.Duration, final string, want ffmpeg.Totals, sound ffmpeg.Sound) (ffmpeg.Totals, error) {
	tmp := tmpName(final)
	if err := remove(tmp); err != nil {
		return ffmpeg.Totals{}, err
	}
	wrote, err := tool.Remux(ctx, inputs, lengths, tmp, sound)
	if err != nil {
		return ffmpeg.Totals{}, errors.Join(checked(ctx, tool, err), remove(tmp))
	}
	crash.Here("remuxed")
	got, err := tool.Verify(ctx, tmp)
	if err != nil {
		return ffmpeg.Totals{}, errors.Join(checked(ctx, tool, err), remove(tmp))
	}
	off := (got.Duration - want.Duration).Abs()
	if wrote.Frames != want.Frames || got.Frames != want.Frames || off > tolerance(want, len(inputs)) {
		return ffmpeg.Totals{}, errors.Join(&contentError{fmt.Errorf("%d frames and %s were recorded, %d frames and %s read back", want.Frames, want.Duration, got.Frames, got.Duration)}, remove(tmp))
	}
	crash.Here("checked")
	if err := durable.SyncFile(tmp); err != nil {
		return ffmpeg.Totals{}, errors.Join(err, remove(tmp))
	}
	crash.Here("clip-synced")
	if err := durable.Publish(tmp, final); err != nil {
		return ffmpeg.Totals{}, err
	}
	crash.Here("published")
	return got, nil
}

// tolerance is by how much the length that is read back may differ from what was recorded: FFmpeg may not count the last
// picture's length, and one picture is added where runs are joined.
func tolerance(want ffmpeg.Totals, inputs int) time.Duration {
	return time.Second + time.Duration(inputs+1)*want.Duration/time.Duration(max(1, want.Frames))
}

// tmpName is what a clip is called until it is checked.
func tmpName(final string) string {
	return filepath.Join(filepath.Dir(final), "."+strings.TrimSuffix(filepath.Base(final), ".mp4")+".tmp")
}

// checked marks an error of FFmpeg's as one of content, unless the drive or FFmpeg itself is to blame.
func checked(ctx context.Context, tool *ffmpeg.Tool, err error) error {
	var broken *source.Failure
	if ffmpeg.DiskTrouble(err) || ctx.Err() != nil || errors.As(err, &broken) {
		return err
	}
	if err := tool.Works(ctx); err != nil {
		return err
	}
	return &contentError{err}
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// raw keeps the partial files as the event's clips.
func (in *Incident) raw(ctx context.Context, parts []*part, ev event.Event) ([]event.Clip, error) {
	var clips []event.Clip
	for _, p := range parts {
		if p.good == 0 {
			continue
		}
		sum, size, err := Sum(ctx, in.c.Archive.Path(ev, p.File), nil)
		if err != nil {
			return nil, err
		}
		clips = append(clips, event.Clip{File: p.File, Start: p.Start, End: p.until(), Length: event.Seconds(p.length()), Frames: p.frames, Bytes: size, SHA256: sum})
	}
	return clips, nil
}

// tidy removes the partial files that have become clips, and what a crash left of files that were being written. Their
// names are gone durably before the event ends in the index, so none is ever forgotten.
func (in *Incident) tidy(w *work, ev event.Event) error {
	if ev.Stem == "" {
		return nil
	}
	var names []string
	for _, p := range w.parts {
		if p.made && !slices.ContainsFunc(ev.Clips, func(c event.Clip) bool { return c.File == p.File }) {
			names = append(names, p.File)
		}
		names = append(names, tmpName(p.Clip))
	}
	for _, c := range ev.Clips {
		names = append(names, tmpName(c.File))
	}
	for _, end := range append([]string{".json", ".jpg"}, Ends...) {
		names = append(names, durable.Temporary(ev.Stem+end))
		if name := ev.Stem + end; end != ".json" && name != ev.Thumbnail && name != ev.Snapshot && name != ev.Mail { // written, and never noted
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := remove(in.c.Archive.Path(ev, name)); err != nil {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(in.c.Archive.Path(ev, ev.Stem)))
}

// settle writes the receipt and decides how the event ended.
func (in *Incident) settle(ev *event.Event) {
	ev.SavedAt = time.Now()
	if len(ev.Clips) == 0 {
		ev.State = event.Failed
		ev.Reason = "No video came from the camera: " + in.why(ev.From, ev.Until, in.cam.Why()) + "."
		return
	}
	first, last := ev.Clips[0], ev.Clips[len(ev.Clips)-1]
	r := &ev.Receipt
	if ev.Continues == "" {
		r.PreRollAsked = event.Seconds(ev.Time.Sub(ev.From))
		r.PreRollGot = event.Seconds(max(0, ev.Time.Sub(first.Start)))
	}
	if !ev.LastTrigger.IsZero() {
		r.PostRollAsked = event.Seconds(max(0, ev.Until.Sub(ev.LastTrigger)))
		r.PostRollGot = event.Seconds(max(0, last.End.Sub(ev.LastTrigger)))
	}
	var lacks []string
	if ev.Reason != "" {
		lacks = append(lacks, ev.Reason)
	}
	if late := first.Start.Sub(ev.From); late > slack && ev.Continues == "" {
		lacks = append(lacks, fmt.Sprintf("The first %s are missing: there was no earlier video in RAM.", seconds(late)))
	}
	if n := len(ev.Gaps); n > manyGaps {
		var sum time.Duration
		for _, g := range ev.Gaps {
			sum += g.To.Sub(g.From)
		}
		lacks = append(lacks, fmt.Sprintf("%s are missing in %d places from %s on: %s.", seconds(sum), n, ev.Gaps[0].From.Local().Format("15:04:05"), strings.TrimSuffix(ev.Gaps[0].Reason, ".")))
	}
	for _, g := range ev.Gaps {
		if len(ev.Gaps) > manyGaps {
			break
		}
		lacks = append(lacks, fmt.Sprintf("%s are missing from %s on: %s.", seconds(g.To.Sub(g.From)), g.From.Local().Format("15:04:05"), strings.TrimSuffix(g.Reason, ".")))
	}
	if early := ev.Until.Sub(last.End); early > slack && !ev.Continued {
		lacks = append(lacks, fmt.Sprintf("The last %s are missing: %s.", seconds(early), strings.TrimSuffix(in.why(last.End, ev.Until, in.cam.Why()), ".")))
	}
	ev.State, ev.Reason = event.Saved, strings.Join(lacks, " ")
	if lacks != nil {
		ev.State = event.Incomplete
	}
}

// manyGaps is how many gaps are too many for a sentence each.
const manyGaps = 4

// seconds is a length as a sentence says it.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.0f s", max(1, d.Seconds()))
}

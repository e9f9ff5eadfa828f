package diagnose

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Verify reads the clips of an event in folder back and compares them with the record of the event. The verdict says
// what is wrong. An error means that the clips could not be checked.
func Verify(ctx context.Context, tool *ffmpeg.Tool, folder *os.Root, e event.Event) (status.VerifyResult, error) {
	var v status.VerifyResult
	var wrong []text.Text
	for _, c := range e.Clips {
		got, bad, err := compareClip(ctx, tool, folder, c)
		if err != nil {
			return status.VerifyResult{}, err
		}
		v.Frames += got.Frames
		v.Length += event.Seconds(got.Duration)
		if bad.IsZero() {
			continue
		}
		if len(e.Clips) > 1 {
			bad = text.Detailed.With(c.File, bad)
		}
		wrong = append(wrong, bad)
	}

	if wrong != nil {
		v.Text = text.Join(" ", wrong...)
		return v, nil
	}
	v.OK = true
	v.Text = text.ClipWhole.With(v.Frames, v.Length.D().Seconds(),
		e.Receipt.PreRollGot.D().Seconds())
	switch {
	case len(e.Clips) > 1:
		v.Text = text.ClipsWhole.With(len(e.Clips), v.Frames,
			v.Length.D().Seconds(), e.Receipt.PreRollGot.D().Seconds())
	case e.Continues != "": // its pre-roll is in the clip of the event before
		v.Text = text.ClipWholeContinued.With(v.Frames, v.Length.D().Seconds())
	}

	return v, nil
}

// compareClip reads one file back. wrong says what is wrong with it, and is zero if nothing is.
func compareClip(ctx context.Context, tool *ffmpeg.Tool, folder *os.Root,
	c event.Clip) (got ffmpeg.Totals, wrong text.Text, err error) {
	var found clip.Contents
	file, _, err := durable.OpenPlain(folder, c.File)
	if err == nil {
		found, err = clip.Compare(ctx, tool, file, c, nil)
		_ = file.Close()
	}
	switch {
	case ctx.Err() != nil:
		return got, wrong, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return got, text.FileNotThere.With(), nil
	case err != nil:
		return got, text.FileUnreadable.With(err), nil
	}

	return found.Totals, found.Wrong, nil
}

package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/status"
)

// Verify reads an event's clips back, which lie in a folder, and compares them with what the event says of them. The
// verdict tells what is wrong; an error means that nothing could be told.
func Verify(ctx context.Context, tool *ffmpeg.Tool, folder *os.Root, e event.Event) (status.VerifyResult, error) {
	var v status.VerifyResult
	var wrong []string
	for _, c := range e.Clips {
		got, text, err := compareClip(ctx, tool, folder, c)
		if err != nil {
			return status.VerifyResult{}, err
		}
		v.Frames += got.Frames
		v.Length += event.Seconds(got.Duration)
		if text != "" && len(e.Clips) > 1 {
			text = c.File + ": " + text
		}
		if text != "" {
			wrong = append(wrong, text)
		}
	}
	if wrong != nil {
		v.Text = strings.Join(wrong, " ")
		return v, nil
	}
	v.OK = true
	v.Text = fmt.Sprintf("The clip is whole: %d frames, %.1f s, pre-roll %.1f s.", v.Frames, v.Length.D().Seconds(),
		e.Receipt.PreRollGot.D().Seconds())
	switch {
	case len(e.Clips) > 1:
		v.Text = fmt.Sprintf("All %d files are whole: %d frames, %.1f s, pre-roll %.1f s.", len(e.Clips), v.Frames,
			v.Length.D().Seconds(), e.Receipt.PreRollGot.D().Seconds())
	case e.Continues != "": // its pre-roll is in the clip before
		v.Text = fmt.Sprintf("The clip is whole: %d frames, %.1f s.", v.Frames, v.Length.D().Seconds())
	}
	return v, nil
}

// compareClip reads one file back and says what is wrong with it, "" if nothing is.
func compareClip(ctx context.Context, tool *ffmpeg.Tool, folder *os.Root,
	c event.Clip) (got ffmpeg.Totals, wrong string, err error) {
	var found clip.Contents
	file, _, err := durable.OpenPlain(folder, c.File)
	if err == nil {
		found, err = clip.Compare(ctx, tool, file, c, nil)
		_ = file.Close()
	}
	switch {
	case ctx.Err() != nil:
		return got, "", ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return got, "The file is not there.", nil
	case err != nil:
		return got, fmt.Sprintf("The file cannot be read: %s.", err), nil
	}
	return found.Totals, found.Wrong, nil
}

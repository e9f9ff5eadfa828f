package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/status"
)

// lengthSlack is by how much a clip that is read back may differ from its event's length; one frame is added, since
// FFmpeg counts to the begin of the last one or to its end, depending on its version.
const lengthSlack = 50 * time.Millisecond

// Verify reads an event's clips back and compares them with what the event says of them. The verdict tells what is
// wrong; an error means that nothing could be told.
func (r *Recorder) Verify(ctx context.Context, id string) (status.Verdict, error) {
	e, err := r.archive.Get(ctx, id)
	if err != nil {
		return status.Verdict{}, err
	}
	if !e.State.Ended() {
		return status.Verdict{}, fmt.Errorf("event %s is still being saved", id)
	}
	tool, err := r.ffmpeg()
	if err != nil {
		return status.Verdict{}, err
	}
	if len(e.Clips) == 0 {
		return status.Verdict{Text: "There is no clip. " + e.Reason}, nil
	}
	if err := r.archive.Reachable(e); err != nil {
		text, _ := archive.Explain(err)
		return status.Verdict{Text: text}, nil
	}
	var v status.Verdict
	var wrong []string
	for _, c := range e.Clips {
		got, text, err := verifyClip(ctx, tool, r.archive.Path(e, c.File), c)
		if err != nil {
			return status.Verdict{}, err
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
	v.Text = fmt.Sprintf("The clip is whole: %d frames, %.1f s, pre-roll %.1f s.", v.Frames, v.Length.D().Seconds(), e.Receipt.PreRollGot.D().Seconds())
	switch {
	case len(e.Clips) > 1:
		v.Text = fmt.Sprintf("All %d files are whole: %d frames, %.1f s, pre-roll %.1f s.", len(e.Clips), v.Frames, v.Length.D().Seconds(), e.Receipt.PreRollGot.D().Seconds())
	case e.Continues != "": // its pre-roll is in the clip before
		v.Text = fmt.Sprintf("The clip is whole: %d frames, %.1f s.", v.Frames, v.Length.D().Seconds())
	}
	return v, nil
}

// verifyClip reads one file back and says what is wrong with it, "" if nothing is.
func verifyClip(ctx context.Context, tool *ffmpeg.Tool, path string, c event.Clip) (got ffmpeg.Totals, wrong string, err error) {
	sum, size, err := sumOf(ctx, path)
	switch {
	case ctx.Err() != nil:
		return got, "", ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return got, "The file is not there.", nil
	case err != nil:
		return got, fmt.Sprintf("The file cannot be read: %s.", err), nil
	case c.SHA256 != "" && sum != c.SHA256 && size < c.Bytes:
		return got, fmt.Sprintf("It is cut off: %d of %d bytes are there.", size, c.Bytes), nil
	case c.SHA256 != "" && sum != c.SHA256:
		return got, "It was changed since it was saved (its SHA-256 differs).", nil
	}
	if got, err = tool.Verify(ctx, path); err != nil {
		if ctx.Err() != nil {
			return got, "", ctx.Err()
		}
		return got, fmt.Sprintf("It does not play to its end: %s.", err), nil
	}
	slack := lengthSlack
	if got.Frames > 0 {
		slack += got.Duration / time.Duration(got.Frames)
	}
	switch off := (got.Duration - c.Length.D()).Abs(); {
	case c.Frames > 0 && got.Frames != c.Frames:
		return got, fmt.Sprintf("It holds %d frames, and %d were saved.", got.Frames, c.Frames), nil
	case off > slack && c.SHA256 == "": // else it is what was checked when it was saved; parts of several runs join less exactly
		return got, fmt.Sprintf("It is %.2f s long, and %.2f s were saved.", got.Duration.Seconds(), c.Length.D().Seconds()), nil
	}
	return got, "", nil
}

// sumOf reads a file and returns its SHA-256 and size.
func sumOf(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if size, err = io.Copy(h, reader{ctx, f}); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// reader reads until ctx ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/text"
)

// Contents describes the file of a clip.
type Contents struct {
	ffmpeg.Totals
	SHA256 string
	Bytes  int64
	Wrong  text.Text // how the file differs from what was saved, in plain words; "" if it does not
}

// lengthSlack is by how much the length of a clip may differ from the length in its event. One frame is added:
// depending on its version, FFmpeg counts to the beginning or to the end of the last frame.
const lengthSlack = 50 * time.Millisecond

// Compare reads a clip's file and describes how the file differs from the clip in the event. read, which may be nil, is
// called with the number of bytes of each piece. An error means that the file cannot be read.
func Compare(ctx context.Context, tool *ffmpeg.Tool, file *os.File, c event.Clip,
	read func(int64)) (f Contents, err error) {
	if f.SHA256, f.Bytes, err = Sum(ctx, file, read); err != nil {
		return f, err
	}
	switch {
	case c.SHA256 != "" && f.SHA256 != c.SHA256 && f.Bytes < c.Bytes:
		f.Wrong = text.FileCutOff.With(f.Bytes, c.Bytes)
		return f, nil
	case c.SHA256 != "" && f.SHA256 != c.SHA256:
		f.Wrong = text.FileChanged.With()
		return f, nil
	case c.SHA256 != "" && strings.HasSuffix(c.File, ".partial.mp4"):
		return f, nil // kept as it was recorded because it could not be finished; the event says so
	}

	if f.Totals, err = tool.Verify(ctx, file); err != nil {
		if ctx.Err() != nil {
			return f, context.Cause(ctx)
		}
		f.Wrong = text.FileDoesNotPlay.With(err)
		return f, nil
	}

	slack := lengthSlack
	if f.Frames > 0 {
		slack += f.Duration / time.Duration(f.Frames)
	}
	switch off := (f.Duration - c.Length.D()).Abs(); {
	case f.Frames == 0:
		f.Wrong = text.FileNoPicture.With()
	case c.Frames > 0 && f.Frames != c.Frames:
		f.Wrong = text.FileFrames.With(f.Frames, c.Frames)
	case off > slack && c.Length > 0 && c.SHA256 == "":
		// With a SHA-256, the file is what was checked when it was saved. Parts of several runs join less exactly.
		f.Wrong = text.FileLength.With(f.Duration.Seconds(), c.Length.D().Seconds())
	}

	return f, nil
}

// Sum reads a file from its beginning and returns the SHA-256 and the size in bytes. read, which may be nil, is called
// with the number of bytes of each piece.
func Sum(ctx context.Context, file *os.File, read func(int64)) (sum string, size int64, err error) {
	f := io.NewSectionReader(file, 0, 1<<62)
	h := sha256.New()
	b := make([]byte, 1<<20)
	for {
		if ctx.Err() != nil {
			return "", 0, context.Cause(ctx)
		}
		n, err := f.Read(b)
		h.Write(b[:n])
		size += int64(n)
		if read != nil {
			read(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/source"
)

// Totals is what FFmpeg counted while it went through a file.
type Totals struct {
	Frames   int           // of the video
	Duration time.Duration // of the longest stream
}

// Remux joins partial files into one MP4 with its index in front, starting at time 0, without touching the video.
// The inputs must have the same parameters; lengths are theirs, which FFmpeg cannot tell for a file whose time does not
// begin at 0. Sound is copied, encoded to AAC with silence where there is none, or left out. The output must not exist.
func (t *Tool) Remux(ctx context.Context, inputs []string, lengths []time.Duration, out string, sound Sound) (Totals, error) {
	args := []string{"-hide_banner", "-nostats", "-loglevel", "level+warning", "-threads", "1"}
	var script strings.Builder
	if len(inputs) == 1 {
		args = append(args, "-i", "file:"+inputs[0])
	} else {
		script.WriteString("ffconcat version 1.0\n")
		for i, in := range inputs {
			fmt.Fprintf(&script, "file %s\nduration %.6f\n", quote("file:"+filepath.ToSlash(in)), lengths[i].Seconds())
		}
		args = append(args, "-f", "concat", "-safe", "0", "-protocol_whitelist", "file,pipe,fd", "-i", "pipe:0")
	}
	args = append(args, "-map", "0:v:0", "-c", "copy")
	switch sound {
	case CopyAAC:
		args = append(args, "-map", "0:a:0?")
	case MakeAAC:
		args = append(args, "-map", "0:a:0?", "-c:a", "aac", "-b:a", "48k", "-af", "aresample=async=1000")
	}
	args = append(args, "-avoid_negative_ts", "make_zero", "-max_interleave_delta", "0", "-movflags", "+faststart", "-progress", "pipe:1", "-f", "mp4", "-n", "file:"+out)
	ctx, cancel := limited(ctx, inputs...)
	defer cancel()
	totals, err := t.count(ctx, args, strings.NewReader(script.String()))
	if err != nil {
		return Totals{}, fmt.Errorf("remux %s: %w", filepath.Base(out), err)
	}
	return totals, nil
}

// Verify reads every packet of a file and returns what it holds; any error of the file is an error here.
func (t *Tool) Verify(ctx context.Context, file string) (Totals, error) {
	ctx, cancel := limited(ctx, file)
	defer cancel()
	totals, err := t.count(ctx, []string{"-hide_banner", "-nostats", "-loglevel", "level+error", "-xerror",
		"-i", "file:" + file, "-map", "0:v:0", "-c", "copy", "-progress", "pipe:1", "-f", "null", "-"}, nil)
	if err != nil {
		return Totals{}, fmt.Errorf("read back %s: %w", filepath.Base(file), err)
	}
	return totals, nil
}

// Bounds of a job, beyond which FFmpeg counts as hanging: a drive that writes half a megabyte a second is slow, not dead.
const (
	jobTime     = 30 * time.Second
	jobSpeed    = 512 << 10 // bytes a second
	pictureTime = 30 * time.Second
)

var errHangs = errors.New("FFmpeg came to no end")

// limited bounds the time of a job by the size of its files.
func limited(ctx context.Context, files ...string) (context.Context, context.CancelFunc) {
	var bytes int64
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			bytes += fi.Size()
		}
	}
	return context.WithTimeoutCause(ctx, jobTime+time.Duration(bytes/jobSpeed)*time.Second, errHangs)
}

// aboutPicture matches what decoders and parsers say of pictures that came damaged from a camera. A file that holds them
// is whole all the same.
var aboutPicture = regexp.MustCompile(`^\[(h264|hevc|aac|NULL|h264_\w+|hevc_\w+|extract_extradata) @ `)

// Works returns why this FFmpeg cannot be used any more, as after an update that took a library of it: a [*source.Failure] of kind
// [Missing], or ctx's cause.
func (t *Tool) Works(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pictureTime, errHangs)
	defer cancel()
	out, err := t.output(ctx, "-hide_banner", "-version")
	if err == nil {
		_, _, err = parseVersion(out)
	}
	if err == nil || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &source.Failure{Kind: source.Missing, Detail: fmt.Sprintf("%s does not start: %v", t.Path, err)}
}

// count runs FFmpeg with -progress on standard output and returns its last report.
func (t *Tool) count(ctx context.Context, args []string, stdin io.Reader) (Totals, error) {
	var out bytes.Buffer
	var errs []string
	err := t.run(ctx, job{args: args, stdin: stdin, stdout: &out, line: func(line string) {
		if (strings.Contains(line, "[error]") || strings.Contains(line, "[fatal]")) && !aboutPicture.MatchString(line) && len(errs) < keptLines {
			errs = append(errs, line)
		}
	}})
	if err != nil {
		var exit *exitError
		if ctx.Err() == nil && len(errs) > 0 && errors.As(err, &exit) {
			return Totals{}, fmt.Errorf("%w: %s", exit.err, errs[0])
		}
		return Totals{}, err
	}
	if len(errs) > 0 {
		return Totals{}, errors.New(errs[0])
	}
	return parseProgress(out.String())
}

func parseProgress(s string) (t Totals, err error) {
	for line := range strings.Lines(s) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch k {
		case "frame":
			if t.Frames, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return Totals{}, fmt.Errorf("FFmpeg's progress: %w", err)
			}
		case "out_time_us":
			if us, err := strconv.ParseInt(v, 10, 64); err == nil { // "N/A" until the first packet
				t.Duration = time.Duration(us) * time.Microsecond
			}
		}
	}
	return t, nil
}

// Picture returns the first frame of a video as a JPEG of at most the given width in pixels.
func (t *Tool) Picture(ctx context.Context, video io.Reader, width int) ([]byte, error) {
	return t.picture(ctx, nil, video, width)
}

// Still is Picture for a video that begins with a keyframe: nothing else is decoded.
func (t *Tool) Still(ctx context.Context, video io.Reader, width int) ([]byte, error) {
	return t.picture(ctx, []string{"-threads", "1", "-skip_frame", "nokey"}, video, width)
}

func (t *Tool) picture(ctx context.Context, options []string, video io.Reader, width int) ([]byte, error) {
	args := append([]string{"-hide_banner", "-nostats", "-loglevel", "level+info"}, options...)
	args = append(args, "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-vf", fmt.Sprintf("scale=w='min(%d,iw)':h=-2", width),
		"-pix_fmt", "yuvj420p", "-q:v", "4", "-c:v", "mjpeg", "-threads", "1", "-f", "image2pipe", "pipe:1")
	ctx, cancel := context.WithTimeoutCause(ctx, pictureTime, errHangs)
	defer cancel()
	var out bytes.Buffer
	if err := t.run(ctx, job{args: args, stdin: video, stdout: &out}); err != nil {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, &source.Failure{Kind: source.NoVideo}
	}
	return out.Bytes(), nil
}

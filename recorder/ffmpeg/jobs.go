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
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Totals is what FFmpeg counted in a file.
type Totals struct {
	Frames   int           // frames of the video
	Duration time.Duration // duration of the longest stream
}

// EncodeSound copies an MP4 whose sound most players do not know to an MP4 with AAC sound and its index in front. The
// video is not changed. Where sound is missing for a while, the copy has silence. The contents of out are replaced.
func (t *Tool) EncodeSound(ctx context.Context, in, out *os.File) (Totals, error) {
	ctx, cancel := limited(ctx, in)
	defer cancel()
	totals, err := t.count(ctx, []string{"-hide_banner", "-nostats", "-loglevel", "level+warning", "-threads", "1",
		"-f", "mp4", "-i", nameOf(in, 0),
		"-map", "0:v:0", "-c", "copy", "-map", "0:a:0", "-c:a", "aac", "-b:a", "48k", "-af", "aresample=async=1000",
		"-avoid_negative_ts", "make_zero", "-max_interleave_delta", "0", "-movflags", "+faststart", "-progress",
		"pipe:1", "-f", "mp4", "-y", nameOf(out, 1)}, in, out)
	if err != nil {
		return Totals{}, fmt.Errorf("encode the sound of %s: %w", filepath.Base(in.Name()), err)
	}
	return totals, nil
}

// Verify reads every packet of an MP4 file and returns what the file holds. Any error in the file is an error of
// Verify. No other file is read, whatever the file says.
func (t *Tool) Verify(ctx context.Context, file *os.File) (Totals, error) {
	ctx, cancel := limited(ctx, file)
	defer cancel()
	totals, err := t.count(ctx, []string{"-hide_banner", "-nostats", "-loglevel", "level+error", "-xerror",
		"-protocol_whitelist", "file",
		"-f", "mp4", "-i", nameOf(file, 0), "-map", "0:v:0", "-c", "copy", "-progress", "pipe:1", "-f", "null", "-"},
		file)
	if err != nil {
		return Totals{}, fmt.Errorf("read back %s: %w", filepath.Base(file.Name()), err)
	}
	return totals, nil
}

// nameOf returns the name under which FFmpeg opens the nth file of a job. On Linux, it names the open file, so that
// nobody can put another file under its name meanwhile. On other systems, it is the path.
func nameOf(f *os.File, n int) string {
	if runtime.GOOS != "linux" {
		return "file:" + f.Name()
	}
	return fmt.Sprintf("file:/dev/fd/%d", 3+n)
}

// Time limits of a job, beyond which FFmpeg counts as hanging. A drive that writes half a megabyte per second is slow,
// not dead.
const (
	jobTime     = 30 * time.Second
	jobSpeed    = 512 << 10 // bytes per second
	pictureTime = 30 * time.Second
)

var errHangs = errors.New("FFmpeg came to no end")

// limited limits the time of a job by the size of its file.
func limited(ctx context.Context, file *os.File) (context.Context, context.CancelFunc) {
	var bytes int64
	if fi, err := file.Stat(); err == nil {
		bytes = fi.Size()
	}
	return context.WithTimeoutCause(ctx, jobTime+time.Duration(bytes/jobSpeed)*time.Second, errHangs)
}

// aboutPicture matches messages of decoders and parsers about frames that came damaged from a camera. A file with such
// frames is whole all the same.
var aboutPicture = regexp.MustCompile(`^\[(h264|hevc|aac|NULL|h264_\w+|hevc_\w+|extract_extradata) @ `)

// Works returns why this FFmpeg can no longer be used, for example after an update that removed one of its libraries.
// The error is a [*source.Failure] of kind [source.Missing], or the cause of ctx.
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
	return source.Missing.Failure(text.FFmpegDoesNotStart.With(t.Path, err))
}

// count runs FFmpeg with -progress on standard output and returns the last report. A line with an error that is not
// about a damaged frame is an error.
func (t *Tool) count(ctx context.Context, args []string, files ...*os.File) (Totals, error) {
	var out bytes.Buffer
	var errs []string
	err := t.run(ctx, job{args: args, files: files, stdout: &out, line: func(line string) {
		if (strings.Contains(line, "[error]") || strings.Contains(line, "[fatal]")) &&
			!aboutPicture.MatchString(line) && len(errs) < keptLines {
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

// Picture returns the first frame of a video as a JPEG of at most the given width in pixels. If video is an *os.File,
// it must be an MP4.
func (t *Tool) Picture(ctx context.Context, video io.Reader, width int) ([]byte, error) {
	return t.picture(ctx, nil, video, width)
}

// Still is Picture for a video that begins with a keyframe: no other frames are decoded.
func (t *Tool) Still(ctx context.Context, video io.Reader, width int) ([]byte, error) {
	return t.picture(ctx, []string{"-threads", "1", "-skip_frame", "nokey"}, video, width)
}

// Stills is Still for several videos at once, which costs little more than one: most of the time of a still is the
// start of FFmpeg. Each video is an init section and a segment. FFmpeg writes the pictures into an empty folder, which
// is on the RAM disk as the video is. The result has an entry for each video: nil for one without a picture.
func (t *Tool) Stills(ctx context.Context, dir string, videos [][2]*os.File, width int) ([][]byte, error) {
	j := job{args: []string{"-hide_banner", "-nostats", "-loglevel", "level+error"}}
	var out []string
	picture := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	for i, v := range videos {
		n := len(j.files)
		j.files = append(j.files, v[0], v[1])
		j.args = append(j.args, "-threads", "1", "-skip_frame", "nokey", "-protocol_whitelist", "concat,file", "-f",
			"mp4", "-i", "concat:"+nameOf(v[0], n)+"|"+nameOf(v[1], n+1))
		out = append(out, "-map", strconv.Itoa(i)+":v:0")
		out = append(out, jpegOf(width)...)
		out = append(out, "-f", "mjpeg", "file:"+picture(i))
	}
	j.args = append(j.args, out...)
	ctx, cancel := context.WithTimeoutCause(ctx, pictureTime, errHangs)
	defer cancel()
	rerr := t.run(ctx, j)
	list, some := make([][]byte, len(videos)), false
	for i := range videos {
		if b, err := os.ReadFile(picture(i)); err == nil && len(b) > 0 {
			list[i], some = b, true
			_ = os.Remove(picture(i))
		}
	}
	if some { // a damaged video among them spoils only its own picture
		return list, nil
	}
	return list, rerr
}

// jpegOf returns the options of an output that is one JPEG.
func jpegOf(width int) []string {
	return []string{"-frames:v", "1", "-vf", fmt.Sprintf("scale=w='min(%d,iw)':h=-2", width), "-pix_fmt", "yuvj420p",
		"-q:v", "4", "-c:v", "mjpeg", "-threads", "1"}
}

func (t *Tool) picture(ctx context.Context, options []string, video io.Reader, width int) ([]byte, error) {
	args := append([]string{"-hide_banner", "-nostats", "-loglevel", "level+info"}, options...)
	j := job{stdin: video}
	from := []string{"-i", "pipe:0"}
	if f, ok := video.(*os.File); ok { // the index may lie at the end
		j = job{files: []*os.File{f}}
		from = []string{"-protocol_whitelist", "file", "-f", "mp4", "-i", nameOf(f, 0)}
	}
	args = append(append(append(args, from...), "-map", "0:v:0"), jpegOf(width)...)
	args = append(args, "-f", "image2pipe", "pipe:1")
	ctx, cancel := context.WithTimeoutCause(ctx, pictureTime, errHangs)
	defer cancel()
	var out bytes.Buffer
	j.args, j.stdout = args, &out
	if err := t.run(ctx, j); err != nil {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, source.NoVideo.Failure(nil)
	}
	return out.Bytes(), nil
}

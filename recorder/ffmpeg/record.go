package ffmpeg

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
)

// Recording is one run of a camera: what to write, where, and what is known of the stream.
type Recording struct {
	Source  Source
	Dir     string        // the ring's folder
	Prefix  string        // begins every file name of this run
	Segment time.Duration // wished length of a segment; a segment ends at the next keyframe
	Keep    int           // segments that FFmpeg itself keeps, its safety net
	Known   Streams       // from the last run; zero is a guess (H.264, and audio that can be copied)

	Streams func(Streams)            // called once FFmpeg knows what the camera sends
	Reached func(time.Duration, int) // called twice a second with the media time and the pictures that are written by now
	Jumped  func()                   // the camera's time stamps leapt: from the first leap on FFmpeg counts frames instead of believing them
	Line    func(string)             // every scrubbed line; may be nil
}

// PlaylistName is the name of a run's playlist, which lists the segments that FFmpeg keeps.
func PlaylistName(prefix string) string { return prefix + "live.m3u8" }

// InitName is the name of a run's init section; its segments are called prefix + six digits + ".m4s".
func InitName(prefix string) string { return prefix + "init.mp4" }

// Record runs FFmpeg for one run of a camera and returns when it ended, which is always a [*Failure] unless ctx ended:
// then it is ctx's cause.
//
// Segments are fragmented MP4, written by the HLS muxer under a temporary name and renamed when complete. Streams that
// turn out other than Known are learned from what FFmpeg prints, and the failure is of kind [Changed]: the caller
// starts again at once with what it was told. So a camera sees one session at a time, and no extra one to probe it.
func (t *Tool) Record(ctx context.Context, r Recording) error {
	in, err := t.input(r.Source)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reader streamReader
	recorded := false
	var lines []string
	changed := &Failure{Kind: Changed}
	err = t.run(ctx, job{
		args:     t.recordArgs(r, in),
		stdin:    strings.NewReader(in.stdin),
		password: r.Source.Password.Reveal(),
		line: func(line string) {
			if media, frames, ok := progress(line); ok {
				r.Reached(media, frames)
				return
			}
			if strings.Contains(line, "[info]") {
				if strings.Contains(line, ".m4s") {
					recorded = true
				} else if reader.line(line) {
					if r.Source.URL == config.DemoURL {
						reader.got.Video = "h264" // what it is encoded to
					}
					r.Streams(reader.got)
					if copied(r, reader.got) != copied(r, r.Known) && r.Source.URL != config.DemoURL {
						cancel(changed)
					}
				}
			} else if strings.Contains(line, "invalid dropping") {
				if reader.leapt(line) {
					r.Jumped()
				}
				return // there are two of them with every frame
			} else {
				if len(lines) == keptLines {
					lines = append(lines[:0], lines[1:]...)
				}
				lines = append(lines, line)
			}
			if r.Line != nil {
				r.Line(line)
			}
		},
	})
	var f *Failure
	var exit *exitError
	switch {
	case ctx.Err() != nil || errors.As(err, &f):
		return err
	case err == nil || errors.As(err, &exit):
		return Diagnose(lines, recorded)
	}
	return err
}

// progressLine is what FFmpeg prints of how far it is, but for the last of these lines, which comes at its end.
var progressLine = regexp.MustCompile(`^\[info\] frame= *(\d+) .* size=.* time=(\d+):(\d+):(\d+\.\d+) `)

// progress returns how far FFmpeg is by one of its lines.
func progress(line string) (media time.Duration, frames int, ok bool) {
	if !strings.Contains(line, "frame=") {
		return 0, 0, false
	}
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return 0, 0, false
	}
	frames, err := strconv.Atoi(m[1])
	media, terr := time.ParseDuration(m[2] + "h" + m[3] + "m" + m[4] + "s")
	return media, frames, err == nil && terr == nil
}

// plan is how a run treats its streams.
type plan struct{ hvc1, encodeAudio bool }

// copied tells how streams must be treated: MP4 holds AAC, and players want H.265 under the tag hvc1.
func copied(r Recording, s Streams) plan {
	return plan{hvc1: s.HEVC(), encodeAudio: r.Source.Audio && s.Audio != "" && s.Audio != "aac"}
}

// demoCodec encodes the demo camera's picture.
var demoCodec = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1",
	"-g", strconv.Itoa(demoFPS), "-keyint_min", strconv.Itoa(demoFPS), "-sc_threshold", "0", "-b:v", "400k", "-maxrate", "400k", "-bufsize", "800k"}

// jumpLimit is by how many seconds a time stamp may differ from the one expected. Beyond that it is the camera's clock that
// was set, since no silence is so long; FFmpeg then goes on from the frame before, and no frame is lost. A camera that
// sends a picture every two seconds at night stays within it.
const jumpLimit = "3"

func (t *Tool) recordArgs(r Recording, in input) []string {
	args := append([]string{"-hide_banner", "-stats", "-loglevel", "level+info", "-dts_error_threshold", jumpLimit}, in.args...)
	args = append(args, "-map", "0:v:0", "-dn", "-sn")
	p := copied(r, r.Known)
	switch {
	case r.Source.URL == config.DemoURL:
		args = append(args, demoCodec...)
	case p.hvc1:
		args = append(args, "-c:v", "copy", "-tag:v", "hvc1")
	default:
		args = append(args, "-c:v", "copy")
	}
	if r.Source.Audio {
		args = append(args, "-map", "0:a:0?")
		if p.encodeAudio {
			args = append(args, "-c:a", "aac", "-b:a", "48k")
		} else {
			args = append(args, "-c:a", "copy")
		}
	}
	return append(args,
		"-f", "hls",
		"-hls_time", strconv.FormatFloat(r.Segment.Seconds(), 'f', 3, 64),
		"-hls_list_size", strconv.Itoa(r.Keep),
		"-hls_delete_threshold", "2",
		"-hls_flags", "delete_segments+temp_file+independent_segments",
		"-hls_segment_type", "fmp4",
		"-hls_fmp4_init_filename", InitName(r.Prefix),
		"-hls_segment_filename", filepath.Join(strings.ReplaceAll(r.Dir, "%", "%%"), r.Prefix+"%06d.m4s"),
		filepath.Join(r.Dir, PlaylistName(r.Prefix)))
}

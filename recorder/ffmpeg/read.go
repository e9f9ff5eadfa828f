package ffmpeg

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/source"
)

// Plan is how a stream is copied to a pipe.
type Plan struct {
	HEVC      bool // players need the tag hvc1 for H.265
	Sound     Sound
	WallClock bool // the stream has no usable stamps: frames get the time when they come
}

// Sound is what happens to the sound of a stream.
type Sound int

// The ways to handle sound.
const (
	NoSound Sound = iota
	CopyAAC       // as it comes
	CopyPCM       // as it comes, in QuickTime's form
	MakeAAC       // encoded
)

// PlanFor returns the plan for a known stream.
func PlanFor(s source.Streams, audio bool) Plan {
	p := Plan{HEVC: s.Video == "hevc", WallClock: s.Video == "mjpeg"}
	switch {
	case !audio || s.Audio == "":
	case s.Audio == "aac":
		p.Sound = CopyAAC
	case slices.Contains([]string{"pcm_alaw", "pcm_mulaw", "pcm_s16be", "pcm_s16le"}, s.Audio):
		p.Sound = CopyPCM
	default:
		p.Sound = MakeAAC
	}

	return p
}

// readMemory is how much address space an FFmpeg may use that reads a camera, in bytes. An FFmpeg that copies uses
// about 350 MB, mostly for libraries that it never touches.
const readMemory = 1 << 30

// Input is what FFmpeg reads: a camera or a file.
type Input struct {
	Source Source
	File   string // path of a video file; if set, Source is ignored
	UDP    bool   // RTP over UDP, for cameras that refuse TCP
}

// fileFormats are the containers that the files of a folder may have. Playlists are not among them, because they name
// other files.
const fileFormats = "mov,matroska,mpegts,flv,avi"

// Read copies a stream to w as fragmented MP4, one fragment per frame, until ctx or the stream ends. streams is called
// once, when the contents of the stream are known. The error is a [*source.Failure], nil at the end of a file, or the
// cause of ctx.
func (t *Tool) Read(ctx context.Context, from Input, p Plan, w io.Writer, streams func(source.Streams)) error {
	in := input{args: []string{"-protocol_whitelist", "file,pipe,fd", "-format_whitelist", fileFormats, "-i",
		"file:" + from.File}}
	password, demo := "", false
	if from.File == "" {
		var err error
		if in, err = t.input(from.Source, from.UDP); err != nil {
			return err
		}
		password, demo = from.Source.Password.Reveal(), from.Source.URL == config.DemoURL
	}

	var reader streamReader
	var lines []string
	err := t.run(ctx, job{args: readArgs(in, p, demo), stdin: strings.NewReader(in.stdin), stdout: w,
		password: password, memory: readMemory, kill: true, line: func(line string) {
			if reader.line(line) {
				if demo {
					reader.got.Video = "h264" // the picture is encoded to this
				}
				streams(reader.got)
			}
			if !strings.Contains(line, "[info]") {
				if len(lines) == keptLines {
					lines = append(lines[:0], lines[1:]...)
				}
				lines = append(lines, line)
			}
		}})
	var f *source.Failure
	var exit *exitError
	switch {
	case ctx.Err() != nil || errors.As(err, &f):
		return err
	case err == nil && from.File != "":
		return nil
	case err == nil || errors.As(err, &exit):
		return Diagnose(lines, reader.done)
	}

	return err
}

// demoCodec is the arguments that encode the picture of the demo camera.
var demoCodec = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1",
	"-g", strconv.Itoa(demoFPS), "-keyint_min", strconv.Itoa(demoFPS), "-sc_threshold", "0", "-b:v", "400k", "-maxrate",
	"400k", "-bufsize", "800k"}

// readArgs returns FFmpeg's arguments to copy an input to standard output.
func readArgs(in input, p Plan, demo bool) []string {
	args := []string{"-hide_banner", "-nostats", "-loglevel", "level+info", "-threads", "1"}
	if p.WallClock {
		args = append(args, "-use_wallclock_as_timestamps", "1")
	}
	args = append(args, in.args...)
	args = append(args, "-map", "0:v:0", "-dn", "-sn")
	switch {
	case demo:
		args = append(args, demoCodec...)
	case p.HEVC:
		args = append(args, "-c:v", "copy", "-tag:v", "hvc1")
	default:
		args = append(args, "-c:v", "copy")
	}

	format := "mp4"
	if p.Sound != NoSound {
		args = append(args, "-map", "0:a:0?")
	}
	switch p.Sound {
	case CopyAAC:
		args = append(args, "-c:a", "copy", "-bsf:a", "aac_adtstoasc")
	case CopyPCM:
		format = "mov"
		args = append(args, "-c:a", "copy")
	case MakeAAC:
		args = append(args, "-c:a", "aac", "-b:a", "48k")
	}

	return append(args, "-movflags", "frag_every_frame+empty_moov+default_base_moof", "-flush_packets", "1",
		"-max_interleave_delta", "1", "-f", format, "pipe:1")
}

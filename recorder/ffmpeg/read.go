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
	HEVC      bool // players want H.265 under the tag hvc1
	Sound     Sound
	WallClock bool // the stream has no time stamps worth the name: pictures are stamped when they come
}

// Sound is what is done with a stream's sound.
type Sound int

// What can be done with sound.
const (
	NoSound Sound = iota
	CopyAAC       // as it comes
	CopyPCM       // as it comes, in QuickTime's form
	MakeAAC       // encoded
)

// PlanFor returns the plan for a stream that is known.
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

// readMemory is what an FFmpeg that reads a camera may use, in bytes of address space. One that copies has some 350 MB,
// most of it libraries that are never touched.
const readMemory = 1 << 30

// Input is what is read: a camera, or a file.
type Input struct {
	Source Source
	File   string // path of a video file; then Source is not looked at
	UDP    bool   // RTP by UDP, for cameras that refuse TCP
}

// fileFormats are the containers that a folder's files may have. Playlists, which name other files, are none of them.
const fileFormats = "mov,matroska,mpegts,flv,avi"

// Read copies a stream to w as fragmented MP4, a fragment a frame, until ctx or the stream ends. streams is called once
// it is known what the stream holds. The error is a [*source.Failure], nil at a file's end, or ctx's cause.
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
					reader.got.Video = "h264" // what it is encoded to
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

// demoCodec encodes the demo camera's picture.
var demoCodec = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1",
	"-g", strconv.Itoa(demoFPS), "-keyint_min", strconv.Itoa(demoFPS), "-sc_threshold", "0", "-b:v", "400k", "-maxrate",
	"400k", "-bufsize", "800k"}

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

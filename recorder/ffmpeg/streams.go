package ffmpeg

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/preroll/preroll/recorder/source"
)

var (
	videoLine = regexp.MustCompile(`Stream #0:\d+.*?: Video: ([a-z0-9_]+)`)
	audioLine = regexp.MustCompile(`Stream #0:\d+.*?: Audio: ([a-z0-9_]+)`)
	sizeWord  = regexp.MustCompile(`, (\d{2,5})x(\d{2,5})\b`)
	rateWord  = regexp.MustCompile(`, ([0-9.]+) fps`)
)

// streamReader learns the streams of the input from the lines that FFmpeg prints before it begins to copy.
type streamReader struct {
	in   bool // inside the "Input #0" part
	got  source.Streams
	done bool
}

// line takes one line and reports whether the streams are complete now.
func (r *streamReader) line(s string) bool {
	if r.done {
		return false
	}
	switch {
	case strings.Contains(s, "Input #0"):
		r.in = true
	case r.in && (strings.Contains(s, "Stream mapping:") || strings.Contains(s, "Output #0")):
		r.done = true
		return true
	case r.in:
		if m := videoLine.FindStringSubmatch(s); m != nil && r.got.Video == "" {
			r.got.Video = m[1]
			if m := sizeWord.FindStringSubmatch(s); m != nil {
				r.got.Width, _ = strconv.Atoi(m[1])
				r.got.Height, _ = strconv.Atoi(m[2])
			}
			if m := rateWord.FindStringSubmatch(s); m != nil {
				r.got.FPS, _ = strconv.ParseFloat(m[1], 64)
			}
		} else if m := audioLine.FindStringSubmatch(s); m != nil && r.got.Audio == "" {
			r.got.Audio = m[1]
		}
	}

	return false
}

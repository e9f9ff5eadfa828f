package ffmpeg

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Streams is what a camera sends, as FFmpeg names it.
type Streams struct {
	Video  string  `json:"video"` // codec, such as "h264"
	Width  int     `json:"width"` // pixels
	Height int     `json:"height"`
	FPS    float64 `json:"fps"`
	Audio  string  `json:"audio"` // codec, or "" for none
}

// HEVC tells whether the video is H.265.
func (s Streams) HEVC() bool { return s.Video == "hevc" }

var (
	videoLine = regexp.MustCompile(`Stream #0:(\d+).*?: Video: ([a-z0-9_]+)`)
	audioLine = regexp.MustCompile(`Stream #0:\d+.*?: Audio: ([a-z0-9_]+)`)
	sizeWord  = regexp.MustCompile(`, (\d{2,5})x(\d{2,5})\b`)
	rateWord  = regexp.MustCompile(`, ([0-9.]+) fps`)
)

// streamReader learns the input's streams from the lines that FFmpeg prints before it begins.
type streamReader struct {
	in   bool // inside the "Input #0" part
	got  Streams
	done bool

	video string        // number of the video stream
	off   time.Duration // by which its time stamps are off those expected, since the camera's clock was set
}

// line takes one line and tells whether the streams are complete now.
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
			r.video, r.got.Video = m[1], m[2]
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

// dropLine is what FFmpeg says of each time stamp that it does not believe, with the one that it expected, in microseconds.
var dropLine = regexp.MustCompile(`DTS (-?\d+), next:(-?\d+) st:(\d+) invalid dropping`)

// leastLeap is by how much time stamps must leap to tell of it.
const leastLeap = time.Second

// leapt tells whether a line of FFmpeg's is of a leap in the time stamps of the video: the first one, or a further one.
// There is a line for every frame from the first leap on.
func (r *streamReader) leapt(s string) bool {
	m := dropLine.FindStringSubmatch(s)
	if m == nil || m[3] != r.video {
		return false
	}
	stamp, err := strconv.ParseInt(m[1], 10, 64)
	next, nerr := strconv.ParseInt(m[2], 10, 64)
	if err != nil || nerr != nil {
		return false
	}
	off := time.Duration(float64(stamp)/videoClock*float64(time.Second)) - time.Duration(next)*time.Microsecond
	before := r.off
	r.off = off
	return (off - before).Abs() >= leastLeap
}

// videoClock is in how many ticks a second video is stamped in RTP (RFC 6184, RFC 7798).
const videoClock = 90_000

package camtest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
)

// Bad is the counter of a frame whose bar could not be read.
const Bad = -1

// Frames decodes a video file completely and returns the counter of every frame, in order. FFmpeg stops at the first
// error in any stream (-xerror). So without an error, the video decodes clean and everything in the file reads clean.
func Frames(ctx context.Context, file string) ([]int, error) { return FramesOf(ctx, file, false) }

// FramesOf is like Frames, but for a damaged clip it continues after errors. Then a frame whose counter cannot be read
// is [Bad], a frame of which nothing can be decoded is left out, and a frame that was repaired from its neighbors may
// show the counter of an earlier frame.
func FramesOf(ctx context.Context, file string, damaged bool) ([]int, error) {
	mode, all := []string{"-xerror"}, []string{"-map", "0", "-c", "copy", "-f", "null", "-"}
	if damaged {
		all = nil
		mode = []string{"-max_error_rate", "1", "-err_detect", "ignore_err", "-flags", "+output_corrupt"}
	}
	// Timestamps are renumbered. Otherwise the raw output would round two frames that a camera sent close together to
	// the same timestamp, and report that as an error. A filter would start the numbers again at a change of
	// resolution.
	cmd := exec.CommandContext(ctx, "ffmpeg",
		slices.Concat([]string{"-v", "error"}, mode, []string{"-i", file, "-map", "0:v:0",
			"-vf", "format=gray,crop=iw:max(1\\,iw/40):0:0,scale=40:1:flags=area", "-fps_mode", "passthrough", "-bsf:v",
			"setts=ts=N", "-f", "rawvideo", "pipe:1"}, all)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); (err != nil || errs.Len() > 0) && !(damaged && out.Len() > 0) {
		return nil, fmt.Errorf("decode %s: %w: %s", file, err, errs.Bytes())
	}
	var counters []int
	for row := out.Bytes(); len(row) >= barWidth; row = row[barWidth:] {
		counters = append(counters, readBar(row[:barWidth]))
	}
	return counters, nil
}

func readBar(row []byte) int {
	var b [5]byte
	for i, y := range row {
		b[i/8] <<= 1
		if y > 125 {
			b[i/8] |= 1
		}
	}
	if (b[0]+b[1]+b[2]+b[3])^0xA5 != b[4] {
		return Bad
	}
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}

package camtest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
)

// Bad is the counter of a frame whose bar could not be read.
const Bad = -1

// Frames decodes a video file completely and returns the counter of every frame, in order. FFmpeg stops at the first
// error of the stream (-xerror), so that no error means: it decodes clean. Time stamps are numbered anew, since the raw
// output would round two that a camera sent close together to the same one and call that an error.
func Frames(ctx context.Context, file string) ([]int, error) {
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-xerror", "-i", file, "-map", "0:v:0",
		"-vf", "crop=iw:iw/40:0:0,scale=40:1:flags=area,format=gray,setpts=N", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
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

// Gaps returns the places where a counter is not its predecessor plus one (modulo loop), or was not readable.
func Gaps(counters []int, loop int) []string {
	var gaps []string
	for i, c := range counters {
		switch {
		case c == Bad:
			gaps = append(gaps, fmt.Sprintf("frame %d: unreadable", i))
		case i > 0 && counters[i-1] != Bad && c != (counters[i-1]+1)%loop:
			gaps = append(gaps, fmt.Sprintf("frame %d: %d after %d", i, c, counters[i-1]))
		}
	}
	return gaps
}

package camtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Media describes an encoded loop for a [Camera].
type Media struct {
	Width, Height int
	FPS           int
	Seconds       int // length of the loop
	GOP           int // frames from one keyframe to the next
	Kbit          int // bit rate in kbit/s
	H265          bool
	First         int // counter of the first frame; loops that share no counter can be distinguished in a clip
	BFrames       int // B-frames between two other frames; H.264 only
}

// Small returns a cheap loop at 10 frames per second with gop frames per GOP.
func Small(gop int) Media {
	return Media{Width: 640, Height: 360, FPS: 10, Seconds: 60, GOP: gop, Kbit: 500}
}

// barWidth is the number of luma blocks of the counter: 32 bits and 8 bits of checksum.
const barWidth = 40

// bar draws a counter as one row of 40 luma blocks.
func bar(counter uint32) []byte {
	b := []byte{byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter), 0}
	b[4] = (b[0] + b[1] + b[2] + b[3]) ^ 0xA5
	row := make([]byte, 0, barWidth)
	for _, x := range b {
		for i := 7; i >= 0; i-- {
			if x>>i&1 == 1 {
				row = append(row, 235)
			} else {
				row = append(row, 16)
			}
		}
	}
	return row
}

// File encodes the loop with FFmpeg and returns its path. Loops are cached in the system's temporary folder, under a
// name made from everything that they depend on. If First is not 0, the name ends in ".First.h264", so that a [Camera]
// knows First. BFrames are in the name in the same way.
func (m Media) File(ctx context.Context) (string, error) {
	ext := "h264"
	if m.H265 {
		ext = "h265"
	}
	enc := []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0", "-x264-params",
		fmt.Sprintf("scenecut=0:keyint=%d:min-keyint=%d:aud=1:repeat-headers=1", m.GOP, m.GOP), "-f", "h264"}
	if m.BFrames > 0 {
		enc = []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", fmt.Sprint(m.BFrames), "-x264-params",
			fmt.Sprintf("open-gop=0:b-pyramid=none:b-adapt=0:scenecut=0:keyint=%d:min-keyint=%d:aud=1:repeat-headers=1",
				m.GOP, m.GOP), "-f", "h264"}
	}
	if m.H265 {
		enc = []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
			fmt.Sprintf("log-level=none:bframes=0:open-gop=0:scenecut=0:keyint=%d:min-keyint=%d:aud=1:repeat-headers=1",
				m.GOP, m.GOP), "-f", "hevc"}
	}
	rate := fmt.Sprintf("%dk", m.Kbit)
	args := []string{"-v", "error", "-y",
		"-f", "rawvideo", "-pix_fmt", "gray", "-s", "40x1", "-r", fmt.Sprint(m.FPS), "-i", "pipe:0",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=%d:d=%d", m.Width, m.Height, m.FPS, m.Seconds),
		"-filter_complex",
		fmt.Sprintf("[0]scale=%d:%d:flags=neighbor,format=yuv420p[bar];[1]noise=c0s=25:c0f=t[v];[v][bar]overlay=0:0:shortest=1,format=yuv420p[o]", m.Width, m.Width/barWidth),
		"-map", "[o]", "-b:v", rate, "-maxrate", rate, "-bufsize", rate}
	args = append(args, enc...)
	key := sha256.Sum256(fmt.Append(nil, args))
	dir := filepath.Join(os.TempDir(), "preroll-camtest")
	if m.BFrames != 0 {
		ext = fmt.Sprintf("b%d.%s", m.BFrames, ext)
	}
	if m.First != 0 { // First is part of the name, like everything in key
		ext = fmt.Sprintf("%d.%s", m.First, ext)
	}
	file := filepath.Join(dir, hex.EncodeToString(key[:8])+"."+ext)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, "encoding-*."+ext)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := tmp.Close(); err != nil {
		return "", err
	}
	var bars bytes.Buffer
	for i := range m.FPS * m.Seconds {
		bars.Write(bar(uint32(m.First + i)))
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", append(args, tmp.Name())...)
	cmd.Stdin = &bars
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("encode test video: %w: %s", err, out)
	}
	return file, os.Rename(tmp.Name(), file)
}

// AAC encodes ten seconds of a tone for [Options.Audio] and returns the path of the file.
func AAC(ctx context.Context) (string, error) {
	dir := filepath.Join(os.TempDir(), "preroll-camtest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "tone.aac")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	tmp := filepath.Join(dir, fmt.Sprintf("tone-%d.aac", os.Getpid()))
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
		"sine=frequency=440:sample_rate=16000:duration=10", "-c:a", "aac", "-b:a", "32k", "-f", "adts",
		tmp).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("encode test audio: %w: %s", err, out)
	}
	return file, os.Rename(tmp, file)
}

package camtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Report says what a clip of a Camera holds.
type Report struct {
	Frames     int
	First      time.Time // when the first frame left the camera
	Last       time.Time // when the last frame left the camera
	Gaps       []string
	StartTime  float64 // of the container, in seconds
	FrontIndex bool    // moov comes before mdat
}

// Check decodes a clip of a camera completely. near is a time within the clip, which selects the round of the loop.
// Check returns an error if the clip does not decode clean.
func Check(ctx context.Context, file string, info Info, near time.Time) (Report, error) {
	counters, err := Frames(ctx, file)
	if err != nil {
		return Report{}, err
	}
	if len(counters) == 0 {
		return Report{}, fmt.Errorf("%s holds no frame", file)
	}
	r := Report{Frames: len(counters), Gaps: info.Gaps(counters)}
	if counters[0] == Bad {
		return r, fmt.Errorf("%s: the first frame's counter cannot be read", file)
	}
	r.First = info.Time(counters[0], near)
	r.Last = r.First.Add(time.Duration(float64(len(counters)-1) / info.FPS * float64(time.Second)))
	if r.FrontIndex, err = frontIndex(file); err != nil {
		return r, err
	}
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-show_entries", "format=start_time", "-of",
		"csv=p=0", file).Output()
	if err != nil {
		return r, fmt.Errorf("probe %s: %w", file, err)
	}
	r.StartTime, err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return r, err
}

func frontIndex(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	var h [8]byte
	for {
		if _, err := io.ReadFull(f, h[:]); err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		switch string(h[4:]) {
		case "moov":
			return true, nil
		case "mdat":
			return false, nil
		}
		if _, err := f.Seek(int64(binary.BigEndian.Uint32(h[:]))-8, io.SeekCurrent); err != nil {
			return false, err
		}
	}
}

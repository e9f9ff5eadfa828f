package fmp4_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
)

// A clip grows on the archive, playable at every moment, and is finished in place: its bytes are written once.
func Example() {
	track := fmp4.Track{ID: 1, Video: true, Timescale: 1000, Width: 640, Height: 360,
		Entry: fmp4.H264Entry(640, 360, []byte{0x67, 0x42, 0, 30}, []byte{0x68})}
	init := fmp4.Init([]fmp4.Track{track})
	frame := []byte{0, 0, 0, 2, 0x65, 0x88} // as in an MP4: its length, then the coded picture
	segment := fmp4.AppendPart(nil, 1, time.Now(), []fmp4.TrackPart{{Track: 1,
		Samples: []fmp4.Sample{{Duration: 500, Size: uint32(len(frame)), Key: true},
			{Duration: 500, Size: uint32(len(frame))}},
		Data: append(bytes.Clone(frame), frame...)}})

	dir, err := os.MkdirTemp("", "preroll-example-")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	f, err := os.Create(filepath.Join(dir, "clip.partial.mp4"))
	check(err)
	defer func() { _ = f.Close() }()
	clip, err := fmp4.Grow(f, init, 4<<10) // 4 KiB of room for the index
	check(err)
	check(clip.Append([]io.ReaderAt{bytes.NewReader(segment)}, []int64{int64(len(segment))},
		fmp4.Chunk{Run: 1, Media: [2]time.Duration{0, time.Second}, Frames: 2}))

	_, err = fmp4.Finish(f, clip.Good)
	check(err)
	contents, err := fmp4.Check(f)
	check(err)
	fmt.Println(contents.Frames, "frames,", contents.Length)
	// Output: 2 frames, 1s
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

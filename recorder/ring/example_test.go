package ring_test

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
)

// A camera's source writes into its ring. A hold keeps what an event needs of it, from before the event on.
func Example() {
	dir, err := os.MkdirTemp("", "preroll-example-")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := ring.Open(ring.Options{Dir: dir, Keep: 100 * time.Second, Budget: ring.NewBudget(64 << 20),
		Log: slog.New(slog.DiscardHandler)})
	check(err)
	defer r.Close()

	w := r.Writer()
	check(w.Tracks([]source.Track{{Codec: "h264", Track: fmp4.Track{ID: 1, Video: true, Timescale: 90000, Width: 640,
		Height: 360, Entry: fmp4.H264Entry(640, 360, []byte{0x67, 0x42, 0, 30}, []byte{0x68})}}}, source.Streams{}))
	for i := range 51 { // ten frames a second, a keyframe every second
		at := time.Duration(i) * 100 * time.Millisecond
		check(w.Sample(source.Sample{Stamp: at, Arrival: at, Key: i%10 == 0, Data: [][]byte{make([]byte, 1000)}}))
	}
	check(w.Close())

	hold, err := r.Hold("event", time.Time{}) // from the oldest video on
	check(err)
	defer hold.Close()
	frames := hold.More(func(ring.Segment) bool { return true })
	fmt.Println(len(frames), "segments, a keyframe every", r.Status().GOP)
	// Output: 6 segments, a keyframe every 1s
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

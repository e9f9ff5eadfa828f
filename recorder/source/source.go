// Package source says what reads one camera and how: a Source gives coded frames to a Sink, with the moments when they
// reached this machine. Its implementations are the packages below: rtsp reads in process, ffmpeg starts an FFmpeg, and
// folder takes the files that another program writes.
//
// The package also holds what all of them share: why a camera does not record ([Failure]), and the two pure functions
// that turn stamps and arrival times into media time ([Timeline] for video, [Counter] for sound).
package source

import (
	"context"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/status"
)

// Track is one track of a camera, as it lies in the ring.
type Track struct {
	fmp4.Track
	Codec string // as FFmpeg calls it: "h264", "hevc", "aac", "pcm_alaw", ...
}

// Sample is one coded frame of one track. Its slices are valid during the call only.
type Sample struct {
	Track   int           // index in what Tracks was told
	Stamp   time.Duration // decode time by the camera's clock, from any origin; video only
	Offset  time.Duration // presentation time - decode time
	Length  time.Duration // how long it plays; of video 0 if that is not known
	Arrival time.Duration // when it reached this machine, by the steady clock
	Key     bool          // decodes alone
	Data    [][]byte      // its bytes in MP4's form, in pieces
}

// Sink takes what a camera sends. Its methods are called by one goroutine at a time; an error ends the session.
type Sink interface {
	// Tracks says what the camera sends from now on: the first track is the video. It is called before the first
	// sample, and again when the parameters change in mid-session.
	Tracks([]Track, Streams) error
	// Sample takes the next sample. A track's samples come in decode order.
	Sample(Sample) error
	// Flush says that nothing follows for a while, so that what came is not held back.
	Flush() error
}

// Source reads one camera. Run gives all that the camera sends to the sink and returns when the session ended, with a
// [*Failure], the sink's error, or, when ctx ended, ctx's cause.
type Source interface {
	Run(ctx context.Context, to Sink) error
}

// Streams is what a camera sends.
type Streams = status.Streams

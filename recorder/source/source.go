// Package source defines what reads a camera: a [Source] gives coded frames to a [Sink], with the times when the frames
// reached this machine. The packages below implement Source. Package rtsp reads in process, package ffmpeg starts an
// FFmpeg, and package folder reads the files that another program writes.
//
// Package source also holds what all sources share: the reasons why a camera does not record ([Failure]), and the two
// pure functions that turn stamps and arrival times into media time ([Timeline] for video, [Counter] for sound).
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
	Codec string // FFmpeg's name of the codec: "h264", "hevc", "aac", "pcm_alaw", ...
}

// Sample is one coded frame of one track. Its slices are valid only during the call.
type Sample struct {
	Track   int           // index in the list of the last call of Tracks
	Stamp   time.Duration // decode time by the camera's clock, from any origin; video only
	Offset  time.Duration // presentation time - decode time
	Length  time.Duration // how long the sample plays; 0 for video of unknown length
	Arrival time.Duration // when the sample reached this machine, by the steady clock
	Key     bool          // decodes without any other sample
	Data    [][]byte      // the bytes in MP4's form, in pieces
}

// Sink takes what a camera sends. One goroutine at a time calls its methods. An error of a method ends the session.
type Sink interface {
	// Tracks sets the tracks of the samples that follow. The first track is the video. Tracks is called before the
	// first sample, and again when the parameters change during the session.
	Tracks([]Track, Streams) error

	// Sample takes the next sample. The samples of a track come in decode order.
	Sample(Sample) error

	// Flush reports that nothing follows for a while, so that the sink holds no samples back.
	Flush() error
}

// Source reads one camera. Run gives everything that the camera sends to the sink, and returns when the session ended.
// The error is a [*Failure], the error of the sink, or, if ctx ended, the cause of ctx.
type Source interface {
	Run(ctx context.Context, to Sink) error
}

// Streams describes what a camera sends.
type Streams = status.Streams

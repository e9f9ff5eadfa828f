package recorder

import (
	"bytes"
	"context"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/discover"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
)

// Limits of a look at a camera.
const (
	lookTime  = 30 * time.Second // for the first picture: a camera may send a keyframe every 20 s only
	lookAgain = 3 * time.Second  // a session that was silent for so long is worth another one
	lookVideo = 8 * time.Second  // of video are enough,
	lookWait  = 12 * time.Second // or so much time since the first of it came,
	lookBytes = 64 << 20         // or so many bytes,
	lookGOPs  = 2                // or so many whole GOPs
	lookWidth = 640              // of the picture, pixels
)

// Look tries a camera that may not be saved yet: it connects, watches for a few seconds, and takes a picture. An error
// is an [*ffmpeg.Failure].
func (r *Recorder) Look(ctx context.Context, c config.Camera) (status.Look, error) {
	s := config.Settings{Cameras: []config.Camera{c}}
	s.KeepSecrets(r.Settings())
	tool, err := r.ffmpeg()
	if err != nil {
		return status.Look{}, err
	}
	return lookAt(ctx, tool, s.Cameras[0])
}

func lookAt(ctx context.Context, tool *ffmpeg.Tool, c config.Camera) (status.Look, error) {
	source, err := ffmpeg.SourceOf(c)
	if err != nil {
		return status.Look{}, err
	}
	limited, enough := context.WithTimeout(ctx, lookTime)
	defer enough()
	s := &sight{enough: enough}
	defer s.end()
	var streams ffmpeg.Streams
	for {
		began := time.Now()
		streams, err = tool.Look(limited, source, s)
		// FFmpeg gives up before a rare keyframe comes, if the camera sends nothing or too little before it.
		if len(s.fragments) > 0 || ffmpeg.AsFailure(err).Kind != ffmpeg.Stalled || limited.Err() != nil || time.Since(began) < lookAgain {
			break
		}
		s.video = nil
	}
	if len(s.fragments) == 0 { // else what came before the camera went is a picture all the same
		return status.Look{}, err
	}
	look := status.Look{Streams: streams, GOP: event.Seconds(s.gop()), BitRate: s.bitRate()}
	look.Picture, err = tool.Picture(ctx, bytes.NewReader(s.video[:s.fragments[0].End]), lookWidth)
	return look, err
}

// sight is the video that came in a look at a camera.
type sight struct {
	enough func() // ends the look

	video     []byte
	init      int64
	fragments []ring.Fragment
	timer     *time.Timer
}

// Write takes what FFmpeg wrote, and ends the look when there is enough.
func (s *sight) Write(p []byte) (int, error) {
	if len(s.video)+len(p) > lookBytes {
		s.enough()
		return len(p), nil
	}
	s.video = append(s.video, p...)
	s.init, s.fragments = ring.Fragments(s.video)
	if len(s.fragments) == 0 {
		return len(p), nil
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(lookWait, s.enough)
	}
	first, last := s.fragments[0], s.fragments[len(s.fragments)-1]
	if len(s.gops()) >= lookGOPs || last.Media[1]-first.Media[0] >= lookVideo {
		s.enough()
	}
	return len(p), nil
}

func (s *sight) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// gops are the lengths of the whole GOPs: from keyframe to keyframe.
func (s *sight) gops() (list []time.Duration) {
	key := -1
	for i, f := range s.fragments {
		if !f.Key {
			continue
		}
		if key >= 0 {
			list = append(list, f.Media[0]-s.fragments[key].Media[0])
		}
		key = i
	}
	return list
}

func (s *sight) gop() (longest time.Duration) {
	for _, g := range s.gops() {
		longest = max(longest, g)
	}
	return longest
}

// bitRate is bits a second over all that came.
func (s *sight) bitRate() float64 {
	first, last := s.fragments[0], s.fragments[len(s.fragments)-1]
	if over := last.Media[1] - first.Media[0]; over > 0 {
		return float64(last.End-s.init) * 8 / over.Seconds()
	}
	return 0
}

// Discover searches the local network for cameras, which takes three seconds.
func (r *Recorder) Discover(ctx context.Context) ([]status.Found, error) {
	return discover.Search(ctx, discover.Multicast)
}

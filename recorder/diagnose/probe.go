package diagnose

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of a trial of a camera.
const (
	trialTime  = 30 * time.Second // max time until the first picture: a camera may send a keyframe only every 20 s
	trialAgain = 3 * time.Second  // a session that was silent for so long is tried again
	trialVideo = 8 * time.Second  // a trial ends after so much video,
	trialWait  = 12 * time.Second // so much time since its first frame,
	trialBytes = 64 << 20         // so many bytes,
	trialGOPs  = 2                // or so many whole GOPs
	trialWidth = 640              // of the picture, in pixels
)

// Probe tries a camera that may not be saved yet: it connects, watches for a few seconds and takes a picture. Its error
// is a [*source.Failure]. Without FFmpeg the result has no picture.
func Probe(ctx context.Context, tool func() (*ffmpeg.Tool, error), c config.Camera,
	log *slog.Logger) (status.ProbeResult, error) {
	limited, enough := context.WithTimeout(ctx, trialTime)
	defer enough()
	var because source.Kind
	t := &trial{}
	var err error
	for {
		src, serr := camera.NewSource(c, tool, because != "", time.Time{}, log)
		if serr != nil {
			return status.ProbeResult{}, serr
		}
		began := time.Now()
		t = &trial{enough: enough}
		err = src.Run(limited, t)
		t.end()
		f := source.AsFailure(err)
		switch {
		case t.video != nil:
		case because == "" && c.RTSP() && c.Ingest == config.IngestAuto && f.Kind.Persists() && limited.Err() == nil:
			if _, terr := tool(); terr == nil {
				because = f.Kind
				continue
			}
		case (f.Kind == source.Stalled || f.Kind == source.Ended) && limited.Err() == nil &&
			time.Since(began) >= trialAgain:
			continue // it may have ended before a rare keyframe
		}

		break
	}

	if t.video == nil { // otherwise there is a picture, even if the session ended early
		if errors.Is(err, context.DeadlineExceeded) {
			err = source.Stalled.Failure(text.NoPictureInTime)
		}
		return status.ProbeResult{}, err
	}
	look := t.result()
	look.Streams.Because = string(because)
	ff, err := tool()
	if err != nil {
		return look, nil
	}
	look.Picture, err = ff.Picture(ctx, bytes.NewReader(t.video), trialWidth)
	return look, err
}

// trial is the sink of a trial of a camera.
type trial struct {
	enough func() // ends the trial

	mu       sync.Mutex // guards all fields below
	track    source.Track
	streams  source.Streams
	init     []byte
	video    []byte // init section and first keyframe
	from, to time.Duration
	arrived  time.Duration
	keys     []time.Duration
	frames   int
	bytes    int
	timer    *time.Timer
}

// Tracks stores the streams that the camera sends.
func (t *trial) Tracks(tracks []source.Track, streams source.Streams) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.video == nil {
		t.track, t.streams, t.init = tracks[0], streams, fmp4.Init([]fmp4.Track{tracks[0].Track})
	}
	return nil
}

// Flush does nothing.
func (t *trial) Flush() error { return nil }

// Sample counts a frame of video. It ends the trial when there is enough video.
func (t *trial) Sample(s source.Sample) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Track != 0 || t.video == nil && !s.Key {
		return nil
	}
	size := 0
	for _, d := range s.Data {
		size += len(d)
	}
	if t.video == nil {
		data := bytes.Join(s.Data, nil)
		t.from, t.arrived = s.Stamp, s.Arrival
		t.video = fmp4.AppendPart(t.init, 1, time.Now(), []fmp4.TrackPart{{Track: t.track.ID,
			Samples: []fmp4.Sample{{Duration: t.track.Timescale, Size: uint32(len(data)), Key: true}}, Data: data}})
		t.timer = time.AfterFunc(trialWait, t.enough)
	}

	t.to = s.Stamp
	t.bytes += size
	t.frames++
	if s.Key {
		t.keys = append(t.keys, s.Stamp)
	}
	if len(t.keys) > trialGOPs || t.to-t.from >= trialVideo || s.Arrival-t.arrived >= trialVideo ||
		t.bytes >= trialBytes {
		t.enough()
	}
	return nil
}

func (t *trial) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// result returns what the trial found.
func (t *trial) result() status.ProbeResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	look := status.ProbeResult{Streams: t.streams}
	for i := 1; i < len(t.keys); i++ {
		look.GOP = max(look.GOP, event.Seconds(t.keys[i]-t.keys[i-1]))
	}
	if over := t.to - t.from; over > 0 {
		look.BitRate = float64(t.bytes) * 8 / over.Seconds()
		if look.Streams.FPS == 0 && t.frames > 1 {
			look.Streams.FPS = float64(int(float64(t.frames-1)/over.Seconds()*10+0.5)) / 10
		}
	}
	return look
}

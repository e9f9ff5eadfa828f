// Package ffmpeg reads a camera by a child process: RTSP that package rtsp cannot read, http and https (MPEG-TS, HLS,
// FLV, MJPEG, fragmented MP4), and the demo camera.
//
// The input is a camera, the output is samples. FFmpeg writes fragmented MP4 to a pipe, one fragment per frame. Run
// waits for every FFmpeg that it starts.
package ffmpeg

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Source is a camera read by FFmpeg. It remembers what the camera sends, so that the next session begins at once.
type Source struct {
	tool   func() (*ffmpeg.Tool, error)
	from   ffmpeg.Source
	udp    bool
	known  source.Streams
	silent bool // sound is left out because it made FFmpeg end
}

// New returns the source of a camera.
func New(tool func() (*ffmpeg.Tool, error), from ffmpeg.Source) *Source {
	return &Source{tool: tool, from: from, known: source.Streams{Audio: "aac"}}
}

// errPlan means that FFmpeg was started with a plan for another stream.
var errPlan = errors.New("the stream is another one")

// Run runs one session; see [source.Source]. Run starts FFmpeg again at once if FFmpeg needs other options: for another
// codec, for UDP, or without a sound track that makes it end.
func (s *Source) Run(ctx context.Context, to source.Sink) error {
	for range 5 {
		tool, err := s.tool()
		if err != nil {
			return err
		}
		plan := ffmpeg.PlanFor(s.known, s.from.Audio && !s.silent)
		opened := false
		run := &Pump{To: to, Ingest: "ffmpeg", Streams: func(got source.Streams) error {
			s.known, opened = got, true
			if ffmpeg.PlanFor(got, s.from.Audio && !s.silent) != plan {
				return errPlan
			}
			return nil
		}, Silent: s.silent}
		err = run.Run(ctx, tool, ffmpeg.Input{Source: s.from, UDP: s.udp}, plan)
		f := source.AsFailure(err)
		switch {
		case ctx.Err() != nil || run.Frames > 0:
			return err
		case errors.Is(err, errPlan):
		case f.Kind == source.Transport && !s.udp:
			s.udp = true
		case plan.Sound != ffmpeg.NoSound && opened &&
			(f.Kind == source.Unsupported || f.Kind == source.Unknown || f.Kind == source.NoVideo ||
				f.Kind == source.Ended):
			s.silent = true
		default:
			s.silent = s.silent && opened // otherwise the sound was not to blame
			return err
		}
	}

	return source.Unreadable.Failure(text.OtherStreams)
}

// Pump runs one FFmpeg and gives its output to a sink.
type Pump struct {
	To     source.Sink
	Ingest string
	Silent bool // there is sound that is left out

	// Streams is called with what the stream holds. An error of Streams ends FFmpeg.
	Streams func(source.Streams) error

	// Time returns the stamp and arrival time of a frame. If Time is nil, the stamp is the decode time and the arrival
	// time is derived from when FFmpeg wrote the frame.
	Time    func(fmp4.Frame) (stamp, arrival time.Duration)
	Frames  int   // number of video frames that the sink got
	SinkErr error // error of the sink that ended the run

	Before []source.Track // the tracks that the sink knows; updated

	mu  sync.Mutex // guards got
	got source.Streams
}

// same reports whether tracks equal those that the sink knows. Otherwise same keeps the new tracks in Before.
func (p *Pump) same(tracks []source.Track) bool {
	if slices.EqualFunc(tracks, p.Before, func(a, b source.Track) bool {
		return a.ID == b.ID && a.Codec == b.Codec && a.Same(b.Track)
	}) {
		return true
	}
	p.Before = tracks
	return false
}

// limit is the maximum size of a fragment that FFmpeg writes, in bytes. A fragment is one frame.
const limit = 16 << 20

// Run reads until the stream ends; see [ffmpeg.Tool.Read] for the error.
func (p *Pump) Run(ctx context.Context, tool *ffmpeg.Tool, from ffmpeg.Input, plan ffmpeg.Plan) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, w := io.Pipe()
	known := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		err := p.read(ctx, r, known)
		_ = r.CloseWithError(err)
		if err != nil && !errors.Is(err, io.EOF) {
			cancel(err)
		}
	})
	err := tool.Read(ctx, from, plan, w, func(got source.Streams) {
		p.mu.Lock()
		p.got = got
		p.mu.Unlock()
		if err := p.Streams(got); err != nil {
			cancel(err)
			return
		}
		close(known)
	})
	_ = w.Close()
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// maxPending is how many frames FFmpeg holds back when it writes a frame. Its parser ends a frame where the next frame
// begins, and its muxer needs the next frame to know the length of this frame.
const maxPending = 2

// read gives the output of FFmpeg to the sink.
func (p *Pump) read(ctx context.Context, from io.Reader, known <-chan struct{}) error {
	reader := fmp4.NewReader(from, limit)
	index := map[uint32]int{}
	var length time.Duration // length of the last sample of sound
	var came []time.Duration // when the last frames were written
	for {
		f, movie, err := reader.Next()
		if err != nil {
			if errors.Is(err, fmp4.ErrBox) {
				return source.Unreadable.Failure(err)
			}
			return err
		}
		if movie != nil {
			select {
			case <-known:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if index, err = p.announceTracks(movie); err != nil {
				return err
			}
			continue
		}

		i, ok := index[f.Track]
		if !ok || len(f.Data) == 0 {
			continue
		}
		if i != 0 { // FFmpeg may not know the length of the first sample
			if f.Length == 0 {
				f.Length = length
			}
			if length = f.Length; length == 0 {
				continue
			}
		}
		s := source.Sample{Track: i, Stamp: f.Time, Offset: f.Offset, Length: f.Length, Arrival: steady.Now(),
			Key: f.Key, Data: [][]byte{f.Data}}
		if p.Time != nil {
			s.Stamp, s.Arrival = p.Time(f)
		} else if i == 0 { // a frame arrived when the frame maxPending before it was written
			if came = append(came, s.Arrival); len(came) > maxPending {
				s.Arrival, came = came[0], came[1:]
			}
		}

		if i == 0 {
			p.Frames++
		}
		if p.SinkErr = p.To.Sample(s); p.SinkErr != nil {
			return p.SinkErr
		}
	}
}

// announceTracks passes the tracks of an init section to the sink, if they are new. It returns the index of each track
// by its id.
func (p *Pump) announceTracks(m *fmp4.Movie) (map[uint32]int, error) {
	p.mu.Lock()
	streams := p.got
	p.mu.Unlock()
	v, ok := m.Video()
	if !ok {
		return nil, source.NoVideo.Failure(nil)
	}
	tracks := []source.Track{{Track: v, Codec: streams.Video}}
	index := map[uint32]int{v.ID: 0}
	for _, t := range m.Tracks {
		if !t.Video && len(tracks) == 1 {
			index[t.ID] = 1
			tracks = append(tracks, source.Track{Track: t, Codec: streams.Audio})
		}
	}
	streams.Ingest, streams.Width, streams.Height = p.Ingest, v.Width, v.Height
	if len(tracks) == 1 && p.Silent {
		streams.LeftOut = streams.Audio
	}
	if len(tracks) == 1 {
		streams.Audio = ""
	}
	if p.same(tracks) {
		return index, nil
	}
	p.SinkErr = p.To.Tracks(tracks, streams)
	return index, p.SinkErr
}

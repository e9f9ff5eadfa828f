// Package ffmpeg reads a camera by a child process: what the package rtsp cannot read, http and https (MPEG-TS, HLS,
// FLV, MJPEG, fragmented MP4), and the demo camera.
//
// In comes a camera, out come samples, which FFmpeg writes to a pipe as fragmented MP4, a fragment a frame. Run waits
// for the FFmpegs that it starts.
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
	silent bool // sound is left out, since it ended FFmpeg
}

// New returns the source of a camera.
func New(tool func() (*ffmpeg.Tool, error), from ffmpeg.Source) *Source {
	return &Source{tool: tool, from: from, known: source.Streams{Audio: "aac"}}
}

// errPlan means that the stream is not what FFmpeg was started for.
var errPlan = errors.New("the stream is another one")

// Run reads one session; see [source.Source]. FFmpeg is started again at once where it shows that it must be told
// otherwise: for another codec, for UDP, or without a sound that ends it.
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
			s.silent = s.silent && opened // else it was not the sound
			return err
		}
	}
	return source.Unreadable.Failure(text.OtherStreams)
}

// Pump runs one FFmpeg and gives what it writes to a sink.
type Pump struct {
	To      source.Sink
	Ingest  string
	Silent  bool                                            // there is sound that is left out
	Streams func(source.Streams) error                      // is told what the stream holds; an error ends FFmpeg
	Time    func(fmp4.Frame) (stamp, arrival time.Duration) // of a frame of video; nil: by the frame, and now
	Frames  int                                             // of video that the sink was given
	SinkErr error                                           // with which the sink ended it

	Before []source.Track // what the sink was told before; updated

	mu  sync.Mutex // guards got
	got source.Streams
}

// same reports whether tracks are those that the sink was told before, and else keeps them.
func (p *Pump) same(tracks []source.Track) bool {
	if slices.EqualFunc(tracks, p.Before, func(a, b source.Track) bool {
		return a.ID == b.ID && a.Codec == b.Codec && a.Same(b.Track)
	}) {
		return true
	}
	p.Before = tracks
	return false
}

// limit bounds one fragment that FFmpeg writes, in bytes: one frame.
const limit = 16 << 20

// Run reads until the stream ends; see [ffmpeg.Tool.Read] for its error.
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

// maxPending is how many frames FFmpeg has in hand when it writes one: its parser ends a frame where the next one
// begins, and its muxer waits for the next one to know how long this one is.
const maxPending = 2

// read gives what FFmpeg writes to the sink.
func (p *Pump) read(ctx context.Context, from io.Reader, known <-chan struct{}) error {
	reader := fmp4.NewReader(from, limit)
	index := map[uint32]int{}
	var length time.Duration // of the last sample of sound
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
		if i != 0 { // of the first one FFmpeg may not tell how long it is
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
		} else if i == 0 { // that one arrived when the one so many before it was written
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

// announceTracks tells the sink of the tracks of an init section.
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

// Package live serves the ring of a camera to players: as one stream that follows the ring, and as HLS (RFC 8216, with
// the parts of draft-pantos-hls-rfc8216bis).
//
// Segments come in from package ring, fragmented MP4 and playlists go out. Only what browsers can play goes out: one
// track of video, and sound if its codec has a name for browsers. The frames stay as the camera sent them. The package
// starts no goroutine and keeps no state. A player that asks for what the ring has dropped gets what is left.
package live

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// The errors of this package.
var (
	// ErrNothing means that the ring holds no video yet.
	ErrNothing = text.NoStill.Error()

	// ErrCodec means that browsers cannot play what the camera sends.
	ErrCodec = text.NotForBrowsers.Error()

	// ErrNoFile means that HLS knows no such file, or the ring has dropped it.
	ErrNoFile = text.NoSuchVideo.Error()
)

// Sink takes a stream. Type is called once, before the first byte, with the MIME type and its codecs. Write gets an
// init section or one whole fragment, and passes it on at once.
type Sink interface {
	Type(mime string)
	Write(b []byte) (int, error)
}

// Stream writes the video of a ring to a sink: an init section, the fragments from a time on, and then each fragment as
// soon as it is in the ring. It begins with the last keyframe before from; a zero from means the newest keyframe. The
// media time of a frame is the time from origin to the wall time of the frame; a zero origin, and one of another year,
// means where the stream begins. Stream returns nil when the camera ends, or when its parameters change so that a
// player must begin again. It returns an error when ctx ends, the sink fails or nothing can be played.
func Stream(ctx context.Context, r *ring.Ring, from, origin time.Time, sink Sink) error {
	list, more := r.Pieces(0)
	at := first(list, from)
	if at < 0 {
		return ErrNothing
	}
	if off := list[at].Start.Sub(origin); origin.IsZero() || off.Abs() > maxOff {
		origin = list[at].Start
	}
	s := stream{sink: sink, origin: origin}
	next, part, path := list[at].Sequence, 0, ""
	for {
		for _, p := range list[min(at, len(list)):] {
			if p.Path != path { // another segment; one that was given up has left its number
				part, path = 0, p.Path
				s.needKey = s.needKey || !p.Key && p.Sequence != next+1
			}
			next = p.Sequence
			for part < len(p.Parts) {
				if done, err := s.send(p, p.Parts[part]); done || err != nil {
					return err
				}
				part++
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if more == nil {
			return nil // the camera ended, or begins again with another ring
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		list, more = r.Pieces(next)
		at = 0
	}
}

// maxOff is the longest time between an origin and the video. A player has no use for a longer one.
const maxOff = 365 * 24 * time.Hour

// first returns the index of the piece with the last keyframe before a time, or of the first piece with a keyframe; -1
// if there is none.
func first(list []ring.Piece, from time.Time) int {
	found := -1
	for i, p := range list {
		if p.Key && (found < 0 || from.IsZero() || !p.Start.After(from)) {
			found = i
		}
	}
	return found
}

// stream is the state of one Stream.
type stream struct {
	sink     Sink
	origin   time.Time
	run      int64
	params   string
	mime     string
	movie    fmp4.Movie
	tracks   []fmp4.Track
	shift    time.Duration // from the run's media time to the player's
	sequence uint32
	needKey  bool
	buf      []byte
}

// send writes one part, unless the ring has dropped the part or its run. done is true if the stream cannot go on with
// this part.
func (s *stream) send(p ring.Piece, part ring.Part) (done bool, err error) {
	if p.Run != s.run {
		if done, err := s.begin(p); done || err != nil || p.Run != s.run {
			return done, err
		}
	}
	if s.needKey && !part.Key {
		return false, nil
	}
	b, err := p.Read(part)
	if errors.Is(err, fs.ErrNotExist) { // the player was slow, and the ring has dropped it
		s.needKey = true
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.needKey = false
	s.sequence++
	s.buf, err = s.movie.Rewrite(s.buf[:0], b, s.sequence, p.At(part.Media[0]), s.tracks, s.shift)
	if err != nil || len(s.buf) == 0 {
		return false, err
	}
	_, err = s.sink.Write(s.buf)
	return false, err
}

// begin begins a run.
func (s *stream) begin(p ring.Piece) (done bool, err error) {
	m, err := p.Movie()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	tracks := m.Playable()
	if len(tracks) == 0 {
		return false, ErrCodec
	}
	if mime := fmp4.TypeOf(tracks); s.mime == "" {
		s.mime = mime
		s.sink.Type(mime)
	} else if mime != s.mime {
		return true, nil
	}
	s.run, s.movie, s.tracks, s.shift, s.needKey = p.Run, m, tracks, p.At(0).Sub(s.origin), true
	if p.Params == s.params {
		return false, nil
	}
	s.params = p.Params
	_, err = s.sink.Write(fmp4.Init(tracks))
	return false, err
}

// Spans returns the times for which the ring holds video, oldest first.
func Spans(r *ring.Ring) []status.Span {
	list, _ := r.Pieces(0)
	i := slices.IndexFunc(list, func(p ring.Piece) bool { return p.Key })
	spans := []status.Span{}
	for i := max(i, 0); i < len(list); i++ {
		p := list[i]
		if n := len(spans); n > 0 && p.Start.Sub(spans[n-1].To).Abs() < maxStep {
			spans[n-1].To = p.End
			continue
		}
		spans = append(spans, status.Span{From: p.Start, To: p.End})
	}
	return spans
}

// maxStep is the longest time between two segments that nobody sees as a gap.
const maxStep = 300 * time.Millisecond

package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
)

// The names of HLS.
const (
	Playlist     = "live.m3u8"
	playlistType = "application/vnd.apple.mpegurl"
	mediaType    = "video/mp4"
)

// newest is how many of the newest segments the playlist lists with their parts.
const newest = 4

// maxBlock is how long a request for a playlist waits for a part that is not there yet.
const maxBlock = 5 * time.Second

// Wish is the part that a request for a playlist waits for: the directives _HLS_msn and _HLS_part. A zero Wish waits
// for nothing.
type Wish struct {
	On             bool
	Sequence, Part int
}

// File is a file of HLS.
type File struct {
	Type string // MIME
	Body []byte
	Keep bool // never changes
}

// mediaName matches the names of media: init-RUN.mp4, RUN-NUMBER.m4s, RUN-NUMBER-PART.m4s. They never repeat.
var mediaName = regexp.MustCompile(`^(?:init-(\d{1,15})\.mp4|(\d{1,15})-(\d{1,9})(?:-(\d{1,5}))?\.m4s)$`)

// Get returns a file of HLS: the playlist, an init section, a segment or a part. The error is [ErrNoFile] if there is
// no such file, and [ErrNothing] or [ErrCodec] if nothing can be played.
func Get(ctx context.Context, r *ring.Ring, name string, w Wish) (File, error) {
	if name == Playlist {
		list, err := wait(ctx, r, w)
		if err != nil {
			return File{}, err
		}
		return playlist(list)
	}
	m := mediaName.FindStringSubmatch(name)
	if m == nil {
		return File{}, ErrNoFile
	}
	list, _ := r.Pieces(0)
	run, _ := strconv.ParseInt(m[1]+m[2], 10, 64)
	number, _ := strconv.Atoi(m[3])
	i := slices.IndexFunc(list, func(p ring.Piece) bool {
		return p.Run == run && (m[1] != "" || p.Number == number)
	})
	if i < 0 {
		return File{}, ErrNoFile
	}
	p := list[i]
	movie, tracks, err := movieOf(p)
	if err != nil {
		return File{}, err
	}
	if m[1] != "" {
		return File{mediaType, fmp4.Init(tracks), true}, nil
	}
	parts := p.Parts
	if m[4] != "" {
		n, _ := strconv.Atoi(m[4])
		if n >= len(parts) {
			return File{}, ErrNoFile
		}
		parts = parts[n : n+1]
	} else if p.Open {
		return File{}, ErrNoFile
	}
	f := File{Type: mediaType, Keep: true}
	for _, part := range parts {
		b, err := p.Read(part)
		if errors.Is(err, fs.ErrNotExist) {
			return File{}, ErrNoFile
		}
		if err != nil {
			return File{}, err
		}
		f.Body, err = movie.Rewrite(f.Body, b, uint32(p.Sequence), p.At(part.Media[0]), tracks, 0)
		if err != nil {
			return File{}, err
		}
	}
	return f, nil
}

func movieOf(p ring.Piece) (m fmp4.Movie, tracks []fmp4.Track, err error) {
	m, err = p.Movie()
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoFile
	}
	if err != nil {
		return m, nil, err
	}
	if tracks = m.Playable(); len(tracks) == 0 {
		err = ErrCodec
	}
	return m, tracks, err
}

// wait returns the pieces, once they hold what is wished.
func wait(ctx context.Context, r *ring.Ring, w Wish) ([]ring.Piece, error) {
	timer := time.NewTimer(maxBlock)
	defer timer.Stop()
	for {
		list, more := r.Pieces(0)
		i := slices.IndexFunc(list, func(p ring.Piece) bool { return p.Key })
		list = list[max(i, 0):]
		if !w.On && len(list) > 0 || slices.ContainsFunc(list, func(p ring.Piece) bool {
			return p.Sequence > w.Sequence ||
				p.Sequence == w.Sequence && (!p.Open || w.Part >= 0 && len(p.Parts) > w.Part)
		}) {
			return list, nil
		}
		if more == nil {
			return nil, ErrNothing
		}
		select {
		case <-more:
		case <-timer.C:
			if len(list) == 0 {
				return nil, ErrNothing
			}
			return list, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// playlist writes the playlist of pieces.
func playlist(list []ring.Piece) (File, error) {
	if _, _, err := movieOf(list[len(list)-1]); err != nil {
		return File{}, err
	}
	longest, longestPart := time.Second, 300*time.Millisecond
	for _, p := range list {
		longest = max(longest, p.Length())
	}
	for _, p := range list[max(0, len(list)-newest):] {
		for _, part := range p.Parts {
			longestPart = max(longestPart, part.Media[1]-part.Media[0])
		}
	}
	longestPart = longestPart.Truncate(time.Millisecond) + time.Millisecond // no part may be longer than is written
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:%d\n", int(math.Ceil(longest.Seconds())))
	fmt.Fprintf(&b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=%.3f\n", 3*longestPart.Seconds())
	fmt.Fprintf(&b, "#EXT-X-PART-INF:PART-TARGET=%.3f\n#EXT-X-MEDIA-SEQUENCE:%d\n", longestPart.Seconds(),
		list[0].Sequence)
	fmt.Fprintf(&b, "#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", list[0].Breaks)
	for i, p := range list {
		joins := i > 0 && p.Joins(list[i-1].Segment)
		if i > 0 && !joins {
			b.WriteString("#EXT-X-DISCONTINUITY\n")
		}
		if i == 0 || p.Run != list[i-1].Run {
			fmt.Fprintf(&b, "#EXT-X-MAP:URI=\"init-%d.mp4\"\n", p.Run)
		}
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n", p.Start.UTC().Format("2006-01-02T15:04:05.000Z"))
		for n, part := range p.Parts {
			if i < len(list)-newest {
				break
			}
			independent := ""
			if part.Key {
				independent = ",INDEPENDENT=YES"
			}
			fmt.Fprintf(&b, "#EXT-X-PART:DURATION=%.5f,URI=\"%d-%d-%d.m4s\"%s\n",
				(part.Media[1] - part.Media[0]).Seconds(), p.Run, p.Number, n, independent)
		}
		if !p.Open {
			fmt.Fprintf(&b, "#EXTINF:%.5f,\n%d-%d.m4s\n", p.Length().Seconds(), p.Run, p.Number)
		}
	}
	return File{Type: playlistType, Body: []byte(b.String())}, nil
}

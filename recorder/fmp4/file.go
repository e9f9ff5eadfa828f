package fmp4

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"
)

// Fragment describes the video of one whole fragment of a fragmented MP4 file.
type Fragment struct {
	Media  [2]time.Duration // start and end
	Key    bool             // begins with a keyframe
	Frames int
	End    int64     // offset of the end of the fragment
	Wall   time.Time // wall time of the first frame; zero if the file does not name it
}

// walk calls f for the init section ("moov"), for each whole fragment ("mdat"), and for boxes that players skip
// ("free"). end is the offset of the end of the box. Cut or damaged bytes end the walk and are no error; a read that
// fails is an error. m is the movie of an init section in another file, or nil if the file contains its own.
func walk(r io.ReaderAt, size int64, m *Movie, f func(kind string, end int64, fr *Fragment) error) error {
	var pending *Fragment
	var wall time.Time
	video := Track{}
	if m != nil {
		video, _ = m.Video()
	}

	// bytesOf is the number of bytes of the fragment's samples. begun is the offset where the present box begins.
	var bytesOf, begun int64
	own := m == nil
	err := boxes(r, size, func(kind string, end int64, body func() ([]byte, error)) error {
		from := begun
		begun = end
		switch kind {
		case "moov":
			if !own || m != nil { // a second init section, or one after a given movie: no fragments follow
				return ErrBox
			}
			b, err := body()
			if err != nil {
				return err
			}
			m = &Movie{defaults: map[uint32]Sample{}}
			if err := m.moov(b); err != nil {
				return err
			}
			var ok bool
			if video, ok = m.Video(); !ok {
				return ErrBox
			}
			return f(kind, end, nil)
		case "prft":
			if b, err := body(); err == nil && len(b) >= 16 {
				s, frac := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
				wall = time.Unix(int64(s)-ntpEpoch, int64(uint64(frac)*1e9>>32))
			}
			return nil
		case "moof":
			if m == nil {
				return ErrBox
			}
			b, err := body()
			if err != nil {
				return err
			}
			runs, err := m.moof(b)
			if err != nil {
				return err
			}
			pending = &Fragment{Wall: wall}
			wall, bytesOf = time.Time{}, 0
			for _, run := range runs {
				for _, s := range run.Samples {
					bytesOf += int64(s.Size)
				}
				if run.Track != video.ID {
					continue
				}
				ticks := run.Base
				for _, s := range run.Samples {
					ticks += uint64(s.Duration)
				}
				if pending.Frames == 0 {
					pending.Media[0], pending.Key = video.Time(run.Base), run.Samples[0].Key
				}
				pending.Media[1] = video.Time(ticks)
				pending.Frames += len(run.Samples)
			}
			return nil
		case "mdat":
			if pending == nil || bytesOf > end-from {
				return ErrBox
			}
			fr := pending
			fr.End, pending = end, nil
			return f(kind, end, fr)
		case "free":
			return f(kind, end, nil)
		}

		return nil
	})
	if errors.Is(err, ErrBox) {
		return nil
	}
	return err
}

// Segment returns the whole fragments of a file without an init section. m is the movie of the init section.
func Segment(r io.ReaderAt, size int64, m Movie) (list []Fragment) {
	_ = walk(r, size, &m, func(_ string, _ int64, fr *Fragment) error {
		if fr != nil {
			list = append(list, *fr)
		}
		return nil
	})
	return list
}

// Contents describes a finished file.
type Contents struct {
	Bytes  int64
	Length time.Duration // of the video
	Frames int
	Sound  string // sample entry of the first sound track, "" if there is none
}

// ReadInitFile reads a file that holds an init section. It returns the movie and the bytes of the file. The error is
// [ErrBox] if the file is too large or damaged.
func ReadInitFile(f *os.File, size int64) (Movie, []byte, error) {
	if size > MaxBox {
		return Movie{}, nil, ErrBox
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return Movie{}, nil, err
	}
	m, err := ReadInit(b)
	return m, b, err
}

// ErrNoVideo means that a file holds no whole fragment with video.
var ErrNoVideo = errors.New("no video in the segment")

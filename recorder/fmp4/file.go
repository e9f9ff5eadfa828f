package fmp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// Fragment is one whole fragment of a fragmented MP4 file: of its video.
type Fragment struct {
	Media  [2]time.Duration // start and end
	Key    bool             // begins with a keyframe
	Frames int
	End    int64     // offset behind its last byte
	Wall   time.Time // of its first frame; zero if the file does not tell
}

// walk calls f for the init section ("moov"), for the end of each whole fragment with video behind it ("mdat"), and for
// boxes that mean nothing to players ("free"), with the offset of their ends. A cut or damaged file ends where it is cut
// or damaged, which is no error here. m may hold what the init section says, if that is in another file.
func walk(r io.ReaderAt, size int64, m *Movie, f func(kind string, end int64, fr *Fragment) error) {
	var pending *Fragment
	var wall time.Time
	video := Track{}
	if m != nil {
		video, _ = m.Video()
	}
	_ = boxes(r, size, func(kind string, end int64, body func() ([]byte, error)) error {
		switch kind {
		case "moov":
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
			wall = time.Time{}
			for _, run := range runs {
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
			if pending == nil {
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
}

// Fragments returns the length of the init section in bytes, 0 if it is not whole, and the whole fragments behind it.
func Fragments(b []byte) (init int64, list []Fragment) {
	walk(bytes.NewReader(b), int64(len(b)), nil, func(kind string, end int64, fr *Fragment) error {
		switch {
		case kind == "moov":
			init = end
		case fr != nil && fr.Frames > 0:
			list = append(list, *fr)
		}
		return nil
	})
	return init, list
}

// Segment returns the whole fragments of a file without an init section, whose movie is given.
func Segment(r io.ReaderAt, size int64, m Movie) (list []Fragment) {
	walk(r, size, &m, func(_ string, _ int64, fr *Fragment) error {
		if fr != nil {
			list = append(list, *fr)
		}
		return nil
	})
	return list
}

// minGap is how far two fragments must be apart to have a gap between them.
const minGap = 700 * time.Millisecond

// Contents is what a partial file holds: an init section and whole segments behind it.
type Contents struct {
	Good   int64            // bytes up to the end of the last whole fragment; what follows was cut off by a crash
	Media  [2]time.Duration // first start and last end
	Frames int
	Gaps   [][2]time.Duration // stretches of media time in it without a frame
}

// add counts a further fragment.
func (c *Contents) add(fr *Fragment) {
	if fr.Frames == 0 {
		return
	}
	if c.Frames == 0 {
		c.Media[0] = fr.Media[0]
	} else if fr.Media[0]-c.Media[1] >= minGap {
		c.Gaps = append(c.Gaps, [2]time.Duration{c.Media[1], fr.Media[0]})
	}
	c.Media[1] = fr.Media[1]
	c.Frames += fr.Frames
}

// Seal returns the box that ends what was appended to a partial file in one go: its length in bytes and its CRC-32C. A
// power cut may leave a file with its right size and zeros in it, so structure alone does not tell what is whole.
// Players skip it (ISO/IEC 14496-12, section 8.1.2).
func Seal(length int64, sum uint32) []byte {
	b := append([]byte{0, 0, 0, byte(sealSize)}, "free"...)
	b = append(b, sealMark...)
	b = binary.BigEndian.AppendUint64(b, uint64(length))
	return binary.BigEndian.AppendUint32(b, sum)
}

const (
	sealMark = "Preroll "
	sealSize = 8 + len(sealMark) + 8 + 4
)

// Sum returns the hash whose value a seal holds.
func Sum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// sealed reports whether the box of a seal's size at an offset is the seal of the bytes from an offset to it.
func sealed(r io.ReaderAt, from, at int64) bool {
	var b [sealSize]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return false
	}
	sum := Sum()
	if _, err := io.Copy(sum, io.NewSectionReader(r, from, at-from)); err != nil {
		return false
	}
	return bytes.Equal(b[:], Seal(at-from, sum.Sum32()))
}

// Inspect reads a partial file, as far as it is whole and no further than limit bytes (0: all of it). A file without a
// whole init section is empty. strict says that only what is sealed counts; else that holds if anything is sealed.
func Inspect(path string, limit int64, strict bool) (Contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return Contents{}, err
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return Contents{}, err
	}
	size := fi.Size()
	if limit > 0 {
		size = min(size, limit)
	}
	var whole, good Contents
	seals := strict
	at := int64(0)
	walk(f, size, nil, func(kind string, end int64, fr *Fragment) error {
		switch kind {
		case "mdat":
			whole.add(fr)
		case "free":
			if end-whole.Good != int64(sealSize) {
				return nil
			}
			if !sealed(f, at, whole.Good) {
				return ErrBox
			}
			seals, at = true, end
			good = whole
			good.Good = end
		}
		whole.Good = end
		return nil
	})
	if seals {
		return good, nil
	}
	return whole, nil
}

// ReadInitFile reads the init section in a file.
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

// SoundOf returns the sample entry's kind of the first sound track in a file, "" if it has none.
func SoundOf(path string) (kind string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	err = boxes(f, fi.Size(), func(box string, _ int64, body func() ([]byte, error)) error {
		if box != "moov" {
			return nil
		}
		b, err := body()
		if err != nil {
			return err
		}
		m := Movie{defaults: map[uint32]Sample{}}
		if err := m.moov(b); err != nil {
			return err
		}
		for _, t := range m.Tracks {
			if !t.Video && kind == "" {
				kind = Kind(t.Entry)
			}
		}
		return io.EOF // enough
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return kind, err
}

// ErrNoVideo means that a file holds no whole fragment with video.
var ErrNoVideo = errors.New("no video in the segment")

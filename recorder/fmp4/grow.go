package fmp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"
	"time"
)

// --- Seals ---

// Chunk describes a stretch: segments of one run that were appended to a growing file in one go. A stretch that an
// earlier version of Preroll sealed has only Media, in the file's time.
type Chunk struct {
	Run    int64
	Media  [2]time.Duration // start and end by the run's time
	Wall   [2]time.Time     // wall times of arrival of start and end
	Shift  time.Duration    // the file's time - the run's time
	Frames int
}

// Length returns how long the stretch plays.
func (s Chunk) Length() time.Duration { return s.Media[1] - s.Media[0] }

// A seal ends each stretch. It is a box that players skip (ISO/IEC 14496-12, section 8.1.2). The seal has the length of
// the stretch in bytes and a CRC-32C, because a power cut may leave a file with the correct size and zeros in it, which
// structure alone does not reveal. The seal also has the facts about the stretch that no fragment contains. The older
// form of the seal has only length and CRC.
const (
	sealMark = "Preroll2"
	sealSize = 8 + 8 + 8 + 4 + 6*8
	oldMark  = "Preroll "
	oldSize  = 8 + 8 + 8 + 4
)

// seal returns the box that ends a stretch. length is in bytes.
func seal(s Chunk, length int64, sum uint32) []byte {
	b := append(u32(nil, sealSize), "free"...)
	b = u32(u64(append(b, sealMark...), uint64(length)), sum)
	for _, v := range []int64{s.Run, int64(s.Media[0]), int64(s.Media[1]), s.Wall[0].UnixNano(), s.Wall[1].UnixNano(),
		int64(s.Shift)} {
		b = u64(b, uint64(v))
	}
	return b
}

func sum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// sealed reads the box at offset at as the seal of the bytes from offset from to at. size is the size of the box. The
// bytes in hole do not count: hole is the room for the index, where Finish may have begun to write. is reports whether
// the box is a seal, ok whether the seal is right.
func sealed(r io.ReaderAt, from, at, size int64, hole [2]int64) (s Chunk, is, ok bool, err error) {
	b := make([]byte, size)
	if _, err := r.ReadAt(b, at); err != nil {
		return s, false, false, cutOff(err)
	}
	mark := sealMark
	if size == oldSize {
		mark = oldMark
	}
	if string(b[8:16]) != mark {
		return s, false, false, nil
	}
	h := sum()
	for _, part := range [][2]int64{{from, max(from, hole[0])}, {max(from, hole[1]), at}} {
		if _, err := io.Copy(h, io.NewSectionReader(r, part[0], part[1]-part[0])); err != nil {
			return s, true, false, cutOff(err)
		}
	}
	if size == oldSize {
		old := u32(u64(append(append(u32(nil, oldSize), "free"...), oldMark...), uint64(at-from)), h.Sum32())
		return s, true, bytes.Equal(b, old), nil
	}
	v := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[28+8*i:])) }
	s = Chunk{Run: v(0), Media: [2]time.Duration{time.Duration(v(1)), time.Duration(v(2))},
		Wall: [2]time.Time{time.Unix(0, v(3)), time.Unix(0, v(4))}, Shift: time.Duration(v(5))}
	return s, true, bytes.Equal(b, seal(s, at-from, h.Sum32())), nil
}

// --- Reading ---

// Whole describes the whole part of a growing file.
type Whole struct {
	Good      int64 // bytes; a crash cut off the rest
	Stretches []Chunk
	Behind    bool // there are whole stretches behind damage, so no crash caused it
}

// Frames returns the number of video frames in the stretches.
func (w Whole) Frames() (n int) {
	for _, s := range w.Stretches {
		n += s.Frames
	}
	return n
}

// Inspect reads the whole part of a growing file, but no more than limit bytes (0: no limit). A file without a whole
// init section counts as empty. If strict is set, only sealed stretches count. Otherwise only sealed stretches count if
// the file has any seal, and all whole fragments count if it has none. An error means that the file cannot be read.
func Inspect(r io.ReaderAt, size, limit int64, strict bool) (Whole, error) {
	if limit > 0 {
		size = min(size, limit)
	}
	var loose, good Whole // by structure, and by seals
	var now Chunk
	var hole [2]int64
	from, moov := int64(0), int64(0)
	broken, seals := false, strict
	err := walk(r, size, nil, func(kind string, end int64, fr *Fragment) error {
		at := loose.Good
		loose.Good = end
		switch {
		case kind == "moov":
			moov = end
		case kind == "free" && at == moov && moov > 0: // the room
			hole = [2]int64{moov + 8, end}
		case kind == "mdat" && fr.Frames > 0:
			if now.Frames == 0 {
				now.Media[0] = fr.Media[0]
			}
			now.Media[1] = fr.Media[1]
			now.Frames += fr.Frames
		case kind == "free" && (end-at == sealSize || end-at == oldSize):
			s, is, ok, err := sealed(r, from, at, end-at, hole)
			if err != nil || !is {
				return err
			}
			if end-at == oldSize {
				s = now
			}
			s.Frames = now.Frames
			switch {
			case !ok:
				broken = true
			case broken:
				good.Behind = true
			default:
				good.Stretches, good.Good, seals = append(good.Stretches, s), end, true
			}
			from, now = end, Chunk{}
		}

		return nil
	})
	if err != nil {
		return Whole{}, err
	}
	if seals || broken {
		return good, nil
	}
	if now.Frames > 0 {
		loose.Stretches = []Chunk{now}
	}
	return loose, nil
}

// --- Appending ---

// GrowingFile is a growing file that is open for appending.
type GrowingFile struct {
	Whole
	f     *os.File
	movie Movie
	ends  map[uint32]uint64 // where each track ends, in ticks of the file's time
	empty bool              // the file holds no stretch yet
	head  []byte            // bytes to write before the first stretch
	room  int64
}

// Grow begins a growing file. init is the init section. room is the size of the room for an index, in bytes. Grow
// writes nothing; the first Append writes the beginning of the file.
func Grow(f *os.File, init []byte, room int64) (*GrowingFile, error) {
	m, err := ReadInit(init)
	if err != nil {
		return nil, err
	}
	head := u32(bytes.Clone(init), uint32(8+room))
	return &GrowingFile{f: f, movie: m, ends: map[uint32]uint64{}, empty: true, head: append(head, "free"...),
			room: room},
		nil
}

// GrowOn opens a growing file for appending behind its whole part w. The rest of the file is cut off. The error is
// [ErrNoVideo] if nothing is whole.
func GrowOn(f *os.File, w Whole) (*GrowingFile, error) {
	if w.Good == 0 {
		return nil, ErrNoVideo
	}
	l, err := survey(f, w.Good)
	if err != nil {
		return nil, err
	}
	if l.plain {
		return nil, errors.New("the file is finished already")
	}
	g := &GrowingFile{Whole: w, f: f, movie: l.movie, ends: map[uint32]uint64{}}
	for _, t := range l.list {
		if len(t.sizes) > 0 {
			g.ends[t.track.ID] = t.first + t.length()
		}
	}
	if err := f.Truncate(w.Good); err != nil {
		return nil, err
	}
	_, err = f.Seek(w.Good, io.SeekStart)
	return g, err
}

// maxRoom is the maximum size of the room for an index, in bytes. The room takes space where the file system knows no
// holes.
const maxRoom = 4 << 20

// Room estimates how many bytes the index of a clip needs. r holds the first segment of the clip, a file without an
// init section. first and clip are the lengths of the first segment and of the clip.
func Room(r io.ReaderAt, size int64, m Movie, first, clip time.Duration) int64 {
	var samples, fragments int64
	_ = boxes(r, size, func(kind string, _ int64, body func() ([]byte, error)) error {
		if kind != "moof" {
			return nil
		}
		b, err := body()
		if err != nil {
			return err
		}
		runs, err := m.moof(b)
		fragments += int64(len(runs))
		for _, run := range runs {
			samples += int64(len(run.Samples))
		}
		return err
	})
	const head, perSample, perFragment = 2048, 12, 10
	room := head + int64(float64(samples*perSample+fragments*perFragment)*max(1,
		clip.Seconds()/max(first, 100*time.Millisecond).Seconds()))
	return min(room, maxRoom)
}

// Append appends segments of one run, and a seal. Each segment is a file without an init section. s has the times of
// the start of the first segment and of the end of the last segment. Append does not fsync. After an error the file is
// good up to its end before the call.
func (g *GrowingFile) Append(segments []io.ReaderAt, sizes []int64, s Chunk) error {
	h := sum()
	to := io.MultiWriter(g.f, h)
	length := int64(0)
	if g.empty {
		if _, err := to.Write(g.head); err != nil {
			return err
		}

		// The room is a hole: nothing is written there if the file system knows holes.
		if _, err := g.f.Seek(g.room, io.SeekCurrent); err != nil { // the CRC does not cover the room
			return err
		}
		length = int64(len(g.head)) + g.room
	}

	ends := map[uint32]uint64{}
	for id, end := range g.ends {
		ends[id] = end
	}
	shifted := false
	if n := len(g.Stretches); n > 0 && g.Stretches[n-1].Run == s.Run && !g.Stretches[n-1].Wall[1].IsZero() {
		s.Shift, shifted = g.Stretches[n-1].Shift, true
	}
	s.Frames = 0
	for i, seg := range segments {
		n, err := g.copy(to, seg, sizes[i], &s, &shifted, ends)
		if err != nil {
			return err
		}
		length += n
	}

	end := seal(s, length, h.Sum32())
	if _, err := g.f.Write(end); err != nil {
		return err
	}
	g.Good += length + int64(len(end))
	g.Stretches, g.ends, g.empty = append(g.Stretches, s), ends, false
	return nil
}

// copy appends one segment with its times moved to the file's time, and returns the number of bytes.
func (g *GrowingFile) copy(to io.Writer, r io.ReaderAt, size int64, s *Chunk, shifted *bool,
	ends map[uint32]uint64) (int64, error) {
	video, _ := g.movie.Video()
	at := int64(0)
	err := boxes(r, size, func(kind string, end int64, body func() ([]byte, error)) error {
		from := at
		at = end
		if kind != "moof" {
			_, err := io.Copy(to, io.NewSectionReader(r, from, end-from))
			return err
		}
		b, err := body()
		if err != nil {
			return err
		}
		runs, err := g.movie.moof(b)
		if err != nil {
			return err
		}
		if !*shifted {
			s.Shift, *shifted = g.shift(runs, ends), true
		}
		move := map[uint32]int64{}
		for _, run := range runs {
			for _, t := range g.movie.Tracks {
				if t.ID != run.Track {
					continue
				}
				ticks := t.Ticks(s.Shift)

				// No track begins before its present end, because of rounding or because its times overlap.
				if base := int64(run.Base) + ticks; base < int64(ends[t.ID]) {
					ticks += int64(ends[t.ID]) - base
				}
				move[t.ID] = ticks
				next := uint64(int64(run.Base) + ticks)
				for _, x := range run.Samples {
					next += uint64(x.Duration)
				}
				ends[t.ID] = next
			}
			if run.Track == video.ID {
				s.Frames += len(run.Samples)
			}
		}

		if err := moveTimes(b, move); err != nil {
			return err
		}
		_, err = to.Write(append(append(u32(nil, uint32(len(b)+8)), "moof"...), b...))
		return err
	})
	return at, err
}

// shift returns by how much the times of a run are moved, so that its first fragment follows everything in the file.
func (g *GrowingFile) shift(runs []run, ends map[uint32]uint64) time.Duration {
	var end time.Duration
	begin := time.Duration(math.MaxInt64)
	for _, t := range g.movie.Tracks {
		end = max(end, t.Time(ends[t.ID]))
		for _, run := range runs {
			if run.Track == t.ID {
				begin = min(begin, t.Time(run.Base))
			}
		}
	}

	if begin == math.MaxInt64 {
		return end
	}
	return end - begin
}

// moveTimes adds ticks to the decode times in the contents of a moof box. ticks has a value per track.
func moveTimes(moof []byte, ticks map[uint32]int64) error {
	return inside(moof, func(kind string, b []byte) error {
		if kind != "traf" {
			return nil
		}
		var id uint32
		return inside(b, func(kind string, b []byte) error {
			f := fields{b: b}
			switch kind {
			case "tfhd":
				f.skip(4)
				id = f.u32()
				return f.err()
			case "tfdt":
				if len(b) >= 12 && b[0] == 1 {
					binary.BigEndian.PutUint64(b[4:], uint64(int64(binary.BigEndian.Uint64(b[4:]))+ticks[id]))
				} else if len(b) >= 8 && b[0] == 0 {
					binary.BigEndian.PutUint32(b[4:], uint32(int64(binary.BigEndian.Uint32(b[4:]))+ticks[id]))
				} else {
					return ErrBox
				}
			}
			return nil
		})
	})
}

package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"time"
)

// params is what an init section says: what is needed to read the times of its segments.
type params struct {
	video     uint32 // track number of the video
	timescale uint32 // ticks a second
	duration  uint32 // default ticks of a sample
}

// fragment is the video of one segment.
type fragment struct {
	start, end time.Duration // media time, from the run's beginning
	frames     int
	key        bool          // begins with a keyframe
	holes      []span        // times without a frame, in media time
	squeezed   time.Duration // what frames lack in time that FFmpeg squeezed together, since the camera's clock was set back
}

// span is a stretch of media time.
type span [2]time.Duration

func (s span) length() time.Duration { return s[1] - s[0] }

// longest is the longest span, zero if there is none.
func longest(list []span) (most span) {
	for _, s := range list {
		if s.length() > most.length() {
			most = s
		}
	}
	return most
}

// maxHoles bounds the holes of a segment that are named.
const maxHoles = 100

// A frame that is shown for so long, and for so many times the usual length, has a hole behind it.
const (
	leastHole = 700 * time.Millisecond
	holeTimes = 3
	fewFrames = 8
)

// maxBox bounds what is read of one box of metadata. A minute at 60 frames a second is 60 KB.
const maxBox = 8 << 20

var errBox = errors.New("damaged MP4 box")

// boxes calls f with every box in r from offset 0 to size. body reads the box's contents into memory; whoever does not
// call it, skips the box. (ISO/IEC 14496-12, section 4.2)
func boxes(r io.ReaderAt, size int64, f func(kind string, body func() ([]byte, error)) error) error {
	var h [16]byte
	for at := int64(0); at < size; {
		if _, err := r.ReadAt(h[:8], at); err != nil {
			return fmt.Errorf("%w: %w", errBox, err)
		}
		header, length := int64(8), int64(binary.BigEndian.Uint32(h[:4]))
		switch length {
		case 0:
			length = size - at
		case 1:
			if _, err := r.ReadAt(h[8:], at+8); err != nil {
				return fmt.Errorf("%w: %w", errBox, err)
			}
			header, length = 16, int64(binary.BigEndian.Uint64(h[8:]))
		}
		if length < header || length > size-at {
			return errBox
		}
		err := f(string(h[4:8]), func() ([]byte, error) {
			if length > maxBox {
				return nil, errBox
			}
			b := make([]byte, length-header)
			_, err := r.ReadAt(b, at+header)
			return b, err
		})
		if err != nil {
			return err
		}
		at += length
	}
	return nil
}

// bytesAt makes a box's contents readable as boxes again.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// inside calls f for the boxes inside a box that holds nothing else.
func inside(body func() ([]byte, error), f func(kind string, body func() ([]byte, error)) error) error {
	b, err := body()
	if err != nil {
		return err
	}
	return boxes(bytesAt(b), int64(len(b)), f)
}

// fields reads big-endian numbers of a full box; a read past the end sets bad.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) u32() uint32 {
	if len(f.b) < 4 {
		f.bad = true
		return 0
	}
	v := binary.BigEndian.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fields) u64() uint64 { return uint64(f.u32())<<32 | uint64(f.u32()) }

func (f *fields) skip(n int) {
	if n > len(f.b) {
		f.bad, n = true, len(f.b)
	}
	f.b = f.b[n:]
}

// parseInit reads an init section.
func parseInit(r io.ReaderAt, size int64) (params, error) {
	var p params
	defaults := map[uint32]uint32{}
	err := boxes(r, size, func(kind string, body func() ([]byte, error)) error {
		if kind != "moov" {
			return nil
		}
		return inside(body, func(kind string, body func() ([]byte, error)) error {
			switch kind {
			case "trak":
				return parseTrack(body, &p)
			case "mvex":
				return inside(body, func(kind string, body func() ([]byte, error)) error {
					if kind != "trex" {
						return nil
					}
					b, err := body()
					f := fields{b: b}
					f.skip(4)
					id := f.u32()
					f.skip(4)
					defaults[id] = f.u32()
					return f.err(err)
				})
			}
			return nil
		})
	})
	p.duration = defaults[p.video]
	if err == nil && (p.video == 0 || p.timescale == 0) {
		err = errors.New("no video track in the init section")
	}
	return p, err
}

func (f *fields) err(err error) error {
	if err == nil && f.bad {
		return errBox
	}
	return err
}

// parseTrack takes the first video track's number and timescale.
func parseTrack(body func() ([]byte, error), p *params) error {
	var id, timescale uint32
	video := false
	err := inside(body, func(kind string, body func() ([]byte, error)) error {
		switch kind {
		case "tkhd":
			b, err := body()
			f := fields{b: b}
			if f.u32()>>24 == 1 {
				f.skip(16)
			} else {
				f.skip(8)
			}
			id = f.u32()
			return f.err(err)
		case "mdia":
			return inside(body, func(kind string, body func() ([]byte, error)) error {
				switch kind {
				case "mdhd":
					b, err := body()
					f := fields{b: b}
					if f.u32()>>24 == 1 {
						f.skip(16)
					} else {
						f.skip(8)
					}
					timescale = f.u32()
					return f.err(err)
				case "hdlr":
					b, err := body()
					video = len(b) >= 12 && string(b[8:12]) == "vide"
					return err
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && video && p.video == 0 {
		p.video, p.timescale = id, timescale
	}
	return err
}

// parseFragment reads the times of a segment's video from its moof boxes; the pictures themselves are not touched. whole
// says that these must be there as well.
func parseFragment(r io.ReaderAt, size int64, p params, whole bool) (fragment, error) {
	var fr fragment
	first, data := true, false
	err := boxes(r, size, func(kind string, body func() ([]byte, error)) error {
		data = data || kind == "mdat"
		if kind != "moof" {
			return nil
		}
		data = false
		return inside(body, func(kind string, body func() ([]byte, error)) error {
			if kind != "traf" {
				return nil
			}
			t, err := parseTraf(body, p)
			if err != nil || t.frames == 0 {
				return err
			}
			if first {
				fr, first = t, false
			} else {
				if t.start-fr.end >= leastHole {
					fr.holes = append(fr.holes, span{fr.end, t.start})
				}
				fr.holes = append(fr.holes, t.holes...)
				fr.holes = fr.holes[:min(len(fr.holes), maxHoles)]
				fr.end = t.end
				fr.frames += t.frames
				fr.squeezed += t.squeezed
			}
			return nil
		})
	})
	switch {
	case err != nil:
	case fr.frames == 0:
		err = errors.New("no video in the segment")
	case !data && whole:
		err = errors.New("the segment is cut off")
	}
	return fr, err
}

// maxSamples bounds the frames of one fragment: ten minutes at 100 frames a second.
const maxSamples = 60000

const nonSync = 0x10000 // sample_is_non_sync_sample

// parseTraf reads one track fragment; one that is not the video's gives no frames.
func parseTraf(body func() ([]byte, error), p params) (fragment, error) {
	var track, flags, start, ticks, tight uint64
	var lengths []uint64
	duration := uint64(p.duration)
	var fr fragment
	first := true
	err := inside(body, func(kind string, body func() ([]byte, error)) error {
		switch kind {
		case "tfhd":
			b, err := body()
			f := fields{b: b}
			has := f.u32()
			track = uint64(f.u32())
			if has&1 != 0 {
				f.skip(8)
			}
			if has&2 != 0 {
				f.skip(4)
			}
			if has&8 != 0 {
				duration = uint64(f.u32())
			}
			if has&0x10 != 0 {
				f.skip(4)
			}
			if has&0x20 != 0 {
				flags = uint64(f.u32())
			}
			return f.err(err)
		case "tfdt":
			b, err := body()
			f := fields{b: b}
			if f.u32()>>24 == 1 {
				start = f.u64()
			} else {
				start = uint64(f.u32())
			}
			return f.err(err)
		case "trun":
			if track != uint64(p.video) {
				return nil
			}
			b, err := body()
			f := fields{b: b}
			has := f.u32()
			n := f.u32()
			if has&1 != 0 {
				f.skip(4)
			}
			firstFlags := flags
			if has&4 != 0 {
				firstFlags = uint64(f.u32())
			}
			if n > maxSamples {
				return errBox
			}
			for i := range n {
				d := duration
				if has&0x100 != 0 {
					d = uint64(f.u32())
				}
				if has&0x200 != 0 {
					f.skip(4)
				}
				if has&0x400 != 0 {
					if v := uint64(f.u32()); i == 0 && has&4 == 0 {
						firstFlags = v
					}
				}
				if has&0x800 != 0 {
					f.skip(4)
				}
				if f.bad {
					break
				}
				if d*1000 <= uint64(p.timescale) {
					tight++
				}
				lengths = append(lengths, d)
				ticks += d
				fr.frames++
			}
			if first {
				fr.key, first = firstFlags&nonSync == 0, false
			}
			return f.err(err)
		}
		return nil
	})
	if err != nil || fr.frames == 0 {
		return fragment{}, err
	}
	if limit := uint64(p.timescale) * 1e9; start > limit || ticks > limit { // 30 years
		return fragment{}, errBox
	}
	fr.start, fr.end = p.time(start), p.time(start+ticks)
	if n := uint64(fr.frames); n > 1 {
		fr.holes = holesOf(p, start, lengths)
		if n > tight {
			fr.squeezed = p.time(tight * (ticks / (n - tight)))
		}
	}
	return fr, nil
}

// holesOf finds the times without a frame by the lengths of the frames, which are in ticks. The usual length is the
// median, of a few frames the shortest: most of these may have a hole behind them.
func holesOf(p params, start uint64, lengths []uint64) (holes []span) {
	if p.time(slices.Max(lengths)) < leastHole {
		return nil
	}
	sorted := slices.Sorted(slices.Values(lengths))
	usual := sorted[len(sorted)/2]
	if len(sorted) < fewFrames {
		usual = sorted[0]
	}
	at := start
	for _, d := range lengths {
		if p.time(d) >= leastHole && d > holeTimes*usual && len(holes) < maxHoles {
			holes = append(holes, span{p.time(at + usual), p.time(at + d)})
		}
		at += d
	}
	return holes
}

// time converts ticks without overflow.
func (p params) time(ticks uint64) time.Duration {
	ts := uint64(p.timescale)
	return time.Duration(ticks/ts)*time.Second + time.Duration(ticks%ts)*time.Second/time.Duration(ts)
}

// Contents is what a partial file holds: an init section and whole segments behind it.
type Contents struct {
	Good   int64            // bytes up to the end of the last whole fragment; what follows was cut off by a crash
	Media  [2]time.Duration // first start and last end
	Frames int
	Holes  [][2]time.Duration // stretches of media time in it without a frame: a segment that was lost, or a silent camera
}

// add counts a further fragment.
func (c *Contents) add(fr *fragment) {
	if c.Frames == 0 {
		c.Media[0] = fr.start
	} else if fr.start-c.Media[1] >= leastHole {
		c.Holes = append(c.Holes, span{c.Media[1], fr.start})
	}
	for _, h := range fr.holes {
		c.Holes = append(c.Holes, h)
	}
	c.Media[1] = fr.end
	c.Frames += fr.frames
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

// sealed tells whether the box of a seal's size at an offset is the seal of the bytes from an offset to it.
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
	walk(f, size, func(kind string, end int64, fr *fragment) error {
		switch kind {
		case "mdat":
			whole.add(fr)
		case "free":
			if end-whole.Good != int64(sealSize) {
				return nil
			}
			if !sealed(f, at, whole.Good) {
				return errBox
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

// walk calls f for the init section ("moov"), for the end of each whole fragment behind it ("mdat"), and for boxes that
// mean nothing to players ("free"), with the offset of their ends. A cut or damaged file ends where it is cut or
// damaged, which is no error here.
func walk(r io.ReaderAt, size int64, f func(kind string, end int64, fr *fragment) error) {
	var p params
	var pending *fragment
	at := int64(0)
	_ = boxes(r, size, func(kind string, _ func() ([]byte, error)) error {
		length, err := boxLength(r, at, size)
		if err != nil {
			return err
		}
		begin := at
		at += length
		switch kind {
		case "moov":
			if p, err = parseInit(io.NewSectionReader(r, 0, at), at); err != nil {
				return err
			}
			return f(kind, at, nil)
		case "moof":
			fr, err := parseFragment(io.NewSectionReader(r, begin, length), length, p, false)
			if err != nil {
				return err
			}
			pending = &fr
		case "mdat":
			if pending == nil {
				return errBox
			}
			fr := pending
			pending = nil
			return f(kind, at, fr)
		case "free":
			return f(kind, at, nil)
		}
		return nil
	})
}

// Fragment is one whole fragment of a fragmented MP4 file.
type Fragment struct {
	Media [2]time.Duration // start and end
	Key   bool             // begins with a keyframe
	End   int64            // offset behind its last byte
}

// Fragments returns the length of the init section in bytes, 0 if it is not whole, and the whole fragments behind it.
func Fragments(b []byte) (init int64, list []Fragment) {
	walk(bytesAt(b), int64(len(b)), func(kind string, end int64, fr *fragment) error {
		switch kind {
		case "moov":
			init = end
		case "mdat":
			list = append(list, Fragment{Media: [2]time.Duration{fr.start, fr.end}, Key: fr.key, End: end})
		}
		return nil
	})
	return init, list
}

// boxLength returns the whole length of the box at an offset.
func boxLength(r io.ReaderAt, at, size int64) (int64, error) {
	var h [16]byte
	if _, err := r.ReadAt(h[:8], at); err != nil {
		return 0, err
	}
	switch n := int64(binary.BigEndian.Uint32(h[:4])); n {
	case 0:
		return size - at, nil
	case 1:
		_, err := r.ReadAt(h[8:], at+8)
		return int64(binary.BigEndian.Uint64(h[8:])), err
	default:
		return n, nil
	}
}

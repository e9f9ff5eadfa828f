package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// MaxBox is the maximum size of a metadata box that is read, in bytes. A minute at 60 frames per second needs 60 KB.
const MaxBox = 8 << 20

// maxIndex is the maximum size of the index of a finished file, in bytes. 24 hours at 60 frames per second fit.
const maxIndex = 192 << 20

// maxSamples is the maximum number of frames in one fragment: ten minutes at 100 frames per second.
const maxSamples = 60000

const nonSync = 0x10000 // sample_is_non_sync_sample

// ErrBox means that bytes are not valid MP4, or exceed a limit of this package.
var ErrBox = errors.New("damaged MP4 box")

// cutOff wraps io.EOF into ErrBox: the file ends too early. Any other error means that the drive cannot be read, which
// is no damage of the file.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrBox, err)
	}
	return err
}

// --- Boxes ---

// header reads the header of a box at offset at. size is the number of bytes from there to the end of the file. header
// returns the length of the header and of the box.
func header(r io.ReaderAt, at, size int64) (kind string, head, length int64, err error) {
	var h [16]byte
	if _, err := r.ReadAt(h[:8], at); err != nil {
		return "", 0, 0, cutOff(err)
	}
	head, length = 8, int64(binary.BigEndian.Uint32(h[:4]))
	switch length {
	case 0:
		length = size
	case 1:
		if _, err := r.ReadAt(h[8:], at+8); err != nil {
			return "", 0, 0, cutOff(err)
		}
		head, length = 16, int64(binary.BigEndian.Uint64(h[8:]))
	}

	if length < head || length > size {
		return "", 0, 0, ErrBox
	}
	return string(h[4:8]), head, length, nil
}

// boxes calls f for every box in r from offset 0 to size. end is the offset of the end of the box. body reads the
// contents of the box into memory. A box is skipped if f does not call body. (ISO/IEC 14496-12, section 4.2)
func boxes(r io.ReaderAt, size int64, f func(kind string, end int64, body func() ([]byte, error)) error) error {
	for at := int64(0); at < size; {
		kind, head, length, err := header(r, at, size-at)
		if err != nil {
			return err
		}
		err = f(kind, at+length, func() ([]byte, error) {
			if length > MaxBox && kind != "moov" || length > maxIndex {
				return nil, ErrBox
			}
			b := make([]byte, length-head)
			if _, err := r.ReadAt(b, at+head); err != nil {
				return nil, cutOff(err)
			}
			return b, nil
		})
		if err != nil {
			return err
		}
		at += length
	}

	return nil
}

// inside calls f for each box in b.
func inside(b []byte, f func(kind string, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return ErrBox
		}
		head, length := uint64(8), uint64(binary.BigEndian.Uint32(b))
		switch length {
		case 0:
			length = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return ErrBox
			}
			head, length = 16, binary.BigEndian.Uint64(b[8:])
		}

		if length < head || length > uint64(len(b)) {
			return ErrBox
		}
		if err := f(string(b[4:8]), b[head:length]); err != nil {
			return err
		}
		b = b[length:]
	}

	return nil
}

// fields reads big-endian numbers of a full box. A read past the end sets bad.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) u32() uint32 {
	if len(f.b) < 4 {
		f.bad, f.b = true, nil
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

func (f *fields) err() error {
	if f.bad {
		return ErrBox
	}
	return nil
}

// --- Init sections ---

// Movie is the content of an init section.
type Movie struct {
	Tracks   []Track
	defaults map[uint32]Sample
}

// maxTracks is the maximum number of tracks in a movie.
const maxTracks = 32

// Video returns the first video track, and reports whether there is one.
func (m *Movie) Video() (Track, bool) {
	for _, t := range m.Tracks {
		if t.Video {
			return t, true
		}
	}
	return Track{}, false
}

// ReadInit reads an init section, or any file with a moov box. A movie without a video track is an error.
func ReadInit(b []byte) (Movie, error) {
	m := Movie{defaults: map[uint32]Sample{}}
	err := inside(b, func(kind string, b []byte) error {
		if kind != "moov" {
			return nil
		}
		return m.moov(b)
	})
	if _, ok := m.Video(); err == nil && !ok {
		err = errors.New("no video track in the init section")
	}
	return m, err
}

func (m *Movie) moov(b []byte) error {
	return inside(b, func(kind string, b []byte) error {
		switch kind {
		case "trak":
			t, err := readTrack(b)
			if err == nil && t.Timescale > 0 && t.ID > 0 {
				m.Tracks = append(m.Tracks, t)
			}
			if len(m.Tracks) > maxTracks {
				return ErrBox
			}
			return err
		case "mvex":
			return inside(b, func(kind string, b []byte) error {
				if kind != "trex" || len(m.defaults) > maxTracks {
					return nil
				}
				f := fields{b: b}
				f.skip(4)
				id := f.u32()
				f.skip(4)
				m.defaults[id] = Sample{Duration: f.u32(), Size: f.u32(), Key: f.u32()&nonSync == 0}
				return f.err()
			})
		}

		return nil
	})
}

func readTrack(b []byte) (t Track, err error) {
	err = inside(b, func(kind string, b []byte) error {
		f := fields{b: b}
		switch kind {
		case "tkhd":
			if f.u32()>>24 == 1 {
				f.skip(16)
			} else {
				f.skip(8)
			}
			t.ID = f.u32()
			return f.err()
		case "mdia":
			return inside(b, func(kind string, b []byte) error {
				f := fields{b: b}
				switch kind {
				case "mdhd":
					if f.u32()>>24 == 1 {
						f.skip(16)
					} else {
						f.skip(8)
					}
					t.Timescale = f.u32()
					return f.err()
				case "hdlr":
					t.Video = len(b) >= 12 && string(b[8:12]) == "vide"
				case "minf":
					return inside(b, func(kind string, b []byte) error {
						if kind != "stbl" {
							return nil
						}
						return inside(b, func(kind string, b []byte) error {
							if kind == "stsd" && len(b) > 16 {
								if n := binary.BigEndian.Uint32(b[8:]); n >= 8 && uint64(n) <= uint64(len(b)-8) {
									t.Entry = b[8 : 8+n]
								}
							}
							return nil
						})
					})
				}
				return nil
			})
		}

		return nil
	})
	if t.Video && len(t.Entry) >= 36 {
		t.Width, t.Height = int(binary.BigEndian.Uint16(t.Entry[32:])), int(binary.BigEndian.Uint16(t.Entry[34:]))
	}
	return t, err
}

// --- Fragments ---

// run is the samples of one track fragment. offset is where their bytes begin, relative to the moof box.
type run struct {
	TrackPart
	offset int64
}

// moof reads a moof box and returns the samples of each track of the movie. Base times beyond 30 years are an error.
func (m *Movie) moof(b []byte) (runs []run, err error) {
	err = inside(b, func(kind string, b []byte) error {
		if kind != "traf" {
			return nil
		}
		r, err := m.traf(b)
		if err == nil && len(r.Samples) > 0 {
			runs = append(runs, r)
		}
		if len(runs) > maxTracks {
			return ErrBox
		}
		return err
	})
	return runs, err
}

func (m *Movie) traf(b []byte) (r run, err error) {
	var d Sample
	var scale uint64
	err = inside(b, func(kind string, b []byte) error {
		f := fields{b: b}
		switch kind {
		case "tfhd":
			has := f.u32()
			r.Track = f.u32()
			d = m.defaults[r.Track]
			for _, t := range m.Tracks {
				if t.ID == r.Track {
					scale = uint64(t.Timescale)
				}
			}
			if has&1 != 0 {
				f.skip(8)
			}
			if has&2 != 0 {
				f.skip(4)
			}
			if has&8 != 0 {
				d.Duration = f.u32()
			}
			if has&0x10 != 0 {
				d.Size = f.u32()
			}
			if has&0x20 != 0 {
				d.Key = f.u32()&nonSync == 0
			}
			return f.err()
		case "tfdt":
			if f.u32()>>24 == 1 {
				r.Base = f.u64()
			} else {
				r.Base = uint64(f.u32())
			}
			return f.err()
		case "trun":
			if scale == 0 {
				return nil
			}
			return r.trun(f, d)
		}

		return nil
	})
	if limit := scale * 1e9; r.Base > limit { // 30 years, since scale is in ticks per second
		err = ErrBox
	}

	return r, err
}

func (r *run) trun(f fields, d Sample) error {
	has, n := f.u32(), f.u32()
	if n > maxSamples || len(r.Samples)+int(n) > maxSamples {
		return ErrBox
	}
	offset := int64(0)
	if has&1 != 0 {
		offset = int64(int32(f.u32()))
	}
	if len(r.Samples) == 0 {
		r.offset = offset
	}
	first := d.Key
	if has&4 != 0 {
		first = f.u32()&nonSync == 0
	}
	for i := range n {
		s := d
		if i == 0 {
			s.Key = first
		}
		if has&0x100 != 0 {
			s.Duration = f.u32()
		}
		if has&0x200 != 0 {
			s.Size = f.u32()
		}
		if has&0x400 != 0 {
			if v := f.u32()&nonSync == 0; i != 0 || has&4 == 0 {
				s.Key = v
			}
		}
		if has&0x800 != 0 {
			s.Offset = int32(f.u32())
		}

		// A sample without bytes takes no room, so a small file could claim any number of them.
		if f.bad || s.Size == 0 {
			return ErrBox
		}
		r.Samples = append(r.Samples, s)
	}

	return nil
}

// --- Time ---

// Time converts ticks of the track to time, without overflow.
func (t Track) Time(ticks uint64) time.Duration {
	ts := uint64(t.Timescale)
	if ts == 0 || ticks/ts > math.MaxInt64/uint64(time.Second)-1 {
		return 0
	}
	return time.Duration(ticks/ts)*time.Second + time.Duration(ticks%ts)*time.Second/time.Duration(ts)
}

// Ticks converts a time to ticks of the track, rounded.
func (t Track) Ticks(d time.Duration) int64 {
	if d < 0 {
		return -t.Ticks(-max(d, -math.MaxInt64))
	}
	s, rest := int64(d/time.Second), int64(d%time.Second)
	return s*int64(t.Timescale) + (rest*int64(t.Timescale)+int64(time.Second)/2)/int64(time.Second)
}

// --- Reading a pipe ---

// Frame is one sample that a [Reader] returns.
type Frame struct {
	Track  uint32
	Time   time.Duration // decode time
	Offset time.Duration // presentation time - decode time
	Length time.Duration
	Key    bool
	Data   []byte // valid until the next call
}

// Reader reads fragmented MP4 from a pipe. The limit bounds the memory that a Reader needs.
type Reader struct {
	r     io.Reader
	limit int
	movie Movie
	body  []byte
	moof  int64 // length of the last moof box
	runs  []run
	queue []Frame
}

// NewReader returns a reader of a stream. limit is the maximum size of a box, in bytes.
func NewReader(r io.Reader, limit int) *Reader { return &Reader{r: r, limit: limit} }

// Next returns the next frame. After an init section, Next returns the movie that describes the frames that follow. The
// error is [io.EOF] at the end.
func (r *Reader) Next() (f Frame, movie *Movie, err error) {
	for len(r.queue) == 0 {
		movie, err := r.box()
		if movie != nil || err != nil {
			return Frame{}, movie, err
		}
	}
	f, r.queue = r.queue[0], r.queue[1:]
	return f, nil, nil
}

// box reads one box.
func (r *Reader) box() (*Movie, error) {
	var h [8]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(h[:4])) - 8
	if n < 0 || n > int64(r.limit) {
		return nil, ErrBox
	}
	if int64(cap(r.body)) < n {
		r.body = make([]byte, n)
	}
	r.body = r.body[:n]
	if _, err := io.ReadFull(r.r, r.body); err != nil {
		return nil, err
	}
	switch string(h[4:]) {
	case "moov":
		m := Movie{defaults: map[uint32]Sample{}}
		if err := m.moov(append([]byte(nil), r.body...)); err != nil {
			return nil, err
		}
		r.movie = m
		return &r.movie, nil
	case "moof":
		var err error
		r.moof = n + 8
		r.runs, err = r.movie.moof(r.body)
		return nil, err
	case "mdat":
		return nil, r.frames()
	}

	return nil, nil
}

// frames queues the samples of the fragment whose mdat box was just read.
func (r *Reader) frames() error {
	runs := r.runs
	r.runs, r.queue = nil, r.queue[:0]
	for _, run := range runs {
		var t Track
		for _, have := range r.movie.Tracks {
			if have.ID == run.Track {
				t = have
			}
		}
		at, ticks := run.offset-r.moof-8, run.Base
		for _, s := range run.Samples {
			end := at + int64(s.Size)
			if at < 0 || end > int64(len(r.body)) {
				return ErrBox
			}
			r.queue = append(r.queue, Frame{Track: run.Track, Time: t.Time(ticks),
				Offset: time.Duration(int64(s.Offset)) * time.Second / time.Duration(t.Timescale),
				Length: t.Time(uint64(s.Duration)), Key: s.Key, Data: r.body[at:end]})
			at, ticks = end, ticks+uint64(s.Duration)
		}
	}

	return nil
}

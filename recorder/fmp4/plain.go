package fmp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// A growing file is a fragmented MP4 with room for an index in front. The file plays at any moment. Finish makes a
// plain MP4 of it without a second copy: the index goes into the room, and the fragments become the contents of one
// mdat box.

// movieScale is the timescale of a plain file's movie, in ticks per second.
const movieScale = 90000

// --- The index of a track ---

// table is the index of one track's samples.
type table struct {
	track   Track
	first   uint64   // decode time of the first sample
	times   []uint64 // per sample, ticks since the first sample
	last    uint32   // duration of the last sample
	sizes   []uint32
	offsets []int32 // presentation time - decode time; nil: all are 0
	keys    []uint32
	chunks  []chunk
}

// chunk is a row of samples of one track without a gap between their bytes. at is the offset of the first byte.
type chunk struct {
	at int64
	n  uint32
}

// length returns how long the track plays, in ticks.
func (t *table) length() uint64 {
	if len(t.times) == 0 {
		return 0
	}
	return t.times[len(t.times)-1] + uint64(t.last)
}

// maxTable is the maximum number of samples of one track in a clip: 24 hours at 120 frames per second.
const maxTable = 24 * 3600 * 120

// add appends the samples of one fragment. at is the offset in the file where their bytes begin.
func (t *table) add(r run, at int64) error {
	if len(t.sizes)+len(r.Samples) > maxTable {
		return ErrBox
	}
	if len(t.times) == 0 {
		t.first = r.Base
	}

	// A sample never begins before the end of the previous sample, whatever its fragment says.
	next := t.length()
	if r.Base >= t.first {
		next = max(next, r.Base-t.first)
	}
	if n := len(t.times); n > 0 {
		t.last = uint32(min(next-t.times[n-1], math.MaxUint32))
	}
	for _, s := range r.Samples {
		if s.Key {
			t.keys = append(t.keys, uint32(len(t.sizes)+1))
		}
		if s.Offset != 0 && t.offsets == nil {
			t.offsets = make([]int32, len(t.sizes), len(t.sizes)+1)
		}
		if t.offsets != nil {
			t.offsets = append(t.offsets, s.Offset)
		}
		t.times, t.sizes, t.last = append(t.times, next), append(t.sizes, s.Size), s.Duration
		next += uint64(s.Duration)
	}

	t.chunks = append(t.chunks, chunk{at, uint32(len(r.Samples))})
	return nil
}

// --- The structure of a file ---

// layout is the structure of a growing or finished file.
type layout struct {
	moov  [2]int64 // from, to
	body  int64    // where the fragments begin; the room lies between moov and body
	size  int64
	movie Movie
	plain bool // the file is finished already
	list  []*table
}

// survey reads the first size bytes of a file. The error is ErrBox if they are damaged or hold no moov box.
func survey(r io.ReaderAt, size int64) (l layout, err error) {
	l.size = size
	at, moofAt := int64(0), int64(-1)
	var runs []run
	err = boxes(r, size, func(kind string, end int64, body func() ([]byte, error)) error {
		from := at
		at = end
		switch kind {
		case "moov":
			if l.moov[1] != 0 {
				return ErrBox
			}
			b, err := body()
			if err != nil {
				return err
			}
			l.moov, l.body = [2]int64{from, end}, end
			l.movie = Movie{defaults: map[uint32]Sample{}}
			if err := l.movie.moov(b); err != nil {
				return err
			}
			for _, t := range l.movie.Tracks {
				l.list = append(l.list, &table{track: t})
			}
			if len(l.movie.defaults) == 0 {
				l.plain = true
				return l.tables(b)
			}
		case "free":
			if l.moov[1] == from {
				l.body = end
			}
		case "moof":
			b, err := body()
			if err != nil {
				return err
			}
			if runs, err = l.movie.moof(b); err != nil {
				return err
			}
			moofAt = from
		case "mdat":
			if l.plain || moofAt < 0 {
				return nil
			}
			for _, run := range runs {
				at := moofAt + run.offset
				stop := at
				for _, s := range run.Samples {
					stop += int64(s.Size)
				}
				if at < from || stop > end {
					return ErrBox
				}
				for _, t := range l.list {
					if t.track.ID == run.Track {
						if err := t.add(run, at); err != nil {
							return err
						}
					}
				}
			}
			moofAt, runs = -1, nil
		}

		return nil
	})
	if err == nil && l.moov[1] == 0 {
		err = ErrBox
	}
	return l, err
}

// tables reads the index in the moov box of a plain file, as far as Contents and Check need it.
func (l *layout) tables(b []byte) error {
	n := -1
	return inside(b, func(kind string, b []byte) error {
		if kind != "trak" {
			return nil
		}
		if t, err := readTrack(b); err != nil || t.Timescale == 0 || t.ID == 0 {
			return err
		}
		if n++; n >= len(l.list) {
			return ErrBox
		}
		return l.list[n].read(b)
	})
}

// read reads the times, sizes and places of a track's samples from the trak box.
func (t *table) read(trak []byte) error {
	var chunks, counts []byte
	var long bool
	err := eachIn(trak, []string{"mdia", "minf", "stbl"}, func(kind string, b []byte) error {
		f := fields{b: b}
		f.skip(4)
		switch kind {
		case "stts":
			for n := f.u32(); n > 0 && !f.bad; n-- {
				count, delta := f.u32(), f.u32()
				if uint64(len(t.times))+uint64(count) > maxTable {
					return ErrBox
				}
				for ; count > 0; count-- {
					t.times = append(t.times, t.length())
					t.last = delta
				}
			}
		case "stsz":
			same, n := f.u32(), f.u32()
			if n > maxTable || t.sizes != nil || same == 0 && uint64(n)*4 > uint64(len(f.b)) {
				return ErrBox
			}
			for ; n > 0 && !f.bad; n-- {
				size := same
				if same == 0 {
					size = f.u32()
				}
				t.sizes = append(t.sizes, size)
			}
		case "stsc":
			counts = b
		case "stco", "co64":
			chunks, long = b, kind == "co64"
		}

		return f.err()
	})
	if err != nil {
		return err
	}
	at, of := fields{b: chunks}, fields{b: counts}
	at.skip(4)
	of.skip(4)
	n, entries := at.u32(), of.u32()
	var each, next uint32 // samples per chunk now; the chunk from which on there are after samples per chunk
	var after uint32
	if entries > 0 {
		next, after = of.u32(), of.u32()
		of.skip(4)
		entries--
	}
	for i := uint32(1); i <= n && !at.bad && !of.bad; i++ {
		if i == next {
			if each, next = after, 0; entries > 0 {
				next, after = of.u32(), of.u32()
				of.skip(4)
				entries--
			}
		}

		c := chunk{n: each}
		if long {
			c.at = int64(at.u64())
		} else {
			c.at = int64(at.u32())
		}
		t.chunks = append(t.chunks, c)
	}

	if at.bad || of.bad || len(t.times) != len(t.sizes) {
		return ErrBox
	}
	return nil
}

// eachIn calls f for each box inside nested boxes. path names the nested boxes from the outside in.
func eachIn(b []byte, path []string, f func(kind string, b []byte) error) error {
	return inside(b, func(kind string, b []byte) error {
		switch {
		case len(path) == 0:
			return f(kind, b)
		case kind == path[0]:
			return eachIn(b, path[1:], f)
		}
		return nil
	})
}

// contents describes what the file holds.
func (l *layout) contents() Contents {
	c := Contents{Bytes: l.size}
	for _, t := range l.list {
		if t.track.Video && c.Frames == 0 {
			c.Frames = len(t.sizes)
			c.Length = t.track.Time(t.length())
		}
		if !t.track.Video && c.Sound == "" && len(t.sizes) > 0 {
			c.Sound = Kind(t.track.Entry)
		}
	}

	return c
}

// --- Checking and finishing ---

// Holds reports whether a finished file holds the video of another file, growing or finished, of which only the first
// size bytes count. Holds compares the number of frames and their sizes. If more is set, plain may have further frames
// at the end.
func Holds(plain, part *os.File, size int64, more bool) (bool, error) {
	fi, err := plain.Stat()
	if err != nil {
		return false, err
	}
	in := func(f *os.File, size int64) ([]uint32, error) {
		l, err := survey(f, size)
		for _, t := range l.list {
			if t.track.Video {
				return t.sizes, err
			}
		}
		return nil, err
	}

	want, err := in(part, size)
	if err != nil {
		return false, err
	}
	got, err := in(plain, fi.Size())
	if errors.Is(err, ErrBox) {
		return false, nil
	}
	return len(want) > 0 && (len(got) == len(want) || more && len(got) > len(want)) &&
		slices.Equal(got[:len(want)], want), err
}

// ErrNotPlain means that a file is not finished: it has no index yet.
var ErrNotPlain = errors.New("the file is not finished")

// Check reads the index of a plain file and returns what the file holds. The error is [ErrNotPlain] if the file is not
// finished, and [ErrBox] if the index is damaged or a sample lies outside of the file.
func Check(f *os.File) (Contents, error) {
	fi, err := f.Stat()
	if err != nil {
		return Contents{}, err
	}
	l, err := survey(f, fi.Size())
	switch {
	case err != nil:
		return Contents{}, err
	case !l.plain:
		return Contents{}, ErrNotPlain
	}
	for _, t := range l.list {
		left := t.sizes
		for _, c := range t.chunks {
			if uint64(c.n) > uint64(len(left)) {
				return Contents{}, fmt.Errorf("%w: it has fewer samples than its index says", ErrBox)
			}
			if c.at < 0 || c.at > fi.Size() {
				return Contents{}, fmt.Errorf("%w: a sample lies outside of the file", ErrBox)
			}
			end := c.at
			for _, s := range left[:c.n] {
				end += int64(s)
			}
			if left = left[c.n:]; end > fi.Size() {
				return Contents{}, fmt.Errorf("%w: a sample lies outside of the file", ErrBox)
			}
		}

		if len(left) > 0 {
			return Contents{}, fmt.Errorf("%w: a sample lies nowhere", ErrBox)
		}
	}

	return l.contents(), nil
}

// Finish makes a plain MP4 of a growing file, of which only the first size bytes count, and returns what the file
// holds. A crash at any moment leaves a file that plays and that can be finished again. A file that is finished already
// stays as it is. The caller must fsync the file. (ISO/IEC 14496-12)
func Finish(f *os.File, size int64) (Contents, error) {
	l, err := survey(f, size)
	switch {
	case err != nil:
		return Contents{}, err
	case l.plain:
		return Check(f)
	}
	if err := f.Truncate(size); err != nil {
		return Contents{}, err
	}
	moov := l.index()
	from, room := l.moov[0], l.body-l.moov[1]-8 // behind the header of the free box
	rest := room - int64(len(moov)) - 16
	var flip []byte
	if rest == 0 || rest >= 8 {
		b := moov
		if rest > 0 {
			b = append(u32(b, uint32(rest)), "free"...)
		}
		if _, err := f.WriteAt(b, l.moov[1]+8); err != nil {
			return Contents{}, err
		}
		head := u64(append(u32(nil, 1), "mdat"...), uint64(size-l.body+16))
		if _, err := f.WriteAt(head, l.body-16); err != nil {
			return Contents{}, err
		}
		flip = append(u32(nil, uint32(l.moov[1]+8-from)), "free"...) // covers the first moov and the free box's header
	} else { // the room is too small: the index goes to the end of the file
		if _, err := f.WriteAt(moov, size); err != nil {
			return Contents{}, err
		}
		if size-from > math.MaxUint32 {
			flip = u64(append(u32(nil, 1), "mdat"...), uint64(size-from))
		} else {
			flip = append(u32(nil, uint32(size-from)), "mdat"...)
		}
	}

	if err := f.Sync(); err != nil { // before the last step makes the index valid
		return Contents{}, err
	}
	if _, err := f.WriteAt(flip, from); err != nil {
		return Contents{}, err
	}
	c := l.contents()
	if fi, err := f.Stat(); err == nil {
		c.Bytes = fi.Size()
	}
	return c, nil
}

// Repair undoes the last step of Finish if a power cut tore the few bytes of this step. The file is a growing file
// again.
func Repair(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	kind, _, from, err := header(f, 0, fi.Size())
	if err != nil && !errors.Is(err, ErrBox) {
		return err
	}
	if err != nil || kind != "ftyp" {
		return nil // nothing of the file is whole
	}
	if kind, _, n, err := header(f, from, fi.Size()-from); err == nil && kind == "moov" {
		next, _, _, nerr := header(f, from+n, fi.Size()-from-n)
		if from+n == fi.Size() || nerr == nil && strings.Contains("free prft moof mdat", next) {
			return nil // it is sane
		}
	} else if err != nil && !errors.Is(err, ErrBox) {
		return err
	}

	moov := int64(8) // length of the moov box, derived from the boxes inside
	for {
		kind, _, n, err := header(f, from+moov, fi.Size()-from-moov)
		if err != nil || kind != "mvhd" && kind != "trak" && kind != "mvex" && kind != "udta" {
			break
		}
		moov += n
	}

	var is [8]byte
	if _, err := f.ReadAt(is[:], from); err != nil || moov == 8 {
		return nil
	}
	was := append(u32(nil, uint32(moov)), "moov"...)
	for _, whole := range [][]byte{was, append(u32(nil, uint32(moov+8)), "free"...)} {
		if bytes.Equal(is[:], whole) {
			return nil
		}
	}
	if kind, _, n, err := header(f, from, fi.Size()-from); err == nil && kind == "mdat" {
		if kind, _, _, err := header(f, from+n, fi.Size()-from-n); err == nil && kind == "moov" {
			return nil
		}
	}
	if _, err := f.WriteAt(was, from); err != nil {
		return err
	}
	return f.Sync()
}

// --- Writing the index ---

// index returns the moov box of the plain file. Tracks without a sample are left out.
func (l *layout) index() []byte {
	var start time.Duration = math.MaxInt64
	var length uint64
	for _, t := range l.list {
		if len(t.sizes) > 0 {
			start = min(start, t.track.Time(t.first))
		}
	}
	return box(nil, "moov", func(b []byte) []byte {
		head := len(b)
		b = full(b, "mvhd", 1, 0, func(b []byte) []byte {
			b = u64(u32(u64(u64(b, 0), 0), movieScale), 0)
			b = zeros(u16(u32(b, 0x10000), 0x100), 10)
			return u32(zeros(matrix(b), 24), uint32(len(l.list)+1))
		})
		for _, t := range l.list {
			if len(t.sizes) == 0 {
				continue
			}
			t.first -= uint64(max(0, t.track.Ticks(start)))
			b = trak(b, t.track, t)
			length = max(length, t.shown())
		}

		binary.BigEndian.PutUint64(b[head+8+4+8+8+4:], length)
		return b
	})
}

// edits returns the pause before the track begins and the length of the track, both in ticks of the movie. from is the
// first time that is shown, in ticks of the track.
func (t *table) edits() (pause, length uint64, from uint64) {
	scale := func(ticks uint64) uint64 { return uint64(t.track.Time(ticks)) * movieScale / uint64(time.Second) }
	if t.offsets != nil { // the first frame shown is not the first frame decoded
		first := int64(math.MaxInt64)
		for i, o := range t.offsets[:min(len(t.offsets), 32)] {
			first = min(first, int64(t.times[i])+int64(o))
		}
		from = uint64(max(0, first))
	}

	return scale(t.first), scale(t.length()), from
}

// shown returns how long the track takes in the movie, in ticks of the movie.
func (t *table) shown() uint64 {
	pause, length, _ := t.edits()
	return pause + length
}

// edts appends the track's edit list if the track needs an edit list.
func (t *table) edts(b []byte) []byte {
	pause, length, from := t.edits()
	if pause == 0 && from == 0 {
		return b
	}
	return box(b, "edts", func(b []byte) []byte {
		return full(b, "elst", 1, 0, func(b []byte) []byte {
			if pause == 0 {
				return u32(u64(u64(u32(b, 1), length), from), 0x10000)
			}
			b = u32(u64(u64(u32(b, 2), pause), math.MaxUint64), 0x10000)
			return u32(u64(u64(b, length), from), 0x10000)
		})
	})
}

// samples appends the boxes with the times, sizes and places of the samples.
func (t *table) samples(b []byte) []byte {
	b = full(b, "stts", 0, 0, func(b []byte) []byte {
		return runLength(b, len(t.times), func(i int) uint32 {
			if i == len(t.times)-1 {
				return t.last
			}
			return uint32(min(t.times[i+1]-t.times[i], math.MaxUint32))
		})
	})
	if t.offsets != nil {
		b = full(b, "ctts", 1, 0, func(b []byte) []byte {
			return runLength(b, len(t.offsets), func(i int) uint32 { return uint32(t.offsets[i]) })
		})
	}
	if t.track.Video && len(t.keys) < len(t.sizes) {
		b = full(b, "stss", 0, 0, func(b []byte) []byte {
			b = u32(b, uint32(len(t.keys)))
			for _, k := range t.keys {
				b = u32(b, k)
			}
			return b
		})
	}

	b = full(b, "stsc", 0, 0, func(b []byte) []byte {
		at, n := len(b), uint32(0)
		b = u32(b, 0)
		for i, c := range t.chunks {
			if i == 0 || c.n != t.chunks[i-1].n {
				b = u32(u32(u32(b, uint32(i+1)), c.n), 1)
				n++
			}
		}
		binary.BigEndian.PutUint32(b[at:], n)
		return b
	})
	b = full(b, "stsz", 0, 0, func(b []byte) []byte {
		b = u32(u32(b, 0), uint32(len(t.sizes)))
		for _, s := range t.sizes {
			b = u32(b, s)
		}
		return b
	})
	if n := len(t.chunks); n > 0 && t.chunks[n-1].at > math.MaxUint32 {
		return full(b, "co64", 0, 0, func(b []byte) []byte {
			b = u32(b, uint32(n))
			for _, c := range t.chunks {
				b = u64(b, uint64(c.at))
			}
			return b
		})
	}

	return full(b, "stco", 0, 0, func(b []byte) []byte {
		b = u32(b, uint32(len(t.chunks)))
		for _, c := range t.chunks {
			b = u32(b, uint32(c.at))
		}
		return b
	})
}

// runLength appends n values in run-length form: each value with the number of its repetitions.
func runLength(b []byte, n int, value func(int) uint32) []byte {
	at, entries := len(b), uint32(0)
	b = u32(b, 0)
	for i := 0; i < n; entries++ {
		v, j := value(i), i+1
		for j < n && value(j) == v {
			j++
		}
		b = u32(u32(b, uint32(j-i)), v)
		i = j
	}

	binary.BigEndian.PutUint32(b[at:], entries)
	return b
}

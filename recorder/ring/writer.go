package ring

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of a Writer.
const (
	partLength   = 250 * time.Millisecond
	partBytes    = 2 << 20          // a part of this size is written even if it is shorter than partLength
	maxSegment   = 10 * time.Second // length at which a segment ends without a keyframe
	segmentBytes = 16 << 20         // size at which a segment ends without a keyframe
	maxFrame     = 8 << 20          // bytes of one frame
	maxWaiting   = 8 << 20          // bytes of samples whose media time is not known yet
	maxSound     = 256 << 10        // bytes of sound that wait for video
	minHole      = time.Second      // a longer interval between frames is a gap, if it is also longer than
	holeTimes    = 3                // this many of the usual intervals
	changeTime   = time.Second      // time that a new run is charged; charges expire as time passes
	maxChanges   = 20 * time.Second // sum of charges at which the parameters change too often
)

// Writer writes what a camera sends into the camera's ring. A Writer is the sink of one session. One goroutine at a
// time calls its methods. Close must be called at the end.
type Writer struct {
	r        *Ring
	line     source.Timeline
	tracks   []source.Track
	parts    []fmp4.TrackPart // per track, the samples that are not written yet
	sound    []sound          // per track; the entry of the video track is not used
	waiting  []source.Sample  // video samples whose media time is not known yet
	waits    int              // bytes of waiting
	part     time.Duration    // start of the part, media time
	lastAt   time.Duration    // media time of the last sample in the part; its length is not known yet
	lastLen  time.Duration    // length of that sample if the source knows it, else 0
	open     bool             // the part has such a last sample
	needKey  bool             // frames before the next keyframe are of no use
	joins    bool             // the first frame follows the last one in the ring
	gaps     [8]time.Duration // the last intervals between frames
	sequence uint32
	buf      []byte

	// Ring.mu guards all fields below.
	f        *os.File // file of the segment that is being written; nil: there is none
	seg      entry
	run      int64
	number   int
	base     time.Duration // steady time of the run's media time 0
	info     initInfo
	lost     bool // the budget has given up the segment
	believed bool
}

// sound is the clock of a sound track and the state of its last sample.
type sound struct {
	source.Counter
	last time.Duration
	open bool // the last sample lies in the part
}

// --- Runs and samples ---

// Writer returns the sink of a new session. The previous Writer must be closed.
func (r *Ring) Writer() *Writer {
	w := &Writer{r: r, needKey: true, believed: true}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.w = w
	r.came, r.lag, r.gop, r.lastKey = 0, 0, 0, 0
	return w
}

// Continue says that the first frame of the session follows the last one in the ring, as when another process recorded
// until then. It begins where that one ends, although it may have arrived a little later than expected.
func (w *Writer) Continue() { w.joins = true }

// joint returns the media time of a session's first frame, which arrived at a time.
func (r *Ring) joint(at time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.entries); n > 0 {
		if end := r.entries[n-1].end; end < at && at-end < minHole {
			return end
		}
	}
	return at
}

// Tracks begins a run if the tracks differ from those of the present run. Tracks fails with [source.NoVideo] if the
// first track is not video, and with [source.Unreadable] if the parameters change all the time.
func (w *Writer) Tracks(tracks []source.Track, _ source.Streams) error {
	if len(tracks) == 0 || !tracks[0].Video || len(tracks) > 8 {
		return source.NoVideo.Failure(nil)
	}
	if slices.EqualFunc(tracks, w.tracks, func(a, b source.Track) bool {
		return a.ID == b.ID && a.Timescale == b.Timescale && string(a.Entry) == string(b.Entry)
	}) {
		return nil
	}
	if err := w.Flush(); err != nil {
		return err
	}
	list := make([]fmp4.Track, len(tracks))
	for i := range tracks {
		list[i] = tracks[i].Track
	}
	init := fmp4.Init(list)
	movie, err := fmp4.ReadInit(init)
	if err != nil {
		return source.Unreadable.Failure(err)
	}
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	w.tracks = slices.Clone(tracks)
	w.parts = make([]fmp4.TrackPart, len(tracks))
	w.sound = make([]sound, len(tracks))
	for i, t := range tracks {
		w.parts[i].Track = t.ID
	}
	w.needKey = true
	now := r.clock.steady()
	r.changes = max(0, r.changes-(now-r.changed)) + changeTime
	if r.changed = now; r.changes > maxChanges {
		return source.Unreadable.Failure(text.ParamsChange)
	}
	if w.run != 0 {
		r.dropInit(w.run)
	}
	w.run, w.number, w.base, w.info = r.nextRun(), 0, 0, initInfo{movie, hashOf(init), int64(len(init))}
	r.inits[w.run] = w.info
	r.bytes += w.info.bytes
	if err := os.WriteFile(filepath.Join(r.segments(), initName(w.run)), init, 0o640); err != nil {
		return r.failure(err)
	}
	return nil
}

// Sample takes the next sample.
func (w *Writer) Sample(s source.Sample) error {
	if s.Track < 0 || s.Track >= len(w.tracks) {
		return nil
	}
	if s.Track != 0 {
		w.hear(s)
		return nil
	}
	size := 0
	for _, d := range s.Data {
		size += len(d)
	}
	if size > maxFrame || size == 0 {
		w.needKey = w.needKey || size > 0
		return nil
	}
	times := w.line.Add(s.Stamp, s.Arrival)
	if len(w.waiting) == 0 && len(times) == 1 {
		return w.see(times[0], s)
	}
	s.Data = [][]byte{slices.Concat(s.Data...)}
	w.waiting = append(w.waiting, s)
	w.waits += size
	if err := w.writeTimed(times); err != nil || w.waits <= maxWaiting {
		return err
	}
	return w.writeTimed(w.line.Flush())
}

// writeTimed writes the waiting samples whose media times are known now.
func (w *Writer) writeTimed(times []time.Duration) error {
	for _, at := range times {
		s := w.waiting[0]
		w.waiting = w.waiting[1:]
		w.waits -= len(s.Data[0])
		if err := w.see(at, s); err != nil {
			return err
		}
	}

	if len(w.waiting) == 0 {
		w.waiting = nil
	}
	return nil
}

// hear takes a sample of sound into the part. The sample lies where it arrived, behind the sound before it.
func (w *Writer) hear(s source.Sample) {
	t, p := &w.sound[s.Track], &w.parts[s.Track]
	at, ok := t.Add(s.Length, s.Arrival)
	if !ok || w.base == 0 || at < w.base {
		return
	}
	if len(p.Data) > maxSound { // no more frames come
		p.Samples, p.Data, t.open = p.Samples[:0], p.Data[:0], false
	}
	track := w.tracks[s.Track]
	ticks := track.Ticks(at - w.base)
	if n := len(p.Samples); t.open && n > 0 {
		p.Samples[n-1].Duration = uint32(max(0, ticks-track.Ticks(t.last-w.base)))
	} else {
		p.Base = uint64(ticks)
	}
	n := len(p.Data)
	for _, d := range s.Data {
		p.Data = append(p.Data, d...)
	}
	p.Samples = append(p.Samples, fmp4.Sample{Duration: uint32(track.Ticks(s.Length)), Size: uint32(len(p.Data) - n),
		Key: true})
	t.last, t.open = at, true
}

// see takes a frame of video with its media time.
func (w *Writer) see(at time.Duration, s source.Sample) error {
	r := w.r
	r.mu.Lock()
	w.believed = w.line.Believed()
	lost := w.lost
	r.mu.Unlock()
	if lost {
		w.giveUp()
	}
	if w.open {
		end, cut := at, false
		usual, longest := w.usual()
		interval := at - w.lastAt
		if usual > 0 && interval > minHole && interval > holeTimes*longest {
			end, cut = w.lastAt+usual, true
		}
		copy(w.gaps[:], w.gaps[1:])
		w.gaps[len(w.gaps)-1] = interval
		w.finish(end)
		length := end - w.seg.start
		cut = cut || s.Key && length >= Target*9/10 || length >= maxSegment ||
			w.seg.Bytes+int64(len(w.parts[0].Data)) >= segmentBytes
		if cut || end-w.part >= partLength || len(w.parts[0].Data) >= partBytes {
			if err := w.flush(end); err != nil {
				return err
			}
		}
		if cut || w.needKey { // needKey is set if the budget had no room
			if err := w.complete(); err != nil {
				return err
			}
		}
	}

	if w.needKey && !s.Key {
		return nil
	}
	if w.joins {
		at, w.joins = r.joint(at), false
	}
	if w.f == nil {
		if err := w.beginSegment(at, s.Key); err != nil {
			return err
		}
	}
	p := &w.parts[0]
	if len(p.Samples) == 0 {
		w.part, p.Base = at, uint64(w.tracks[0].Ticks(at-w.base))
	}
	n := len(p.Data)
	for _, d := range s.Data {
		p.Data = append(p.Data, d...)
	}
	p.Samples = append(p.Samples, fmp4.Sample{Offset: int32(w.tracks[0].Ticks(s.Offset)), Size: uint32(len(p.Data) - n),
		Key: s.Key})
	w.lastAt, w.lastLen, w.open = at, s.Length, true
	r.mu.Lock()
	r.came = s.Arrival
	if s.Key {
		if r.lastKey != 0 {
			r.gop = at - r.lastKey
		}
		r.lastKey = at
	}
	r.mu.Unlock()
	return nil
}

// usual returns the usual interval between frames, and the longest interval except for a single gap. The usual interval
// is 0 while it is not known.
func (w *Writer) usual() (usual, longest time.Duration) {
	list := slices.DeleteFunc(slices.Clone(w.gaps[:]), func(d time.Duration) bool { return d == 0 })
	if len(list) < 2 {
		return 0, math.MaxInt64
	}
	slices.SortFunc(list, cmp.Compare)
	return list[len(list)/2], list[len(list)-2]
}

// finish sets the length of the last sample of the part.
func (w *Writer) finish(end time.Duration) {
	p, t := &w.parts[0], w.tracks[0]
	p.Samples[len(p.Samples)-1].Duration = uint32(t.Ticks(end-w.base) - t.Ticks(w.lastAt-w.base))
	w.open = false
}

// --- Segments and parts ---

// beginSegment begins a segment.
func (w *Writer) beginSegment(at time.Duration, key bool) error {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.base == 0 {
		w.base = at
	}
	name := fmt.Sprintf("r%013d-%06d.m4s", w.run, w.number)
	f, err := os.OpenFile(filepath.Join(r.segments(), name+".tmp"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return r.failure(err)
	}
	w.f, w.needKey = f, false
	w.seg = entry{start: at, end: at, sequence: r.sequence, Segment: Segment{Run: w.run, Number: w.number, Key: key,
		Params: w.info.hash, Path: filepath.Join(r.segments(), name),
		Init: filepath.Join(r.segments(), initName(w.run))}}
	w.number++
	return nil
}

// flush writes the part if the budget has room for it. end is where the part ends. If there is no room, the GOP ends
// here.
func (w *Writer) flush(end time.Duration) error {
	r := w.r
	r.mu.Lock()
	wall := r.clock.wall(w.part)
	r.mu.Unlock()
	w.sequence++
	w.buf = fmp4.AppendPart(w.buf[:0], w.sequence, wall, w.parts)
	frames := len(w.parts[0].Samples)
	key := frames > 0 && w.parts[0].Samples[0].Key
	w.clear()
	n := int64(len(w.buf))
	granted := r.opt.Budget.reserve(r, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !granted || w.lost || w.f == nil {
		if granted {
			r.bytes -= n
		} else {
			r.isShort()
			for _, h := range r.holds {
				h.miss(w.part)
			}
		}

		w.needKey = true
		return nil
	}

	if _, err := w.f.Write(w.buf); err != nil {
		r.bytes -= n
		_ = w.f.Truncate(w.seg.Bytes) // whole fragments stay
		return r.failure(err)
	}
	w.seg.parts = append(w.seg.parts, Part{w.seg.Bytes, w.seg.Bytes + n,
		[2]time.Duration{w.part - w.base, end - w.base}, key})
	w.seg.Bytes += n
	w.seg.Frames += frames
	w.seg.end = end
	r.notify()
	if cap(w.buf) > 4*partBytes { // one huge frame is no reason to keep a huge buffer
		w.buf = nil
	}
	return nil
}

// clear empties the part.
func (w *Writer) clear() {
	for i := range w.parts {
		p := &w.parts[i]
		p.Samples, p.Data = p.Samples[:0], p.Data[:0]
		if cap(p.Data) > 4*partBytes {
			p.Data = nil
		}
		w.sound[i].open = false
	}
}

// complete ends the segment and adds it to the ring.
func (w *Writer) complete() error {
	r := w.r
	r.mu.Lock()
	f := w.f
	w.f = nil
	if f == nil || w.lost {
		w.needKey = w.needKey || w.lost
		w.lost = false
		r.mu.Unlock()
		if f != nil {
			_ = f.Close()
		}
		return nil
	}

	e := w.seg
	err := f.Close()
	if e.Frames == 0 {
		_ = os.Remove(e.Path + ".tmp")
		r.mu.Unlock()
		return nil
	}
	if err == nil {
		err = os.Rename(e.Path+".tmp", e.Path)
	}
	if err != nil {
		r.bytes -= e.Bytes
		r.mu.Unlock()
		return r.failure(err)
	}
	e.Media = [2]time.Duration{e.start - w.base, e.end - w.base}
	e.inRing = true
	r.entries = append(r.entries, &e)
	r.count(&e)
	r.notify()
	r.lag = max(r.clock.steady()-e.end, r.lag*49/50)
	r.prune()
	for _, h := range r.holds {
		h.pinIfWanted(&e)
	}
	r.mu.Unlock()
	r.opt.Log.Debug("segment", "segment", filepath.Base(e.Path), "bytes", e.Bytes, "duration", e.Length())

	if r.opt.Seen != nil {
		r.opt.Seen()
	}
	return nil
}

// --- Giving up a segment ---

// abandon gives up the segment that is being written, and reports whether there was one. r.mu is held.
func (w *Writer) abandon() bool {
	if w == nil || w.f == nil || w.lost {
		return false
	}
	w.lost = true
	_ = os.Remove(w.seg.Path + ".tmp")
	_ = w.f.Truncate(0)
	w.r.bytes -= w.seg.Bytes
	for _, h := range w.r.holds {
		h.miss(w.seg.start)
	}
	return true
}

// giveUp drops the part and the segment that abandon gave up. The writer continues at the next keyframe.
func (w *Writer) giveUp() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.f != nil {
		_ = w.f.Close()
	}
	w.f, w.lost, w.open, w.needKey = nil, false, false, true
	w.clear()
}

// --- The end of a session ---

// Flush completes the segment that is being written. The last frame gets its own length if the source knows it, else
// the usual length.
func (w *Writer) Flush() error {
	if err := w.writeTimed(w.line.Flush()); err != nil {
		return err
	}
	if w.open {
		usual, _ := w.usual()
		if w.lastLen > 0 && w.lastLen < minHole {
			usual = w.lastLen
		} else if usual == 0 {
			usual = time.Second / 15
		}
		w.finish(w.lastAt + usual)
		if err := w.flush(w.lastAt + usual); err != nil {
			return err
		}
	}

	return w.complete()
}

// Close ends the session. The last frames become a complete segment.
func (w *Writer) Close() error {
	err := w.Flush()
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.f != nil { // an error came before
		_ = w.f.Close()
		_ = os.Remove(w.seg.Path + ".tmp")
		if !w.lost {
			r.bytes -= w.seg.Bytes
		}
		w.f = nil
	}
	if w.run != 0 {
		r.dropInit(w.run)
	}
	if r.w == w {
		r.w, r.lastKey = nil, 0
	}
	return err
}

// Package ring keeps the newest segments of a camera on the RAM disk.
//
// A [Writer] is the sink of the camera's source. The writer writes samples into segments, part by part, and asks the
// [Budget] before each part. The ring drops the oldest GOPs. A [Hold] keeps the segments of an open event as hard links
// until their bytes are durable elsewhere. Samples come in, and [Segment] values come out in order. The package starts
// no goroutine. Every method of [Ring], [Hold] and [Budget] may be called from any goroutine.
//
// # Time
//
// Media time lies on the steady clock of this machine. Media time says when a frame arrived, smoothed by the camera's
// stamps (see [source.Timeline]). The ring keeps only steady times. Wall time is derived when a segment is returned.
// Wall time is also written into each fragment as producer reference time, so that the ring means the same after a
// crash.
package ring

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
)

// Target is the intended length of a segment. A segment ends at the first keyframe after Target.
const Target = time.Second

// Segment is one complete segment.
type Segment struct {
	Run    int64 // number of the run; a later run has a higher number
	Number int   // number in the run, from 0
	Path   string
	Init   string // path of the run's init section
	Params string // hash of the init section; runs with equal hashes can be joined
	Start  time.Time
	End    time.Time
	Media  [2]time.Duration // start and end in media time of the run
	Key    bool             // begins with a keyframe; otherwise the segment continues the GOP of the previous segment
	Frames int
	Bytes  int64

	// steady times from which Start and End were derived; 0 if an earlier process made the Segment
	steady [2]time.Duration
}

// Length returns the length of the segment.
func (s Segment) Length() time.Duration { return s.Media[1] - s.Media[0] }

// Follows reports whether s is the segment directly after p in the same run.
func (s Segment) Follows(p Segment) bool { return s.Run == p.Run && s.Number == p.Number+1 }

// entry is a segment with the state of its file.
type entry struct {
	Segment                  // Start and End are not set
	start, end time.Duration // steady time
	pins       int           // number of holds that have linked the file
	inRing     bool
	parts      []Part
	sequence   int // counts the ring's segments
	breaks     int // segments up to this one that do not join the segment before
}

// Options configures a Ring.
type Options struct {
	Dir    string        // the camera's folder on the RAM disk
	Keep   time.Duration // length to keep
	Budget *Budget       // shared by all rings
	Log    *slog.Logger
	Seen   func() // called without locks after each segment that was added; may be nil
}

// Ring is the ring of one camera. Open makes a Ring.
type Ring struct {
	opt Options

	mu      sync.Mutex // guards all fields below
	entries []*entry   // in order of run and number
	bytes   int64      // of all files, in the ring or pinned, and of the segment that is being written
	lastRun int64
	inits   map[int64]initInfo
	holds   map[string]*Hold
	short   bool // the budget has shortened this ring
	clock   clock
	w       *Writer

	// arrival of the last frame that a segment can hold; 0: none came
	came    time.Duration
	lag     time.Duration // delay of segments; the files of a folder are read when they are whole
	gop     time.Duration // from keyframe to keyframe
	lastKey time.Duration // start of the GOP that is being written; 0: none
	changes time.Duration // time charged for the last runs; see changeTime
	changed time.Duration // when changes was updated last

	sequence int           // of the next segment
	breaks   int           // segments so far that did not join the segment before
	counted  Segment       // the last segment that has a number
	more     chan struct{} // closed at the next part; nil if nobody waits
	closed   bool
}

type initInfo struct {
	movie fmp4.Movie
	hash  string
	bytes int64
}

// segments and pins are the folders of a camera: segments, and the links of open events.
func (r *Ring) segments() string { return filepath.Join(r.opt.Dir, "ring") }
func (r *Ring) pins() string     { return filepath.Join(r.opt.Dir, "pins") }

var (
	segmentName = regexp.MustCompile(`^r(\d{13})-(\d{6,9})\.m4s(\.tmp)?$`)
	ownName     = regexp.MustCompile(`^(r\d{13}-(\d{6,9}\.(m4s|silent)|init\.mp4|live\.m3u8))(\.tmp)?$`)
)

func initName(run int64) string { return fmt.Sprintf("r%013d-init.mp4", run) }

// --- Opening and closing ---

// Open makes the ring's folders and takes over the segments that an earlier process of Preroll left, the unfinished
// segment included. Open does not touch files that Preroll did not make.
func Open(opt Options) (*Ring, error) {
	r := &Ring{opt: opt, inits: map[int64]initInfo{}, holds: map[string]*Hold{}, clock: newClock()}
	for _, d := range []string{r.segments(), r.pins()} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return nil, fmt.Errorf("make ring: %w", err)
		}
	}
	if err := r.scan(); err != nil {
		return nil, err
	}
	opt.Budget.join(r)
	return r, nil
}

// Close gives the ring's share of the budget back, and wakes whoever waits for more. The files stay for the next
// process.
func (r *Ring) Close() {
	r.opt.Budget.leave(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.notify()
}

// Erase removes the camera's folder because the camera is gone or switched off. Erase removes only what Preroll made.
// Segments that an open event holds stay, and so does the folder.
func (r *Ring) Erase() {
	r.mu.Lock()
	for len(r.entries) > 0 {
		r.drop()
	}
	r.mu.Unlock()
	erase(r.opt.Dir)
}

// EraseAll is Erase for the folder of a camera that nobody records. A folder that Preroll did not make loses nothing.
func EraseAll(dir string) {
	if fi, err := os.Lstat(filepath.Join(dir, "ring")); err == nil && fi.IsDir() {
		erase(dir)
	}
}

func erase(dir string) {
	segments := filepath.Join(dir, "ring")
	list, _ := os.ReadDir(segments)
	for _, f := range list {
		if ownName.MatchString(f.Name()) && f.Type().IsRegular() {
			_ = os.Remove(filepath.Join(segments, f.Name()))
		}
	}
	for _, d := range []string{segments, filepath.Join(dir, "pins"), dir} { // only empty folders are removed
		_ = os.Remove(d)
	}
}

// FolderGone reports whether somebody else removed the ring's folder.
func (r *Ring) FolderGone() bool {
	_, err := os.Stat(r.segments())
	return errors.Is(err, fs.ErrNotExist)
}

// nextRun returns the number of a new run. A number is the time in milliseconds, and always higher than every known
// number, so numbers never repeat. r.mu is held.
func (r *Ring) nextRun() int64 {
	r.lastRun = max(time.Now().UnixMilli(), r.lastRun+1)
	return r.lastRun
}

// scan takes over every segment that an earlier process wrote into the folder, and removes the other files of that
// process.
func (r *Ring) scan() error {
	list, err := os.ReadDir(r.segments()) // sorted by name, and so by run and number
	if err != nil {
		return fmt.Errorf("read ring: %w", err)
	}
	var bad string
	var why error
	for _, f := range list {
		m := segmentName.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		run, _ := strconv.ParseInt(m[1], 10, 64)
		number, _ := strconv.Atoi(m[2])
		path := filepath.Join(r.segments(), f.Name())
		e, err := r.read(path, run, number)
		if err == nil && m[3] != "" { // the earlier process was writing it
			e.Path = strings.TrimSuffix(path, m[3])
			err = os.Rename(path, e.Path)
		}
		if err != nil {
			bad, why = f.Name(), err
			continue
		}
		at, found := slices.BinarySearchFunc(r.entries, e, compareEntries)
		if found {
			continue
		}
		e.inRing = true
		r.entries = slices.Insert(r.entries, at, e)
		r.bytes += e.Bytes
		r.lastRun = max(r.lastRun, e.Run)
	}

	if bad != "" {
		r.opt.Log.Warn("segments are not usable", "segment", bad, "err", why)
	}
	for _, f := range list {
		m := ownName.FindStringSubmatch(f.Name())
		if m == nil || !f.Type().IsRegular() {
			continue
		}
		used := slices.ContainsFunc(r.entries, func(e *entry) bool {
			return strings.HasPrefix(f.Name(), fmt.Sprintf("r%013d-", e.Run))
		})
		if m[4] != "" || m[3] == "silent" || !used {
			_ = os.Remove(filepath.Join(r.segments(), f.Name()))
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	for run := range r.inits {
		r.dropInit(run)
	}
	for _, e := range r.entries {
		r.count(e)
	}
	return nil
}

// --- Segments and their files ---

func compareEntries(a, b *entry) int {
	if a.Run != b.Run {
		return int(min(max(a.Run-b.Run, -1), 1))
	}
	return a.Number - b.Number
}

// at returns the segment of an entry with its wall times. r.mu is held.
func (r *Ring) at(e *entry) Segment {
	s := e.Segment
	s.steady = [2]time.Duration{e.start, e.end}
	return r.timed(s)
}

// timed returns the segment with wall times by the present offset of the clock. r.mu is held.
func (r *Ring) timed(s Segment) Segment {
	s.Start, s.End = r.clock.wall(s.steady[0]), r.clock.wall(s.steady[1])
	return s
}

// Between returns the time from the end of a to the start of b. A change of this machine's clock in between does not
// matter.
func Between(a, b Segment) time.Duration {
	if a.steady[1] == 0 || b.steady[0] == 0 { // an earlier process made one of them
		return b.Start.Sub(a.End)
	}
	return b.steady[0] - a.steady[1]
}

// read reads the file of a segment. The file must be a plain file with the run's init section beside it. If the file
// was being written, read cuts it behind its last whole fragment.
func (r *Ring) read(path string, run int64, number int) (*entry, error) {
	f, fi, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	initPath := filepath.Join(filepath.Dir(path), initName(run))
	info, err := r.initOf(run, initPath)
	if err != nil {
		return nil, err
	}
	list := fmp4.Segment(f, fi.Size(), info.movie)
	frames := 0
	for _, fr := range list {
		frames += fr.Frames
	}
	if frames == 0 {
		return nil, fmp4.ErrNoVideo
	}
	first, last := list[0], list[len(list)-1]
	size := fi.Size()
	if last.End != size {
		if !strings.HasSuffix(path, ".tmp") {
			return nil, errors.New("the segment is cut off")
		}
		size = last.End
		if err := os.Truncate(path, size); err != nil {
			return nil, err
		}
	}

	end := fi.ModTime() // segments of the first form contain no wall time
	for _, fr := range list {
		if !fr.Wall.IsZero() {
			end = fr.Wall.Add(last.Media[1] - fr.Media[0])
		}
	}
	e := &entry{end: r.clock.of(end),
		Segment: Segment{Run: run, Number: number, Path: path, Init: initPath, Params: info.hash,
			Media: [2]time.Duration{first.Media[0], last.Media[1]}, Key: first.Key, Frames: frames, Bytes: size}}
	var from int64
	for _, fr := range list {
		e.parts = append(e.parts, Part{from, fr.End, fr.Media, fr.Key})
		from = fr.End
	}
	e.start = e.end - e.Length()
	return e, nil
}

// initOf returns the init section of a run. It reads the file at path only if the ring does not know the run.
func (r *Ring) initOf(run int64, path string) (initInfo, error) {
	r.mu.Lock()
	info, ok := r.inits[run]
	r.mu.Unlock()
	if ok {
		return info, nil
	}
	f, fi, err := openPlain(path)
	if err != nil {
		return initInfo{}, err
	}
	defer func() { _ = f.Close() }()
	movie, b, err := fmp4.ReadInitFile(f, fi.Size())
	if err != nil {
		return initInfo{}, err
	}
	info = initInfo{movie, hashOf(b), int64(len(b))}
	r.mu.Lock()
	if _, ok := r.inits[run]; !ok {
		r.inits[run] = info
		r.bytes += info.bytes
	}
	r.mu.Unlock()
	return info, nil
}

func hashOf(init []byte) string {
	h := sha256.Sum256(init)
	return hex.EncodeToString(h[:8])
}

// openPlain opens a plain file. A link, folder or device that somebody put there is an error.
func openPlain(path string) (*os.File, os.FileInfo, error) {
	if fi, err := os.Lstat(path); err != nil {
		return nil, nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a plain file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a plain file", filepath.Base(path))
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// --- Dropping segments ---

// prune drops whole GOPs that are beyond the length to keep, and all segments from before a long interruption. r.mu is
// held.
func (r *Ring) prune() {
	var total time.Duration
	for _, e := range r.entries {
		total += e.Length()
	}
	if r.short && total >= r.opt.Keep-total/time.Duration(max(1, len(r.entries))) {
		r.short = false
		r.opt.Log.Info("RAM is enough again; the ring has its full length", "duration", total)
	}
	now := r.clock.steady()
	for {
		n := r.firstGOP()
		if n == 0 {
			break
		}
		var length time.Duration
		for _, e := range r.entries[:n] {
			length += e.Length()
		}

		// Video from before a long interruption is of no use, however short the ring is.
		if total-length < r.opt.Keep && now-r.entries[n-1].end < r.opt.Keep+r.lag+time.Minute {
			return
		}
		total -= length
		for range n {
			r.drop()
		}
	}

	for len(r.entries) > 0 && now-r.entries[len(r.entries)-1].end > r.opt.Keep+r.lag+time.Minute &&
		(r.w == nil || r.w.f == nil) {
		r.drop()
	}
}

// drop removes the oldest segment from the ring. The links of open events stay. r.mu is held.
func (r *Ring) drop() { r.remove(0) }

// remove removes entry i from the ring. The links of open events stay. r.mu is held.
func (r *Ring) remove(i int) {
	e := r.entries[i]
	r.entries = slices.Delete(r.entries, i, i+1)
	if err := os.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.opt.Log.Warn("segment was not removed", "path", e.Path, "err", err)
	}
	e.inRing = false
	r.forget(e)
	if r.w == nil || r.w.run != e.Run {
		r.dropInit(e.Run)
	}
}

// dropInit removes the init section of a run if the ring has no segment of the run. r.mu is held.
func (r *Ring) dropInit(run int64) {
	if slices.ContainsFunc(r.entries, func(e *entry) bool { return e.Run == run }) {
		return
	}
	r.bytes -= r.inits[run].bytes
	delete(r.inits, run)
	_ = os.Remove(filepath.Join(r.segments(), initName(run)))
}

// forget counts the bytes of a segment as free if neither the ring nor a hold needs the segment. r.mu is held.
func (r *Ring) forget(e *entry) {
	if !e.inRing && e.pins == 0 {
		r.bytes -= e.Bytes
	}
}

// --- Status ---

// Status is the state of a ring at one moment.
type Status struct {
	Length  time.Duration // media in the ring
	Bytes   int64         // on the RAM disk, including what open events hold
	Newest  time.Time     // end of the newest segment; zero if there is none
	Segment time.Duration // length of the newest segment
	GOP     time.Duration // from keyframe to keyframe
	BitRate float64       // bits per second, over the newest ten segments
	Short   bool          // shortened because the RAM budget is used up
	Stamps  bool          // the camera's stamps are believed
}

// Status returns the ring's state now.
func (r *Ring) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Bytes: r.bytes, Short: r.short, GOP: r.gop, Stamps: r.w == nil || r.w.believed}
	if r.lastKey != 0 {
		s.GOP = max(s.GOP, r.came-r.lastKey)
	}
	for _, e := range r.entries {
		s.Length += e.Length()
	}
	if n := len(r.entries); n > 0 {
		newest := r.entries[n-1]
		s.Newest, s.Segment = r.clock.wall(newest.end), newest.Length()
		var bits float64
		var over time.Duration
		for _, e := range r.entries[max(0, n-10):] {
			bits += float64(e.Bytes) * 8
			over += e.Length()
		}
		if over > 0 {
			s.BitRate = bits / over.Seconds()
		}
	}

	if r.w != nil && r.w.f != nil {
		s.Length += max(0, r.w.seg.end-r.w.seg.start)
	}
	return s
}

// SinceLastFrame returns the time since the last frame arrived that a segment can hold.
func (r *Ring) SinceLastFrame() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.came == 0 {
		return math.MaxInt64
	}
	return r.clock.steady() - r.came
}

// recent is how long ago the last frame of a camera may have come if the camera is not silent. The time is long enough
// for a busy machine, and for a camera that sends one frame in two seconds at night.
const recent = 3 * time.Second

// Receiving reports whether frames arrive now that a segment can hold.
func (r *Ring) Receiving() bool { return r.SinceLastFrame() < recent+r.Lag() }

// Lag returns the delay between the end of a segment and its arrival in the ring.
func (r *Ring) Lag() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

// --- Reading segments ---

// Newest returns the newest segment that begins with a keyframe, and reports whether there is one.
func (r *Ring) Newest() (Segment, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.entries) {
		if e.Key {
			return r.at(e), true
		}
	}
	return Segment{}, false
}

// Video returns the init section and the segment, which play together. Video fails if they have more than limit bytes.
// The error is [fs.ErrNotExist] if the ring has dropped the segment.
func (s Segment) Video(limit int64) ([]byte, error) {
	var video []byte
	for _, path := range []string{s.Init, s.Path} {
		f, fi, err := openPlain(path)
		if err != nil {
			return nil, err
		}
		size := fi.Size()
		if limit -= size; limit < 0 {
			_ = f.Close()
			return nil, fmt.Errorf("%s is too large for a picture", filepath.Base(path))
		}
		n := len(video)
		video = append(video, make([]byte, size)...)
		_, err = io.ReadFull(f, video[n:])
		_ = f.Close()
		if err != nil {
			return nil, err
		}
	}

	return video, nil
}

// Open opens the init section and the segment, for an FFmpeg that reads one after the other. The error is
// [fs.ErrNotExist] if the ring has dropped the segment.
func (s Segment) Open() (files [2]*os.File, err error) {
	for i, path := range []string{s.Init, s.Path} {
		if files[i], _, err = openPlain(path); err != nil {
			if i > 0 {
				_ = files[0].Close()
			}
			return files, err
		}
	}
	return files, nil
}

// SetKeep changes the length to keep.
func (r *Ring) SetKeep(keep time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opt.Keep = keep
	r.prune()
}

// failure turns an error of a write to the RAM disk into an error that names the cause.
func (r *Ring) failure(err error) error {
	switch {
	case r.FolderGone():
		return source.RAMGone.Failure(nil)
	case disk.Full(err):
		return source.RAMFull.Failure(nil)
	}
	return fmt.Errorf("write ring: %w", err)
}

// Package ring keeps a camera's newest segments on the RAM disk.
//
// A [Writer] is the sink of the camera's source: it writes samples into segments, part by part, and asks the [Budget]
// before each. The ring drops the oldest GOPs and hands out holds: hard links that keep the segments of an open event
// until their bytes are durable elsewhere. In come samples, out come [Segment] values in order. The package starts no
// goroutine; every method may be called from any.
//
// # Time
//
// Media time lies on the steady clock of this machine: it says when a frame arrived, smoothed by the camera's stamps
// (see [source.Timeline]). The ring keeps steady times alone. Wall time is derived when a segment is handed out, and
// written into each fragment as producer reference time, so that the ring means the same after a crash.
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

// Target is the wished length of a segment; it ends at the first keyframe after.
const Target = time.Second

// Segment is one complete segment.
type Segment struct {
	Run    int64 // number of the run; higher is later
	Number int   // number in the run, from 0
	Path   string
	Init   string // path of the run's init section
	Params string // hash of the init section: equal means that two runs can be joined
	Start  time.Time
	End    time.Time
	Media  [2]time.Duration // start and end in media time of the run
	Key    bool             // begins with a keyframe; else it goes on with the GOP of the segment before
	Frames int
	Bytes  int64

	steady [2]time.Duration // what Start and End were made of; 0 if they are known from an earlier process
}

// Length is the segment's length.
func (s Segment) Length() time.Duration { return s.Media[1] - s.Media[0] }

// Follows reports whether s comes directly after p: the next one of the same run.
func (s Segment) Follows(p Segment) bool { return s.Run == p.Run && s.Number == p.Number+1 }

// entry is a segment and what is known of its file.
type entry struct {
	Segment                  // its wall times are not set
	start, end time.Duration // steady time
	pins       int           // holds that have linked it
	inRing     bool
}

// Options configures a Ring.
type Options struct {
	Dir    string        // the camera's folder on the RAM disk
	Keep   time.Duration // length to keep
	Budget *Budget       // shared by all rings
	Log    *slog.Logger
	Seen   func() // called, outside locks, whenever a segment was added; may be nil
}

// Ring is a camera's ring. Make one with Open.
type Ring struct {
	opt Options

	mu      sync.Mutex // guards all below
	entries []*entry   // in order of run and number
	bytes   int64      // of all files, in the ring or pinned, and of what is being written
	lastRun int64
	inits   map[int64]initInfo
	holds   map[string]*Hold
	short   bool // the budget has shortened this ring
	clock   clock
	w       *Writer
	came    time.Duration // when the last picture came that a segment can hold; 0: none
	// by how much segments come later than they end: a folder's files are read when they are whole
	lag     time.Duration
	gop     time.Duration // from keyframe to keyframe
	lastKey time.Duration // when the GOP that is being written began; 0: none is
	changes time.Duration // what the last runs cost; see changeTime
	changed time.Duration // when that was counted last
}

type initInfo struct {
	movie fmp4.Movie
	hash  string
	bytes int64
}

// folders of a camera: segments, and the links of open events.
func (r *Ring) segments() string { return filepath.Join(r.opt.Dir, "ring") }
func (r *Ring) pins() string     { return filepath.Join(r.opt.Dir, "pins") }

var (
	segmentName = regexp.MustCompile(`^r(\d{13})-(\d{6,9})\.m4s(\.tmp)?$`)
	ownName     = regexp.MustCompile(`^(r\d{13}-(\d{6,9}\.(m4s|silent)|init\.mp4|live\.m3u8))(\.tmp)?$`)
)

func initName(run int64) string { return fmt.Sprintf("r%013d-init.mp4", run) }

// Open makes the ring's folders and takes over what an earlier process of Preroll left in them, the segment that it was
// just writing included. Files that Preroll did not make are not touched.
func Open(opt Options) (*Ring, error) {
	r := &Ring{opt: opt, inits: map[int64]initInfo{}, holds: map[string]*Hold{}, clock: newClock()}
	for _, d := range []string{r.segments(), r.pins()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make ring: %w", err)
		}
	}
	if err := r.scan(); err != nil {
		return nil, err
	}
	opt.Budget.join(r)
	return r, nil
}

// Close gives the ring's share of the budget back. The files stay for the next process.
func (r *Ring) Close() { r.opt.Budget.leave(r) }

// Erase removes the camera's folder as far as Preroll made what is in it, because the camera is gone or switched off.
// What an open event holds stays, and so the folder.
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
	for _, d := range []string{segments, filepath.Join(dir, "pins"), dir} { // those that are empty
		_ = os.Remove(d)
	}
}

// FolderGone reports whether the ring's folder was removed by somebody else.
func (r *Ring) FolderGone() bool {
	_, err := os.Stat(r.segments())
	return errors.Is(err, fs.ErrNotExist)
}

// nextRun returns the number of a new run. Numbers never repeat: they are the time in milliseconds, and always above
// every number that is known. r.mu is held.
func (r *Ring) nextRun() int64 {
	r.lastRun = max(time.Now().UnixMilli(), r.lastRun+1)
	return r.lastRun
}

// scan takes every segment in the folder that an earlier process wrote, and removes its leftovers.
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
		if err == nil && m[3] != "" { // it was being written
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
	return nil
}

func compareEntries(a, b *entry) int {
	if a.Run != b.Run {
		return int(min(max(a.Run-b.Run, -1), 1))
	}
	return a.Number - b.Number
}

// at returns an entry's segment with its wall times. r.mu is held.
func (r *Ring) at(e *entry) Segment {
	s := e.Segment
	s.steady = [2]time.Duration{e.start, e.end}
	return r.timed(s)
}

// timed returns a segment with its wall times by what the clock says now. r.mu is held.
func (r *Ring) timed(s Segment) Segment {
	s.Start, s.End = r.clock.wall(s.steady[0]), r.clock.wall(s.steady[1])
	return s
}

// Between is the time from the end of a segment until another one, whatever was done to this machine's clock meanwhile.
func Between(a, b Segment) time.Duration {
	if a.steady[1] == 0 || b.steady[0] == 0 { // known from an earlier process
		return b.Start.Sub(a.End)
	}
	return b.steady[0] - a.steady[1]
}

// read reads a segment's file. It must be a plain file with its run's init section beside it. Of a file that was being
// written, its whole fragments are taken.
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
	end := fi.ModTime() // of the first form's segments
	for _, fr := range list {
		if !fr.Wall.IsZero() {
			end = fr.Wall.Add(last.Media[1] - fr.Media[0])
		}
	}
	e := &entry{end: r.clock.of(end),
		Segment: Segment{Run: run, Number: number, Path: path, Init: initPath, Params: info.hash,
			Media: [2]time.Duration{first.Media[0], last.Media[1]}, Key: first.Key, Frames: frames, Bytes: size}}
	e.start = e.end - e.Length()
	return e, nil
}

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

// openPlain opens a plain file, and no link, folder or device that somebody put there.
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

// prune drops whole GOPs that are beyond the length to keep. r.mu is held.
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
		// What came before a long interruption helps nobody, however short it is.
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

// drop takes the oldest segment out of the ring; an open event's link to it stays. r.mu is held.
func (r *Ring) drop() { r.remove(0) }

// remove takes a segment out of the ring. r.mu is held.
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

// dropInit removes the init section of a run of which the ring has no segment. r.mu is held.
func (r *Ring) dropInit(run int64) {
	if slices.ContainsFunc(r.entries, func(e *entry) bool { return e.Run == run }) {
		return
	}
	r.bytes -= r.inits[run].bytes
	delete(r.inits, run)
	_ = os.Remove(filepath.Join(r.segments(), initName(run)))
}

// forget counts a segment's bytes as free when neither the ring nor a hold needs it. r.mu is held.
func (r *Ring) forget(e *entry) {
	if !e.inRing && e.pins == 0 {
		r.bytes -= e.Bytes
	}
}

// Status is a ring at one moment.
type Status struct {
	Length  time.Duration // media in the ring
	Bytes   int64         // on the RAM disk, with what open events hold
	Newest  time.Time     // end of the newest segment; zero if there is none
	Segment time.Duration // length of the newest segment
	GOP     time.Duration // from keyframe to keyframe
	BitRate float64       // bits a second, over the newest ten segments
	Short   bool          // shortened, because the RAM budget is used up
	Stamps  bool          // the camera's time stamps are believed
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

// SinceLastFrame is for how long no picture came that a segment can hold.
func (r *Ring) SinceLastFrame() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.came == 0 {
		return math.MaxInt64
	}
	return r.clock.steady() - r.came
}

// recent is how long ago the last picture of a camera may have come that is not silent. It is long for a busy machine,
// and for a camera that sends one picture in two seconds at night.
const recent = 3 * time.Second

// Receiving reports whether pictures come now that a segment can hold.
func (r *Ring) Receiving() bool { return r.SinceLastFrame() < recent+r.Lag() }

// Lag is by how much segments come later than they end.
func (r *Ring) Lag() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

// Newest returns the newest segment that begins with a keyframe; false if there is none.
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

// Live is the path of the playlist of what is recorded now, "" if there is none. Each run has its own.
func (r *Ring) Live() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w == nil || !r.w.listed {
		return ""
	}
	return r.livePath(r.w.run)
}

func (r *Ring) livePath(run int64) string {
	return filepath.Join(r.segments(), fmt.Sprintf("r%013d-live.m3u8", run))
}

// Video returns the init section and the segment, which together play, unless they are larger than a number of bytes.
// The error is [fs.ErrNotExist] once the ring has dropped the segment.
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

// SetKeep changes the length to keep.
func (r *Ring) SetKeep(keep time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opt.Keep = keep
	r.prune()
}

// failure names what a write to the RAM disk failed for.
func (r *Ring) failure(err error) error {
	switch {
	case r.FolderGone():
		return source.RAMGone.Failure(nil)
	case disk.Full(err):
		return source.RAMFull.Failure(nil)
	}
	return fmt.Errorf("write ring: %w", err)
}

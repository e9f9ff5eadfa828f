// Package ring keeps a camera's newest segments on the RAM disk.
//
// FFmpeg writes segments into the ring's folder and renames each when it is complete; a Ring sees the rename, reads
// the segment's times, drops the oldest ones, and hands out holds: hard links that keep the segments of an open event
// until their bytes are durable elsewhere. In come files, out come [Segment] values in order. Run owns the only
// goroutine; every method may be called from any goroutine.
//
// # Time
//
// A segment's media time counts from the beginning of its run, by the camera's clock. Its wall time comes from this
// machine alone: the file's modification time is when its last byte arrived, which is its end plus a delay that
// changes from segment to segment. The smallest delay that was seen in the ring is taken for all, so a busy machine or
// FFmpeg's own buffering at the start does not move the times.
package ring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Target is the wished length of a segment; it ends at the first keyframe after.
const Target = time.Second

// Segment is one complete segment.
type Segment struct {
	Run     int64 // number of the run; higher is later
	Number  int   // number in the run, from 0
	Path    string
	Init    string // path of the run's init section
	Params  string // hash of the init section: equal means that two runs can be joined
	Start   time.Time
	End     time.Time
	Media   [2]time.Duration // start and end in media time of the run
	Holes   [][2]time.Time   // times in it without a frame of a second or more
	Jump    time.Duration    // what of its media time is no time: the camera's clock was set in it, forward or back
	Settled bool             // how late segments of its epoch are written is known: a later one was no less late
	Epoch   int              // segments of a run and an epoch share the relation of media time to wall time; 0: not known
	Frames  int
	Bytes   int64
}

// Length is the segment's length.
func (s Segment) Length() time.Duration { return s.Media[1] - s.Media[0] - s.Jump }

// Follows tells whether s comes directly after p: the next one of the same run.
func (s Segment) Follows(p Segment) bool { return s.Run == p.Run && s.Number == p.Number+1 }

// entry is a segment and what is known of its file.
type entry struct {
	Segment
	written  time.Time // modification time
	epoch    int       // entries of one epoch share the relation of media time to wall time
	holes    []span    // times without a frame, in media time
	squeezed time.Duration
	pins     int // holds that have linked it
	inRing   bool
	stamped  bool         // its file's time was put right; see stamp
	silent   [2]time.Time // time without a picture that FFmpeg has taken out
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
	bytes   int64      // of all files, in the ring or pinned
	epoch   int
	lastRun int64
	inits   map[int64]initInfo
	latest  *entry           // the newest there was, which may have left the ring
	least   map[int]smallest // by epoch
	begun   moment           // when the present run's media time began, at the latest
	grown   moment           // when a run was said to have more pictures than before,
	frames  int              // and how many
	jumped  moment           // when its time stamps leapt
	holds   map[string]*Hold
	short   bool // the budget has shortened this ring
	clock   clock
	faulty  bool // the last file was no usable segment
}

type initInfo struct {
	params
	hash string
}

// folders of a camera: segments, and the links of open events.
func (r *Ring) segments() string { return filepath.Join(r.opt.Dir, "ring") }
func (r *Ring) pins() string     { return filepath.Join(r.opt.Dir, "pins") }

var (
	segmentName = regexp.MustCompile(`^r(\d{13})-(\d{6,9})\.m4s$`)
	ownName     = regexp.MustCompile(`^r\d{13}-(\d{6,9}\.(m4s|silent)|init\.mp4|live\.m3u8)(\.tmp)?$`)
)

// Open makes the ring's folders and takes over what an earlier life of Preroll left in them. Files that Preroll did
// not make are not touched.
func Open(opt Options) (*Ring, error) {
	r := &Ring{opt: opt, inits: map[int64]initInfo{}, least: map[int]smallest{}, holds: map[string]*Hold{}, clock: newClock()}
	for _, d := range []string{r.segments(), r.pins()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make ring: %w", err)
		}
	}
	if err := r.scan(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.sweep()
	r.mu.Unlock()
	opt.Budget.join(r)
	return r, nil
}

// Close gives the ring's share of the budget back. The files stay for the next life.
func (r *Ring) Close() { r.opt.Budget.leave(r) }

// Gone tells whether the ring's folder was removed by somebody else.
func (r *Ring) Gone() bool {
	_, err := os.Stat(r.segments())
	return errors.Is(err, fs.ErrNotExist)
}

// NextRun returns the number of a new run and the prefix of its file names. Numbers never repeat: they are the time in
// milliseconds, and always above every number that is known.
func (r *Ring) NextRun() (dir, prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastRun = max(time.Now().UnixMilli(), r.lastRun+1)
	return r.segments(), fmt.Sprintf("r%013d-", r.lastRun)
}

// Reached notes that the run of a prefix has come to a media time now, with a number of pictures. A segment that is written
// late, as the last one is when the camera falls silent, is timed by that where there is no other.
func (r *Ring) Reached(prefix string, media time.Duration, frames int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, err := strconv.ParseInt(strings.Trim(prefix, "r-"), 10, 64)
	if err != nil {
		return
	}
	r.lookAtClock()
	if at := time.Now().Round(0).Add(-media); r.begun.run != run || at.Before(r.begun.at) {
		r.begun = moment{run, at}
	}
	if r.grown.run != run || frames > r.frames {
		r.grown, r.frames = moment{run, time.Now()}, frames
	}
}

// lately is how long ago the last picture of a camera may have come that is not silent. It is long for a busy machine, and
// for a camera that sends one picture in two seconds at night.
const lately = 3 * time.Second

// Growing tells whether the newest run gets pictures now that a segment can hold, be that complete or not.
func (r *Ring) Growing() bool { return r.Silent() < lately }

// Silent is for how long the newest run has got no picture that a segment can hold.
func (r *Ring) Silent() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.grown.run != r.lastRun || r.faulty {
		return math.MaxInt64
	}
	return time.Since(r.grown.at)
}

// Discard drops all that a run has written, since it was started for another stream than the camera sends.
func (r *Ring) Discard(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = slices.DeleteFunc(r.entries, func(e *entry) bool {
		if !strings.HasPrefix(filepath.Base(e.Path), prefix) {
			return false
		}
		e.inRing = false
		r.forget(e)
		return true
	})
	list, _ := os.ReadDir(r.segments())
	for _, f := range list {
		if strings.HasPrefix(f.Name(), prefix) && ownName.MatchString(f.Name()) && f.Type().IsRegular() {
			_ = os.Remove(filepath.Join(r.segments(), f.Name()))
		}
	}
}

// Run watches the folder until ctx ends.
func (r *Ring) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch ring: %w", err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Add(r.segments()); err != nil {
		return fmt.Errorf("watch ring: %w", err)
	}
	if err := r.scan(); err != nil { // what came before the watch began
		return err
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-w.Events:
			if ev.Has(fsnotify.Create) {
				r.add(filepath.Base(ev.Name))
			}
		case err := <-w.Errors:
			r.opt.Log.Warn("ring watch lost events", "err", err)
			if err := r.scan(); err != nil {
				return err
			}
		case <-tick.C:
			r.mu.Lock()
			r.lookAtClock()
			r.prune()
			r.mu.Unlock()
		}
	}
}

// scan adds every segment in the folder that is not known.
func (r *Ring) scan() error {
	list, err := os.ReadDir(r.segments()) // sorted by name, and so by run and number
	if err != nil {
		return fmt.Errorf("read ring: %w", err)
	}
	for _, e := range list {
		r.add(e.Name())
	}
	return nil
}

// add takes a complete segment into the ring, and ignores any other file.
func (r *Ring) add(name string) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return
	}
	run, _ := strconv.ParseInt(m[1], 10, 64)
	number, _ := strconv.Atoi(m[2])
	e, err := r.read(filepath.Join(r.segments(), name), run, number)
	r.mu.Lock()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !r.faulty { // once: a full RAM disk brings one after the other
			r.faulty = true
			r.opt.Log.Warn("segments are not usable", "segment", name, "err", err)
		}
		r.mu.Unlock()
		return
	}
	r.faulty = false
	if step := r.lookAtClock(); step != 0 && r.clock.since(e.written).Abs() > step.Abs()/2 { // written before the clock was set
		e.written = e.written.Add(step)
		touch(e.Path, e.written)
	}
	if !r.insert(e) {
		r.mu.Unlock()
		return
	}
	r.stamp(e.epoch)
	r.prune()
	r.mu.Unlock()
	full := r.opt.Budget.fit()

	r.mu.Lock()
	for _, h := range r.holds {
		h.take(e, full)
	}
	r.mu.Unlock()
	r.opt.Log.Debug("segment", "segment", name, "bytes", e.Bytes, "took", e.Length())
	if r.opt.Seen != nil {
		r.opt.Seen()
	}
}

// insert puts an entry in its place and tells whether it is new. r.mu is held.
func (r *Ring) insert(e *entry) bool {
	at, found := slices.BinarySearchFunc(r.entries, e, order)
	if found {
		return false
	}
	e.inRing = true
	e.epoch = r.epochOf(at, e)
	r.learn(e)
	r.entries = slices.Insert(r.entries, at, e)
	r.bytes += e.Bytes
	r.lastRun = max(r.lastRun, e.Run)
	return true
}

func order(a, b *entry) int {
	if a.Run != b.Run {
		return int(min(max(a.Run-b.Run, -1), 1))
	}
	return a.Number - b.Number
}

// delay is how much later than its media time a segment was written.
func (e *entry) delay() time.Duration { return time.Duration(e.written.UnixNano()) - e.Media[1] }

// jump is a change of delay that no busy machine explains: a clock was set, this machine's or the camera's.
const jump = 30 * time.Second

// epochOf decides whether an entry shares the time relation of the one before it. Where media time runs ahead by what
// the segment came too early, the camera's clock was set: that is no hole in its video. Set back, it squeezes frames
// together. r.mu is held.
func (r *Ring) epochOf(at int, e *entry) int {
	p := r.latest // which may have left the ring already
	if at > 0 {
		p = r.entries[at-1]
	}
	if p != nil && order(p, e) < 0 {
		hole, between := longest(e.holes).length(), e.Media[0]-p.Media[1]
		d := e.delay() - p.delay()
		ahead := p.Run == e.Run && p.Number+1 == e.Number && max(hole, between) >= leastHole && d < -max(hole, between)/2
		back := p.Run == e.Run && e.squeezed >= leastHole && d > e.squeezed/2
		switch {
		case ahead:
			most := longest(e.holes)
			e.Jump, e.holes = hole, slices.DeleteFunc(slices.Clone(e.holes), func(s span) bool { return s == most })
		case back:
			e.Jump = -e.squeezed
		case !e.silent[1].IsZero(): // an earlier life knew
		case p.Run == e.Run && d.Abs() < jump:
			if !r.silence(p, e) {
				return p.epoch
			}
		}
	}
	r.epoch++
	return r.epoch
}

// moment is when something happened to a run.
type moment struct {
	run int64
	at  time.Time
}

// Jumped notes that the run of a prefix had a leap in its camera's time stamps now, which FFmpeg has taken out: it counts
// frames from there.
func (r *Ring) Jumped(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run, err := strconv.ParseInt(strings.Trim(prefix, "r-"), 10, 64); err == nil {
		r.lookAtClock()
		r.jumped = moment{run, time.Now().Round(0)}
	}
}

// silence tells whether the leap of an entry's run was in it and was no clock that was set, but time without a picture:
// then what comes is later than counted frames say, from now on. That time is a hole. r.mu is held.
func (r *Ring) silence(p, e *entry) bool {
	at := r.jumped.at
	least, known := r.least[p.epoch]
	if r.jumped.run != e.Run || !known || at.After(e.written) || at.Before(p.written.Add(-p.Length())) {
		return false
	}
	s := e.delay() - least.delay
	if s < leastHole {
		return false
	}
	r.jumped = moment{}
	e.Jump, e.silent = -s, [2]time.Time{at.Add(-s), at}
	b, _ := json.Marshal(silentNote{s, e.written.Sub(at)})
	_ = os.WriteFile(silentName(e.Path), b, 0o600) // only the next life misses it
	return true
}

// silentNote is kept beside a segment with a silence that FFmpeg has taken out, for the next life: the segments behind it
// do not tell.
type silentNote struct {
	Length time.Duration
	Before time.Duration // from its end until the segment was written
}

func silentName(segment string) string { return strings.TrimSuffix(segment, ".m4s") + ".silent" }

// silentBefore gives a segment what an earlier life noted of it.
func (e *entry) silentBefore() {
	f, fi, err := openPlain(silentName(e.Path))
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, min(fi.Size(), 200))
	var n silentNote
	if _, err := io.ReadFull(f, b); err != nil || json.Unmarshal(b, &n) != nil || n.Length < leastHole || n.Before < 0 {
		return
	}
	at := e.written.Add(-n.Before)
	e.Jump, e.silent = -n.Length, [2]time.Time{at.Add(-n.Length), at}
}

// smallest is the smallest delay of an epoch, and where it was seen in media time.
type smallest struct {
	delay, at time.Duration
	guess     bool // from the run's progress, since all segments were late so far
	settled   bool // a later one was about as late, or later
}

// guessed is the delay of a run's first segment by the run's progress: that one may be written late, if it is the last one
// too. r.mu is held.
func (r *Ring) guessed(e *entry) (time.Duration, bool) {
	d := time.Duration(r.begun.at.UnixNano())
	return d, r.begun.run == e.Run && e.Number == 0 && d < e.delay()
}

// learn notes the delay of a new entry, if it is the smallest that its epoch had lately. Lately, since the camera's clock
// and this machine's go apart by seconds a day; but not only in what the ring still holds, which may be one segment that
// was written late. r.mu is held.
func (r *Ring) learn(e *entry) {
	before := r.latest
	if r.latest == nil || order(r.latest, e) < 0 {
		r.latest = e
	}
	s, known := r.least[e.epoch]
	if d, ok := r.guessed(e); ok && !known {
		r.least[e.epoch] = smallest{delay: d, at: e.Media[1], guess: true}
		return
	}
	if known && s.guess {
		real := smallest{delay: e.delay(), at: e.Media[1]}
		agree := false
		if before != nil && before.epoch == e.epoch {
			agree = (before.delay() - e.delay()).Abs() < steady
			if before.delay() < e.delay() {
				real = smallest{delay: before.delay(), at: before.Media[1]}
			}
		}
		if real.delay-s.delay > rough && !agree && e.Media[1]-s.at < r.opt.Keep { // that one is late too
			s.settled = true
			r.least[e.epoch] = s
			return
		}
		s, known = real, real.at != e.Media[1]
		r.least[e.epoch] = s
	}
	settled := known && e.delay() > s.delay-steady
	if d := e.delay(); !known || d < s.delay {
		s = smallest{delay: d, at: e.Media[1]}
	} else if e.Media[1]-s.at > r.opt.Keep+remembered {
		s = smallest{delay: d, at: e.Media[1]}
		for _, o := range r.entries {
			if d := o.delay(); o.epoch == e.epoch && d < s.delay {
				s = smallest{delay: d, at: o.Media[1]}
			}
		}
	}
	s.settled = settled
	r.least[e.epoch] = s
	if len(r.least) > keptEpochs {
		used := map[int]bool{e.epoch: true, r.latest.epoch: true}
		for _, o := range r.entries {
			used[o.epoch] = true
		}
		maps.DeleteFunc(r.least, func(epoch int, _ smallest) bool { return !used[epoch] })
	}
}

const (
	steady     = 100 * time.Millisecond // by which delays differ on a machine that is not busy
	rough      = 500 * time.Millisecond // to which a run's progress is known
	remembered = time.Minute            // for which a delay counts beyond the ring's length
	keptEpochs = 100                    // that are remembered before those are forgotten that have no segment any more
)

// timed returns the segments from entry i on with their wall times. r.mu is held.
func (r *Ring) timed(i int) []Segment {
	out := make([]Segment, 0, len(r.entries)-i)
	for _, e := range r.entries[i:] {
		s := e.at(r.least[e.epoch].delay)
		s.Settled = r.least[e.epoch].settled
		out = append(out, s)
	}
	return out
}

// at returns the segment with wall times that come from a delay.
func (e *entry) at(delay time.Duration) Segment {
	s := e.Segment
	s.Holes, s.Epoch = nil, e.epoch
	s.Start = time.Unix(0, int64(s.Media[0]+s.Jump+delay))
	s.End = time.Unix(0, int64(s.Media[1]+delay))
	if e.silent[1].Sub(e.silent[0]) >= time.Second {
		s.Holes = append(s.Holes, e.silent)
	}
	for _, h := range e.holes {
		if h.length() >= time.Second {
			s.Holes = append(s.Holes, [2]time.Time{time.Unix(0, int64(h[0]+delay)), time.Unix(0, int64(h[1]+delay))})
		}
	}
	return s
}

// read reads a segment's file. It must be a plain file with its run's init section beside it.
func (r *Ring) read(path string, run int64, number int) (*entry, error) {
	f, fi, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	initPath := filepath.Join(filepath.Dir(path), fmt.Sprintf("r%013d-init.mp4", run))
	info, err := r.initOf(run, initPath)
	if err != nil {
		return nil, err
	}
	fr, err := parseFragment(f, fi.Size(), info.params, true)
	if err != nil {
		return nil, err
	}
	e := &entry{written: fi.ModTime(), holes: fr.holes, squeezed: fr.squeezed, Segment: Segment{
		Run: run, Number: number, Path: path, Init: initPath, Params: info.hash,
		Media: [2]time.Duration{fr.start, fr.end}, Frames: fr.frames, Bytes: fi.Size()}}
	e.silentBefore()
	e.Segment = e.at(e.delay())
	return e, nil
}

// lateFile is by how much a segment's file may be later than its video before its time is put right.
const lateFile = time.Second

// stamp puts the times of files right that were written much later than others of their epoch would have been: the last
// one of a run, if FFmpeg waited for a camera that was gone. The next life may know no other one. r.mu is held.
func (r *Ring) stamp(epoch int) {
	for _, e := range r.entries {
		if late := e.delay() - r.least[epoch].delay; e.epoch == epoch && late > lateFile && !e.stamped {
			e.stamped = true
			touch(e.Path, e.written.Add(-late))
		}
	}
}

// touch sets a file's time, from which a next life reads when its segment was written.
func touch(path string, t time.Time) { _ = os.Chtimes(path, t, t) }

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
	if fi.Size() > maxBox {
		return initInfo{}, errBox
	}
	b := make([]byte, fi.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return initInfo{}, err
	}
	if info.params, err = parseInit(bytesAt(b), int64(len(b))); err != nil {
		return initInfo{}, err
	}
	h := sha256.Sum256(b)
	info.hash = hex.EncodeToString(h[:8])
	r.mu.Lock()
	r.inits[run] = info
	r.mu.Unlock()
	return info, nil
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

// prune drops what is beyond the length to keep. r.mu is held.
func (r *Ring) prune() {
	var total time.Duration
	for _, e := range r.entries {
		total += e.Length()
	}
	if r.short && total >= r.opt.Keep-total/time.Duration(max(1, len(r.entries))) {
		r.short = false
		r.opt.Log.Info("RAM is enough again; the ring has its full length", "took", total)
	}
	for len(r.entries) > 0 {
		e := r.entries[0]
		// What came before a long interruption helps nobody, however short it is.
		if total-e.Length() < r.opt.Keep && r.clock.since(e.written) < r.opt.Keep+time.Minute {
			return
		}
		total -= e.Length()
		r.drop()
	}
}

// drop takes the oldest segment out of the ring; an open event's link to it stays. r.mu is held.
func (r *Ring) drop() {
	e := r.entries[0]
	r.entries = slices.Delete(r.entries, 0, 1)
	if err := os.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.opt.Log.Warn("segment was not removed", "path", e.Path, "err", err)
	}
	if !e.silent[1].IsZero() {
		_ = os.Remove(silentName(e.Path))
	}
	e.inRing = false
	r.forget(e)
	if !slices.ContainsFunc(r.entries, func(o *entry) bool { return o.Run == e.Run }) && e.Run != r.lastRun {
		r.dropRun(e.Run)
	}
}

// dropRun removes what is left of a run that has no segment any more. r.mu is held.
func (r *Ring) dropRun(run int64) {
	delete(r.inits, run)
	for _, name := range []string{"init.mp4", "live.m3u8"} {
		_ = os.Remove(filepath.Join(r.segments(), fmt.Sprintf("r%013d-%s", run, name)))
	}
}

// forget counts a segment's bytes as free when neither the ring nor a hold needs it. r.mu is held.
func (r *Ring) forget(e *entry) {
	if !e.inRing && e.pins == 0 {
		r.bytes -= e.Bytes
	}
}

// sweep removes Preroll's own leftovers of an earlier life: half-written files, and runs without a segment. r.mu is
// held and no FFmpeg writes.
func (r *Ring) sweep() {
	list, err := os.ReadDir(r.segments())
	if err != nil {
		return
	}
	for _, f := range list {
		m := ownName.FindStringSubmatch(f.Name())
		if m == nil || !f.Type().IsRegular() {
			continue
		}
		run, _ := strconv.ParseInt(f.Name()[1:14], 10, 64)
		used := slices.ContainsFunc(r.entries, func(e *entry) bool { return e.Run == run })
		if m[3] == ".tmp" || !used {
			_ = os.Remove(filepath.Join(r.segments(), f.Name()))
		}
	}
}

// Status is a ring at one moment.
type Status struct {
	Length  time.Duration // media in the ring
	Bytes   int64         // on the RAM disk, with what open events hold
	Newest  time.Time     // end of the newest segment; zero if there is none
	Segment time.Duration // length of the newest segment, mostly one GOP
	Delay   time.Duration // by which the newest segment came later than its media time; it changes if that is not time
	BitRate float64       // bits a second, over the newest ten segments
	Short   bool          // shortened, because the RAM budget is used up
}

// Status returns the ring's state now.
func (r *Ring) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Bytes: r.bytes, Short: r.short}
	for _, e := range r.entries {
		s.Length += e.Length()
	}
	if n := len(r.entries); n > 0 {
		newest := r.entries[n-1]
		s.Newest, s.Segment, s.Delay = newest.written, newest.Length(), newest.delay()
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
	return s
}

// Newest returns the newest segment; false if there is none.
func (r *Ring) Newest() (Segment, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == 0 {
		return Segment{}, false
	}
	return r.entries[len(r.entries)-1].Segment, true
}

// Video returns the init section and the segment, which together play, unless they are larger than a number of bytes.
// The error is [fs.ErrNotExist] once the ring has dropped the segment.
func (s Segment) Video(most int64) ([]byte, error) {
	var video []byte
	for _, path := range []string{s.Init, s.Path} {
		f, fi, err := openPlain(path)
		if err != nil {
			return nil, err
		}
		size := fi.Size()
		if most -= size; most < 0 {
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

// FFmpegKeep is the number of segments that FFmpeg itself may keep: its bound is the safety net if Preroll is gone, so
// it must not come before the ring's own.
func (r *Ring) FFmpegKeep(target time.Duration) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.opt.Keep/target) + 20
}

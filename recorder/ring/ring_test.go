package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
)

func open(t testing.TB, dir string, keep time.Duration, b *Budget) *Ring {
	t.Helper()
	if b == nil {
		b = NewBudget(1 << 30)
	}
	r, err := Open(Options{Dir: dir, Keep: keep, Budget: b, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tracks returns a video track, whose frames no test here decodes, and a sound track.
func tracks(width int) []source.Track {
	sps, pps := []byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x68, 0xce}
	return []source.Track{
		{Track: fmp4.Track{ID: 1, Video: true, Timescale: 90000, Width: width, Height: 36,
			Entry: fmp4.H264Entry(width, 36, sps, pps)}, Codec: "h264"},
		{Track: fmp4.Track{ID: 2, Timescale: 8000, Entry: fmp4.PCMEntry("alaw", 1, 8000)}, Codec: "pcm_alaw"},
	}
}

// feeder sends what a camera with 10 frames a second and a keyframe every second sends. The first frame may lie in the
// past.
type feeder struct {
	t    testing.TB
	w    *Writer
	at   time.Duration // when the next frame arrives, by the steady clock
	n    int
	gop  int // frames; 0: only the first frame is a keyframe
	size int // bytes of a frame
}

const interval = 100 * time.Millisecond

func feed(t testing.TB, r *Ring, ago time.Duration) *feeder {
	t.Helper()
	f := &feeder{t: t, w: r.Writer(), at: steady.Now() - ago, gop: 10, size: 1000}
	if err := f.w.Tracks(tracks(64), source.Streams{}); err != nil {
		t.Fatal(err)
	}
	return f
}

// send sends the frames of the given time.
func (f *feeder) send(length time.Duration) {
	f.t.Helper()
	for end := f.at + length; f.at < end; f.at += interval {
		f.frame()
	}
}

func (f *feeder) frame() {
	f.t.Helper()
	s := source.Sample{Stamp: time.Duration(f.n) * interval, Arrival: f.at, Key: f.gop > 0 && f.n%f.gop == 0 ||
		f.n == 0, Data: [][]byte{make([]byte, f.size)}}
	if err := f.w.Sample(s); err != nil {
		f.t.Fatal(err)
	}
	f.n++
}

// list returns the ring's segments.
func list(r *Ring) (out []Segment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		out = append(out, r.at(e))
	}
	return out
}

// files returns the sum of the sizes of all files of a ring and of its pinned segments. A hard link counts once.
func files(t testing.TB, r *Ring) (sum int64) {
	t.Helper()
	var seen []os.FileInfo
	_ = filepath.WalkDir(r.opt.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(path, ".m4s") &&
			(!strings.Contains(path, "-init.mp4") || strings.HasPrefix(path, r.pins())) {
			return nil
		}
		fi, err := d.Info()
		if err == nil && !slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, fi) }) {
			seen = append(seen, fi)
			sum += fi.Size()
		}
		return nil
	})
	return sum
}

func near(a, b time.Time, off time.Duration) bool { return a.Sub(b).Abs() <= off }

func TestWriterWritesSegments(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 8*time.Second)
	begin := r.clock.wall(f.at)
	f.send(8 * time.Second)
	if n := len(list(r)); n != 7 {
		t.Errorf("%d complete segments while the eighth is written", n)
	}
	if s := r.Status(); (s.Length-8*time.Second).Abs() > 2*partLength || s.GOP != time.Second || s.BitRate == 0 ||
		!s.Stamps {
		t.Errorf("%+v", s)
	}
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	segments := list(r)
	if len(segments) != 8 {
		t.Fatalf("%d segments", len(segments))
	}
	for i, s := range segments {
		at := begin.Add(time.Duration(i) * time.Second)
		if s.Frames != 10 || s.Number != i || !s.Key || !near(s.Start, at, time.Millisecond) ||
			!near(s.End, at.Add(time.Second), time.Millisecond) {
			t.Errorf("segment %d: %+v, want it from %s", i, s, at)
		}
		if i > 0 && (!s.Follows(segments[i-1]) || !s.Start.Equal(segments[i-1].End)) {
			t.Errorf("segment %d does not follow", i)
		}
	}
	if s := r.Status(); s.Bytes != files(t, r) {
		t.Errorf("%d bytes are counted, %d are there", s.Bytes, files(t, r))
	}
}

// TestNextProcess ends the process in the middle of a segment. The next process finds every part that was written, with
// the same times.
func TestNextProcess(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, time.Minute, nil)
	f := feed(t, r, 8*time.Second)
	f.send(7600 * time.Millisecond)
	before := list(r)
	again := open(t, dir, time.Minute, nil)
	after := list(again)
	if len(after) != len(before)+1 {
		t.Fatalf("%d segments of %d", len(after), len(before)+1)
	}
	for i, b := range before {
		if a := after[i]; !near(a.Start, b.Start, time.Millisecond) || !near(a.End, b.End, time.Millisecond) ||
			a.Frames != b.Frames || a.Bytes != b.Bytes || a.Params != b.Params || a.Media != b.Media || !a.Key {
			t.Errorf("segment %d: %+v\nwas %+v", i, a, b)
		}
	}
	if last := after[len(after)-1]; last.Frames < 3 || !last.Key ||
		!near(last.Start, before[len(before)-1].End, time.Millisecond) {
		t.Errorf("what was being written: %+v", last)
	}
	if s := again.Status(); s.Bytes != files(t, again) {
		t.Errorf("%d bytes are counted, %d are there", s.Bytes, files(t, again))
	}
	if err := feed(t, again, 0).w.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "ring", "*.tmp")); left != nil {
		t.Errorf("left over: %s", left)
	}
}

// TestFirstForm takes over a ring that FFmpeg wrote. The times of its segments are the modification times of the files.
func TestFirstForm(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "ring"), os.DirFS("testdata/first")); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 4 {
		at := now.Add(time.Duration(i-4) * time.Second)
		if err := os.Chtimes(filepath.Join(dir, "ring", fmt.Sprintf("r1700000000000-%06d.m4s", i)), at,
			at); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, time.Minute, nil)
	segments := list(r)
	if len(segments) != 4 || segments[3].Frames != 5 || !segments[3].Key ||
		!near(segments[3].End, now.Add(-time.Second), 10*time.Millisecond) {
		t.Fatalf("%+v", segments)
	}
	h, err := r.Hold("event", now.Add(-3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Next(t.Context())
	if err != nil || s.Length() != time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRingIsBounded(t *testing.T) {
	r := open(t, t.TempDir(), 5*time.Second, nil)
	f := feed(t, r, 12*time.Second)
	f.send(12 * time.Second)
	if s := r.Status(); s.Length < 5*time.Second || s.Length > 7*time.Second || s.Bytes != files(t, r) {
		t.Errorf("%+v, %d bytes are there", s, files(t, r))
	}
}

// TestRareKeyframes sends one keyframe and no other. All frames from this keyframe on are kept as long as frames come,
// in several files.
func TestRareKeyframes(t *testing.T) {
	r := open(t, t.TempDir(), 20*time.Second, nil)
	f := feed(t, r, 45*time.Second)
	f.gop = 0
	f.send(45 * time.Second)
	segments := list(r)
	if len(segments) != 4 || !segments[0].Key || segments[1].Key {
		t.Fatalf("%d segments: %+v", len(segments), segments)
	}
	if s := r.Status(); (s.GOP - 45*time.Second).Abs() > time.Second {
		t.Errorf("GOP of %s", s.GOP)
	}
	h, err := r.Hold("event", time.Now().Add(-3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if s, err := h.Next(t.Context()); err != nil || s.Number != i {
			t.Errorf("segment %d: %+v, %v", i, s, err)
		}
	}
	f.gop = 10 // keyframes come again
	f.send(25 * time.Second)
	if s := list(r)[0]; !s.Key || s.Number == 0 {
		t.Errorf("the GOP before is still there: %+v", s)
	}
}

// TestSilenceIsAGap lets the camera send nothing for five seconds in the middle of a GOP.
func TestSilenceIsAGap(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 20*time.Second)
	f.send(4500 * time.Millisecond)
	f.at += 5 * time.Second
	f.n += 50
	f.send(5500 * time.Millisecond)
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	segments := list(r)
	gaps := 0
	for i := 1; i < len(segments); i++ {
		switch d := segments[i].Start.Sub(segments[i-1].End); {
		case d == 0:
		case (d-5*time.Second).Abs() < 2*interval &&
			(segments[i].Media[0]-segments[i-1].Media[1]-d).Abs() < time.Millisecond:
			gaps++
		default:
			t.Errorf("segment %d begins %s behind the one before it", i, d)
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps in %+v", gaps, segments)
	}
}

// TestParametersChange changes the size of the video during a session. A new run begins with its own init section and
// without a gap.
func TestParametersChange(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 10*time.Second)
	f.send(3 * time.Second)
	if err := f.w.Tracks(tracks(64), source.Streams{}); err != nil { // the same parameters again: nothing changes
		t.Fatal(err)
	}
	f.send(2 * time.Second)
	if err := f.w.Tracks(tracks(128), source.Streams{}); err != nil {
		t.Fatal(err)
	}
	f.send(3 * time.Second)
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	segments := list(r)
	a, b := segments[4], segments[5]
	if len(segments) != 8 || a.Run == b.Run || a.Params == b.Params || b.Start.Sub(a.End).Abs() > time.Millisecond {
		t.Errorf("%d segments, %+v, %+v", len(segments), a, b)
	}
}

func TestHoldOutlivesTheRing(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 5*time.Second, nil)
	f := feed(t, r, 10*time.Second)
	f.send(10 * time.Second)
	from := time.Now().Add(-3500 * time.Millisecond)
	h, err := r.Hold("event", from)
	if err != nil {
		t.Fatal(err)
	}
	f.send(20 * time.Second)
	first, err := h.Next(t.Context())
	if err != nil || first.Start.After(from) || first.End.Before(from) {
		t.Fatalf("%+v, %v; want the one that holds %s", first, err, from)
	}
	rest := h.More(func(Segment) bool { return true })
	if len(rest) < 20 {
		t.Fatalf("%d segments are held", len(rest))
	}
	for i, s := range append([]Segment{first}, rest...) {
		if _, err := os.Stat(s.Path); err != nil {
			t.Errorf("segment %d: %v", i, err)
		}
	}
	if s := r.Status(); s.Bytes != files(t, r) {
		t.Errorf("%d bytes are counted, %d are there", s.Bytes, files(t, r))
	}
	h.Done(first)
	if _, err := os.Stat(first.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a segment that is let go: %v", err)
	}
	h.Detach() // as if the process ends

	again := open(t, dir, 5*time.Second, nil)
	if ids, err := again.Holds(); err != nil || !slices.Equal(ids, []string{"event"}) {
		t.Errorf("holds %s, %v", ids, err)
	}
	h, err = again.Resume("event", from)
	if err != nil {
		t.Fatal(err)
	}
	next, err := h.Next(t.Context())
	if err != nil || next.Number != first.Number+1 || !near(next.Start, rest[0].Start, time.Millisecond) {
		t.Errorf("%+v, %v", next, err)
	}
	h.Close()
	if s := again.Status(); s.Bytes != files(t, again) {
		t.Errorf("%d bytes are counted, %d are there", s.Bytes, files(t, again))
	}
	again.Erase()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the camera's folder is still there: %v", err)
	}
}

// TestHoldEndsWithItsWindow checks that a hold takes no segment that begins after the window, and takes the segment
// when the window is extended.
func TestHoldEndsWithItsWindow(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 5*time.Second)
	f.send(5 * time.Second)
	now := time.Now()
	h, err := r.Hold("event", now.Add(-2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	h.Limit(now.Add(1500 * time.Millisecond))
	f.send(6 * time.Second)
	var last Segment
	for {
		s, err := h.Next(t.Context())
		if errors.Is(err, ErrPast) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = s
	}
	if last.End.Before(now.Add(1500*time.Millisecond)) || last.Start.After(now.Add(1500*time.Millisecond)) {
		t.Errorf("the last one is %s to %s, want it to hold %s", last.Start, last.End, now.Add(1500*time.Millisecond))
	}
	h.Limit(now.Add(4 * time.Second))
	next, err := h.Next(t.Context())
	if err != nil || !next.Follows(last) {
		t.Errorf("%+v, %v", next, err)
	}
}

// TestHoldOnLateFiles opens a hold on a source whose segments come ten seconds late, like the files of a folder.
func TestHoldOnLateFiles(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 40*time.Second)
	f.send(30 * time.Second)
	if err := f.w.Flush(); err != nil {
		t.Fatal(err)
	}
	if lag := r.Lag(); lag < 9*time.Second {
		t.Errorf("segments lag by %s", lag)
	}
	from := time.Now().Add(-5 * time.Second) // no segment of that time is there yet
	h, err := r.Hold("event", from)
	if err != nil {
		t.Fatal(err)
	}
	f.send(10 * time.Second)
	if err := f.w.Flush(); err != nil {
		t.Fatal(err)
	}
	held := h.More(func(s Segment) bool { return true })
	i := slices.IndexFunc(held, func(s Segment) bool { return s.End.After(from) })
	if i < 0 || held[i].Start.After(from) || len(held)-i < 5 {
		t.Errorf("%+v, want them from %s on", held, from)
	}
}

// TestHoldBeginsWithAKeyframe removes the file of a keyframe. Segments that need the keyframe cannot be shown.
func TestHoldBeginsWithAKeyframe(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := feed(t, r, 60*time.Second)
	f.gop = 250
	f.send(32 * time.Second)
	first := list(r)[0]
	if err := os.Remove(first.Path); err != nil || !first.Key || list(r)[1].Key {
		t.Fatal(err, first.Key)
	}
	h, err := r.Hold("event", first.Start)
	if err != nil {
		t.Fatal(err)
	}
	f.send(20 * time.Second)
	s, err := h.Next(t.Context())
	if err != nil || !s.Key {
		t.Errorf("%+v, %v", s, err)
	}
	if !h.Missed(first.Start, first.End) {
		t.Error("nothing was missed")
	}
}

func TestHoldNames(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	for _, id := range []string{"", "..", "../x", "a/b", ".hidden", strings.Repeat("x", 200)} {
		if _, err := r.Hold(id, time.Now()); err == nil {
			t.Errorf("hold %q was made", id)
		}
	}
}

func TestForeignFilesDoNoHarm(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	ring := filepath.Join(dir, "ring")
	// A folder with the name of a segment.
	if err := os.MkdirAll(filepath.Join(ring, "r1700000000000-000007.m4s"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(ring, "r1700000000000-000008.m4s")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"holiday.jpg": "x", "r1700000000000-000009.m4s": "not mp4",
		"r99-1.m4s": "", "r1700000000000-init.mp4.bak": "x"} {
		if err := os.WriteFile(filepath.Join(ring, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, 2*time.Second, nil)
	f := feed(t, r, 6*time.Second)
	f.send(6 * time.Second)
	if s := r.Status(); s.Length < 2*time.Second {
		t.Errorf("%+v", s)
	}
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	r.Erase()
	for _, name := range []string{"holiday.jpg", "r99-1.m4s", "r1700000000000-init.mp4.bak",
		"r1700000000000-000007.m4s"} {
		if _, err := os.Lstat(filepath.Join(ring, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "precious" {
		t.Errorf("the linked file: %q, %v", b, err)
	}
}

// TestCutSegments checks that a damaged segment of an earlier process is not taken for a whole segment.
func TestCutSegments(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, time.Minute, nil)
	f := feed(t, r, 4*time.Second)
	f.send(4 * time.Second)
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	segments := list(r)
	if err := os.Truncate(segments[1].Path, segments[1].Bytes-1); err != nil {
		t.Fatal(err)
	}
	if again := list(open(t, dir, time.Minute, nil)); len(again) != 3 {
		t.Errorf("%d segments, want all but the cut one", len(again))
	}
}

// TestBudgetByShare runs a good camera beside a camera that sends without measure. The good camera keeps its whole
// ring, and the rings use no more than the budget.
func TestBudgetByShare(t *testing.T) {
	const limit = 4 << 20
	for name, gop := range map[string]int{"keyframes every second": 10, "one keyframe": 0, "keyframes only": 1} {
		t.Run(name, func(t *testing.T) {
			b := NewBudget(limit)
			good, hostile := open(t, t.TempDir(), 10*time.Second, b), open(t, t.TempDir(), 10*time.Second, b)
			g, h := feed(t, good, 30*time.Second), feed(t, hostile, 30*time.Second)
			g.size, h.size, h.gop = 15000, 300_000, gop // 1.5 MB and 30 MB in ten seconds
			for range 30 {
				h.send(time.Second)
				g.send(time.Second)
				if used := files(t, good) + files(t, hostile); used > limit {
					t.Fatalf("%d bytes of %d are used", used, limit)
				}
			}
			if used, _ := b.Used(); used != files(t, good)+files(t, hostile) {
				t.Errorf("%d bytes are counted, %d are there", used, files(t, good)+files(t, hostile))
			}
			if s := good.Status(); s.Length < 10*time.Second || s.Short {
				t.Errorf("the good camera has %+v", s)
			}
			if s := hostile.Status(); !s.Short {
				t.Errorf("the hostile camera has %+v", s)
			}
		})
	}
}

// TestLateCameraGetsItsShare starts a camera after another camera has taken the whole budget.
func TestLateCameraGetsItsShare(t *testing.T) {
	const limit = 4 << 20
	b := NewBudget(limit)
	greedy := open(t, t.TempDir(), time.Minute, b)
	h := feed(t, greedy, 30*time.Second)
	h.size, h.gop = 100_000, 0
	h.send(20 * time.Second)
	late := open(t, t.TempDir(), 10*time.Second, b)
	g := feed(t, late, 15*time.Second)
	g.size = 15000
	for range 15 {
		g.send(time.Second)
		h.send(time.Second)
	}
	if s := late.Status(); s.Length < 10*time.Second {
		t.Errorf("%+v", s)
	}
	if used := files(t, greedy) + files(t, late); used > limit {
		t.Errorf("%d bytes are used", used)
	}
}

// TestPinsLeaveOthersTheirShare lets the event of one camera hold far more than the camera's share while the archive
// drive hangs.
func TestPinsLeaveOthersTheirShare(t *testing.T) {
	const limit = 1 << 20
	b := NewBudget(limit)
	greedy, good := open(t, t.TempDir(), 10*time.Second, b), open(t, t.TempDir(), 10*time.Second, b)
	f := feed(t, greedy, 60*time.Second)
	f.size = 30_000
	f.send(2 * time.Second)
	h, err := greedy.Hold("event", greedy.clock.wall(f.at-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	first, err := h.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := feed(t, good, 60*time.Second)
	g.size = 3000
	for range 20 {
		f.send(time.Second)
		g.send(time.Second)
	}
	if s := good.Status(); s.Length < 10*time.Second {
		t.Errorf("the good camera has %+v", s)
	}
	if _, err := os.Stat(first.Path); err != nil {
		t.Errorf("what is being copied is gone: %v", err)
	}
	now := greedy.clock.wall(f.at)
	if used := files(t, greedy) + files(t, good); used > limit || !h.Missed(now.Add(-15*time.Second), now) {
		t.Errorf("%d bytes are used; missed %v", used, h.missed)
	}
	if used, _ := b.Used(); used != files(t, greedy)+files(t, good) {
		t.Errorf("%d bytes are counted, %d are used", used, files(t, greedy)+files(t, good))
	}
	h.Close()
	if err := errors.Join(f.w.Close(), g.w.Close()); err != nil {
		t.Error(err)
	}
}

// TestRoomIsNotSoughtForEver reduces the budget while a camera's event is over and not copied yet.
func TestRoomIsNotSoughtForEver(t *testing.T) {
	b := NewBudget(1 << 30)
	held, other := open(t, t.TempDir(), 10*time.Second, b), open(t, t.TempDir(), 100*time.Second, b)
	f := feed(t, held, 60*time.Second)
	f.send(32 * time.Second)
	h, err := held.Hold("event", held.clock.wall(f.at-30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	h.Limit(held.clock.wall(f.at))
	f.send(15*time.Second + 300*time.Millisecond)
	b.SetLimit(200_000)
	g := feed(t, other, 30*time.Second)
	g.send(25 * time.Second)
	if err := errors.Join(f.w.Close(), g.w.Close()); err != nil {
		t.Error(err)
	}
	if s := other.Status(); s.Bytes < 90_000 {
		t.Errorf("%+v", s)
	}
}

// TestChangesAreBounded runs a camera whose parameters change all the time.
func TestChangesAreBounded(t *testing.T) {
	const limit = 100_000
	r := open(t, t.TempDir(), 100*time.Second, NewBudget(limit))
	w := r.Writer()
	at, n := steady.Now()-30*time.Second, 0
	var err error
	for ; err == nil && n < 200; n++ {
		if err = w.Tracks(tracks(64+n%2), source.Streams{}); err == nil {
			err = w.Sample(source.Sample{Stamp: time.Duration(n) * 10 * time.Millisecond, Arrival: at, Key: n%3 > 0,
				Data: [][]byte{{1}}})
		}
		at += 10 * time.Millisecond
	}
	if source.AsFailure(err).Kind != source.Unreadable || n > 30 {
		t.Errorf("%d changes: %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if len(r.inits) > len(r.entries) || r.bytes != files(t, r) || r.bytes > limit {
		t.Errorf("%d init sections of %d segments; %d bytes are counted, %d are used", len(r.inits), len(r.entries),
			r.bytes, files(t, r))
	}
	again := r.Writer()
	if err := again.Tracks(tracks(64), source.Streams{}); source.AsFailure(err).Kind != source.Unreadable {
		t.Errorf("the next session: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestPinsAreBounded lets an event hold more than the budget. The event goes without the rest, and reports the rest as
// missed.
func TestPinsAreBounded(t *testing.T) {
	b := NewBudget(1 << 20)
	r := open(t, t.TempDir(), time.Minute, b)
	f := feed(t, r, 60*time.Second)
	f.size = 10_000 // 100 KB a second
	f.send(5 * time.Second)
	h, err := r.Hold("event", r.clock.wall(f.at-4*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f.send(20 * time.Second)
	if now := r.clock.wall(f.at); !h.Missed(now.Add(-5*time.Second), now) ||
		h.Missed(now.Add(-time.Hour), now.Add(-30*time.Second)) {
		t.Errorf("missed: %v", h.missed)
	}
	if got := files(t, r); got > 1<<20 {
		t.Errorf("%d bytes are used", got)
	}
	for {
		if more := h.More(func(Segment) bool { return true }); len(more) == 0 {
			break
		} else {
			for _, s := range more {
				h.Done(s)
			}
		}
	}
	f.send(3 * time.Second)
	if more := h.More(func(Segment) bool { return true }); len(more) < 2 {
		t.Errorf("%d segments are held when there is room again", len(more))
	}
}

// TestClockIsSet sets this machine's clock forward and back under a ring and a hold. Ring and hold keep their order and
// their place in time, and drop nothing. Sleep of the machine does not count as a step of the clock.
func TestClockIsSet(t *testing.T) {
	for _, tc := range []struct {
		name         string
		wall, steady time.Duration // how far the clocks move
		step         time.Duration
	}{
		{"an hour forward", time.Hour, 0, time.Hour},
		{"an hour back", -time.Hour, 0, -time.Hour},
		{"years forward, as after a start without a clock", 30 * 365 * 24 * time.Hour, 0, 30 * 365 * 24 * time.Hour},
		{"a minute", time.Minute, 0, time.Minute},
		{"a correction of no account", 300 * time.Millisecond, 0, 0},
		{"asleep for a minute", time.Minute, time.Minute, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, t.TempDir(), 10*time.Minute, nil)
			real := r.clock.now
			var wall, slept time.Duration
			r.clock.now = func() (time.Duration, time.Duration) {
				w, s := real()
				return w + wall, s + slept
			}
			f := feed(t, r, 8*time.Second)
			f.send(8 * time.Second)
			before := list(r)
			h, err := r.Hold("event", time.Now().Add(-3*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			h.Limit(time.Now().Add(20 * time.Second))
			wall, slept = tc.wall, tc.steady
			if got := h.Stepped(); (got - tc.step).Abs() > 50*time.Millisecond {
				t.Errorf("stepped %s, want %s", got, tc.step)
			}
			if h.Stepped() != 0 {
				t.Error("it stepped twice")
			}
			after := list(r)
			want := tc.wall - tc.steady
			for i := range before {
				if d := after[i].Start.Sub(before[i].Start); (d - want).Abs() > 50*time.Millisecond {
					t.Fatalf("segment %d moved by %s, want %s", i, d, want)
				}
			}
			f.at += tc.steady
			f.n += int(tc.steady / interval)
			f.send(2 * time.Second)
			held := h.More(func(Segment) bool { return true })
			if len(held) < 3 || tc.steady == 0 && !held[len(held)-1].Start.Equal(held[len(held)-2].End) {
				t.Errorf("%d segments are held", len(held))
			}
		})
	}
}

// TestClockSetBetweenSegments checks that setting this machine's clock makes no gap, however large the step is.
func TestClockSetBetweenSegments(t *testing.T) {
	for _, d := range []time.Duration{500 * time.Millisecond, -500 * time.Millisecond, time.Hour, -2 * time.Second} {
		r := open(t, t.TempDir(), time.Minute, nil)
		f := feed(t, r, 30*time.Second)
		f.send(5 * time.Second)
		h, err := r.Hold("event", r.clock.wall(f.at))
		if err != nil {
			t.Fatal(err)
		}
		f.send(2 * time.Second)
		first, err := h.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		real := r.clock.now
		r.clock.now = func() (time.Duration, time.Duration) { wall, steady := real(); return wall + d, steady }
		r.opt.Budget.SetLimit(1 << 30)
		f.send(2 * time.Second)
		last := first
		for _, s := range h.More(func(Segment) bool { return true }) {
			if gap := Between(last, s); gap != 0 {
				t.Errorf("clock set by %s: a gap of %s", d, gap)
			}
			last = s
		}
		if got := h.Timed(first); got.Start.Sub(first.Start) != d &&
			!near(got.Start, first.Start.Add(d), time.Millisecond) || got.Length() != first.Length() {
			t.Errorf("clock set by %s: %s is now %s", d, first.Start, got.Start)
		}
		h.Close()
		if err := f.w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRunNumbersNeverRepeat(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "ring"), os.DirFS("testdata/first")); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour).UnixMilli() // the clock was set back since
	for _, name := range []string{"init.mp4", "000000.m4s"} {
		if err := os.Rename(filepath.Join(dir, "ring", "r1700000000000-"+name),
			filepath.Join(dir, "ring", fmt.Sprintf("r%013d-%s", future, name))); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, time.Minute, nil)
	if a, b := r.nextRun(), r.nextRun(); a != future+1 || b != a+1 {
		t.Errorf("%d, %d, want %d", a, b, future+1)
	}
}

func TestRAMDiskTrouble(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, time.Minute, nil)
	f := feed(t, r, 3*time.Second)
	f.send(2 * time.Second)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 0; err == nil && n < 30; n++ {
		err = f.w.Sample(source.Sample{Stamp: time.Duration(f.n) * interval, Arrival: f.at, Key: f.n%10 == 0,
			Data: [][]byte{{1}}})
		f.n++
		f.at += interval
	}
	var fail *source.Failure
	if !errors.As(err, &fail) || fail.Kind != source.RAMGone || !r.FolderGone() {
		t.Errorf("%v", err)
	}
	_ = f.w.Close()
}

// FuzzWriter gives a writer input that no camera would send. The writer must count its bytes correctly and keep to the
// budget and to its order. The segments must be read back as they were written.
func FuzzWriter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 100, 200, 255, 9, 8, 7, 6, 5, 4, 3, 2, 1})
	f.Add([]byte("a camera that sends whatever comes to its mind, and then something else again"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		b := NewBudget(64 << 10)
		r := open(t, dir, 10*time.Second, b)
		w := r.Writer()
		if err := w.Tracks(tracks(64), source.Streams{}); err != nil {
			t.Fatal(err)
		}
		at := steady.Now() - time.Hour
		var stamp time.Duration
		for i := 0; i+2 < len(data) && i < 600; i += 3 {
			op, x, y := data[i], data[i+1], data[i+2]
			at += time.Duration(x) * 3 * time.Millisecond
			stamp += time.Duration(int8(y)) * 10 * time.Millisecond
			s := source.Sample{Stamp: stamp, Arrival: at, Offset: time.Duration(int8(op)) * time.Millisecond,
				Key: op&3 == 0, Length: time.Duration(y) * time.Millisecond,
				Data: [][]byte{make([]byte, int(x)*int(op))}}
			switch {
			case op > 250:
				at += 30 * time.Second
			case op > 245:
				if err := w.Tracks(tracks(64+int(x)), source.Streams{}); err != nil {
					t.Fatal(err)
				}
				continue
			case op > 240:
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				continue
			case op > 180:
				s.Track = 1
			}
			if err := w.Sample(s); err != nil {
				t.Fatal(err)
			}
			if used, limit := b.Used(); used > limit {
				t.Fatalf("%d bytes of %d", used, limit)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if used, _ := b.Used(); used != files(t, r) {
			t.Fatalf("%d bytes are counted, %d are there", used, files(t, r))
		}
		before := list(r)
		for i := 1; i < len(before); i++ {
			// The length of the last frame before a pause is guessed, so ends may overlap.
			if !before[i].Start.After(before[i-1].Start) {
				t.Fatalf("segment %d begins before the one before it ends: %+v, %+v", i, before[i-1], before[i])
			}
		}
		after := list(open(t, dir, time.Hour, NewBudget(1<<30)))
		if len(after) != len(before) {
			t.Fatalf("%d of %d segments are read back", len(after), len(before))
		}
		for i := range before {
			if !near(before[i].Start, after[i].Start, 2*time.Millisecond) || before[i].Frames != after[i].Frames ||
				before[i].Bytes != after[i].Bytes {
				t.Fatalf("segment %d: %+v, was %+v", i, after[i], before[i])
			}
		}
	})
}

// TestContinue checks that a session which continues another process's joins it, although its first frame arrived late,
// and that a longer pause stays a pause.
func TestContinue(t *testing.T) {
	for late, want := range map[time.Duration]time.Duration{13 * time.Millisecond: 0,
		-5 * time.Millisecond: -5 * time.Millisecond,
		2 * time.Second:       2 * time.Second} {
		r := &Ring{entries: []*entry{{end: time.Minute}}}
		if got := r.joint(time.Minute+late) - time.Minute; got != want {
			t.Errorf("%v late: joined after %v, want %v", late, got, want)
		}
	}
	if got := (&Ring{}).joint(time.Second); got != time.Second {
		t.Errorf("an empty ring: %v", got)
	}
}

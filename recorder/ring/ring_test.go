package ring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// segments makes a run of real segments with FFmpeg, each of one second with ten frames, and returns their folder.
func segments(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=160x90:r=10:d=%d", n), "-f", "lavfi", "-i", fmt.Sprintf("sine=d=%d", n),
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0", "-bf", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
		"-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", dir+"/%06d.m4s", dir+"/live.m3u8").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// feeder puts segments into a ring's folder as FFmpeg does: written elsewhere, then renamed.
type feeder struct {
	t    *testing.T
	from string
	ring *Ring
	run  int64
	next int
	at   time.Time // modification time of the next one
}

func newFeeder(t *testing.T, from string, r *Ring, run int64, at time.Time) *feeder {
	f := &feeder{t: t, from: from, ring: r, run: run, at: at}
	f.copy("init.mp4", fmt.Sprintf("r%013d-init.mp4", run))
	return f
}

func (f *feeder) copy(from, to string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.from, from))
	if err != nil {
		f.t.Fatal(err)
	}
	tmp := filepath.Join(f.ring.segments(), to+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(tmp, f.at, f.at); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(f.ring.segments(), to)); err != nil {
		f.t.Fatal(err)
	}
}

// feed puts n segments in, and adds them as the watch would.
func (f *feeder) feed(n int) {
	f.t.Helper()
	for range n {
		f.at = f.at.Add(time.Second)
		name := fmt.Sprintf("r%013d-%06d.m4s", f.run, f.next)
		f.copy(fmt.Sprintf("%06d.m4s", f.next), name)
		f.ring.add(name)
		f.next++
	}
}

func open(t *testing.T, dir string, keep time.Duration, b *Budget) *Ring {
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

const run1 = 1700000000000

func TestRingReadsSegments(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := newFeeder(t, segments(t, 8), r, run1, time.Now().Add(-8*time.Second))
	f.feed(8)
	list := r.timed(0)
	if len(list) != 8 {
		t.Fatalf("%d segments", len(list))
	}
	for i, s := range list {
		if s.Frames != 10 || s.Length() != time.Second || s.Media[0] != time.Duration(i)*time.Second || s.Number != i || !s.End.Equal(s.Start.Add(time.Second)) {
			t.Errorf("segment %d: %+v", i, s)
		}
		if i > 0 && !s.Follows(list[i-1]) {
			t.Errorf("segment %d does not follow", i)
		}
	}
	if off := list[7].End.Sub(f.at).Abs(); off > time.Millisecond {
		t.Errorf("the newest ends %s off", off)
	}
	if s := r.Status(); s.Length != 8*time.Second || s.Segment != time.Second || s.BitRate == 0 {
		t.Errorf("%+v", s)
	}
}

// A machine that was busy for a moment writes a segment late; its time does not move.
func TestTimesIgnoreDelays(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	begin := time.Now().Add(-10 * time.Second)
	f := newFeeder(t, segments(t, 8), r, run1, begin)
	f.feed(2)
	f.at = f.at.Add(3 * time.Second)
	f.feed(1)
	f.at = f.at.Add(-3 * time.Second)
	f.feed(5)
	for i, s := range r.timed(0) {
		if off := s.Start.Sub(begin.Add(time.Duration(i) * time.Second)).Abs(); off > time.Millisecond {
			t.Errorf("segment %d is %s off", i, off)
		}
	}
	// A clock that is set by an hour is another matter: what comes after has the new time, what came before keeps its.
	f = newFeeder(t, f.from, r, run1+1, begin.Add(time.Hour))
	f.feed(3)
	list := r.timed(0)
	if first, last := list[0].Start, list[len(list)-1].End; last.Sub(first) < time.Hour {
		t.Errorf("from %s to %s", first, last)
	}
}

// The last segment of a run may be written long after its video, when FFmpeg gives a silent camera up. Its time is right
// even where nothing else of the run is left, also for the next life.
func TestLateSegmentKeepsItsTime(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, time.Minute, nil)
	begin := time.Now().Add(-30 * time.Second)
	f := newFeeder(t, segments(t, 8), r, run1, begin)
	f.feed(3)
	early := r.timed(0)
	f.at = f.at.Add(12 * time.Second)
	f.feed(1)
	right := func(name string, list []Segment) {
		t.Helper()
		if len(list) == 0 {
			t.Fatalf("%s: no segment", name)
		}
		if off := list[len(list)-1].Start.Sub(begin.Add(3 * time.Second)).Abs(); off > time.Millisecond {
			t.Errorf("%s: %s off", name, off)
		}
	}
	right("all there", r.timed(0))
	for _, s := range early {
		if err := os.Remove(s.Path); err != nil {
			t.Fatal(err)
		}
	}
	r.mu.Lock()
	r.entries = r.entries[3:]
	right("alone in the ring", r.timed(0))
	r.mu.Unlock()
	next := open(t, dir, time.Minute, nil)
	if err := next.scan(); err != nil {
		t.Fatal(err)
	}
	right("the next life", next.timed(0))
}

func TestRingIsBounded(t *testing.T) {
	r := open(t, t.TempDir(), 5*time.Second, nil)
	f := newFeeder(t, segments(t, 12), r, run1, time.Now().Add(-12*time.Second))
	f.feed(12)
	if s := r.Status(); s.Length < 5*time.Second || s.Length > 6*time.Second {
		t.Errorf("the ring keeps %s, want 5 s to 6 s", s.Length)
	}
	files, _ := filepath.Glob(filepath.Join(r.segments(), "*.m4s"))
	if len(files) != len(r.entries) {
		t.Errorf("%d files for %d segments", len(files), len(r.entries))
	}
}

func TestHoldOutlivesTheRing(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 4*time.Second, nil)
	begin := time.Now().Add(-15 * time.Second)
	f := newFeeder(t, segments(t, 15), r, run1, begin)
	f.feed(6)
	before := r.Status().Bytes
	h, err := r.Hold("event-1", begin.Add(3500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Status().Bytes; got != before {
		t.Errorf("a hard link counts twice: %d, then %d", before, got)
	}
	f.feed(9) // far more than the ring keeps
	var got []Segment
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		s, err := h.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		b, err := os.ReadFile(s.Path)
		if err != nil || int64(len(b)) != s.Bytes {
			t.Fatalf("%s: %d bytes, %v", s.Path, len(b), err)
		}
		got = append(got, s)
	}
	if got[0].Number != 3 || got[11].Number != 14 {
		t.Errorf("held %d to %d, want 3 to 14", got[0].Number, got[11].Number)
	}
	for i := 1; i < len(got); i++ {
		if !got[i].Follows(got[i-1]) {
			t.Errorf("%d does not follow %d", got[i].Number, got[i-1].Number)
		}
	}
	for _, s := range got[:5] {
		h.Done(s)
		if _, err := os.Stat(s.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", s.Path)
		}
	}

	// Preroll is killed here: a new ring takes over from the files alone.
	r2 := open(t, dir, 4*time.Second, nil)
	h2, err := r2.Resume("event-1", begin)
	if err != nil {
		t.Fatal(err)
	}
	again := h2.More(func(Segment) bool { return true })
	if len(again) != 7 || again[0].Number != 8 || again[6].Number != 14 {
		t.Errorf("resumed %d segments: %+v", len(again), again)
	}
	f.ring = r2
	ids, err := r2.Holds()
	if err != nil || !slices.Equal(ids, []string{"event-1"}) {
		t.Errorf("holds %v, %v", ids, err)
	}
	h2.Close()
	if ids, _ := r2.Holds(); len(ids) != 0 {
		t.Errorf("left %v", ids)
	}
	var total int64
	for _, e := range r2.entries {
		total += e.Bytes
	}
	if got := r2.Status().Bytes; got != total {
		t.Errorf("%d bytes counted, %d in the ring", got, total)
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
	if err := os.MkdirAll(filepath.Join(ring, "r1700000000000-000007.m4s"), 0o700); err != nil { // a folder with a segment's name
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(ring, "r1700000000000-000008.m4s")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"holiday.jpg": "x", "r1700000000000-000009.m4s": "not mp4", "r99-1.m4s": "", "r1700000000000-init.mp4.bak": "x"} {
		if err := os.WriteFile(filepath.Join(ring, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, 2*time.Second, nil)
	f := newFeeder(t, segments(t, 6), r, run1, time.Now().Add(-6*time.Second))
	f.feed(6)
	if s := r.Status(); s.Length < 2*time.Second {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"holiday.jpg", "r99-1.m4s", "r1700000000000-init.mp4.bak", "r1700000000000-000007.m4s"} {
		if _, err := os.Lstat(filepath.Join(ring, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "precious" {
		t.Errorf("the linked file: %q, %v", b, err)
	}
}

// When the budget is used up, what no event holds goes first, evenly from all rings; held segments stay to the last.
func TestBudgetShortensEvenly(t *testing.T) {
	from := segments(t, 12)
	b := NewBudget(1 << 30)
	long, short := open(t, t.TempDir(), time.Minute, b), open(t, t.TempDir(), time.Minute, b)
	newFeeder(t, from, long, run1, time.Now().Add(-12*time.Second)).feed(12)
	fs := newFeeder(t, from, short, run1, time.Now().Add(-12*time.Second))
	fs.feed(6)
	h, err := long.Hold("event", time.Now().Add(-3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	held := len(h.More(func(Segment) bool { return true }))
	used, _ := b.Used()
	b.SetLimit(used * 3 / 4)
	_, l := long.spare()
	_, s := short.spare()
	if (l-s).Abs() > 1100*time.Millisecond || l == 0 || s > 4*time.Second {
		t.Errorf("beyond held segments and the newest %s and %s are left, want as much of both", l, s)
	}
	if !long.Status().Short {
		t.Error("the ring does not say that it is short")
	}
	b.SetLimit(1)
	if s := short.Status(); s.Length > 1100*time.Millisecond {
		t.Errorf("the idle ring still holds %s", s.Length)
	}
	if files, _ := filepath.Glob(filepath.Join(h.dir, "*.m4s")); len(files) != held {
		t.Errorf("%d of %d held segments are left", len(files), held)
	}
	fs.feed(3)
	if s := short.Status(); s.Newest.IsZero() || s.Length == 0 {
		t.Errorf("the newest segment went: %+v", s)
	}
	b.SetLimit(1 << 30)
	short.SetKeep(2 * time.Second)
	if short.Status().Short {
		t.Error("with room again the ring still says that it is short")
	}
}

// When pins alone fill the budget, open events lose segments, and say so; cameras go on.
func TestPinsAreBounded(t *testing.T) {
	b := NewBudget(1 << 30)
	r := open(t, t.TempDir(), 3*time.Second, b)
	f := newFeeder(t, segments(t, 12), r, run1, time.Now().Add(-12*time.Second))
	f.feed(3)
	h, err := r.Hold("event", f.at.Add(-3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	used, _ := b.Used()
	b.SetLimit(used * 2)
	f.feed(9)
	if h.Missed() == 0 {
		t.Error("pins grew beyond the budget")
	}
	if used, limit := b.Used(); used > limit+limit/4 {
		t.Errorf("%d bytes used of %d", used, limit)
	}
	if s := r.Status(); s.Length == 0 {
		t.Error("the ring is empty")
	}
}

// An event that is over pins nothing more, however long its copy takes.
func TestHoldEndsWithItsWindow(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := newFeeder(t, segments(t, 10), r, run1, time.Now().Add(-10*time.Second))
	f.feed(3)
	h, err := r.Hold("event", f.at.Add(-3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	h.Limit(f.at.Add(2500 * time.Millisecond))
	f.feed(7)
	got := h.More(func(Segment) bool { return true })
	if n := len(got); n != 6 || got[n-1].Number != 5 || h.Missed() != 0 {
		t.Errorf("held %d segments, missed %d", n, h.Missed())
	}
	if _, err := h.Next(t.Context()); !errors.Is(err, ErrPast) {
		t.Errorf("after the last segment: %v", err)
	}
	h.Limit(f.at.Add(-1500 * time.Millisecond)) // a trigger comes late, while the ring has what it asks for
	got = h.More(func(Segment) bool { return true })
	if n := len(got); n != 3 || got[0].Number != 6 || got[n-1].Number != 8 {
		t.Errorf("with a later limit it holds %+v", got)
	}
}

// A limit that is moved brings nothing from before what the hold is for.
func TestLimitKeepsToTheStart(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	f := newFeeder(t, segments(t, 8), r, run1, time.Now().Add(-50*time.Second))
	f.feed(5)
	from := f.at.Add(30 * time.Second) // the camera was away, for longer than its last video would be kept
	h, err := r.Hold("event", from)
	if err != nil {
		t.Fatal(err)
	}
	h.Limit(from.Add(time.Second))
	f.at = from.Add(3 * time.Second)
	f.feed(3)
	h.Limit(from.Add(20 * time.Second))
	got := h.More(func(Segment) bool { return true })
	if n := len(got); n != 3 || got[0].Number != 5 {
		t.Errorf("it holds %+v", got)
	}
}

// A run grows while it is said to have more and more pictures, be there a segment or not.
func TestGrowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, t.TempDir(), time.Minute, nil)
		_, prefix := r.NextRun()
		grows := func(want bool, when string) {
			t.Helper()
			if got := r.Growing(); got != want {
				t.Errorf("%s: growing is %v", when, got)
			}
		}
		grows(false, "before the first picture")
		r.Reached(prefix, time.Second, 10)
		grows(true, "with the first pictures")
		time.Sleep(2 * time.Second)
		r.Reached(prefix, 2*time.Second, 11)
		time.Sleep(2 * time.Second)
		grows(true, "with a picture in two seconds")
		r.Reached(prefix, 2*time.Second, 11)
		time.Sleep(2 * time.Second)
		grows(false, "with no new picture")
		r.Reached(prefix, 2*time.Second, 12)
		_, next := r.NextRun()
		grows(false, "in a new run")
		r.Reached(next, 0, 1)
		grows(true, "with its first picture")
	})
}

func TestRunNumbersNeverRepeat(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, time.Minute, nil)
	future := time.Now().Add(time.Hour).UnixMilli() // the clock was set back since
	newFeeder(t, segments(t, 2), r, future, time.Now()).feed(1)
	_, a := r.NextRun()
	_, b := r.NextRun()
	if want := fmt.Sprintf("r%013d-", future+1); a != want || b == a {
		t.Errorf("%s, %s, want %s", a, b, want)
	}
}

func TestInspectFindsTheWholePart(t *testing.T) {
	from := segments(t, 3)
	var all []byte
	for _, name := range []string{"init.mp4", "000000.m4s", "000001.m4s", "000002.m4s"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	last, err := os.Stat(filepath.Join(from, "000002.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	two := int64(len(all)) - last.Size()
	for cut, want := range map[int64]Contents{
		int64(len(all)):     {Good: int64(len(all)), Media: [2]time.Duration{0, 3 * time.Second}, Frames: 30},
		int64(len(all)) - 1: {Good: two, Media: [2]time.Duration{0, 2 * time.Second}, Frames: 20},
		two + 10:            {Good: two, Media: [2]time.Duration{0, 2 * time.Second}, Frames: 20},
		two:                 {Good: two, Media: [2]time.Duration{0, 2 * time.Second}, Frames: 20},
		20:                  {},
		0:                   {},
	} {
		file := filepath.Join(t.TempDir(), "part")
		if err := os.WriteFile(file, all[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Inspect(file, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if got.Frames != want.Frames || want.Frames > 0 && (got.Good != want.Good || got.Media != want.Media) || got.Holes != nil {
			t.Errorf("cut at %d: %+v, want %+v", cut, got, want)
		}
	}
}

// A segment that is not in a partial file is a hole in it.
func TestInspectFindsHoles(t *testing.T) {
	from := segments(t, 5)
	var all []byte
	for _, name := range []string{"init.mp4", "000000.m4s", "000002.m4s", "000003.m4s", "000004.m4s"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	file := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Inspect(file, 0, false)
	if want := [][2]time.Duration{{time.Second, 2 * time.Second}}; err != nil || got.Frames != 40 || !slices.Equal(got.Holes, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestSealsTellWhatIsWhole: a power cut may leave zeros in what was not synced. What is sealed before it counts, and
// nothing behind.
func TestSealsTellWhatIsWhole(t *testing.T) {
	from := segments(t, 3)
	var file []byte
	var ends []int
	sum := Sum()
	size := int64(0)
	for i, name := range []string{"init.mp4", "000000.m4s", "000001.m4s", "000002.m4s"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, b...)
		_, _ = sum.Write(b)
		size += int64(len(b))
		if i > 0 {
			file = append(file, Seal(size, sum.Sum32())...)
			ends = append(ends, len(file))
			sum.Reset()
			size = 0
		}
	}
	path := filepath.Join(t.TempDir(), "part")
	for zero := 0; zero < len(file); zero += 1 + len(file)/211 {
		b := bytes.Clone(file)
		changed := false
		for i := zero; i < min(zero+4096, len(b)); i++ {
			changed = changed || b[i] != 0
			b[i] = 0
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		want, frames := 0, 0
		for _, end := range ends {
			if zero < end && changed {
				break
			}
			want, frames = end, frames+10
		}
		if c, err := Inspect(path, 0, true); err != nil || c.Good != int64(want) || c.Frames != frames {
			t.Errorf("with zeros from %d on: %+v, %v; want %d bytes and %d frames", zero, c, err, want, frames)
		}
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", path, "-c", "copy", "-f", "null", "-")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("a sealed file does not play: %v, %s", err, out)
	}
}

// TestNewestAndItsVideo reads the newest segment as a stream that plays by itself.
func TestNewestAndItsVideo(t *testing.T) {
	r := open(t, t.TempDir(), time.Minute, nil)
	if _, ok := r.Newest(); ok {
		t.Error("an empty ring has a newest segment")
	}
	newFeeder(t, segments(t, 3), r, 1000, time.Now()).feed(3)
	s, ok := r.Newest()
	if !ok || s.Number != 2 {
		t.Fatalf("%+v, %v", s, ok)
	}
	b, err := s.Video(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	init, list := Fragments(b)
	if init == 0 || len(list) != 1 || !list[0].Key || list[0].Media != [2]time.Duration{2 * time.Second, 3 * time.Second} || list[0].End != int64(len(b)) {
		t.Errorf("init %d, %+v of %d bytes", init, list, len(b))
	}
	if init, list := Fragments(b[:len(b)-1]); init == 0 || list != nil {
		t.Errorf("cut: init %d, %+v", init, list)
	}
	if _, err := s.Video(int64(len(b)) - 1); err == nil {
		t.Error("a segment that is too large was read")
	}
	if err := os.Remove(s.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Video(1 << 20); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a segment that is gone: %v", err)
	}
}

func FuzzFragment(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x18stypmsdh\x00\x00\x00\x00msdhmsix\x00\x00\x00\x10moof\x00\x00\x00\x08traf"), []byte("\x00\x00\x00\x08moov"))
	f.Fuzz(func(t *testing.T, segment, head []byte) {
		p, err := parseInit(bytesAt(head), int64(len(head)))
		if err != nil {
			p = params{video: 1, timescale: 90000}
		}
		fr, err := parseFragment(bytesAt(segment), int64(len(segment)), p, true)
		if err == nil && (fr.frames <= 0 || fr.end < fr.start) {
			t.Errorf("%+v", fr)
		}
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, append(bytes.Clone(head), segment...), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Inspect(file, 0, false); err != nil || c.Good > int64(len(head)+len(segment)) {
			t.Errorf("%+v, %v", c, err)
		}
		all := append(bytes.Clone(head), segment...)
		for _, f := range second(Fragments(all)) {
			if f.End <= 0 || f.End > int64(len(all)) {
				t.Errorf("%+v", f)
			}
		}
	})
}

func second(_ int64, list []Fragment) []Fragment { return list }

func TestDiskOfTellsRAM(t *testing.T) {
	d, err := DiskOf(t.TempDir())
	if err != nil || d.Free <= 0 || d.Total <= 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		if d, err := DiskOf("/dev/shm"); err != nil || !d.RAM {
			t.Errorf("/dev/shm: %+v, %v", d, err)
		}
	}
	if _, err := DiskOf(filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("a missing folder has no disk")
	}
}

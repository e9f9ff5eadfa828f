package clip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// reel is real video as the ring holds it: files with an init section and segments of one second.
type reel struct {
	init     string
	segments []string
}

func newReel(t *testing.T, n int) (r reel) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=10",
		"-t", fmt.Sprint(n), "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0",
		"-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4", "-hls_segment_filename",
		filepath.Join(dir, "%d.m4s"), filepath.Join(dir, "live.m3u8")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.init = filepath.Join(dir, "init.mp4")
	for i := range n {
		r.segments = append(r.segments, filepath.Join(dir, fmt.Sprintf("%d.m4s", i)))
	}
	return r
}

// hold is a hold that has all its segments from the start.
type hold struct {
	mu    sync.Mutex
	queue []ring.Segment
	done  []int
	state string // "closed" or "detached"
	note  []byte
}

// holding returns a hold with the segments from to to-1 of a reel, as segments of a run.
func (r reel) holding(t *testing.T, run int64, from, to int) *hold {
	t.Helper()
	h := &hold{}
	for i := from; i < to; i++ {
		fi, err := os.Stat(r.segments[i])
		if err != nil {
			t.Fatal(err)
		}
		s := seg(run, float64(i), float64(i+1))
		s.Media = [2]time.Duration{time.Duration(i) * time.Second, time.Duration(i+1) * time.Second}
		s.Path, s.Init, s.Params, s.Bytes, s.Frames, s.Number = r.segments[i], r.init, "p", fi.Size(), 10, i
		h.queue = append(h.queue, s)
	}
	return h
}

func (h *hold) Next(ctx context.Context) (ring.Segment, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return ring.Segment{}, ctx.Err()
	}
	if len(h.queue) == 0 {
		return ring.Segment{}, ring.ErrPast
	}
	s := h.queue[0]
	h.queue = h.queue[1:]
	return s, nil
}

func (h *hold) More(accept func(ring.Segment) bool) (list []ring.Segment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) > 0 && accept(h.queue[0]) {
		list, h.queue = append(list, h.queue[0]), h.queue[1:]
	}
	return list
}

func (h *hold) Done(s ring.Segment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, s.Number)
}
func (h *hold) Limit(time.Time)                   {}
func (h *hold) Stepped() time.Duration            { return 0 }
func (h *hold) Timed(s ring.Segment) ring.Segment { return s }
func (h *hold) Missed(time.Time, time.Time) bool  { return false }
func (h *hold) Lag() time.Duration                { return 0 }
func (h *hold) Receiving() bool                   { return false }
func (h *hold) SaveNote(b []byte) error           { h.note = b; return nil }
func (h *hold) Wake()                             {}
func (h *hold) Close()                            { h.state = "closed" }
func (h *hold) Detach()                           { h.state = "detached" }

// bench is a copier with a real archive.
type bench struct {
	t *testing.T
	a *archive.Archive
	c *Copier
}

func newBench(t *testing.T) *bench {
	t.Helper()
	a, err := archive.Open(t.Context(), t.TempDir(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	tool, terr := ffmpeg.Find(t.Context(), "")
	return &bench{t, a, New(Copier{Archive: a, FFmpeg: func() (*ffmpeg.Tool, error) {
		return tool, terr
	}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Changed: func(event.Event) {
	}, DriveError: func(error) {}})}
}

// incident returns an incident whose trigger lies 1 s after the beginning of a reel. Its window is the given number of
// seconds, and most is the maximum length.
func (b *bench) incident(h *hold, seconds float64, most time.Duration) *Incident {
	b.t.Helper()
	ev := event.Event{ID: "e", Camera: "cam", Time: at(1), Label: "motion", State: event.Recording, From: at(0),
		Until: at(seconds), Hold: "e"}
	ev.Add(event.Trigger{Time: at(1)})
	in := &Incident{c: b.c, cam: Camera{ID: "cam", Why: func() text.Text {
		return text.Text{}
	}, Lengths: config.Clip{MaxLength: config.Duration(most)}}, hold: h}
	in.now = in.newWork(ev, time.Now())
	if err := in.now.commit(b.t.Context(), 1); err != nil {
		b.t.Fatal(err)
	}
	return in
}

// resumed returns the incident as the next process takes it up.
func (b *bench) resumed(h *hold, id string) *Incident {
	b.t.Helper()
	ev, err := b.a.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	in := &Incident{c: b.c, cam: Camera{ID: "cam", Why: func() text.Text {
		return text.Text{}
	}, Lengths: config.Clip{MaxLength: config.Duration(time.Hour)}}, resumed: true}
	if ev.State == event.Recording {
		in.hold = h
	}
	in.now = in.newWork(ev, ev.Time)
	if in.hold == nil {
		in.now.conclude()
	}
	return in
}

// clip returns an event, and checks that it has one clip with the given number of frames. FFmpeg counts the frames.
func (b *bench) clip(id string, frames int) event.Event {
	b.t.Helper()
	e, err := b.a.Get(b.t.Context(), id)
	if err != nil || len(e.Clips) != 1 {
		b.t.Fatalf("%+v, %v", e, err)
	}
	path := b.a.Path(e, e.Clips[0].File)
	out, err := exec.CommandContext(b.t.Context(), "ffprobe", "-v", "error", "-count_frames", "-select_streams", "v",
		"-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != fmt.Sprint(frames) || e.Clips[0].Frames != frames {
		b.t.Errorf("event %s: %s frames in the file, %d in the event, want %d; %v", id, got, e.Clips[0].Frames, frames,
			err)
	}
	list, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range list {
		if strings.Contains(f, "partial") {
			b.t.Errorf("left over: %s", f)
		}
	}
	return e
}

func TestIncident(t *testing.T) {
	b := newBench(t)
	h := newReel(t, 6).holding(t, 1, 0, 6)
	b.incident(h, 4, time.Hour).Run(t.Context())
	e := b.clip("e", 50)
	if e.State != event.Saved || e.Clips[0].Length.D() != 5*time.Second || !e.Clips[0].Start.Equal(at(0)) ||
		!e.Clips[0].End.Equal(at(5)) || e.Thumbnail == "" || h.state != "closed" ||
		!slices.Equal(h.done, []int{0, 1, 2, 3, 4}) {
		t.Errorf("%+v, hold %s, done %v", e, h.state, h.done)
	}
}

// TestIncidentIsSplit checks that an event is cut into two events without losing or doubling a frame.
func TestIncidentIsSplit(t *testing.T) {
	b := newBench(t)
	in := b.incident(newReel(t, 9).holding(t, 1, 0, 9), 8.5, 5*time.Second)
	in.Run(t.Context())
	first := b.clip("e", 50)
	second := b.clip(in.ID(), 40)
	if second.Continues != "e" || !first.Continued || !second.Clips[0].Start.Equal(first.Clips[0].End) ||
		second.Clips[0].File == first.Clips[0].File {
		t.Errorf("%+v\n%+v", first, second)
	}
}

// TestIncidentOfTwoRuns checks that two runs with the same parameters go into one file, one after the other, and that
// the gap between them is named.
func TestIncidentOfTwoRuns(t *testing.T) {
	b := newBench(t)
	r := newReel(t, 9)
	h := r.holding(t, 1, 0, 3)
	h.queue = append(h.queue, r.holding(t, 2, 6, 9).queue...)
	b.incident(h, 8, time.Hour).Run(t.Context())
	e := b.clip("e", 60)
	if len(e.Gaps) != 1 || !e.Gaps[0].From.Equal(at(3)) || !e.Gaps[0].To.Equal(at(6)) || e.State != event.Incomplete ||
		e.Clips[0].Length.D() != 6*time.Second || !e.Clips[0].End.Equal(at(9)) {
		t.Errorf("%+v", e)
	}
}

// TestIncidentIsResumed checks that an incident continues what an earlier process left, wherever that process ended.
func TestIncidentIsResumed(t *testing.T) {
	poll.RealTime(t)
	r := newReel(t, 6)
	for _, stop := range []int{0, 1, 2, 3} {
		for _, then := range []string{"", "torn", "gone"} {
			t.Run(fmt.Sprint(stop, " ", then), func(t *testing.T) {
				b := newBench(t)
				h := r.holding(t, 1, 0, 6)
				in := b.incident(h, 5, time.Hour)
				w := in.now
				for i := range stop { // as Run does, until the process is killed
					if !in.store(t.Context(), h.queue[i:i+1]) {
						t.Fatal("not stored")
					}
				}
				for _, p := range w.parts {
					p.close()
				}
				w.seal()
				ev := w.event()
				path := b.a.Path(ev, ev.Stem+".partial.mp4")
				want := 60
				switch {
				case then == "torn" && stop > 0: // the last stretch did not completely reach the drive
					fi, err := os.Stat(path)
					if err == nil {
						err = os.Truncate(path, fi.Size()-100)
					}
					if err != nil {
						t.Fatal(err)
					}
					h = r.holding(t, 1, stop-1, 6) // in this case the hold still has the segment
				case then == "gone" && stop > 0:
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
					want -= 10 * stop
					h = r.holding(t, 1, stop, 6)
				default:
					h = r.holding(t, 1, max(0, stop-1), 6) // the last segment was not released
				}
				b.resumed(h, "e").Run(t.Context())
				e := b.clip("e", want)
				if (want == 60) != (e.State == event.Saved) {
					t.Errorf("%s: %s", e.State, e.Reason)
				}
			})
		}
	}
}

// TestFinishIsResumed finishes an event from any moment of its finishing. The end of the event is in the index.
func TestFinishIsResumed(t *testing.T) {
	r := newReel(t, 3)
	for name, do := range map[string]func(f *os.Root, ev event.Event) error{
		"at the begin": func(*os.Root, event.Event) error { return nil },
		"with its index": func(f *os.Root, ev event.Event) error {
			file, err := f.OpenFile(ev.Parts[0].File, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			fi, err := file.Stat()
			if err == nil {
				_, err = fmp4.Finish(file, fi.Size())
			}
			return errors.Join(err, file.Close())
		},
		"named": func(f *os.Root, ev event.Event) error {
			c, err := Finisher{Folder: f, Rename: func(string) error {
				return nil
			}}.Finish(context.Background(), ev.Parts[0])
			if err == nil && c == nil {
				err = errors.New("no clip")
			}
			return err
		},
		"named, and the growing file is there": func(f *os.Root, ev event.Event) error {
			c, err := Finisher{Folder: f, Rename: func(string) error {
				return nil
			}}.Finish(context.Background(), ev.Parts[0])
			if err != nil {
				return err
			}
			return f.Link(c.File, ev.Parts[0].File)
		},
		"beside a stranger's file": func(f *os.Root, ev event.Event) error {
			return f.WriteFile(ev.Parts[0].Clip, []byte("a stranger's"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h := r.holding(t, 1, 0, 3)
			in := b.incident(h, 2.9, time.Hour)
			w := in.now
			if !in.store(t.Context(), h.queue) {
				t.Fatal("not stored")
			}
			w.parts[0].close()
			w.seal()
			if err := w.record(t.Context(), func(c *course) { c.conclude(); w.total() }); err != nil {
				t.Fatal(err)
			}
			f, err := b.a.Folder(w.event())
			if err == nil {
				err = errors.Join(do(f, w.event()), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			b.resumed(nil, "e").Run(t.Context())
			if e := b.clip("e", 30); e.State != event.Saved ||
				(e.Clips[0].File == e.Stem+".mp4") == (name == "beside a stranger's file") {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestDoneThoughItFailed makes a call that was done although it failed. A server of a network share may do its work and
// lose the answer.
func TestDoneThoughItFailed(t *testing.T) {
	b := newBench(t)
	h := newReel(t, 3).holding(t, 1, 0, 3)
	in := b.incident(h, 2.9, time.Hour)
	ev := in.now.event()
	if err := b.a.Reserve(&ev); err != nil {
		t.Fatal(err)
	}
	b.a.Release(ev)
	f, err := b.a.Folder(ev)
	if err != nil {
		t.Fatal(err)
	}
	p := &part{mine: true, Part: event.Part{File: ev.Stem + ".partial.mp4", Clip: ev.Stem + ".mp4", Params: "p"}}
	in.now.parts = []*part{p}
	in.now.edit(func(c *course) {
		c.ev.Drive, c.ev.Archive, c.ev.Folder, c.ev.Stem = ev.Drive, ev.Archive, ev.Folder, ev.Stem
		in.now.list()
	})
	if err := errors.Join(f.WriteFile(p.File, []byte("half of what was to be written"), 0o600), f.Close()); err != nil {
		t.Fatal(err)
	}
	in.Run(t.Context())
	b.clip("e", 30)
}

// TestGrowingFileIsSwapped checks that nothing is written to a growing file that somebody replaced by a link.
func TestGrowingFileIsSwapped(t *testing.T) {
	b := newBench(t)
	r := newReel(t, 3)
	h := r.holding(t, 1, 0, 3)
	in := b.incident(h, 2.9, time.Hour)
	if !in.store(t.Context(), h.queue[:1]) {
		t.Fatal("not stored")
	}
	ev := in.now.event()
	path, victim := b.a.Path(ev, ev.Stem+".partial.mp4"), filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("private"), 0o600), os.Remove(path),
		os.Symlink(victim, path)); err != nil {
		t.Fatal(err)
	}
	if !in.store(t.Context(), h.queue[1:2]) { // begins another file
		t.Error("not stored")
	}
	if got, err := os.ReadFile(victim); err != nil || !bytes.Equal(got, []byte("private")) {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h.queue = h.queue[2:]
	in.Run(t.Context())
	e := b.clip("e", 20)
	if len(e.Gaps) != 1 || !e.Gaps[0].Why().Is(text.FileRemoved) || e.State != event.Incomplete ||
		!strings.HasSuffix(e.Clips[0].File, "_part2.mp4") {
		t.Errorf("%+v", e)
	}
}

// TestManyTriggersAtOnce checks that of many concurrent triggers, each is in the index when it is answered, and that
// one write of the index serves many triggers.
func TestManyTriggersAtOnce(t *testing.T) {
	b := newBench(t)
	s := &counting{Store: b.a}
	b.c.Archive = s
	in := b.incident(&hold{}, 60, time.Hour)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			id, ok, err := in.Add(t.Context(), event.Trigger{Time: at(float64(i) / 10), Source: event.Mail})
			if e, gerr := b.a.Get(t.Context(), "e"); id != "e" || !ok || err != nil || gerr != nil ||
				e.TriggerCount < 2 {
				t.Errorf("%s, %t, %v: %d triggers, %v", id, ok, err, e.TriggerCount, gerr)
			}
		})
	}
	all.Wait()
	if e, err := b.a.Get(t.Context(), "e"); err != nil || e.TriggerCount != 101 || s.puts > 100 {
		t.Errorf("%d triggers in %d writes, %v", e.TriggerCount, s.puts, err)
	}
	var noted event.Event
	if err := json.Unmarshal(in.hold.(*hold).note, &noted); err != nil || noted.ID != "e" {
		t.Errorf("%+v, %v", noted, err)
	}
}

type counting struct {
	Store
	puts int
}

func (c *counting) Put(ctx context.Context, e ...event.Event) error {
	c.puts++
	return c.Store.Put(ctx, e...)
}

// TestArchiveIsAwayForAWhile checks that an event's folder that is away delays nothing for ever, and that nothing is
// lost.
func TestArchiveIsAwayForAWhile(t *testing.T) {
	poll.RealTime(t)
	b := newBench(t)
	away := &failing{Store: b.a, left: 2}
	b.c.Archive = away
	b.incident(newReel(t, 3).holding(t, 1, 0, 3), 2.9, time.Hour).Run(t.Context())
	b.clip("e", 30)
	if away.left != 0 {
		t.Error("it never failed")
	}
}

type failing struct {
	Store
	left int
}

func (f *failing) Folder(e event.Event) (*os.Root, error) {
	if f.left > 0 {
		f.left--
		return nil, &fs.PathError{Op: "open", Path: "folder", Err: fs.ErrNotExist}
	}
	return f.Store.Folder(e)
}

// TestTroubleIsOfAnEvent checks that drive errors count per event. An event that can be written does not end the error
// of another event, such as the event before a split.
func TestTroubleIsOfAnEvent(t *testing.T) {
	var got []error
	c := New(Copier{DriveError: func(err error) { got = append(got, err) }})
	before, now := &work{}, &work{}
	full := errors.New("full")
	c.reportDrive(now, full)
	c.reportDrive(before, nil)
	if !slices.Equal(got, []error{full}) {
		t.Errorf("got %v, want one error", got)
	}
	c.reportDrive(now, nil)
	if !slices.Equal(got, []error{full, nil}) {
		t.Errorf("got %v, want the end of the trouble, too", got)
	}
}

// TestThumbnailIsTriedAgain checks that a thumbnail that cannot be made at once is made from a later segment.
func TestThumbnailIsTriedAgain(t *testing.T) {
	b := newBench(t)
	tool, asked := b.c.FFmpeg, make(chan struct{}, 100)
	b.c.FFmpeg = func() (*ffmpeg.Tool, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		if len(asked) == 1 {
			return nil, errors.New("busy")
		}
		return tool()
	}
	h := newReel(t, 6).holding(t, 1, 0, 6)
	in := b.incident(h, 5.9, time.Hour)
	w := in.current()
	first := h.queue[1]
	if !in.store(t.Context(), []ring.Segment{h.queue[0], first}) {
		t.Fatal("nothing was stored")
	}
	w.picture.Wait()
	if e := w.event(); e.Thumbnail != "" || len(asked) != 1 {
		t.Fatalf("got thumbnail %q after %d tries, want none after 1", e.Thumbnail, len(asked))
	}
	if !in.store(t.Context(), []ring.Segment{h.queue[2]}) {
		t.Fatal("nothing was stored")
	}
	w.picture.Wait()
	if e := w.event(); e.Thumbnail == "" {
		t.Error("got no thumbnail, want one at the second try")
	}
}

// TestThumbnailWithoutTheAlarm ends the video before the alarm. The picture is then of the clip.
func TestThumbnailWithoutTheAlarm(t *testing.T) {
	b := newBench(t)
	in := b.incident(newReel(t, 2).holding(t, 1, 0, 2), 5, time.Hour)
	in.now.ev.Time = at(3)
	in.Run(t.Context())
	e := b.clip("e", 20)
	if _, err := os.Stat(b.a.Path(e, e.Thumbnail)); err != nil || e.Thumbnail == "" {
		t.Errorf("thumbnail %q, %v", e.Thumbnail, err)
	}
}

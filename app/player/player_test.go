package player

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
)

const (
	fps     = 15
	seconds = 12
	limit   = 15 * time.Second // max time for anything that a test waits for
)

// clip is a video of 12 seconds with B-frames and a keyframe every 2 seconds. Each picture carries its number.
var clip = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	raw, err := camtest.Media{Width: 640, Height: 360, FPS: fps, Seconds: seconds, GOP: 2 * fps, Kbit: 1000}.File(ctx)
	if err != nil {
		return "", err
	}
	file := strings.TrimSuffix(raw, ".h264") + "-b.mp4"
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	tmp := fmt.Sprintf("%s.%d.mp4", file, os.Getpid())
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-y", "-r", fmt.Sprint(fps), "-i", raw, "-c:v",
		"libx264", "-preset", "veryfast",
		"-bf", "2", "-x264-params", "b-adapt=0:scenecut=0:keyint=30:min-keyint=30", "-movflags", "+faststart",
		tmp).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("encode: %w: %s", err, out)
	}
	return file, os.Rename(tmp, file)
})

// picture is what a test keeps of a Frame.
type picture struct {
	number int // the number drawn in the picture; -1 if it cannot be read
	at     time.Duration
	size   image.Point
	shown  time.Time
}

// screen records what a player shows.
type screen struct {
	t *testing.T
	*Player

	mu       sync.Mutex // guards the fields below
	pictures []picture
	states   []State
	changed  chan struct{}
}

func newScreen(t *testing.T, width, height int) *screen {
	t.Helper()
	words.Use("en")
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	return newScreenOf(t, ffmpeg, width, height)
}

// newScreenWith is newScreen with a speaker; nil means that of the desktop.
func newScreenWith(t *testing.T, speaker func(func([]int16, time.Duration)) (io.Closer, error)) *screen {
	t.Helper()
	words.Use("en")
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	return newScreenSpeaking(t, ffmpeg, 320, 320, speaker)
}

// mute is a desktop without sound.
func mute(func([]int16, time.Duration)) (io.Closer, error) { return nil, errors.New("no sound here") }

func newScreenOf(t *testing.T, ffmpeg string, width, height int) *screen {
	t.Helper()
	return newScreenSpeaking(t, ffmpeg, width, height, mute)
}

func newScreenSpeaking(t *testing.T, ffmpeg string, width, height int,
	speaker func(func([]int16, time.Duration)) (io.Closer, error)) *screen {
	t.Helper()
	s := &screen{t: t, changed: make(chan struct{})}
	change := func(f func()) {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.Player = New(Options{FFmpeg: ffmpeg, Version: "5.1", Width: width, Height: height, Speaker: speaker,
		Show: func(f Frame) {
			p := picture{number(f.Picture), f.At, f.Picture.Rect.Size(), time.Now()}
			change(func() { s.pictures = append(s.pictures, p) })
		},
		State: func(st State) { change(func() { s.states = append(s.states, st) }) },
	})
	t.Cleanup(s.Close)
	return s
}

// number reads the counter that camtest draws.
func number(m *image.RGBA) int {
	var b [5]byte
	w := m.Rect.Dx()
	for i := range 40 {
		b[i/8] <<= 1
		if m.Pix[m.PixOffset((2*i+1)*w/80, w/80)] > 125 {
			b[i/8] |= 1
		}
	}
	if (b[0]+b[1]+b[2]+b[3])^0xA5 != b[4] {
		return -1
	}
	return int(b[2])<<8 | int(b[3])
}

// wait waits until ok returns true for all shown pictures and the last state.
func (s *screen) wait(what string, ok func(pictures []picture, last State) bool) {
	s.t.Helper()
	deadline := time.After(limit)
	for {
		s.mu.Lock()
		var last State
		if len(s.states) > 0 {
			last = s.states[len(s.states)-1]
		}
		done, changed := ok(s.pictures, last), s.changed
		if done {
			s.mu.Unlock()
			return
		}
		if last.Err != nil {
			s.t.Fatalf("%s: %v", what, last.Err)
		}
		n := len(s.pictures)
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("%s: not within %s; %d pictures, %+v", what, limit, n, last)
		}
	}
}

// sees waits until the last picture has a given number.
func (s *screen) sees(number int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("picture %d", number), func(p []picture, _ State) bool {
		return len(p) > 0 && p[len(p)-1].number == number
	})
}

func (s *screen) seen() []picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pictures)
}

func (s *screen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pictures, s.states = nil, nil
}

// still fails the test if a picture is shown within d.
func (s *screen) still(d time.Duration) {
	s.t.Helper()
	n := len(s.seen())
	time.Sleep(d)
	if got := len(s.seen()); got != n {
		s.t.Errorf("%d pictures were shown while paused", got-n)
	}
}

func source(t *testing.T) Source {
	t.Helper()
	file, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	return Source{Path: file, Length: seconds * time.Second}
}

// place returns the position of the picture with a given number.
func place(number int) time.Duration { return time.Duration(number) * time.Second / fps }

func same(a, b time.Duration) bool { return (a - b).Abs() < near }

func TestPlaysEveryPictureOnceAndInTime(t *testing.T) {
	poll.RealTime(t)
	s := newScreen(t, 320, 320)
	s.Open(source(t), 8*time.Second, true)
	s.wait("the end", func(_ []picture, l State) bool { return l.Ended })
	got := s.seen()
	if len(got) != 4*fps {
		t.Errorf("%d pictures, want %d", len(got), 4*fps)
	}
	for i, p := range got {
		if p.number != 8*fps+i || !same(p.at, place(p.number)) || p.size != image.Pt(320, 180) {
			t.Errorf("picture %d: %d at %s, %s", i, p.number, p.at, p.size)
		}
	}
	took := got[len(got)-1].shown.Sub(got[0].shown)
	if want := place(len(got) - 1); took < want-100*time.Millisecond || took > want+2*time.Second {
		t.Errorf("playing %s took %s", want, took)
	}
	s.mu.Lock()
	states := slices.Clone(s.states)
	s.mu.Unlock()
	if len(states) != 2 || !states[0].Playing || states[1].Playing || states[1].Length != seconds*time.Second {
		t.Errorf("states: %+v", states)
	}
	s.forget()
	s.Play()
	s.wait("the start again", func(p []picture, l State) bool { return len(p) > 2 && l.Playing && !l.Ended })
	if got := s.seen(); got[0].number != 0 || got[1].number != 1 {
		t.Errorf("after the end came %+v", got[:2])
	}
}

func TestSeek(t *testing.T) {
	poll.RealTime(t)
	s := newScreen(t, 640, 640)
	for _, tc := range []struct {
		name string
		at   time.Duration
		want int
	}{
		{"start", 0, 0},
		{"before the start", -time.Second, 0},
		{"keyframe", 4 * time.Second, 60},
		{"last of a GOP", place(59), 59},
		{"between two pictures", place(100) + 20*time.Millisecond, 101},
		{"last picture", place(seconds*fps - 1), seconds*fps - 1},
		{"end", seconds * time.Second, seconds*fps - 1},
		{"within the last picture", seconds*time.Second - 10*time.Millisecond, seconds*fps - 1},
		{"far behind the end", time.Hour, seconds*fps - 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			for _, how := range []func(){func() { s.Open(source(t), tc.at, false) }, func() { s.Seek(tc.at) }} {
				s.forget()
				how()
				s.sees(tc.want)
				if p := s.seen(); len(p) != 1 || !same(p[0].at, place(tc.want)) {
					t.Errorf("%+v", p)
				}
			}
		})
	}
	s.t = t
	s.still(300 * time.Millisecond)
}

func TestStep(t *testing.T) {
	poll.RealTime(t)
	s := newScreen(t, 320, 320)
	s.Open(source(t), place(64), true)
	s.wait("playing", func(p []picture, _ State) bool { return len(p) > 3 })
	s.Seek(place(64))
	s.Step(1)
	s.sees(65)
	s.Step(1)
	s.sees(66)
	for n := 65; n > 56; n-- { // passes the keyframe at 60
		s.Step(-1)
		s.sees(n)
	}
	s.Step(1)
	s.sees(58)
	s.Step(-3)
	s.sees(55)
	s.Step(4)
	s.sees(59)
	for range 5 {
		s.Step(-1)
	}
	s.sees(54)
	s.Step(-1000)
	s.sees(0)
	s.Step(-1)
	s.wait("the first picture", func(p []picture, _ State) bool { return p[len(p)-1].number == 0 })
	s.Seek(time.Hour)
	s.wait("the end", func(p []picture, l State) bool { return l.Ended && p[len(p)-1].number == seconds*fps-1 })
	s.Step(-1)
	s.sees(seconds*fps - 2)
	s.Step(1)
	s.sees(seconds*fps - 1)
	s.Step(1) // there is no further picture
	s.still(200 * time.Millisecond)
	s.Step(-1)
	s.sees(seconds*fps - 2)
	s.still(200 * time.Millisecond)
}

func TestStepsBackFromAFreshPicture(t *testing.T) {
	s := newScreen(t, 320, 320)
	s.Open(source(t), place(90), false)
	s.Step(-3)
	s.sees(87)
}

func TestPauseAndSpeed(t *testing.T) {
	poll.RealTime(t)
	s := newScreen(t, 320, 320)
	s.Open(source(t), 0, true)
	s.wait("five pictures", func(p []picture, _ State) bool { return len(p) > 5 })
	s.Pause()
	s.wait("pause", func(_ []picture, l State) bool { return !l.Playing })
	s.still(400 * time.Millisecond)
	n := s.seen()[len(s.seen())-1].number
	s.forget()
	s.Play()
	s.wait("going on", func(p []picture, _ State) bool { return len(p) > 3 })
	if p := s.seen(); p[0].number != n+1 || p[1].number != n+2 {
		t.Errorf("after picture %d came %+v", n, p[:2])
	}
	for _, tc := range []struct {
		speed, low, high float64
	}{{4, 2, 4.2}, {0.5, 0.4, 0.55}} {
		s.SetSpeed(tc.speed)
		s.Seek(0)
		s.wait("the start", func(p []picture, _ State) bool { return p[len(p)-1].number == 0 })
		s.forget()
		s.wait("a second", func(p []picture, _ State) bool {
			return len(p) > 1 && p[len(p)-1].shown.Sub(p[0].shown) > time.Second
		})
		p := s.seen()
		last := p[len(p)-1]
		if got := (last.at - p[0].at).Seconds() / last.shown.Sub(p[0].shown).Seconds(); got < tc.low || got > tc.high {
			t.Errorf("at speed %g the video ran at %.2f", tc.speed, got)
		}
	}
}

func TestSeekWhilePlayingGoesOn(t *testing.T) {
	s := newScreen(t, 320, 320)
	s.Open(source(t), 0, true)
	for range 3 {
		s.Seek(6 * time.Second)
	}
	s.Seek(place(75))
	s.wait("playing on", func(p []picture, l State) bool { return l.Playing && len(p) > 0 && p[len(p)-1].number == 78 })
	var got []int
	for _, p := range s.seen() {
		if p.number >= 75 {
			got = append(got, p.number)
		}
	}
	if got = slices.Compact(got); !slices.Equal(got[len(got)-4:], []int{75, 76, 77, 78}) {
		t.Errorf("%v", got)
	}
}

func TestResize(t *testing.T) {
	s := newScreen(t, 320, 320)
	s.Open(source(t), place(40), false)
	s.sees(40)
	for i := range 20 {
		s.Resize(400+i, 400)
	}
	s.wait("a larger picture", func(p []picture, _ State) bool { return p[len(p)-1].size == image.Pt(418, 234) })
	s.Resize(2000, 2000)
	s.wait("its own size", func(p []picture, _ State) bool { return p[len(p)-1].size == image.Pt(640, 360) })
	if p := s.seen(); len(p) != 3 || p[1].number != 40 || p[2].number != 40 {
		t.Errorf("%+v", p)
	}
}

// TestPicturesAreKept checks that a picture stays unchanged until two more pictures were shown.
func TestPicturesAreKept(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	var held []*image.RGBA
	var numbers []int
	done := make(chan struct{})
	p := New(Options{FFmpeg: ffmpeg, Width: 320, Height: 320, Show: func(f Frame) {
		for i, m := range held {
			if number(m) != numbers[i] {
				t.Errorf("picture %d became %d", numbers[i], number(m))
			}
		}
		held, numbers = append(held, f.Picture), append(numbers, number(f.Picture))
		if len(held) > 2 {
			held, numbers = held[1:], numbers[1:]
		}
	}, State: func(s State) {
		if s.Ended {
			close(done)
		}
	}})
	defer p.Close()
	p.SetSpeed(4)
	p.Open(source(t), 6*time.Second, true)
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("it does not end")
	}
}

func TestOddNames(t *testing.T) {
	s := newScreen(t, 320, 320)
	from := source(t)
	t.Chdir(t.TempDir())
	b, err := os.ReadFile(from.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"-i.mp4", "50%d.mp4", "12'30\".mp4", "a b#c?d.mp4", "[x]{y}*.mp4", "ü\\n.mp4",
		"http:x.mp4"} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Open(Source{Path: name}, place(i), false) // without a length
		s.sees(i)
		s.wait("the length", func(_ []picture, l State) bool { return l.Length == seconds*time.Second })
		s.forget()
	}
}

func TestProblems(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ok := source(t)
	b, err := os.ReadFile(ok.Path)
	if err != nil {
		t.Fatal(err)
	}
	sound := filepath.Join(dir, "sound.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=1",
		sound).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tc := range []struct {
		name, ffmpeg string
		source       Source
		want         string
	}{
		{"no FFmpeg", "", ok, "FFmpeg is missing"},
		{"FFmpeg removed", filepath.Join(dir, "ffmpeg"), ok, "FFmpeg is missing"},
		{"clip removed", "ffmpeg", Source{Path: filepath.Join(dir, "no.mp4")}, "file is missing: " + dir},
		{"drive gone", "ffmpeg", Source{Path: filepath.Join(dir, "2026", "no.mp4")}, "Is the archive drive connected?"},
		{"text", "ffmpeg", Source{Path: write("text.mp4", "no video")}, "damaged"},
		{"empty", "ffmpeg", Source{Path: write("empty.mp4", "")}, "damaged"},
		{"cut in its index", "ffmpeg", Source{Path: write("cut.mp4", string(b[:1000]))}, "damaged"},
		{"no video", "ffmpeg", Source{Path: sound}, "damaged"},
		{"no stream", "ffmpeg", Source{Stream: func(context.Context, time.Duration) (io.ReadCloser, error) {
			return nil, errors.New("the camera is off")
		}}, "the camera is off"},
		{"bad stream", "ffmpeg", Source{Stream: func(context.Context, time.Duration) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("x")), nil
		}}, "live picture ended"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.ffmpeg == "ffmpeg" {
				var err error
				if tc.ffmpeg, err = exec.LookPath("ffmpeg"); err != nil {
					t.Fatal(err)
				}
			}
			s := newScreenOf(t, tc.ffmpeg, 320, 320)
			for _, again := range []func(){
				func() { s.Open(tc.source, time.Second, true) }, s.Play, func() { s.Open(tc.source, 0, false) }} {
				s.forget()
				again()
				var got error
				s.wait("the problem", func(_ []picture, l State) bool { got = l.Err; return got != nil && !l.Playing })
				var p *Problem
				if !errors.As(got, &p) || !strings.Contains(p.Text, tc.want) || strings.Contains(p.Text, "\n") {
					t.Errorf("%v", got)
				}
			}
			if tc.ffmpeg == "" {
				return
			}
			if _, err := os.Stat(tc.ffmpeg); err != nil {
				return
			}
			s.forget()
			s.Open(ok, place(3), false) // the player recovers
			s.sees(3)
		})
	}
}

func TestCutClipPlaysAsFarAsItGoes(t *testing.T) {
	b, err := os.ReadFile(source(t).Path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cut.mp4")
	if err := os.WriteFile(file, b[:len(b)/3], 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScreen(t, 320, 320)
	s.SetSpeed(8)
	s.Open(Source{Path: file, Length: seconds * time.Second}, 0, true)
	s.wait("the end", func(p []picture, l State) bool { return l.Ended && len(p) > 5 })
	s.Seek(time.Hour)
	s.wait("the last picture", func(p []picture, l State) bool { return l.Ended && p[len(p)-1].number > 20 })
}

// TestStream plays a stream that goes on in real time, as the ring of a camera does.
func TestStream(t *testing.T) {
	poll.RealTime(t)
	raw, err := camtest.Media{Width: 640, Height: 360, FPS: fps, Seconds: seconds, GOP: fps,
		Kbit: 1000}.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int32
	stream := func(pace ...string) Source {
		return Source{Stream: func(ctx context.Context, _ time.Duration) (io.ReadCloser, error) {
			opened.Add(1)
			args := append([]string{"-v", "error"}, pace...)
			cmd := exec.CommandContext(ctx, "ffmpeg", append(args, "-r", fmt.Sprint(fps), "-i", raw, "-c", "copy",
				"-movflags", "frag_every_frame+empty_moov+default_base_moof", "-f", "mp4", "pipe:1")...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				return nil, err
			}
			if err := cmd.Start(); err != nil {
				return nil, err
			}
			return waiter{out, cmd}, nil
		}}
	}
	s := newScreen(t, 320, 320)
	asked := time.Now()
	s.Open(stream("-re"), 0, true)
	s.wait("pictures of three seconds", func(p []picture, _ State) bool { return len(p) > 3*fps })
	got := s.seen()
	t.Logf("first picture after %s", got[0].shown.Sub(asked))
	for i, p := range got {
		if p.number != i || !same(p.at, place(i)) {
			t.Errorf("picture %d at %s, want %d at %s", p.number, p.at, i, place(i))
		}
	}
	if took := got[len(got)-1].shown.Sub(got[0].shown); took < 2*time.Second {
		t.Errorf("three seconds took %s", took)
	}
	s.Pause()
	s.wait("pause", func(_ []picture, l State) bool { return !l.Playing })
	before := opened.Load()
	s.forget()
	s.Play() // goes on where it was
	s.wait("the next pictures", func(p []picture, _ State) bool { return len(p) > 2 })
	if p := s.seen(); p[0].number < 3*fps || p[0].number > 4*fps || opened.Load() != before {
		t.Errorf("goes on with picture %d in stream %d", p[0].number, opened.Load())
	}
	s.forget()
	s.Open(stream(), 0, false)
	s.wait("the first picture", func(p []picture, _ State) bool { return len(p) > 0 })
	s.forget()
	s.Seek(place(33))
	s.sees(33)
	s.Step(-2)
	s.sees(31)
	s.Play()
	var said error
	s.wait("the end", func(_ []picture, l State) bool { said = l.Err; return said != nil })
	if !strings.Contains(said.Error(), "live picture ended") {
		t.Error(said)
	}
}

// waiter is the output of a process, and waits for the process once it is closed.
type waiter struct {
	io.ReadCloser
	cmd *exec.Cmd
}

func (w waiter) Close() error {
	err := w.ReadCloser.Close()
	_ = w.cmd.Wait() // it was killed
	return err
}

func TestClosedAndEmptyPlayerDoesNothing(t *testing.T) {
	s := newScreen(t, 0, -1)
	s.Play()
	s.Seek(time.Second)
	s.Step(-1)
	s.SetSpeed(-1)
	s.Resize(0, 0)
	s.Open(source(t), 0, true)
	s.sees(3)
	began := time.Now()
	s.Close()
	s.Close()
	if took := time.Since(began); took > closeTime {
		t.Errorf("closing took %s", took)
	}
	n := len(s.seen())
	s.Open(source(t), 0, true)
	s.Play()
	s.Close()
	if len(s.seen()) != n {
		t.Error("a closed player shows pictures")
	}
}

func TestOlder(t *testing.T) {
	for _, tc := range []struct {
		version string
		want    bool
	}{
		{"4.4.2-0ubuntu0.22.04.1", true}, {"5.0.3", true}, {"5.1", false}, {"n5.1.4", false},
		{"5.1.9-0+deb12u1", false}, {"8.0-full_build-www.gyan.dev", false},
		{"10.2", false}, {"N-109542-gabc", false}, {"2025-01-02-git-abc", false}, {"", false},
	} {
		if got := older(tc.version, 5, 1); got != tc.want {
			t.Errorf("%q: %t", tc.version, got)
		}
	}
}

func TestLines(t *testing.T) {
	const p = "[Parsed_showinfo_2 @ 0x55] "
	for _, tc := range []struct {
		name  string
		lines []string
		at    time.Duration
		size  image.Point
		last  string
	}{
		{"FFmpeg 5", []string{p + "[info] config in time_base: 1/15360, frame_rate: 15/1",
			p +
				"[info] n:   0 pts:    512 pts_time:0.0333333 pos: 27959958 fmt:rgba sar:1/1 s:960x540 i:P iskey:0 type:P checksum:8C7E995A plane_checksum:[8C7E995A]"},
			time.Minute + time.Second/30, image.Pt(960, 540), ""},
		{"FFmpeg 8",
			[]string{p +
				"[info] n:   0 pts:      0 pts_time:1.5     duration:   1024 duration_time:0.0666667 fmt:rgba cl:unspecified sar:0/1 s:64x32 i:P iskey:1 type:I "},
			61500 * time.Millisecond, image.Pt(64, 32), ""},
		{"no time",
			[]string{p +
				"[info] n:   0 pts:  NOPTS pts_time:NOPTS   pos: 1 fmt:rgba sar:1/1 s:2x2 i:P iskey:0 type:P "},
			time.Minute, image.Pt(2, 2), ""},
		{"errors", []string{"[mov,mp4 @ 0x1] [error] moov atom not found", "[error] file:x.mp4: Invalid data found",
			"[rawvideo @ 0x1] [error] Application provided invalid",
			"[info]     title : " + p + "[info] n: 0 pts: 1 pts_time:1 s:1x1 "}, 0, image.Point{},
			"file:x.mp4: Invalid data found"},
	} {
		l := lines{from: time.Minute, at: time.Minute}
		var got head
		for _, line := range tc.lines {
			if h, ok := l.line(line); ok {
				got = h
			}
		}
		if (got.at-tc.at).Abs() > time.Microsecond || got.size != tc.size || l.last != tc.last {
			t.Errorf("%s: %+v, %q", tc.name, got, l.last)
		}
	}
}

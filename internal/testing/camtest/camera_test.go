package camtest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
)

const fps = 20

// tiny returns a cheap loop of 10 seconds.
func tiny(first, gop int) Media {
	return Media{Width: 320, Height: 240, FPS: fps, Seconds: 10, GOP: gop, Kbit: 300, First: first}
}

func encode(t *testing.T, m Media) string {
	t.Helper()
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func start(t *testing.T, opt Options) *Camera {
	t.Helper()
	opt.Video, opt.FPS = encode(t, tiny(0, 10)), fps
	c, err := Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wait waits until a condition holds.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll.Until(t, what, busyTimeout, done, nil)
}

// passed returns a condition that holds after d, while the camera goes on.
func passed(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

// record copies the camera's stream with FFmpeg. The returned function stops FFmpeg and returns the clip.
func record(t *testing.T, c *Camera) (stop func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.mkv")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", c.URL(), "-c",
		"copy", "-flush_packets", "1", file)
	var errs strings.Builder
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	wait(t, "FFmpeg to play", func() bool { return c.Viewers() > 0 })
	return func() string {
		wait(t, "FFmpeg to know the streams", func() bool {
			f, err := os.Stat(file)
			return err == nil && f.Size() > 20_000
		})
		_, _ = in.Write([]byte("q"))
		if err := cmd.Wait(); err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, errs.String())
		}
		return file
	}
}

func codec(t *testing.T, c *Camera) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), busyTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-select_streams", "v",
		"-show_entries", "stream=codec_name", "-of", "csv=p=0", c.URL()).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// only checks that the camera had exactly one silence, of the given kind and about d long.
func only(t *testing.T, c *Camera, kind string, d time.Duration) Gap {
	t.Helper()
	s := c.Silences()
	if len(s) != 1 || s[0].Kind != kind || s[0].To.IsZero() {
		t.Fatalf("silences are %+v, want one of kind %s", s, kind)
	}
	if got := s[0].To.Sub(s[0].From); got < d || got > d+2*time.Second {
		t.Errorf("%s of %v, want %v", kind, got, d)
	}
	return s[0]
}

// TestCheck checks a clip of a camera without faults.
func TestCheck(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	c := start(t, Options{Audio: "pcma"})
	begin := time.Now()
	stop := record(t, c)
	wait(t, "a second of video", passed(1500*time.Millisecond))
	clip := filepath.Join(t.TempDir(), "clip.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", stop(), "-map", "0:v", "-c", "copy",
		"-movflags", "+faststart", clip).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rep, err := Check(t.Context(), clip, c.Info(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if rep.Frames < 10 || len(rep.Gaps) > 0 || !rep.FrontIndex || rep.First.Before(begin.Add(-100*time.Millisecond)) ||
		rep.Last.After(time.Now()) {
		t.Errorf("since %v: %+v", begin, rep)
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	v := watch(t, c)
	v.frames(t, 5)
	c.Freeze(true) // Down also ends Freeze
	c.Down()
	c.Down()
	var err error
	for err == nil {
		_, err = v.next(busyTimeout)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("connection without power: %v, want a reset", err)
	}
	if conn, err := net.DialTimeout("tcp", c.addr, busyTimeout); err == nil {
		_ = conn.Close()
		t.Error("a camera without power accepts a connection")
	}
	wait(t, "200 ms", passed(200*time.Millisecond))
	for range 2 {
		if err := c.Up(); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, c).frames(t, 5)
	var kinds []string
	for _, s := range c.Silences() {
		kinds = append(kinds, s.Kind)
	}
	if !slices.Equal(kinds, []string{"freeze", "down"}) {
		t.Errorf("silences are %v", kinds)
	}
	down := c.Silences()[1]
	if n := len(c.Sent(down.From, down.To)); n > 1 {
		t.Errorf("%d frames sent without power", n)
	}
	c.Close()
	if err := c.Up(); err == nil {
		t.Error("a closed camera comes back")
	}
}

// TestRestart checks that a camera comes back with another codec at the same address.
func TestRestart(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	m := tiny(1000, 10)
	m.H265 = true
	file := encode(t, m)
	c := start(t, Options{})
	if got := codec(t, c); got != "h264" {
		t.Errorf("codec is %s", got)
	}
	url := c.URL()
	if err := c.Restart("missing.h264", fps); err == nil || len(c.Silences()) > 0 {
		t.Errorf("restart with a missing file: %v, %v", err, c.Silences())
	}
	if err := c.Restart(file, fps); err != nil {
		t.Fatal(err)
	}
	if got := codec(t, c); got != "hevc" || c.URL() != url {
		t.Errorf("codec is %s at %s", got, c.URL())
	}
	stop := record(t, c)
	wait(t, "a second of video", passed(1500*time.Millisecond))
	counters, err := Frames(t.Context(), stop())
	if err != nil {
		t.Fatal(err)
	}
	if gaps := c.Info().Gaps(counters); len(gaps) > 0 || len(counters) < 10 {
		t.Errorf("%d frames, gaps %v", len(counters), gaps)
	}
	h := c.History()
	if len(h) != 2 || h[0].First != 0 || h[1].First != 1000 || !h[0].To.Equal(h[1].From) || !h[1].To.IsZero() {
		t.Errorf("history is %+v", h)
	}
	sent := c.Sent(h[1].From, time.Now())
	for i, x := range Times(counters, h, time.Now()) {
		if x.Span != 1 || !slices.ContainsFunc(sent, x.Time.Equal) {
			t.Errorf("frame %d is %+v, and was not sent then", i, x)
		}
	}
}

func TestFreeze(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	c := start(t, Options{})
	v := watch(t, c)
	v.frames(t, 5)
	c.Freeze(true)
	late := dial(t, c)
	if err := late.ask("OPTIONS", late.url, 300*time.Millisecond); !isTimeout(err) {
		t.Errorf("a frozen camera answers: %v", err)
	}
	var err error
	n := -1
	for ; err == nil; n++ {
		_, err = v.next(200 * time.Millisecond)
	}
	if !isTimeout(err) || n > 5 {
		t.Errorf("a frozen camera sends %d packets, then %v", n, err)
	}
	c.Freeze(false)
	if err := late.ask("OPTIONS", late.url, busyTimeout); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
	v.frames(t, 5)
	s := only(t, c, "freeze", 500*time.Millisecond)
	if n := len(c.Sent(s.From, s.To)); n > 1 {
		t.Errorf("%d frames sent while frozen", n)
	}
	c.Freeze(true)
	if s := c.Silences(); len(s) != 2 || !s[1].To.IsZero() {
		t.Errorf("silences are %+v", s)
	}
	c.Close() // must end the camera and its connections
	if err := late.ask("OPTIONS", late.url, busyTimeout); err == nil || isTimeout(err) {
		t.Errorf("a connection outlives the camera: %v", err)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	const out = 700 * time.Millisecond
	tests := []struct {
		name  string
		queue int
		lost  int // min number
	}{
		{"shorter than the queue", 0, 0},
		{"longer than the queue", 4, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, Options{Queue: tt.queue})
			v := watch(t, c)
			from := v.frames(t, 5)[4]
			c.Stall(out / 2)
			c.Stall(out)
			if s := c.Silences(); len(s) != 1 || !s[0].To.IsZero() {
				t.Errorf("silences during the stall are %+v", s)
			}
			if err := v.ask("OPTIONS", v.url, 100*time.Millisecond); !isTimeout(err) {
				t.Errorf("an answer over a cable that is out: %v", err)
			}
			var gap time.Duration
			lost, last := 0, from
			for _, p := range v.frames(t, 30) {
				gap = max(gap, p.at.Sub(last.at))
				lost += int(float64(p.ts-last.ts)*fps/90000+0.5) - 1
				last = p
			}
			if gap < out-100*time.Millisecond {
				t.Errorf("nothing came for %v only", gap)
			}
			if lost < tt.lost || tt.lost == 0 && lost > 0 {
				t.Errorf("%d frames lost, want %d", lost, tt.lost)
			}
			s := only(t, c, "stall", out)
			if missing := int(out.Seconds()*fps) - len(c.Sent(s.From, s.To)); missing < tt.lost-1 || missing > lost+1 {
				t.Errorf("the camera did not send %d frames, %d were lost", missing, lost)
			}
		})
	}
}

func TestMute(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	v := watch(t, c)
	v.frames(t, 2)
	c.Mute(true)
	if err := v.ask("OPTIONS", v.url, busyTimeout); err != nil {
		t.Errorf("a mute camera does not answer: %v", err)
	}
	wait(t, "300 ms", passed(300*time.Millisecond))
	c.Mute(false)
	v.frames(t, 2)
	s := only(t, c, "mute", 300*time.Millisecond)
	if n := len(c.Sent(s.From, s.To)); n > 1 {
		t.Errorf("%d frames sent while mute", n)
	}
	if n, all := len(c.Sent(s.To.Add(-time.Hour), time.Now())), len(c.Sent(s.To, time.Now())); n <= all {
		t.Errorf("%d frames sent since the begin, %d since then", n, all)
	}
}

// TestLate simulates a camera whose process was stopped for 5 seconds.
func TestLate(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	c.mu.Lock()
	p := *c.video.Load()
	p.from = p.from.Add(-5 * time.Second)
	c.video.Store(&p)
	c.mu.Unlock()
	wait(t, "frames to be skipped", func() bool { return len(c.Silences()) > 0 })
	only(t, c, "late", 4*time.Second)
}

func TestLose(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	c := start(t, Options{})
	v := watch(t, c)
	v.frames(t, 2)
	c.Lose(0.5)
	first := v.frames(t, 1)[0].seq
	ps := v.until(t, func(p rtp) bool { return !p.report && p.seq-first >= 60 })
	if n := len(ps); n < 10 || n > 50 {
		t.Errorf("%d of 60 packets came, want about half", n)
	}
	c.Lose(0)
	v.frames(t, 1) // the first frame may have waited in the queue
	ps = v.until(t, func(p rtp) bool { return p.mark })
	for i := range ps[1:] {
		if ps[i+1].seq != ps[i].seq+1 {
			t.Errorf("sequence %d after %d", ps[i+1].seq, ps[i].seq)
		}
	}
	only(t, c, "lose", time.Second)
}

// TestCorrupt damages the middle of a clip.
func TestCorrupt(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	c := start(t, Options{})
	stop := record(t, c)
	wait(t, "a good second", passed(time.Second))
	c.Corrupt(0.6)
	wait(t, "a bad second", passed(time.Second))
	c.Corrupt(0)
	wait(t, "two good seconds", passed(2*time.Second))
	clip := stop()
	if _, err := Frames(t.Context(), clip); err == nil {
		t.Error("a damaged clip decodes clean")
	}
	counters, err := FramesOf(t.Context(), clip, true)
	if err != nil {
		t.Fatal(err)
	}
	s := only(t, c, "corrupt", time.Second)
	bad := 0
	seen := map[time.Time]bool{}
	for i, x := range Times(counters, c.History(), s.From) {
		switch {
		case x.Span < 0:
			bad++
			if x.Counter != Bad || !x.Time.IsZero() {
				t.Errorf("frame %d is %+v", i, x)
			}
		default:
			seen[x.Time] = true
		}
	}
	const keyframe = 500 * time.Millisecond // pictures are whole again from the next keyframe
	var missing []time.Time
	for _, at := range slices.Concat(c.Sent(s.From.Add(-400*time.Millisecond), s.From.Add(-50*time.Millisecond)),
		c.Sent(s.To.Add(keyframe+50*time.Millisecond), s.To.Add(keyframe+500*time.Millisecond))) {
		if !seen[at] {
			missing = append(missing, at)
		}
	}
	if len(missing) > 0 || bad == 0 {
		t.Errorf("%d frames unreadable; whole ones missing: %v (%+v)", bad, missing, s)
	}
}

// --- Timestamps ---

// TestStamps checks the steps of the RTP timestamps from frame to frame, in units of one frame.
func TestStamps(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	c := start(t, Options{})
	v := watch(t, c)
	steps := func() (steps []int) {
		ps := v.frames(t, 12)[2:] // the first frames may have waited in the queue
		for i := range ps[1:] {
			steps = append(steps, int(float64(int32(ps[i+1].ts-ps[i].ts))*fps/90000+0.5))
		}
		return steps
	}
	alternate := func(a, b int) (list []int) {
		for range 5 {
			list = append(list, a, b)
		}
		return list
	}
	if got := steps(); !slices.Equal(got, alternate(1, 1)[:9]) {
		t.Errorf("steps are %v", got)
	}
	c.Repeat(true)
	if got := steps(); !slices.Equal(got, alternate(2, 0)[:9]) && !slices.Equal(got, alternate(0, 2)[:9]) {
		t.Errorf("steps are %v when time stamps repeat", got)
	}
	c.Repeat(false)
	c.Still(true)
	if got := steps(); !slices.Equal(got, alternate(0, 0)[:9]) {
		t.Errorf("steps are %v when the clock stands still", got)
	}
	c.Still(false)
	if got := steps(); !slices.Equal(got, alternate(1, 1)[:9]) {
		t.Errorf("steps are %v at the end", got)
	}
}

// TestJump steps the clock forward and back. Timestamps and sender reports must agree.
func TestJump(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			c := start(t, Options{})
			v := watch(t, c)
			report, err := v.next(busyTimeout)
			if err != nil || !report.report {
				t.Fatalf("the first packet is %+v (%v), want a report", report, err)
			}
			if off := report.clock.Sub(report.at).Abs(); off > time.Second {
				t.Errorf("the report is %v off", off)
			}
			last := v.frames(t, 3)[2]
			c.Jump(d)
			jump := func(p, last rtp) time.Duration { // without the time that has passed
				return (time.Duration(int32(p.ts-last.ts))*time.Second/90000 - p.at.Sub(last.at)).Round(time.Second)
			}
			p := v.frames(t, 3)[2]
			if got := jump(p, last); got != d {
				t.Errorf("time stamps jump by %v", got)
			}
			var again rtp
			v.until(t, func(p rtp) bool { again = p; return p.report })
			if got := again.clock.Sub(again.at).Round(time.Second); got != d {
				t.Errorf("the report is %v off", got)
			}
			stamps := time.Duration(int32(again.ts-report.ts)) * time.Second / 90000
			if got := again.clock.Sub(report.clock) - stamps; got.Abs() > time.Millisecond {
				t.Errorf("reports and time stamps differ by %v", got)
			}
		})
	}
}

// TestSwitch changes resolution and GOP within a session. No frame may be lost or doubled, and each frame must be
// assigned to its loop.
func TestSwitch(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	m := tiny(5000, 200)
	m.Width, m.Height = 640, 360
	file := encode(t, m)
	c := start(t, Options{})
	stop := record(t, c)
	wait(t, "a second", passed(time.Second))
	if err := c.Switch(file, fps); err != nil {
		t.Fatal(err)
	}
	wait(t, "a second", passed(1500*time.Millisecond))
	v := watch(t, c) // begins with the next keyframe, 10 s after the switch
	counters, err := Frames(t.Context(), stop())
	if err != nil {
		t.Fatal(err)
	}
	h := c.History()
	shown := Times(counters, h, h[1].From)
	if len(shown) < 25 {
		t.Fatalf("%d frames", len(shown))
	}
	sent := c.Sent(shown[0].Time, time.Now())
	for i, x := range shown {
		if !x.Time.Equal(sent[i]) {
			t.Fatalf("frame %d is %+v, sent was %v", i, x, sent[i])
		}
	}
	if a, b := shown[0].Span, shown[len(shown)-1].Span; a != 0 || b != 1 {
		t.Errorf("spans from %d to %d", a, b)
	}
	if p, err := v.next(2 * time.Second); !isTimeout(err) && time.Since(h[1].From) < 9*time.Second {
		t.Errorf("a keyframe %v after the switch: %+v %v", time.Since(h[1].From), p, err)
	}
}

// TestAtOnce calls all methods at the same time, for the race detector, and closes the camera meanwhile.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	file := encode(t, tiny(1000, 10))
	c := start(t, Options{Audio: "pcma"})
	watch(t, c)
	done := make(chan struct{})
	for _, do := range []func(){
		func() { c.Down(); _ = c.Up() }, func() { _ = c.Restart(file, fps) }, func() {
			_ = c.Switch(file, fps)
		}, c.Drop,
		func() { c.Freeze(true); c.Freeze(false) }, func() { c.Stall(time.Millisecond) }, func() {
			c.Lose(.1)
			c.Corrupt(.1)
		},
		func() { c.Repeat(true); c.Still(true); c.Jump(time.Second) }, func() { c.Mute(true); c.Mute(false) },
		func() { c.Info(); c.History(); c.Silences(); c.Sent(c.start, time.Now()); c.Viewers() },
	} {
		go func() {
			for range 20 {
				do()
			}
			done <- struct{}{}
		}()
	}
	for i := range 10 {
		<-done
		if i == 5 {
			c.Close()
		}
	}
}

package player

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
)

// beeps returns a clip whose sound is a tone of 100 ms at the beginning of each second but the first.
func beeps(t *testing.T) Source {
	t.Helper()
	raw, err := camtest.Media{Width: 640, Height: 360, FPS: fps, Seconds: seconds, GOP: fps,
		Kbit: 1000}.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "beeps.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-r", fmt.Sprint(fps), "-i", raw, "-f",
		"lavfi",
		"-i", fmt.Sprintf("aevalsrc='if(gte(t,1)*lt(mod(t,1),0.1),0.5*sin(2*PI*1000*t),0)':s=48000:d=%d", seconds),
		"-c:v", "copy", "-c:a", "aac", "-b:a", "128k", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return Source{Path: file, Length: seconds * time.Second}
}

// ear is a speaker that notes when tones begin.
type ear struct {
	mu    sync.Mutex // guards all fields below
	tones []time.Time
	quiet int // samples since the last loud one
	loud  int // loud samples in all
}

// hear takes samples of all channels, the first of which is heard at a time.
func (e *ear) hear(buf []int16, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := 0; i < len(buf); i += channels {
		if v := buf[i]; v > 3000 || v < -3000 {
			if e.quiet > rate/5 {
				e.tones = append(e.tones, at.Add(length(i)))
			}
			e.quiet = 0
			e.loud++
		} else {
			e.quiet++
		}
	}
}

func (e *ear) heard() ([]time.Time, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tones, e.loud
}

// speaker is an output that takes 10 ms of sound each 10 ms, and plays it 60 ms later.
func (e *ear) speaker(fill func([]int16, time.Duration)) (io.Closer, error) {
	const delay, step = 60 * time.Millisecond, 10 * time.Millisecond
	e.mu.Lock()
	e.quiet = rate
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var playing sync.WaitGroup
	playing.Go(func() {
		buf := make([]int16, samples(step))
		for next := time.Now(); ctx.Err() == nil; next = next.Add(step) {
			time.Sleep(time.Until(next))
			fill(buf, time.Until(next.Add(delay)))
			e.hear(buf, next.Add(delay))
		}
	})
	return closer(func() { cancel(); playing.Wait() }), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

// lips compares when tones were heard with when the pictures were shown that belong to them. It returns the largest
// difference.
func lips(t *testing.T, shown []picture, tones []time.Time) (worst time.Duration) {
	t.Helper()
	for _, tone := range tones {
		best := time.Hour
		for _, p := range shown {
			if p.number >= fps && p.number%fps == 0 {
				if d := tone.Sub(p.shown); d.Abs() < best.Abs() {
					best = d
				}
			}
		}
		t.Logf("sound %s after its picture", best)
		if best.Abs() > worst {
			worst = best.Abs()
		}
	}
	return worst
}

// maxOff is how far sound may be from its picture.
const maxOff = 40 * time.Millisecond

// TestSoundIsInStep plays a clip, seeks, and pauses.
func TestSoundIsInStep(t *testing.T) {
	poll.RealTime(t)
	e := &ear{}
	s := newScreenWith(t, e.speaker)
	clip := beeps(t)
	s.Open(clip, 0, true)
	s.wait("four seconds", func(p []picture, _ State) bool { return len(p) > 4*fps+3 })
	tones, _ := e.heard()
	if len(tones) < 3 {
		t.Fatalf("%d tones in four seconds", len(tones))
	}
	if off := lips(t, s.seen(), tones); off > maxOff {
		t.Errorf("the sound is %s off", off)
	}

	s.Seek(8500 * time.Millisecond)
	s.wait("the other place", func(p []picture, _ State) bool { return p[len(p)-1].number > 10*fps+5 })
	after, _ := e.heard()
	if len(after) < len(tones)+2 {
		t.Errorf("%d tones after the seek, want those of 9 and 10 s", len(after)-len(tones))
	}
	if off := lips(t, s.seen(), after[len(after)-1:]); off > maxOff {
		t.Errorf("after the seek the sound is %s off", off)
	}

	s.Pause()
	s.wait("pause", func(_ []picture, l State) bool { return !l.Playing })
	time.Sleep(200 * time.Millisecond)
	_, loud := e.heard()
	time.Sleep(1200 * time.Millisecond)
	if _, now := e.heard(); now != loud {
		t.Error("a paused clip is heard")
	}
	s.SetVolume(0)
	s.Seek(0)
	s.Play()
	s.forget()
	s.wait("two seconds", func(p []picture, _ State) bool { return len(p) > 2*fps })
	if _, now := e.heard(); now != loud {
		t.Error("a muted clip is heard")
	}
	if s.Level() != 0 {
		t.Errorf("its level is %v", s.Level())
	}
}

func TestAClipWithoutSound(t *testing.T) {
	poll.RealTime(t)
	e := &ear{}
	s := newScreenWith(t, e.speaker)
	s.Open(source(t), 0, true)
	s.wait("a second", func(p []picture, _ State) bool { return len(p) > fps })
	if !s.Silent() {
		t.Error("it is not known that the clip has no sound")
	}
}

// TestSoundThatEndsEarly plays on past the end of the sound, and goes back.
func TestSoundThatEndsEarly(t *testing.T) {
	poll.RealTime(t)
	whole, short := beeps(t), filepath.Join(t.TempDir(), "short.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", whole.Path, "-t", "1.5", "-i",
		whole.Path, "-map", "0:v", "-map", "1:a", "-c", "copy", short).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	e := &ear{}
	s := newScreenWith(t, e.speaker)
	s.Open(Source{Path: short, Length: whole.Length}, 4*time.Second, true)
	s.wait("three seconds", func(p []picture, _ State) bool { return len(p) > 3*fps })
	if s.Silent() {
		t.Error("the clip counts as one without sound")
	}
	s.Seek(0)
	s.forget()
	s.wait("two seconds", func(p []picture, _ State) bool { return len(p) > 2*fps })
	if tones, _ := e.heard(); len(tones) != 1 {
		t.Errorf("%d tones, want the one at 1 s", len(tones))
	}
}

// TestSoundOfTheDesktop measures at the monitor of a PulseAudio server what is really played.
func TestSoundOfTheDesktop(t *testing.T) {
	poll.RealTime(t)
	dir := t.TempDir()
	socket := "unix:" + filepath.Join(dir, "sound.sock")
	t.Setenv("PULSE_SERVER", socket)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	run := func(name string, args ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "PULSE_COOKIE="+filepath.Join(dir, "cookie"))
		return cmd
	}
	server := run("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "-L",
		"module-native-protocol-unix auth-anonymous=1 socket="+filepath.Join(dir, "sound.sock"), "-L",
		"module-null-sink sink_name=test rate=48000")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	poll.Until(t, "the sound server", 20*time.Second, func() bool { return run("pactl", "info").Run() == nil }, nil)

	e := &ear{quiet: rate}
	monitor := run("parec", "-d", "test.monitor", "--raw", "--format=s16le", "--rate=48000", "--channels=2",
		"--latency-msec=20")
	out, err := monitor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	var listening sync.WaitGroup
	listening.Go(func() {
		b := make([]byte, 4*rate/100)
		buf := make([]int16, len(b)/2)
		for {
			if _, err := io.ReadFull(out, b); err != nil {
				return
			}
			for i := range buf {
				buf[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
			}
			e.hear(buf, time.Now().Add(-length(len(buf))))
		}
	})
	t.Cleanup(func() { _ = monitor.Process.Kill(); listening.Wait(); _ = monitor.Wait() })

	s := newScreenWith(t, nil)
	s.Open(beeps(t), 0, true)
	s.wait("six seconds", func(p []picture, _ State) bool { return len(p) > 6*fps+3 })
	tones, _ := e.heard()
	if len(tones) < 4 {
		t.Fatalf("%d tones in six seconds", len(tones))
	}
	t.Logf("the sound is %s off, at the monitor of the server", lips(t, s.seen(), tones[1:]))
	if off := lips(t, s.seen(), tones[1:]); off > maxOff+monitorDelay {
		t.Errorf("the sound is %s off", off)
	}
}

// monitorDelay is how long the monitor of a null sink takes to pass on what is played.
const monitorDelay = 40 * time.Millisecond

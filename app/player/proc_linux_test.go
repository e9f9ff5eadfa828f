package player

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
)

// counted returns an FFmpeg that logs each start, and a function that returns the number of starts.
func counted(t *testing.T) (path string, starts func() int) {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, log := filepath.Join(dir, "ffmpeg"), filepath.Join(dir, "log")
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho >> '%s'\nexec '%s' \"$@\"\n", log, ffmpeg),
		0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
}

// running counts the processes that have file among their arguments.
func running(t *testing.T, file string) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range all {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), file+"\x00") {
			n++
		}
	}
	return n
}

func TestSeekStorm(t *testing.T) {
	ffmpeg, starts := counted(t)
	s := newScreenOf(t, ffmpeg, 320, 320)
	s.Open(source(t), 0, false)
	s.sees(0)
	for i := range 300 {
		s.Seek(place(i * 150 / 300))
		if i%10 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.Seek(place(149))
	s.sees(149)
	s.still(300 * time.Millisecond)
	if n := starts(); n > 20 {
		t.Errorf("300 seeks started FFmpeg %d times", n)
	} else {
		t.Logf("300 seeks started FFmpeg %d times and showed %d pictures", n, len(s.seen()))
	}
}

func TestOneFFmpegAndNoneAfterClose(t *testing.T) {
	s := newScreen(t, 320, 320)
	from := source(t)
	b, err := os.ReadFile(from.Path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "own.mp4")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	most := 0
	stop, counted := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(counted)
		for {
			most = max(most, running(t, file))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	for i := range 8 {
		s.Open(Source{Path: file, Length: from.Length}, place(i), i%2 == 0)
		if i%3 != 0 {
			s.sees(i)
		}
	}
	s.Step(-1)
	s.sees(6)
	s.Pause()
	if n := running(t, file); n != 1 {
		t.Errorf("%d FFmpegs while paused", n)
	}
	close(stop)
	<-counted
	if most != 1 {
		t.Errorf("%d FFmpegs at once", most)
	}
	s.Close()
	if n := running(t, file); n != 0 {
		t.Errorf("%d FFmpegs after Close", n)
	}
}

// hanging returns an FFmpeg that never writes anything.
func hanging(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 100\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSilentFFmpegIsGivenUp(t *testing.T) {
	s := newScreenOf(t, hanging(t), 320, 320)
	s.stallTimeout = 300 * time.Millisecond
	var said error
	for range 2 {
		s.Open(source(t), 0, true)
		s.wait("the problem", func(_ []picture, l State) bool { said = l.Err; return said != nil && !l.Playing })
		if !strings.Contains(said.Error(), "drive does not answer") {
			t.Error(said)
		}
		s.forget()
	}
}

// TestHangingFFmpegDoesNotHoldClose calls Close while FFmpeg has not written anything yet.
func TestHangingFFmpegDoesNotHoldClose(t *testing.T) {
	s := newScreenOf(t, hanging(t), 320, 320)
	s.Open(source(t), 0, true)
	s.wait("playing", func(_ []picture, l State) bool { return l.Playing })
	began := time.Now()
	s.Seek(time.Second)
	s.Open(source(t), time.Second, false)
	s.Close()
	if took := time.Since(began); took > closeTime {
		t.Errorf("closing took %s", took)
	}
}

// TestNoFFmpegIsLeftBySound closes players while their speaker opens.
func TestNoFFmpegIsLeftBySound(t *testing.T) {
	clip := source(t)
	for range 8 {
		opening := make(chan struct{}, 1)
		s := newScreenWith(t, func(func([]int16, time.Duration)) (io.Closer, error) {
			opening <- struct{}{}
			time.Sleep(60 * time.Millisecond)
			return closer(func() {}), nil
		})
		s.Open(clip, 0, true)
		<-opening
		s.Close()
	}
	poll.Until(t, "the end of each FFmpeg", 10*time.Second,
		func() bool { return running(t, "file:"+clip.Path) == 0 }, nil)
}

// TestNoSpeaker starts no FFmpeg for sound that nobody can hear.
func TestNoSpeaker(t *testing.T) {
	ffmpeg, starts := counted(t)
	s := newScreenOf(t, ffmpeg, 320, 320) // its speaker cannot be opened
	s.Open(beeps(t), 0, true)
	s.wait("three seconds", func(p []picture, _ State) bool { return len(p) > 3*fps })
	if n := starts(); n != 1 {
		t.Errorf("FFmpeg was started %d times", n)
	}
	if !s.Silent() {
		t.Error("sound is offered that nobody can hear")
	}
}

// TestSoundServerThatCloses takes a server that ends the connection as soon as Preroll logs in.
func TestSoundServerThatCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sound.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}
	}()
	for i := range 20 {
		t.Setenv("PULSE_SERVER", "unix:"+path)
		if i == 0 { // the desktop's own, which is not there
			t.Setenv("PULSE_SERVER", "")
			t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		}
		if s, err := openSpeaker(func([]int16, time.Duration) {}); err == nil {
			t.Error("opened")
			_ = s.Close()
		}
	}
}

package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source/rtsp"
)

// record records a camera into a ring until the test ends.
func record(t *testing.T, cam *camtest.Camera) *ring.Ring {
	t.Helper()
	r, err := ring.Open(ring.Options{Dir: t.TempDir(), Keep: time.Minute, Budget: ring.NewBudget(1 << 30),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			w := r.Writer()
			_ = rtsp.New(rtsp.Options{URL: cam.URL(), Audio: true}).Run(ctx, w)
			_ = w.Close()
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done; r.Close() })
	return r
}

func camera(t *testing.T, audio string) *camtest.Camera {
	t.Helper()
	video, err := camtest.Media{Width: 640, Height: 360, FPS: 10, Seconds: 60, GOP: 10, Kbit: 500}.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cam, err := camtest.Start(camtest.Options{Video: video, FPS: 10, Audio: audio})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Close)
	return cam
}

// sink keeps a stream.
type sink struct {
	mu   sync.Mutex
	mime string
	bytes.Buffer
}

func (s *sink) Type(mime string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mime = mime
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(b)
}

// file writes what came so far into a file.
func (s *sink) file(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	name := filepath.Join(t.TempDir(), "stream.mp4")
	if err := os.WriteFile(name, s.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestStream follows a ring from a time on: every frame from the keyframe before comes once, in order, up to now, and
// its place in the video is when the camera sent it.
func TestStream(t *testing.T) {
	poll.RealTime(t)
	for _, tc := range []struct{ audio, mime string }{
		{"pcmu", `^video/mp4; codecs="avc1\.[0-9a-f]{6}"$`}, // which browsers cannot play
		{"aac", `^video/mp4; codecs="avc1\.[0-9a-f]{6}, mp4a\.40\.2"$`},
	} {
		t.Run(tc.audio, func(t *testing.T) {
			t.Parallel()
			audio := tc.audio
			if audio == "aac" {
				var err error
				if audio, err = camtest.AAC(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			cam := camera(t, audio)
			r := record(t, cam)
			if err := Stream(t.Context(), r, time.Time{}, time.Time{}, &sink{}); !errors.Is(err, ErrNothing) {
				t.Errorf("an empty ring: got %v", err)
			}
			poll.Until(t, "video", 20*time.Second, func() bool { return r.Status().Length > 5*time.Second }, nil)
			from := time.Now().Add(-3 * time.Second)
			origin := from.Add(-time.Hour).Truncate(time.Millisecond)
			var s sink
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- Stream(ctx, r, from, origin, &s) }()
			time.Sleep(3 * time.Second)
			end := time.Now()
			file := s.file(t)
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}

			if !regexp.MustCompile(tc.mime).MatchString(s.mime) {
				t.Errorf("got the type %s", s.mime)
			}
			report, err := camtest.Check(t.Context(), file, cam.Info(), end)
			if err != nil || len(report.Gaps) > 0 {
				t.Fatalf("got %+v, %v", report, err)
			}
			if before := from.Sub(report.First); before < -200*time.Millisecond || before > 1200*time.Millisecond {
				t.Errorf("it begins %s before the asked time", before)
			}
			if late := end.Sub(report.Last); late > 1500*time.Millisecond {
				t.Errorf("the newest frame is %s old", late)
			}
			m, first := start(t, file)
			if off := origin.Add(first).Sub(report.First); off.Abs() > 300*time.Millisecond {
				t.Errorf("the first frame lies %s beside the time when it was sent", off)
			}
			if n := len(m.Tracks); n != 1+strings.Count(tc.mime, "mp4a") {
				t.Errorf("got %d tracks", n)
			}
		})
	}
}

// start reads the movie of a file, and the media time of its first frame.
func start(t *testing.T, file string) (fmp4.Movie, time.Duration) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rd := fmp4.NewReader(bytes.NewReader(b), 8<<20)
	var movie fmp4.Movie
	for {
		f, m, err := rd.Next()
		switch {
		case err != nil:
			t.Fatal(err)
		case m != nil:
			movie = *m
		case f.Track == movie.Tracks[0].ID:
			return movie, f.Time
		}
	}
}

// TestStreamGoesOnAfterAGap follows a camera that loses its power: the stream goes on behind the gap, with the frames
// where they belong.
func TestStreamGoesOnAfterAGap(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	cam := camera(t, "")
	r := record(t, cam)
	poll.Until(t, "video", 20*time.Second, func() bool { return r.Status().Length > 3*time.Second }, nil)
	var s sink
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	origin := time.Now().Add(-time.Hour)
	go func() { done <- Stream(ctx, r, time.Time{}, origin, &s) }()
	time.Sleep(time.Second)
	cam.Down()
	time.Sleep(2 * time.Second)
	if err := cam.Up(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "video after the gap", 20*time.Second, func() bool { return len(Spans(r)) == 2 }, nil)
	time.Sleep(1500 * time.Millisecond)
	end := time.Now()
	file := s.file(t)
	cancel()
	<-done
	counters, err := camtest.Frames(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if gaps := cam.Info().Gaps(counters); len(gaps) != 1 {
		t.Errorf("got the gaps %q, want one", gaps)
	}
	if late := end.Sub(cam.Info().Time(counters[len(counters)-1], end)); late > 2*time.Second {
		t.Errorf("the newest frame is %s old", late)
	}
	over := make(chan error, 1)
	go func() { over <- Stream(t.Context(), r, time.Time{}, origin, &sink{}) }()
	time.Sleep(300 * time.Millisecond)
	r.Close()
	select {
	case err := <-over:
		if err != nil {
			t.Errorf("the end of the ring: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream of a ring that ended goes on")
	}
	if spans := Spans(r); spans[1].From.Sub(spans[0].To) < time.Second {
		t.Errorf("got the spans %+v", spans)
	}
}

// TestHLS asks for what a player of HLS asks for, and has FFmpeg play it.
func TestHLS(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	cam := camera(t, "pcma")
	r := record(t, cam)
	if _, err := Get(t.Context(), r, "nothing", Wish{}); !errors.Is(err, ErrNoFile) {
		t.Errorf("got %v", err)
	}
	poll.Until(t, "video", 30*time.Second, func() bool { return r.Status().Length > 6*time.Second }, nil)
	f, err := Get(t.Context(), r, Playlist, Wish{})
	if err != nil {
		t.Fatal(err)
	}
	text := string(f.Body)
	for _, want := range []string{"#EXTM3U\n", "#EXT-X-TARGETDURATION:", "#EXT-X-PART-INF:PART-TARGET=",
		"#EXT-X-MAP:URI=\"init-", "#EXT-X-PROGRAM-DATE-TIME:", "#EXT-X-PART:DURATION=", ",INDEPENDENT=YES",
		"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES"} {
		if !strings.Contains(text, want) {
			t.Errorf("the playlist lacks %q", want)
		}
	}

	// Each named file is there, a whole one, and without the sound.
	var segment, parts []byte
	for _, m := range regexp.MustCompile(`(?m)URI="([^"]+)"|^(\d+-\d+\.m4s)$`).FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2]
		f, err := Get(t.Context(), r, name, Wish{})
		if err != nil || len(f.Body) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(f.Body), err)
		}
		if strings.HasPrefix(name, "init-") {
			if movie, err := fmp4.ReadInit(f.Body); err != nil || len(movie.Tracks) != 1 {
				t.Errorf("%s: %+v, %v", name, movie, err)
			}
		}
		if strings.Count(name, "-") == 2 {
			parts = append(parts, f.Body...)
		} else if len(parts) > 0 && segment == nil && !strings.HasPrefix(name, "init-") {
			segment = f.Body
		}
	}
	if len(segment) == 0 {
		t.Error("no segment")
	}

	// A player that asks for the next part waits for it.
	list, _ := r.Pieces(0)
	next := list[len(list)-1].Sequence + 1
	began := time.Now()
	if f, err = Get(t.Context(), r, Playlist, Wish{true, next, 0}); err != nil ||
		!strings.Contains(string(f.Body), fmt.Sprintf("URI=\"%d-%d-0.m4s\"", list[0].Run, list[len(list)-1].Number+1)) {
		t.Errorf("the next part is not in the playlist: %v", err)
	}
	if took := time.Since(began); took > maxBlock {
		t.Errorf("waited %s", took)
	}

	// FFmpeg plays what the playlist named at one moment.
	dir := t.TempDir()
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if m := regexp.MustCompile(`^(\d+-\d+\.m4s)$|^#EXT-X-MAP:URI="(.*)"`).FindStringSubmatch(line); m != nil {
			f, err := Get(t.Context(), r, m[1]+m[2], Wish{})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, m[1]+m[2]), f.Body, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(line, "#EXT-X-PART") && !strings.HasPrefix(line, "#EXT-X-SERVER") {
			lines = append(lines, line)
		}
	}
	whole := filepath.Join(dir, Playlist)
	if err := os.WriteFile(whole, []byte(strings.Join(append(lines, "#EXT-X-ENDLIST", ""), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	counters, err := camtest.Frames(t.Context(), whole)
	if gaps := cam.Info().Gaps(counters); err != nil || len(gaps) > 0 || len(counters) < 50 {
		t.Errorf("FFmpeg plays %d frames with the gaps %q, %v", len(counters), gaps, err)
	}
	for _, name := range []string{"../../etc/passwd", "init-0.mp4", "1-99999999.m4s", "1-1-99999.m4s", "-1.m4s",
		"1-1.m4s/x", strings.Repeat("9", 400) + "-1.m4s", "1.m4s"} {
		if _, err := Get(t.Context(), r, name, Wish{}); !errors.Is(err, ErrNoFile) {
			t.Errorf("%.40s: got %v", name, err)
		}
	}
}

package source_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/source"
	ffmpegsource "github.com/preroll/preroll/recorder/source/ffmpeg"
	"github.com/preroll/preroll/recorder/source/folder"
	"github.com/preroll/preroll/recorder/source/rtsp"
)

func tool(t *testing.T) func() (*ffmpeg.Tool, error) {
	t.Helper()
	ff, err := ffmpeg.Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return func() (*ffmpeg.Tool, error) { return ff, nil }
}

func camera(t *testing.T, m camtest.Media, opt camtest.Options) *camtest.Camera {
	t.Helper()
	poll.RealTime(t)
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opt.Video, opt.FPS = file, float64(m.FPS)
	if opt.Auth != "" {
		opt.User, opt.Pass = "admin", "it's a secret"
	}
	c, err := camtest.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sink is a ring's writer that counts its calls.
type sink struct {
	*ring.Writer

	mu      sync.Mutex // guards all fields below
	streams source.Streams
	sound   int // samples of sound
	told    int
}

func (s *sink) Tracks(tracks []source.Track, streams source.Streams) error {
	s.mu.Lock()
	s.streams = streams
	s.told++
	s.mu.Unlock()
	return s.Writer.Tracks(tracks, streams)
}

func (s *sink) Sample(x source.Sample) error {
	s.mu.Lock()
	if x.Track != 0 {
		s.sound++
	}
	s.mu.Unlock()
	return s.Writer.Sample(x)
}

// record runs a source for the given time and returns the sink, the ring with the video, and the error of the source.
func record(t *testing.T, src source.Source, length time.Duration) (*sink, *ring.Ring, error) {
	t.Helper()
	r, err := ring.Open(ring.Options{Dir: t.TempDir(), Keep: 5 * time.Minute, Budget: ring.NewBudget(1 << 30),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{Writer: r.Writer()}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	err = src.Run(ctx, s)
	if cerr := s.Close(); cerr != nil {
		t.Error(cerr)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return s, r, err
}

// joined holds the whole ring, as a clip does, and returns a file with all segments, the first segment and the last
// one.
func joined(t *testing.T, r *ring.Ring) (file string, first, last ring.Segment) {
	t.Helper()
	h, err := r.Hold("all", time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	list := h.More(func(ring.Segment) bool { return true })
	if len(list) == 0 {
		t.Fatal("nothing was recorded")
	}
	file = filepath.Join(t.TempDir(), "all.mp4")
	var video []byte
	for i, s := range list {
		paths := []string{s.Path}
		if i == 0 {
			paths = []string{s.Init, s.Path}
		}
		if s.Run != list[0].Run {
			t.Fatalf("there is another run: %+v", s)
		}
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			video = append(video, b...)
		}
	}
	if err := os.WriteFile(file, video, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, list[0], list[len(list)-1]
}

// exact checks that a file has every frame of a camera once, that the last frame is timed by when it left the camera,
// and, if begin is set, the first frame too.
func exact(t *testing.T, r *ring.Ring, info camtest.Info, least int, off time.Duration, begin bool) {
	t.Helper()
	file, first, last := joined(t, r)
	rep, err := camtest.Check(t.Context(), file, info, first.Start)
	if err != nil {
		t.Fatal(err)
	}
	// With B-frames, the last frames may not have come.
	if len(rep.Gaps) == 1 && strings.HasPrefix(rep.Gaps[0], fmt.Sprintf("frame %d:", rep.Frames-1)) {
		rep.Gaps = nil
	}
	if rep.Frames < least || len(rep.Gaps) > 0 {
		t.Errorf("%d frames, want %d or more; gaps %v", rep.Frames, least, rep.Gaps)
	}
	frame := time.Duration(float64(time.Second) / info.FPS)
	if d := first.Start.Sub(rep.First); begin && (d < -off || d > off+frame) {
		t.Errorf("the first frame is timed %s late", d)
	}
	t.Logf("last: %s", last.End.Sub(rep.Last.Add(frame)))
	if d := last.End.Sub(rep.Last.Add(frame)); d < -off || d > off+frame {
		t.Errorf("the last frame ends %s late", d)
	}
}

// off is how much times may be wrong on a busy machine, in addition to a frame.
const off = 200 * time.Millisecond

// TestContract reads cameras with all the oddities that people report, by every source that can. Each frame must come
// once, in order, and timed by when it was sent. Sound must never affect video.
func TestContract(t *testing.T) {
	t.Parallel()
	aac, err := camtest.AAC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	small, h265, bframes, long := camtest.Small(10), camtest.Small(10), camtest.Small(10), camtest.Small(200)
	h265.H265, bframes.BFrames = true, 2
	odd := func(o camtest.Oddities) camtest.Options { return camtest.Options{Oddities: o} }
	ff := tool(t)
	for _, tc := range []struct {
		name   string
		media  camtest.Media
		opt    camtest.Options
		audio  string // codec in the ring, "" for none
		left   string // codec of sound that is left out
		ffmpeg bool   // FFmpeg reads it, too
	}{
		{"plain", small, camtest.Options{}, "", "", true},
		{"H.265, AAC", h265, camtest.Options{Audio: aac}, "aac", "", true},
		{"B-frames", bframes, camtest.Options{}, "", "", true},
		{"a keyframe every 20 s, from any frame on", long, odd(camtest.Oddities{AnyFrame: true}), "", "", false},
		{"G.711, metadata, digest", small, camtest.Options{Audio: "pcma", Meta: true, Auth: "digest"}, "pcm_alaw", "",
			true},
		{"basic login, no reports", small, camtest.Options{Audio: "pcmu", Auth: "basic", NoReports: true}, "pcm_mulaw",
			"", true},
		{"silent AAC", small, camtest.Options{Audio: aac, Oddities: camtest.Oddities{SilentSound: true}}, "aac", "",
			true},
		{"silent G.711", small, camtest.Options{Audio: "pcma", Oddities: camtest.Oddities{SilentSound: true}},
			"pcm_alaw", "", false},
		{"late sound", small, camtest.Options{Audio: "pcma", Oddities: camtest.Oddities{LateSound: 4 * time.Second}},
			"pcm_alaw", "", false},
		{"sender reports off by 25 s", small,
			camtest.Options{Audio: aac, Oddities: camtest.Oddities{ReportsOff: 25 * time.Second}}, "aac", "", false},
		{"speex", small, camtest.Options{Audio: "speex"}, "", "speex", false},
		{"G.726", small, camtest.Options{Audio: "g726"}, "adpcm_g726", "", false},
		{"L16", small, camtest.Options{Audio: "l16"}, "pcm_s16be", "", false},
		{"sound first", small, camtest.Options{Audio: "pcma", Oddities: camtest.Oddities{SoundFirst: true}}, "pcm_alaw",
			"", true},
		{"UDP only", small, odd(camtest.Oddities{OnlyUDP: true}), "", "", true},
		{"SHA-256 alone", small, camtest.Options{Auth: "digest",
			Oddities: camtest.Oddities{Algorithms: []string{"SHA-256"}}}, "", "", false},
		{"MD5 and SHA-256", small, camtest.Options{Auth: "digest",
			Oddities: camtest.Oddities{Algorithms: []string{"MD5", "SHA-256"}}}, "", "", false},
		{"no parameter sets", small, odd(camtest.Oddities{NoSets: true}), "", "", false},
		{"H.265 without parameter sets", h265, odd(camtest.Oddities{NoSets: true}), "", "", false},
		{"JPEG first", small, odd(camtest.Oddities{JPEGFirst: true}), "", "", false},
		{"redirected to itself", small, odd(camtest.Oddities{Redirects: true}), "", "", true},
		{"RTSPS", small, odd(camtest.Oddities{TLS: true}), "", "", false},
		{"one viewer", small, odd(camtest.Oddities{OneViewer: true}), "", "", false},
		{"stamps wrap", small, odd(camtest.Oddities{FirstStamp: 1<<32 - 400000}), "", "", false},
	} {
		read := func(name string, src func(cam *camtest.Camera) source.Source) {
			t.Run(tc.name+" by "+name, func(t *testing.T) {
				t.Parallel()
				cam := camera(t, tc.media, tc.opt)
				length := 12 * time.Second
				switch {
				case tc.media.GOP > 100:
					length = 30 * time.Second
				case name == "ffmpeg": // FFmpeg starts again when it knows the sound
					length = 20 * time.Second
				}
				off := off
				if name == "ffmpeg" && tc.media.BFrames > 0 { // FFmpeg holds this many more frames
					off += time.Duration(tc.media.BFrames) * time.Second / time.Duration(tc.media.FPS)
				}
				s, r, err := record(t, src(cam), length)
				if err != nil {
					t.Fatal(err)
				}
				exact(t, r, cam.Info(), 30, off, true)
				video := "h264"
				if tc.media.H265 {
					video = "hevc"
				}
				if s.streams.Video != video || s.streams.Width != 640 || s.streams.Audio != tc.audio ||
					s.streams.LeftOut != tc.left || s.streams.Ingest != name || s.told != 1 {
					t.Errorf("%+v, told %d times", s.streams, s.told)
				}
				if silent := tc.opt.SilentSound || tc.audio == ""; silent != (s.sound == 0) {
					t.Errorf("%d samples of sound", s.sound)
				}
			})
		}
		read("rtsp", func(cam *camtest.Camera) source.Source {
			return rtsp.New(rtsp.Options{URL: cam.URL(), Username: "admin", Password: "it's a secret", Audio: true})
		})
		if tc.ffmpeg {
			read("ffmpeg", func(cam *camtest.Camera) source.Source {
				return ffmpegsource.New(ff, ffmpeg.Source{URL: cam.URL(), Username: "admin",
					Password: config.Secret("it's a secret"), Audio: true})
			})
		}
	}
}

// TestWrongStamps reads cameras whose stamps run at a wrong rate.
func TestWrongStamps(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]camtest.Options{
		"1 % slow":                    {Skew: 0.99},
		"20 % slow":                   {Skew: 0.8},
		"20 % fast":                   {Skew: 1.2},
		"stamps of 12 fps, 10 arrive": {Oddities: camtest.Oddities{StampFPS: 12}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam := camera(t, camtest.Small(10), opt)
			_, r, err := record(t, rtsp.New(rtsp.Options{URL: cam.URL()}), 40*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			file, first, last := joined(t, r)
			counters, err := camtest.Frames(t.Context(), file)
			if err != nil || len(counters) < 350 {
				t.Fatalf("%d frames, %v", len(counters), err)
			}
			info := cam.Info()
			if gaps := info.Gaps(counters); len(gaps) > 0 {
				t.Errorf("gaps %v", gaps)
			}
			sent := info.Time(counters[len(counters)-1], last.End)
			if d := last.End.Sub(sent.Add(100 * time.Millisecond)); d.Abs() > off+100*time.Millisecond {
				t.Errorf("the last frame is timed %s late", d)
			}
			t.Logf("from %s to %s", first.Start, last.End)
		})
	}
}

// TestLeaps reads cameras whose clock is set while they send, or whose stamps stand still. Every frame must come once,
// and be timed by when it was sent.
func TestLeaps(t *testing.T) {
	t.Parallel()
	ff := tool(t)
	type step func(*camtest.Camera)
	jump := func(d time.Duration) step { return func(c *camtest.Camera) { c.Jump(d) } }
	repeat := func(on bool) step { return func(c *camtest.Camera) { c.Repeat(on) } }
	still := func(on bool) step { return func(c *camtest.Camera) { c.Still(on) } }
	const ahead, seconds, back, repeats, stands = "hours ahead", "seconds", "hours back", "stamps repeat",
		"stamps stand"
	steps := map[string][]step{
		ahead:   {jump(3 * time.Hour), jump(9 * time.Hour)},
		back:    {jump(-2 * time.Hour), jump(-3 * time.Hour)},
		seconds: {jump(7 * time.Second), jump(-3 * time.Second), jump(29 * time.Second), jump(-900 * time.Millisecond)},
		repeats: {repeat(true), repeat(false)},
		stands:  {still(true), still(false)},
	}
	for ingest, names := range map[string][]string{"rtsp": {seconds, repeats, stands},
		"ffmpeg": {ahead, back, seconds}} {
		for _, name := range names {
			t.Run(name+" by "+ingest, func(t *testing.T) {
				t.Parallel()

				// A busy machine may need seconds to start FFmpeg, and the camera must bear with it.
				cam := camera(t, camtest.Small(10), camtest.Options{Audio: "pcma", Queue: 2048})
				var src source.Source = rtsp.New(rtsp.Options{URL: cam.URL(), Audio: true})
				if ingest == "ffmpeg" {
					src = ffmpegsource.New(ff, ffmpeg.Source{URL: cam.URL(), Audio: true})
				}
				const pause = 6 * time.Second
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for _, s := range steps[name] {
						select {
						case <-time.After(pause):
							s(cam)
						case <-ctx.Done():
						}
					}
				})
				_, r, err := record(t, src, time.Duration(len(steps[name])+1)*pause+2*time.Second)
				cancel()
				wg.Wait()
				if err != nil {
					t.Fatal(err)
				}
				timed(t, r, cam.Info(), 500*time.Millisecond)
			})
		}
	}
}

// timed checks that the ring has every frame of a camera once, each timed by when it left the camera.
func timed(t *testing.T, r *ring.Ring, info camtest.Info, off time.Duration) {
	t.Helper()
	file, first, _ := joined(t, r)
	counters, err := camtest.Frames(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
		"packet=pts_time", "-of", "csv=p=0", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	stamps := strings.Fields(strings.ReplaceAll(string(out), ",", ""))
	if len(stamps) != len(counters) || len(counters) < 50 {
		t.Fatalf("%d frames, %d stamps", len(counters), len(stamps))
	}
	if gaps := info.Gaps(counters); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
	begin, err := strconv.ParseFloat(stamps[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, s := range stamps {
		at, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		media := first.Start.Add(time.Duration((at - begin) * 1e9))
		if d := media.Sub(info.Time(counters[i], media)); d.Abs() > off {
			if wrong++; wrong < 5 {
				t.Errorf("frame %d is timed %s late", i, d)
			}
		}
	}
	if wrong > 4 {
		t.Errorf("%d of %d frames are timed wrong", wrong, len(stamps))
	}
}

// TestRefusals checks the kind of each failure.
func TestRefusals(t *testing.T) {
	t.Parallel()
	elsewhere := camera(t, camtest.Small(10), camtest.Options{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	junk := talker(t, "HTTP/1.0 400 no\r\n\r\n")
	endless := talker(t,
		"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: 2000000000\r\n\r\n")
	odd := func(o camtest.Oddities) string {
		return camera(t, camtest.Small(10), camtest.Options{Oddities: o}).URL()
	}
	login := camera(t, camtest.Small(10), camtest.Options{Auth: "digest"})
	for _, tc := range []struct {
		name, url, password string
		want                source.Kind
	}{
		{"wrong password", login.URL(), "wrong", source.WrongPassword},
		{"a password that is too long", login.URL(), fmt.Sprintf("%070d", 1), source.LongPassword},
		{"no password", login.URL(), "", source.WrongPassword},
		{"wrong path", elsewhere.URL()[:len(elsewhere.URL())-len(camtest.Path)] + "/nope", "", source.WrongPath},
		{"nothing listens", "rtsp://" + closed.Addr().String() + "/cam", "", source.Unreachable},
		{"unknown host", "rtsp://camera.invalid/cam", "", source.UnknownHost},
		{"redirected to another host", odd(camtest.Oddities{RedirectsTo: "rtsp://127.0.0.2:1/cam"}), "",
			source.Redirected},
		{"no TLS behind rtsps", "rtsps" + elsewhere.URL()[len("rtsp"):], "", source.Certificate},
		{"no RTSP", "rtsp://" + junk + "/cam", "", source.Protocol},
		{"another protocol", "rtsp://" + talker(t, "SSH-2.0-OpenSSH_9.2\r\n") + "/cam", "", source.Protocol},
		{"nothing is said", "rtsp://" + talker(t, "") + "/cam", "", source.Protocol},
		{"a description without end", "rtsp://" + endless + "/cam", "", source.Protocol},
		{"no address", "rtsp://%zz/", "", source.BadURL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			user := ""
			if tc.password != "" {
				user = "admin"
			}
			_, _, err := record(t, rtsp.New(rtsp.Options{URL: tc.url, Username: user, Password: tc.password}),
				30*time.Second)
			f := source.AsFailure(err)
			if f.Kind != tc.want || f.Text().IsZero() || f.Hint().IsZero() {
				t.Errorf("%s: %v", f.Kind, err)
			}
		})
	}
}

// talker is a server that sends one text to every client.
func talker(t *testing.T, text string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = c.Write([]byte(text))
				_, _ = c.Read(make([]byte, 10000))
				if text == "" {
					_, _ = c.Read(make([]byte, 1)) // until the client goes
				}
				time.Sleep(time.Second)
			}()
		}
	}()
	return ln.Addr().String()
}

// stream is a gortsplib server with one stream, to which FFmpeg publishes.
type stream struct {
	server *gortsplib.Server
	mu     sync.Mutex // guards stream
	stream *gortsplib.ServerStream
}

func (s *stream) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *stream) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = &gortsplib.ServerStream{Server: s.server, Desc: ctx.Description}
	if err := s.stream.Initialize(); err != nil {
		return nil, err
	}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (s *stream) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *stream) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (s *stream) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		_ = s.stream.WritePacketRTP(m, p)
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// TestAnotherServer reads a stream from gortsplib's own server. FFmpeg packetises the stream and publishes it to the
// server.
func TestAnotherServer(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	m := camtest.Small(10)
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{}
	address := ""
	for range 20 { // a port that systems do not give to clients
		address = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		s.server = &gortsplib.Server{Handler: s, RTSPAddress: address}
		if err = s.server.Start(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Close)
	url := "rtsp://" + address + "/live"
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-re", "-framerate", "10", "-i", file, "-f",
		"lavfi", "-re", "-i", "sine=sample_rate=16000",
		"-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-f", "rtsp", "-rtsp_transport", "tcp", url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	src := rtsp.New(rtsp.Options{URL: url, Audio: true})
	for begin := time.Now(); ; {
		got, r, err := record(t, src, 10*time.Second)
		if f := source.AsFailure(err); err != nil && f.Kind == source.WrongPath && time.Since(begin) < 20*time.Second {
			time.Sleep(300 * time.Millisecond) // it is not published yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		path, _, _ := joined(t, r)
		counters, err := camtest.Frames(t.Context(), path)
		if err != nil || len(counters) < 60 || got.sound == 0 || got.streams.Audio != "aac" {
			t.Fatalf("%d frames, %d samples of sound, %+v, %v", len(counters), got.sound, got.streams, err)
		}
		for i := 1; i < len(counters); i++ {
			if counters[i] != counters[i-1]+1 {
				t.Errorf("frame %d: %d after %d", i, counters[i], counters[i-1])
			}
		}
		return
	}
}

// TestVLC reads a stream from VLC, which sends RTP only over UDP.
func TestVLC(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	vlc, err := exec.LookPath("vlc")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal("VLC is missing; .ci/setup test installs it")
		}
		t.Skip("VLC is tried on Linux only, where the tests install it")
	}
	m := camtest.Small(10)
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "preroll-vlc-") // another user may read it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	film := filepath.Join(dir, "film.mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-framerate", "10", "-i", file, "-c",
		"copy", film).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(film, 0o644)); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
	args := []string{vlc, "-I", "dummy", "--no-audio", "-q", film, "--sout", "#rtp{sdp=rtsp://" + address + "/live}"}
	if os.Getuid() == 0 { // VLC does not run as root
		args = append([]string{"setpriv", "--reuid", "65534", "--clear-groups"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	src := rtsp.New(rtsp.Options{URL: "rtsp://" + address + "/live"})
	for begin := time.Now(); ; {
		_, r, err := record(t, src, 12*time.Second)
		if f := source.AsFailure(err); err != nil && (f.Kind == source.Unreachable || f.Kind == source.WrongPath) &&
			time.Since(begin) < 30*time.Second {
			time.Sleep(300 * time.Millisecond) // it is not up yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		path, _, _ := joined(t, r)
		counters, err := camtest.FramesOf(t.Context(), path, true) // UDP may lose packets on a busy machine
		if err != nil || len(counters) < 50 {
			t.Fatalf("%d frames, %v", len(counters), err)
		}
		wrong := 0
		for i := 1; i < len(counters); i++ {
			if counters[i] != counters[i-1]+1 {
				wrong++
			}
		}
		if wrong > len(counters)/5 {
			t.Errorf("%d of %d frames do not follow each other: %d", wrong, len(counters), counters)
		}
		return
	}
}

// TestFolder lets FFmpeg write a camera's files in a loop, like the script in the blog. Five file names come round
// again, beside foreign files.
func TestFolder(t *testing.T) {
	t.Parallel()
	cam := camera(t, camtest.Small(10), camtest.Options{Audio: "pcma"})
	dir := t.TempDir()
	for name, text := range map[string]string{"notes.txt": "x", "half.mp4": "not a film",
		"list.mkv": "#EXTM3U\n/etc/passwd\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", cam.URL(), "-c:v",
		"copy", "-c:a", "aac",
		"-f", "segment", "-segment_time", "2", "-segment_wrap", "5", "-reset_timestamps", "1",
		filepath.Join(dir, "%d.mp4"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s, r, err := record(t, folder.New(folder.Options{Dir: dir, Audio: true, Tool: tool(t),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	exact(t, r, cam.Info(), 150, 400*time.Millisecond, false) // FFmpeg itself was late at its start
	if s.streams.Ingest != "folder" || s.streams.Audio != "aac" || s.told < 1 {
		t.Errorf("%+v", s.streams)
	}
	if lag := r.Lag(); lag < time.Second || lag > 15*time.Second {
		t.Errorf("segments lag by %s", lag)
	}
	_ = cmd.Process.Kill() // the file that FFmpeg was writing has no end
	newest := r.Status().Newest
	again, rest, err := record(t, folder.New(folder.Options{Dir: dir, Audio: true, Tool: tool(t), Since: newest,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}), 4*time.Second)
	if err != nil {
		t.Error(err)
	} else if again.told > 0 { // a file that was written meanwhile
		if _, first, _ := joined(t, rest); first.Start.Before(newest.Add(-time.Second)) {
			t.Errorf("a file of %s is read again, when all until %s is known", first.Start, newest)
		}
	}
	if _, _, err := record(t, folder.New(folder.Options{Dir: filepath.Join(dir, "nothing"), Tool: tool(t)}),
		5*time.Second); source.AsFailure(err).Kind != source.NoFolder {
		t.Errorf("a folder that is missing: %v", err)
	}
}

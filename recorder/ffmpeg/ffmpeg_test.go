package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/jpeg" // for image.DecodeConfig
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/source"
)

func find(t *testing.T) *Tool {
	t.Helper()
	tool, err := Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

func TestParseVersion(t *testing.T) {
	for _, tc := range []struct {
		line  string
		major int
		bad   bool
	}{
		{"ffmpeg version 5.1.9-0+deb12u1 Copyright (c)", 5, false},
		{"ffmpeg version n7.1 Copyright", 7, false},
		{"ffmpeg version 8.0-full_build-www.gyan.dev", 8, false},
		{"ffmpeg version N-109542-gabc Copyright", 0, false},
		{"ffmpeg version 2025-01-02-git-abc", 0, false},
		{"ffmpeg version 3.4.11", 3, false},
		{"avconv version 12", 0, true},
		{"", 0, true},
	} {
		_, major, err := parseVersion([]byte(tc.line))
		if major != tc.major || (err != nil) != tc.bad {
			t.Errorf("%q: %d, %v", tc.line, major, err)
		}
	}
}

func TestFindFaults(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		name, setting string
		want          source.Kind
	}{
		{"nothing there", filepath.Join(dir, "nothing"), source.Missing},
		{"another program", script("other", "echo hello"), source.Missing},
		{"too old", script("old", "echo ffmpeg version 3.4.1"), source.TooOld},
		{"built without muxers", script("bare", `case "$2" in -version) echo ffmpeg version 6.0;; esac`),
			source.TooOld},
		{"built with almost nothing", script("least",
			`case "$2" in -version) echo ffmpeg version 6.0; echo "configuration: --disable-everything --enable-muxer=hls";; esac`), source.TooOld},
		{"hangs up", script("crash", "exit 3"), source.Missing},
	} {
		_, err := Find(t.Context(), tc.setting)
		var f *source.Failure
		if !errors.As(err, &f) || f.Kind != tc.want || f.Hint().IsZero() {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestBuiltFully(t *testing.T) {
	for version, want := range map[string][2]bool{
		"ffmpeg version 6.0\nbuilt with gcc\nconfiguration: --prefix=/usr --enable-gpl --disable-stripping --disable-sndio --enable-libx264\nlibavutil": {true, true},
		"ffmpeg version N-1-g1\r\n  configuration: --enable-gpl\r\n":                                                                                    {true, false},
		"ffmpeg version 6.0\nconfiguration: --disable-muxers --enable-muxer=mp4 --enable-libx264\n":                                                     {},
		"ffmpeg version 6.0\nconfiguration: --disable-network\n":                                                                                        {},
		"ffmpeg version 6.0\n": {},
	} {
		if full, h264 := builtFully([]byte(version)); full != want[0] || h264 != want[1] {
			t.Errorf("%q: %v, %v", version, full, h264)
		}
	}
}

// TestFindOnABusyMachine finds an FFmpeg that starts, but does not list its features in time.
func TestFindOnABusyMachine(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	path := filepath.Join(t.TempDir(), "slow")
	if err := os.WriteFile(path,
		[]byte("#!/bin/sh\ncase \"$2\" in -version) echo ffmpeg version 6.0;; *) exec sleep 60;; esac\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	tool, err := Find(t.Context(), path)
	if err != nil || tool.Version != "6.0" {
		t.Errorf("%+v, %v", tool, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	if _, err := Find(ctx, path); err == nil {
		t.Error("it is found although the search was ended")
	}
}

func TestDiagnose(t *testing.T) {
	for _, tc := range []struct {
		name     string
		lines    []string
		recorded bool
		want     source.Kind
	}{
		{"wrong password", []string{"[rtsp @ 0x1] [error] method DESCRIBE failed: 401 Unauthorized",
			"[error] pipe:0: Server returned 401 Unauthorized (authorization failed)"}, false, source.WrongPassword},
		{"forbidden", []string{"[error] Server returned 403 Forbidden (access denied)"}, false, source.WrongPassword},
		{"wrong path", []string{"[rtsp @ 0x1] [error] method DESCRIBE failed: 404 Not Found"}, false, source.WrongPath},
		{"port closed",
			[]string{"[tcp @ 0x1] [error] Connection to tcp://127.0.0.1:1?timeout=0 failed: Connection refused",
				"[error] pipe:0: Connection refused"}, false, source.Unreachable},
		{"no route", []string{"[error] pipe:0: No route to host"}, false, source.Unreachable},
		{"unknown host",
			[]string{"[tcp @ 0x1] [error] Failed to resolve hostname cam.invalid: Name or service not known",
				"[error] pipe:0: Input/output error"}, false, source.UnknownHost},
		{"times out at once", []string{"[error] pipe:0: Connection timed out"}, false, source.Unreachable},
		{"times out while recording", []string{"[error] pipe:0: Connection timed out"}, true, source.Ended},
		{"ends while recording", nil, true, source.Ended},
		{"sound only", []string{"[error] Stream map '0:v:0' matches no streams."}, false, source.NoVideo},
		{"no picture", []string{"[error] pipe:0: Invalid data found when processing input"}, false, source.NoVideo},
		{"connected and silent", []string{"[mp4 @ 0x1] [error] dimensions not set",
			"[error] Could not write header for output file #0 (incorrect codec parameters ?): Invalid argument"},
			false, source.Stalled},
		{"codec",
			[]string{"[mp4 @ 0x1] [error] Could not find tag for codec vp8 in stream #0, codec not currently supported in container"}, false, source.Unsupported},
		{"RAM disk full", []string{"[error] av_interleaved_write_frame(): No space left on device"}, true,
			source.RAMFull},
		{"protocol", []string{"[error] Protocol not on whitelist 'pipe'!"}, false, source.BadURL},
		{"anything else", []string{"[warning] hm", "[fatal] the end is near"}, false, source.Unknown},
		{"nothing said", nil, false, source.Unknown},
	} {
		f := Diagnose(tc.lines, tc.recorded)
		if f.Kind != tc.want {
			t.Errorf("%s: %s", tc.name, f.Kind)
		}
		if f.Text().IsZero() || f.Hint().IsZero() {
			t.Errorf("%s: no words for %s", tc.name, f.Kind)
		}
	}
}

func TestScrub(t *testing.T) {
	const password = "p'a ss&1@x/y"
	for _, line := range []string{
		"Impossible to open 'rtsp://admin:p%27a%20ss&1%40x%2Fy@127.0.0.1:8554/cam'",
		"rtsp://admin:p'a ss&1@x/y@127.0.0.1/cam failed",
		"password is p'a ss&1@x/y.",
		"escaped p%27a+ss%261%40x%2Fy",
		"http://192.0.2.1/snap?user=admin&pwd=p'a ss&1@x/y",
	} {
		got := Scrub(line, password)
		for _, secret := range []string{password, "ss&1", "ss%261", "%27a"} {
			if strings.Contains(got, secret) {
				t.Errorf("%q became %q", line, got)
			}
		}
	}
	if got := Scrub("[rtsp @ 0x5] method DESCRIBE failed: 401 Unauthorized",
		password); got != "[rtsp @ 0x5] method DESCRIBE failed: 401 Unauthorized" {
		t.Errorf("changed a harmless line: %q", got)
	}
	if got := Scrub("rtsp://a:b@c/d and rtsp://e:f@g/h", "b"); got != "rtsp://c/… and rtsp://g/…" {
		t.Errorf("two URLs: %q", got)
	}
}

// TestScrubWithoutPassword scrubs URLs without a password in the settings. The password may be anywhere in the URL.
func TestScrubWithoutPassword(t *testing.T) {
	for _, line := range []string{
		"[error] rtsp://192.0.2.1:554/user=admin&password=s3cret&channel=1&stream=0.sdp?real_stream: Server returned 404 Not Found",
		"[error] rtsp://192.0.2.1:554/user=admin_password=s3cret_channel=1_stream=0.sdp: Server returned 404 Not Found",
		"[error] rtsp://192.0.2.1:554/cgi/login/admin/s3cret/stream1: Server returned 404 Not Found",
		"[error] 'rtsp://192.0.2.1:554/s?pwd=A's3cret': Server returned 404 Not Found",
		"[error] rtsp://admin:s3cret@192.0.2.1:554/stream: Server returned 404 Not Found",
		"[error] rtsp://admin:s3cret/x@192.0.2.1:554/stream: Server returned 404 Not Found",
	} {
		if got := Scrub(line, ""); strings.Contains(got, "s3cret") ||
			!strings.Contains(got, "rtsp://192.0.2.1:554/…") ||
			!strings.HasSuffix(got, ": Server returned 404 Not Found") {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("rtsp://admin:secret@host/x", "secret")
	f.Add("a@b://c@d@e", "longpassword")
	f.Fuzz(func(t *testing.T, line, password string) {
		got := Scrub(line, password)
		if len(password) >= 4 && strings.Contains(got, password) && !strings.Contains("…", password) {
			t.Errorf("%q holds %q", got, password)
		}
	})
}

func TestInputHidesAndConfines(t *testing.T) {
	tool := &Tool{major: 7}
	in, err := tool.input(Source{URL: "rtsp://192.0.2.1/it's", Username: "ad'min", Password: "p'w & x"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(in.args, " "); strings.Contains(all, "192.0.2.1") || strings.Contains(all, "p'w") ||
		strings.Contains(all, "file") {
		t.Errorf("arguments: %s", all)
	}
	for _, want := range []string{`option timeout 5000000`, `option rtsp_transport tcp`, `'\''`} {
		if !strings.Contains(in.stdin, want) {
			t.Errorf("no %q in %q", want, in.stdin)
		}
	}
	if n := strings.Count(in.stdin, "\n"); n != 4 {
		t.Errorf("%d lines in %q", n, in.stdin)
	}
	if old, _ := (&Tool{major: 4}).input(Source{URL: "rtsp://192.0.2.1/x"}, false); !strings.Contains(old.stdin,
		"option stimeout ") {
		t.Errorf("FFmpeg 4: %q", old.stdin)
	}
	for _, url := range []string{"file:///etc/passwd", "-i", "concat:a|b", "rtsp://x/a'\nfile '/etc/passwd",
		"http://x/\r\nfile y", ""} {
		var f *source.Failure
		if _, err := tool.input(Source{URL: url}, false); !errors.As(err, &f) || f.Kind != source.BadURL {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestStreamsAreLearned(t *testing.T) {
	var r streamReader
	done := 0
	for _, l := range strings.Split(`[info] Input #0, concat, from 'pipe:0':
[info]   Duration: N/A, start: 0.000000, bitrate: N/A
[info]   Stream #0:0[0x1](und): Video: hevc (Main) (hvc1 / 0x31637668), yuv420p(tv), 2560x1440 [SAR 1:1 DAR 16:9], 14.99 fps, 15 tbr, 90k tbn
[info]   Stream #0:1: Audio: pcm_alaw, 8000 Hz, mono, s16, 64 kb/s
[info]   Stream #0:2: Data: none
[info] Stream mapping:
[info]   Stream #0:0 -> #0:0 (copy)
[info] Output #0, hls, to 'x':
[info]   Stream #0:0: Video: h264, 1x1`, "\n") {
		if r.line(l) {
			done++
		}
	}
	if want := (source.Streams{Video: "hevc", Width: 2560, Height: 1440, FPS: 14.99,
		Audio: "pcm_alaw"}); r.got != want || done != 1 {
		t.Errorf("%+v, %d times", r.got, done)
	}
}

func TestPlanFor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		known source.Streams
		audio bool
		want  string
		not   string
	}{
		{"AAC", source.Streams{Video: "h264", Audio: "aac"}, true, "-c:a copy -bsf:a aac_adtstoasc", "hvc1"},
		{"G.711", source.Streams{Video: "h264", Audio: "pcm_mulaw"}, true,
			"-c:a copy -movflags frag_every_frame+empty_moov+default_base_moof -flush_packets 1 -max_interleave_delta 1 -f mov", "bsf"},
		{"what MP4 cannot hold", source.Streams{Video: "h264", Audio: "adpcm_g726le"}, true, "-c:a aac",
			"copy -movflags"},
		{"H.265", source.Streams{Video: "hevc"}, true, "-tag:v hvc1", "0:a"},
		{"MJPEG", source.Streams{Video: "mjpeg"}, true, "-use_wallclock_as_timestamps 1", "0:a"},
		{"sound off", source.Streams{Video: "h264", Audio: "aac"}, false, "-c:v copy", "0:a"},
	} {
		got := strings.Join(readArgs(input{args: []string{"-i", "pipe:0"}}, PlanFor(tc.known, tc.audio), false), " ")
		if !strings.Contains(got, tc.want) || strings.Contains(got, tc.not) {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
}

// until is a buffer that calls reached once it holds a number of bytes.
type until struct {
	got     bytes.Buffer
	bytes   int
	reached func()
}

func (u *until) Write(p []byte) (int, error) {
	if u.got.Len() >= u.bytes {
		u.reached()
	}
	return u.got.Write(p)
}

func TestDemoReads(t *testing.T) {
	tool := find(t)
	looking, enough := context.WithCancel(t.Context())
	video := &until{bytes: 20000, reached: enough}
	var got source.Streams
	err := tool.Read(looking, Input{Source: Source{URL: config.DemoURL}}, Plan{}, video, func(s source.Streams) {
		got = s
	})
	if !errors.Is(err, context.Canceled) || got.Width != 640 || got.Video != "h264" {
		t.Fatalf("%+v, %d bytes, %v", got, video.got.Len(), err)
	}
	for _, picture := range []func(context.Context, io.Reader, int) ([]byte, error){tool.Picture, tool.Still} {
		jpeg, err := picture(t.Context(), bytes.NewReader(video.got.Bytes()), 320)
		if c, kind, derr := image.DecodeConfig(bytes.NewReader(jpeg)); err != nil || derr != nil || kind != "jpeg" ||
			c.Width != 320 {
			t.Errorf("%+v, %d bytes, %v, %v", c, len(jpeg), err, derr)
		}
	}
}

func TestHangingFFmpegIsKilled(t *testing.T) {
	poll.RealTime(t)
	path := filepath.Join(t.TempDir(), "hang")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntrap '' TERM\necho started >&2\nwhile :; do sleep 0.05; done\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	err := (&Tool{Path: path}).run(ctx, job{line: func(string) { cancel() }})
	if !errors.Is(err, context.Canceled) || time.Since(began) > stopTime+10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestParseProgress(t *testing.T) {
	got, err := parseProgress("frame=10\nout_time_us=N/A\nprogress=continue\nframe= 182\nout_time_us=18200000\nprogress=end\n")
	if err != nil || got.Frames != 182 || got.Duration != 18200*time.Millisecond {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLines(t *testing.T) {
	var got []string
	eachLine(strings.NewReader("one\r\ntwo\rthree\n\n"+strings.Repeat("x", maxLine+5)+"\nlast"), func(s string) {
		got = append(got, s[:min(5, len(s))])
	})
	if want := []string{"one", "two", "three", "xxxxx", "xxxxx", "last"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

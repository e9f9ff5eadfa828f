package recorder

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // decodes the pictures
	"log/slog"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/diagnose"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

func isJPEG(t *testing.T, b []byte, width int) {
	t.Helper()
	c, kind, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || kind != "jpeg" || c.Width != width {
		t.Errorf("%d bytes: %s %+v, %v", len(b), kind, c, err)
	}
}

// TestLook probes cameras of every kind, and addresses that are no camera.
func TestLook(t *testing.T) {
	t.Parallel()
	tool, err := ffmpeg.Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	small, h265, long := camtest.Small(10), camtest.Small(10), camtest.Small(200)
	small.Seconds, h265.Seconds, h265.H265 = 30, 30, true
	two := small
	two.GOP = 25
	login := camtest.Options{Auth: "digest", User: "admin", Pass: "right"}
	mute := startCamera(t, small, login)
	mute.Mute(true)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "rtsp://" + free.Addr().String() + "/cam"
	_ = free.Close()
	for _, tc := range []struct {
		name string
		cam  *camtest.Camera
		set  func(*config.Camera)
		gop  time.Duration
		want status.ProbeResult
		kind source.Kind
	}{
		{"H.264 and G.711", startCamera(t, small,
			camtest.Options{Auth: "digest", User: "admin", Pass: "right", Audio: "pcma", Meta: true}), nil, time.Second,
			status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 640, Height: 360, FPS: 10,
				Audio: "pcm_alaw"}},
			""},
		{"H.265, no sound", startCamera(t, h265, login), nil, time.Second,
			status.ProbeResult{Streams: source.Streams{Video: "hevc", Width: 640, Height: 360, FPS: 10}}, ""},
		{"GOP of 2.5 s", startCamera(t, two, login), nil, 2500 * time.Millisecond,
			status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 640, Height: 360, FPS: 10}}, ""},
		{"GOP of 20 s", startCamera(t, long, login), nil, 0,
			status.ProbeResult{Streams: source.Streams{Video: "h264", Width: 640, Height: 360, FPS: 10}}, ""},
		{"wrong password", mute, func(c *config.Camera) {
			c.Password = "wrong"
		}, 0, status.ProbeResult{}, source.WrongPassword},
		{"wrong path", mute, func(c *config.Camera) {
			c.URL = strings.Replace(c.URL, camtest.Path, "/nope", 1)
		}, 0, status.ProbeResult{}, source.WrongPath},
		{"unreachable", mute, func(c *config.Camera) { c.URL = gone }, 0, status.ProbeResult{}, source.Unreachable},
		{"mute", mute, nil, 0, status.ProbeResult{}, source.Stalled},
		{"a file", mute, func(c *config.Camera) {
			c.URL = "file:///etc/passwd"
		}, 0, status.ProbeResult{}, source.BadURL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := testCamera("cam", tc.cam)
			cfg.Username, cfg.Password = "admin", "right"
			if tc.set != nil {
				tc.set(&cfg)
			}
			began := time.Now()
			got, err := diagnose.Probe(t.Context(), func() (*ffmpeg.Tool, error) {
				return tool, nil
			}, cfg, slog.New(slog.DiscardHandler))
			if tc.kind != "" {
				var f *source.Failure
				if !errors.As(err, &f) || f.Kind != tc.kind {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			isJPEG(t, got.Picture, 640)
			if fps := got.Streams.FPS; fps < 8 || fps > 12 { // estimated from the first frames
				t.Errorf("%g frames a second", fps)
			}
			got.Streams.FPS, got.Streams.Ingest = 10, ""
			if got.Streams != tc.want.Streams || (got.GOP.D()-tc.gop).Abs() > 200*time.Millisecond {
				t.Errorf("%+v, GOP %s, want %s", got.Streams, got.GOP.D(), tc.gop)
			}
			if got.BitRate < 200e3 || got.BitRate > 1500e3 {
				t.Errorf("%.0f bits a second, want about 500000", got.BitRate)
			}
			t.Logf("took %s", time.Since(began).Round(100*time.Millisecond))
		})
	}
}

// TestStills asks a recorder for stills and checks other fields of its status.
func TestStills(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	off := testCamera("off", cam)
	off.Enabled, off.Notify = false, false
	s := testSettings(t, testCamera("cam", cam), off)
	s.Notify.Quiet = "22:00-07:00"
	// The script counts the pictures that FFmpeg makes.
	made := filepath.Join(t.TempDir(), "made")
	s.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg")
	script := "#!/bin/sh\ncase \"$*\" in *image2pipe*) echo x >> " + made + ";; esac\nexec ffmpeg \"$@\"\n"
	if err := os.WriteFile(s.FFmpeg.Path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("cam", 3*time.Second)
	jpeg, err := r.Still(t.Context(), "cam", 320)
	if err != nil {
		t.Fatal(err)
	}
	isJPEG(t, jpeg, 320)
	before, _ := os.ReadFile(made)
	newest := r.camera("cam").Newest
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if _, err := r.Still(t.Context(), "cam", 480); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	segments := 1 + int(r.camera("cam").Newest.Sub(newest).Seconds()+1)
	if after, _ := os.ReadFile(made); (len(after)-len(before))/2 > segments {
		t.Errorf("%d stills were made of %d segments", (len(after)-len(before))/2, segments)
	}
	for id, want := range map[string]error{"nobody": ErrNoCamera, "off": ErrOff} {
		if _, err := r.Still(t.Context(), id, 320); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}

	st := r.Status(t.Context())
	c := st.Cameras[0]
	if want := int64(c.BitRate / 8 * 100); st.RAM.Need < want*9/10 || st.RAM.Need > want*11/10 ||
		st.RAM.Total < st.RAM.Free || st.RAM.Total == 0 {
		t.Errorf("%+v, want a need of %d", st.RAM, want)
	}
	if !c.Notify || st.Cameras[1].Notify || st.Notify != s.Notify {
		t.Errorf("%+v, %+v", st.Cameras, st.Notify)
	}
}

// TestPause pauses without an end and then with one, while an event is open.
func TestPause(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll = config.Duration(2 * time.Second)
	r := start(t, s, t.TempDir())
	r.filled("cam", 4*time.Second)
	r.mail("cam", "Motion", "")
	r.wait("the event", 10*time.Second, func() bool { return len(r.events("cam")) == 1 })
	last := r.Status(t.Context()).SMTP.Last
	if last == nil || last.Subject != "Motion" || last.Label != "motion" || len(last.Cameras) != 1 ||
		last.Cameras[0] != "cam" || last.Test {
		t.Errorf("%+v", last)
	}
	sub := r.Subscribe()
	defer sub.Close()
	r.Pause(time.Time{})
	if changed, _, _ := sub.Drain(); !changed {
		t.Error("watchers were not told")
	}
	r.mail("cam", "Motion again", "")
	p := r.Status(t.Context()).Pause
	if !p.On || p.Missed != 1 || p.Since.IsZero() || !p.Until.IsZero() {
		t.Errorf("%+v", p)
	}
	r.Pause(time.Now().Add(2 * time.Second)) // the same pause, now with an end
	if q := r.Status(t.Context()).Pause; q.Since != p.Since || q.Missed != 1 || q.Until.IsZero() {
		t.Errorf("%+v", q)
	}
	id, err := r.Trigger(t.Context(), "cam", event.Trigger{Time: time.Now(), Source: event.Manual, Label: "manual"})
	if err != nil || id == "" {
		t.Errorf("a trigger by hand: %q, %v", id, err)
	}
	sub.Drain()
	r.wait("the pause to end", 10*time.Second, func() bool {
		changed, _, _ := sub.Drain()
		return changed && !r.Status(t.Context()).Pause.On
	})
	if e := r.ended("cam", 1, 60*time.Second)[0]; e.TriggerCount != 2 || e.State != event.Saved {
		t.Errorf("%+v", e)
	}
	r.Pause(time.Time{})
	r.EndPause()
	r.EndPause()
	r.Pause(time.Now().Add(-time.Second))
	if p := r.Status(t.Context()).Pause; p != (status.Pause{}) {
		t.Errorf("%+v", p)
	}
	r.mail("cam", "Motion", "")
	r.ended("cam", 2, 60*time.Second)
	if log := r.log.String(); strings.Count(log, "paused: alarm mails save nothing") != 2 ||
		strings.Count(log, "pause ended") != 2 {
		t.Error("entering and leaving are not logged once")
	}
}

// TestStillsAtOnce makes the stills of several cameras in one FFmpeg. One of the FFmpegs fails, as with a video that
// cannot be opened; then each camera has its own.
func TestStillsAtOnce(t *testing.T) {
	t.Parallel()
	wide, small := startCamera(t, camtest.Small(10), camtest.Options{}), startCamera(t, camtest.Small(15),
		camtest.Options{})
	off := testCamera("off", small)
	off.Enabled = false
	s := testSettings(t, testCamera("a", wide), testCamera("b", small), off)
	fails := filepath.Join(t.TempDir(), "fails")
	made := filepath.Join(t.TempDir(), "made")
	s.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg")
	script := "#!/bin/sh\ncase \"$*\" in *mjpeg*) echo x >> " + made + ";; esac\n" +
		"case \"$*\" in *concat:*) [ -e " + fails + " ] && exit 1;; esac\nexec ffmpeg \"$@\"\n"
	if err := os.WriteFile(s.FFmpeg.Path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("a", 3*time.Second)
	r.filled("b", 3*time.Second)
	stills := func(width int) int {
		t.Helper()
		before, _ := os.ReadFile(made)
		list, err := r.Stills(t.Context(), width)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d stills, %v", len(list), err)
		}
		for _, id := range []string{"a", "b"} {
			isJPEG(t, list[id], width)
		}
		after, _ := os.ReadFile(made)
		return (len(after) - len(before)) / 2
	}
	if n := stills(320); n != 1 {
		t.Errorf("%d FFmpegs for two stills", n)
	}
	if err := os.WriteFile(fails, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := stills(160); n != 3 {
		t.Errorf("%d FFmpegs, of which one fails", n)
	}
	if _, err := os.Stat(filepath.Join(s.RAMDisk.Path, ".stills")); !os.IsNotExist(err) {
		t.Errorf("the folder of the stills is left: %v", err)
	}
}

// TestSnapshot sends mails with pictures. The first picture of an event is kept beside its clip, survives a rebuild of
// the index, and is removed with the event.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("a", cam), testCamera("b", cam))
	s.Clip.PreRoll = config.Duration(2 * time.Second)
	drive := filepath.Join(t.TempDir(), "drive")
	s.Archive.Path = filepath.Join(drive, "archive")
	if err := os.MkdirAll(s.Archive.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("a", 4*time.Second)
	r.filled("b", 4*time.Second)
	first, err := r.Still(t.Context(), "a", 320)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Still(t.Context(), "a", 64)
	if err != nil {
		t.Fatal(err)
	}
	// The drive is away when the mail comes, so the picture waits like the video.
	if err := os.Rename(drive, drive+"-away"); err != nil {
		t.Fatal(err)
	}
	r.mailPicture(first, "a", "b")
	r.mailPicture(second, "a")
	if err := os.Rename(drive+"-away", drive); err != nil {
		t.Fatal(err)
	}
	check := func(e event.Event) {
		t.Helper()
		if e.State != event.Saved || e.Snapshot != e.Stem+"_snapshot.jpg" {
			t.Fatalf("%+v", e)
		}
		if b, err := os.ReadFile(r.archive.Path(e, e.Snapshot)); err != nil || !bytes.Equal(b, first) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	e := r.ended("a", 1, 60*time.Second)[0]
	check(e)
	check(r.ended("b", 1, 60*time.Second)[0])
	if found, faults, err := r.Reindex(t.Context()); found != 2 || faults != nil || err != nil {
		t.Fatal(found, faults, err)
	}
	check(r.events("a")[0])
	if err := r.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Archive.Path, "a", "*", "*", "*", "*")); left != nil {
		t.Errorf("files are left: %v", left)
	}
	// A picture whose event is already over leaves no file.
	r.picture(context.Background(), "b", "another", first)
	r.picture(context.Background(), "nobody", "x", first)
}

// mailPicture sends one alarm mail with a picture to the given cameras.
func (r *rig) mailPicture(jpeg []byte, to ...string) {
	r.t.Helper()
	r.wait("the mail server", 10*time.Second, func() bool { return r.Status(r.t.Context()).SMTP.Listen != "" })
	c, err := smtp.Dial(r.Status(r.t.Context()).SMTP.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	err = c.Mail("cam@camera")
	for _, id := range to {
		err = errors.Join(err, c.Rcpt(id+"@nvr"))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = fmt.Fprintf(w,
		"Subject: Motion\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nMotion\r\n--B\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--B--\r\n",
		base64.StdEncoding.EncodeToString(jpeg))
	if err := errors.Join(err, w.Close(), c.Quit()); err != nil {
		r.t.Fatal(err)
	}
}

package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// rig is a running recorder in a test, with real cameras, mails and files.
type rig struct {
	*Recorder
	t    *testing.T
	log  *syncBuffer
	stop func() // ends the recorder and waits for it
	done chan struct{}
	err  error // of Run, once done is closed
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// ramDir creates a folder for the test, in RAM on Linux.
func ramDir(t *testing.T) string {
	t.Helper()
	parent := ""
	if runtime.GOOS == "linux" {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "preroll-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func testSettings(t *testing.T, cameras ...config.Camera) config.Settings {
	s := config.Default()
	s.RAMDisk.Path = filepath.Join(ramDir(t), "ram")
	s.Archive.Path = filepath.Join(t.TempDir(), "archive")
	s.Archive.MinFree = 0
	s.SMTP.Listen = "127.0.0.1:0"
	s.Clip.PostRoll = config.Duration(3 * time.Second)
	s.Cameras = cameras
	return s
}

func testCamera(id string, c *camtest.Camera) config.Camera {
	cfg := config.NewCamera()
	cfg.ID, cfg.Name, cfg.URL = id, "Camera "+id, c.URL()
	return cfg
}

func startCamera(t *testing.T, m camtest.Media, opt camtest.Options) *camtest.Camera {
	t.Helper()
	poll.RealTime(t)
	file, err := m.File(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opt.Video, opt.FPS = file, float64(m.FPS)
	c, err := camtest.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start starts a recorder with the given settings. state is its state folder. A second recorder can take over from the
// first one if it gets the same state folder.
func start(t *testing.T, s config.Settings, state string) *rig {
	t.Helper()
	return startEarly(t, s, state, nil)
}

// startEarly is start with cameras that are read already.
func startEarly(t *testing.T, s config.Settings, state string, early *camera.Early) *rig {
	t.Helper()
	if faults := config.Validate(s); faults != nil {
		t.Fatal(faults)
	}
	log := &syncBuffer{}
	r, err := New(t.Context(), Options{
		Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state}, Settings: s,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Early: early})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	rg := &rig{Recorder: r, t: t, log: log, done: make(chan struct{})}
	go func() {
		rg.err = r.Run(ctx)
		close(rg.done)
	}()
	rg.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-rg.done:
			if err := rg.err; err != nil && !errors.Is(err, ErrHandedOver) {
				t.Errorf("recorder ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("recorder does not stop")
		}
	})
	t.Cleanup(func() {
		rg.stop()
		if t.Failed() {
			lines := strings.Split(log.String(), "\n")
			t.Logf("last of the log:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	})
	return rg
}

// wait waits until ok returns true, and fails the test after limit.
func (r *rig) wait(what string, limit time.Duration, ok func() bool) {
	r.t.Helper()
	poll.Until(r.t, what, limit, ok, func() string { return fmt.Sprintf("%+v", r.Status(r.t.Context())) })
}

func (r *rig) camera(id string) status.Camera {
	r.t.Helper()
	for _, c := range r.Status(r.t.Context()).Cameras {
		if c.ID == id {
			return c
		}
	}
	r.t.Fatalf("no camera %s", id)
	return status.Camera{}
}

// filled waits until the ring of a camera holds the given length of video.
func (r *rig) filled(id string, length time.Duration) {
	r.t.Helper()
	r.wait(fmt.Sprintf("%s of video of %s", length, id), length+90*time.Second, func() bool {
		return r.camera(id).PreRoll.D() >= length
	})
}

// mail sends an alarm mail like a camera and returns when its session began.
func (r *rig) mail(to, subject, body string) time.Time {
	r.t.Helper()
	r.wait("the mail server", 10*time.Second, func() bool { return r.Status(r.t.Context()).SMTP.Listen != "" })
	began := time.Now()
	msg := fmt.Sprintf("From: cam@camera\r\nTo: %s@nvr\r\nSubject: %s\r\n\r\n%s\r\n", to, subject, body)
	if err := sendMail(r.Status(r.t.Context()).SMTP.Listen, "cam@camera", to+"@nvr", msg); err != nil {
		r.t.Error(err)
	}
	return began
}

func sendMail(addr, from, to, msg string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := errors.Join(c.Mail(from), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(msg)); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// events returns the events of a camera, oldest first.
func (r *rig) events(camera string) []event.Event {
	r.t.Helper()
	list, err := r.Events(r.t.Context(), event.Query{Camera: camera, Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// ended waits until all events of a camera have ended and there are n or more. It fails the test if there are not
// exactly n, and returns them.
func (r *rig) ended(camera string, n int, limit time.Duration) []event.Event {
	r.t.Helper()
	var list []event.Event
	r.wait(fmt.Sprintf("%d ended events of %s", n, camera), limit, func() bool {
		list = r.events(camera)
		for _, e := range list {
			if !e.State.Ended() {
				return false
			}
		}
		return len(list) >= n
	})
	if len(list) != n {
		r.t.Fatalf("%d events, want %d: %+v", len(list), n, list)
	}
	return list
}

// whole checks that an event has one clip, which decodes without errors, holds every frame once, starts at 0 and has
// its index in front.
func (r *rig) whole(e event.Event, info camtest.Info) camtest.Report {
	r.t.Helper()
	if len(e.Clips) != 1 {
		r.t.Fatalf("event %s has %d clips: %+v", e.ID, len(e.Clips), e)
	}
	rep, err := camtest.Check(r.t.Context(), r.archive.Path(e, e.Clips[0].File), info, e.Time)
	if err != nil {
		r.t.Fatal(err)
	}
	if rep.Gaps != nil {
		r.t.Errorf("event %s: %v", e.ID, rep.Gaps)
	}
	if rep.StartTime != 0 || !rep.FrontIndex {
		r.t.Errorf("event %s: starts at %v, index in front: %v", e.ID, rep.StartTime, rep.FrontIndex)
	}
	if rep.Frames != e.Clips[0].Frames {
		r.t.Errorf("event %s: %d frames, its record says %d", e.ID, rep.Frames, e.Clips[0].Frames)
	}
	return rep
}

// busy is the tolerance for times while all tests run at once. `make bench` measures the real differences.
const busy = 200 * time.Millisecond

// covers checks that a clip reaches from the pre-roll of the first trigger to the post-roll of the last one, and that
// it begins no earlier than necessary.
func covers(t *testing.T, rep camtest.Report, info camtest.Info, first, last time.Time, s config.Settings,
	gop time.Duration) {
	t.Helper()
	from, until := first.Add(-s.Clip.PreRoll.D()), last.Add(s.Clip.PostRoll.D())
	if early := from.Sub(rep.First); early < -busy || early > gop+max(gop, time.Second)+busy {
		t.Errorf("the clip begins %s before its pre-roll, want 0 to one GOP and one segment", early)
	}
	if end := rep.Last.Add(time.Duration(float64(time.Second) / info.FPS)); end.Before(until.Add(-busy)) {
		t.Errorf("the clip ends %s before its post-roll", until.Sub(end))
	}
}

func TestClipsAreExact(t *testing.T) {
	t.Parallel()
	type cam struct {
		id  string
		gop time.Duration
		cam *camtest.Camera
	}
	cams := []cam{
		{"gop1", time.Second, startCamera(t, camtest.Small(10), camtest.Options{})},
		{"gop2", 2 * time.Second, startCamera(t, camtest.Small(20), camtest.Options{Audio: "pcma"})},
		{"gop05", 500 * time.Millisecond, startCamera(t, camtest.Small(5), camtest.Options{Skew: 1.001})},
	}
	var cfg []config.Camera
	for _, c := range cams {
		cfg = append(cfg, testCamera(c.id, c.cam))
	}
	s := testSettings(t, cfg...)
	r := start(t, s, t.TempDir())
	const mails = 4
	var wg sync.WaitGroup
	for _, c := range cams {
		wg.Go(func() {
			r.filled(c.id, 13*time.Second)
			for n := range mails {
				pause := time.NewTimer(rand.N(2 * time.Second))
				<-pause.C
				began := r.mail(c.id, "Motion", "Event Type: Motion Detected")
				e := r.ended(c.id, n+1, 60*time.Second)[n]
				if e.State != event.Saved || e.Label != "motion" || e.TriggerCount != 1 {
					t.Errorf("%s: %+v", c.id, e)
				}
				covers(t, r.whole(e, c.cam.Info()), c.cam.Info(), began, began, s, c.gop)
			}
		})
	}
	wg.Wait()
}

// TestLongGOP records a camera with a keyframe every 20 s. Some cameras send so few keyframes to save bandwidth.
func TestLongGOP(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(200), camtest.Options{})
	s := testSettings(t, testCamera("gop20", cam))
	r := start(t, s, t.TempDir())
	r.filled("gop20", 20*time.Second)
	began := r.mail("gop20", "Motion", "")
	e := r.ended("gop20", 1, 90*time.Second)[0]
	covers(t, r.whole(e, cam.Info()), cam.Info(), began, began, s, 20*time.Second)
	if e.State != event.Saved {
		t.Errorf("%+v", e)
	}
}

// --- Extending, resuming and a lost archive ---

func TestTriggersExtendAndSplit(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	cut := startCamera(t, camtest.Small(10), camtest.Options{})
	cutCfg := testCamera("cut", cut)
	post, longest := config.Duration(25*time.Second), config.Duration(11*time.Second)
	cutCfg.PostRoll, cutCfg.MaxLength = &post, &longest
	s := testSettings(t, testCamera("cam", cam), cutCfg)
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(4*time.Second), config.Duration(4*time.Second)
	cutPre := s.Clip.PreRoll
	r := start(t, s, t.TempDir())
	r.filled("cam", 6*time.Second)
	r.filled("cut", 6*time.Second)

	if _, err := r.Trigger(t.Context(), "cut", event.Trigger{Time: time.Now(), Source: event.Manual}); err != nil {
		t.Fatal(err)
	}
	first := r.mail("cam", "Motion", "")
	pause := time.NewTimer(time.Until(first.Add(3 * time.Second))) // within the post-roll, however slow the disk is
	<-pause.C
	second := r.mail("cam", "Person detected", "")
	e := r.ended("cam", 1, 60*time.Second)[0]
	if e.TriggerCount != 2 || len(e.Triggers) != 2 || e.State != event.Saved {
		t.Errorf("two triggers within the post-roll: %+v", e)
	}
	covers(t, r.whole(e, cam.Info()), cam.Info(), first, second, s, time.Second)

	third := r.mail("cam", "Motion", "")
	e = r.ended("cam", 2, 60*time.Second)[1]
	covers(t, r.whole(e, cam.Info()), cam.Info(), third, third, s, time.Second)

	// 4 s + 25 s in clips of at most 11 s: no frame is lost or doubled between the clips.
	list := r.ended("cut", 3, 60*time.Second)
	var last camtest.Report
	for i, e := range list {
		rep := r.whole(e, cut.Info())
		if e.State != event.Saved || e.Length() > longest.D() {
			t.Errorf("part %d: %s, %s", i, e.State, e.Length())
		}
		if i > 0 {
			if e.Continues != list[i-1].ID {
				t.Errorf("part %d continues %q, want %q", i, e.Continues, list[i-1].ID)
			}
			if step := rep.First.Sub(last.Last); (step - 100*time.Millisecond).Abs() > time.Millisecond {
				t.Errorf("part %d begins %s after the last frame of the one before, want one frame", i, step)
			}
		}
		last = rep
	}
	if end := list[0].Time.Add(post.D()); last.Last.Before(end.Add(-100 * time.Millisecond)) {
		t.Errorf("the last part ends %s before the post-roll", end.Sub(last.Last))
	}
	if got := list[0].Receipt.PreRollGot.D(); got < cutPre.D() {
		t.Errorf("pre-roll of the first part: %s", got)
	}
}

// TestLookBack saves seconds that are over: before what an open event saves, and around what was saved already. No
// second of what was looked at may be lost, up to now.
func TestLookBack(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(2*time.Second), config.Duration(2*time.Second)
	s.Archive.Path = filepath.Join(t.TempDir(), "drive", "archive")
	if err := os.MkdirAll(s.Archive.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("cam", 12*time.Second)
	back := func(to time.Time) (id string, at time.Time) {
		at = time.Now()
		id, err := r.Trigger(t.Context(), "cam", event.Trigger{Time: to, Until: at, Source: event.Manual})
		if err != nil {
			t.Fatal(err)
		}
		return id, at
	}
	alarm := r.mail("cam", "Motion", "")
	earlier := alarm.Add(-8 * time.Second)
	id, _ := back(earlier)
	within, _ := back(alarm.Add(-time.Second))
	list := r.ended("cam", 2, 60*time.Second)
	first, open := list[0], list[1]
	if first.ID != id || open.ID != within || open.TriggerCount != 2 {
		t.Fatalf("looked back to %s and within %s, got %+v", id, within, list)
	}
	early, late := r.whole(first, cam.Info()), r.whole(open, cam.Info())
	if early.First.After(earlier.Add(-2*time.Second)) || early.Last.Before(open.From.Add(-100*time.Millisecond)) {
		t.Errorf("looked back to %s and saved %s to %s, want up to %s", earlier, early.First, early.Last, open.From)
	}
	covers(t, late, cam.Info(), alarm, alarm, s, time.Second)
	if d := first.Receipt.DurableAfter.D(); d >= alarm.Sub(earlier) { // nobody had asked for it before
		t.Errorf("durable %s after the person looked back", d)
	}

	id, at := back(alarm) // whose event has ended
	list = r.ended("cam", 3, 60*time.Second)
	with := func(id string) event.Event {
		return list[slices.IndexFunc(list, func(e event.Event) bool { return e.ID == id })]
	}
	last := with(id)
	rep := r.whole(last, cam.Info())
	if rep.First.After(alarm.Add(-2*time.Second)) || rep.Last.Before(at.Add(-100*time.Millisecond)) {
		t.Errorf("looked back from %s to %s and saved %s to %s", at, alarm, rep.First, rep.Last)
	}

	// The archive is away, so the event of an alarm is still open when its window is over.
	drive := filepath.Dir(s.Archive.Path)
	if err := os.Rename(drive, drive+"-away"); err != nil {
		t.Fatal(err)
	}
	alarm = r.mail("cam", "Motion", "")
	r.wait("the end of the window", 20*time.Second, func() bool { return time.Since(alarm) > 5*time.Second })
	id, at = back(alarm.Add(-4 * time.Second))
	if err := os.Rename(drive+"-away", drive); err != nil {
		t.Fatal(err)
	}
	list = r.ended("cam", 5, 60*time.Second)
	before, after := with(id), list[4]
	reached := r.whole(before, cam.Info())
	rep = r.whole(after, cam.Info())
	if reached.Last.Before(after.From.Add(-100*time.Millisecond)) ||
		rep.First.After(after.From) || rep.Last.Before(at.Add(-100*time.Millisecond)) {
		t.Errorf("looked back from %s to before %s and saved up to %s, and from %s to %s", at, after.From, reached.Last,
			rep.First, rep.Last)
	}
	for _, e := range []event.Event{first, open, last, before, after} {
		if e.State != event.Saved {
			t.Errorf("%+v", e)
		}
	}
}

func TestKillResumes(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(5*time.Second), config.Duration(12*time.Second)
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("cam", 7*time.Second)
	began := r.mail("cam", "Motion", "")
	r.wait("the first bytes on the archive", 10*time.Second, func() bool { return len(r.events("cam")[0].Parts) == 1 })
	r.stop()
	if e, err := os.Stat(s.Archive.Path); err != nil || !e.IsDir() {
		t.Fatal(err)
	}
	r = start(t, s, state)
	e := r.ended("cam", 1, 60*time.Second)[0]
	if e.State != event.Incomplete || len(e.Gaps) == 0 || len(e.Clips) != 1 {
		t.Fatalf("an event over a restart must be saved and name its gap: %+v", e)
	}
	rep, err := camtest.Check(t.Context(), r.archive.Path(e, e.Clips[0].File), cam.Info(), e.Time)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Gaps) != 1 {
		t.Errorf("the clip has gaps %v, want the one of the restart", rep.Gaps)
	}
	if rep.First.After(began.Add(-5 * time.Second)) {
		t.Errorf("the clip begins at %s, too late for a trigger at %s", rep.First, began)
	}
	left, err := filepath.Glob(filepath.Join(s.RAMDisk.Path, "cam", "pins", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("pins are left: %v, %v", left, err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Archive.Path, "cam", "*", "*", "*", "*partial*")); len(left) > 0 {
		t.Errorf("partial files are left: %v", left)
	}
}

// TestArchiveGoneAndBack unplugs the archive drive before an event and during another one. Pins must wait in RAM,
// status must report the problem, and the clip must be whole after the drive is back.
func TestArchiveGoneAndBack(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	drive := filepath.Join(t.TempDir(), "drive")
	s.Archive.Path = filepath.Join(drive, "archive")
	s.Clip.PreRoll = config.Duration(4 * time.Second)
	if err := os.MkdirAll(s.Archive.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("cam", 6*time.Second)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	told := func(want bool) {
		t.Helper()
		r.wait(fmt.Sprintf("archive trouble to be %v", want), 30*time.Second, func() bool {
			p := r.Status(t.Context()).Problems
			return want == (len(p) > 0 && p[0].About == "archive" && strings.Contains(p[0].Hint.String(), "plugged in"))
		})
	}

	move(drive, drive+"-away")
	began := r.mail("cam", "Motion", "")
	told(true)
	move(drive+"-away", drive)
	e := r.ended("cam", 1, 60*time.Second)[0]
	told(false)
	covers(t, r.whole(e, cam.Info()), cam.Info(), began, began, s, time.Second)

	began = r.mail("cam", "Motion", "")
	r.wait("the first bytes", 10*time.Second, func() bool {
		l := r.events("cam")
		return len(l) == 2 && len(l[1].Parts) == 1
	})
	move(drive, drive+"-away")
	told(true)
	move(drive+"-away", drive)
	e = r.ended("cam", 2, 60*time.Second)[1]
	if e.State != event.Saved {
		t.Errorf("%+v", e)
	}
	covers(t, r.whole(e, cam.Info()), cam.Info(), began, began, s, time.Second)
}

// TestSoundThatCannotBeEncodedIsKept checks that a clip keeps its original sound if FFmpeg cannot encode it.
func TestSoundThatCannotBeEncodedIsKept(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{Audio: "pcma"})
	s := testSettings(t, testCamera("cam", cam))
	s.Clip.PreRoll = config.Duration(4 * time.Second)
	dir := t.TempDir()
	tried := filepath.Join(dir, "tried")
	s.FFmpeg.Path = filepath.Join(dir, "ffmpeg")
	script := "#!/bin/sh\ncase \"$*\" in *faststart*) echo x >> " + tried +
		"; echo '[error] cosmic ray' >&2; exit 1;; esac\nexec ffmpeg \"$@\"\n"
	if err := os.WriteFile(s.FFmpeg.Path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("cam", 6*time.Second)
	began := r.mail("cam", "Motion", "")
	e := r.ended("cam", 1, 60*time.Second)[0]
	if e.State != event.Saved || len(e.Clips) != 1 || e.Clips[0].File != e.Stem+".mp4" {
		t.Fatalf("%+v", e)
	}
	if v, a := codecs(t, r.archive.Path(e, e.Clips[0].File)); v != "h264" || a != "pcm_alaw" {
		t.Errorf("it holds %q and %q", v, a)
	}
	rep, err := camtest.Check(t.Context(), r.archive.Path(e, e.Clips[0].File), cam.Info(), e.Time)
	if err != nil || rep.Gaps != nil {
		t.Errorf("%v, %v", rep.Gaps, err)
	}
	covers(t, rep, cam.Info(), began, began, s, time.Second)
	if b, err := os.ReadFile(tried); err != nil || len(b) != 2*3 {
		t.Errorf("tried %d times, want 3; %v", len(b)/2, err)
	}
}

// TestApplyLeavesOthersAlone changes the settings of one camera while another camera records, and moves the archive
// while an event is open.
func TestApplyLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	a, b := startCamera(t, camtest.Small(10), camtest.Options{}), startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("a", a), testCamera("b", b))
	s.Clip.PreRoll = config.Duration(4 * time.Second)
	r := start(t, s, t.TempDir())
	r.filled("a", 6*time.Second)
	r.filled("b", 6*time.Second)
	began := r.mail("a", "Motion", "")
	r.wait("the first bytes", 10*time.Second, func() bool {
		l := r.events("a")
		return len(l) == 1 && len(l[0].Parts) == 1
	})
	n := r.Settings()
	n.Cameras[0].Name = "Renamed"
	n.Cameras[1].URL = a.URL()
	n.Archive.Path = filepath.Join(t.TempDir(), "new")
	if err := r.Apply(n); err != nil {
		t.Fatal(err)
	}
	e := r.ended("a", 1, 60*time.Second)[0]
	if e.State != event.Saved || e.Archive != s.Archive.Path {
		t.Errorf("%+v", e)
	}
	covers(t, r.whole(e, a.Info()), a.Info(), began, began, s, time.Second)
	if got := r.camera("a"); got.Name != "Renamed" || got.State != status.Recording {
		t.Errorf("%+v", got)
	}
	r.wait("b to connect to its new address", 30*time.Second, func() bool {
		return a.Viewers() == 2 && b.Viewers() == 0
	})

	// A camera is switched off and on again. It must stop and come back, and a trigger meanwhile gets ErrOff.
	n.Cameras[1].Enabled = false
	if err := r.Apply(n); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Trigger(t.Context(), "b", event.Trigger{Time: time.Now()}); !errors.Is(err, ErrOff) {
		t.Errorf("trigger of a camera that is off: %v", err)
	}
	r.wait("b to end", 20*time.Second, func() bool { return a.Viewers() == 1 })
	n.Cameras[1].Enabled = true
	if err := r.Apply(n); err != nil {
		t.Fatal(err)
	}
	r.wait("b to record again", 30*time.Second, func() bool { return r.camera("b").State == status.Recording })

	// Wrong settings change nothing, and the error names every fault.
	bad := r.Settings()
	bad.SMTP.Listen, bad.Clip.PostRoll = "nonsense", 0
	var faults config.ValidationErrors
	if err := r.Apply(bad); !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("wrong settings: %v", err)
	}
	if r.Settings().SMTP.Listen != n.SMTP.Listen {
		t.Error("wrong settings were taken")
	}
}

// TestStreams records every kind of stream with a login. The password is a canary that must not appear anywhere.
func TestStreams(t *testing.T) {
	t.Parallel()
	const canary = "C4nary' pa&ss/w@rd"
	aac, err := camtest.AAC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	small, h265 := camtest.Small(10), camtest.Small(10)
	small.Seconds, h265.Seconds, h265.H265 = 30, 30, true
	for _, tc := range []struct {
		id         string
		media      camtest.Media
		opt        camtest.Options
		video, snd string
	}{
		{"alaw", small, camtest.Options{Audio: "pcma", Auth: "digest"}, "h264", "aac"},
		{"ulaw", small, camtest.Options{Audio: "pcmu", Auth: "basic"}, "h264", "aac"},
		{"aac", small, camtest.Options{Audio: aac, Auth: "digest"}, "h264", "aac"},
		{"silent", small, camtest.Options{Auth: "digest", NoReports: true}, "h264", ""},
		{"onvif", small, camtest.Options{Audio: "pcma", Meta: true, Auth: "digest"}, "h264", "aac"},
		{"h265", h265, camtest.Options{Audio: aac, Auth: "digest"}, "hevc", "aac"},
		{"ffmpeg", small, camtest.Options{Audio: "pcma", Auth: "digest"}, "h264", "aac"},
		{"ffmpeg-aac", small, camtest.Options{Audio: aac, Auth: "basic"}, "h264", "aac"},
		{"ffmpeg-h265", h265, camtest.Options{Auth: "digest"}, "hevc", ""},
	} {
		t.Run(tc.id, func(t *testing.T) {
			t.Parallel()
			tc.opt.User, tc.opt.Pass = "admin", canary
			cam := startCamera(t, tc.media, tc.opt)
			cfg := testCamera(tc.id, cam)
			cfg.Username, cfg.Password = "admin", canary
			byFFmpeg := strings.HasPrefix(tc.id, "ffmpeg")
			if byFFmpeg {
				cfg.Ingest = config.IngestFFmpeg
			}
			s := testSettings(t, cfg)
			s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(2*time.Second), config.Duration(time.Second)
			r := start(t, s, t.TempDir())
			r.filled(tc.id, 4*time.Second)
			noCanaryInProcesses(t, canary, byFFmpeg)
			r.mail(tc.id, "Motion", "")
			e := r.ended(tc.id, 1, 60*time.Second)[0]
			r.whole(e, cam.Info())
			if e.State != event.Saved || e.Thumbnail == "" {
				t.Errorf("%+v", e)
			}
			if v, a := codecs(t, r.archive.Path(e, e.Clips[0].File)); v != tc.video || a != tc.snd {
				t.Errorf("the clip holds %q and %q, want %q and %q", v, a, tc.video, tc.snd)
			}
			all := r.log.String() + fmt.Sprintf("%+v %#v", r.Status(t.Context()), e)
			if b, err := os.ReadFile(r.archive.Path(e, e.Stem+".json")); err != nil {
				t.Error(err)
			} else {
				all += string(b)
			}
			for _, form := range []string{canary, "C4nary", "pa%26ss", "w%40rd"} {
				if strings.Contains(all, form) {
					t.Errorf("the password (%s) was printed", form)
				}
			}
		})
	}
}

func TestWrongPasswordIsNamed(t *testing.T) {
	t.Parallel()
	m := camtest.Small(10)
	m.Seconds = 30
	cam := startCamera(t, m, camtest.Options{Auth: "digest", User: "admin", Pass: "right"})
	cfg := testCamera("cam", cam)
	cfg.Username, cfg.Password = "admin", "Wr0ng-Canary"
	gone := testCamera("gone", cam)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.URL = "rtsp://" + ln.Addr().String() + "/cam"
	_ = ln.Close()
	path := testCamera("path", cam)
	path.Username, path.Password = "admin", "right"
	path.URL = strings.Replace(cam.URL(), camtest.Path, "/nope", 1)
	s := testSettings(t, cfg, gone, path)
	r := start(t, s, t.TempDir())
	for id, want := range map[string]string{"cam": "wrong password", "gone": "unreachable", "path": "wrong path"} {
		r.wait(id+" to fail", 20*time.Second, func() bool { return string(r.camera(id).Failure) == want })
	}
	if strings.Contains(r.log.String(), "Wr0ng") {
		t.Error("the password was logged")
	}
	// A mail for a camera that does not record is still accepted, and the event says why there is no clip.
	s.Clip.PostRoll = config.Duration(time.Second)
	if err := r.Apply(s); err != nil {
		t.Fatal(err)
	}
	r.mail("cam", "Motion", "")
	e := r.ended("cam", 1, 60*time.Second)[0]
	if e.State != event.Failed || !strings.Contains(e.Reason, "refuses the user name or password") {
		t.Errorf("%+v", e)
	}
}

// TestMailWhileFFmpegStarts uses an FFmpeg that is slow to start, as after a boot. Mails must be accepted meanwhile,
// and status must report no problem.
func TestMailWhileFFmpegStarts(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	s.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(s.FFmpeg.Path,
		[]byte("#!/bin/sh\nuntil [ -e \"$0.go\" ]; do sleep 0.1; done\nexec ffmpeg \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.wait("it to listen", 10*time.Second, func() bool { return r.Status(t.Context()).SMTP.Listen != "" })
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	if p := r.Status(t.Context()).Problems; len(p) > 0 {
		t.Errorf("there is trouble: %+v", p)
	}
	if err := os.WriteFile(s.FFmpeg.Path+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wait("it to record", 30*time.Second, func() bool { return r.camera("demo").State == status.Recording })
	r.ended("demo", 1, 60*time.Second)
}

func TestNoEventWritesNothing(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	if err := os.MkdirAll(s.Archive.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, t.TempDir())
	r.filled("demo", 5*time.Second)
	if list, err := os.ReadDir(s.Archive.Path); err != nil || len(list) != 0 {
		t.Fatalf("with no event the archive holds %v, %v", list, err)
	}
	if _, err := r.Trigger(t.Context(), "nobody", event.Trigger{Time: time.Now()}); !errors.Is(err, ErrNoCamera) {
		t.Errorf("unknown camera: %v", err)
	}
	r.mail("nobody", "Hello", "who is it?")
	if u := r.Status(t.Context()).SMTP.Unmatched; len(u) != 1 || u[0].Subject != "Hello" || u[0].To[0] != "nobody@nvr" {
		t.Errorf("unmatched: %+v", u)
	}
	r.mail("demo", "Test Email", "If you receive this e-mail you have successfully set up and tested the e-mail alert")
	if got := r.Status(t.Context()).SMTP; got.Tests != 1 ||
		got.LastTest.String() != "Demo camera: the camera's mail settings work." || len(r.events("demo")) != 0 {
		t.Errorf("a test mail: %+v", got)
	}
	if err := r.MailCamera(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	e := r.ended("demo", 1, 60*time.Second)[0]
	if e.Label != "motion" || e.Triggers[0].Source != event.Mail {
		t.Errorf("%+v", e)
	}
}

func codecs(t *testing.T, file string) (video, audio string) {
	t.Helper()
	probe := func(kind string) string {
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", kind, "-show_entries",
			"stream=codec_name", "-of", "csv=p=0", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	return probe("v"), probe("a")
}

// TestStormIsOneEvent sends 1800 mails for one camera at once. All must be answered and counted in one event, and the
// event must keep only a bounded number of triggers.
func TestStormIsOneEvent(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	s := testSettings(t, config.DemoCamera())
	r := start(t, s, t.TempDir())
	r.filled("demo", 3*time.Second)
	r.wait("the mail server", 10*time.Second, func() bool { return r.Status(t.Context()).SMTP.Listen != "" })
	addr := r.Status(t.Context()).SMTP.Listen
	const senders, each = 12, 150
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if err := sendMail(addr, "cam@camera", "demo@nvr", "Subject: Motion\r\n\r\nMotion\r\n"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	e := r.ended("demo", 1, 90*time.Second)[0]
	if e.TriggerCount != senders*each || len(e.Triggers) != event.KeptTriggers {
		t.Errorf("%d triggers counted and %d kept of %d mails", e.TriggerCount, len(e.Triggers), senders*each)
	}
	if last := e.Until.Sub(e.LastTrigger); last != s.Lengths(s.Cameras[0]).PostRoll.D() {
		t.Errorf("it ends %s after its last trigger", last)
	}
}

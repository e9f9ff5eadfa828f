package clip

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
)

// TestReloadNamesHoles takes up a partial file that lacks two segments, of which one was noted before the crash.
func TestReloadNamesHoles(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=10", "-t", "8", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10",
		"-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4", "-hls_segment_filename", filepath.Join(dir, "%d.m4s"), filepath.Join(dir, "live.m3u8")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := archive.Open(t.Context(), t.TempDir(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	start := time.Now().Add(-time.Minute).Round(time.Second)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	ev := event.Event{ID: "e", Camera: "cam", Time: start, Label: "motion", State: event.Recording, From: start, Until: at(8)}
	if err := a.Reserve(&ev); err != nil {
		t.Fatal(err)
	}
	ev.Parts = []event.Part{{File: ev.Stem + ".partial.mp4", Clip: ev.Stem + ".mp4", Run: 1, Start: start}}
	ev.Gaps = []event.Gap{{From: at(1.1), To: at(2.1), Reason: "the camera sent no picture"}}

	var b []byte
	for _, name := range []string{"init.mp4", "0.m4s", "2.m4s", "3.m4s", "5.m4s", "6.m4s"} {
		s, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, s...)
	}
	sum := fmp4.Sum()
	_, _ = sum.Write(b)
	if err := os.WriteFile(a.Path(ev, ev.Parts[0].File), append(b, fmp4.Seal(int64(len(b)), sum.Sum32())...), 0o600); err != nil {
		t.Fatal(err)
	}
	in := &Incident{c: New(Copier{Archive: a}), now: &work{ev: ev}}
	if err := in.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []event.Gap{ev.Gaps[0], {From: at(4), To: at(5), Reason: interrupted}}
	if !slices.Equal(in.now.ev.Gaps, want) || in.now.parts[0].frames != 50 {
		t.Errorf("gaps %s, %d frames", fmt.Sprint(in.now.ev.Gaps), in.now.parts[0].frames)
	}
}

// TestSplitNamesTheGap cuts an event where the camera was away: the one that ends says so.
func TestSplitNamesTheGap(t *testing.T) {
	a, err := archive.Open(t.Context(), t.TempDir(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	start := time.Now().Add(-time.Minute).Round(time.Second)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	w := &work{ev: event.Event{ID: "e", Camera: "cam", Time: start, Label: "motion", State: event.Recording, From: start, Until: at(40)}, any: true,
		last: ring.Segment{Run: 1, Number: 9, Start: at(9), End: at(10)}}
	in := &Incident{cam: Camera{ID: "cam", Why: func() string { return "the camera was unplugged" }}, now: w, c: New(Copier{
		Archive: a, Log: slog.New(slog.DiscardHandler), Changed: func(event.Event) {}, Trouble: func(error) {}})}
	if err := in.split(t.Context(), ring.Segment{Run: 2, Number: 0, Start: at(15), End: at(16)}); err != nil {
		t.Fatal(err)
	}
	in.finishing.Wait()
	ended, err := a.Get(t.Context(), "e")
	if err != nil || len(ended.Gaps) != 1 || !ended.Gaps[0].From.Equal(at(10)) || !ended.Gaps[0].To.Equal(at(15)) || ended.Gaps[0].Reason != "the camera was unplugged" {
		t.Errorf("gaps %v, %v", ended.Gaps, err)
	}
	if next := in.now.ev; !next.From.Equal(at(15)) || len(next.Gaps) != 0 {
		t.Errorf("the next event: %+v", next)
	}
}

package clip

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/text"
)

// written returns how many bytes this process has written by system calls.
func written(b *testing.B) (n int64) {
	f, err := os.Open("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "wchar: "); ok {
			if _, err := fmt.Sscan(v, &n); err != nil {
				b.Fatal(err)
			}
		}
	}
	return n
}

// spent returns the CPU time of this process and of the processes that it waited for.
func spent(b *testing.B) (d time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return d
}

// BenchmarkClip saves a clip of 60 s and 30 MB. It measures the cost from the first segment to the end of the event,
// and the cost of the end alone. For comparison, FFmpeg makes the same clip from the same segments, like a recorder
// that remuxes.
func BenchmarkClip(b *testing.B) {
	const seconds = 60
	dir := b.TempDir()
	out, err := exec.CommandContext(b.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		"testsrc2=s=1280x720:r=15,noise=alls=12:allf=t", "-t", fmt.Sprint(seconds), "-c:v", "libx264", "-preset",
		"ultrafast", "-g", "15", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-bf", "0",
		"-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4", "-hls_segment_filename",
		filepath.Join(dir, "%d.m4s"), filepath.Join(dir, "live.m3u8")).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	r := reel{init: filepath.Join(dir, "init.mp4")}
	for i := range seconds {
		r.segments = append(r.segments, filepath.Join(dir, fmt.Sprintf("%d.m4s", i)))
	}
	a, err := archive.Open(b.Context(), b.TempDir(), b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	none := func() (*ffmpeg.Tool, error) {
		return nil, errors.New("none is needed, but for the thumbnail, whose pipe would count as written")
	}
	c := New(Copier{Archive: a, FFmpeg: none, Log: slog.New(slog.DiscardHandler), Changed: func(event.Event) {
	}, DriveError: func(error) {}})
	var bytes, wrote int64
	var all, end, plain time.Duration
	n := 0
	for b.Loop() {
		h := &hold{}
		for i, path := range r.segments {
			fi, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			s := seg(1, float64(i), float64(i+1))
			s.Media = [2]time.Duration{time.Duration(i) * time.Second, time.Duration(i+1) * time.Second}
			s.Path, s.Init, s.Params, s.Bytes, s.Frames, s.Number = path, r.init, "p", fi.Size(), 15, i
			h.queue = append(h.queue, s)
		}
		id := fmt.Sprint("e", n)
		n++
		ev := event.Event{ID: id, Camera: "cam", Time: at(10), Label: "motion", State: event.Recording, From: at(0),
			Until: at(seconds - 0.1), Hold: id}
		ev.Add(event.Trigger{Time: at(10)})
		in := &Incident{c: c, cam: Camera{ID: "cam", Why: func() text.Text {
			return text.Text{}
		}, Lengths: config.Clip{PreRoll: config.Duration(10 * time.Second),
			PostRoll: config.Duration(time.Minute), MaxLength: config.Duration(10 * time.Minute)}}, hold: h}
		in.now = in.newWork(ev, time.Now())
		if err := in.now.commit(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		before, cpu := written(b), spent(b)
		for i := range h.queue { // a segment at a time, as segments come
			if !in.store(b.Context(), h.queue[i:i+1]) {
				b.Fatal("not stored")
			}
		}
		ending := spent(b)
		if err := in.now.record(b.Context(), func(c *course) { c.conclude(); in.now.total() }); err != nil {
			b.Fatal(err)
		}
		in.finish(b.Context(), in.now)
		all, end, wrote = all+spent(b)-cpu, end+spent(b)-ending, wrote+written(b)-before
		e, err := a.Get(b.Context(), id)
		if err != nil || len(e.Clips) != 1 || e.State != event.Saved {
			b.Fatalf("%+v, %v", e, err)
		}
		bytes += e.Bytes()
		b.StopTimer()
		from := spent(b)
		if out, err := exec.CommandContext(b.Context(), "ffmpeg", "-v", "error", "-i", filepath.Join(dir, "live.m3u8"),
			"-c", "copy", "-movflags", "+faststart", "-y",
			filepath.Join(dir, "plain.mp4")).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		plain += spent(b) - from
		b.StartTimer()
	}
	per := float64(b.N)
	b.ReportMetric(float64(wrote)/float64(bytes), "written/byte")
	b.ReportMetric(float64(bytes)/per/1e6, "MB")
	b.ReportMetric(all.Seconds()/per, "CPU-s")
	b.ReportMetric(end.Seconds()/per, "end-CPU-s")
	b.ReportMetric(plain.Seconds()/per, "FFmpeg-CPU-s")
}

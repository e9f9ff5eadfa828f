package player

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// run is one FFmpeg. For each picture run sends a head, waits for a buffer, reads the pixels into the buffer, and
// signals that they are there.
type run struct {
	heads  chan head
	into   chan []byte
	read   chan struct{}
	cancel context.CancelFunc // kills FFmpeg
	ended  chan struct{}      // closed when FFmpeg is gone
	err    error              // why FFmpeg ended before the source did; set when ended is closed
}

// head is what is known of a picture before its pixels are read.
type head struct {
	at     time.Duration
	size   image.Point
	length time.Duration // of the file, as FFmpeg reports it; 0 if FFmpeg does not
}

// maxLine bounds a line of FFmpeg's output. The rest of a longer line is read as further lines.
const maxLine = 4096

// start makes FFmpeg decode from a position, and returns at once. If rough is true, decoding starts at the keyframe
// before the position. The thread that starts FFmpeg is kept until FFmpeg ends, because on Linux the parent-death
// signal depends on the thread.
func start(ffmpeg, version string, s Source, from time.Duration, rough bool, box image.Point) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{heads: make(chan head), into: make(chan []byte, 1), read: make(chan struct{}), cancel: cancel,
		ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		defer close(r.ended)
		defer cancel()
		r.err = r.decode(ctx, ffmpeg, arguments(version, s, from, rough, box), s, from)
	}()
	return r
}

// arguments returns FFmpeg's arguments. The filter showinfo prints the time and size of each picture, because raw video
// carries neither.
func arguments(version string, s Source, from time.Duration, rough bool, box image.Point) []string {
	args := []string{"-hide_banner", "-nostats", "-nostdin", "-loglevel", "level+info", "-threads", "2"}
	switch {
	case s.Stream != nil:
		args = append(args, "-protocol_whitelist", "pipe", "-analyzeduration", "0", "-fpsprobesize", "0", "-copyts",
			"-f",
			"mp4") // the times of the stream hold, and nothing waits for more of it than it takes
	case from > 0:
		if rough {
			args = append(args, "-noaccurate_seek")
		}
		args = append(args, "-ss", strconv.FormatFloat(from.Seconds(), 'f', 6, 64))
	}

	sync, info := []string{"-fps_mode", "passthrough"}, "showinfo=checksum=0"
	if older(version, 5, 1) {
		sync = []string{"-vsync", "0"}
	}
	if older(version, 5, 0) { // showinfo has the option only since 4.4
		info = "showinfo"
	}

	// Scaling also makes pixels square.
	fit := fmt.Sprintf("min(1,min(%d/(iw*sar),%d/ih))", box.X, box.Y)
	scale := fmt.Sprintf("scale=w='max(2,trunc(iw*sar*%s/2)*2)':h='max(2,trunc(ih*%[1]s/2)*2)':flags=fast_bilinear",
		fit)
	input := "file:" + s.Path
	if s.Stream != nil {
		input = "pipe:0"
		if from > 0 && !rough {
			scale = fmt.Sprintf("select='gte(t,%.6f)',%s", (from + s.Lead).Seconds(), scale)
		}
	}
	args = append(args, "-i", input, "-map", "0:v:0", "-an", "-sn", "-dn", "-vf", scale+",format=rgba,"+info)
	return append(append(args, sync...), "-f", "rawvideo", "pipe:1")
}

var release = regexp.MustCompile(`^[nv]?(\d+)\.(\d+)`)

// older reports whether a version is a release before major.minor. A build from git counts as new.
func older(version string, major, minor int) bool {
	m := release.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	x, _ := strconv.Atoi(m[1])
	y, _ := strconv.Atoi(m[2])
	return x < major || x == major && y < minor
}

// decode runs FFmpeg to its end.
func (r *run) decode(ctx context.Context, ffmpeg string, args []string, s Source, from time.Duration) error {
	if err := missing(s); err != nil {
		return err
	}
	if ffmpeg == "" {
		return noFFmpeg("")
	}
	cmd := exec.CommandContext(ctx, ffmpeg, args...)
	cmd.Env = append(os.Environ(), "AV_LOG_FORCE_NOCOLOR=1") // the output is parsed
	cmd.WaitDelay = closeTime
	dieWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	l := lines{from: from}
	if s.Stream != nil {
		l.from = -s.Lead
		video, err := s.Stream(ctx, from)
		if err != nil {
			return noStream(err)
		}
		defer func() { _ = video.Close() }()
		cmd.Stdin = video
	}
	if err := cmd.Start(); err != nil {
		return noFFmpeg(err.Error())
	}
	heads := make(chan head, 64) // newer releases of FFmpeg announce some pictures ahead
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(heads)
		l.read(ctx, stderr, heads)
	})
	shown, err := r.pictures(ctx, stdout, heads)
	if err != nil {
		r.cancel()
	}
	reading.Wait() // must come before cmd.Wait, which closes the pipe
	werr := cmd.Wait()
	if gone := missing(s); gone != nil {
		return gone
	}
	switch {
	case s.Stream != nil:
		return liveEnded(l.last)
	case strings.Contains(l.last, "Input/output error"), strings.Contains(l.last, "Stale file handle"):
		return noDrive(l.last)
	case shown == 0 && (werr != nil || from == 0):
		return damaged(l.last)
	}

	return nil
}

// pictures sends the head and reads the pixels of one picture after the other, and returns the number of pictures.
func (r *run) pictures(ctx context.Context, stdout io.Reader, heads <-chan head) (n int, err error) {
	for h := range heads {
		var pixels []byte
		select {
		case r.heads <- h:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		select {
		case pixels = <-r.into:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		if _, err := io.ReadFull(stdout, pixels); err != nil {
			return n, err
		}
		select {
		case r.read <- struct{}{}:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		n++
	}

	return n, nil
}

// lines parses FFmpeg's log.
type lines struct {
	from   time.Duration // where FFmpeg started; its times count from there
	unit   float64       // of its timestamps, in seconds; 0 if unknown
	length time.Duration
	at     time.Duration // position of the last picture
	last   string        // the last error
}

var (
	unitLine    = regexp.MustCompile(`^\[Parsed_showinfo_\d+ @ [^]]*\] \[info\] config in time_base: (\d+)/(\d+)`)
	pictureLine = regexp.MustCompile(`^\[Parsed_showinfo_\d+ @ [^]]*\] \[info\] n: *\d+ pts: *(\S+) pts_time: *(\S+) .* s:(\d+)x(\d+) `)
	lengthLine  = regexp.MustCompile(`^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+), `)
	errorLine   = regexp.MustCompile(`^(?:\[([^]]*)\] )?\[(?:error|fatal)\] (.*)`)
)

// read sends a head for each picture until the log or ctx ends.
func (l *lines) read(ctx context.Context, r io.Reader, heads chan<- head) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		b, err := br.ReadSlice('\n')
		if h, ok := l.line(strings.TrimRight(string(b), "\r\n")); ok {
			select {
			case heads <- h:
			case <-ctx.Done():
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *lines) line(line string) (head, bool) {
	if m := pictureLine.FindStringSubmatch(line); m != nil {
		// pts_time has only six digits, pts is exact. A picture without either gets the position of the previous
		// picture.
		if pts, err := strconv.ParseInt(m[1], 10, 64); err == nil && l.unit > 0 {
			l.at = l.from + time.Duration(float64(pts)*l.unit*float64(time.Second))
		} else if s, err := strconv.ParseFloat(m[2], 64); err == nil {
			l.at = l.from + time.Duration(s*float64(time.Second))
		}
		w, _ := strconv.Atoi(m[3])
		h, _ := strconv.Atoi(m[4])
		return head{l.at, image.Pt(w, h), l.length}, true
	}

	if m := unitLine.FindStringSubmatch(line); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		d, _ := strconv.ParseFloat(m[2], 64)
		l.unit = 0
		if d > 0 {
			l.unit = n / d
		}
	} else if m := lengthLine.FindStringSubmatch(line); m != nil {
		d, _ := time.ParseDuration(m[1] + "h" + m[2] + "m" + m[3] + "s")
		l.length = d
	} else if m := errorLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "rawvideo") {
		// Errors of rawvideo are ignored: that muxer complains of timestamps that are close together.
		l.last = m[2]
	}

	return head{}, false
}

// missing returns the problem of a source that cannot be reached, or nil.
func missing(s Source) error {
	if s.Stream != nil {
		return nil
	}
	_, err := os.Stat(s.Path)
	if err == nil {
		return nil
	}
	return missingFile(s, err)
}

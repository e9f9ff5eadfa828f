// Package folder reads the video files that another program writes into a folder, in most cases in a loop on a RAM
// disk.
//
// The input is a folder, the output is samples. A file counts as whole when the next file was begun and nothing was
// written to it for a moment. Then the file is read. Its last frame counts as arrived when the file was last written.
// File names may come round again. Files without video are skipped. The package never changes anything in the folder.
// Run waits for everything that it starts.
package folder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	pump "github.com/preroll/preroll/recorder/source/ffmpeg"
	"github.com/preroll/preroll/recorder/text"
)

// Options says what to read.
type Options struct {
	Dir   string
	Audio bool
	Tool  func() (*ffmpeg.Tool, error)
	Since time.Time // video until this time is known already, to within join
	Log   *slog.Logger
}

// Source is a folder with the files of a camera.
type Source struct {
	opt       Options
	known     source.Streams
	announced []source.Track // tracks of the previous file
	end       time.Duration  // steady time at which the previous file ended
	since     time.Time
}

// New returns the source of a folder.
func New(opt Options) *Source {
	return &Source{opt: opt, known: source.Streams{Audio: "aac"}, since: opt.Since.Add(join + rest)}
}

const (
	rest     = 300 * time.Millisecond // a file is whole if it was not written for this time and the next file was begun
	join     = 300 * time.Millisecond // files that are no further apart follow each other without a gap
	idle     = 2 * time.Minute        // without a new file for this time, the program that writes files counts as gone
	maxSize  = 1 << 30                // maximum bytes of a file
	maxQueue = 100                    // maximum number of files that wait to be read
)

// suffixes are the suffixes of video files.
var suffixes = []string{".mp4", ".m4v", ".mov", ".mkv", ".ts", ".mts", ".flv", ".avi"}

func isVideo(path string) bool { return slices.Contains(suffixes, strings.ToLower(filepath.Ext(path))) }

// Run reads files as they become whole; see [source.Source].
func (s *Source) Run(ctx context.Context, to source.Sink) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch folder: %w", err)
	}
	defer func() { _ = w.Close() }()
	if fi, err := os.Stat(s.opt.Dir); err != nil || !fi.IsDir() {
		return source.NoFolder.Failure(s.opt.Dir)
	}
	if err := w.Add(s.opt.Dir); err != nil {
		return source.NoFolder.Failure(err)
	}
	s.announced, s.end = nil, 0
	current, queue := s.existing()
	timer := time.NewTimer(rest)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case ev, ok := <-w.Events:
			if !ok {
				return source.NoFolder.Failure(s.opt.Dir)
			}
			if !isVideo(ev.Name) || !ev.Has(fsnotify.Create) && !ev.Has(fsnotify.Write) {
				continue
			}
			last = time.Now()
			if ev.Name == current || slices.Contains(queue, ev.Name) { // the previous file is still written to its end
				continue
			}
			if current != "" && len(queue) < maxQueue {
				queue = append(queue, current)
			}
			current = ev.Name
		case err := <-w.Errors:
			s.opt.Log.Warn("folder watch lost events", "err", err)
		case <-timer.C:
			timer.Reset(rest)
		}

		for len(queue) > 0 {
			fi, err := os.Lstat(queue[0])
			if err == nil && time.Since(fi.ModTime()) < rest {
				break
			}
			path := queue[0]
			queue = queue[1:]
			if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxSize || !fi.ModTime().After(s.since) {
				continue
			}
			if err := s.file(ctx, to, path, fi.ModTime()); err != nil {
				return err
			}
			s.since = fi.ModTime()
		}

		if time.Since(last) > idle {
			if _, err := os.Stat(s.opt.Dir); err != nil {
				return source.NoFolder.Failure(s.opt.Dir)
			}
			return source.Stalled.Failure(text.NoNewFile.With(s.opt.Dir))
		}
	}
}

// existing returns the newest file, which is probably being written, and the older files that are not known yet.
func (s *Source) existing() (current string, queue []string) {
	type file struct {
		path string
		at   time.Time
	}
	var files []file
	list, _ := os.ReadDir(s.opt.Dir)
	for _, e := range list {
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() && isVideo(e.Name()) &&
			fi.ModTime().After(s.since) {
			files = append(files, file{filepath.Join(s.opt.Dir, e.Name()), fi.ModTime()})
		}
	}
	if len(files) == 0 {
		return "", nil
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	for _, f := range files[max(0, len(files)-1-maxQueue) : len(files)-1] {
		if time.Since(f.at) < idle {
			queue = append(queue, f.path)
		}
	}
	return files[len(files)-1].path, queue
}

// file gives the frames of a whole file to the sink. A file that cannot be read is skipped.
func (s *Source) file(ctx context.Context, to source.Sink, path string, written time.Time) error {
	tool, err := s.opt.Tool()
	if err != nil {
		return err
	}
	var m measure
	for range 3 { // the first try shows what the files hold
		plan := ffmpeg.PlanFor(s.known, s.opt.Audio)
		p := &pump.Pump{To: &m, Ingest: "folder", Streams: func(got source.Streams) error {
			s.known = got
			if ffmpeg.PlanFor(got, s.opt.Audio) != plan {
				return errPlan
			}
			return nil
		}}
		if err = p.Run(ctx, tool, ffmpeg.Input{File: path}, plan); !errors.Is(err, errPlan) {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || !m.begun {
		s.opt.Log.Debug("file is not readable video", "path", path, "err", err)
		return nil
	}

	// The last frame ends when the file was last written. Files that follow each other continue without a gap.
	last := steady.Now() - time.Since(written)
	start := last - (m.end - m.first)
	stamp := start
	s.opt.Log.Debug("file", "path", path, "duration", m.end-m.first)
	if s.end != 0 && start < s.end+join && start > s.end-(m.end-m.first) {
		stamp = s.end
	}
	s.end = stamp + (m.end - m.first)
	p := &pump.Pump{To: to, Ingest: "folder", Before: s.announced, Streams: func(source.Streams) error { return nil },
		Time: func(f fmp4.Frame) (time.Duration, time.Duration) {
			return stamp + f.Time - m.first, start + f.Time - m.first
		}}
	if err = p.Run(ctx, tool, ffmpeg.Input{File: path}, ffmpeg.PlanFor(s.known, s.opt.Audio)); err != nil {
		s.opt.Log.Debug("file was not read to its end", "path", path, "err", err)
	}
	s.announced = p.Before
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.SinkErr != nil:
		return p.SinkErr
	}
	return to.Flush() // the next file comes late
}

// measure is a sink that measures how long a file is.
type measure struct {
	begun      bool
	first, end time.Duration
}

func (m *measure) Tracks([]source.Track, source.Streams) error { return nil }
func (m *measure) Flush() error                                { return nil }

func (m *measure) Sample(x source.Sample) error {
	if x.Track == 0 {
		if !m.begun {
			m.first, m.begun = x.Stamp, true
		}
		m.end = max(m.end, x.Stamp+x.Length)
	}
	return nil
}

// errPlan means that FFmpeg was started with a plan for another stream.
var errPlan = errors.New("the file is another one")

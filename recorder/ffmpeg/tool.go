// Package ffmpeg finds FFmpeg, builds its arguments, runs it and reports why it ended. No other package of the engine
// starts a process.
//
// The input is a camera's [Source] or a file; the output is a stream of fragmented MP4, a finished clip, a picture, or
// a [source.Failure] in plain words. Nothing passes through a shell. Passwords go only through standard input. Every
// line that FFmpeg prints is scrubbed before anyone sees it. Each call waits for the process that it started.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Tool is an FFmpeg that was found and is usable.
type Tool struct {
	Path    string
	Version string // as FFmpeg calls itself, such as "5.1.9-0+deb12u1"
	major   int    // 0 for a build from git, which counts as new

	file  os.FileInfo
	h264  bool // has libx264, which the demo camera needs
	clock func() bool
}

// oldest is the oldest major release whose options Preroll knows.
const oldest = 4

// needed lists what FFmpeg must be built with, per option that prints the list.
var needed = map[string][]string{"-demuxers": {"rtsp", "concat"}, "-muxers": {"mov", "mp4"},
	"-encoders": {"aac", "mjpeg"}}

const (
	startTime = 20 * time.Second // how long FFmpeg may take to start on a machine that just started
	askTime   = 10 * time.Second // how long to ask FFmpeg for its features
)

// Find returns the FFmpeg to use: the program in the setting, else the program beside Preroll, else the program on
// PATH. The error is a [*source.Failure] of kind [source.Missing] or [source.TooOld]. If the machine is too busy to
// list the features of FFmpeg in time, FFmpeg counts as usable, because a camera must not wait for that.
func Find(ctx context.Context, setting string) (*Tool, error) {
	path, err := locate(setting)
	if err != nil {
		return nil, err
	}
	t := &Tool{Path: path}
	if t.file, err = os.Stat(path); err != nil {
		return nil, source.Missing.Failure(err)
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	out, err := t.output(starting, "-hide_banner", "-version")
	if err != nil {
		return nil, source.Missing.Failure(text.FFmpegDoesNotStart.With(path, err))
	}
	if t.Version, t.major, err = parseVersion(out); err != nil {
		return nil, source.Missing.Failure(text.NotFFmpeg.With(path, err))
	}
	if t.major != 0 && t.major < oldest {
		return nil, source.TooOld.Failure(text.FFmpegVersion.With(path, t.Version, oldest))
	}
	t.clock = t.canDrawClock()
	if full, h264 := builtFully(out); full {
		t.h264 = h264
		return t, nil
	}
	var missing []string
	asking, cancelAsking := context.WithTimeout(ctx, askTime)
	defer cancelAsking()
	for _, list := range slices.Sorted(maps.Keys(needed)) {
		has, err := t.list(asking, list)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			has = nil
		case err != nil:
			return nil, source.Missing.Failure(err)
		default:
			missing = append(missing, slices.DeleteFunc(slices.Clone(needed[list]), func(name string) bool {
				return has[name]
			})...)
		}

		if list == "-encoders" {
			t.h264 = has == nil || has["libx264"]
		}
	}

	if len(missing) > 0 {
		return nil, source.TooOld.Failure(text.FFmpegLacks.With(path, strings.Join(missing, ", ")))
	}
	return t, nil
}

// canDrawClock returns a function that reports whether the demo camera can have a clock. A clock needs the drawtext
// filter and a font, and only a try shows whether there is a font.
func (t *Tool) canDrawClock() func() bool {
	return sync.OnceValue(func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		_, err := t.output(ctx, "-hide_banner", "-v", "error", "-f", "lavfi", "-i", "color=s=64x32:r=1,"+clockFilter,
			"-frames:v", "1", "-f", "null", "-")
		return err == nil
	})
}

var (
	configuration = regexp.MustCompile(`(?m)^\s*configuration:(.*)$`)
	leavesOut     = regexp.MustCompile(`--disable-(everything|all|network|protocol|muxer|demuxer|encoder)`)
)

// builtFully reports whether FFmpeg was built with all features that need no other library, and whether it has libx264.
// version is what FFmpeg prints about its version. Most builds are full; then FFmpeg need not be started once for each
// list of features.
func builtFully(version []byte) (full, h264 bool) {
	m := configuration.FindSubmatch(version)
	if m == nil || leavesOut.Match(m[1]) {
		return false, false
	}
	return true, slices.Contains(strings.Fields(string(m[1])), "--enable-libx264")
}

// Changed reports whether the program is gone or was replaced since it was found. An update may have removed the
// program, or brought a version that needs other arguments.
func (t *Tool) Changed() bool {
	now, err := os.Stat(t.Path)
	return err != nil || !os.SameFile(now, t.file) || now.Size() != t.file.Size() ||
		!now.ModTime().Equal(t.file.ModTime())
}

// locate returns the path of FFmpeg; see Find.
func locate(setting string) (string, error) {
	name := "ffmpeg"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if setting != "" {
		if fi, err := os.Stat(setting); err == nil && fi.IsDir() {
			setting = filepath.Join(setting, name)
		}
		path, err := exec.LookPath(setting)
		if err != nil {
			return "", source.Missing.Failure(text.FFmpegSetting.With(setting))
		}
		return path, nil
	}

	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", source.Missing.Failure(text.NoFFmpegOnPath)
	}
	return path, nil
}

var versionLine = regexp.MustCompile(`^ffmpeg version (\S+)`)

// parseVersion returns the version in the output of -version. major is 0 for a build from git.
func parseVersion(out []byte) (version string, major int, err error) {
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", 0, text.NoVersion.Error()
	}
	version = string(m[1])
	digits := strings.TrimPrefix(strings.TrimPrefix(version, "n"), "v")
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		if digits[i] != '.' {
			return version, 0, nil // "N-109542-g…", "2024-01-01-git-…": a build from git
		}
		digits = digits[:i]
	}
	major, _ = strconv.Atoi(digits)
	return version, major, nil
}

// list returns the names in a list of FFmpeg, such as -muxers. Names that belong together share a line ("mov,mp4,m4a").
func (t *Tool) list(ctx context.Context, list string) (map[string]bool, error) {
	out, err := t.output(ctx, "-hide_banner", "-v", "error", list)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", t.Path, list, err)
	}
	has := map[string]bool{}
	for line := range bytes.Lines(out) {
		if f := strings.Fields(string(line)); len(f) > 1 {
			for _, name := range strings.Split(f[1], ",") {
				has[name] = true
			}
		}
	}

	return has, nil
}

// output runs FFmpeg for a moment and returns its standard output.
func (t *Tool) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := t.run(ctx, job{args: args, stdout: &out})
	return out.Bytes(), err
}

// Package ffmpeg finds FFmpeg, builds its arguments, runs it and says why it ended. The engine starts processes
// nowhere else.
//
// In goes a camera's Source or a file; out come segments on the RAM disk, finished clips, pictures, and a [Failure]
// in plain words. Nothing is passed through a shell, passwords travel by standard input only, and every line that
// FFmpeg prints is scrubbed before anyone sees it. Each call waits for the process that it started.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
)

// Tool is an FFmpeg that was found and is good enough.
type Tool struct {
	Path    string
	Version string // as it calls itself, such as "5.1.9-0+deb12u1"
	major   int    // 0 for a build from git, which is taken as new

	file  os.FileInfo
	h264  bool // libx264 is there, which the demo camera needs
	clock func() bool
}

// oldest is the oldest release whose options are known here.
const oldest = 4

// Find returns the FFmpeg to use: the one of the setting, else beside this program, else on PATH. The error is a
// [*Failure] of kind [Missing] or [TooOld].
func Find(ctx context.Context, setting string) (*Tool, error) {
	path, err := locate(setting)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	t := &Tool{Path: path}
	if t.file, err = os.Stat(path); err != nil {
		return nil, &Failure{Kind: Missing, Detail: err.Error()}
	}
	out, err := t.output(ctx, "-hide_banner", "-version")
	if err != nil {
		return nil, &Failure{Kind: Missing, Detail: fmt.Sprintf("%s does not start: %v", path, err)}
	}
	if t.Version, t.major, err = parseVersion(out); err != nil {
		return nil, &Failure{Kind: Missing, Detail: fmt.Sprintf("%s is no FFmpeg: %v", path, err)}
	}
	if t.major != 0 && t.major < oldest {
		return nil, &Failure{Kind: TooOld, Detail: fmt.Sprintf("%s is version %s; version %d or newer is needed", path, t.Version, oldest)}
	}
	var missing []string
	for _, f := range []struct{ list, name string }{{"-demuxers", "rtsp"}, {"-demuxers", "concat"}, {"-muxers", "hls"}, {"-muxers", "mp4"}, {"-encoders", "aac"}, {"-encoders", "mjpeg"}} {
		has, err := t.has(ctx, f.list, f.name)
		if err != nil {
			return nil, &Failure{Kind: Missing, Detail: err.Error()}
		}
		if !has {
			missing = append(missing, f.name)
		}
	}
	if missing != nil {
		return nil, &Failure{Kind: TooOld, Detail: fmt.Sprintf("%s was built without %s", path, strings.Join(missing, ", "))}
	}
	t.h264, _ = t.has(ctx, "-encoders", "libx264")
	// A clock needs the drawtext filter and a font; whether there is one, only a try tells.
	t.clock = sync.OnceValue(func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := t.output(ctx, "-hide_banner", "-v", "error", "-f", "lavfi", "-i", "color=s=64x32:r=1,"+clockFilter, "-frames:v", "1", "-f", "null", "-")
		return err == nil
	})
	return t, nil
}

// Changed tells whether the program is gone or another one since it was found: an update may have removed it, or brought
// a version that wants other arguments.
func (t *Tool) Changed() bool {
	now, err := os.Stat(t.Path)
	return err != nil || !os.SameFile(now, t.file) || now.Size() != t.file.Size() || !now.ModTime().Equal(t.file.ModTime())
}

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
			return "", &Failure{Kind: Missing, Detail: fmt.Sprintf("ffmpeg.path = %q is not a program that can be started", setting)}
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
		return "", &Failure{Kind: Missing, Detail: "no ffmpeg on PATH or beside this program"}
	}
	return path, nil
}

var versionLine = regexp.MustCompile(`^ffmpeg version (\S+)`)

func parseVersion(out []byte) (version string, major int, err error) {
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", 0, errors.New("it does not tell its version")
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

// has tells whether a list such as -muxers has a name; names that belong together share a line ("mov,mp4,m4a").
func (t *Tool) has(ctx context.Context, list, name string) (bool, error) {
	out, err := t.output(ctx, "-hide_banner", "-v", "error", list)
	if err != nil {
		return false, fmt.Errorf("%s %s: %w", t.Path, list, err)
	}
	for line := range bytes.Lines(out) {
		if f := strings.Fields(string(line)); len(f) > 1 && slices.Contains(strings.Split(f[1], ","), name) {
			return true, nil
		}
	}
	return false, nil
}

// output runs FFmpeg for a moment and returns what it wrote to standard output.
func (t *Tool) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := t.run(ctx, job{args: args, stdout: &out})
	return out.Bytes(), err
}

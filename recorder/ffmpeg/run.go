package ffmpeg

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// job is one run of FFmpeg.
type job struct {
	args     []string
	stdin    io.Reader
	files    []*os.File // files that FFmpeg may read or write; see nameOf
	stdout   io.Writer
	password string            // scrubbed from every line
	line     func(line string) // called with each scrubbed line of standard error; may be nil
	memory   uint64            // maximum bytes of address space where the system has such a limit; 0: no limit
	kill     bool              // FFmpeg is killed when ctx ends, instead of asked to stop
}

// stopTime is how long FFmpeg may take to end after it was asked to stop.
const stopTime = 3 * time.Second

// maxLine is the maximum length of a line, in bytes. A longer line is cut into several.
const maxLine = 4096

// keptLines is how many of FFmpeg's last lines are kept to find the reason of an error.
const keptLines = 40

// exitError is the error of an FFmpeg that exited with an error, with its last lines.
type exitError struct {
	err   error
	lines []string
}

func (e *exitError) Error() string { return Diagnose(e.lines, false).Error() }
func (e *exitError) Unwrap() error { return e.err }

// run starts FFmpeg and waits until it ends. When ctx ends, FFmpeg is asked to stop and then killed (with job.kill,
// killed at once), and the error is the cause of ctx. The thread that starts FFmpeg is kept while FFmpeg runs, because
// on Linux the parent-death signal belongs to the thread and not to the process.
func (t *Tool) run(ctx context.Context, j job) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		done <- t.runHere(ctx, j)
	}()
	return <-done
}

// runHere is run on the thread of the caller.
func (t *Tool) runHere(ctx context.Context, j job) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cmd := exec.CommandContext(ctx, t.Path, j.args...)
	cmd.Stdin, cmd.Stdout = j.stdin, j.stdout
	if runtime.GOOS != "windows" {
		cmd.ExtraFiles = j.files
	}
	cmd.Cancel = func() error {
		if j.kill { // its further output is not wanted
			return cmd.Process.Kill()
		}
		return interrupt(cmd.Process)
	}
	cmd.WaitDelay = stopTime
	dieWithParent(cmd)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return source.Missing.Failure(text.FFmpegDoesNotStart.With(t.Path, err))
	}
	err = adopt(cmd.Process)
	defer release(cmd.Process)
	if err == nil && j.memory > 0 {
		err = limitMemory(cmd.Process, j.memory)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	var last []string
	var reading sync.WaitGroup
	reading.Go(func() {
		eachLine(stderr, func(line string) {
			line = Scrub(line, j.password)
			if len(last) == keptLines {
				last = append(last[:0], last[1:]...)
			}
			last = append(last, line)
			if j.line != nil {
				j.line(line)
			}
		})
	})

	// cmd.Wait closes the pipe, so the lines are read to their end first. When ctx ends, cmd itself asks FFmpeg to stop
	// and kills it after stopTime, which also ends the lines.
	reading.Wait()
	err = cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &exitError{err, last}
	}
	return nil
}

// eachLine calls f for every line that is not empty. Progress lines end with CR.
func eachLine(r io.Reader, f func(string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	lines.Split(func(b []byte, end bool) (int, []byte, error) {
		if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
			return i + 1, b[:i], nil
		}
		if len(b) == maxLine || end && len(b) > 0 {
			return len(b), b, nil
		}
		return 0, nil, nil
	})
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			f(line)
		}
	}
}

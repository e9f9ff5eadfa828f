//go:build linux

package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Use is what a process uses of the machine.
type Use struct {
	Memory   int64 // resident bytes, without the pages of the program's file
	Files    int   // open descriptors
	Threads  int
	Routines int   // goroutines
	Heap     int64 // bytes of the heap in use
}

func (u Use) String() string {
	return fmt.Sprintf("%.1f MB (%.1f MB of its heap are in use), %d files, %d threads, %d goroutines",
		float64(u.Memory)/1e6, float64(u.Heap)/1e6, u.Files, u.Threads, u.Routines)
}

// use measures the current process of Preroll.
func (w *World) use(ctx context.Context) (u Use, err error) {
	pid := w.pid()
	path := w.count()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return u, err
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return u, err
	}
	err = wait(ctx, busyTimeout, "Preroll to count its goroutines", func() (bool, error) {
		b, err := os.ReadFile(path)
		if err == nil {
			_, err = fmt.Sscan(string(b), &u.Routines, &u.Heap)
		}
		return err == nil, nil
	})
	if err != nil {
		return u, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		switch {
		case len(f) == 0:
		case name == "RssAnon", name == "RssShmem":
			n, _ := strconv.ParseInt(f[0], 10, 64)
			u.Memory += n << 10
		case name == "Threads":
			u.Threads, _ = strconv.Atoi(f[0])
		}
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.Files = len(list)
	return u, err
}

// process is a process of a world.
type process struct {
	pid  int
	name string
	args []string
}

// adopt makes this process the parent of all orphans among its descendants, so that they can be found.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// processes lists the processes of the world: the descendants of this process that inherited mark. Other processes are
// not read, because reading a process can block while it hangs.
func (w *World) processes() (list []process) {
	want := []byte(mark + "=" + w.opt.Dir + "\x00")
	var below func(pid int)
	below = func(parent int) {
		for _, pid := range children(parent) {
			below(pid)
			dir := fmt.Sprintf("/proc/%d", pid)
			// The environment of a zombie is empty.
			if b, err := os.ReadFile(dir + "/environ"); err != nil || !bytes.Contains(b, want) {
				continue
			}
			p := process{pid: pid}
			if b, err := os.ReadFile(dir + "/comm"); err == nil {
				p.name = strings.TrimSpace(string(b))
			}
			if b, err := os.ReadFile(dir + "/cmdline"); err == nil {
				p.args = strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
			}
			list = append(list, p)
		}
	}
	below(os.Getpid())
	return list
}

// children lists the processes that a process started or adopted.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for _, s := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(s); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// records reports whether p is an FFmpeg that records a camera.
func (p process) records() bool {
	return p.name == "ffmpeg" && strings.Contains(strings.Join(p.args, " "), "frag_every_frame")
}

// ffmpegs lists the FFmpegs that work for Preroll now: only those that record, or all.
func (w *World) ffmpegs(recording bool) []process {
	return slices.DeleteFunc(w.processes(), func(p process) bool {
		return p.name != "ffmpeg" || recording && !p.records()
	})
}

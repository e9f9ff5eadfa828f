//go:build linux

package faultfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if err := Private(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks that an error is errno; 0 means no error.
func want(t *testing.T, what string, err error, errno syscall.Errno) {
	t.Helper()
	if errno == 0 && err != nil || errno != 0 && !errors.Is(err, errno) {
		t.Errorf("%s: %v, want %v", what, err, errno)
	}
}

// waitFor waits until holds returns true.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	poll.Until(t, what, 10*time.Second, holds, nil)
}

// wait waits until a count of a disk reaches n.
func wait(t *testing.T, d *Disk, name string, n int64) {
	t.Helper()
	waitFor(t, name, func() bool { return d.Counts()[name] >= n })
}

func openFile(t *testing.T, path string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flag, 0o640)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestADiskInOrderIsAnyDisk(t *testing.T) {
	_, at := New(t)
	a, b := filepath.Join(at, "a"), filepath.Join(at, "b")

	t.Run("bytes", func(t *testing.T) {
		f := openFile(t, a, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if _, err := os.OpenFile(a, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("O_EXCL on a name that is taken: %v", err)
		}
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
		_, err := f.WriteAt(big, 10)
		must(t, err)
		got := make([]byte, len(big))
		_, err = f.ReadAt(got, 10)
		must(t, err)
		if !bytes.Equal(got, big) {
			t.Error("2 MiB were read other than written")
		}
		must(t, f.Truncate(12))
		if st, err := f.Stat(); err != nil || st.Size() != 12 || st.Mode() != 0o640 {
			t.Errorf("after truncate: %v, %v", st, err)
		}
		x, y := openFile(t, a, os.O_WRONLY|os.O_APPEND), openFile(t, a, os.O_WRONLY|os.O_APPEND)
		for range 3 {
			_, err := x.WriteString("x")
			must(t, err)
			_, err = y.WriteString("y")
			must(t, err)
		}
		if got := read(t, a); got != "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0001xyxyxy" {
			t.Errorf("two appenders: %q", got)
		}
		write(t, a, "short")
		if got := read(t, a); got != "short" {
			t.Errorf("O_TRUNC: %q", got)
		}
	})

	t.Run("times and modes", func(t *testing.T) {
		old := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
		must(t, os.Chtimes(a, old, old))
		must(t, os.Chmod(a, 0o604))
		st, err := os.Stat(a)
		must(t, err)
		if !st.ModTime().Equal(old) || st.Mode() != 0o604 {
			t.Errorf("%v %v", st.ModTime(), st.Mode())
		}
		write(t, a, "new")
		if st, err := os.Stat(a); err != nil || time.Since(st.ModTime()).Abs() > time.Minute {
			t.Errorf("a write leaves the time at %v, %v", st.ModTime(), err)
		}
	})

	t.Run("names", func(t *testing.T) {
		write(t, a, "a")
		write(t, b, "b")
		want(t, "rename without replacing", unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_NOREPLACE),
			unix.EEXIST)
		want(t, "rename to a free name", unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, a+"2", unix.RENAME_NOREPLACE),
			0)
		want(t, "exchange", unix.Renameat2(unix.AT_FDCWD, a+"2", unix.AT_FDCWD, b, unix.RENAME_EXCHANGE), 0)
		if read(t, b) != "a" || read(t, a+"2") != "b" {
			t.Error("names were not exchanged")
		}
		must(t, os.Rename(a+"2", a))
		must(t, os.Link(b, b+"2"))
		x, err := os.Stat(b)
		must(t, err)
		if y, err := os.Stat(b + "2"); err != nil || !os.SameFile(x, y) || x.Sys().(*syscall.Stat_t).Nlink != 2 {
			t.Errorf("a hard link is another file, or not counted: %v", err)
		}
		must(t, os.Symlink("b2", filepath.Join(at, "link")))
		if to, err := os.Readlink(filepath.Join(at, "link")); err != nil || to != "b2" ||
			read(t, filepath.Join(at, "link")) != "a" {
			t.Errorf("symbolic link: %q, %v", to, err)
		}
		dir := filepath.Join(at, "dir")
		must(t, os.Mkdir(dir, 0o750))
		must(t, os.Rename(b+"2", filepath.Join(dir, "b2")))
		want(t, "rmdir", os.Remove(dir), unix.ENOTEMPTY)
		var names []string
		must(t, filepath.WalkDir(at, func(path string, e fs.DirEntry, err error) error {
			names = append(names, e.Name()+" "+e.Type().String())
			return err
		}))
		if want := []string{"a ----------", "b ----------", "dir d---------", "b2 ----------",
			"link L---------"}; !slices.Equal(names[1:], want) {
			t.Errorf("%q", names)
		}
		must(t, os.RemoveAll(dir))
	})

	t.Run("many names", func(t *testing.T) {
		dir := filepath.Join(at, "many")
		must(t, os.Mkdir(dir, 0o700))
		for i := range 200 {
			write(t, filepath.Join(dir, fmt.Sprintf("a rather long name, so that they do not fit in one answer %d", i)),
				"")
		}
		list, err := os.ReadDir(dir)
		if err != nil || len(list) != 200 {
			t.Errorf("%d names, %v", len(list), err)
		}
	})

	t.Run("removed while open", func(t *testing.T) {
		f := openFile(t, filepath.Join(at, "gone"), os.O_RDWR|os.O_CREATE)
		must(t, os.Remove(f.Name()))
		_, err := f.WriteString("still here")
		must(t, err)
		if got, err := io.ReadAll(io.NewSectionReader(f, 0, 100)); err != nil || string(got) != "still here" {
			t.Errorf("%q, %v", got, err)
		}
		if st, err := f.Stat(); err != nil || st.Size() != 10 {
			t.Errorf("%v, %v", st, err)
		}
	})

	t.Run("mapped", func(t *testing.T) {
		f := openFile(t, filepath.Join(at, "mapped"), os.O_RDWR|os.O_CREATE)
		must(t, f.Truncate(8192))
		m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		copy(m[4090:], "across pages")
		must(t, unix.Msync(m, unix.MS_SYNC))
		if got := read(t, f.Name())[4090:4102]; got != "across pages" {
			t.Errorf("%q", got)
		}
		must(t, unix.Munmap(m))
	})

	t.Run("free space", func(t *testing.T) {
		var st unix.Statfs_t
		must(t, unix.Statfs(at, &st))
		if st.Bavail == 0 || st.Blocks < st.Bavail || st.Bsize < 512 {
			t.Errorf("%+v", st)
		}
	})
}

// --- Faults ---

func TestFaults(t *testing.T) {
	const yes = "yes" // a file that exists before
	calls := []struct {
		name string
		do   func(at string, f *os.File) error
	}{
		{"read", func(at string, _ *os.File) error { _, err := os.ReadFile(filepath.Join(at, yes)); return err }},
		{"open for writing", func(at string, _ *os.File) error {
			f, err := os.OpenFile(filepath.Join(at, yes), os.O_WRONLY, 0)
			if err == nil {
				err = f.Close()
			}
			return err
		}},
		{"write", func(_ string, f *os.File) error { _, err := f.WriteAt([]byte("x"), 0); return err }},
		{"grow", func(_ string, f *os.File) error { return f.Truncate(1 << 20) }},
		{"shrink", func(_ string, f *os.File) error { return f.Truncate(0) }},
		{"fsync", func(_ string, f *os.File) error { return f.Sync() }},
		{"fsync folder", func(at string, _ *os.File) error { return syncDir(at) }},
		{"create", func(at string, _ *os.File) error { return os.WriteFile(filepath.Join(at, "new"), nil, 0o600) }},
		{"a FAT name", func(at string, _ *os.File) error {
			return os.WriteFile(filepath.Join(at, "12:30"), nil, 0o600)
		}},
		{"mkdir", func(at string, _ *os.File) error { return os.Mkdir(filepath.Join(at, "dir"), 0o700) }},
		{"link", func(at string, _ *os.File) error {
			return os.Link(filepath.Join(at, yes), filepath.Join(at, "link"))
		}},
		{"symlink", func(at string, _ *os.File) error { return os.Symlink(yes, filepath.Join(at, "symlink")) }},
		{"chmod", func(_ string, f *os.File) error { return f.Chmod(0o600) }},
		{"utimes", func(at string, _ *os.File) error {
			return os.Chtimes(filepath.Join(at, yes), time.Now(), time.Now())
		}},
		{"rename", func(at string, _ *os.File) error {
			return os.Rename(filepath.Join(at, "a"), filepath.Join(at, "b"))
		}},
		{"rename, not replacing", func(at string, _ *os.File) error {
			return unix.Renameat2(unix.AT_FDCWD, filepath.Join(at, "c"), unix.AT_FDCWD, filepath.Join(at, "d"),
				unix.RENAME_NOREPLACE)
		}},
		{"remove", func(at string, _ *os.File) error { return os.Remove(filepath.Join(at, "victim")) }},
	}
	const full, ro, eperm, einval, eio = unix.ENOSPC, unix.EROFS, unix.EPERM, unix.EINVAL, unix.EIO
	type fails map[string]syscall.Errno
	tests := []struct {
		name   string
		faults Faults
		fails  fails
	}{
		{"none", Faults{}, fails{}},
		{"full", Faults{Full: true}, fails{"write": full, "grow": full, "create": full, "a FAT name": full,
			"mkdir": full, "link": full, "symlink": full}},
		{"read-only", Faults{ReadOnly: true},
			fails{"open for writing": ro, "write": ro, "grow": ro, "shrink": ro, "create": ro, "a FAT name": ro,
				"mkdir": ro, "link": ro,
				"symlink": ro, "chmod": ro, "utimes": ro, "rename": ro, "rename, not replacing": ro, "remove": ro}},
		{"write", Faults{WriteErr: eio}, fails{"write": eio}},
		{"fsync", Faults{SyncErr: eio}, fails{"fsync": eio, "fsync folder": eio}},
		{"read", Faults{ReadErr: eio}, fails{"read": eio}},
		{"rename", Faults{RenameErr: unix.EXDEV}, fails{"rename": unix.EXDEV, "rename, not replacing": unix.EXDEV}},
		{"no links", Faults{NoLinks: true}, fails{"link": eperm, "symlink": eperm}},
		{"FAT", Faults{FAT: true}, fails{"a FAT name": einval, "link": eperm, "symlink": eperm, "chmod": eperm,
			"rename, not replacing": einval}},
	}
	d, root := New(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			at := filepath.Join(root, test.name)
			must(t, os.Mkdir(at, 0o700))
			for _, name := range []string{yes, "a", "c", "victim"} {
				write(t, filepath.Join(at, name), "some bytes")
			}
			f := openFile(t, filepath.Join(at, yes), os.O_RDWR)
			d.Set(test.faults)
			defer d.Set(Faults{})
			for _, c := range calls {
				want(t, c.name, c.do(at, f), test.fails[c.name])
			}
		})
	}
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// TestDoneThoughItFailed checks calls that are carried out and report that they failed.
func TestDoneThoughItFailed(t *testing.T) {
	d, at := New(t)
	path := func(name string) string { return filepath.Join(at, name) }
	write(t, path("a"), "some bytes")
	write(t, path("gone"), "some bytes")
	d.Set(Faults{DoneErr: unix.EIO})
	_, err := os.OpenFile(path("made"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	want(t, "create", err, unix.EIO)
	want(t, "mkdir", os.Mkdir(path("dir"), 0o700), unix.EIO)
	want(t, "link", os.Link(path("a"), path("b")), unix.EIO)
	want(t, "rename", os.Rename(path("b"), path("c")), unix.EIO)
	want(t, "remove", unix.Unlink(path("gone")), unix.EIO)
	want(t, "fsync folder", syncDir(at), unix.EIO)
	d.Set(Faults{})
	var names []string
	list, err := os.ReadDir(at)
	must(t, err)
	for _, f := range list {
		names = append(names, f.Name())
	}
	if got := strings.Join(names, " "); got != "a c dir made" {
		t.Errorf("there is %s", got)
	}
}

func TestChance(t *testing.T) {
	d, at := New(t)
	f := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE)
	d.Set(Faults{WriteErr: unix.EIO, Chance: 0.5})
	failed := 0
	for range 400 {
		if _, err := f.WriteAt([]byte("x"), 0); err != nil {
			want(t, "write", err, unix.EIO)
			failed++
		}
	}
	if failed < 120 || failed > 280 {
		t.Errorf("%d of 400 writes failed, at a chance of one half", failed)
	}
	if c := d.Counts(); c["write"] != 400 || c["fail:write"] != int64(failed) {
		t.Errorf("counted %d writes and %d that failed, want 400 and %d", c["write"], c["fail:write"], failed)
	}
}

func TestRoom(t *testing.T) {
	d, at := New(t)
	free := func() int64 {
		var st unix.Statfs_t
		must(t, unix.Statfs(at, &st))
		return int64(st.Bavail) * st.Bsize
	}
	write(t, filepath.Join(at, "old"), "0123456789")
	d.Set(Faults{Room: 1 << 16})
	if got := free(); got != 1<<16 {
		t.Errorf("%d bytes free, want 64 KiB", got)
	}
	f := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE)
	n, err := unix.Pwrite(int(f.Fd()), make([]byte, 100_000), 0)
	want(t, "the write that comes to the end", err, 0)
	if n != 1<<16 || free() != 0 {
		t.Errorf("wrote %d bytes with room for %d, and %d are left", n, 1<<16, free())
	}
	_, err = f.WriteAt(make([]byte, 1000), 1<<16)
	want(t, "a write beyond the end", err, unix.ENOSPC)
	_, err = f.WriteAt(make([]byte, 1000), 0)
	want(t, "a write in place", err, 0)
	want(t, "a new name", os.Mkdir(filepath.Join(at, "dir"), 0o700), unix.ENOSPC)
	must(t, f.Truncate(1<<15))
	if got := free(); got != 1<<15 {
		t.Errorf("%d bytes free after truncate, want 32 KiB", got)
	}
	must(t, os.Remove(f.Name()))
	want(t, "a new name with room", os.Mkdir(filepath.Join(at, "dir"), 0o700), 0)
	if got := free(); got != 1<<16 {
		t.Errorf("%d bytes free after removing, want 64 KiB", got)
	}
	d.Set(Faults{Full: true})
	if got := free(); got != 0 {
		t.Errorf("%d bytes free on a full disk", got)
	}
	d.Set(Faults{})
	if got := free(); got <= 1<<16 {
		t.Errorf("%d bytes free on a disk in order", got)
	}
}

func TestRate(t *testing.T) {
	d, at := New(t)
	d.Set(Faults{Rate: 4 << 20})
	began := time.Now()
	write(t, filepath.Join(at, "f"), string(make([]byte, 1<<20)))
	if took := time.Since(began); took < 240*time.Millisecond {
		t.Errorf("1 MiB at 4 MiB/s took %v", took)
	}
	d.Set(Faults{Rate: 1})
	done := make(chan error, 1)
	go func() {
		done <- os.WriteFile(filepath.Join(at, "g"), []byte("a minute's worth of text, at a byte a second"), 0o600)
	}()
	wait(t, d, "write", 2)
	d.Set(Faults{})
	must(t, <-done)
}

func TestReadErrReachesWhatTheKernelHolds(t *testing.T) {
	d, at := New(t)
	write(t, filepath.Join(at, "f"), "bytes")
	f := openFile(t, filepath.Join(at, "f"), os.O_RDONLY)
	b := make([]byte, 5)
	_, err := f.ReadAt(b, 0)
	must(t, err)
	d.Set(Faults{ReadErr: unix.EIO})
	_, err = f.ReadAt(b, 0)
	want(t, "read", err, unix.EIO)
	d.Set(Faults{})
	_, err = f.ReadAt(b, 0)
	want(t, "read", err, 0)
}

func TestHang(t *testing.T) {
	d, at := New(t)
	f, g := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE),
		openFile(t, filepath.Join(at, "g"), os.O_RDWR|os.O_CREATE)
	calls := map[string]func() error{
		"write":  func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		"fsync":  g.Sync,
		"mkdir":  func() error { return os.Mkdir(filepath.Join(at, "dir"), 0o700) },
		"statfs": func() error { return unix.Statfs(at, &unix.Statfs_t{}) },
	}
	start := func() chan error {
		done := make(chan error, len(calls))
		for _, do := range calls {
			go func() { done <- do() }()
		}
		return done
	}
	// The first call that reaches the disk for an operation is not always the operation itself.
	hanging := func() (n int64) {
		for name, c := range d.Counts() {
			if len(name) > 5 && name[:5] == "hang:" {
				n += c
			}
		}
		return n
	}
	until := func(n int64) {
		t.Helper()
		waitFor(t, "calls that hang", func() bool { return hanging() >= n })
	}

	d.Set(Faults{Hang: true})
	done := start()
	until(4)
	select {
	case err := <-done:
		t.Errorf("a call on a disk that hangs came back: %v", err)
	default:
	}
	d.Set(Faults{})
	for range calls {
		must(t, <-done)
	}

	// A program that hangs can be killed.
	d.Set(Faults{Hang: true})
	touch := exec.Command("touch", filepath.Join(at, "touched"))
	hung := hanging()
	must(t, touch.Start())
	until(hung + 1)
	must(t, touch.Process.Kill())
	if err := touch.Wait(); err == nil {
		t.Error("it was not killed")
	}

	// Unplugging makes hanging calls fail.
	d.Set(Faults{Hang: true})
	hung = hanging()
	done = start()
	until(hung + 4)
	must(t, d.Unplug())
	for range calls {
		want(t, "a call that hung when the disk was unplugged", <-done, unix.EIO)
	}
}

// --- Unplug and close ---

func TestUnplug(t *testing.T) {
	d, at := New(t)
	path := filepath.Join(at, "f")
	write(t, path, "bytes")
	f := openFile(t, path, os.O_RDWR)
	write(t, filepath.Join(at, "mapped"), "bytes")
	mapped := openFile(t, filepath.Join(at, "mapped"), os.O_RDWR)
	m, err := unix.Mmap(int(mapped.Fd()), 0, 5, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	m[0] = 'B'
	_, err = f.ReadAt(make([]byte, 5), 0)
	must(t, err)
	dir, err := os.Open(at)
	must(t, err)
	t.Cleanup(func() { _ = dir.Close() })

	must(t, d.Unplug())
	if list, err := os.ReadDir(at); err != nil || len(list) > 0 {
		t.Errorf("below the disk there is %v, %v", list, err)
	}
	write(t, filepath.Join(at, "below"), "")
	if err := d.Unplug(); err == nil {
		t.Error("it was unplugged twice")
	}
	broken := func() {
		t.Helper()
		_, err := f.ReadAt(make([]byte, 5), 0)
		want(t, "read", err, unix.EIO)
		_, err = f.WriteAt(make([]byte, 5), 0)
		want(t, "write", err, unix.EIO)
		want(t, "fsync", f.Sync(), unix.EIO)
		_, err = f.Stat()
		want(t, "stat", err, unix.EIO)
		_, err = dir.ReadDir(-1)
		want(t, "readdir", err, unix.EIO)
		want(t, "fsync folder", dir.Sync(), unix.EIO)
		if m[4]++; m[0] != 'B' {
			t.Error("what is mapped has changed")
		}
	}
	broken()

	must(t, d.Plug())
	if got := read(t, path); got != "bytes" {
		t.Errorf("plugged in again, the file reads %q", got)
	}
	g := openFile(t, path, os.O_RDWR)
	_, err = g.WriteString("BYTES and more")
	must(t, err)
	must(t, g.Sync())
	broken()
	must(t, f.Close())
	must(t, unix.Munmap(m))
	if _, err := os.Stat(filepath.Join(at, "below")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what lies below the disk shows: %v", err)
	}
	if err := d.Plug(); err == nil {
		t.Error("it was plugged in twice")
	}
}

func TestCloseWhileInUse(t *testing.T) {
	at := t.TempDir()
	if off() {
		t.Skip(noFUSE + " is set: nobody may mount a FUSE file system here")
	}
	d, err := Mount(t.TempDir(), at)
	must(t, err)
	f := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE)
	d.Set(Faults{Hang: true})
	done := make(chan error, 1)
	go func() { done <- f.Sync() }()
	wait(t, d, "hang:fsync", 1)
	must(t, d.Close())
	if err := <-done; err == nil {
		t.Error("fsync on a disk that was closed meanwhile succeeded")
	}
	if list, err := os.ReadDir(at); err != nil || len(list) > 0 {
		t.Errorf("after Close there is %v, %v", list, err)
	}
}

func TestMountSaysWhatIsWrong(t *testing.T) {
	if off() {
		t.Skip(noFUSE + " is set: nobody may mount a FUSE file system here")
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Mount(missing, t.TempDir()); err == nil || !bytes.Contains([]byte(err.Error()), []byte(missing)) {
		t.Errorf("backing folder missing: %v", err)
	}
	if _, err := Mount(t.TempDir(), missing); err == nil || !bytes.Contains([]byte(err.Error()), []byte(missing)) {
		t.Errorf("mount point missing: %v", err)
	}
}

// --- Programs ---

// TestRingLeavesNothing checks that a ring that is never synced does not fill the drive below.
func TestRingLeavesNothing(t *testing.T) {
	if off() {
		t.Skip(noFUSE + " is set: nobody may mount a FUSE file system here")
	}
	at, backing := t.TempDir(), "/dev/shm"
	backing, err := os.MkdirTemp(backing, "faultfs-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(backing) })
	d, err := Mount(backing, at)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	fds := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.server.Process.Pid))
		must(t, err)
		return len(list)
	}
	before := fds()
	for i := range 100 {
		path := filepath.Join(at, fmt.Sprint(i))
		write(t, path+".tmp", "segment")
		must(t, os.Rename(path+".tmp", path))
		must(t, os.Remove(path))
	}
	waitFor(t, "files to be closed", func() bool { return fds() <= before+20 })
}

func TestFFmpeg(t *testing.T) {
	_, at := New(t)
	run := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
		}
	}
	made, moved := filepath.Join(at, "made.mp4"), filepath.Join(at, "moved.mp4")
	run("-f", "lavfi", "-i", "testsrc=duration=2:size=320x240:rate=10", "-c:v", "mpeg4", "-movflags",
		"frag_keyframe+empty_moov", made)
	run("-i", made, "-c", "copy", "-movflags", "faststart", "-f", "mp4", moved)
	run("-i", moved, "-f", "null", "-")
	b := []byte(read(t, moved))
	if moov, mdat := bytes.Index(b, []byte("moov")), bytes.Index(b, []byte("mdat")); moov < 0 || mdat < moov {
		t.Errorf("the index lies at %d, the frames at %d", moov, mdat)
	}
}

package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	d, err := Of(t.TempDir())
	if err != nil || d.Free <= 0 || d.Total <= 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		if d, err := Of("/dev/shm"); err != nil || !d.RAM {
			t.Errorf("/dev/shm: %+v, %v", d, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "a", "b")
	if _, err := Of(missing); err == nil {
		t.Error("a missing folder has no disk")
	}
	if d, err := Nearest(missing); err != nil || d.Total <= 0 {
		t.Errorf("nearest: %+v, %v", d, err)
	}
}

func TestFull(t *testing.T) {
	one, other := error(syscall.ENOSPC), error(syscall.EDQUOT)
	if runtime.GOOS == "windows" {
		one, other = windowsDiskFull, windowsHandleDiskFull
	}
	for _, err := range []error{one, fmt.Errorf("write: %w", &os.PathError{Op: "write", Err: other})} {
		if !Full(err) {
			t.Errorf("%v does not count as full", err)
		}
	}
	for _, err := range []error{nil, syscall.EIO, os.ErrNotExist} {
		if Full(err) {
			t.Errorf("%v counts as full", err)
		}
	}
}

package health

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

func TestFolder(t *testing.T) {
	disk := t.TempDir()
	ram := filepath.Join(t.TempDir(), "ram")
	s := config.Default()
	s.RAMDisk.Path, s.Archive.Path = ram, filepath.Join(t.TempDir(), "archive", "clips")
	r := NewFolders()
	file := filepath.Join(disk, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(disk, "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path, use, fault string
	}{
		{"relative", "clips", UseArchive, "must be a full path, from the root"},
		{"empty", "", UseRAM, "must be set to a folder"},
		{"control", disk + "/a\nb", UseArchive, "must not hold control characters"},
		{"a file", file, UseArchive, "must be a folder, and it is a file"},
		{"no parent", filepath.Join(disk, "a", "b"), UseArchive,
			"must lie in a folder that exists; is the drive plugged in?"},
		{"archive in RAM", filepath.Join(s.RAMDisk.Path, "clips"), UseArchive,
			"must not lie in the RAM disk's folder, nor the other way round"},
		{"RAM around the archive", filepath.Dir(s.Archive.Path), UseRAM,
			"must not lie in the RAM disk's folder, nor the other way round"},
		{"no right", filepath.Join(locked, "x"), UseArchive, "cannot be made: this user has no right to write there"},
		{"a new folder", filepath.Join(disk, "clips"), UseArchive, ""},
		{"RAM on a disk", filepath.Join(disk, "ram"), UseRAM, ""},
	} {
		if tc.name == "no right" && os.Getuid() == 0 {
			continue // root has every right
		}
		f, err := r.Check(t.Context(), s, tc.path, tc.use)
		if err != nil || f.Fault.String() != tc.fault || f.Path != tc.path || (tc.fault != "" && f.Hint.IsZero()) {
			t.Errorf("%s: %+v, %v", tc.name, f, err)
		}
		if filepath.IsAbs(tc.path) && (f.Total <= 0 || f.Kind == "" && runtime.GOOS == "linux") {
			t.Errorf("%s: nothing known of the disk: %+v", tc.name, f)
		}
		if measured := f.Speed > 0; measured != (tc.fault == "" && tc.use == UseArchive) {
			t.Errorf("%s: %g bytes a second", tc.name, f.Speed)
		}
	}
	if left, err := os.ReadDir(filepath.Join(disk, "clips")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(disk, "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a parent was made: %v", err)
	}
	if _, err := r.Check(t.Context(), s, disk, "swap"); err == nil {
		t.Error("an unknown use")
	}
	if runtime.GOOS != "linux" {
		return
	}
	f, err := r.Check(t.Context(), s, filepath.Join(ramDir(t), "x"), UseRAM)
	if err != nil || !f.RAM || !f.Known || f.Kind != "tmpfs" || !f.Hint.IsZero() ||
		strings.Join(f.Suggest, " ") != "/dev/shm/preroll" {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestFolderThatHangs checks folders on a mount that does not answer.
func TestFolderThatHangs(t *testing.T) {
	r := NewFolders()
	answer := make(chan struct{})
	hang := func() status.Folder { <-answer; return status.Folder{} }
	for range cap(r.slots) + 1 { // the last call finds no slot
		began := time.Now()
		f, err := r.run(t.Context(), "/mnt/nas", 50*time.Millisecond, hang)
		if err != nil || f.Fault.String() != "does not answer" || f.Path != "/mnt/nas" ||
			time.Since(began) > 5*time.Second {
			t.Errorf("%+v, %v, %s", f, err, time.Since(began))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.run(ctx, "/mnt/nas", time.Minute, hang); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(answer)
	if f, err := r.run(t.Context(), "/mnt/nas", 20*time.Second, func() status.Folder {
		return status.Folder{Kind: "nfs"}
	}); err != nil || f.Kind != "nfs" {
		t.Errorf("after it answered: %+v, %v", f, err)
	}
}

// ramDir creates a folder for the test, in RAM on Linux.
func ramDir(t *testing.T) string {
	t.Helper()
	parent := ""
	if runtime.GOOS == "linux" {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "preroll-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

package recorder

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

func idle(t *testing.T) *Recorder {
	t.Helper()
	state := t.TempDir()
	r, err := New(t.Context(), config.Places{File: filepath.Join(state, "preroll.toml"), State: state}, testSettings(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.archive.Close() })
	return r
}

func TestFolder(t *testing.T) {
	r := idle(t)
	disk := t.TempDir()
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
		{"relative", "clips", useArchive, "must be a full path, from the root"},
		{"empty", "", useRAM, "must be set to a folder"},
		{"control", disk + "/a\nb", useArchive, "must not hold control characters"},
		{"a file", file, useArchive, "must be a folder, and it is a file"},
		{"no parent", filepath.Join(disk, "a", "b"), useArchive, "must lie in a folder that exists; is the drive plugged in?"},
		{"archive in RAM", filepath.Join(r.Settings().RAMDisk.Path, "clips"), useArchive, "must not lie in the RAM disk's folder, nor the other way round"},
		{"RAM around the archive", filepath.Dir(r.Settings().Archive.Path), useRAM, "must not lie in the RAM disk's folder, nor the other way round"},
		{"no right", filepath.Join(locked, "x"), useArchive, "cannot be made: this user has no right to write there"},
		{"a new folder", filepath.Join(disk, "clips"), useArchive, ""},
		{"RAM on a disk", filepath.Join(disk, "ram"), useRAM, ""},
	} {
		if tc.name == "no right" && os.Getuid() == 0 {
			continue // who may do all has every right
		}
		f, err := r.Folder(t.Context(), tc.path, tc.use)
		if err != nil || f.Fault != tc.fault || f.Path != tc.path || (tc.fault != "" && f.Hint == "") {
			t.Errorf("%s: %+v, %v", tc.name, f, err)
		}
		if filepath.IsAbs(tc.path) && (f.Total <= 0 || f.Kind == "" && runtime.GOOS == "linux") {
			t.Errorf("%s: nothing known of the disk: %+v", tc.name, f)
		}
		if measured := f.Speed > 0; measured != (tc.fault == "" && tc.use == useArchive) {
			t.Errorf("%s: %g bytes a second", tc.name, f.Speed)
		}
	}
	if left, err := os.ReadDir(filepath.Join(disk, "clips")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(disk, "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a parent was made: %v", err)
	}
	if _, err := r.Folder(t.Context(), disk, "swap"); err == nil {
		t.Error("an unknown use")
	}
	if runtime.GOOS != "linux" {
		return
	}
	f, err := r.Folder(t.Context(), filepath.Join(ramDir(t), "x"), useRAM)
	if err != nil || !f.RAM || !f.Known || f.Kind != "tmpfs" || f.Hint != "" || strings.Join(f.Suggest, " ") != "/dev/shm/preroll" {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestFolderThatHangs looks at folders on a mount that does not answer.
func TestFolderThatHangs(t *testing.T) {
	r := idle(t)
	answer := make(chan struct{})
	hang := func() status.Folder { <-answer; return status.Folder{} }
	for range cap(r.probing) + 1 { // the last finds no place
		began := time.Now()
		f, err := r.probe(t.Context(), "/mnt/nas", 50*time.Millisecond, hang)
		if err != nil || f.Fault != "does not answer" || f.Path != "/mnt/nas" || time.Since(began) > 5*time.Second {
			t.Errorf("%+v, %v, %s", f, err, time.Since(began))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.probe(ctx, "/mnt/nas", time.Minute, hang); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(answer)
	if f, err := r.probe(t.Context(), "/mnt/nas", 20*time.Second, func() status.Folder { return status.Folder{Kind: "nfs"} }); err != nil || f.Kind != "nfs" {
		t.Errorf("after it answered: %+v, %v", f, err)
	}
}

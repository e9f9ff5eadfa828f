package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
)

// The uses of a folder.
const (
	useRAM     = "ram"
	useArchive = "archive"
)

// Limits of a look at a folder.
const (
	folderTime = 10 * time.Second // to answer
	speedTime  = 1500 * time.Millisecond
	speedBytes = 64 << 20
	speedBlock = 1 << 20
)

// Folder looks at a folder that somebody wants to use as "ram" or "archive". It tries to make and write
// it, and for an archive measures how fast that goes; nothing is left behind. What is wrong with the folder is no error.
//
// It answers within ten seconds even if the path lies on a network share that hangs, since a person waits for it. The
// goroutine that hangs then is left behind, against the rule that whoever starts one waits for it: no call can end a
// system call. At most two are; further calls find no place until the share answers, and say that it does not.
func (r *Recorder) Folder(ctx context.Context, path, use string) (status.Folder, error) {
	if use != useRAM && use != useArchive {
		return status.Folder{}, fmt.Errorf("a folder is used as %q or %q, not as %q", useRAM, useArchive, use)
	}
	s := r.Settings()
	return r.probe(ctx, path, folderTime, func() status.Folder { return lookAtFolder(s, path, use) })
}

// probe does work that may hang, and does not wait for it longer than a time.
func (r *Recorder) probe(ctx context.Context, path string, limit time.Duration, work func() status.Folder) (status.Folder, error) {
	silent := status.Folder{Path: path, Fault: "does not answer", Hint: "Is the drive plugged in, or the network share connected?"}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r.probing <- struct{}{}:
	case <-timer.C:
		return silent, nil
	case <-ctx.Done():
		return status.Folder{}, context.Cause(ctx)
	}
	done := make(chan status.Folder, 1)
	go func() {
		defer func() { <-r.probing }()
		done <- work()
	}()
	select {
	case f := <-done:
		return f, nil
	case <-timer.C:
		return silent, nil
	case <-ctx.Done():
		return status.Folder{}, context.Cause(ctx)
	}
}

func lookAtFolder(s config.Settings, path, use string) status.Folder {
	f := status.Folder{Path: path}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		defer func() { _ = os.Remove(path) }() // made for the look; what is decided for is made again
	}
	key := "archive.path"
	if use == useRAM {
		key, s.RAMDisk.Path = "ram_disk.path", path
		f.Suggest = slices.DeleteFunc(ramFolders(), func(p string) bool { return p == filepath.Clean(path) })
	} else {
		s.Archive.Path = path
	}
	f.Fault = config.FolderFault(s, key)
	var d ring.Disk
	err := errors.New("not a full path")
	if filepath.IsAbs(path) {
		d, err = diskOf(path)
	}
	if err == nil {
		f.Kind, f.RAM, f.Known, f.Free, f.Total = d.Kind, d.RAM, d.Known, d.Free, d.Total
	}
	switch {
	case f.Fault != "" && use == useRAM:
		f.Hint = ramHint
	case f.Fault != "":
		f.Hint = "Choose another folder."
	case err != nil:
		f.Fault = "cannot be looked at: " + err.Error()
	case use == useRAM && !d.RAM:
		f.Hint = notRAM(path, d).Hint
	case use == useArchive:
		if f.Speed, err = writeSpeed(path, d.Free); err != nil {
			f.Fault, f.Hint = "cannot be written: "+err.Error(), "Choose another folder."
		}
	}
	return f
}

// diskOf looks at the disk of a path, or of its nearest parent that exists.
func diskOf(path string) (ring.Disk, error) {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		d, err := ring.DiskOf(path)
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return d, err
		}
	}
}

// writeSpeed returns the bytes a second that can be written to a folder durably. It writes what no file system can
// compress, for a moment only, and leaves nothing behind. 0 means that there is too little room to measure.
func writeSpeed(path string, free int64) (speed float64, err error) {
	most := min(speedBytes, free/4/speedBlock*speedBlock)
	if most <= 0 {
		return 0, nil
	}
	f, err := os.CreateTemp(path, ".preroll-speed-test-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, speedBlock)
	_, _ = rand.NewChaCha8([32]byte{}).Read(block) // never fails
	began := time.Now()
	written := int64(0)
	for written < most && time.Since(began) < speedTime {
		n, err := f.Write(block)
		if err != nil {
			return 0, err
		}
		written += int64(n)
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return float64(written) / max(time.Since(began), time.Microsecond).Seconds(), nil
}

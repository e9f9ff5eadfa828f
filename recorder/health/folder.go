package health

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

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// The uses of a folder.
const (
	UseRAM     = "ram"
	UseArchive = "archive"
)

// Limits of the check of a folder.
const (
	folderTime = 10 * time.Second // max time of an answer
	speedTime  = 1500 * time.Millisecond
	speedBytes = 64 << 20
	speedBlock = 1 << 20
)

// Folders checks folders that somebody wants to use. Make one with NewFolders.
type Folders struct {
	slots chan struct{} // one slot for each running check
}

// NewFolders returns a checker that runs at most two checks at once.
func NewFolders() *Folders { return &Folders{make(chan struct{}, 2)} }

// Check tests whether a folder can be used as "ram" or "archive" together with the other settings. It tries to create
// and write the folder. For an archive it also measures the speed of writing. It leaves nothing behind. A fault of the
// folder is part of the result and not an error.
//
// Check answers within ten seconds, because a person waits for it, even if the path lies on a network share that hangs.
// A goroutine that hangs is left behind. This breaks the rule that whoever starts a goroutine waits for it, because
// nothing can end a system call. At most two goroutines are left behind: further calls find no slot until the share
// answers, and report that it does not answer.
func (f *Folders) Check(ctx context.Context, s config.Settings, path, use string) (status.Folder, error) {
	if use != UseRAM && use != UseArchive {
		return status.Folder{}, fmt.Errorf("a folder is used as %q or %q, not as %q", UseRAM, UseArchive, use)
	}
	return f.run(ctx, path, folderTime, func() status.Folder { return checkFolder(s, path, use) })
}

// run runs work, which may hang, and waits for it no longer than limit.
func (f *Folders) run(ctx context.Context, path string, limit time.Duration,
	work func() status.Folder) (status.Folder, error) {
	silent := status.Folder{Path: path, Fault: text.DoesNotAnswer.With(),
		Hint: text.DoesNotAnswerHint.With()}
	timer := time.NewTimer(limit)
	defer timer.Stop()

	select {
	case f.slots <- struct{}{}:
	case <-timer.C:
		return silent, nil
	case <-ctx.Done():
		return status.Folder{}, context.Cause(ctx)
	}

	done := make(chan status.Folder, 1)
	go func() {
		defer func() { <-f.slots }()
		done <- work()
	}()

	select {
	case is := <-done:
		return is, nil
	case <-timer.C:
		return silent, nil
	case <-ctx.Done():
		return status.Folder{}, context.Cause(ctx)
	}
}

func checkFolder(s config.Settings, path, use string) status.Folder {
	f := status.Folder{Path: path}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		defer func() { _ = os.Remove(path) }() // created by the check only; a folder that is chosen is created again
	}
	key := "archive.path"
	if use == UseRAM {
		key, s.RAMDisk.Path = "ram_disk.path", path
		f.Suggest = slices.DeleteFunc(disk.RAMFolders(), func(p string) bool { return p == filepath.Clean(path) })
	} else {
		s.Archive.Path = path
	}
	f.Fault = config.CheckFolder(s, key)
	var d disk.Disk
	err := text.NotAFullPath.Error()
	if filepath.IsAbs(path) {
		d, err = disk.Nearest(path)
	}
	if err == nil {
		f.Kind, f.RAM, f.Known, f.Free, f.Total = d.Kind, d.RAM, d.Known, d.Free, d.Total
	}
	switch {
	case !f.Fault.IsZero() && use == UseRAM:
		f.Hint = RAMHint
	case !f.Fault.IsZero():
		f.Hint = text.ChooseAnotherFolder.With()
	case err != nil:
		f.Fault = text.CannotBeLookedAt.With(err)
	case use == UseRAM && !d.RAM:
		f.Hint = NotRAM(path, d).Hint
	case use == UseArchive:
		if f.Speed, err = writeSpeed(path, d.Free); err != nil {
			f.Fault, f.Hint = text.RuleCannotWrite.With(err), text.ChooseAnotherFolder.With()
		}
	}

	return f
}

// writeSpeed returns how many bytes per second can be written durably to a folder. It writes data that no file system
// can compress, for a moment only, and leaves nothing behind. 0 means that there is not enough space to measure.
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

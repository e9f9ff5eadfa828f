package archive

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/text"
)

// Explain says in plain words what is wrong with the archive drive, and what to do about it.
func Explain(err error) (what, hint text.Text) {
	var taken *lockfile.InUseError
	switch {
	case errors.As(err, &taken):
		return text.ArchiveInUse.With(), text.ArchiveInUseHint.With(taken)
	case disk.Full(err):
		return text.ArchiveFull.With(), text.ArchiveFullHint.With()
	case errors.Is(err, syscall.EROFS):
		return text.ArchiveReadOnly.With(), text.ArchiveReadOnlyHint.With()
	case errors.Is(err, ErrSilent):
		return text.ArchiveHangs.With(), text.ArchiveHangsHint.With()
	case errors.Is(err, ErrEmpty):
		return text.ArchiveEmpty.With(), text.ArchiveEmptyHint.With()
	case errors.Is(err, ErrOther):
		return text.ArchiveOther.With(), text.ArchiveOtherHint.With()
	case errors.Is(err, fs.ErrNotExist):
		return text.ArchiveGone.With(), text.ArchiveGoneHint.With()
	case errors.Is(err, fs.ErrPermission):
		return text.ArchiveDenied.With(), text.ArchiveDeniedHint.With()
	}

	return text.ArchiveUnwritable.With(), text.SystemSays.With(err)
}

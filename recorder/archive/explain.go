package archive

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/internal/lockfile"
)

// Explain says in plain words what is wrong with the archive drive, and what to do.
func Explain(err error) (text, hint string) {
	var taken *lockfile.InUseError
	switch {
	case errors.As(err, &taken):
		return "The archive is used by another Preroll",
			"Clips wait in RAM until that one ends. Give each its own folder: " + taken.Error()
	case disk.Full(err):
		return "The archive drive is full",
			"Delete something on it or raise its limits. Clips wait in RAM and are saved when there is room."
	case errors.Is(err, syscall.EROFS):
		return "The archive drive is read-only",
			"Check the drive; it may be failing. Clips wait in RAM and are saved when it can be written again."
	case errors.Is(err, ErrSilent):
		return "The archive drive does not answer",
			"Is the drive failing, or the network share gone? Clips wait in RAM and are saved when it answers."
	case errors.Is(err, ErrEmpty):
		return "The archive folder is empty although it held clips",
			"Is the drive plugged in? Clips wait in RAM and are saved when it is back. If this is a new drive, or you emptied the folder yourself, run: preroll reindex"
	case errors.Is(err, ErrOther):
		return "Another drive is at the archive's place",
			"Clips wait in RAM and are saved when the right one is back. To save them to this one from now on, run: preroll reindex"
	case errors.Is(err, fs.ErrNotExist):
		return "The archive folder is gone", "Is the drive plugged in? Clips wait in RAM and are saved when it is back."
	case errors.Is(err, fs.ErrPermission):
		return "The archive folder cannot be written",
			"Give this user the right to write there. Clips wait in RAM until then."
	}
	return "The archive drive cannot be written", "The system says: " + err.Error()
}

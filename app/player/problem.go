package player

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/preroll/preroll/app/words"
)

// Problem is why nothing can be shown.
type Problem struct {
	Text   string // in the user's language, with what to do
	Detail string // what FFmpeg or the system said; may be empty
}

func (p *Problem) Error() string { return p.Text }

func noFFmpeg(detail string) error {
	return &Problem{words.L("FFmpeg is missing. Install it, or name it in the settings."), detail}
}

func noDrive(detail string) error {
	return &Problem{words.L("The clip's drive does not answer. Is the archive drive connected?"), detail}
}

func damaged(detail string) error {
	return &Problem{words.L("The clip cannot be shown: it is damaged, or holds no video that FFmpeg can read."), detail}
}

// liveEnded is the end of a live picture.
func liveEnded(detail string) error {
	return &Problem{words.L("The live picture ended. It comes back when the camera is recorded again."), detail}
}

// missingFile is a source whose file cannot be looked at.
func missingFile(s Source, err error) error {
	dir := filepath.Dir(s.Path)
	switch {
	case s.Live:
		return &Problem{words.L("There is no live picture, because the camera is not recorded now."), err.Error()}
	case !errors.Is(err, fs.ErrNotExist):
		return &Problem{words.L("The clip cannot be opened: %s. Is the archive drive connected, and may you read it?",
			s.Path), err.Error()}
	}
	if _, err := os.Stat(dir); err != nil {
		return &Problem{words.L("The clip's folder is not there: %s. Is the archive drive connected?", dir),
			err.Error()}
	}
	return &Problem{words.L("The clip is not there any more: %s", s.Path), err.Error()}
}

// stalled is an FFmpeg that says nothing for a long time.
func stalled(s Source) error {
	if s.Live {
		return &Problem{words.L("The camera sends no new picture."), ""}
	}
	return noDrive("")
}

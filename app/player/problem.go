package player

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/preroll/preroll/app/words"
)

// Problem says why nothing can be shown.
type Problem struct {
	Text   string // in the user's language; also says what to do
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

// liveEnded returns the problem of a live picture that ended.
func liveEnded(detail string) error {
	return &Problem{words.L("The live picture ended. It comes back when the camera is recorded again."), detail}
}

// noStream returns the problem of a stream that cannot be opened.
func noStream(err error) error { return &Problem{words.Error(err), ""} }

// missingFile returns the problem of a source whose file could not be read; err is the error of os.Stat.
func missingFile(s Source, err error) error {
	dir := filepath.Dir(s.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return &Problem{words.L("The clip cannot be opened: %s. Is the archive drive connected, and may you read it?",
			s.Path), err.Error()}
	}
	if _, err := os.Stat(dir); err != nil {
		return &Problem{words.L("The clip's folder is not there: %s. Is the archive drive connected?", dir),
			err.Error()}
	}
	return &Problem{words.L("The clip file is missing: %s", s.Path), err.Error()}
}

// stalled returns the problem of an FFmpeg that stays silent for too long.
func stalled(s Source) error {
	if s.Stream != nil {
		return &Problem{words.L("The camera sends no new picture."), ""}
	}
	return noDrive("")
}

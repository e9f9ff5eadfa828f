package opener

import (
	"errors"
	"net/url"
	"path/filepath"

	"github.com/ncruces/zenity"
)

// ErrNoChooser means that this desktop offers no dialog to choose files.
var ErrNoChooser = errors.New("this desktop has no dialog to choose files")

// ChooseFolder lets the user choose a folder in the desktop's own dialog, which begins in a folder. It returns "" if
// the user cancels, and ErrNoChooser if there is no such dialog.
func ChooseFolder(title, begin string) (string, error) {
	if path, err := portalFolder(title, begin); !errors.Is(err, ErrNoChooser) {
		return path, err
	}
	return answer(zenity.SelectFile(zenity.Title(title), zenity.Directory(),
		zenity.Filename(begin+string(filepath.Separator))))
}

// ChooseFile lets the user choose a new file in the desktop's own dialog, which asks before a file is replaced. It
// returns as [ChooseFolder].
func ChooseFile(title, name string) (string, error) {
	if path, err := portalFile(title, name); !errors.Is(err, ErrNoChooser) {
		return path, err
	}
	return answer(zenity.SelectFileSave(zenity.Title(title), zenity.Filename(name), zenity.ConfirmOverwrite()))
}

func answer(path string, err error) (string, error) {
	switch {
	case errors.Is(err, zenity.ErrCanceled):
		return "", nil
	case err != nil && !zenity.IsAvailable():
		return "", ErrNoChooser
	}
	return path, err
}

// pathOf returns the path of the first file URI; "" if there is none, because the user cancelled.
func pathOf(uris []string) (string, error) {
	if len(uris) == 0 {
		return "", nil
	}
	u, err := url.Parse(uris[0])
	if err != nil {
		return "", err
	}
	return u.Path, nil
}

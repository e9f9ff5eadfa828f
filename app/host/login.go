//go:build !windows

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/preroll/preroll/internal/durable"
)

// atLogin writes or removes the file that makes the desktop start Preroll at login. text turns the command into the
// file.
func atLogin(on bool, path, configFile string, text func(command []string) string) error {
	if !on {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("do not start at login: %w", err)
		}
		return nil
	}
	command, err := startCommand(configFile)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = durable.WriteFile(path, []byte(text(command)), 0o644)
	}
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

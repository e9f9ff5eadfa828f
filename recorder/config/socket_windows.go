package config

import (
	"cmp"
	"os"
	"path/filepath"
)

func socketPath(name, _ string) string {
	return `\\.\pipe\` + name + "-" + os.Getenv("USERNAME")
}

// servicePlaces returns the state folder and the pipe of this machine's service.
func servicePlaces() (state, pipe string) {
	return filepath.Join(cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`), "Preroll"), `\\.\pipe\preroll-service`
}

// ofOther is not asked on Windows.
func ofOther(string) bool { return false }

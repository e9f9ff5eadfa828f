//go:build !linux && !darwin && !windows

package recorder

// ramFolders knows no RAM disk of this platform.
func ramFolders() []string { return nil }

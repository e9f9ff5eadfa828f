//go:build !linux && !darwin && !windows

package disk

// RAMFolders knows no RAM disk of this platform.
func RAMFolders() []string { return nil }

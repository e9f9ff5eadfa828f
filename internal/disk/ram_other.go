//go:build !linux && !darwin && !windows

package disk

// RAMFolders returns nothing, because it knows no RAM disk of this platform.
func RAMFolders() []string { return nil }

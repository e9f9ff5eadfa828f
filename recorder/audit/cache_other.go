//go:build !linux

package audit

// uncache does nothing where the platform has no call for it.
func uncache(string) {}

//go:build !faults

package failpoint

// Hit marks a failpoint. It does nothing in this build.
func Hit(string) {}

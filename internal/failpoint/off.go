//go:build !faults

package failpoint

// Hit marks a point. It does nothing in this build.
func Hit(string) {}

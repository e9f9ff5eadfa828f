//go:build !faults

package crash

// Here marks a point. It does nothing in this build.
func Here(string) {}

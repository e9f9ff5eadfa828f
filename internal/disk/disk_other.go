//go:build !linux && !darwin && !windows

package disk

import "math"

// Of knows nothing about disks on this platform.
func Of(string) (Disk, error) { return Disk{Free: math.MaxInt64, Total: math.MaxInt64}, nil }

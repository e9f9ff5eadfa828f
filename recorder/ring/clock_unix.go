//go:build linux || darwin

package ring

import (
	"time"

	"golang.org/x/sys/unix"
)

// steadyTime is a clock that nobody sets and that goes on while the machine sleeps.
func steadyTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(steadyClock, &t); err != nil {
		return time.Since(began)
	}
	return time.Duration(t.Nano())
}

var began = time.Now()

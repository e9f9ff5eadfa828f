//go:build linux || darwin

package steady

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the time of the steady clock.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(steadyClock, &t); err != nil {
		return time.Since(began)
	}
	return time.Duration(t.Nano())
}

var began = time.Now()

//go:build !linux && !darwin

package ring

import "time"

// steadyTime is a clock that nobody sets. Windows' goes on while the machine sleeps.
func steadyTime() time.Duration { return time.Since(began) }

var began = time.Now()

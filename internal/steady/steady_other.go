//go:build !linux && !darwin

package steady

import "time"

// Now returns the time of the steady clock.
func Now() time.Duration { return time.Since(began) }

var began = time.Now()

// Package poll waits in tests for what other goroutines and processes do.
package poll

import (
	"testing"
	"time"
)

// Every is how often a condition is looked at.
const Every = 5 * time.Millisecond

// Until waits until a condition holds. It ends the test if that takes longer than limit; more, which may be nil, then
// says what else is worth knowing.
func Until(t testing.TB, what string, limit time.Duration, holds func() bool, more func() string) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(Every) {
		if time.Now().Before(end) {
			continue
		}
		also := ""
		if more != nil {
			also = "\n" + more()
		}
		t.Fatalf("waited %s in vain for %s%s", limit, what, also)
	}
}

// RealTime skips a test under -short that waits for time to pass, such as for a camera to send some seconds of video.
func RealTime(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it waits for real time to pass; leave -short out")
	}
}

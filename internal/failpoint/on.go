//go:build faults

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var (
	point, nth, _ = strings.Cut(os.Getenv(Environment), ":")
	after         = number(nth)
	passed        atomic.Int64
)

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1
	}
	return n
}

// Hit kills the process if the environment names this failpoint.
func Hit(name string) {
	if name != point || passed.Add(1) != after {
		return
	}
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	time.Sleep(time.Minute) // the signal is on its way
}

//go:build faults

package failpoint

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func init() {
	path := os.Getenv(Count)
	if path == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			tmp := path + ".tmp"
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if os.WriteFile(tmp, fmt.Append(nil, runtime.NumGoroutine(), m.HeapAlloc), 0o600) == nil {
				_ = os.Rename(tmp, path)
			}
		}
	}()
}

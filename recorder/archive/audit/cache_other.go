//go:build !linux

package audit

import "os"

// uncache does nothing on platforms without such a call.
func uncache(*os.File) {}

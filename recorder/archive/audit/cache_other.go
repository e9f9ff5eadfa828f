//go:build !linux

package audit

import "os"

// uncache does nothing where the platform has no call for it.
func uncache(*os.File) {}

//go:build !windows && !linux

package player

import "os/exec"

// dieWithParent does nothing: FFmpeg ends by itself when no process reads its pictures.
func dieWithParent(*exec.Cmd) {}

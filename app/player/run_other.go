//go:build !windows && !linux

package player

import "os/exec"

// dieWithParent has nothing to do: FFmpeg ends by itself when nobody is left to read its pictures.
func dieWithParent(*exec.Cmd) {}

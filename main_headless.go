//go:build headless

package main

import "github.com/preroll/preroll/internal/cli"

// desktop has no window in a headless build, and a tray where that needs no C compiler.
func desktop() cli.Desktop { return cli.Desktop{Tray: showTray(false)} }

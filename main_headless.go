//go:build headless

package main

import "github.com/preroll/preroll/internal/cli"

// desktop returns no window in a headless build. It returns a tray if the tray needs no C compiler on this platform.
func desktop() cli.Desktop { return cli.Desktop{Tray: showTray(false)} }

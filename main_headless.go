//go:build headless

package main

import "github.com/preroll/preroll/internal/cli"

// desktop is empty in a build without a window.
func desktop() cli.Desktop { return cli.Desktop{} }

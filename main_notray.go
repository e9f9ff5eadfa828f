//go:build headless && darwin

package main

import (
	"context"

	"github.com/preroll/preroll/internal/cli"
)

// showTray returns nil, because the tray of macOS is written in Objective-C.
func showTray(bool) func(context.Context, cli.TrayOptions) error { return nil }

//go:build !headless

package main

import (
	"context"

	"fyne.io/fyne/v2/app" // the only import of it: all else compiles without a C compiler

	"github.com/preroll/preroll/app/window"
	"github.com/preroll/preroll/internal/cli"
)

// desktop is the tray and the window.
func desktop() cli.Desktop {
	return cli.Desktop{
		Tray: showTray(true),
		Window: func(ctx context.Context, o cli.WindowOptions) error {
			return window.Run(ctx, app.NewWithID("io.github.preroll.Preroll"), window.Options{Places: o.Places, Page: o.Page, Event: o.Event, Measure: o.Measure})
		},
	}
}

//go:build !headless

package main

import (
	"context"
	_ "embed"

	"fyne.io/fyne/v2/app" // the only import of this package: everything else compiles without a C compiler

	"github.com/preroll/preroll/app/window"
	"github.com/preroll/preroll/internal/cli"
)

// appID is the name of the program for the desktop.
const appID = "io.github.preroll.Preroll"

// changes is what is new in this version.
//
//go:embed CHANGELOG.md
var changes string

// desktop returns the tray and the window.
func desktop() cli.Desktop {
	return cli.Desktop{
		Tray:       showTray(true),
		StartError: func(ctx context.Context, err error) { window.StartError(ctx, app.NewWithID(appID), err) },
		Window: func(ctx context.Context, o cli.WindowOptions) error {
			return window.Run(ctx, app.NewWithID(appID),
				window.Options{Paths: o.Paths, Page: o.Page, Event: o.Event, Measure: o.Measure, Changes: changes})
		},
	}
}

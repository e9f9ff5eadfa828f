//go:build !headless || !darwin

package main

import (
	"context"

	"github.com/preroll/preroll/app/tray"
	"github.com/preroll/preroll/internal/cli"
)

func showTray(window bool) func(context.Context, cli.TrayOptions) error {
	return func(ctx context.Context, o cli.TrayOptions) error {
		page := ""
		if o.ByHand {
			page = "events"
		}
		return tray.Run(ctx, tray.Options{Paths: o.Paths, Window: window, Page: page,
			Version: o.Version, Log: o.Log})
	}
}

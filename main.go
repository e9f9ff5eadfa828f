// Preroll saves the seconds before something happened in front of an IP camera. See docs and `preroll help`.
package main

import (
	"context"
	"os"

	"github.com/preroll/preroll/app/web"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/cli"
	"github.com/preroll/preroll/recorder/control"
)

func main() {
	d := desktop()
	d.Say, d.Web = words.SayIn, servePages
	os.Exit(cli.Main(os.Args[1:], d))
}

// servePages serves the web pages, which are a client of the recorder.
func servePages(ctx context.Context, c *control.Client, host control.WebHost) error {
	return web.Run(ctx, c, host)
}

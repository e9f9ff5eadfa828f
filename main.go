// Preroll saves the seconds before something happened in front of an IP camera. See docs and `preroll help`.
package main

import (
	"os"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/cli"
)

func main() {
	d := desktop()
	d.Say = words.SayIn
	os.Exit(cli.Main(os.Args[1:], d))
}

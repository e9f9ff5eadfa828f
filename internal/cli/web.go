package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"rsc.io/qr"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// defaultWeb is where `preroll web on` lets the pages listen.
const defaultWeb = ":8443"

func webCommand() command {
	var asJSON bool
	return command{
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") },
		args:  [2]int{0, 2},
		run: func(e *env) error {
			verb := strings.Join(e.args[:min(len(e.args), 1)], "")
			switch n := len(e.args); {
			case n == 0:
				return showWeb(e, asJSON)
			case verb == "on":
				return switchWeb(e, cmp.Or(strings.Join(e.args[1:], ""), defaultWeb))
			case n == 1 && verb == "off":
				return switchWeb(e, "")
			case n == 1 && verb == "pair":
				return pairDevice(e)
			case n == 2 && verb == "remove":
				return removeDevice(e, e.args[1])
			}
			return errUsage("web takes on [ADDRESS], off, pair or remove NAME")
		},
	}
}

// webAddress returns the address of the web pages for other devices.
func webAddress(set config.Settings, s status.Status) string {
	return set.Web.Address(s.Web.Listen, ownAddress())
}

func showWeb(e *env, asJSON bool) error {
	list, err := e.client.Devices(e.ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(e, list)
	}
	set, s, err := webState(e)
	if err != nil {
		return err
	}
	switch {
	case !s.Web.Error.IsZero():
		fmt.Fprintf(e.out, "! %s\n", s.Web.Error)
	case s.Web.Listen == "":
		fmt.Fprintln(e.out, "There are no web pages. Switch them on with: preroll web on")
	default:
		fmt.Fprintf(e.out, "The web pages are at %s\n", webAddress(set, s))
	}
	if len(list) == 0 {
		fmt.Fprintln(e.out, "No device is paired. Pair one with: preroll web pair")
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, c := range list {
		used := "not seen since the start"
		if !c.Used.IsZero() {
			used = "seen " + c.Used.Local().Format("2006-01-02 15:04:05")
		}
		fmt.Fprintf(w, "%s\tpaired %s\t%s\n", c.Name, c.Made.Local().Format("2006-01-02"), used)
	}
	return w.Flush()
}

func webState(e *env) (set config.Settings, s status.Status, err error) {
	if set, err = e.client.Settings(e.ctx); err == nil {
		s, err = e.client.Status(e.ctx)
	}
	return set, s, err
}

// webTime is how long the pages may take to listen where they are switched on.
const webTime = 5 * time.Second

// switchWeb lets the web pages listen on an address, or nowhere.
func switchWeb(e *env, listen string) error {
	if listen != "" && !strings.Contains(listen, ":") {
		listen = ":" + listen
	}
	set, err := e.client.Settings(e.ctx)
	if err != nil {
		return err
	}
	set.Web.Listen = listen
	if err := e.client.Apply(e.ctx, set); err != nil {
		return err
	}
	if listen == "" {
		fmt.Fprintln(e.out, "The web pages are off. Paired devices stay known.")
		return nil
	}
	ctx, cancel := context.WithTimeout(e.ctx, webTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := e.client.Status(ctx)
		switch {
		case err != nil:
			return err
		case !s.Web.Error.IsZero():
			return errors.New(s.Web.Error.String())
		case s.Web.Listen != "":
			fmt.Fprintf(e.out, "The web pages are at %s\nPair a phone with: preroll web pair\n", webAddress(set, s))
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func pairDevice(e *env) error {
	c, err := e.client.PairingCode(e.ctx)
	if err != nil {
		return err
	}
	set, s, err := webState(e)
	if err != nil {
		return err
	}
	address := webAddress(set, s) + "/pair"
	here := config.OnlyHere(address)
	if q, err := qr.Encode(address+"#"+c.Code, qr.L); err == nil && !here {
		fmt.Fprint(e.out, blocks(q)+"Point the phone's camera at this, or open")
	} else {
		fmt.Fprint(e.out, "Open")
	}
	fmt.Fprintf(e.out, "\n\n  %s\n\nand type the code\n\n  %s\n\nIt lets one device in, until %s.\n", address, c.Code,
		c.Until.Local().Format("15:04"))
	if here {
		fmt.Fprintf(e.out, "A phone cannot open this address. Behind Tailscale or a proxy, set web.url in %s\n",
			e.paths.File)
	}
	if !s.Web.Error.IsZero() {
		fmt.Fprintf(e.out, "! %s\n", s.Web.Error)
	}
	return nil
}

// blocks draws a QR code with a quiet zone, two rows to a line, dark on light whatever the colors of the terminal are.
func blocks(q *qr.Code) string {
	const quiet = 2
	light := func(x, y int) bool { return !q.Black(x-quiet, y-quiet) }
	var b strings.Builder
	for y := 0; y < q.Size+2*quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := range q.Size + 2*quiet {
			switch up, down := light(x, y), light(x, y+1); {
			case up && down:
				b.WriteString(" ")
			case up:
				b.WriteString("▄")
			case down:
				b.WriteString("▀")
			default:
				b.WriteString("█")
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

func removeDevice(e *env, name string) error {
	list, err := e.client.Devices(e.ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if strings.EqualFold(c.Name, name) || c.ID == name {
			if err := e.client.RemoveDevice(e.ctx, c.ID); err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s is shut out.\n", c.Name)
			return nil
		}
	}
	return text.NoSuchDevice.Error()
}

package cli

import (
	"flag"
	"fmt"
	"text/tabwriter"

	"github.com/preroll/preroll/recorder/config"
)

func drives() command {
	var asJSON bool
	return command{
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") },
		run: func(e *env) error {
			list, err := e.client.Drives(e.ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e, list)
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			for _, d := range list {
				id, state := d.ID, ""
				if id == "" { // not seen since drives have ids
					id = d.Path
				}
				if d.Away {
					state = "not there"
				}
				fmt.Fprintf(w, "%s\t%s\t%s, %s\t%s\n", id, d.Path, plural(d.Events, "event"), config.ByteSize(d.Bytes),
					state)
			}
			return w.Flush()
		},
	}
}

func forget() command {
	var drive string
	return command{
		flags: func(fs *flag.FlagSet) { fs.StringVar(&drive, "drive", "", "") },
		args:  [2]int{0, 1000},
		run: func(e *env) error {
			switch {
			case drive == "" && len(e.args) == 0:
				return errUsage("forget what? Name events, or a drive with --drive")
			case drive != "" && len(e.args) > 0:
				return errUsage("name events or a drive, not both")
			case drive != "":
				n, err := e.client.ForgetDrive(e.ctx, drive)
				if err != nil {
					return err
				}
				fmt.Fprintf(e.out, "%s taken off the list; their files stay where they are.\n", plural(n, "event"))
				return nil
			}
			for _, id := range e.args {
				if err := e.client.Forget(e.ctx, id); err != nil {
					return err
				}
			}
			fmt.Fprintf(e.out, "%s taken off the list; their files stay where they are.\n", plural(len(e.args),
				"event"))
			return nil
		},
	}
}

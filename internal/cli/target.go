package cli

import (
	"flag"
	"fmt"
	"text/tabwriter"
)

func targets() command {
	var asJSON bool
	return command{
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") },
		args:  [2]int{0, 2},
		run: func(e *env) error {
			if len(e.args) == 2 && e.args[0] == "try" {
				if err := e.client.TryTarget(e.ctx, e.args[1]); err != nil {
					return err
				}
				fmt.Fprintln(e.out, "The test was taken.")
				return nil
			}
			if len(e.args) > 0 {
				return errUsage("target takes try ID")
			}
			return listTargets(e, asJSON)
		},
	}
}

func listTargets(e *env, asJSON bool) error {
	s, err := e.client.Status(e.ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(e, s.Targets)
	}
	if len(s.Targets) == 0 {
		fmt.Fprintf(e.out, "Word of alarms goes nowhere. Add a [[target]] to %s\n", e.paths.File)
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, t := range s.Targets {
		state := fmt.Sprintf("%d sent, %d waiting", t.Sent, t.Waiting)
		switch {
		case !t.Enabled:
			state = "switched off"
		case !t.Error.IsZero():
			state += ": " + t.Error.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Kind, state)
	}
	return w.Flush()
}

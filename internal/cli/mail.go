package cli

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/status"
)

// mailFlags are the options of `preroll mail`.
type mailFlags struct {
	n    int // 0: not given
	from string
	bad  bool
	json bool
}

// mailJSON is the output of --json.
type mailJSON struct {
	Connections []status.Connection `json:"connections"`
	Unmatched   []status.Unmatched  `json:"unmatched"`
}

func mailCommand() command {
	var f mailFlags
	return command{
		args: [2]int{0, 1},
		flags: func(fs *flag.FlagSet) {
			fs.IntVar(&f.n, "n", 0, "")
			fs.StringVar(&f.from, "from", "", "")
			fs.BoolVar(&f.bad, "bad", false, "")
			fs.BoolVar(&f.json, "json", false, "")
		},
		run: func(e *env) error {
			if f.n < 0 {
				return errUsage("-n takes 1 or more")
			}
			id := 0
			if len(e.args) > 0 {
				var err error
				if id, err = strconv.Atoi(e.args[0]); err != nil || id < 1 {
					return errUsage(fmt.Sprintf("%q is no number of a connection; the list has them: preroll mail",
						e.args[0]))
				}
			}
			list, err := e.client.Connections(e.ctx)
			if err != nil {
				return err
			}
			if id > 0 {
				return oneConnection(e, list, id, f.json)
			}
			s, err := e.client.Status(e.ctx)
			if err != nil {
				return err
			}
			all := len(list)
			list = slices.DeleteFunc(list, func(c status.Connection) bool {
				return f.bad && c.Good || f.from != "" && c.From != f.from
			})
			if f.json {
				if f.n > 0 {
					list = list[:min(len(list), f.n)]
				}
				return printJSON(e, mailJSON{list, s.SMTP.Unmatched})
			}
			if f.n == 0 {
				f.n = 20
			}
			printConnections(e, list, f.n, all)
			printUnmatched(e, s.SMTP.Unmatched)
			return nil
		},
	}
}

// oneConnection prints everything that is known about a connection.
func oneConnection(e *env, list []status.Connection, id int, asJSON bool) error {
	i := slices.IndexFunc(list, func(c status.Connection) bool { return c.ID == id })
	switch {
	case i < 0:
		return fmt.Errorf("connection %d is not among the last %d; see: preroll mail", id, len(list))
	case asJSON:
		return printJSON(e, list[i])
	}
	for line := range strings.Lines(maildoctor.Text(list[i])) {
		fmt.Fprintln(e.out, plain(strings.TrimSuffix(line, "\n")))
	}
	return nil
}

// printConnections prints the newest connections, one per line.
func printConnections(e *env, list []status.Connection, limit, all int) {
	switch {
	case all == 0:
		fmt.Fprintln(e.out,
			"No camera has connected yet. Set up its mail, or try the way: preroll trigger CAMERA --mail")
		return
	case len(list) == 0:
		fmt.Fprintf(e.out, "None of the last %s fits.\n", plural(all, "connection"))
		return
	}

	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NO.\tTIME\tFROM\t\tVERDICT")
	for _, c := range list[:min(len(list), limit)] {
		mark := "ok"
		if !c.Good {
			mark = "!"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", c.ID, c.Time.Local().Format("2006-01-02 15:04:05"), plain(c.From), mark,
			plain(c.Verdict.String()))
	}

	_ = w.Flush()
	if n := len(list) - limit; n > 0 {
		fmt.Fprintf(e.out, "and %s: -n %d\n", plural(n, "older one"), len(list))
	}
	fmt.Fprintln(e.out, "What was said in one of them: preroll mail NO.")
}

// printUnmatched prints the unmatched mails, and the entries that would make each of them fit a camera.
func printUnmatched(e *env, list []status.Unmatched) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(e.out,
		"\nUnmatched: these mails fit no camera. Add one of the lines to the mail list of the right one.")
	for i, u := range list {
		if i == 10 {
			fmt.Fprintf(e.out, "and %d more\n", len(list)-i)
			break
		}
		fmt.Fprintf(e.out, "\n%s from %s, sender %q, to %q, subject %q\n", u.Time.Local().Format("2006-01-02 15:04:05"),
			u.From, u.Sender, u.To, u.Subject)
		if !u.Why.IsZero() {
			fmt.Fprintf(e.out, "  %s\n", plain(u.Why.String()))
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for _, entry := range maildoctor.Entries(u, list) {
			fmt.Fprintf(w, "    %s,\t# by the %s\n", tomlString(entry.Text), entry.By)
		}
		_ = w.Flush()
	}
}

// tomlString formats a text as in the settings file.
func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain(s)) + `"`
}

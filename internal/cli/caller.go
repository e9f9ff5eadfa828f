package cli

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"strings"
	"text/tabwriter"

	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func caller() command {
	var camera string
	var metrics, asJSON bool
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&camera, "camera", "", "")
			fs.BoolVar(&metrics, "metrics", false, "")
			fs.BoolVar(&asJSON, "json", false, "")
		},
		args: [2]int{0, 2},
		run: func(e *env) error {
			switch {
			case metrics && camera != "":
				return errUsage("a caller that reads the measures triggers no camera: --metrics or --camera, not both")
			case len(e.args) == 0:
				return listCallers(e, asJSON)
			case len(e.args) == 2 && e.args[0] == "add":
				return addCaller(e, status.Caller{Name: e.args[1], Camera: camera, Metrics: metrics})
			case len(e.args) == 2 && e.args[0] == "remove":
				return removeCaller(e, e.args[1])
			}
			return errUsage("caller takes add NAME or remove NAME")
		},
	}
}

func listCallers(e *env, asJSON bool) error {
	list, err := e.client.Callers(e.ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(e, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(e.out, "Nobody may call. Add somebody with: preroll caller add NAME")
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, c := range list {
		used := "not called since the start"
		if !c.Used.IsZero() {
			used = "called " + c.Used.Local().Format("2006-01-02 15:04:05")
		}
		what := cmp.Or(c.Camera, "every camera")
		if c.Metrics {
			what = "the measures only"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, what, used)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s, err := e.client.Status(e.ctx)
	if err != nil {
		return err
	}
	if !s.Calls.Error.IsZero() {
		fmt.Fprintf(e.out, "! %s\n", s.Calls.Error)
	}
	if r := s.Calls.Last; r != nil {
		fmt.Fprintf(e.out, "The last of %s came at %s from %s: %s\n", plural(s.Calls.Refused, "refused call"),
			r.Time.Local().Format("15:04:05"), r.From, r.Why)
	}
	return nil
}

func addCaller(e *env, add status.Caller) error {
	c, err := e.client.AddCaller(e.ctx, add)
	if err != nil {
		return err
	}
	s, err := e.client.Status(e.ctx)
	if err != nil {
		return err
	}
	set, err := e.client.Settings(e.ctx)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(cmp.Or(s.Calls.Listen, set.Calls.Listen))
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = ownAddress()
	}
	path := fmt.Sprintf("/api/trigger/%s?token=%s&label=motion", cmp.Or(c.Camera, "CAMERA"), c.Token)
	if c.Metrics {
		path = "/metrics?token=" + c.Token
	}
	fmt.Fprintf(e.out,
		"%s may call now. Its token is shown this once:\n\n  %s\n\nLet it open this address:\n\n  http://%s%s\n",
		c.Name, c.Token, net.JoinHostPort(host, cmp.Or(port, "PORT")), path)
	if c.Camera == "" && !c.Metrics {
		fmt.Fprintln(e.out, "\nIn the place of CAMERA stands the id of a camera, as in: preroll status --json")
	}
	switch {
	case s.Calls.Listen != "":
	case set.Calls.Listen != "":
		fmt.Fprintf(e.out, "\nNo call comes in yet: %s\n", s.Calls.Error)
	default:
		fmt.Fprintf(e.out, "\nNo call comes in yet. Set listen = \":8025\" or the like in the part [calls] of %s\n",
			e.paths.File)
	}
	return nil
}

func removeCaller(e *env, name string) error {
	list, err := e.client.Callers(e.ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if strings.EqualFold(c.Name, name) || c.ID == name {
			if err := e.client.RemoveCaller(e.ctx, c.ID); err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s may not call any more.\n", c.Name)
			return nil
		}
	}
	return text.NoSuchCaller.Error()
}

// ownAddress returns an address of this machine, best one in a private network, or a word for it.
func ownAddress() string {
	list, _ := net.InterfaceAddrs()
	for _, fits := range []func(net.IP) bool{net.IP.IsPrivate, net.IP.IsGlobalUnicast} {
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && fits(n.IP) {
				return n.IP.String()
			}
		}
	}
	return noHost
}

// noHost stands for the address of this machine, where it has none.
const noHost = "HOST"

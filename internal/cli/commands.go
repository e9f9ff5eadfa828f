package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/diagnose"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsPunct(r) }

func triggerCommand() command {
	var label string
	var mail bool
	return command{
		args: [2]int{1, 1},
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&label, "label", "", "")
			fs.BoolVar(&mail, "mail", false, "")
		},
		run: func(e *env) error {
			demo := label == "" && isDemo(e, e.args[0]) // the demo shows the whole way, which begins with a mail
			if mail || demo {
				err := e.client.Mail(e.ctx, e.args[0])
				if err == nil {
					fmt.Fprintln(e.out, "alarm mail sent and accepted: saving")
					return nil
				}
				if !demo || mail {
					return err
				}
				fmt.Fprintf(e.out, "no alarm mail could be sent (%s); triggering by hand\n", err)
			}
			id, err := e.client.Trigger(e.ctx, e.args[0], label)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "event %s: saving\n", id)
			return nil
		},
	}
}

// isDemo reports whether the camera is the demo camera of the running recorder.
func isDemo(e *env, id string) bool {
	s, err := e.client.Settings(e.ctx)
	c, ok := s.Camera(id)
	return err == nil && ok && c.URL == config.DemoURL
}

// --- Events and status ---

func events() command {
	var asJSON bool
	var q event.Query
	return command{
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&asJSON, "json", false, "")
			fs.StringVar(&q.Camera, "camera", "", "")
			fs.IntVar(&q.Limit, "limit", 20, "")
		},
		run: func(e *env) error {
			if q.Limit < 1 || q.Limit > 1000 {
				return errUsage("--limit takes 1 to 1000")
			}
			list, err := e.client.Events(e.ctx, q)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e, list)
			}
			if len(list) == 0 {
				fmt.Fprintln(e.out, "No events yet. Save a clip with: preroll trigger CAMERA")
				return nil
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TIME\tCAMERA\tLABEL\tSTATE\tLENGTH\tSIZE\tFILE")
			for _, ev := range list {
				file := ""
				if len(ev.Clips) > 0 {
					file = ev.Folder + "/" + ev.Clips[0].File
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", ev.Time.Local().Format("2006-01-02 15:04:05"),
					ev.Title(), ev.Label, ev.State, ev.Length().Round(100*time.Millisecond),
					config.ByteSize(ev.Bytes()), file)
				if ev.Reason != "" {
					fmt.Fprintf(w, "\t\t\t%s\n", ev.Reason)
				}
			}
			return w.Flush()
		},
	}
}

func statusCommand() command {
	var asJSON bool
	return command{
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") },
		run: func(e *env) error {
			s, err := e.client.Status(e.ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e, s)
			}
			printStatus(e, s)
			return nil
		},
	}
}

// health says what needs a person. It fails if anything does, or if no camera records, as a check of a container or a
// supervisor wants it.
func health() command {
	return command{run: func(e *env) error {
		s, err := e.client.Status(e.ctx)
		if err != nil {
			return err
		}
		recording, enabled := 0, 0
		for _, c := range s.Cameras {
			if c.State != status.Off {
				enabled++
			}
			if c.State == status.Recording {
				recording++
			}
		}
		if enabled == 0 {
			fmt.Fprintln(e.out, "No camera is set up, so nothing is recorded.")
		} else {
			fmt.Fprintf(e.out, "Recording %d of %s.\n", recording, plural(enabled, "camera"))
		}
		printProblems(e, s)
		if len(s.Problems) > 0 || recording == 0 {
			return errSilent
		}
		return nil
	}}
}

func printStatus(e *env, s status.Status) {
	fmt.Fprintf(e.out, "Preroll %s, running since %s\n", s.Version, s.Started.Local().Format("2006-01-02 15:04"))
	if s.Update != nil {
		fmt.Fprintf(e.out, "There is a newer version, %s: %s\n", s.Update.Version, s.Update.URL)
	}
	if s.Pause.On {
		until := "until: preroll resume"
		if !s.Pause.Until.IsZero() {
			until = "until " + s.Pause.Until.Local().Format("15:04")
		}
		fmt.Fprintf(e.out, "Paused %s; %d alarms came meanwhile\n", until, s.Pause.Missed)
	}

	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "RAM disk\t%s\t%s of %s used\n", s.RAM.Path, config.ByteSize(s.RAM.Used),
		config.ByteSize(s.RAM.Budget))
	fmt.Fprintf(w, "Archive\t%s\t%s, %s; %s free\n", s.Archive.Path, plural(s.Archive.Events, "event"),
		config.ByteSize(s.Archive.Bytes), config.ByteSize(s.Archive.Free))
	if f := s.Archive.Filling; f != nil {
		fmt.Fprintf(w, "\t\tthe list of events is read from the archive: %s so far, %.0f %% of the folders\n",
			plural(f.Events, "event"), f.Part*100)
	}
	for _, d := range s.Archive.Away {
		fmt.Fprintf(w, "\t%s\t%s, %s on a drive that is not there\n", d.Path, plural(d.Events, "event"),
			config.ByteSize(d.Bytes))
	}
	if ports := portsOf(s.SMTP); ports != "" {
		fmt.Fprintf(w, "Alarm mail\t%s\t%s, %d fitted no camera\n", ports, plural(s.SMTP.Mails, "mail"),
			len(s.SMTP.Unmatched))
	}
	if !s.SMTP.LastTest.IsZero() {
		fmt.Fprintf(w, "Test mail\t%s\t\n", s.SMTP.LastTest)
	}
	if s.Calls.Listen != "" {
		fmt.Fprintf(w, "Calls\t%s\t%d refused\n", s.Calls.Listen, s.Calls.Refused)
	}
	for _, c := range s.Cameras {
		detail := ""
		if c.State == status.Recording {
			detail = fmt.Sprintf("%.0f s in RAM, %.1f Mbit/s", c.PreRoll.D().Seconds(), c.BitRate/1e6)
		} else if !c.Retry.IsZero() {
			detail = fmt.Sprintf("trying again in %.0f s", max(0, time.Until(c.Retry).Seconds()))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, c.Text, detail)
	}

	_ = w.Flush()
	printProblems(e, s)
	for i, u := range s.SMTP.Unmatched {
		if i == 5 {
			fmt.Fprintf(e.out, "  and %d more: preroll mail\n", len(s.SMTP.Unmatched)-i)
			break
		}
		fmt.Fprintf(e.out, "? mail that fits no camera: %s, from %s, sender %q, to %q, subject %q\n",
			u.Time.Local().Format("15:04:05"), u.From, u.Sender, u.To, u.Subject)
	}
}

// printProblems prints what needs a person, and what to do about it.
func printProblems(e *env, s status.Status) {
	for _, p := range s.Problems {
		about := ""
		if i := slices.IndexFunc(s.Cameras, func(c status.Camera) bool { return c.ID == p.About }); i >= 0 &&
			!strings.HasPrefix(p.Text.String(), s.Cameras[i].Name+": ") {
			about = s.Cameras[i].Name + ": "
		}
		fmt.Fprintf(e.out, "! %s%s. %s\n", about, strings.TrimSuffix(p.Text.String(), "."), p.Hint)
	}
}

// portsOf returns the ports on which the mail server listens.
func portsOf(s status.SMTP) string {
	var list []string
	for _, p := range s.Ports {
		if p.Error.IsZero() {
			list = append(list, p.Listen)
		}
	}
	return strings.Join(list, ", ")
}

// --- Why and pause ---

func why() command {
	var at string
	return command{
		args:  [2]int{0, 1},
		flags: func(fs *flag.FlagSet) { fs.StringVar(&at, "at", "", "") },
		run: func(e *env) error {
			when, err := moment(at, time.Now())
			if err != nil {
				return err
			}
			camera := ""
			if len(e.args) > 0 {
				camera = e.args[0]
			}
			list, err := e.client.Why(e.ctx, camera, when)
			for _, f := range list {
				printFinding(e, f)
			}
			return err
		},
	}
}

// moment parses a time of today, or a date and time. "" means now.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	for _, clock := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(clock, text, time.Local); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local), nil
		}
		if t, err := time.ParseInLocation("2006-01-02 "+clock, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errUsage(fmt.Sprintf("--at takes a time such as 14:05 or \"2026-11-22 14:05\", not %q", text))
}

func pause(e *env) error {
	var d config.Duration
	if len(e.args) > 0 {
		if err := d.UnmarshalText([]byte(e.args[0])); err != nil || d == 0 {
			return errUsage("a pause takes a length such as 15m or 1h, or none")
		}
	}
	if err := e.client.Pause(e.ctx, d.D()); err != nil {
		return err
	}
	if d == 0 {
		fmt.Fprintln(e.out, "paused: alarms save nothing until: preroll resume")
	} else {
		fmt.Fprintf(e.out, "paused until %s: alarms save nothing\n", time.Now().Add(d.D()).Format("15:04"))
	}
	return nil
}

// printFinding prints one result of a check.
func printFinding(e *env, f status.Finding) {
	mark := "ok  "
	switch {
	case !f.OK:
		mark = "FAIL"
	case f.Warn:
		mark = "warn"
	}
	about := f.About.String()
	if about != "" {
		about += ": "
	}
	fmt.Fprintf(e.out, "%s  %s%s\n", mark, about, f.Text)
	if !f.Hint.IsZero() {
		fmt.Fprintf(e.out, "      %s\n", f.Hint)
	}
}

// --- Check and reindex ---

func check() command {
	var f auditFlags
	return command{
		args: [2]int{0, 1},
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&f.on, "archive", false, "")
			fs.BoolVar(&f.repair, "repair", false, "")
			fs.BoolVar(&f.again, "again", false, "")
			fs.BoolVar(&f.json, "json", false, "")
		},
		run: func(e *env) error {
			switch {
			case f.on && len(e.args) > 0:
				return errUsage("--archive checks the whole archive and takes no camera")
			case f.on:
				return checkArchive(e, f)
			case f.repair || f.again || f.json:
				return errUsage("--repair, --again and --json go with --archive")
			}
			s, _, err := config.Load(e.paths.File)
			if err != nil {
				return err
			}
			only := ""
			if len(e.args) > 0 {
				only = e.args[0]
			}
			var now *status.Status
			if st, err := e.client.Status(e.ctx); err == nil && st.Settings != e.paths.File {
				return fmt.Errorf(
					"the service of this machine records, with %s; check it with: sudo preroll check --system",
					st.Settings)
			} else if err == nil {
				now = &st
			} else if !errors.Is(err, control.ErrNotRunning) {
				return err
			}
			failed := false
			err = diagnose.Check(e.ctx, s, now, only, func(f status.Finding) {
				failed = failed || !f.OK
				printFinding(e, f)
			})
			if errors.Is(err, recorder.ErrNoCamera) {
				return errUsage(err.Error())
			}
			if err == nil && failed {
				err = errSilent
			}
			return err
		},
	}
}

func reindex(e *env) error {
	found, faults, err := e.client.Reindex(e.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%d events found\n", found)
	for _, f := range faults {
		fmt.Fprintf(e.out, "not used: %s\n", f)
	}
	return nil
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/service"
	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/diagnose"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
)

// Limits of a report.
const (
	reportEvents  = 200
	reportHistory = 7 * 24 * time.Hour
	reportTime    = 90 * time.Second
)

// diagnoseCommand writes one file for a bug report, or the short parts of it as text for "-". No password is in it.
func diagnoseCommand() command {
	return command{args: [2]int{0, 1}, run: func(e *env) error {
		ctx, cancel := context.WithTimeout(e.ctx, reportTime)
		defer cancel()
		path := "preroll-report-" + time.Now().Format("20060102-150405") + ".zip"
		if len(e.args) == 1 {
			path = e.args[0]
		}
		r := newReport(e)
		r.fill(ctx, e)
		if path == "-" {
			return r.print(e.out)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(r.write(f), f.Close()); err != nil {
			_ = os.Remove(path)
			return err
		}
		fmt.Fprintf(e.out, "%s holds:\n", path)
		for _, p := range r.parts {
			fmt.Fprintf(e.out, "  %s\n", p.name)
		}
		fmt.Fprintln(e.out,
			"Passwords are not in it. Names of cameras, addresses in your network and the times of alarms are: "+
				"look at it before you publish it.")
		return nil
	}}
}

// report collects what a bug report needs.
type report struct {
	parts   []part
	secrets []string
	hidden  []string // pairs: an address, and what is shown of it
}

// hideIn shows an address in another way.
func (r *report) hideIn(address, shown string) {
	if address == shown || address == "" {
		return
	}
	for _, form := range []func(string) string{func(s string) string { return s }, func(s string) string {
		b, _ := json.Marshal(s)
		return strings.Trim(string(b), `"`)
	}} {
		r.hidden = append(r.hidden, form(address), form(shown))
	}
}

type part struct {
	name string
	text []byte
}

// newReport returns an empty report, which knows the secrets that it must not show.
func newReport(e *env) *report {
	r := &report{}
	s, _, err := config.Load(e.paths.File)
	if err != nil {
		return r
	}
	for _, secret := range config.Secrets(s) {
		v := secret.Reveal()
		isKey := func(key string) bool { return strings.HasSuffix(key, "."+v) }
		if len(v) > 1 && secret != config.Keyring && !slices.ContainsFunc(config.Keys(s), isKey) {
			quoted, _ := json.Marshal(v)
			r.secrets = append(r.secrets, v, url.QueryEscape(v), url.PathEscape(v), strings.Trim(string(quoted), `"`))
		}
	}
	public := config.Public(s)
	for i, c := range s.Cameras {
		r.hideIn(c.URL, public.Cameras[i].URL)
		r.hideIn(c.URLSmall, public.Cameras[i].URLSmall)
	}
	for i, t := range s.Targets {
		r.hideIn(t.URL, public.Targets[i].URL)
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	return r
}

// query matches what comes behind the path of an address, which may hold a key.
var query = regexp.MustCompile(`([a-z]+://[^\s"'?]+)\?[^\s"']+`)

// login matches a user and a password in an address.
var login = regexp.MustCompile(`([a-z]+://)[^\s"'/@]+@`)

// add adds a part, without secrets.
func (r *report) add(name string, text []byte) {
	s := strings.NewReplacer(r.hidden...).Replace(string(text))
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "(hidden)")
	}
	s = login.ReplaceAllString(query.ReplaceAllString(s, "$1?(hidden)"), "$1(hidden)@")
	r.parts = append(r.parts, part{name, []byte(s)})
}

// value adds a value as JSON, or the error that took its place.
func (r *report) value(name string, v any, err error) {
	if err != nil {
		v = map[string]string{"error": err.Error()}
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		b = []byte(err.Error())
	}
	r.add(name, append(b, '\n'))
}

// fill collects everything. What cannot be had says why.
func (r *report) fill(ctx context.Context, e *env) {
	r.add("version.txt", versions(ctx, e))
	s, _, err := settingsInForce(e)
	r.value("settings.json", config.Public(s), err)
	st, err := e.client.Status(ctx)
	r.value("status.json", st, err)
	list, err := e.client.Events(ctx, event.Query{Limit: reportEvents})
	r.value("events.json", list, err)
	mails, err := e.client.Connections(ctx)
	r.value("mail.json", mails, err)
	drives, err := e.client.Drives(ctx)
	r.value("drives.json", drives, err)
	r.history(ctx, e)
	lines, err := e.client.LogLines(ctx)
	if err != nil {
		lines = append(lines, err.Error())
	}
	r.add("log.txt", []byte(strings.Join(lines, "\n")+"\n"))

	var checked bytes.Buffer
	file, _, err := config.Load(e.paths.File)
	if err == nil {
		var now *status.Status
		if st.Settings == e.paths.File {
			now = &st
		}
		to := *e
		to.out = &checked
		err = diagnose.Check(ctx, file, now, "", func(f status.Finding) { printFinding(&to, f) })
	}
	if err != nil {
		fmt.Fprintln(&checked, err)
	}
	r.add("check.txt", checked.Bytes())

	var logs bytes.Buffer
	for _, sv := range []service.Service{{}, {System: true}} {
		m := sv.Manager()
		is, err := m.Status(ctx)
		fmt.Fprintf(&logs, "service, of the machine: %v, installed: %v, running: %v, says: %q, error: %v\n", sv.System,
			is.Installed, is.Running, is.Said, err)
		if is.Running || is.Installed {
			if err := m.Logs(ctx, false, &logs); err != nil {
				fmt.Fprintln(&logs, err)
			}
		}
	}
	r.add("service.txt", logs.Bytes())
}

// history adds what happened in the last days.
func (r *report) history(ctx context.Context, e *env) {
	h := history.New(e.paths.State, slog.New(slog.DiscardHandler))
	all, err := h.All(ctx)
	first := slices.IndexFunc(all, func(x history.Entry) bool { return time.Since(x.Time) < reportHistory })
	if first < 0 {
		all = nil
	} else {
		all = all[first:]
	}
	r.value("history.json", all, err)
}

// versions says what runs where.
func versions(ctx context.Context, e *env) []byte {
	var b bytes.Buffer
	to := *e
	to.out = &b
	to.ctx = ctx
	_ = version(&to)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			fmt.Fprintf(&b, "%s=%s\n", s.Key, s.Value)
		}
	}
	fmt.Fprintf(&b, "processors: %d\nsettings: %s\nstate: %s\nsocket: %s\n", runtime.NumCPU(), e.paths.File,
		e.paths.State,
		e.paths.Socket)
	for _, path := range []string{"/etc/os-release", "/proc/version", "/proc/meminfo"} {
		if f, err := os.Open(path); err == nil {
			text, _ := io.ReadAll(io.LimitReader(f, 4<<10))
			_ = f.Close()
			fmt.Fprintf(&b, "\n%s:\n%s", path, text)
		}
	}
	b.WriteString("\nenvironment, names alone:\n")
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "PREROLL_") || strings.HasPrefix(name, "XDG_") || name == "DISPLAY" ||
			name == "WAYLAND_DISPLAY" || strings.HasSuffix(name, "_DIRECTORY") {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	fmt.Fprintf(&b, "Preroll %s\n", recorder.Version())
	return b.Bytes()
}

// shortParts are the parts of a report that a message to the makers may hold as text.
var shortParts = []string{"version.txt", "check.txt", "settings.json", "status.json", "log.txt"}

// print prints the short parts.
func (r *report) print(to io.Writer) error {
	for _, p := range r.parts {
		if slices.Contains(shortParts, p.name) {
			if _, err := fmt.Fprintf(to, "== %s\n%s\n", p.name, bytes.TrimRight(p.text, "\n")); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes the report as a zip file.
func (r *report) write(to io.Writer) error {
	w := zip.NewWriter(to)
	for _, p := range r.parts {
		f, err := w.Create(p.name)
		if err != nil {
			return err
		}
		if _, err := f.Write(p.text); err != nil {
			return err
		}
	}
	return w.Close()
}

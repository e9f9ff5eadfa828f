package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/audit"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/ffmpeg"
)

// auditFlags are the options of `preroll check --archive`.
type auditFlags struct {
	on, repair, again, json bool
}

// checkArchive checks the whole archive, and repairs it with --repair.
func checkArchive(e *env, f auditFlags) error {
	s, _, err := config.Load(e.paths.File)
	if err != nil {
		return err
	}
	tool, err := ffmpeg.Find(e.ctx, s.FFmpeg.Path)
	if err != nil {
		return fmt.Errorf("%w; without FFmpeg no clip can be read back", err)
	}
	running := atMostEvery(5*time.Second, func(ctx context.Context) bool {
		conn, err := control.Dial(ctx, e.paths.Socket)
		return err == nil && conn.Close() == nil
	})
	bar := &bar{w: e.errs, line: terminal(e.errs)}
	res, err := audit.Run(e.ctx, audit.Options{
		Archive: filepath.Clean(s.Archive.Path), State: e.paths.State, FFmpeg: tool, Repair: f.repair, Again: f.again,
		Running:  running,
		Reindex:  func(ctx context.Context) error { return rebuildIndex(ctx, e, s.Archive.Path) },
		Progress: bar.show,
	})
	bar.clear()
	if e.ctx.Err() != nil {
		fmt.Fprintf(e.errs, "interrupted: %s of %s events are checked; the same command goes on from here\n",
			thousands(bar.last.Events), thousands(bar.last.All))
		return errSilent
	}
	if err != nil {
		return err
	}
	if f.json {
		if err := printJSON(e, res); err != nil {
			return err
		}
	} else {
		printAudit(e.out, res)
	}

	if !res.Whole() {
		return errSilent
	}
	return nil
}

// atMostEvery returns a function that calls ask at most once per d, and returns the last answer otherwise. Only one
// goroutine may use it.
func atMostEvery(d time.Duration, ask func(context.Context) bool) func(context.Context) bool {
	var was bool
	var at time.Time
	return func(ctx context.Context) bool {
		if at.IsZero() || time.Since(at) > d {
			was, at = ask(ctx), time.Now()
		}
		return was
	}
}

// rebuildIndex asks the running recorder to rebuild its index. If none runs, it rebuilds the index itself.
func rebuildIndex(ctx context.Context, e *env, root string) (err error) {
	if _, _, err := e.client.Reindex(ctx); !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	a, err := archive.Open(ctx, e.paths.State, root, slog.New(newLines(e.errs, e.level)))
	if err != nil {
		return err
	}
	_, _, err = a.Reindex(ctx)
	return errors.Join(err, a.Close())
}

// printAudit prints the result of a check for people.
func printAudit(w io.Writer, r audit.Result) {
	verdict := ": all whole."
	if n := len(r.Faults) + r.More; n > 0 {
		verdict = ": " + plural(n, "fault") + "."
	}
	fmt.Fprintf(w, "%s, %s, %s checked in %s%s\n", plural(r.Events, "event"), plural(r.Clips, "clip"),
		config.ByteSize(r.Bytes), about(r.Took.D()), verdict)
	printFaults(w, "FAIL", r.Faults)
	if r.More > 0 {
		fmt.Fprintf(w, "FAIL  and %s\n", plural(r.More, "more fault"))
	}
	if len(r.Repaired) > 0 {
		fmt.Fprintf(w, "%s repaired:\n", plural(len(r.Repaired), "fault"))
		printFaults(w, "ok  ", r.Repaired)
	}
	printFaults(w, "note", r.Notes)
	if r.Saving > 0 {
		fmt.Fprintf(w, "%s being saved now, or just changed: left alone.\n", plural(r.Saving, "event"))
	}
	if r.Foreign > 0 {
		fmt.Fprintf(w, "%s that Preroll did not make: left alone.\n", plural(r.Foreign, "file"))
	}
}

func printFaults(w io.Writer, mark string, list []audit.Issue) {
	for _, f := range list {
		fmt.Fprintf(w, "%s  %s\n      %s\n", mark, plain(f.Path), plain(f.Text))
		if f.Hint != "" {
			fmt.Fprintf(w, "      %s\n", plain(f.Hint))
		}
	}
}

// plain makes a text safe for a terminal, because it may contain a file name.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// plural formats a number of things: "1 clip", "1,230 clips".
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands(n) + " " + thing
}

// thousands formats a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// about formats a length of time as people say it.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", max(1, d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// bar shows the progress of a check: on a terminal in one line that it overwrites, elsewhere as a new line from time to
// time.
type bar struct {
	w        io.Writer
	line     bool
	began    time.Time
	shown    time.Time
	reported bool // it printed that the check continues an interrupted one
	drawn    bool
	last     audit.Progress
}

func (b *bar) show(p audit.Progress) {
	now := time.Now()
	if b.last = p; p.Counting {
		if b.line && now.Sub(b.shown) > 200*time.Millisecond {
			b.drawn, b.shown = true, now
			fmt.Fprintf(b.w, "\r\x1b[Kcounting: %s", plural(p.All, "event"))
		}
		return
	}

	if b.began.IsZero() {
		b.began, b.shown = now, now
	}
	if !p.Resumed.IsZero() && !b.reported {
		b.clear()
		b.reported = true
		fmt.Fprintf(b.w, "goes on where it was interrupted at %s: %s of %s events are checked already\n",
			p.Resumed.Local().Format("15:04"), thousands(p.Before), thousands(p.All))
	}
	pause := 30 * time.Second
	if b.line {
		pause = 200 * time.Millisecond
	}
	if now.Sub(b.shown) < pause {
		return
	}
	b.shown = now
	text := progressText(p, now.Sub(b.began))
	if !b.line {
		fmt.Fprintln(b.w, text)
		return
	}
	b.drawn = true
	fmt.Fprintf(b.w, "\r\x1b[K%s", text)
}

// clear removes the line from the terminal.
func (b *bar) clear() {
	if b.drawn {
		b.drawn = false
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// progressText formats the progress: percent by bytes, events, speed and remaining time.
func progressText(p audit.Progress, took time.Duration) string {
	const width = 20
	done := 1.0
	if p.AllBytes > 0 {
		done = min(1, float64(p.Bytes)/float64(p.AllBytes))
	}
	full := int(done * width)
	text := fmt.Sprintf("%3.0f %% [%s%s] %s of %s", 100*done, strings.Repeat("#", full),
		strings.Repeat("-", width-full), thousands(p.Events), plural(p.All, "event"))
	read := float64(p.Bytes - p.Skipped)
	if read <= 0 || took < time.Second {
		return text
	}
	rate := read / took.Seconds()
	left := time.Duration(float64(max(0, p.AllBytes-p.Bytes)) / rate * float64(time.Second))
	return text + fmt.Sprintf(", %.0f MB/s, %s left", rate/1e6, about(left))
}

// Package logtail keeps the last lines of a log in memory, so that the window and a bug report can show them where
// nothing else keeps the log, such as for a program that the desktop started.
package logtail

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Bounds of what is kept. Few lines are longer than 200 bytes.
const (
	most    = 500  // lines
	longest = 2000 // bytes of a line
)

// Tail is the last lines of a log. Any goroutine may use it.
type Tail struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// Lines returns the lines, oldest first.
func (t *Tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// Write implements io.Writer for one line.
func (t *Tail) Write(b []byte) (int, error) {
	line := strings.TrimRight(strings.ToValidUTF8(string(b), "?"), "\n")
	if len(line) > longest {
		// A password that is cut in two would not be found when passwords are removed from the lines.
		line = line[:max(0, strings.LastIndexByte(line[:longest], ' '))] + " …"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) >= most {
		t.lines = slices.Delete(t.lines, 0, len(t.lines)-most+1)
	}
	t.lines = append(t.lines, line)
	return len(b), nil
}

// Tee returns a log that writes to log and keeps its lines from the level Info on.
func (t *Tail) Tee(log *slog.Logger) *slog.Logger {
	return slog.New(tee{log.Handler(), slog.NewTextHandler(t, nil)})
}

// tee passes records to two handlers.
type tee struct{ next, tail slog.Handler }

func (t tee) Enabled(ctx context.Context, l slog.Level) bool {
	return t.next.Enabled(ctx, l) || t.tail.Enabled(ctx, l)
}

func (t tee) Handle(ctx context.Context, r slog.Record) error {
	if t.tail.Enabled(ctx, r.Level) {
		_ = t.tail.Handle(ctx, r.Clone()) // writing to memory does not fail
	}
	if !t.next.Enabled(ctx, r.Level) {
		return nil
	}
	return t.next.Handle(ctx, r)
}

func (t tee) WithAttrs(a []slog.Attr) slog.Handler {
	return tee{t.next.WithAttrs(a), t.tail.WithAttrs(a)}
}

func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.next.WithGroup(name), t.tail.WithGroup(name)}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// lines is a log handler for people. It prints one line per record: "18:40:12 event ended camera=gate state=saved".
type lines struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Level
	attrs string
}

func newLines(w io.Writer, level slog.Level) *lines {
	return &lines{mu: new(sync.Mutex), w: w, level: level}
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *lines) WithGroup(string) slog.Handler { return l }

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *l
	for _, a := range attrs {
		n.attrs += attr(a)
	}
	return &n
}

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format("15:04:05 "))
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString("ERROR ")
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	}
	b.WriteString(r.Message)
	b.WriteString(l.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attr(a))
		return true
	})
	b.WriteByte('\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.w, b.String())
	return err
}

// attr formats an attribute. It quotes a value that has anything but plain characters, so that no value can begin a
// line of its own.
func attr(a slog.Attr) string {
	v := a.Value.Resolve()
	s := v.String()
	if v.Kind() == slog.KindDuration {
		s = v.Duration().Round(time.Millisecond).String()
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == 0x7f || r > 0x7e && !strings.ContainsRune("…", r) && !isLetter(r)
	}) {
		s = fmt.Sprintf("%q", s)
	}
	return " " + a.Key + "=" + s
}

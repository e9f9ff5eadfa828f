package logtail

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var out bytes.Buffer
	var tail Tail
	log := tail.Tee(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	for i := range most + 20 {
		log.With("camera", "gate").Info("picture", "n", i)
	}
	log.Debug("not kept")
	address := "rtsp://admin:" + strings.Repeat("ü", longest) + "@host/"
	log.Warn("long", "text", strings.Repeat("word ", longest/5-20)+address)
	got := tail.Lines()
	if len(got) != most || !strings.Contains(got[0], "msg=picture camera=gate n=21") ||
		!strings.Contains(got[most-2], fmt.Sprintf("n=%d", most+19)) {
		t.Errorf("%d lines from %q to %q", len(got), got[0], got[most-2])
	}
	last := got[most-1]
	if !strings.Contains(last, "level=WARN msg=long") || len(last) > longest+len("…") || strings.Contains(last,
		"\ufffd") || strings.Contains(last, "ü") || !strings.HasSuffix(last, "word …") {
		t.Errorf("the last line is %q", last)
	}
	if s := out.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "long") {
		t.Errorf("the log itself: %q", s)
	}
}

package control

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVideoCalls checks that video, files and their ranges come through, and how they fail.
func TestVideoCalls(t *testing.T) {
	f := &fake{folder: t.TempDir(), settings: config.Default(), callers: []status.Caller{{ID: "1", Name: "Phone"}}}
	c, _ := serve(t, f, nil)
	ctx := t.Context()
	resp, err := c.Live(ctx, "gate", true, time.UnixMilli(1700000000007), time.UnixMilli(1700000000003))
	if got := body(t, resp, err); got != "gate true from 1700000000007, origin 1700000000003" ||
		resp.Header.Get("Content-Type") != `video/mp4; codecs="avc1.42001e"` {
		t.Errorf("got %q, %v", got, resp.Header)
	}
	resp, err = c.HLS(ctx, "gate", false, "live.m3u8", url.Values{"_HLS_msn": {"7"}, "_HLS_part": {"2"}, "x": {"y"}})
	if got := body(t, resp, err); got != "gate false live.m3u8 {On:true Sequence:7 Part:2}" ||
		!strings.Contains(resp.Header.Get("Cache-Control"), "max-age") {
		t.Errorf("got %q, %v", got, resp.Header)
	}
	if err := os.WriteFile(filepath.Join(f.folder, "e1-x.mp4"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"": "200 0123456789", "bytes=2-4": "206 234", "bytes=-3": "206 789",
		"bytes=20-": "416 invalid range: failed to overlap\n", "nonsense": "416 invalid range\n"} {
		resp, err := c.File(ctx, "e1", "x.mp4", http.Header{"Range": {asked}, "Authorization": {"secret"}})
		if got := body(t, resp, err); resp.Status[:4]+got != want {
			t.Errorf("%q: got %q, want %q", asked, resp.Status[:4]+got, want)
		}
	}
	if list, err := c.Spans(ctx, "gate", false); err != nil || len(list) != 1 || list[0].To.Unix() != 3 {
		t.Errorf("got %+v, %v", list, err)
	}
	if p, err := c.PairingCode(ctx); err != nil || p.Code != "ABCD-EFGH" || p.Until.Unix() != 1e9 {
		t.Errorf("got %+v, %v", p, err)
	}
	if list, err := c.Devices(ctx); err != nil || len(list) != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := c.RemoveDevice(ctx, "1"); err != nil || len(f.callers) != 0 {
		t.Errorf("got %+v, %v", f.callers, err)
	}

	if err := c.SetAway(ctx, true); err != nil || !f.away {
		t.Errorf("away: %t, %v", f.away, err)
	}

	// A trigger may lie in the past, as far as RAM reaches.
	for ago, ok := range map[time.Duration]bool{0: true, 90 * time.Second: true, 2 * time.Minute: false,
		-time.Minute: false} {
		if _, err := c.TriggerAt(ctx, "gate", "manual", time.Now().Add(-ago)); (err == nil) != ok {
			t.Errorf("%s ago: got %v", ago, err)
		}
	}

	f.refuse = text.NotForBrowsers.Error()
	_, err = c.Live(ctx, "gate", false, time.Time{}, time.Time{})
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusUnsupportedMediaType ||
		!errors.Is(err, text.NotForBrowsers.Error()) {
		t.Errorf("got %+v", err)
	}
	f.events = []event.Event{{ID: "e1", Folder: "secret"}}
	for _, id := range []string{".", "..", "%2e", "../events"} { // no path that somebody made up leads to another call
		for _, name := range []string{"..", ".", "../..", "../../events"} {
			if resp, err := c.File(ctx, id, name, nil); err == nil {
				t.Errorf("%s, %s: got %s: %q", id, name, resp.Status, body(t, resp, nil))
			}
			if list, err := c.Spans(ctx, id, false); err == nil && id != "%2e" && id != "../events" {
				t.Errorf("%s: got %+v", id, list)
			}
		}
	}
	f.refuse = text.NoSuchFile.Error()
	if _, err = c.File(ctx, "e1", "y.mp4", nil); !errors.As(err, &e) || e.Status != http.StatusNotFound {
		t.Errorf("got %+v", err)
	}
}

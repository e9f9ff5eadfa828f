//go:build smoke && linux

package webtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/event"
)

// TestUnderAttack floods the pages of the real program: videos by the hundred that nobody reads, guesses, connections
// that say nothing, and bodies without end. Meanwhile every mail becomes an event, and every clip holds every frame.
func TestUnderAttack(t *testing.T) {
	w := start(t, "127.0.0.1:0")
	poll.Until(t, "pre-roll", 30*time.Second, func() bool {
		st, err := w.client.Status(t.Context())
		return err == nil && st.Cameras[0].PreRoll.D() > 12*time.Second
	}, nil)
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{MaxIdleConnsPerHost: 10}}
	resp, err := plain.PostForm(w.url+"/pair", map[string][]string{"code": {w.code()}, "name": {"Attacker's phone"}})
	if err != nil || len(resp.Cookies()) != 1 {
		t.Fatalf("pair: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	cookie := resp.Cookies()[0]
	files := open(t, w.cmd.Process.Pid)

	ctx, cancel := context.WithCancel(t.Context())
	var attack sync.WaitGroup
	var requests atomic.Int64
	addr := strings.TrimPrefix(w.url, "http://")
	for range 4 {
		attack.Go(func() { // videos that nobody reads, and watches
			for i := 0; ctx.Err() == nil; i++ {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				path := []string{"/camera/front/live", "/watch", "/camera/front/live?from=1&origin=99999999999999",
					"/camera/front/hls/live.m3u8?_HLS_msn=999999999&_HLS_part=99999"}[i%4]
				_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: %s=%s\r\n\r\n", path, cookie.Name,
					cookie.Value)
				requests.Add(1)
				if i%3 == 0 { // gone at once
					_ = c.Close()
				} else {
					time.AfterFunc(3*time.Second, func() { _ = c.Close() })
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
		attack.Go(func() { // guesses, bodies without end, and every page
			for i := 0; ctx.Err() == nil; i++ {
				method, body := "POST", io.Reader(strings.NewReader("code=AAAA-"+fmt.Sprint(i)))
				path := "/pair"
				switch i % 4 {
				case 1:
					body = io.LimitReader(zeros{}, 1<<20)
				case 2:
					method, path, body = "GET", "/events?text="+strings.Repeat("x", 2000)+"&day=0&before=-1", nil
				case 3:
					method, path, body = "GET", "/camera/front/still?width=-1", nil
				}
				req, err := http.NewRequestWithContext(ctx, method, w.url+path, body)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.AddCookie(cookie)
				if resp, err := plain.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				requests.Add(1)
			}
		})
	}
	const mails = 4
	for range mails {
		if err := w.client.Mail(t.Context(), "front"); err != nil {
			t.Error(err)
		}
		time.Sleep(8 * time.Second) // post-roll is 5 s, so each mail is an event of its own
	}
	cancel()
	attack.Wait()
	t.Logf("%d requests", requests.Load())
	if requests.Load() < 1000 {
		t.Errorf("only %d requests", requests.Load())
	}
	var list []event.Event
	poll.Until(t, "the events", 60*time.Second, func() bool {
		list, err = w.client.Events(t.Context(), event.Query{})
		return err == nil && len(list) == mails &&
			!slices.ContainsFunc(list, func(e event.Event) bool { return !e.State.Ended() })
	}, func() string { return fmt.Sprintf("%d events, %v", len(list), err) })
	for _, e := range list {
		if e.State != event.Saved || len(e.Gaps) > 0 || len(e.Clips) != 1 {
			t.Errorf("got %s, %s, the gaps %+v", e.State, e.Reason, e.Gaps)
			continue
		}
		report, err := camtest.Check(t.Context(), e.Path(w.archive, e.Clips[0].File), w.camera.Info(), e.Time)
		if err != nil || len(report.Gaps) > 0 {
			t.Errorf("a clip made meanwhile: %+v, %v", report, err)
		}
	}
	now := func() int { return open(t, w.cmd.Process.Pid) }
	poll.Until(t, "the end of all connections", 30*time.Second, func() bool { return now() <= files+4 },
		func() string { return fmt.Sprintf("%d files are open, %d before", now(), files) })
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// open returns the number of open files of a process.
func open(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

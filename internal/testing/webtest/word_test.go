//go:build smoke && linux

package webtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
)

// TestWordSurvivesAKill kills the real program while word waits for a receiver that is not there. The next process
// brings it, over an answer of 500 and one of 429, and it is the same word each time.
func TestWordSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := start(t, "127.0.0.1:0")
	addr := "127.0.0.1:" + freePort(t)
	s, err := w.client.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hook := config.NewTarget()
	hook.ID, hook.Kind, hook.URL, hook.Token = "hook", config.Webhook, "http://"+addr+"/x", "s3cret"
	s.Targets = []config.Target{hook}
	if err := w.client.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	id, err := w.client.Trigger(t.Context(), "front", "person")
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "word in its file", 20*time.Second, func() bool {
		found := false
		_ = filepath.WalkDir(filepath.Dir(w.file), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.Contains(path, "/outbox/") && strings.HasSuffix(path, ".json") {
				b, _ := os.ReadFile(path)
				found = found || strings.Contains(string(b), id) && strings.Contains(string(b), "person")
			}
			return nil
		})
		return found
	}, nil)
	if err := w.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = w.cmd.Wait()

	var mu sync.Mutex
	var asked []string // the ids of the word of the alarm, each time it came
	taken := 0
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("s3cret"))
		_, _ = fmt.Fprintf(mac, "%s.%s", r.Header.Get("X-Preroll-Timestamp"), body)
		var word struct{ ID, Kind, Event string }
		if err != nil || json.Unmarshal(body, &word) != nil ||
			r.Header.Get("X-Preroll-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("word that nobody signed: %.200s", body)
		}
		mu.Lock()
		defer mu.Unlock()
		if word.Event != id || word.Kind != "alarm" {
			return
		}
		switch asked = append(asked, word.ID); len(asked) {
		case 1:
			rw.WriteHeader(http.StatusInternalServerError)
		case 2:
			rw.Header().Set("Retry-After", "1")
			rw.WriteHeader(http.StatusTooManyRequests)
		default:
			taken++
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	w.launch()
	poll.Until(t, "word of the alarm", 2*time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return taken > 0
	}, nil)
	time.Sleep(2 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	if taken != 1 || len(asked) != 3 || asked[0] == "" || asked[0] != asked[1] || asked[1] != asked[2] {
		t.Errorf("it was taken %d times, as %q", taken, asked)
	}
	poll.Until(t, "the clip", 60*time.Second, func() bool {
		e, err := w.client.Event(t.Context(), id)
		return err == nil && e.State.Ended() && len(e.Clips) > 0
	}, nil)
}

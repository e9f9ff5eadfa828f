package update

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
)

// signed returns a file and the public key.
func signed(t *testing.T, text string) (file, key string) {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text + "\n" + string(minisign.Sign(private, []byte(text))), public.String()
}

var now = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

const good = "version: 1.2.3\nurl: https://example.com/1.2.3\ndate: 2026-11-29\n"

// TestParse accepts a signed file alone.
func TestParse(t *testing.T) {
	file, key := signed(t, good)
	r, err := Parse([]byte(file), key, now)
	if err != nil || r.Version != "1.2.3" || r.URL != "https://example.com/1.2.3" || r.Date.Day() != 29 {
		t.Errorf("%+v, %v", r, err)
	}
	_, other := signed(t, good)
	for name, f := range map[string]struct{ file, key string }{
		"another key": {file, other}, "changed": {strings.Replace(file, "1.2.3", "9.9.9", 1), key},
		"unsigned": {good, key}, "empty": {"", key}, "added in front": {"version: 9.9.9\n" + file, key},
	} {
		if r, err := Parse([]byte(f.file), f.key, now); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for name, text := range map[string]string{"old": strings.Replace(good, "2026-11-29", "2024-01-01", 1),
		"no address": strings.Replace(good, "https", "javascript", 1),
		"no version": "url: https://x\ndate: 2026-11-29\n"} {
		file, key := signed(t, text)
		if r, err := Parse([]byte(file), key, now); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestLook reads the file from a server, and nothing without a key.
func TestLook(t *testing.T) {
	file, key := signed(t, strings.Replace(good, "2026-11-29", time.Now().Format(time.DateOnly), 1))
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = w.Write([]byte(file))
	}))
	defer srv.Close()
	defer func(u, k string) { URL, PublicKey = u, k }(URL, PublicKey)
	URL, PublicKey = srv.URL, ""
	if _, err := Look(t.Context(), srv.Client()); !errors.Is(err, ErrNoKey) || asked != 0 {
		t.Errorf("without a key: %v, asked %d times", err, asked)
	}
	PublicKey = key
	if r, err := Look(t.Context(), srv.Client()); err != nil || r.Version != "1.2.3" || asked != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNewer(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"1.2.3", "1.2.2", true}, {"1.10", "1.9.9", true}, {"1.2.3", "1.2.3", false}, {"1.2.2", "1.2.3", false},
		{"0.2.0", "0.2.0~20261130.abc", true}, {"0.2.0", "0.2.0-20261130.abc", true}, {"0.2.0-rc1", "0.2.0", false},
		{"1.0.0", "devel", false}, {"x", "1.0.0", false}, {"1.2.3.4", "1.0.0", false}, {"0.0.1",
			"0.0.0-20261130055000-abc+dirty", true},
	} {
		if got := Newer(tc.a, tc.b); got != tc.want {
			t.Errorf("Newer(%q, %q) = %v", tc.a, tc.b, got)
		}
	}
}

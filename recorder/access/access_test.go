package access

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/preroll/preroll/recorder/status"
)

func TestCallers(t *testing.T) {
	dir := t.TempDir()
	l := Open(dir, Callers)
	if l.Err() != nil || len(l.All()) != 0 {
		t.Fatalf("a new list: %v, %v", l.All(), l.Err())
	}
	ha, token, err := l.Add(status.Caller{Name: "  Home\tAssistant\x1b[31m "})
	if err != nil || ha.Name != "Home Assistant[31m" || len(token) < 26 {
		t.Fatalf("got %+v, a token of %d characters, %v", ha, len(token), err)
	}
	bell, other, err := l.Add(status.Caller{Name: "Bell", Camera: "gate"})
	if err != nil || bell.Camera != "gate" || other == token || bell.ID == ha.ID {
		t.Fatalf("got %+v, %v", bell, err)
	}
	for _, tc := range []struct {
		name string
		want error
	}{{"bell", ErrTaken}, {" ", ErrName}, {"\x00", ErrName}} {
		if _, _, err := l.Add(status.Caller{Name: tc.name}); !errors.Is(err, tc.want) {
			t.Errorf("%q: got %v, want %v", tc.name, err, tc.want)
		}
	}

	path := filepath.Join(dir, Callers)
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), token) {
		t.Errorf("the file holds a token, or cannot be read: %v", err)
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the file: %v, %v", fi, err)
	}

	l = Open(dir, Callers) // as after a restart
	for given, want := range map[string]string{token: ha.ID, other: bell.ID, "": "", "x": "",
		strings.ToLower(token): "", token + " ": ""} {
		if c, ok := l.Find(given); c.ID != want || ok != (want != "") {
			t.Errorf("%q: got %+v, %v, want the caller %q", given, c, ok, want)
		}
	}
	if all := l.All(); len(all) != 2 || all[0].Used.IsZero() {
		t.Errorf("got %+v, want both, and when they called", all)
	}
	if err := l.Remove(ha.ID); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(ha.ID); !errors.Is(err, ErrNoCaller) {
		t.Errorf("removed twice: %v", err)
	}
	for _, l := range []*List{l, Open(dir, Callers)} {
		if _, ok := l.Find(token); ok {
			t.Error("a removed caller may still call")
		}
		if _, ok := l.Find(other); !ok {
			t.Error("the other caller may not call any more")
		}
	}
}

func TestManyCallers(t *testing.T) {
	l := Open(t.TempDir(), Callers)
	for i := range maxCallers {
		if _, _, err := l.Add(status.Caller{Name: strings.Repeat("x", i%50) + string(rune('a'+i/50))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.Add(status.Caller{Name: "one more"}); !errors.Is(err, ErrMany) {
		t.Errorf("got %v, want %v", err, ErrMany)
	}
}

// TestUnreadableList: a list that cannot be read lets nobody call, and is not overwritten.
func TestUnreadableList(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Callers)
	const broken = `[{"name": "Home`
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	l := Open(dir, Callers)
	if l.Err() == nil || !strings.Contains(l.Err().Error(), path) {
		t.Errorf("got %v, want what is wrong with %s", l.Err(), path)
	}
	if _, _, err := l.Add(status.Caller{Name: "Bell"}); err == nil {
		t.Error("a caller was added to a list that cannot be read")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != broken {
		t.Errorf("got %q, %v, want the file as it was", b, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Add(status.Caller{Name: "Bell"}); err != nil || l.Err() != nil {
		t.Errorf("after the file was removed: %v, %v", err, l.Err())
	}
}

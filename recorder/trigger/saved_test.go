package trigger

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// TestConnectionsOutliveARestart saves connections and restores them in another log.
func TestConnectionsOutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connections.json")
	var before ConnectionLog
	if err := before.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a log without connections writes a file")
	}
	from := netip.MustParseAddr("192.0.2.7")
	for i := range savedConnections + 20 {
		x := before.add(time.Now(), from, "[::]:2525")
		x.mail([]string{"gate"}, []string{"e"}, text.Text{})
		x.s.Verdict, x.s.Good = text.Accepted.With(), true
		if i == 0 {
			x.s.Open = true
		}
	}
	if err := before.Save(path); err != nil {
		t.Fatal(err)
	}
	written, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Save(path); err != nil {
		t.Fatal(err)
	}
	if again, err := os.Stat(path); err != nil || !again.ModTime().Equal(written.ModTime()) {
		t.Errorf("what has not changed is written again: %v", err)
	}
	var after ConnectionLog
	if err := after.Restore(path); err != nil {
		t.Fatal(err)
	}
	got, want := after.List(), before.List()[:savedConnections]
	if len(got) != len(want) || got[0].ID != want[0].ID || got[0].Verdict.String() != want[0].Verdict.String() ||
		got[0].Mails != 1 || got[0].Open {
		t.Errorf("got %d connections, the newest %+v; want %d, %+v", len(got), got[0], len(want), want[0])
	}
	if x := after.add(time.Now(), from, ""); x.s.ID != want[0].ID+1 {
		t.Errorf("the next connection is number %d, want %d", x.s.ID, want[0].ID+1)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged ConnectionLog
	if err := damaged.Restore(path); err == nil || len(damaged.List()) != 0 {
		t.Errorf("a damaged file: %v, %d connections", err, len(damaged.List()))
	}
}

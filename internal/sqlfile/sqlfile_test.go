package sqlfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestPaths opens files in folders whose names have characters with a meaning in a URI.
func TestPaths(t *testing.T) {
	names := []string{"plain", "two words", "#1", "50%", "%41", "a&b=c", "ü", "a;b+c", "x:y"}
	if runtime.GOOS != "windows" {
		names = append(names, "what?", `back\slash`, "a?mode=memory")
	}
	for _, name := range names {
		if runtime.GOOS == "windows" && name == "x:y" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name, "index.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			db, err := Open(path, "mode=rwc&_pragma=journal_mode(WAL)", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			var mode string
			if _, err := db.Exec("CREATE TABLE x (y)"); err != nil {
				t.Fatal(err)
			}
			if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
				t.Errorf("journal mode %q, %v", mode, err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
				t.Errorf("no file at %s: %v", path, err)
			}
		})
	}
}

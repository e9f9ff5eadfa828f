package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/config"
)

// home is an installation with secrets of every kind.
func home(t *testing.T) config.Paths {
	t.Helper()
	dir := t.TempDir()
	p := config.Paths{File: filepath.Join(dir, "config", "preroll.toml"), State: filepath.Join(dir, "state")}
	s := config.Default()
	cam, target := config.NewCamera(), config.NewTarget()
	cam.ID, cam.URL, cam.Username, cam.Password = "gate", "rtsp://10.0.0.1/password=C4nary-path", "u", "C4nary-camera"
	target.ID, target.Kind, target.URL, target.Token = "phone", config.Gotify, "https://example.com/C4nary-topic",
		"C4nary-token"
	s.Cameras, s.Targets = []config.Camera{cam}, []config.Target{target}
	s.SMTP.Username, s.SMTP.Password = "u", "C4nary-mail"
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := config.Save(p.File, s); err != nil {
		t.Fatal(err)
	}
	for _, name := range secretNames {
		if err := os.WriteFile(filepath.Join(p.State, name), []byte("C4nary-"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, p)
	if _, err := db.Exec("CREATE TABLE events (id TEXT); INSERT INTO events VALUES ('e1')"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // a restore begins only when nobody uses it
		t.Fatal(err)
	}
	return p
}

func open(t *testing.T, p config.Paths) *sql.DB {
	t.Helper()
	db, err := sqlfile.Open(filepath.Join(p.State, indexName), "_pragma=journal_mode(wal)", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func backup(t *testing.T, p config.Paths, passphrase string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, p, "0.2.0", passphrase); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// plain returns the uncompressed text of a backup.
func plain(t *testing.T, b []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return string(b)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestThereAndBack backs an installation up while its list of events is open, and restores it over another one.
func TestThereAndBack(t *testing.T) {
	t.Setenv("PREROLL_CAMERA_GATE_NAME", "C4nary-environment") // is of this machine
	from := home(t)
	if err := open(t, from).Ping(); err != nil {
		t.Fatal(err)
	}
	for name, passphrase := range map[string]string{"whole": "correct horse", "without secrets": ""} {
		b := backup(t, from, passphrase)
		if text := plain(t, b); strings.Contains(text, "C4nary") {
			t.Errorf("%s: a secret can be read in the backup", name)
		}
		to := home(t)
		if err := os.WriteFile(to.File, []byte("# mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Restore(bytes.NewReader(b), to, passphrase, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := config.Load(to.File)
		if err != nil || len(s.Cameras) != 1 {
			t.Fatalf("%s: %+v, %v", name, s, err)
		}
		if b, err := os.ReadFile(to.File); err != nil || strings.Contains(string(b), "environment") {
			t.Errorf("%s: what comes from the environment was restored: %v", name, err)
		}
		if whole := s.Cameras[0].Password == "C4nary-camera"; whole != (passphrase != "") {
			t.Errorf("%s: the password came back: %v", name, whole)
		}
		want := "smtp.password camera.gate.password camera.gate.url target.phone.token target.phone.url"
		if passphrase != "" {
			want = ""
		}
		if got := strings.Join(r.Missing, " "); got != want {
			t.Errorf("%s: missing %q, want %q", name, got, want)
		}
		var id string
		if err := open(t, to).QueryRow("SELECT id FROM events").Scan(&id); err != nil || id != "e1" {
			t.Errorf("%s: the list of events: %q, %v", name, id, err)
		}
		old := 0
		for _, path := range r.Aside {
			if b, err := os.ReadFile(path); err == nil && string(b) == "# mine\n" {
				old++
			}
		}
		if old != 1 {
			t.Errorf("%s: the old settings are not aside: %v", name, r.Aside)
		}
		if left, _ := filepath.Glob(filepath.Join(to.State, "restore-*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

// TestNothingIsRestored gives backups that are wrong. Nothing may change then.
func TestNothingIsRestored(t *testing.T) {
	from := home(t)
	sealed, open := backup(t, from, "right"), backup(t, from, "")
	packed := func(files ...string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for i := 0; i < len(files); i += 2 {
			h := &tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}
			if strings.HasPrefix(files[i+1], "->") {
				h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(files[i+1])[:h.Size])
		}
		_, _ = w.Close(), z.Close()
		return b.Bytes()
	}
	note := `{"version":1,"preroll":"x"}`
	for name, tc := range map[string]struct {
		b          []byte
		passphrase string
		want       error
	}{
		"no passphrase":      {sealed, "", ErrPassphrase},
		"a wrong passphrase": {sealed, "wrong", ErrWrong},
		"cut":                {open[:len(open)/2], "", ErrNoBackup},
		"cut and encrypted":  {sealed[:len(sealed)-100], "right", ErrNoBackup},
		"empty":              {nil, "", ErrNoBackup},
		"something else":     {[]byte("hello"), "", ErrNoBackup},
		"a path":             {packed(noteName, note, "../../x", "y"), "", ErrNoBackup},
		"a link":             {packed(noteName, note, settingsName, "->"), "", ErrNoBackup},
		"twice":              {packed(noteName, note, settingsName, "", settingsName, ""), "", ErrNoBackup},
		"no note":            {packed(settingsName, ""), "", ErrNoBackup},
		"no settings":        {packed(noteName, note), "", ErrNoBackup},
		"newer":              {packed(noteName, `{"version":2}`, settingsName, ""), "", ErrNewer},
	} {
		to := home(t)
		before, err := os.ReadFile(to.File)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(bytes.NewReader(tc.b), to, tc.passphrase, time.Now()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if after, err := os.ReadFile(to.File); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the settings changed: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(to.State, "*restore*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	to := home(t)
	wrong := packed(noteName, note, settingsName, "colour = 1\n")
	var f *config.FileError
	if _, err := Restore(bytes.NewReader(wrong), to, "", time.Now()); !errors.As(err, &f) {
		t.Errorf("wrong settings: %v", err)
	}
}

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

const canary = "Canary-Pa55word"

func TestDuration(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want time.Duration
		out  string
		bad  bool
	}{
		{in: "", want: 0, out: ""},
		{in: "100s", want: 100 * time.Second, out: "1m40s"},
		{in: "10m", want: 10 * time.Minute, out: "10m"},
		{in: "2h", want: 2 * time.Hour, out: "2h"},
		{in: "30d", want: 720 * time.Hour, out: "30d"},
		{in: "1d12h", want: 36 * time.Hour, out: "36h"},
		{in: "1.5d", want: 36 * time.Hour, out: "36h"},
		{in: "-1s", bad: true}, {in: "-1d", bad: true}, {in: "10", bad: true}, {in: "d", bad: true},
		{in: "NaNd", bad: true}, {in: "99999999d", bad: true}, {in: "soon", bad: true},
	} {
		var d Duration
		err := d.UnmarshalText([]byte(tc.in))
		if (err != nil) != tc.bad || d.D() != tc.want {
			t.Errorf("%q: got %v, %v", tc.in, d.D(), err)
		}
		if b, _ := d.MarshalText(); !tc.bad && string(b) != tc.out {
			t.Errorf("%q: written as %q, want %q", tc.in, b, tc.out)
		}
	}
}

func TestByteSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want ByteSize
		out  string
		bad  bool
	}{
		{in: "", want: 0, out: ""},
		{in: "2GiB", want: 2 * GiB, out: "2GiB"},
		{in: "1.5 gib", want: 1536 * MiB, out: "1536MiB"},
		{in: "500MB", want: 500e6, out: "500MB"},
		{in: "2GB", want: 2e9, out: "2GB"},
		{in: "1TB", want: 1e12, out: "1TB"},
		{in: "2000KiB", want: 2000 * KiB, out: "2000KiB"},
		{in: "17B", want: 17, out: "17B"},
		{in: "17", bad: true}, {in: "-1GB", bad: true}, {in: "B", bad: true}, {in: "1e99TB", bad: true},
		{in: "NaNGB", bad: true},
	} {
		var b ByteSize
		err := b.UnmarshalText([]byte(tc.in))
		if (err != nil) != tc.bad || b != tc.want {
			t.Errorf("%q: got %d, %v", tc.in, b, err)
		}
		if s, _ := b.MarshalText(); !tc.bad && string(s) != tc.out {
			t.Errorf("%q: written as %q, want %q", tc.in, s, tc.out)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	c := NewCamera()
	c.Password = canary
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "camera", c, "secret", c.Password)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "camera", c, "secret", c.Password)
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(js)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, c.Password) + fmt.Sprintf(verb, &c)
	}
	if strings.Contains(all, canary) || strings.Contains(all, fmt.Sprintf("%x", canary)) {
		t.Fatalf("the password was printed:\n%s", all)
	}
}

func TestSecretsSurviveTheControlSocket(t *testing.T) {
	old := Default()
	cam := DemoCamera()
	cam.Password = canary
	old.Cameras, old.SMTP.Password = []Camera{cam}, "mailpass"
	b, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	var s Settings
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	s.KeepSecrets(old)
	if s.Cameras[0].Password != canary || s.SMTP.Password != "mailpass" {
		t.Fatal("an unchanged password was not kept")
	}
	s.Cameras[0].Password = "new"
	if s.KeepSecrets(old); s.Cameras[0].Password != "new" {
		t.Fatal("a new password was not taken")
	}
}

func TestParseReportsEveryFaultAtOnce(t *testing.T) {
	_, err := Parse([]byte(`
version = 1
colour = "red"
[ram_disk]
path = "relative"
keep = "soon"
[clip]
pre_roll = 5
[smtp]
listen = ":99999"
[[camera]]
id = "Front Door"
url = "file:///etc/passwd"
enabled = "yes"
`))
	var faults ValidationErrors
	if f, ok := err.(ValidationErrors); ok {
		faults = f
	} else {
		t.Fatalf("not faults: %v", err)
	}
	got := map[string]string{}
	for _, f := range faults {
		got[f.Key] = f.Rule.String()
	}
	for _, key := range []string{"colour", "ram_disk.path", "ram_disk.keep", "clip.pre_roll", "smtp.listen",
		"camera[1].id", "camera[1].url", "camera[1].enabled"} {
		if got[key] == "" {
			t.Errorf("no fault for %s in:\n%v", key, err)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d faults, want 8:\n%v", len(got), err)
	}
}

func TestURLFault(t *testing.T) {
	for url, ok := range map[string]bool{
		"demo:":                          true,
		"rtsp://192.0.2.10/stream1":      true,
		"rtsps://cam.local:322/a?b=c":    true,
		"http://192.0.2.10/video":        true,
		"rtsp://[fe80::1]:554/x":         true,
		"":                               false,
		"file:///etc/passwd":             false,
		"/etc/passwd":                    false,
		"-i":                             false,
		"-rtsp://x/y":                    false,
		"concat:rtsp://x|file:///etc":    false,
		"pipe:0":                         false,
		"rtsp:///x":                      false,
		"rtsp://-x/y":                    false,
		"rtsp://user:pw@192.0.2.1/x":     false,
		"rtsp://x/a b":                   false,
		"rtsp://x/a\nfile 'y'":           false,
		"RTSP://192.0.2.10/upper":        true,
		"ftp://192.0.2.10/x":             false,
		"subfile,,start,0,,:/etc/passwd": false,
	} {
		if got := CheckURL(url); (got.IsZero()) != ok {
			t.Errorf("%q: %q", url, got)
		}
	}
}

func TestValidationErrorsHideThePassword(t *testing.T) {
	for _, url := range []string{"rtsp://admin:" + canary + "@192.0.2.1/x", "rtsp://x/?password=" + canary,
		"rtsp://admin:" + canary + "%zz@x/y"} {
		s := Default()
		c := NewCamera()
		c.ID, c.URL = "x", url
		s.Cameras = []Camera{c}
		if err := Validate(s); strings.Contains(err.Error(), canary) {
			t.Errorf("%s: printed in %v", url, err)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "preroll.toml")
	if _, found, err := Load(path); err != nil || found {
		t.Fatalf("missing file: found %v, %v", found, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Fatal("loading wrote something")
	}
	s := Default()
	s.RAMDisk.Path, s.Archive.Path = filepath.Join(t.TempDir(), "ram"), filepath.Join(t.TempDir(), "archive")
	cam := DemoCamera()
	cam.Password = canary
	pre := Duration(20 * time.Second)
	cam.PreRoll = &pre
	s.Cameras = []Camera{cam}
	if err := Save(path, s); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
	got, found, err := Load(path)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if got.Cameras[0].Password != canary || got.Lengths(got.Cameras[0]).PreRoll != pre || got.RAMDisk != s.RAMDisk {
		t.Fatalf("read back %+v", got)
	}
	bad := s
	bad.SMTP.Listen = "nonsense"
	if err := Save(path, bad); err == nil {
		t.Fatal("saved wrong settings")
	}
	if again, _, err := Load(path); err != nil || again.SMTP.Listen != s.SMTP.Listen {
		t.Fatal("a refused save changed the file")
	}
}

func TestSaveKeepsComments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "preroll.toml")
	dir := t.TempDir()
	text := fmt.Sprintf(`# my recorder
version = 1

[ram_disk]
path = %q # fast
keep = "100s"

# the big drive
[archive]
path = %q

# removed later
[[camera]]
id = "old"
url = "rtsp://192.0.2.1/x"

# by the gate
[[camera]]
id = "gate"
# the sub stream is enough
url = "rtsp://192.0.2.2/y" # "quoted # text"

# the end
`, filepath.Join(dir, "ram"), filepath.Join(dir, "archive"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Cameras = s.Cameras[1:]
	s.Cameras[0].URL = "rtsp://192.0.2.2/z"
	if err := Save(path, s); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for _, want := range []string{"# my recorder\nversion = 1", " # fast\n", "# the big drive\n[archive]",
		"# by the gate\n[[camera]]", "# the sub stream is enough\nurl = ", "rtsp://192.0.2.2/z' # \"quoted # text\"",
		"# the end\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("lost %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "removed later") {
		t.Errorf("kept a removed camera's comment:\n%s", got)
	}
	if again, _, err := Load(path); err != nil || again.Cameras[0].URL != "rtsp://192.0.2.2/z" {
		t.Fatalf("written file does not read back: %v", err)
	}
}

// TestFolderHangs checks that the checks of a folder on a share that hangs do not pile up, and that the folder is
// usable once the share answers.
func TestFolderHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits as long as a folder may take")
	}
	t.Parallel()
	s := Default()
	s.Archive.Path = filepath.Join(t.TempDir(), "archive")
	answers := make(chan struct{})
	hangs := folderChecks.DoChan("archive.path "+s.Archive.Path, func() (any, error) {
		<-answers
		return text.Text{}, nil
	})
	var checks sync.WaitGroup
	for range 20 {
		checks.Go(func() {
			f := CheckFolders(s, Settings{RAMDisk: s.RAMDisk})
			if len(f) != 1 || !f[0].Rule.Is(text.RuleHangs) {
				t.Errorf("got %v, want that it does not answer", f)
			}
		})
	}
	checks.Wait()
	if _, err := os.Stat(s.Archive.Path); err == nil {
		t.Error("a second check has run beside the one that hangs")
	}
	close(answers)
	<-hangs
	if f := CheckFolders(s, Settings{RAMDisk: s.RAMDisk}); f != nil {
		t.Errorf("got %v after the share answers", f)
	}
}

func TestCheckFolders(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Default()
	s.RAMDisk.Path, s.Archive.Path = filepath.Join(dir, "ram"), file
	faults := CheckFolders(s, Settings{})
	if len(faults) != 1 || faults[0].Key != "archive.path" ||
		!strings.Contains(faults[0].Rule.String(), "it is a file") {
		t.Fatalf("got %v", faults)
	}
	s.Archive.Path = filepath.Join(dir, "not", "mounted")
	if faults := CheckFolders(s, Settings{}); len(faults) != 1 ||
		!strings.Contains(faults[0].Rule.String(), "plugged in") {
		t.Fatalf("got %v", faults)
	}
	s.Archive.Path = filepath.Join(dir, "archive")
	if faults := CheckFolders(s, Settings{}); faults != nil {
		t.Fatalf("got %v", faults)
	}
}

func TestSplitURL(t *testing.T) {
	clean, user, pw := SplitURL(" rtsp://admin:p%40ss@192.0.2.1/x ")
	if clean != "rtsp://192.0.2.1/x" || user != "admin" || pw != "p@ss" {
		t.Fatal(clean, user, pw.Reveal())
	}
}

func FuzzParse(f *testing.F) {
	f.Add("version = 1\n[[camera]]\nid='a'\nurl='demo:'\n")
	f.Add("[clip]\npre_roll = 5d\n# c")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse([]byte(text))
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Save(path, s); err != nil {
			t.Fatal(err)
		}
		again, _, err := Load(path)
		if err != nil {
			t.Fatalf("saved file does not load: %v", err)
		}
		if fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", s) {
			t.Fatalf("changed by saving:\n%+v\n%+v", s, again)
		}
	})
}

// TestNoPasswordInValidationErrors checks that no fault shows a password, even in a mistyped entry or in any part of
// the URL.
func TestNoPasswordInValidationErrors(t *testing.T) {
	const secret = "48151623"
	for _, camera := range []string{
		`url = "rtsp://192.0.2.1/s"` + "\n" + `password = 48151623`,
		`url = "rtsp://192.0.2.1/s"` + "\n" + `password = [48151623]`,
		`url = "rtsp://192.0.2.1/s"` + "\n" + `password = 48151623.5`,
		`url = "rtsp://192.0.2.1/%zz?user=admin&password=48151623"`,
		`url = "rtsp://admin:48151623@192.0.2.1/s"`, `url = "rtsp://admin:48151623/x@192.0.2.1/s"`,
		`url = "rtsp://admin:481%51623@192.0.2.1/s@x"`,
		`url = "rtsp:/admin:48151623@192.0.2.1/s"`, `url = "admin:48151623@192.0.2.1"`,
		`url = "rtsp//192.0.2.1/s?pwd=48151623"`,
		`url = "rtsq://192.0.2.7/user=admin&password=48151623&channel=1"`,
		`url = "rtsp://192.0.2.7/s?pwd=A'48151623 x"`, `url = "rtsq://192.0.2.1/cgi/admin/48151623/1"`,
		`url = "rtsp://192.0.2.1/s"` + "\n" + `password = "48151623`,
		`url = "rtsp://192.0.2.1/s"` + "\n" + `password = '48151623' x`,
	} {
		_, err := Parse([]byte("[[camera]]\nid = \"a\"\n" + camera + "\n"))
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "51623") {
			t.Errorf("%s: %v", camera, err)
		}
	}
	if _, err := Parse([]byte("[smtp]\npassword = 48151623\n")); err == nil || strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
}

// TestNoHome checks that a user without a home folder, as in a service or a container, is told what to set.
func TestNoHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows knows the folders of a user without variables")
	}
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"} {
		t.Setenv(name, "")
	}
	if _, err := PathsOf(""); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Error(err)
	}
	if _, err := PathsOf("/etc/preroll.toml"); err == nil || !strings.Contains(err.Error(), "STATE_DIRECTORY") {
		t.Error(err)
	}
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	if p, err := PathsOf("/etc/preroll.toml"); err != nil || p.State == "" {
		t.Error(p, err)
	}
}

// rooted returns a full path, as this platform has them.
func rooted(name string) string {
	if runtime.GOOS == "windows" {
		return `C:\` + name
	}
	return "/" + name
}

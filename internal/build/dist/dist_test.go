package main

import (
	"archive/zip"
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	newer "github.com/preroll/preroll/recorder/update"
)

var update = flag.Bool("update", false, "write the lists again")

// version matches the version in names of files.
var version = regexp.MustCompile(`\d+\.\d+\.\d+[-~]\d{8}\.[0-9a-f]+|\d+\.\d+\.\d+`)

// TestContents lists what each package holds, with owners and modes, and compares it with testdata. PREROLL_DIST names
// a folder that `make dist` filled; packages that are not there are not looked at.
func TestContents(t *testing.T) {
	dir := os.Getenv("PREROLL_DIST")
	if dir == "" {
		t.Skip("PREROLL_DIST names no folder with packages")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		var list []string
		switch {
		case strings.HasSuffix(f.Name(), ".deb"):
			list = lines(t, "dpkg-deb", "-c", path)
			for i, l := range list { // mode, owner, size, date, time, name
				w := strings.Fields(l)
				list[i] = strings.Join([]string{w[0], w[1], w[5]}, " ")
			}
			list = append(list, lines(t, "dpkg-deb", "-f", path, "Package", "Architecture", "Depends", "Recommends",
				"Conflicts", "Replaces")...)
		case strings.HasSuffix(f.Name(), ".rpm"):
			list = lines(t, "rpm", "-qp", "--nosignature", "--qf",
				"[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]", path)
		case strings.HasSuffix(f.Name(), ".tar.xz"):
			list = lines(t, "tar", "-tJf", path)
		case strings.HasSuffix(f.Name(), ".zip"):
			z, err := zip.OpenReader(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range z.File {
				list = append(list, e.Name)
			}
			_ = z.Close()
		default:
			continue
		}
		seen++
		slices.Sort(list)
		got := version.ReplaceAllString(strings.Join(list, "\n")+"\n", "VERSION")
		golden := filepath.Join("testdata", version.ReplaceAllString(f.Name(), "VERSION")+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(want, []byte(got)) {
			t.Errorf("%s holds (%v)\n%s\nwant\n%s", f.Name(), err, got, want)
		}
	}
	if seen == 0 {
		t.Errorf("no packages in %s", dir)
	}
}

// TestSums holds SHA256SUMS to the files.
func TestSums(t *testing.T) {
	dir := os.Getenv("PREROLL_DIST")
	if dir == "" {
		t.Skip("PREROLL_DIST names no folder with packages")
	}
	cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSignatures signs as a release does, with a key made here, and has the program read what it reads of a release.
func TestSignatures(t *testing.T) {
	if _, err := exec.LookPath("minisign"); err != nil {
		t.Skip("minisign is not installed")
	}
	dir := t.TempDir()
	secret, public := filepath.Join(dir, "key"), filepath.Join(dir, "key.pub")
	if out, err := exec.Command("minisign", "-G", "-W", "-s", secret, "-p", public).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("MINISIGN_KEY", secret)
	r := release{ctx: t.Context(), out: filepath.Join(dir, "out"), work: dir, version: "1.2.3", date: time.Now()}
	if err := os.Mkdir(r.out, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.sums(); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	latest, err := os.ReadFile(filepath.Join(r.out, "latest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	is, err := newer.Parse(latest, strings.Fields(string(key))[len(strings.Fields(string(key)))-1], time.Now())
	if err != nil || is.Version != "1.2.3" {
		t.Errorf("%+v, %v in\n%s", is, err, latest)
	}
	cmd := exec.Command("minisign", "-V", "-p", public, "-m", filepath.Join(r.out, "SHA256SUMS"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestLint has the tools of each platform read what the packages bring.
func TestLint(t *testing.T) {
	meta := filepath.Join(t.TempDir(), appID+".metainfo.xml")
	b, err := os.ReadFile("../../../assets/package/linux/" + appID + ".metainfo.xml")
	if err != nil {
		t.Fatal(err)
	}
	r := release{version: "0.2.0", date: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}
	if err := os.WriteFile(meta, r.filled(b, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	const from = "../../../assets/package/"
	for name, args := range map[string][]string{
		"desktop-file-validate": {from + "linux/" + appID + ".desktop"},
		"appstreamcli":          {"validate", "--no-net", meta},
		"bash":                  {"-n", from + "templates/aur/PKGBUILD"},
		"xmllint":               {"--noout", from + "linux/firewalld.xml"},
	} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("%s is not installed", name)
			continue
		}
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	for _, script := range []string{"macos/bundle.sh", "linux/postinst", "linux/prerm", "linux/postrm"} {
		if out, err := exec.Command("sh", "-n", from+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	for _, name := range []string{"docker/compose.yaml", "templates/home-assistant/config.yaml",
		"templates/winget/Preroll.Preroll.yaml"} {
		b, err := os.ReadFile(from + name)
		var v map[string]any
		if err == nil {
			err = yaml.Unmarshal(b, &v)
		}
		if err != nil || len(v) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := os.Getenv("PREROLL_DIST")
	if _, err := exec.LookPath("lintian"); err != nil || dir == "" {
		t.Skip("lintian is not installed, or PREROLL_DIST names no folder")
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) == 0 {
		t.Fatal(debs, err)
	}
	out, err := exec.Command("lintian", append([]string{"--fail-on", "error", "--allow-root"},
		debs...)...).CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// lines runs a tool and returns the lines that it prints.
func lines(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}

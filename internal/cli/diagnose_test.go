package cli

import (
	"archive/zip"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

// TestReportHasNoSecret writes a report whose parts hold every secret of the settings, in several forms.
func TestReportHasNoSecret(t *testing.T) {
	dir := t.TempDir()
	e := &env{ctx: t.Context(), out: io.Discard, errs: io.Discard, paths: config.Paths{
		File: filepath.Join(dir, "preroll.toml"), State: dir, Socket: filepath.Join(dir, "s")}}
	e.client = control.NewClient(e.paths.Socket)
	s := config.Default()
	s.RAMDisk.Path, s.Archive.Path = filepath.Join(dir, "ram"), filepath.Join(dir, "clips")
	cam, target := config.NewCamera(), config.NewTarget()
	cam.ID, cam.URL, cam.Username, cam.Password = "gate", "http://127.0.0.1:1/x?user=a&key=C4nary-query", "u",
		"C4nary&camera"
	target.ID, target.Kind, target.URL, target.Token = "phone", config.Gotify, "https://127.0.0.1:1", "C4nary-token"
	s.SMTP.Username, s.SMTP.Password = "u", "C4nary-mail"
	s.Cameras, s.Targets = []config.Camera{cam}, []config.Target{target}
	if err := config.Save(e.paths.File, s); err != nil {
		t.Fatal(err)
	}
	r := newReport(e)
	r.fill(t.Context(), e)
	r.add("said.txt",
		[]byte(`C4nary-mail "C4nary-token" rtsp://u:C4nary%26camera@10.0.0.1/x http://u:C4nary-old@y/ C4nary&camera`+
			` http://y/z?k=C4nary-other`))
	var said bytes.Buffer
	if err := r.print(&said); err != nil {
		t.Fatal(err)
	}
	if s := said.String(); strings.Contains(s, "C4nary") || strings.Contains(s, "== events.json") ||
		!strings.Contains(s, "== version.txt\n") || !strings.Contains(s, "== log.txt\n") {
		t.Errorf("as text:\n%s", s)
	}
	var b bytes.Buffer
	if err := r.write(&b); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range z.File {
		names[f.Name] = true
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "C4nary") {
			t.Errorf("%s holds a secret:\n%s", f.Name, text)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty", f.Name)
		}
	}
	for _, want := range []string{"version.txt", "settings.json", "status.json", "events.json", "mail.json",
		"history.json",
		"check.txt", "service.txt"} {
		if !names[want] {
			t.Errorf("the report lacks %s", want)
		}
	}
}

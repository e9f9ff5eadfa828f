package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestKeys sets every key to what Get returns of it in other settings, so that no field can be forgotten.
func TestKeys(t *testing.T) {
	cam, target := NewCamera(), NewTarget()
	ten := Duration(10 * time.Second)
	cam.ID, cam.Name, cam.URL, cam.URLSmall, cam.Username, cam.Password = "gate", "G", "rtsp://x/", "rtsp://y/", "u",
		"p"
	cam.Audio, cam.Mail, cam.Ingest, cam.MailLag, cam.MaxLength = false, []string{"a", "b c"}, IngestRTSP, ten, &ten
	target.ID, target.Token, target.Labels = "phone", "t", []string{"motion"}
	want := Default()
	want.Language, want.RAMDisk.Budget, want.SMTP.OldTLS, want.Archive.MaxAge = "de", 3*GiB, true,
		Duration(36*time.Hour)
	want.Cameras, want.Targets = []Camera{cam}, []Target{target}
	got := Settings{}
	for _, key := range Keys(want) {
		value, ok := Get(want, key)
		switch {
		case !ok:
			t.Fatalf("%s is not found", key)
		case strings.HasSuffix(key, "password") && value != "":
			if value != hidden {
				t.Errorf("%s is shown: %s", key, value)
			}
			value = want.Cameras[0].Password.Reveal()
		case strings.HasSuffix(key, "token"):
			value = "t"
		}
		if faults := Set(&got, key, value); faults != nil {
			t.Errorf("%s = %q: %v", key, value, faults)
		}
	}
	for _, list := range []*[]string{&want.Cameras[0].Mail, &want.Targets[0].Cameras} {
		if len(*list) == 0 {
			*list = []string{}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, wrong := range []string{"", "x", "archive", "archive.x", "camera", "camera.gate", "camera.gate.x",
		"archive.path.x", "camera.gate.url.x"} {
		if _, ok := Get(want, wrong); ok {
			t.Errorf("%q is a key", wrong)
		}
		if Set(&want, wrong, "1") == nil {
			t.Errorf("%q was set", wrong)
		}
	}
	if faults := Unset(&want, "camera.gate.audio"); faults != nil || !want.Cameras[0].Audio {
		t.Errorf("audio: %v, %v", want.Cameras[0].Audio, faults)
	}
	if faults := Unset(&want, "camera.gate"); faults != nil || len(want.Cameras) > 0 {
		t.Errorf("the camera: %v", faults)
	}
}

// TestEnvironment reads settings and passwords from the environment, and checks that none of it is ever saved.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	secret, creds := filepath.Join(dir, "secret"), filepath.Join(dir, "creds")
	file := filepath.Join(dir, "preroll.toml")
	for path, body := range map[string]string{secret: "file-s3cret\n", creds + "/PREROLL_SMTP_PASSWORD": "cred-s3cret",
		file: "[[camera]]\nid = \"front-door\"\nurl = \"rtsp://old/\" # mine\npassword = \"held\"\nmail = [\"m\"]\n"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"PREROLL_ARCHIVE_PATH": dir, "PREROLL_SMTP_USERNAME": "u", "CREDENTIALS_DIRECTORY": creds,
		"PREROLL_CAMERA_FRONT_DOOR_URL": "rtsp://new/", "PREROLL_CAMERA_FRONT_DOOR_PASSWORD_FILE": secret,
		"PREROLL_CAMERA_YARD_URL": "rtsp://yard/", "PREROLL_CAMERA_YARD_URL_SMALL": "rtsp://small/",
		"PREROLL_CAMERA_YARD_PRE_ROLL": "7s", "PREROLL_CAMERA_YARD_PASSWORD": "env-s3cret",
		"PREROLL_LOG_LEVEL": "debug", "PREROLL_RAM_DISK_BUDGET": "2GiB",
	} {
		t.Setenv(name, value)
	}
	s, found, err := Load(file)
	if err != nil || !found || len(s.Cameras) != 2 {
		t.Fatalf("%+v, %v, %v", s, found, err)
	}
	front, _ := s.Camera("front-door")
	yard, _ := s.Camera("yard")
	if front.URL != "rtsp://new/" || front.Password != "file-s3cret" || yard.URLSmall != "rtsp://small/" ||
		yard.PreRoll.D() != 7*time.Second || s.SMTP.Password != "cred-s3cret" || s.Archive.Path != dir ||
		s.RAMDisk.Budget != 2*GiB {
		t.Errorf("%+v\n%+v\n%+v", s, front, yard)
	}

	s.Clip.PostRoll = Duration(30 * time.Second)
	if err := Save(file, s); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"s3cret", "yard", "new", dir} {
		if strings.Contains(string(b), never) {
			t.Errorf("%q was saved:\n%s", never, b)
		}
	}
	for _, kept := range []string{`rtsp://old/' # mine`, "held", "30s"} {
		if !strings.Contains(string(b), kept) {
			t.Errorf("%q was not kept:\n%s", kept, b)
		}
	}
	if again, _, err := Load(file); err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("loaded again: %v\n%+v\n%+v", err, again, s)
	}

	if faults := EnvironmentFaults(s); faults != nil {
		t.Errorf("unchanged: %v", faults)
	}
	s.Cameras[0].URL = "rtsp://mine/"
	if faults := EnvironmentFaults(s); len(faults) != 1 || faults[0].Key != "camera.front-door.url" ||
		strings.Contains(faults.Error(), "rtsp") {
		t.Errorf("changed: %v", faults)
	}

	t.Setenv("PREROLL_ARCHIVE_PATHS", "x")
	t.Setenv("PREROLL_SMTP_OLD_TLS", "maybe")
	t.Setenv("PREROLL_CAMERA_YARD_PASSWORD_FILE", secret) // and the plain one is there, too
	t.Setenv("PREROLL_CAMERA_FRONT_DOOR_USERNAME_FILE", dir+"/none")
	_, _, err = Load(file)
	for _, name := range []string{"PREROLL_ARCHIVE_PATHS", "PREROLL_SMTP_OLD_TLS", "PREROLL_CAMERA_YARD_PASSWORD_FILE",
		"PREROLL_CAMERA_FRONT_DOOR_USERNAME_FILE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is no fault: %v", name, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a password is told: %v", err)
	}
}

// TestSchema holds the published JSON Schema to the settings.
func TestSchema(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/settings.schema.json")
	if err != nil || string(got) != string(want) {
		t.Errorf("docs/settings.schema.json differs (%v); run: preroll settings schema > docs/settings.schema.json",
			err)
	}
}

func TestNewID(t *testing.T) {
	for name, want := range map[string]string{"Front Door": "front-door", "  Tür 2!": "tur-2",
		"Caméra Straße": "camera-strasse", "": "camera",
		"门": "camera", "taken": "taken-2",
		strings.Repeat("long ", 40): "long-long-long-long-long-long-long-long-long-long"} {
		got := NewID(name, []string{"taken"})
		if got != want || !CameraID(got) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestFileThatIsNotWhole saves while the file is valid only with the environment, and while cameras of the environment
// have settings of their own. Nothing that somebody set may be lost.
func TestFileThatIsNotWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "preroll.toml")
	if err := os.WriteFile(file, []byte("[smtp]\npassword = \"x\"\n[[camera]]\nid = \"gate\"\nname = \"Gate\"\n"+
		"url = \"rtsp://x/\"\n[[camera]]\nid = \"yard\"\nname = \"Yard\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"PREROLL_SMTP_USERNAME": "u",
		"PREROLL_CAMERA_GATE_PASSWORD": "env-s3cret",
		"PREROLL_CAMERA_YARD_URL":      "rtsp://y/", "PREROLL_CAMERA_BACK_URL": "rtsp://b/",
		"PREROLL_CAMERA_ONLY_URL": "rtsp://o/",
		"PREROLL_VERSION":         "0.2.0", "PREROLL_WEB_SERVICE_HOST": "10.0.0.1",
		"PREROLL_WEB_PORT_8443_TCP": "tcp://10.0.0.1:8443",
	} {
		t.Setenv(name, value)
	}
	s, _, err := Load(file)
	if err != nil || len(s.Cameras) != 4 {
		t.Fatalf("%+v, %v", s.Cameras, err)
	}
	if faults := Set(&s, "camera.back.password", "mine"); faults != nil {
		t.Fatal(faults)
	}
	if err := Save(file, s); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"Gate": true, "rtsp://x/": true, "Yard": true, "'mine'": true,
		"'back'": true,
		"s3cret": false, "rtsp://y/": false, "rtsp://b/": false, "only": false} {
		if strings.Contains(string(b), text) != want {
			t.Errorf("%s is there: %v, want %v:\n%s", text, !want, want, b)
		}
	}
	again, _, err := Load(file)
	if back, _ := again.Camera("back"); err != nil || back.Password != "mine" || back.URL != "rtsp://b/" {
		t.Errorf("%+v, %v", back, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("a file without faults was set aside: %v", left)
	}
}

// TestFaultyFileIsKept saves over a file that somebody edited and that has a fault.
func TestFaultyFileIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "preroll.toml")
	const faulty = "# mine\n[clip]\npre_roll = \"12s\"\nmail = [\"a\"\n"
	if err := os.WriteFile(file, []byte(faulty), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Save(file, Default()); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(file + ".faulty-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("%v, %v", kept, err)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || string(b) != faulty {
		t.Errorf("%s, %v", b, err)
	}
}

// TestPublic shows addresses without the secrets that some hold, and leaves the others whole.
func TestPublic(t *testing.T) {
	for address, want := range map[string]string{
		"rtsp://10.0.0.1:554/h264Preview_01_main":              "rtsp://10.0.0.1:554/h264Preview_01_main",
		"http://10.0.0.1/flv?port=1&user=a&password=C4nary":    "http://10.0.0.1/…",
		"rtsp://10.0.0.1/user=admin&password=C4nary&channel=1": "rtsp://10.0.0.1/…",
		DemoURL: DemoURL,
	} {
		s := Settings{Cameras: []Camera{{URL: address, URLSmall: address}},
			Targets: []Target{{URL: "https://ntfy.example/C4nary"}, {}}}
		p := Public(s)
		if p.Cameras[0].URL != want || p.Cameras[0].URLSmall != want || p.Targets[0].URL != "https://ntfy.example/…" ||
			p.Targets[1].URL != "" || s.Cameras[0].URL != address {
			t.Errorf("%s: %+v", address, p)
		}
	}
}

package words

import (
	"errors"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	failure "github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/trigger"
	"github.com/preroll/preroll/recorder/trigger/message"
)

// heard are the files whose texts a screen shows.
var heard = []string{
	"internal/disk/disk_linux.go", "recorder/archive/archive.go", "recorder/archive/explain.go",
	"recorder/archive/index.go",
	"recorder/answers.go", "recorder/camera/camera.go", "recorder/camera/incident.go", "recorder/camera/set.go",
	"recorder/camera/still.go", "recorder/camera/supervise.go",
	"recorder/diagnose/check.go", "recorder/diagnose/probe.go", "recorder/diagnose/verify.go",
	"recorder/diagnose/why.go",
	"recorder/health/folder.go", "recorder/health/health.go", "recorder/inbox/inbox.go", "recorder/mail.go",
	"recorder/ram.go", "recorder/recorder.go", "recorder/settings.go",
	"recorder/clip/clip.go", "recorder/clip/finish.go",
	"recorder/config/brand.go", "recorder/config/keyring.go", "recorder/config/validate.go",
	"recorder/config/values.go",
	"recorder/control/client.go", "recorder/discover/discover.go",
	"recorder/source/failure.go", "recorder/ffmpeg/failure.go", "recorder/ffmpeg/source.go", "recorder/ffmpeg/tool.go",
	"recorder/trigger/limits.go", "recorder/trigger/self.go", "recorder/trigger/server.go",
	"recorder/trigger/session.go",
	"recorder/trigger/connections.go",
	"recorder/trigger/smtpquirks/command.go", "recorder/trigger/smtpquirks/data.go",
	"recorder/trigger/smtpquirks/login.go",
	"recorder/trigger/smtpquirks/conn.go", "recorder/trigger/smtpquirks/report.go",
	"recorder/trigger/smtpquirks/tls.go",
	"recorder/trigger/rule/match.go", "recorder/trigger/rule/rule.go",
}

// unheard are texts in them that no screen shows, by the function or variable that holds them.
var unheard = map[string]string{
	"signs": "FFmpeg's words", "DiskTrouble": "FFmpeg's words", "versionLine": "FFmpeg's words",
	"input": "FFmpeg's arguments",
	"Check": "the command line's", "checkFolders": "the command line's", "checkMail": "the command line's",
	"checkCamera": "the command line's", "describe": "the command line's",
	"Folder": "wrong use of the control socket", "errReconfigured": "never told", "errGOPTooLong": "never told",
	"Watch": "only logged", "Data": "told to cameras",
	"probe": "XML",
}

// plain are other texts in them that are none for people.
var plain = []string{
	"make state folder: %w",                                               // at the start, before any screen
	"append to", "read partial files of", "note the end of", "clip waits", // only logged
	// told to cameras
	"unknown connection", "Too many wrong logins, try later", "AUTH PLAIN %s", "AUTH=PLAIN LOGIN", "AUTH PLAIN LOGIN",
	// never told
	"the camera is quiet", "logged in", "remote error", "local error", "too many TLS handshakes from this address",
	"unknown command",                         // counted
	"this recorder has ended; make a new one", // wrong use by a program
	"TP-Link (Tapo, VIGI)",
	"Only one usage of each socket address",
	"From: %s@camera\r\nTo: %s\r\nSubject: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nEvent Type: Motion Detected\r\n",
}

var query = regexp.MustCompile(`^\d{3} \d\.\d\.\d |^\d{3} \w+$|\b(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|PRAGMA|INDEXED BY)\b| AND \(`)

// texts are those of a file that look as if a person read them.
func texts(f *ast.File, silent map[string]bool) (list []string) {
	for _, d := range f.Decls {
		nodes := map[string]ast.Node{}
		switch d := d.(type) {
		case *ast.FuncDecl:
			nodes[d.Name.Name] = d
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != "Kind" {
						nodes[v.Names[0].Name] = v
					}
				}
			}
		}
		for name, n := range nodes {
			if unheard[name] != "" {
				silent[name] = true
				continue
			}
			ast.Inspect(n, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					s, ok := c.Fun.(*ast.SelectorExpr)
					if ok && slices.Contains([]string{"Info", "Warn", "Debug", "Error"}, s.Sel.Name) &&
						len(c.Args) > 0 {
						return false // a log
					}
				}
				e, ok := n.(ast.Expr)
				if !ok {
					return true
				}
				if _, ok := literal(e); !ok {
					return true
				}
				literals(e, func(text string) { list = append(list, text) })
				return false
			})
		}
	}
	return list
}

// glued is a value that follows a letter, which may be empty.
var glued = regexp.MustCompile(`(\pL)%s`)

// sample is a text as a template gives it.
func sample(from string) string {
	return verb.ReplaceAllStringFunc(glued.ReplaceAllString(from, "$1"), func(v string) string {
		switch v[len(v)-1] {
		case 'd':
			return "7"
		case 'f', 'g':
			return "1.5"
		case 'q':
			return `"x7"`
		}
		return "x7"
	})
}

var twoWords = regexp.MustCompile(`\pL+[,;]? \pL+`)

func TestEngineIsGerman(t *testing.T) {
	german(t)
	found, silent := map[string]bool{}, map[string]bool{}
	for _, s := range append(sources(t, "recorder"), sources(t, "internal/disk")...) {
		if !slices.Contains(heard, s.path) {
			continue
		}
		found[s.path] = true
		for _, text := range texts(s.ast, silent) {
			if !twoWords.MatchString(verb.ReplaceAllString(text, "%")) || query.MatchString(text) {
				continue
			}
			if slices.Contains(plain, text) {
				silent[text] = true
				continue
			}
			if in := sample(text); Say(in) == in {
				t.Errorf("%s: no German for %q", s.path, text)
			}
		}
	}
	for _, path := range heard {
		if !found[path] {
			t.Errorf("%s is not there", path)
		}
	}
	for _, name := range append(slices.Collect(maps.Keys(unheard)), plain...) {
		if !silent[name] {
			t.Errorf("the exception %q is for nothing", name)
		}
	}
}

// system are texts of the operating system and of Go.
var system = []error{
	syscall.ENOENT, syscall.EACCES, syscall.EPERM, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO,
	syscall.EEXIST, syscall.ENOTDIR,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	os.ErrDeadlineExceeded, errDeadline{},
}

// counted are numbers of things, as the engine puts them together.
var counted = []string{"%s byte", "%s bytes", "%s line", "%s lines", "%s commands", "%s unknown commands", "%s times"}

type errDeadline struct{}

func (errDeadline) Error() string { return "context deadline exceeded" }

// TestNothingIsSaidInVain wants every text to be one that the engine or the system says.
func TestNothingIsSaidInVain(t *testing.T) {
	used := map[string]bool{}
	for _, s := range append(sources(t, "recorder"), sources(t, "internal/disk")...) {
		literals(s.ast, func(text string) { used[text] = true })
	}
	for _, e := range system {
		used[e.Error()] = true
	}
	for _, text := range counted {
		used[text] = true
	}
	if runtime.GOOS == "windows" {
		return // it has other words
	}
	for text := range german(t).said {
		if !used[text] {
			t.Errorf("nobody says %q", text)
		}
	}
}

func must(t *testing.T, text string) {
	t.Helper()
	if text == "" {
		return
	}
	if Say(text) == text {
		t.Errorf("no German for %q", text)
	}
}

// TestEngineSpeaks asks the engine itself.
func TestEngineSpeaks(t *testing.T) {
	german(t)
	for _, k := range []failure.Kind{failure.WrongPassword, failure.LoginKind, failure.LongPassword, failure.WrongPath,
		failure.Unreachable, failure.UnknownHost, failure.Transport, failure.Busy, failure.Redirected,
		failure.Certificate, failure.NoVideo, failure.Unsupported, failure.Unreadable, failure.Protocol, failure.BadURL,
		failure.Missing, failure.TooOld, failure.RAMFull, failure.RAMGone, failure.NoFolder, failure.Stalled,
		failure.NoKeyframe, failure.Ended, failure.Unknown} {
		f := &failure.Failure{Kind: k}
		must(t, f.Text())
		must(t, f.Hint())
		f.Detail = "[error] it said. something: else"
		if got := Say(f.Error()); got != Say(f.Text())+": "+f.Detail {
			t.Errorf("%q is %q", f.Error(), got)
		}
	}
	for _, err := range append(system, fs.ErrNotExist, fs.ErrPermission, errors.New("x")) {
		text, hint := archive.Explain(err)
		must(t, text)
		must(t, hint)
	}
	for _, err := range []error{archive.ErrNotFound, control.ErrNotRunning, trigger.PortError(":80", fs.ErrPermission),
		trigger.PortError("x", errors.New("y"))} {
		must(t, err.Error())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	must(t, trigger.PortError(ln.Addr().String(), syscall.EADDRINUSE).Error())
	for _, b := range config.Brands {
		must(t, b.Hint)
	}

	bad := config.Default()
	bad.Version = 99
	bad.RAMDisk.Path, bad.Archive.Path, bad.RAMDisk.Keep, bad.RAMDisk.Budget = "", "clips",
		config.Duration(time.Second), 1
	bad.Clip = config.Clip{PreRoll: config.Duration(2 * time.Hour)}
	bad.SMTP = config.SMTP{Listen: "nowhere:1", Allow: []string{"x"}, Password: "y"}
	bad.Notify.Quiet = "x"
	for _, url := range []string{"", "a b", "file:///x", "rtsp://", "rtsp://u:p@h/x"} {
		bad.Cameras = append(bad.Cameras,
			config.Camera{ID: "a", URL: url, Name: "\n", Username: "\n", Password: "\n", Mail: []string{""}})
	}
	bad.Cameras[0].ID = "No Name"
	nested := config.Default()
	nested.RAMDisk.Path, nested.Archive.Path = "/x\n", "/x\n/y"
	nested.SMTP.Listen = "x"
	faults := append(config.Validate(bad), config.Validate(nested)...)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nested.RAMDisk.Path, nested.Archive.Path = file, filepath.Join(file, "a", "b")
	faults = append(faults, config.CheckFolders(nested, config.Settings{})...)
	if len(faults) < 25 {
		t.Errorf("only %d faults", len(faults))
	}
	for _, f := range faults {
		must(t, f.Rule)
	}
	var d config.Duration
	var b config.ByteSize
	must(t, d.UnmarshalText([]byte("x")).Error())
	must(t, b.UnmarshalText([]byte("x")).Error())
	for _, label := range []string{"motion", "person", "vehicle", "animal", "line crossing", "intrusion", "tamper",
		"sound", "doorbell", "fire", "temperature", "abandoned object", "alarm input"} {
		if got := message.Read([]byte("Subject: " + label + "\r\n\r\n")).Label; got != label {
			t.Errorf("%q is the label of %q", got, label)
		}
		if _, ok := now().said[label]; !ok {
			t.Errorf("no German for %q", label)
		}
	}
}

func TestSay(t *testing.T) {
	german(t)
	for _, tc := range []struct{ name, text, want string }{
		{"text", "The camera does not answer", "Die Kamera antwortet nicht"},
		{"unknown", "Something else. Really: yes", "Something else. Really: yes"},
		{"empty", "", ""},
		{"values", "It is cut off: 3 of 5 bytes are there.", "Sie ist abgeschnitten: 3 von 5 Byte sind da."},
		{"no number", "It is cut off: three of 5 bytes are there.", "It is cut off: three of 5 bytes are there."},
		{"other order", "A mail from 192.0.2.7 was refused at 12:03:04: this address may not send.",
			"Eine Mail von 192.0.2.7 wurde um 12:03:04 abgelehnt: Diese Adresse darf nicht senden."},
		{"text in a text", "No video came from the camera: The camera does not answer.",
			"Von der Kamera kam kein Video: Die Kamera antwortet nicht."},
		{"text in a text in a text", "There is no clip. No video came from the camera: the RAM disk was full.",
			"Es gibt keinen Clip. Von der Kamera kam kein Video: die RAM-Disk war voll."},
		{"until now", "Preroll was paused from 12:00:00 to now: alarms saved nothing.",
			"Preroll war von 12:00:00 bis jetzt pausiert: Alarme sicherten nichts."},
		{"sentences",
			"The first 3 s are missing: there was no earlier video in RAM. 2 s are missing from 12:00:00 on: the camera sent no picture. The last 1 s are missing: the RAM disk was full.",
			"Die ersten 3 s fehlen: Im RAM war kein früheres Video. 2 s fehlen ab 12:00:00: die Kamera hat kein Bild gesendet. Die letzten 1 s fehlen: die RAM-Disk war voll."},
		{"the same sentence twice",
			"The first 3 s are missing: there was no earlier video in RAM. The first 3 s are missing: there was no earlier video in RAM.",
			"Die ersten 3 s fehlen: Im RAM war kein früheres Video. Die ersten 3 s fehlen: Im RAM war kein früheres Video."},
		{"a value of two sentences",
			"The clip could not be finished (a: b. C d.). Its video is kept as it was recorded; most players play it. The last 2 s are missing: recording was interrupted.",
			"Der Clip ließ sich nicht fertigstellen (a: b. C d.). Das Video bleibt, wie es aufgenommen wurde; die meisten Player spielen es ab. Die letzten 2 s fehlen: die Aufnahme war unterbrochen."},
		{"a template of two sentences",
			"There was an event at 12:00:00; it is gone since 13:00:00. It was removed by hand.",
			"Um 12:00:00 gab es ein Ereignis; seit 13:00:00 ist es weg. Es wurde von Hand entfernt."},
		{"name in front", "Gate: The camera does not answer", "Gate: Die Kamera antwortet nicht"},
		{"detail behind", "FFmpeg is missing: no ffmpeg on PATH or beside this program",
			"FFmpeg fehlt: kein ffmpeg im PATH oder neben diesem Programm"},
		{"files", "a.mp4: The file is not there. b.mp4: It is cut off: 3 of 5 bytes are there.",
			"a.mp4: Die Datei ist nicht da. b.mp4: Sie ist abgeschnitten: 3 von 5 Byte sind da."},
		{"chain", "send test alarm: dial tcp 127.0.0.1:2525: connect: connection refused",
			"Test-Alarm senden: dial tcp 127.0.0.1:2525: connect: Verbindung abgelehnt"},
		{"quoted", `"gate": this camera is switched off`, `"gate": diese Kamera ist ausgeschaltet`},
		{"quoted value", `camera "No. 1: \"x\"" does not record`, `Kamera "No. 1: \"x\"" nimmt nicht auf`},
		{"quoted value is no text", `A mail came at 12:00:00 from 192.0.2.7, but it fits no camera: "motion".`,
			`Um 12:00:00 kam eine Mail von 192.0.2.7, aber sie passt zu keiner Kamera: "motion".`},
		{"verbs in a value", "%s %d%%: only 7 s of 100 s of video fit into the RAM budget",
			"%s %d%%: Nur 7 s von 100 s Video passen in den erlaubten RAM"},
		{"verbs in a reason", "No video came from the camera: %[9]s %!d.", "Von der Kamera kam kein Video: %[9]s %!d."},
		{"specific before general", "must be at least 16MiB", "muss mindestens 16MiB sein"},
		{"general", `must be a size with its unit, such as "500MB" or "2GiB"`,
			"muss eine Größe mit Einheit wie „500MB“ oder „2GiB“ sein"},
		{"a button is no name", "Front door", "Front door"},
		{"lines", "The camera does not answer\nThe recording ended", "Die Kamera antwortet nicht\nDie Aufnahme endete"},
		{"broken", "The camera does not answer\xff\x00", "The camera does not answer\xff\x00"},
	} {
		if got := Say(tc.text); got != tc.want {
			t.Errorf("%s: %q\nnot %q", tc.name, got, tc.want)
		}
	}
	for range 20 { // whatever the order of the map
		Use("de")
		if got := Say("cannot be written: this user has no right to"); got != "ist nicht beschreibbar: Dieser Benutzer darf das nicht" {
			t.Fatal(got)
		}
	}
	Use("en")
	if text := "The camera does not answer"; Say(text) != text {
		t.Error("English is translated")
	}
}

func TestVerdict(t *testing.T) {
	german(t)
	for _, tc := range []struct{ text, want string }{
		{"connected", "verbunden"},
		{"connected and went without a mail", "verbunden und ohne Mail wieder gegangen"},
		{"connected and went without a mail after 1 repair: no HELO",
			"verbunden und ohne Mail wieder gegangen nach 1 Korrektur: kein HELO"},
		{"accepted", "angenommen"},
		{"accepted after 2 repairs: no domain in the sender, bare line feeds",
			"angenommen nach 2 Korrekturen: keine Domain im Absender, Zeilenenden nur aus LF"},
		{"accepted after 1 repair: no colon; it is a test mail",
			"angenommen nach 1 Korrektur: kein Doppelpunkt; sie ist eine Test-Mail"},
		{"accepted; it is a notice of the device (disk), which is no alarm; the camera cut the connection before the end of its mail", "angenommen; sie ist eine Nachricht des Geräts (Laufwerk) und kein Alarm; die Kamera brach die Verbindung vor dem Ende ihrer Mail ab"},
		{"accepted; it fits no camera: rules of gate and yard fit alike; give the right one one more condition",
			"angenommen; sie passt zu keiner Kamera: Regeln von gate and yard passen gleich gut; der richtigen eine Bedingung mehr geben"},
		{"accepted after 1 repair: no colon; it fits no camera: x",
			"angenommen nach 1 Korrektur: kein Doppelpunkt; sie passt zu keiner Kamera: x"},
		{"refused: address 203.0.113.9 is not allowed", "abgelehnt: die Adresse 203.0.113.9 ist nicht erlaubt"},
		{"refused: address 203.0.113.9 is not allowed (7 times)",
			"abgelehnt: die Adresse 203.0.113.9 ist nicht erlaubt (7-mal)"},
		{"camera gave up in the middle of the login: choose another kind of login in the camera, or none",
			"die Kamera gab auf mitten in der Anmeldung: in der Kamera eine andere Art der Anmeldung wählen oder keine"},
		{"camera fell silent in the middle of the login: choose another kind of login in the camera, or none",
			"die Kamera verstummte mitten in der Anmeldung: in der Kamera eine andere Art der Anmeldung wählen oder keine"},
		{"camera fell silent while TLS began: switch encryption off in the camera",
			"die Kamera verstummte, während TLS begann: in der Kamera die Verschlüsselung ausschalten"},
		{"camera fell silent after EHLO was refused: 550 No",
			"die Kamera verstummte, als EHLO abgelehnt wurde: 550 No"},
		{"camera sent more than 1,000 commands without an end", "die Kamera sandte mehr als 1,000 Befehle ohne Ende"},
		{"not accepted: no space left on device; the camera was told to try again",
			"nicht angenommen: kein Platz mehr auf dem Laufwerk; die Kamera soll es noch einmal versuchen"},
		{"something else", "something else"}, {"", ""},
		{"camera fell silent like never before", "camera fell silent like never before"},
	} {
		if got := Verdict(tc.text); got != tc.want {
			t.Errorf("%q: %q\nnot %q", tc.text, got, tc.want)
		}
	}
	Use("en")
	if text := "accepted after 1 repair: no colon; it is a test mail"; Verdict(text) != text {
		t.Error("English is translated")
	}
}

// TestSayIsQuick says what is long and hostile, and an honest reason that is long.
func TestSayIsQuick(t *testing.T) {
	l := german(t)
	gap := "3 s are missing from 12:00:00 on: the camera sent no picture. "
	long := strings.TrimSpace(strings.Repeat(gap, 150))
	if got := Say(long); strings.Contains(got, "missing") {
		t.Errorf("not all is German: %d bytes left of %d", len(got)-strings.Index(got, "missing"), len(got))
	}
	hostile := map[string]string{
		"dots": strings.Repeat(". ", 5000), "colons": strings.Repeat(": ", 5000), "lines": strings.Repeat("\n", 10_000),
		"verbs": strings.Repeat("%s", 5000), "quotes": strings.Repeat(`"`, 10_000),
		"a template's middle": strings.Repeat("x is not RAM but a disk (", 400) + ")",
		"nested":              strings.Repeat("No video came from the camera: ", 300) + "." + strings.Repeat(".", 300),
		"sentences":           strings.Repeat("There is no clip. ", 550),
		"known ones":          strings.Repeat("The file is not there. ", 430),
	}
	for from := range l.said {
		hostile[from] = strings.Repeat(sample(from)+" ", 10_000/(len(from)+1))
	}
	for name, text := range hostile {
		began := time.Now()
		got := Say(text)
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: %s", name, took)
		}
		if len(got) > 4*len(text)+100 {
			t.Errorf("%s: %d bytes of %d", name, len(got), len(text))
		}
	}
}

func FuzzSay(f *testing.F) {
	Use("de")
	for from := range now().said {
		f.Add(sample(from))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		if got := Say(text); len(got) > 20*len(text)+200 {
			t.Error(len(got))
		}
	})
}

func TestWords(t *testing.T) {
	german(t)
	at := time.Date(2026, 11, 20, 14, 5, 6, 0, time.Local)
	for _, tc := range []struct{ name, got, want string }{
		{"day", Day(at, at.AddDate(0, 0, 3)), "Freitag, 20. November 2026"},
		{"today", Day(at, at), "Heute"},
		{"yesterday", Moment(at, at.AddDate(0, 0, 1)), "Gestern 14:05"},
		{"time", Moment(at, at), "14:05:06"},
		{"days", Ago(100 * time.Hour), "4 Tage"},
		{"one", N(1, "1 clip", "%d clips"), "1 Clip"},
		{"several", N(3, "1 clip", "%d clips"), "3 Clips"},
		{"unknown", L("not a text %d", 7), "not a text 7"},
		{"length", Length(3671 * time.Second), "1:01:11"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, not %q", tc.name, tc.got, tc.want)
		}
	}
	for _, code := range []string{"de-CH", "de_DE", "de-Latn-DE", "DE"} { // as systems name it
		if Use(code); Code() != "de" || L("Today") != "Heute" {
			t.Errorf("%s is %s", code, Code())
		}
	}
	for _, code := range []string{"xx", "../de", "en-GB", "-"} {
		if Use(code); Code() != "en" || L("Today") != "Today" {
			t.Errorf("%s is %s", code, Code())
		}
	}
	if fmt.Sprint(now().said) != "map[]" {
		t.Error("English has texts")
	}
}

package words

import (
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// TestEngineIsTranslated checks that every language has a text for every message of the engine, and no other text.
func TestEngineIsTranslated(t *testing.T) {
	for _, code := range others() {
		l := use(t, code)
		for key := range text.Messages() {
			if l.said[key].Other == "" {
				t.Errorf("%s lacks the message %q", code, key)
			}
		}
		for key := range l.said {
			if _, ok := text.Find(key); !ok {
				t.Errorf("%s: there is no message %q", code, key)
			}
		}
	}
}

// TestSay translates texts as they come over the socket.
func TestSay(t *testing.T) {
	german(t)
	silent := text.Unreachable.With()
	for _, tc := range []struct {
		name string
		text text.Text
		want string
	}{
		{"text", silent, "Die Kamera antwortet nicht"},
		{"nothing", text.Text{}, ""},
		{"no code", text.Plain("Something else"), "Something else"},
		{"a code of a newer version", text.Text{Code: "not-known", English: "It is new"}, "It is new"},
		{"values", text.FileCutOff.With(int64(3), int64(5)), "Sie ist abgeschnitten: 3 von 5 Byte sind da."},
		{"other order", text.MailRefused.With("192.0.2.7", "12:03:04"),
			"Eine Mail von 192.0.2.7 wurde um 12:03:04 abgelehnt: Diese Adresse darf nicht senden."},
		{"a text in a text in a text", text.NoClip.With(text.NoVideoCame.With(text.RAMWasFull)),
			"Es gibt keinen Clip. Von der Kamera kam kein Video: die RAM-Disk war voll."},
		{"several", text.Join(" ", text.FirstMissing.With("3 s"), text.LastMissing.With("1 s", text.NoPictureSent)),
			"Die ersten 3 s fehlen: Im RAM war kein früheres Video. Die letzten 1 s fehlen: die Kamera hat kein Bild gesendet."},
		{"until now", text.PausedFrom.With("12:00:00", text.Now),
			"Preroll war von 12:00:00 bis jetzt pausiert: Alarme sicherten nichts."},
		{"detail of a failure", text.Detailed.With(text.FFmpegMissing, text.NoFFmpegOnPath),
			"FFmpeg fehlt: kein ffmpeg im PATH oder neben diesem Programm"},
		{"quoted value", text.CameraNotRecording.With(`No. 1: "x"`), `Kamera "No. 1: \"x\"" nimmt nicht auf`},
		{"quoted text is a value", text.MailUnmatched.With("12:00:00", "192.0.2.7", "motion"),
			`Um 12:00:00 kam eine Mail von 192.0.2.7, aber sie passt zu keiner Kamera: "motion".`},
		{"verbs in a value", text.RAMShort.With("%s %d%%", 7.0, 100.0),
			"%s %d%%: Nur 7 s von 100 s Video passen in den erlaubten RAM"},
		{"one", text.NoteLeftOut.With(1), "1 Zeile ausgelassen"},
		{"many", text.NoteLeftOut.With(7), "7 Zeilen ausgelassen"},
		{"gave up", text.GaveUpInLogin.With(text.GaveUp),
			"die Kamera gab auf mitten in der Anmeldung: in der Kamera eine andere Art der Anmeldung wählen oder keine"},
		{"fell silent", text.GaveUpInLogin.With(text.FellSilent),
			"die Kamera verstummte mitten in der Anmeldung: in der Kamera eine andere Art der Anmeldung wählen oder keine"},
		{"repairs", text.AcceptedIs.With(text.Repaired.With(text.Accepted, 2,
			text.Join(", ", text.QuirkSenderHost.With(), text.QuirkBareLF.With())), text.IsTest),
			"angenommen nach 2 Korrekturen: keine Domain im Absender, Zeilenenden nur aus LF; sie ist eine Test-Mail"},
		{"a value is missing", text.Text{Code: text.FileCutOff.Code, English: "x"},
			"Sie ist abgeschnitten:  von  Byte sind da."},
		{"a value of another kind", text.Text{Code: text.FileCutOff.Code, Args: []any{"a", 1.5}, English: "x"},
			"Sie ist abgeschnitten: a von 1.5 Byte sind da."},
	} {
		b, err := json.Marshal(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		var over text.Text
		if err := json.Unmarshal(b, &over); err != nil {
			t.Fatal(err)
		}
		if got := Say(over); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		if Say(tc.text) != tc.want {
			t.Errorf("%s: got %q before it was sent", tc.name, Say(tc.text))
		}
	}
	if Label("line crossing") != "Linienübertritt" && Label("line crossing") == "line crossing" {
		t.Error("a label stayed English")
	}
	if got := Label("my own"); got != "my own" {
		t.Errorf("a label of the user's is %q", got)
	}
	Use("en")
	if got := Say(silent); got != silent.String() {
		t.Errorf("English is %q", got)
	}
}

// TestErrors translates errors of the engine, and errors of the system inside a wrapping error.
func TestErrors(t *testing.T) {
	german(t)
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"engine", text.NoSuchEvent.Error(), "dieses Ereignis gibt es nicht"},
		{"wrapped", &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT},
			"open /x: Datei oder Ordner nicht gefunden"},
		{"with its cause", text.SaveSettings.Error(&fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}),
			"Einstellungen sichern: open /x: keine Berechtigung"},
		{"not known", os.ErrClosed, "file already closed"},
	} {
		if got := Error(tc.err); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// FuzzSay checks that whatever a recorder sends is translated at once and does not grow without bound.
func FuzzSay(f *testing.F) {
	for _, m := range []text.Message{text.FileCutOff, text.RAMShort, text.NoteLeftOut} {
		b, err := json.Marshal(m.With(1, 2, 3))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(`{"code":"join","args":[", ",{"code":"join","args":["x"]}],"text":""}`)
	f.Add(`{"code":"join","args":[{"code":"join","args":["x","","",""]},"","",""],"text":""}`)
	f.Add(`"what an earlier version wrote"`)
	Use("de")
	f.Fuzz(func(t *testing.T, s string) {
		var said text.Text
		if len(s) > 10_000 || json.Unmarshal([]byte(s), &said) != nil {
			return
		}
		if got := Say(said); len(got) > 100*len(s)+1000 {
			t.Errorf("%d bytes of %d", len(got), len(s))
		}
		if b, err := json.Marshal(said.Clean(strings.ToUpper)); err != nil || !json.Valid(b) {
			t.Errorf("%s, %v", b, err)
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
		if Use(code); L("Today") != "Heute" {
			t.Errorf("%s: got %q, want German", code, L("Today"))
		}
	}
	for _, code := range []string{"xx", "../de", "en-GB", "-"} {
		if Use(code); L("Today") != "Today" {
			t.Errorf("%s: got %q, want English", code, L("Today"))
		}
	}
}

package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/preroll/preroll/recorder/text"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestAdd(t *testing.T) {
	var e Event
	for i := range 3 * KeptTriggers {
		e.Add(Trigger{Time: noon.Add(-time.Duration(i) * time.Second), Label: DefaultLabel})
	}
	if len(e.Triggers) != KeptTriggers || e.TriggerCount != 3*KeptTriggers || !e.LastTrigger.Equal(noon) {
		t.Errorf("%d triggers of %d, the last at %s", len(e.Triggers), e.TriggerCount, e.LastTrigger)
	}
	e.Add(Trigger{Time: noon.Add(time.Second), Label: "person"})
	e.Add(Trigger{Time: noon.Add(2 * time.Second), Label: "vehicle"})
	if e.Label != "person" || !e.LastTrigger.Equal(noon.Add(2*time.Second)) {
		t.Errorf("label %q, the last at %s", e.Label, e.LastTrigger)
	}
}

// TestMove checks that the times of an open event move with this machine's clock, and that the times of a copy stay.
func TestMove(t *testing.T) {
	e := Event{Time: noon, From: noon, Until: noon, Gaps: []Gap{NewGap(noon, noon, text.NotRunning.With())},
		Parts: []Part{{Start: noon}, {Start: noon, End: noon}}}
	e.Add(Trigger{Time: noon})
	before := e
	e.Move(time.Hour)
	for i, got := range []time.Time{e.Time, e.From, e.Until, e.LastTrigger, e.Triggers[0].Time, e.Gaps[0].From,
		e.Gaps[0].To, e.Parts[0].Start, e.Parts[1].End} {
		if !got.Equal(noon.Add(time.Hour)) {
			t.Errorf("time %d is %s", i, got)
		}
	}
	if !e.Parts[0].End.IsZero() {
		t.Error("a part that goes on has an end")
	}
	if !before.Triggers[0].Time.Equal(noon) || !before.Gaps[0].From.Equal(noon) || !before.Parts[0].Start.Equal(noon) {
		t.Error("a copy moved too")
	}
}

// TestWhy checks that a reason is stored twice: in English and as a text. An earlier version wrote only the English.
func TestWhy(t *testing.T) {
	var e Event
	if !e.Why().IsZero() {
		t.Errorf("a whole event says %q", e.Why())
	}
	e.Explain(text.NoVideoCame.With(text.RAMWasFull))
	e.Gaps = []Gap{NewGap(noon, noon.Add(time.Second), text.NotRunning.With())}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		Reason string
		Gaps   []struct{ Reason string }
	}
	if err := json.Unmarshal(b, &old); err != nil || old.Gaps[0].Reason != "Preroll was not running" ||
		old.Reason != "No video came from the camera: the RAM disk was full." {
		t.Errorf("an earlier version reads %+v, %v", old, err)
	}
	var got Event
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got.Why(), e.Why()) ||
		!got.Gaps[0].Equal(e.Gaps[0]) {
		t.Errorf("got %+v, %v", got, err)
	}
	before := `{"reason": "It ended.", "gaps": [{"reason": "Preroll was not running"}]}`
	if err := json.Unmarshal([]byte(before), &got); err != nil {
		t.Fatal(err)
	}
	got.Cause, got.Gaps[0].Cause = text.Text{}, text.Text{}
	if got.Why().String() != "It ended." || !got.Gaps[0].Why().Is(text.NotRunning) {
		t.Errorf("got %q and %q", got.Why(), got.Gaps[0].Why())
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.000", 1500 * time.Millisecond: "1.500",
		-time.Second: "-1.000"} {
		b, err := json.Marshal(Seconds(d))
		var got Seconds
		if err != nil || string(b) != want || json.Unmarshal(b, &got) != nil || got.D() != d {
			t.Errorf("%s is %s and read as %s, %v", d, b, got.D(), err)
		}
	}
	for in, want := range map[string]time.Duration{"1e300": longest, "-1e300": -longest, "9.3e9": longest} {
		var got Seconds
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.D() != want {
			t.Errorf("%s is read as %s, %v, want %s", in, got.D(), err, want)
		}
	}
}

func TestClean(t *testing.T) {
	evil := "\x1b[31mA\u202eB\n" + strings.Repeat("ü", 5000) + "\xff"
	e := Event{CameraName: evil, Label: evil, Triggers: []Trigger{{Subject: evil, From: evil}}}
	e.Explain(text.Detailed.With(evil, text.Detailed.With(evil, evil)))
	e.Gaps = []Gap{NewGap(noon, noon, text.Plain(evil))}
	e.Clean()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); strings.Contains(s, `\u001b`) || strings.Contains(s, "\u202e") || !utf8.ValidString(s) ||
		strings.Contains(s, `\n`) || len(s) > 100_000 {
		t.Errorf("%d bytes: %.200s", len(s), s)
	}
}

func TestIDs(t *testing.T) {
	for _, tc := range []struct {
		id            string
		camera, event bool
	}{
		{"front-door", true, true}, {"a", true, true}, {"con", false, true}, {"com1", false, true}, {"", false, false},
		{"-a", false, false}, {"a-", false, true}, {"Gate", false, true}, {"../x", false, false}, {"a/b", false, false},
		{strings.Repeat("a", 63), true, true}, {strings.Repeat("a", 64), false, true},
		{strings.Repeat("a", 65), false, false}, {"20261122T120000.000Z-ab12cd", false, true}, {".", false, false},
	} {
		if CameraID(tc.id) != tc.camera || ValidID(tc.id) != tc.event {
			t.Errorf("%q: got %t and %t, want %t and %t", tc.id, CameraID(tc.id), ValidID(tc.id), tc.camera, tc.event)
		}
	}
}

func TestQuietHours(t *testing.T) {
	for _, tc := range []struct {
		quiet, at string
		want      bool
	}{
		{"", "12:00", false}, {"22:00-07:00", "21:59", false}, {"22:00-07:00", "22:00", true},
		{"22:00-07:00", "03:00", true}, {"22:00-07:00", "07:00", false}, {"09:00-17:00", "12:00", true},
		{"09:00-17:00", "17:00", false}, {"nonsense", "12:00", false}, {"12:00-12:00", "12:00", false},
	} {
		at, err := time.Parse("15:04", tc.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Notify{Quiet: tc.quiet}).IsQuiet(at); got != tc.want {
			t.Errorf("%q at %s: got %t, want %t", tc.quiet, tc.at, got, tc.want)
		}
	}
	if fmt.Sprint((Notify{Quiet: "x"}).QuietHours()) == fmt.Sprint((Notify{}).QuietHours()) {
		t.Error("nonsense is no error")
	}
}
